//! What a document that is there and one that is gone have in common.

use crate::ids::{ObjectKey, Timestamp};
use crate::kinds::experiment::Success;
use crate::kinds::experiment::lifecycle::{LivePod, close, is_recorded, stopped};
use crate::kinds::experiment::recipes::keep;
use crate::kinds::{Ask, Missing, Recipe, View};
use crate::ledger::{Attempt, Run, Stop, UnitLedger};
use crate::observed::Fact;

pub(super) fn open_attempts(run: &Run) -> Vec<(usize, usize)> {
    let trials = run.trials.iter().enumerate();
    trials
        .flat_map(|(trial, it)| {
            let open = it
                .attempts
                .iter()
                .enumerate()
                .filter(|(_, it)| it.end.is_none());
            open.map(move |(attempt, _)| (trial, attempt))
        })
        .collect()
}

pub(super) fn pods_of<'a>(
    pods: &[LivePod<'a>],
    run: &Run,
    trial: u32,
    attempt: u32,
) -> Vec<LivePod<'a>> {
    let pods = pods.iter().filter(|live| live.is_of(run, trial, attempt));
    pods.copied().collect()
}

/// Ends the open attempts of a run that nobody asks for, once their pods are going.
pub(super) fn stop_run(run: &mut Run, pods: &[LivePod], view: &View, stop: &Stop, now: Timestamp) {
    for (trial, attempt) in open_attempts(run) {
        let at = &run.trials[trial];
        let record = &at.attempts[attempt];
        let pods = pods_of(pods, run, at.number, record.number);
        if let Some(end) = stopped(record, &pods, Success::All, view, stop) {
            close(run, trial, attempt, &end, None, now);
        }
    }
}

/// The pods that are asked for by name. Until all is seen, one that is not seen may just not have
/// been listed yet.
pub(super) fn to_find(missing: Vec<Missing>, view: &View) -> Vec<Missing> {
    if view.complete { missing } else { Vec::new() }
}

/// Pods that lost a part of their marks: they stay until they have them again.
pub(super) fn unmarked(missing: &[Missing], view: &View) -> Vec<Recipe> {
    let facts = view.objects.iter();
    let facts = facts.filter(|fact| is_missing(missing, fact));
    facts.map(|fact| keep(fact)).collect()
}

fn is_missing(missing: &[Missing], fact: &Fact) -> bool {
    let mut unseen = missing.iter().filter(|it| !it.seen);
    unseen.any(|it| it.uid == fact.uid)
}

/// Pods that may go once the ledger is safe, with or without their finalizer: their outcome is in
/// it. A pod that is none of an attempt has none.
pub(super) fn releases(
    ledger: &UnitLedger,
    pods: &[LivePod],
    missing: &[Missing],
    view: &View,
) -> Vec<ObjectKey> {
    let recorded = pods
        .iter()
        .filter(|live| is_recorded(ledger, live) || is_surplus(ledger, live))
        .map(|live| live.fact.key.clone());
    let strange = view
        .objects
        .iter()
        .filter(|fact| fact.finalizer && fact.pod.as_ref().is_some_and(|it| it.role.is_none()))
        .filter(|fact| !is_missing(missing, fact))
        .map(|fact| fact.key.clone());
    recorded.chain(strange).collect()
}

/// A pod of a higher rank than its attempt has: somebody else made it.
fn is_surplus(ledger: &UnitLedger, live: &LivePod) -> bool {
    let mut attempts = ledger.attempts();
    attempts.any(|(run, trial, attempt)| {
        live.is_of(run, trial.number, attempt.number) && live.role.rank >= attempt.pods
    })
}

/// The requests of everything that has begun and may still run.
pub(super) fn holds(
    ledger: &UnitLedger,
    pods: &[LivePod],
    ask: impl Fn(&str, u32, &Attempt) -> Ask,
) -> Vec<Ask> {
    let mut found = Vec::new();
    for run in &ledger.runs {
        for trial in &run.trials {
            for attempt in &trial.attempts {
                let live = || pods_of(pods, run, trial.number, attempt.number);
                let runs = || live().iter().any(|it| !is_recorded(ledger, it));
                if attempt.end.is_none() || runs() {
                    found.push(ask(&run.identity.short(), trial.number, attempt));
                }
            }
        }
    }
    found
}

pub(super) fn changed(ledger: UnitLedger, view: &View) -> Option<UnitLedger> {
    // Nothing is begun on an incomplete view. What waits for a right is told, so it is kept.
    let listing = !view.complete && view.unreadable.is_none();
    let empty = view.ledger.is_none() && listing && ledger.runs.is_empty();
    (view.ledger != Some(&ledger) && !empty).then_some(ledger)
}
