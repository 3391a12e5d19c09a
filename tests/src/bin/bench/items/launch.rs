//! Many experiments: launched, at rest, after a restart, and at their end.

use std::time::{Duration, Instant};

use berth_sandbox::Request;
use serde_json::{Value, json};

use super::{plan, post};
use crate::report::{Report, time};
use crate::world::{self, World, calls, writes};
use crate::{Fallible, Size, documents};

const LOOK: Duration = Duration::from_millis(2);
/// Longer than a burst has pauses.
const QUIET: Duration = Duration::from_secs(1);
/// In which all pods end.
const ENDING: Duration = Duration::from_secs(5);

/// Measures them.
pub async fn launch(size: Size, report: &mut Report) -> Fallible<()> {
    let bare = bare(size).await?;
    let mut world = World::start(size.pods(), &documents::base()).await?;
    let first = world.repository.tip("main").unwrap_or_default();
    world
        .until("the first status", QUIET / 20, |world| {
            world.status_is_of(&first)
        })
        .await?;
    world.rest(QUIET).await?;
    launched(size, &mut world, bare, report).await?;
    steady(size, &mut world, report).await?;
    restarted(size, &mut world, report).await?;
    finished(size, &mut world, report).await
}

async fn bare(size: Size) -> Fallible<Duration> {
    let pods = plan::bodies(size.experiments)?;
    let sandbox = world::sandbox(size.pods()).await?;
    post::post(sandbox.address(), pods).await
}

async fn launched(
    size: Size,
    world: &mut World,
    bare: Duration,
    report: &mut Report,
) -> Fallible<()> {
    let files: Vec<(String, String)> = (0..size.experiments)
        .map(|number| {
            (
                documents::path(number),
                documents::experiment(number, "active"),
            )
        })
        .collect();
    let commit = world.repository.prepare(&files)?;
    let (pods, before) = (size.pods() as u64, writes(&world.sandbox));
    let cpu = world.daemon.cpu()?;
    let began = Instant::now();
    world.repository.publish(&commit)?;
    world
        .until("all pods are POSTed", LOOK, |world| {
            calls(&world.sandbox, "create", "pods") >= pods
        })
        .await?;
    let took = began.elapsed();
    let cpu = world.daemon.cpu()?.saturating_sub(cpu);
    let wrote = writes(&world.sandbox) - before;
    report.add(format!("a bare client POSTs {pods} pods"), time(bare), "");
    report.add(
        format!(
            "{} experiments of 4 pods: commit to the last POST",
            size.experiments
        ),
        format!(
            "{}, {:.2} times the bare client ({wrote} writes by then; {} of CPU)",
            time(took),
            took.as_secs_f64() / bare.as_secs_f64(),
            time(cpu)
        ),
        "≤ 1.25 times",
    );
    world
        .until("all pods run", QUIET / 20, |world| {
            phase(world, "Running") == size.pods()
        })
        .await?;
    world.rest(QUIET * 2).await?;
    report.add(
        "the same, to all pods running and all written",
        time(began.elapsed().saturating_sub(QUIET * 2)),
        "",
    );
    report.add(
        "status commits of the launch",
        world.status_commits().to_string(),
        "",
    );
    Ok(())
}

async fn steady(size: Size, world: &mut World, report: &mut Report) -> Fallible<()> {
    let leases = "leases.coordination.k8s.io";
    let asked =
        |world: &World| calls(&world.sandbox, "*", "*") - calls(&world.sandbox, "*", leases);
    let before = (
        asked(world),
        world.daemon.cpu()?,
        world.daemon.read_bytes()?,
    );
    let renewed = calls(&world.sandbox, "*", leases);
    let commits = world.status_commits();
    tokio::time::sleep(size.steady).await;
    let after = (
        asked(world),
        world.daemon.cpu()?,
        world.daemon.read_bytes()?,
    );
    let (resident, highest) = world.daemon.resident()?;
    let window = size.steady.as_secs();
    let of = |what: &str| format!("{window} s at rest with {} pods: {what}", size.pods());
    let mut add = |what, figure: String, goal| report.add(of(what), figure, goal);
    let requests = format!(
        "{} (and {} for the Lease)",
        after.0 - before.0,
        calls(&world.sandbox, "*", leases) - renewed
    );
    add("API requests", requests, "0");
    add(
        "bytes read from files, Git's among them",
        (after.2 - before.2).to_string(),
        "0 of objects",
    );
    add(
        "status commits",
        (world.status_commits() - commits).to_string(),
        "0",
    );
    add("CPU", time(after.1.saturating_sub(before.1)), "< 100 ms");
    add(
        "resident memory",
        format!("{} MiB (at most {})", resident / 1024, highest / 1024),
        "< 100 MiB",
    );
    Ok(())
}

