//! An end goes into the ledger.

use std::time::Duration;

use super::MOST_INTERRUPTIONS;
use super::end::{End, EndKind};
use crate::ids::Timestamp;
use crate::ledger::{AttemptEnd, AttemptResult, Run, RunState, Trial};

/// An attempt that ran so long was not part of a row of interruptions.
const LONG_RUN: Duration = Duration::from_mins(10);

/// Writes an end down: of the attempt, of the trial's counters, and of the run if that is final.
/// `max_restarts` is `None` for a run that the document does not ask for any more: it stays open.
pub fn close(
    run: &mut Run,
    trial: usize,
    attempt: usize,
    end: &End,
    max_restarts: Option<u32>,
    now: Timestamp,
) {
    let Some(at) = run.trials.get_mut(trial) else {
        return;
    };
    let Some(record) = at.attempts.get_mut(attempt) else {
        return;
    };
    let ran_long = record.started.is_some_and(|it| now.since(it) >= LONG_RUN);
    record.end = Some(AttemptEnd {
        at: now,
        result: result_of(end.kind),
        reason: end.reason.clone(),
    });
    count(at, end.kind, ran_long);
    if run.state == RunState::Open
        && let Some((state, reason)) = final_state(at, end, max_restarts)
    {
        run.state = state;
        run.reason = Some(reason);
        run.finished = Some(now);
    }
}

fn result_of(kind: EndKind) -> AttemptResult {
    match kind {
        EndKind::Completed => AttemptResult::Completed,
        EndKind::Failed | EndKind::FailedForGood => AttemptResult::Failed,
        EndKind::Interrupted | EndKind::Unplaced | EndKind::Stopped => AttemptResult::Interrupted,
    }
}

fn count(trial: &mut Trial, kind: EndKind, ran_long: bool) {
    match kind {
        EndKind::Failed | EndKind::FailedForGood => {
            trial.restarts = trial.restarts.saturating_add(1);
            trial.interruptions = 0;
        }
        EndKind::Interrupted if ran_long => trial.interruptions = 1,
        EndKind::Interrupted | EndKind::Unplaced => {
            trial.interruptions = trial.interruptions.saturating_add(1);
        }
        EndKind::Completed | EndKind::Stopped => trial.interruptions = 0,
    }
}

/// The final state that an end brings its run to, with the reason.
fn final_state(trial: &Trial, end: &End, max_restarts: Option<u32>) -> Option<(RunState, String)> {
    let reason = &end.reason;
    match (end.kind, max_restarts) {
        (EndKind::Completed, _) => Some((RunState::Completed, reason.clone())),
        (EndKind::FailedForGood, Some(_)) => Some((RunState::Failed, reason.clone())),
        (EndKind::Failed, Some(max)) if trial.restarts > max => {
            Some((RunState::Failed, used_up(trial.restarts, max, reason)))
        }
        (EndKind::Interrupted, Some(_)) if trial.interruptions >= MOST_INTERRUPTIONS => Some((
            RunState::Failed,
            format!("interrupted {MOST_INTERRUPTIONS} times in a row; the last time {reason}"),
        )),
        _ => None,
    }
}

/// Why a trial is not started again.
pub fn used_up(failures: u32, max: u32, reason: &str) -> String {
    match failures {
        1 => format!("{reason}; maxRestarts is {max}"),
        _ => format!("failed {failures} times, maxRestarts is {max}; the last time {reason}"),
    }
}
