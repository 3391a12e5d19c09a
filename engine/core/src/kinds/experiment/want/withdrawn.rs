//! What becomes of an experiment whose document is gone.

use super::shared::{changed, holds, releases, stop_run, to_find, unmarked};
use crate::ids::{BlobId, CommitId, Timestamp, UnitId};
use crate::kinds::experiment::lifecycle::{
    FoundSize, LivePod, absorb, is_recorded, live_pods, missing, trim,
};
use crate::kinds::experiment::status::unheard;
use crate::kinds::{Ask, View, Want};
use crate::ledger::{Applied, Attempt, Stop, UnitLedger, UnitStatus};

/// What an experiment should have whose document is gone: nothing, once its outcomes are kept.
/// Its runs stay open, so that they go on if the document comes back.
pub fn want_withdrawn(id: &UnitId, view: &View, now: Timestamp) -> Want {
    let pods = live_pods(view);
    let Some(mut ledger) = view
        .ledger
        .cloned()
        .or_else(|| found_again(&pods, view, now))
    else {
        return Want::default();
    };
    ledger.withdrawn = true;
    // No Cluster is at hand that would say so: its last words are not kept.
    absorb(&mut ledger, &id.name, &pods, view, false, now, &|_| {
        FoundSize::AtLeast(0)
    });
    for run in &mut ledger.runs {
        stop_run(run, &pods, view, &Stop::Removed, now);
    }
    let missing = missing(&ledger, &id.name, &pods);
    let mut want = Want {
        objects: unmarked(&missing, view),
        asks: holds(&ledger, &pods, |run, trial, attempt| {
            bare_ask(id, run, trial, attempt, ledger.sequence)
        }),
        stop: Some(Stop::Removed),
        prunes: pods.iter().any(|live| !is_recorded(&ledger, live)),
        release: releases(&ledger, &pods, &missing, view),
        status: UnitStatus {
            state: "Withdrawn".into(),
            message: Some(removed(&pods, &ledger, view)),
            ..UnitStatus::default()
        },
        missing: to_find(missing, view),
        ..Want::default()
    };
    trim(&mut ledger, None, view.unproven);
    want.ledger = changed(ledger, view);
    want
}

/// Why it goes, and what of it cannot be heard of.
fn removed(pods: &[LivePod], ledger: &UnitLedger, view: &View) -> String {
    match unheard(pods, ledger, view) {
        Some(unheard) => format!("{}; {unheard}", Stop::Removed),
        None => Stop::Removed.to_string(),
    }
}

/// The ledger of pods whose document and ledger are both gone.
fn found_again(pods: &[LivePod], view: &View, now: Timestamp) -> Option<UnitLedger> {
    let first = pods.first()?;
    Some(UnitLedger {
        sequence: view.sequence,
        first_seen: now,
        applied: Applied {
            commit: first.fact.commit.unwrap_or(CommitId::from_bytes([0; 20])),
            path: String::new(),
            blob: BlobId::from_bytes([0; 20]),
        },
        withdrawn: true,
        runs: Vec::new(),
    })
}

/// The request of what still runs of a document that is gone.
fn bare_ask(id: &UnitId, run: &str, trial: u32, attempt: &Attempt, sequence: u64) -> Ask {
    Ask {
        attempt: (run.into(), trial, attempt.number),
        queue: id.queue.clone().unwrap_or_else(|| id.name.clone()),
        pods: attempt.pods,
        each: None,
        slots: attempt.pods.saturating_mul(attempt.slots),
        priority: 0,
        sequence,
        node_selector: Vec::new(),
        tolerations: Vec::new(),
        holds: true,
        started: None,
        length: None,
    }
}
