//! The numbers that a document sets, and those that are fixed.

use std::time::Duration;

use crate::desired::Scope;
use crate::kinds::cluster::ClusterState;
use crate::kinds::experiment::{Experiment, Success};
use crate::kinds::values;
use crate::ledger::{AttemptResult, Trial};

/// So many interruptions in a row, and the trial has failed: something is wrong with the place
/// rather than with the moment.
pub const MOST_INTERRUPTIONS: u32 = 100;

/// The first wait before the next attempt; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// When an attempt ends, as the document and its queue say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whose exit 0 counts.
    pub success: Success,
    /// The longest time from the first pod's start.
    pub max_runtime: Option<Duration>,
    /// The longest time from when all pods are on nodes until they run.
    pub start_deadline: Duration,
    /// The longest time that peers go on after one has ended well.
    pub peer_deadline: Duration,
    /// The longest time from the attempt's beginning until all pods are on nodes.
    pub gang_timeout: Duration,
    /// Berth stands still, and so do its deadlines: nothing could follow from them.
    pub suspended: bool,
}

impl Rules {
    /// What this document says.
    pub fn of(document: &Experiment, scope: &Scope) -> Self {
        let spec = &document.spec;
        let gang_timeout = scope.queue.as_ref().map(|it| it.spec.gang_timeout.get());
        Self {
            success: spec.success,
            max_runtime: spec.max_runtime.map(values::Timeout::get),
            start_deadline: spec.start_deadline.get(),
            peer_deadline: spec.peer_deadline.get(),
            gang_timeout: gang_timeout.unwrap_or(Duration::MAX),
            suspended: scope.cluster.spec.state == ClusterState::Suspended,
        }
    }
}

/// How long a trial waits after an attempt that ended so.
pub fn backoff(trial: &Trial, result: AttemptResult) -> Duration {
    let times = match result {
        AttemptResult::Completed => 0,
        AttemptResult::Failed => trial.restarts,
        AttemptResult::Interrupted => trial.interruptions,
    };
    match times.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => LONGEST_WAIT.min(FIRST_WAIT * 2_u32.pow(doublings.min(16))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let trial = |restarts, interruptions| Trial {
            number: 1,
            restarts,
            interruptions,
            checkpoints: None,
            attempts: Vec::new(),
        };
        let seconds = |trial: &Trial, result| backoff(trial, result).as_secs();
        let waits: Vec<u64> = (0..11)
            .map(|n| seconds(&trial(n, 0), AttemptResult::Failed))
            .collect();
        assert_eq!(waits, [0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(seconds(&trial(9, 0), AttemptResult::Interrupted), 0);
        assert_eq!(
            seconds(&trial(0, u32::MAX), AttemptResult::Interrupted),
            300
        );
    }
}
