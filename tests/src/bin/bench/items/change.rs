//! One document changed among many: from the commit to the POST.

use std::time::{Duration, Instant};

use crate::report::{Report, median, time};
use crate::world::World;
use crate::{Fallible, documents};

const TIMES: usize = 7;
/// Longer than a burst has pauses.
const QUIET: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(1);

/// Measures it among so many documents, of which all experiments are paused at first.
pub async fn change(server: Option<&str>, documents: usize, report: &mut Report) -> Fallible<()> {
    let pods = documents::PODS * TIMES * 2;
    let began = Instant::now();
    let mut world = World::start(server, pods, &documents::repository(documents, "paused")).await?;
    let first = world.repository.tip("main").unwrap_or_default();
    world
        .until("the first status", Duration::from_millis(50), |world| {
            Ok(world.status_is_of(&first))
        })
        .await?;
    report.add(
        format!("start with {documents} documents, to the status commit"),
        time(began.elapsed()),
        "",
    );
    let mut times = Vec::new();
    for number in 0..TIMES {
        world.rest(QUIET).await?;
        times.push(one(&mut world, number).await?);
    }
    times.sort_unstable();
    let (best, worst) = (times.first().copied(), times.last().copied());
    let figure = format!(
        "{} ({} to {})",
        time(median(times)),
        time(best.unwrap_or_default()),
        time(worst.unwrap_or_default())
    );
    let what = format!("one of {documents} documents changed: commit to POST");
    report.add(what, figure, "< 100 ms");
    Ok(())
}

/// An experiment becomes active; its first pod is created.
pub(super) async fn one(world: &mut World, number: usize) -> Fallible<Duration> {
    let file = (
        documents::path(number),
        documents::experiment(number, "active"),
    );
    let commit = world.repository.prepare(&[file])?;
    let before = world.cluster.posted()?;
    let began = Instant::now();
    world.repository.publish(&commit)?;
    world
        .until("a pod is POSTed", LOOK, |world| {
            Ok(world.cluster.posted()? > before)
        })
        .await?;
    Ok(began.elapsed())
}
