//! Growth: what the same costs with more experiments, as a plot.

use std::path::Path;
use std::time::Duration;

use super::bare::Bare;
use super::change::one;
use super::life::{Life, Restarted, Steady};
use crate::cluster::Server;
use crate::plot::{self, Curve};
use crate::report::{Report, median, ratio, time};
use crate::{Fallible, Size, documents};

/// Each window at rest.
const WINDOW: Duration = Duration::from_secs(15);
/// So long nothing is written before a restart: what the changes brought is recorded, and the anchor
/// names it.
const RECORDED: Duration = Duration::from_secs(5);
/// Changes of one document.
const TIMES: usize = 3;

/// What was measured at one size.
struct Point {
    experiments: usize,
    bare: Duration,
    posted: Duration,
    change: Duration,
    restarted: Restarted,
    steady: Steady,
}

/// Measures all sizes and draws them.
pub async fn growth(
    server: &Server,
    size: &Size,
    plot: Option<&Path>,
    report: &mut Report,
) -> Fallible<()> {
    let mut points = Vec::new();
    for experiments in size.growth {
        let point = measure(server, *experiments, size.steady.min(WINDOW)).await?;
        tell(&point, report);
        points.push(point);
    }
    let curves = curves(&points);
    for curve in &curves {
        if let Some(slope) = slope(&curve.points) {
            let what = format!("growth: {}", curve.name);
            report.tell(what, format!("with the number to the power of {slope:.2}"));
        }
    }
    match plot {
        Some(plot) => plot::draw(plot, &curves),
        None => Ok(()),
    }
}

async fn measure(server: &Server, experiments: usize, window: Duration) -> Fallible<Point> {
    let bare = Bare::posted(server, experiments).await?;
    let mut life = Life::start(server, experiments, experiments + TIMES).await?;
    let posted = life.launch().await?.posted;
    let steady = life.steady(window).await?;
    let mut changes = Vec::new();
    for number in experiments..experiments + TIMES {
        changes.push(one(&mut life.world, number).await?);
    }
    life.world.rest(RECORDED).await?;
    Ok(Point {
        experiments,
        bare,
        posted,
        change: median(changes),
        restarted: life.restart().await?,
        steady,
    })
}

fn tell(point: &Point, report: &mut Report) {
    let what = format!(
        "growth: {} experiments, {} pods, against the bare client",
        point.experiments,
        point.experiments * documents::PODS
    );
    let figure = format!(
        "launch {}, one more {}, restart {} ({} written), at rest {} requests, {} files opened, {} of CPU, {} MiB",
        time(point.posted),
        time(point.change),
        time(point.restarted.took),
        point.restarted.wrote.as_deref().unwrap_or("nothing"),
        point.steady.requests,
        point.steady.opened,
        time(point.steady.cpu),
        point.steady.resident.0 / 1024
    );
    report.compare(what, figure, ratio(point.posted, point.bare), None);
}

fn curves(points: &[Point]) -> [Curve; 5] {
    let curve = |name: &'static str, of: &dyn Fn(&Point) -> f64| Curve {
        name,
        points: points
            .iter()
            .map(|point| (point.experiments, of(point)))
            .collect(),
    };
    [
        curve("launch, s", &|point| point.posted.as_secs_f64()),
        curve("bare client, s", &|point| point.bare.as_secs_f64()),
        curve("restart, s", &|point| point.restarted.took.as_secs_f64()),
        curve("one more experiment, s", &|point| {
            point.change.as_secs_f64()
        }),
        curve("memory, GiB", &|point| {
            to_f64(point.steady.resident.0) / f64::from(1 << 20)
        }),
    ]
}

/// The power with which a curve grows between its two largest sizes.
fn slope(points: &[(usize, f64)]) -> Option<f64> {
    let [.., (x0, y0), (x1, y1)] = points else {
        return None;
    };
    let x = plot::to_f64(*x1) / plot::to_f64(*x0);
    Some((y1 / y0).ln() / x.ln())
}

#[allow(clippy::cast_precision_loss, reason = "KiB of a process")]
fn to_f64(count: u64) -> f64 {
    count as f64
}