async fn restarted(size: Size, world: &mut World, report: &mut Report) -> Fallible<()> {
    world.daemon.kill()?;
    // A killed daemon still holds the Lease: the wait for its end is not what is measured.
    let lease = Request::new(
        "DELETE",
        "/apis/coordination.k8s.io/v1/namespaces/berth/leases/berth-lab",
    );
    world::ask(&world.sandbox, &lease)?;
    let before = world::counted(&world.sandbox);
    let lists = calls(&world.sandbox, "watch", "*") + calls(&world.sandbox, "list", "*");
    let began = Instant::now();
    world.restart()?;
    world
        .until("it watches again", LOOK, |world| {
            calls(&world.sandbox, "watch", "pods") + calls(&world.sandbox, "list", "pods") > 0
                && calls(&world.sandbox, "watch", "*") + calls(&world.sandbox, "list", "*") > lists
                && world.says_ready()
        })
        .await?;
    world.rest(QUIET).await?;
    let took = began.elapsed().saturating_sub(QUIET);
    let wrote = world::written_since(&world.sandbox, &before);
    report.add(
        format!("restart with {} pods live, to converged", size.pods()),
        format!(
            "{}, written: {wrote}; {} of CPU",
            time(took),
            time(world.daemon.cpu()?)
        ),
        "< 3 s, 0 writes",
    );
    Ok(())
}

async fn finished(size: Size, world: &mut World, report: &mut Report) -> Fallible<()> {
    let commits = world.status_commits();
    let pods = world.sandbox.with(|server| server.objects("pods"));
    let paths: Vec<String> = pods.iter().map(|pod| path(pod)).collect();
    let began = Instant::now();
    for (number, path) in paths.iter().enumerate() {
        #[allow(clippy::cast_precision_loss, reason = "a share of five seconds")]
        let due = ENDING.mul_f64(number as f64 / paths.len() as f64);
        tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        world::ask(&world.sandbox, &end(path))?;
    }
    let ended = began.elapsed();
    world
        .until("all pods are gone", QUIET / 20, |world| {
            world
                .sandbox
                .with(|server| server.objects("pods").is_empty())
        })
        .await?;
    let took = began.elapsed();
    world.rest(QUIET * 2).await?;
    report.add(
        format!(
            "{} pods end within {}: recorded, released, gone",
            size.pods(),
            time(ended)
        ),
        format!(
            "{} after the last one's end",
            time(took.saturating_sub(ended))
        ),
        "",
    );
    let commits = (world.status_commits() - commits).to_string();
    report.add("status commits of that", commits, "< 20");
    let (_, highest) = world.daemon.resident()?;
    report.add(
        "memory at its highest since the restart",
        format!("{} MiB", highest / 1024),
        "",
    );
    Ok(())
}

fn phase(world: &World, phase: &str) -> usize {
    let pods = world.sandbox.with(|server| server.objects("pods"));
    pods.iter()
        .filter(|pod| pod["status"]["phase"] == phase)
        .count()
}

fn path(pod: &Value) -> String {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
    format!(
        "/api/v1/namespaces/{}/pods/{}/status",
        text("namespace"),
        text("name")
    )
}

/// What a kubelet says of a pod whose program has ended well.
fn end(path: &str) -> Request {
    let body = json!({"status": {
        "phase": "Succeeded",
        "containerStatuses": [{
            "name": "task", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "reason": "Completed"}},
        }],
    }});
    Request::new("PATCH", path).with("application/merge-patch+json", &body)
}
