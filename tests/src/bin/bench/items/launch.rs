//! The life of many experiments, as rows of the table.

use std::time::Duration;

use super::bare::Bare;
use super::life::{Finished, Launched, Life, Restarted, Steady};
use crate::cluster::Server;
use crate::report::{Report, ratio, time};
use crate::{Fallible, Size};

/// Measures it.
pub async fn launch(server: &Server, size: &Size, report: &mut Report) -> Fallible<()> {
    let bare = Bare::measure(server, size.experiments).await?;
    tell_bare(&bare, size, report);
    let mut life = Life::start(server, size.experiments, size.experiments).await?;
    let launched = life.launch().await?;
    tell_kubectl(&bare, &launched, size, report);
    tell_launched(&bare, &launched, size, report);
    tell_steady(&life.steady(size.steady).await?, size, report);
    tell_restarted(&life.restart().await?, size, report);
    tell_finished(&bare, &life.finish().await?, size, report);
    let refused = life.world.cluster.refused()?;
    report.tell("answers of 400 and above to Berth, all in all", refused);
    Ok(())
}

fn tell_bare(bare: &Bare, size: &Size, report: &mut Report) {
    let pods = size.pods();
    let what = format!("a bare client POSTs {pods} pods, 32 side by side");
    report.tell(what, time(bare.posted));
    report.tell("the same, until all run", time(bare.running));
    let what = format!("it patches and deletes {pods} pods as they end");
    report.tell(what, time(bare.gone));
}

fn tell_kubectl(bare: &Bare, launched: &Launched, size: &Size, report: &mut Report) {
    let pods = size.pods();
    let Some([create, apply]) = bare.kubectl else {
        report.tell("`kubectl`", "NOT RUN: there is none");
        return;
    };
    for (how, each) in [("create", create), ("apply --server-side", apply)] {
        let all = each.mul_f64(to_f64(pods));
        let what = format!("Berth against `kubectl {how}` of the same pods, by a run of 400");
        let took = format!("{} by kubectl", time(all));
        report.compare(what, took, ratio(launched.posted, all), None);
    }
}

fn tell_launched(bare: &Bare, launched: &Launched, size: &Size, report: &mut Report) {
    let figure = format!(
        "{} ({} writes by then, {} of CPU)",
        time(launched.posted),
        launched.writes,
        time(launched.cpu)
    );
    let what = format!(
        "{} experiments of 4 pods: commit to the last POST",
        size.experiments
    );
    let times = ratio(launched.posted, bare.posted);
    report.compare(what, figure, times, Some(1.25));
    let what = "Berth against a bare client that POSTs its Services, too";
    let times = ratio(launched.posted, bare.with_services);
    report.compare(what, time(bare.with_services), times, None);
    let figure = format!(
        "{}, {} status commits",
        time(launched.told),
        launched.commits
    );
    let what = "the same, to the status commit that says that all run";
    report.compare(what, figure, ratio(launched.told, bare.running), None);
}

fn tell_steady(steady: &Steady, size: &Size, report: &mut Report) {
    let (window, pods) = (size.steady.as_secs(), size.pods());
    let of = |what: &str| format!("{window} s at rest with {pods} pods: {what}");
    let requests = format!(
        "{} (and {} for the Lease)",
        steady.requests, steady.renewals
    );
    report.judge(of("API requests"), requests, "0", steady.requests == 0);
    let what = of("files of Git objects opened");
    report.judge(what, steady.opened.to_string(), "0", steady.opened == 0);
    let what = of("status commits");
    report.judge(what, steady.commits.to_string(), "0", steady.commits == 0);
    let few = steady.cpu < Duration::from_millis(100);
    report.judge(of("CPU"), time(steady.cpu), "< 0.1 s", few);
    let (resident, highest) = (steady.resident.0 / 1024, steady.resident.1 / 1024);
    let memory = format!("{resident} MiB (at most {highest})");
    report.judge(of("memory"), memory, "< 100 MiB", resident < 100);
}

fn tell_restarted(restarted: &Restarted, size: &Size, report: &mut Report) {
    let figure = format!(
        "{}, written: {}; {} of CPU",
        time(restarted.took),
        restarted.wrote.as_deref().unwrap_or("nothing"),
        time(restarted.cpu)
    );
    let what = format!("restart with {} pods live, to converged", size.pods());
    let met = restarted.took < Duration::from_secs(3) && restarted.wrote.is_none();
    report.judge(what, figure, "< 3 s, no write", met);
}

fn tell_finished(bare: &Bare, finished: &Finished, size: &Size, report: &mut Report) {
    let pods = size.pods();
    let figure = format!(
        "{} ({} after the last end)",
        time(finished.gone),
        time(finished.gone.saturating_sub(finished.ending)),
    );
    let what = format!(
        "{pods} pods end within {}: recorded, released, gone",
        time(finished.ending)
    );
    report.compare(what, figure, ratio(finished.gone, bare.gone), Some(1.5));
    let commits = finished.commits;
    report.judge(
        "status commits of that",
        commits.to_string(),
        "< 20",
        commits < 20,
    );
    let highest = format!("{} MiB", finished.highest / 1024);
    report.tell("memory at its highest since the restart", highest);
}

#[allow(clippy::cast_precision_loss, reason = "a count of pods")]
fn to_f64(count: usize) -> f64 {
    count as f64
}
