//! Validation: all documents cold, and after one change.

use std::time::{Duration, Instant};

use berth_core::desired::Loader;

use super::snapshot::Snapshot;
use crate::report::{Report, median, time};
use crate::{Fallible, Size, documents};

const TIMES: usize = 3;
const GOAL: Duration = Duration::from_secs(1);

/// Measures it.
pub fn validate(size: Size, report: &mut Report) -> Fallible<()> {
    let files = documents::repository(size.documents, "active");
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    let bytes = Snapshot::of(&files).size();
    for _ in 0..TIMES {
        let mut snapshot = Snapshot::of(&files);
        let mut loader = Loader::new();
        let began = Instant::now();
        let desired = snapshot.load(&mut loader)?;
        cold.push(began.elapsed());
        if desired.units().count() != size.documents {
            return Err("a document is missing".into());
        }
        let changed =
            documents::experiment(1, "active").replace("batchSize: 256", "batchSize: 512");
        snapshot.put(&documents::path(1), &changed);
        let began = Instant::now();
        snapshot.load(&mut loader)?;
        warm.push(began.elapsed());
    }
    #[allow(clippy::cast_precision_loss, reason = "it is rounded for people")]
    let what = format!(
        "validate {} documents ({:.1} MB), cold",
        size.documents,
        bytes as f64 / 1e6
    );
    let cold = median(cold);
    report.judge(what, time(cold), "< 1 s", cold < GOAL);
    report.tell("validate them after one change", time(median(warm)));
    Ok(())
}
