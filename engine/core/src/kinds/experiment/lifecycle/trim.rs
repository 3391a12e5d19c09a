//! The ledger does not grow for ever.

use crate::ids::Digest;
use crate::ledger::{RunState, UnitLedger};

/// Attempts of a trial that are kept.
const ATTEMPTS: usize = 20;
/// Runs that are kept whole; of older ones that are finished only identity and end remain.
const WHOLE_RUNS: usize = 5;

/// Drops old attempts, the attempts of old finished runs, and runs that were replaced before they
/// began. No finished run is forgotten: it must never run again. Nor is one that may be finished, as
/// all are while they are `unproven`. The last attempt of an open run stays, as its number counts on.
pub fn trim(ledger: &mut UnitLedger, current: Option<&Digest>, unproven: bool) {
    ledger.runs.retain(|run| {
        let begun = run.trials.iter().any(|trial| !trial.attempts.is_empty());
        unproven || begun || run.state != RunState::Open || Some(&run.identity) == current
    });
    let older = ledger.runs.len().saturating_sub(WHOLE_RUNS);
    for (index, run) in ledger.runs.iter_mut().enumerate() {
        let keep = if index >= older || Some(&run.identity) == current {
            ATTEMPTS
        } else if matches!(run.state, RunState::Open | RunState::Unknown) {
            1
        } else {
            run.trials.clear();
            continue;
        };
        for trial in &mut run.trials {
            let drop = trial.attempts.len().saturating_sub(keep);
            trial.attempts.drain(..drop);
        }
    }
}
