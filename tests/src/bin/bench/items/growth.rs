//! Growth: what the same costs with more experiments, as a plot.

use std::path::Path;
use std::time::Duration;

use super::change::one;
use super::life::{Bare, Life};
use crate::plot::{self, Curve};
use crate::report::{Report, median, time};
use crate::{Fallible, Size, documents};

/// Each window at rest.
const WINDOW: Duration = Duration::from_secs(15);
/// Changes of one document.
const TIMES: usize = 5;

/// What was measured at one size.
struct Point {
    experiments: usize,
    bare: Duration,
    posted: Duration,
    change: Duration,
    restart: Duration,
    cpu: Duration,
    resident: u64,
}

/// Measures all sizes and draws them.
pub async fn growth(
    server: Option<&str>,
    size: &Size,
    plot: Option<&Path>,
    report: &mut Report,
) -> Fallible<()> {
    let mut points = Vec::new();
    for experiments in size.growth {
        let point = measure(server, *experiments).await?;
        tell(&point, report);
        points.push(point);
    }
    if let Some(plot) = plot {
        draw(&points, plot)?;
    }
    Ok(())
}

async fn measure(server: Option<&str>, experiments: usize) -> Fallible<Point> {
    let bare = Bare::posted(server, experiments).await?;
    let mut life = Life::start(server, experiments).await?;
    let posted = life.launch().await?.posted;
    let steady = life.steady(WINDOW).await?;
    let mut changes = Vec::new();
    for _ in 0..TIMES {
        changes.push(changed(&mut life, experiments + changes.len()).await?);
    }
    let restart = life.restart().await?.took;
    Ok(Point {
        experiments,
        bare,
        posted,
        change: median(changes),
        restart,
        cpu: steady.cpu,
        resident: steady.resident.0,
    })
}

/// One more experiment: from the commit to the first POST.
async fn changed(life: &mut Life, number: usize) -> Fallible<Duration> {
    life.world.rest(Duration::from_millis(500)).await?;
    one(&mut life.world, number).await
}

fn tell(point: &Point, report: &mut Report) {
    let what = format!(
        "growth: {} experiments, {} pods",
        point.experiments,
        point.experiments * documents::PODS
    );
    let figure = format!(
        "launch {} ({:.2} times the bare client), one more {}, restart {}, {} s at rest {} of CPU, {} MiB",
        time(point.posted),
        point.posted.as_secs_f64() / point.bare.as_secs_f64(),
        time(point.change),
        time(point.restart),
        WINDOW.as_secs(),
        time(point.cpu),
        point.resident / 1024
    );
    report.add(what, figure, "");
}

fn draw(points: &[Point], file: &Path) -> Fallible<()> {
    let curve = |name: &'static str, of: &dyn Fn(&Point) -> f64| Curve {
        name,
        points: points
            .iter()
            .map(|point| (point.experiments, of(point)))
            .collect(),
    };
    let curves = [
        curve("launch, s", &|point| point.posted.as_secs_f64()),
        curve("bare client, s", &|point| point.bare.as_secs_f64()),
        curve("restart, s", &|point| point.restart.as_secs_f64()),
        curve("one more experiment, s", &|point| {
            point.change.as_secs_f64()
        }),
        curve("memory, GiB", &|point| {
            to_f64(point.resident) / f64::from(1 << 20)
        }),
    ];
    plot::draw(file, &curves)
}

#[allow(clippy::cast_precision_loss, reason = "KiB of a process")]
fn to_f64(count: u64) -> f64 {
    count as f64
}
