//! The life of many experiments: launched, at rest, after a restart, and at their end.

use std::time::{Duration, Instant};

use berth_sandbox::Request;
use serde_json::json;

use super::ends;
use crate::cluster::Server;
use crate::opens::Opens;
use crate::world::World;
use crate::{Fallible, documents};

const LOOK: Duration = Duration::from_millis(2);
/// Between looks that cost the server something.
const LOOK_AT_ALL: Duration = Duration::from_millis(100);
/// Longer than a burst has pauses.
const QUIET: Duration = Duration::from_secs(1);

/// Experiments, and the daemon that cares for them.
pub struct Life {
    /// All that there is.
    pub world: World,
    experiments: usize,
}

/// What a launch cost.
pub struct Launched {
    /// From the commit to the last POST of a pod.
    pub posted: Duration,
    /// To the status commit that says that all experiments run.
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
    /// API requests but the Lease's, also those that were refused.
    pub requests: u64,
    /// Those for the Lease.
    pub renewals: u64,
    /// Files of Git objects that were opened.
    pub opened: u64,
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
    pub wrote: Option<String>,
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
    /// A daemon that rests on a repository without experiments, and room for so many of them.
    pub async fn start(server: &Server, experiments: usize, room: usize) -> Fallible<Self> {
        let pods = room * documents::PODS;
        let mut world = World::start(server, pods, &documents::base()).await?;
        world.until_told().await?;
        world.rest(QUIET).await?;
        Ok(Self { world, experiments })
    }

    /// One commit brings all experiments.
    pub async fn launch(&mut self) -> Fallible<Launched> {
        let (experiments, world) = (self.experiments, &mut self.world);
        let pods = experiments * documents::PODS;
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
            .until("all pods are POSTed", LOOK, async |world| {
                Ok(world.cluster.posted()? >= pods)
            })
            .await?;
        let posted = began.elapsed();
        let cpu = world.daemon.cpu()?.saturating_sub(cpu);
        let writes = world.cluster.writes()? - before;
        let all_run = format!(" Running: {experiments}");
        let mut seen = None;
        world
            .until("the status says that all run", LOOK * 5, async |world| {
                let tip = world.status_tip();
                let moved = tip != seen;
                seen = tip;
                Ok(moved && world.says("summary.yaml", &all_run))
            })
            .await?;
        let told = began.elapsed();
        let commits = world.status_commits() - commits;
        world.rest(QUIET * 2).await?;
        Ok(Launched {
            posted,
            told,
            writes,
            cpu,
            commits,
        })
    }

    /// A window in which nothing happens.
    pub async fn steady(&mut self, window: Duration) -> Fallible<Steady> {
        let world = &self.world;
        let look = || -> Fallible<_> {
            let (requests, renewals) = world.cluster.answered()?;
            Ok((requests, renewals, world.daemon.cpu()?))
        };
        let (before, commits) = (look()?, world.status_commits());
        let opens = Opens::of(&world.repository.root().join("objects"))?;
        tokio::time::sleep(window).await;
        let (after, opened) = (look()?, opens.count()?);
        Ok(Steady {
            requests: after.0 - before.0,
            renewals: after.1 - before.1,
            cpu: after.2.saturating_sub(before.2),
            opened,
            commits: world.status_commits() - commits,
            resident: world.daemon.resident()?,
        })
    }

    /// kill -9, and another daemon.
    pub async fn restart(&mut self) -> Fallible<Restarted> {
        let world = &mut self.world;
        world.daemon.kill()?;
        // A killed daemon still holds the Lease, and the wait for its end is not what is measured:
        // it is given up as a daemon that ends well does.
        let lease = "/apis/coordination.k8s.io/v1/namespaces/berth/leases/berth-lab";
        let free = json!({"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}});
        let give_up = Request::new("PATCH", lease).with("application/merge-patch+json", &free);
        world.cluster.ask(&give_up).await?;
        let before = world.cluster.counted()?;
        let began = Instant::now();
        world.restart()?;
        world
            .until("it is ready", LOOK, async |world| Ok(world.says_ready()))
            .await?;
        world.rest(QUIET).await?;
        Ok(Restarted {
            took: began.elapsed().saturating_sub(QUIET),
            wrote: world.cluster.written_since(&before)?,
            cpu: world.daemon.cpu()?,
        })
    }

    /// All pods end within five seconds, if the server can.
    pub async fn finish(&mut self) -> Fallible<Finished> {
        let world = &mut self.world;
        let commits = world.status_commits();
        let names = world.cluster.names().await?;
        let began = Instant::now();
        let ending = ends::end_all(&world.cluster, &names, None).await?;
        world
            .until("all pods are gone", LOOK_AT_ALL, async |world| {
                Ok(world.cluster.pods().await? == 0)
            })
            .await?;
        let gone = began.elapsed();
        world.rest(QUIET * 2).await?;
        Ok(Finished {
            ending,
            gone,
            commits: world.status_commits() - commits,
            highest: world.daemon.resident()?.1,
        })
    }
}
