//! The life of many experiments, as rows of the table.

use super::life::{Bare, Life};
use crate::report::{Report, time};
use crate::{Fallible, Size};

/// Measures it.
pub async fn launch(server: Option<&str>, size: Size, report: &mut Report) -> Fallible<()> {
    let bare = Bare::measure(server, size.experiments).await?;
    let pods = size.pods();
    report.add(
        format!("a bare client POSTs {pods} pods, 32 side by side"),
        time(bare.posted),
        "",
    );
    if let Some([create, apply]) = bare.kubectl {
        let all = |each: std::time::Duration| time(each.mul_f64(to_f64(pods)));
        let figure = format!(
            "{} and {}, by a run of at most 400",
            all(create),
            all(apply)
        );
        report.add(
            "`kubectl create` and `apply --server-side` of the same pods",
            figure,
            "",
        );
    }
    let mut life = Life::start(server, size.experiments).await?;
    launched(&mut life, size, &bare, report).await?;
    steady(&mut life, size, report).await?;
    restarted(&mut life, size, report).await?;
    finished(&mut life, size, &bare, report).await
}

async fn launched(life: &mut Life, size: Size, bare: &Bare, report: &mut Report) -> Fallible<()> {
    let launched = life.launch().await?;
    let figure = format!(
        "{}, {:.2} times the bare client ({} writes by then; {} of CPU)",
        time(launched.posted),
        launched.posted.as_secs_f64() / bare.posted.as_secs_f64(),
        launched.writes,
        time(launched.cpu)
    );
    let what = format!(
        "{} experiments of 4 pods: commit to the last POST",
        size.experiments
    );
    report.add(what, figure, "≤ 1.25 times");
    let what = "the same, to all pods running and the status commit that says so";
    report.add(what, time(launched.told), "");
    report.add(
        "status commits of the launch",
        launched.commits.to_string(),
        "",
    );
    Ok(())
}

async fn steady(life: &mut Life, size: Size, report: &mut Report) -> Fallible<()> {
    let steady = life.steady(size.steady).await?;
    let (window, pods) = (size.steady.as_secs(), size.pods());
    let of = |what: &str| format!("{window} s at rest with {pods} pods: {what}");
    let mut add = |what, figure: String, goal| report.add(of(what), figure, goal);
    let requests = format!(
        "{} (and {} for the Lease)",
        steady.requests, steady.renewals
    );
    add("API requests", requests, "0");
    let read = "bytes read from files, Git's among them";
    add(read, steady.read.to_string(), "0 of objects");
    add("status commits", steady.commits.to_string(), "0");
    add("CPU", time(steady.cpu), "< 100 ms");
    let (resident, highest) = steady.resident;
    let memory = format!("{} MiB (at most {})", resident / 1024, highest / 1024);
    add("resident memory", memory, "< 100 MiB");
    Ok(())
}

async fn restarted(life: &mut Life, size: Size, report: &mut Report) -> Fallible<()> {
    let restarted = life.restart().await?;
    let figure = format!(
        "{}, written: {}; {} of CPU",
        time(restarted.took),
        restarted.wrote,
        time(restarted.cpu)
    );
    let what = format!("restart with {} pods live, to converged", size.pods());
    report.add(what, figure, "< 3 s, 0 writes");
    Ok(())
}

async fn finished(life: &mut Life, size: Size, bare: &Bare, report: &mut Report) -> Fallible<()> {
    let finished = life.finish().await?;
    let pods = size.pods();
    let what = format!("a bare client patches and deletes {pods} pods as they end");
    report.add(what, time(bare.gone), "");
    let figure = format!(
        "{} ({} after the last end), {:.2} times the bare client",
        time(finished.gone),
        time(finished.gone.saturating_sub(finished.ending)),
        finished.gone.as_secs_f64() / bare.gone.as_secs_f64()
    );
    let what = format!(
        "{pods} pods end within {}: recorded, released, gone",
        time(finished.ending)
    );
    report.add(what, figure, "≤ 1.5 times");
    report.add(
        "status commits of that",
        finished.commits.to_string(),
        "< 20",
    );
    let highest = format!("{} MiB", finished.highest / 1024);
    report.add("memory at its highest since the restart", highest, "");
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "a count of pods")]
fn to_f64(count: usize) -> f64 {
    count as f64
}
