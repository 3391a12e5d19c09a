//! One document changed among many: from the commit to the POST.

use std::time::{Duration, Instant};

use crate::cluster::Server;
use crate::report::{Report, median, ratio, time};
use crate::world::World;
use crate::{Fallible, Size, documents};

const TIMES: usize = 7;
/// Longer than a burst has pauses.
const QUIET: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(1);
const GOAL: Duration = Duration::from_millis(100);

/// Measures it among few documents and among many.
pub async fn change(server: &Server, size: &Size, report: &mut Report) -> Fallible<()> {
    let few = among(server, size.few, report).await?;
    let many = among(server, size.documents, report).await?;
    let what = format!("the same among {} and {}", size.documents, size.few);
    report.compare(what, "", ratio(many, few), Some(1.5));
    Ok(())
}

/// Measures it among so many documents, of which all experiments are paused at first.
async fn among(server: &Server, documents: usize, report: &mut Report) -> Fallible<Duration> {
    let pods = documents::PODS * TIMES;
    let mut world = World::start(server, pods, &documents::repository(documents, "paused")).await?;
    let first = world.until_told().await?;
    let what = format!("start with {documents} documents, to the status commit");
    report.tell(what, time(first));
    let mut times = Vec::new();
    for number in 0..TIMES {
        times.push(one(&mut world, number).await?);
    }
    times.sort_unstable();
    let (best, worst) = (times.first().copied(), times.last().copied());
    let middle = median(times);
    let figure = format!(
        "{} ({} to {})",
        time(middle),
        time(best.unwrap_or_default()),
        time(worst.unwrap_or_default())
    );
    let what = format!("one of {documents} documents changed: commit to POST");
    report.judge(what, figure, "< 100 ms", middle < GOAL);
    Ok(middle)
}

/// An experiment becomes active while nothing else happens; its first pod is created.
pub async fn one(world: &mut World, number: usize) -> Fallible<Duration> {
    world.rest(QUIET).await?;
    let file = (
        documents::path(number),
        documents::experiment(number, "active"),
    );
    let commit = world.repository.prepare(&[file])?;
    let before = world.cluster.posted()?;
    let began = Instant::now();
    world.repository.publish(&commit)?;
    world
        .until("a pod is POSTed", LOOK, async |world| {
            Ok(world.cluster.posted()? > before)
        })
        .await?;
    Ok(began.elapsed())
}
