//! What happened to the runs of an experiment, and what follows: pure functions of the ledger,
//! the live pods, the rules of the document and the time.

mod absorb;
mod clear;
mod close;
mod end;
mod missing;
mod rules;
mod trim;

pub use absorb::{FoundSize, absorb};
pub use clear::blocked;
pub use close::{close, used_up};
pub use end::{End, stopped, verdict};
pub use missing::missing;
pub use rules::{MOST_INTERRUPTIONS, Rules, backoff};
pub use trim::trim;

use crate::kinds::{NodeState, View};
use crate::ledger::{Attempt, RankRecord, Run, UnitLedger};
use crate::observed::{Fact, PodEnd, PodFact, PodRole};

/// A live pod of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct LivePod<'a> {
    /// The object.
    pub fact: &'a Fact,
    /// What is known of it as a pod.
    pub pod: &'a PodFact,
    /// Which pod it is.
    pub role: &'a PodRole,
}

/// The live pods of a unit, the oldest first.
pub fn live_pods<'a>(view: &View<'a>) -> Vec<LivePod<'a>> {
    let mut pods: Vec<LivePod> = view
        .objects
        .iter()
        .filter_map(|fact| {
            let pod = fact.pod.as_deref()?;
            let role = pod.role.as_ref()?;
            Some(LivePod { fact, pod, role })
        })
        .collect();
    pods.sort_by_key(|live| live.fact.created);
    pods
}

impl LivePod<'_> {
    /// The node that it is bound to, and what is known of it.
    pub fn place(&self, view: &View) -> Option<(&str, NodeState)> {
        Some((self.pod.node.as_deref()?, (view.node)(self.pod)?))
    }

    /// Whether this is a pod of that attempt.
    pub fn is_of(&self, run: &Run, trial: u32, attempt: u32) -> bool {
        (self.role.trial, self.role.attempt) == (trial, attempt)
            && *self.role.run == *run.identity.short()
    }

    /// Its record in the attempt: that of this life of it.
    pub fn record<'a>(&self, attempt: &'a Attempt) -> Option<&'a RankRecord> {
        attempt.ranks.iter().find(|record| self.is_in(record))
    }

    /// Whether the record is about this life of this pod.
    pub fn is_in(&self, record: &RankRecord) -> bool {
        record.rank == self.role.rank && record.uid.as_deref() == Some(&*self.fact.uid.0)
    }
}

/// Whether the ledger says how the pod ended. One that is not recorded may still do something.
pub fn is_recorded(ledger: &UnitLedger, live: &LivePod) -> bool {
    let runs = ledger.runs.iter();
    let runs = runs.filter(|run| *run.identity.short() == *live.role.run);
    let trials = runs.flat_map(|run| &run.trials);
    let trials = trials.filter(|trial| trial.number == live.role.trial);
    let attempts = trials.flat_map(|trial| &trial.attempts);
    attempts
        .filter(|attempt| attempt.number == live.role.attempt)
        .any(|attempt| live.record(attempt).is_some_and(|it| it.end.is_some()))
}

/// Whether the pod did what it should: exit 0 counts only if nobody asked it to stop, unless the
/// program itself said that it was done.
pub fn ended_well(end: &PodEnd) -> bool {
    end.marker || (end.succeeded && !end.asked)
}

/// Whether something other than the program ended the pod: it was asked to stop, or never ran.
pub fn was_interrupted(end: &PodEnd) -> bool {
    let never_ran = end.exit_code.is_none() && end.reason != "DeadlineExceeded";
    !ended_well(end) && (end.asked || never_ran)
}
