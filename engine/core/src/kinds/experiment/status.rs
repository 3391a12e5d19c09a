//! What people see of an experiment.

use super::ExperimentState;
use super::lifecycle::{LivePod, is_recorded};
use crate::kinds::{NodeState, View};
use crate::ledger::{Attempt, Run, RunState, UnitLedger, UnitStatus};
use crate::observed::PodPhase;

/// The status of the run that the document asks for. `newest` says that no later run has begun,
/// `going` that pods of it may still run.
pub fn of_run(
    run: &Run,
    asked: ExperimentState,
    newest: bool,
    going: bool,
    attempt: Option<(&Attempt, &[LivePod])>,
    waiting: Option<String>,
    view: &View,
) -> UnitStatus {
    let (state, message) = match (run.state, asked) {
        (RunState::Completed, _) => ("Completed", ended(run, newest)),
        (RunState::Failed, _) => ("Failed", ended(run, newest)),
        (RunState::Canceled, ExperimentState::Canceled) => ("Canceled", ended(run, newest)),
        (RunState::Canceled, _) => (
            "Canceled",
            Some("canceled by its document, for good; raise `run` to run it again".into()),
        ),
        (RunState::Unknown, _) => (
            "Held",
            Some("the history of this run cannot be proven; raise `run` to start it again".into()),
        ),
        (RunState::Open, ExperimentState::Canceled) => ("Canceling", None),
        (RunState::Open, ExperimentState::Paused) if going => ("Pausing", None),
        (RunState::Open, ExperimentState::Paused) => ("Paused", None),
        (RunState::Open, ExperimentState::Active) => match attempt {
            Some((attempt, pods)) => of_attempt(attempt, pods, view),
            None => ("Waiting", waiting),
        },
    };
    UnitStatus {
        state: state.into(),
        message,
        run: Some(run.identity.short()),
        pods: attempt.map_or(Vec::new(), |(_, pods)| names(pods)),
        ..UnitStatus::default()
    }
}

fn names(pods: &[LivePod]) -> Vec<String> {
    let mut names: Vec<(u32, String)> = pods
        .iter()
        .map(|live| (live.role.rank, live.fact.key.name.to_string()))
        .collect();
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}

fn ended(run: &Run, newest: bool) -> Option<String> {
    if newest {
        return run.reason.clone();
    }
    let short = run.identity.short();
    Some(format!(
        "already ran as {short}; raise `run` to run it again"
    ))
}

fn of_attempt(attempt: &Attempt, pods: &[LivePod], view: &View) -> (&'static str, Option<String>) {
    let up = |live: &&LivePod| !matches!(live.pod.phase, PodPhase::Pending);
    if pods.iter().filter(up).count() >= attempt.pods as usize {
        return ("Running", pods.iter().find_map(|live| silent(live, view)));
    }
    let trouble = pods.iter().find_map(|live| {
        let refused = (view.refused)(&live.fact.key);
        refused
            .or_else(|| words(live))
            .or_else(|| silent(live, view))
    });
    ("Starting", trouble)
}

/// That nobody knows how one of these pods does whose end is not recorded: why it does not go.
pub fn unheard(pods: &[LivePod], ledger: &UnitLedger, view: &View) -> Option<String> {
    let mut unrecorded = pods.iter().filter(|live| !is_recorded(ledger, live));
    unrecorded.find_map(|live| silent(live, view))
}

/// That nobody knows how a pod does.
fn silent(live: &LivePod, view: &View) -> Option<String> {
    let (node, state) = live.place(view)?;
    let silent = live.pod.end.is_none() && state == NodeState::Silent;
    let rank = live.role.rank;
    silent.then(|| format!("rank {rank}: its node {node} does not answer or is not ready"))
}

/// Why a pod does not run yet, in the words of the kubelet or the scheduler.
fn words(live: &LivePod) -> Option<String> {
    let why = live
        .pod
        .waiting
        .as_ref()
        .or(live.pod.unschedulable.as_ref())?;
    Some(format!("rank {}: {why}", live.role.rank))
}

/// What the server says of the objects that it refused to make or to change. What runs, does.
pub fn refused(words: String, status: &mut UnitStatus) {
    if status.state != "Running" {
        status.state = "Refused".into();
    }
    status.message = Some(words);
}
