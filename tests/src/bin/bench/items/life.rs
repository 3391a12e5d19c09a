//! The life of many experiments: launched, at rest, after a restart, and at their end.

use std::time::{Duration, Instant};

use berth_sandbox::Request;
use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use super::{bare, plan};
use crate::cluster::{Cluster, NAMESPACE};
use crate::world::World;
use crate::{Fallible, documents};

const LOOK: Duration = Duration::from_millis(2);
/// Longer than a burst has pauses.
const QUIET: Duration = Duration::from_secs(1);
/// In which all pods end.
const ENDING: Duration = Duration::from_secs(5);

/// Experiments, and the daemon that cares for them.
pub struct Life {
    /// All that there is.
    pub world: World,
    experiments: usize,
}

/// What a launch cost.
pub struct Launched {
    /// From the commit to the last POST.
    pub posted: Duration,
    /// To the status commit after which nothing changed any more.
    pub told: Duration,
    /// Writes until the last POST.
    pub writes: u64,
    /// CPU of the daemon until then.
    pub cpu: Duration,
    /// Status commits.
    pub commits: usize,
}

/// What a window without events cost.
pub struct Steady {
    /// API requests but the Lease's.
    pub requests: u64,
    /// Those for the Lease.
    pub renewals: u64,
    /// Bytes read from files.
    pub read: u64,
    /// Status commits.
    pub commits: usize,
    /// CPU of the daemon.
    pub cpu: Duration,
    /// Resident memory now and at its highest, in KiB.
    pub resident: (u64, u64),
}

/// What a restart cost.
pub struct Restarted {
    /// Until it rested.
    pub took: Duration,
    /// What was written, in words.
    pub wrote: String,
    /// CPU of the daemon.
    pub cpu: Duration,
}

/// What the end of all pods cost.
pub struct Finished {
    /// From the first end to the last one.
    pub ending: Duration,
    /// From the first end until all pods were gone.
    pub gone: Duration,
    /// Status commits.
    pub commits: usize,
    /// Resident memory at its highest, in KiB.
    pub highest: u64,
}

impl Life {
    /// A daemon that rests on a repository without experiments.
    pub async fn start(server: Option<&str>, experiments: usize) -> Fallible<Self> {
        let pods = experiments * documents::PODS;
        let mut world = World::start(server, pods, &documents::base()).await?;
        let first = world.repository.tip("main").unwrap_or_default();
        world
            .until("the first status", QUIET / 20, |world| {
                Ok(world.status_is_of(&first))
            })
            .await?;
        world.rest(QUIET).await?;
        Ok(Self { world, experiments })
    }

    fn pods(&self) -> usize {
        self.experiments * documents::PODS
    }

    /// One commit brings all experiments.
    pub async fn launch(&mut self) -> Fallible<Launched> {
        let (experiments, pods, world) = (self.experiments, self.pods(), &mut self.world);
        let file = |number| {
            (
                documents::path(number),
                documents::experiment(number, "active"),
            )
        };
        let files: Vec<(String, String)> = (0..experiments).map(file).collect();
        let commit = world.repository.prepare(&files)?;
        let (before, commits) = (world.cluster.writes()?, world.status_commits());
        let cpu = world.daemon.cpu()?;
        let began = Instant::now();
        world.repository.publish(&commit)?;
        world
            .until("all pods are POSTed", LOOK, |world| {
                Ok(world.cluster.posted()? >= pods)
            })
            .await?;
        let posted = began.elapsed();
        let cpu = world.daemon.cpu()?.saturating_sub(cpu);
        let writes = world.cluster.writes()? - before;
        world
            .until("all pods run", QUIET / 20, |world| {
                world.cluster.all_run(pods)
            })
            .await?;
        world.rest(QUIET * 2).await?;
        Ok(Launched {
            posted,
            told: began.elapsed().saturating_sub(QUIET * 2),
            writes,
            cpu,
            commits: world.status_commits() - commits,
        })
    }

    /// A window in which nothing happens.
    pub async fn steady(&mut self, window: Duration) -> Fallible<Steady> {
        let world = &self.world;
        let leases = "leases.coordination.k8s.io";
        let look = || -> Fallible<_> {
            let (all, renewals) = (
                world.cluster.calls("*", "*")?,
                world.cluster.calls("*", leases)?,
            );
            let daemon = &world.daemon;
            Ok((
                all - renewals,
                renewals,
                daemon.cpu()?,
                daemon.read_bytes()?,
            ))
        };
        let (before, commits) = (look()?, world.status_commits());
        tokio::time::sleep(window).await;
        let after = look()?;
        Ok(Steady {
            requests: after.0 - before.0,
            renewals: after.1 - before.1,
            cpu: after.2.saturating_sub(before.2),
            read: after.3 - before.3,
            commits: world.status_commits() - commits,
            resident: world.daemon.resident()?,
        })
    }

