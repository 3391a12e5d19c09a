//! Why objects of an experiment come and go, for people.

use crate::ids::ObjectKind;
use crate::kinds::Want;
use crate::ledger::{Attempt, Run, Stop, Trial, UnitLedger};
use crate::observed::Fact;

/// Why what is wanted is made: which attempt begins, and what became of the one before, or that it
/// is not there any more. `None` if no attempt is open.
pub fn wanted(ledger: &UnitLedger, want: &Want, kind: ObjectKind) -> Option<String> {
    let asked = want.status.run.as_deref()?;
    let of_run = |run: &Run| run.identity.short() == asked;
    let run = ledger.runs.iter().find(|run| of_run(run))?;
    let trial = run.trials.last()?;
    let (open, before) = trial.attempts.split_last()?;
    // A Service is there before the first pod.
    if kind == ObjectKind::Service && !open.ranks.is_empty() {
        let words = "it is gone, and attempt";
        return Some(format!(
            "{words} {} of the run {asked} goes on",
            open.number
        ));
    }
    let began = format!("attempt {} of the run {asked} begins", open.number);
    let end = before.last().and_then(|attempt| attempt.end.as_ref());
    Some(match end {
        Some(end) => format!("{began}, as the last one ended: {}", end.reason),
        None => began,
    })
}

/// Why an object that is not wanted goes: what ended its attempt, or what stops it.
pub fn unwanted(ledger: &UnitLedger, want: &Want, fact: &Fact) -> Option<String> {
    let mut attempts = ledger.attempts();
    let (run, _, attempt) =
        attempts.find(|(run, trial, attempt)| is_of(fact, run, trial, attempt))?;
    if let Some(end) = &attempt.end {
        return Some(format!("attempt {} ended: {}", attempt.number, end.reason));
    }
    match want.status.run.as_deref() {
        Some(asked) if run.identity.short() != asked => {
            Some(Stop::Replaced(asked.to_owned()).to_string())
        }
        _ => want.stop.as_ref().map(ToString::to_string),
    }
}

fn is_of(fact: &Fact, run: &Run, trial: &Trial, attempt: &Attempt) -> bool {
    let run = run.identity.short();
    let (trial, attempt) = (trial.number, attempt.number);
    let role = fact.pod.as_ref().and_then(|pod| pod.role.as_ref());
    match role {
        Some(role) => *role.run == *run && (role.trial, role.attempt) == (trial, attempt),
        // A Service says in its name whose it is.
        None => fact
            .key
            .name
            .ends_with(&format!("-{run}-{trial}-{attempt}")),
    }
}
