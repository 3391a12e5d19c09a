//! Runs cases on a server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream;
use serde_json::Value;

use super::{Api, Server, cases};

const SIDE_BY_SIDE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);

/// One case.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) run: fn(Api) -> BoxFuture<'static, ()>,
}

/// What became of the cases on one server.
#[derive(Debug)]
pub struct Report {
    /// The server.
    pub server: &'static str,
    /// By name, each case that passed with its transcript.
    pub passed: BTreeMap<&'static str, Vec<Value>>,
    /// By name, each case that failed with the reason.
    pub failed: BTreeMap<&'static str, String>,
    /// From the first request to the last answer.
    pub took: Duration,
}

/// Whether a case of this name is asked for.
fn is_asked(name: &str, filters: &[String]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| name.contains(filter))
}

/// Whether a case of this name plays while no other one does.
fn is_alone(name: &str) -> bool {
    ["compaction", "placing"]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether any case is asked for.
pub fn any_matches(filters: &[String]) -> bool {
    let all = cases::all();
    all.iter().any(|case| is_asked(case.name, filters))
}

/// Runs the cases whose name contains one of the filters, or all.
pub async fn run(server: Server, filters: &[String]) -> Report {
    let began = Instant::now();
    let server = Arc::new(server);
    let mut report = Report {
        server: server.name,
        passed: BTreeMap::new(),
        failed: BTreeMap::new(),
        took: Duration::ZERO,
    };
    // A compaction would be felt by the others, and so would nodes that are closed.
    let (alone, together): (Vec<Case>, Vec<Case>) = cases::all()
        .into_iter()
        .filter(|case| is_asked(case.name, filters))
        .partition(|case| is_alone(case.name));
    let together = stream::iter(together).map(|case| one(Arc::clone(&server), case));
    let mut ended: Vec<_> = together.buffer_unordered(SIDE_BY_SIDE).collect().await;
    for case in alone {
        ended.push(one(Arc::clone(&server), case).await);
    }
    for (name, end) in ended {
        match end {
            Ok(transcript) => drop(report.passed.insert(name, transcript)),
            Err(why) => drop(report.failed.insert(name, why)),
        }
    }
    report.took = began.elapsed();
    report
}

async fn one(server: Arc<Server>, case: Case) -> (&'static str, Result<Vec<Value>, String>) {
    let namespace = case.name.replace("::", "-").replace('_', "-");
    // A task of its own, so that a panic ends this case only.
    let task = tokio::spawn(async move {
        let api = Api::begin(server, &namespace).await;
        let run = tokio::time::timeout(PATIENCE, (case.run)(api.clone())).await;
        assert!(run.is_ok(), "no end in {} s", PATIENCE.as_secs());
        api.transcript()
    });
    let end = task.await.map_err(|error| match error.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
                .unwrap_or_else(|| "a panic".to_owned())
        }
        Err(error) => error.to_string(),
    });
    (case.name, end)
}