    /// kill -9, and another daemon.
    pub async fn restart(&mut self) -> Fallible<Restarted> {
        let world = &mut self.world;
        world.daemon.kill()?;
        // A killed daemon still holds the Lease: the wait for its end is not what is measured.
        let lease = "/apis/coordination.k8s.io/v1/namespaces/berth/leases/berth-lab";
        world.cluster.ask(&Request::new("DELETE", lease))?;
        let before = world.cluster.counted()?;
        let began = Instant::now();
        world.restart()?;
        world
            .until("it is ready", LOOK, |world| Ok(world.says_ready()))
            .await?;
        world.rest(QUIET).await?;
        Ok(Restarted {
            took: began.elapsed().saturating_sub(QUIET),
            wrote: world.cluster.written_since(&before)?,
            cpu: world.daemon.cpu()?,
        })
    }

    /// All pods end well within five seconds.
    pub async fn finish(&mut self) -> Fallible<Finished> {
        let commits = self.world.status_commits();
        let names = self.world.cluster.names()?;
        let began = Instant::now();
        end_all(&self.world.cluster, &names, |_| Ok(())).await?;
        let ending = began.elapsed();
        self.world
            .until("all pods are gone", QUIET / 20, |world| {
                Ok(world.cluster.pods()? == 0)
            })
            .await?;
        let gone = began.elapsed();
        self.world.rest(QUIET * 2).await?;
        Ok(Finished {
            ending,
            gone,
            commits: self.world.status_commits() - commits,
            highest: self.world.daemon.resident()?.1,
        })
    }
}

/// What the bare client needs for the same pods: from the first POST to the last answer, and from
/// the first end to the last deletion.
pub struct Bare {
    /// The POSTs.
    pub posted: Duration,
    /// The patches and deletions, while the pods end.
    pub gone: Duration,
    /// One pod by kubectl: `create`, and `apply --server-side`.
    pub kubectl: Option<[Duration; 2]>,
}

impl Bare {
    /// Only the POSTs, on a cluster of its own.
    pub async fn posted(server: Option<&str>, experiments: usize) -> Fallible<Duration> {
        let bodies = plan::bodies(experiments)?;
        let cluster = Cluster::start(server, bodies.len()).await?;
        bare::post(&cluster, &bodies).await
    }

    /// Measures it, on a cluster of its own.
    pub async fn measure(server: Option<&str>, experiments: usize) -> Fallible<Self> {
        let bodies = plan::bodies(experiments)?;
        let cluster = Cluster::start(server, bodies.len()).await?;
        let kubectl = bare::kubectl(&cluster, &bodies)?;
        let posted = bare::post(&cluster, &bodies).await?;
        let began = Instant::now();
        while !cluster.all_run(bodies.len())? {
            if began.elapsed() > Duration::from_mins(5) {
                return Err("the bare client's pods do not run".into());
            }
            tokio::time::sleep(QUIET / 20).await;
        }
        let (send, receive) = unbounded_channel();
        let going = tokio::spawn(bare::let_go(cluster.client().await?, receive));
        let names = cluster.names()?;
        end_all(&cluster, &names, |name| Ok(send.send(name.to_owned())?)).await?;
        drop(send);
        Ok(Self {
            posted,
            gone: going.await??,
            kubectl,
        })
    }
}

/// Ends the pods one after the other, evenly spread.
async fn end_all(
    cluster: &Cluster,
    names: &[String],
    mut then: impl FnMut(&str) -> Fallible<()>,
) -> Fallible<()> {
    let began = Instant::now();
    for (number, name) in names.iter().enumerate() {
        #[allow(clippy::cast_precision_loss, reason = "a share of five seconds")]
        let due = ENDING.mul_f64(number as f64 / names.len() as f64);
        tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        cluster.ask(&end(name))?;
        then(name)?;
    }
    Ok(())
}

/// What a kubelet says of a pod whose program has ended well.
fn end(name: &str) -> Request {
    let body = json!({"status": {
        "phase": "Succeeded",
        "containerStatuses": [{
            "name": "task", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "reason": "Completed"}},
        }],
    }});
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}/status");
    Request::new("PATCH", &path).with("application/merge-patch+json", &body)
}
