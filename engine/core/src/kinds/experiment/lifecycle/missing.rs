//! Pods that the ledger knows by their uid and that are not seen as what they are.

use super::LivePod;
use crate::ids::{Name, ObjectKey, Uid};
use crate::kinds::experiment::names::TrialName;
use crate::kinds::{Missing, View};
use crate::ledger::{Attempt, RankRecord, Run, Trial, UnitLedger};
use crate::observed::{PodRole, marks};

/// Pods of which the ledger knows no end, and that do not carry the marks by which they are found:
/// somebody took those off or changed them, and the pods may run; or they are gone.
pub fn missing(ledger: &UnitLedger, experiment: &Name, pods: &[LivePod]) -> Vec<Missing> {
    let mut found = Vec::new();
    for run in &ledger.runs {
        let short = run.identity.short();
        for (trial, attempt) in run.trials.iter().flat_map(|trial| {
            let attempts = trial.attempts.iter();
            attempts.map(move |attempt| (trial.number, attempt))
        }) {
            let place = Place::new(experiment, &short, trial, attempt);
            let unended = attempt.ranks.iter();
            let unended = unended.filter(|it| it.end.is_none() && !it.vanished);
            found.extend(unended.filter_map(|record| place.missing(run, record, pods)));
        }
    }
    found
}

/// Marks the pods that are gone though nobody knows how they ended. That a pod is not seen is no
/// proof of it; one whose name cannot be told is taken for gone.
pub fn mark_vanished(ledger: &mut UnitLedger, experiment: &Name, pods: &[LivePod], view: &View) {
    for run in &mut ledger.runs {
        let short = run.identity.short();
        for trial in &mut run.trials {
            for attempt in &mut trial.attempts {
                let mut ranks = std::mem::take(&mut attempt.ranks);
                let place = Place::new(experiment, &short, trial.number, attempt);
                for record in ranks.iter_mut().filter(|it| it.end.is_none()) {
                    let is_seen = place.seen(record, pods).is_some();
                    let is_gone = || record.vanished || place.is_gone(record, view);
                    record.vanished = !is_seen && is_gone();
                }
                attempt.ranks = ranks;
            }
        }
    }
}

/// Whether a pod says that it is another one than the ledger knows it to be: its labels were changed.
pub(super) fn is_misplaced(ledger: &UnitLedger, uid: &Uid, role: &PodRole) -> bool {
    let is_it = |record: &&RankRecord| record.uid.as_deref() == Some(&*uid.0);
    let says = |run: &Run, trial: &Trial, attempt: &Attempt| {
        (trial.number, attempt.number) == (role.trial, role.attempt)
            && *run.identity.short() == *role.run
    };
    let mut own = ledger
        .attempts()
        .filter(|(run, trial, it)| says(run, trial, it));
    let in_its_place = own.next().is_some_and(|(.., attempt)| {
        let mut ranks = attempt.ranks.iter().filter(|it| it.rank == role.rank);
        ranks.any(|it| is_it(&it))
    });
    let is_known = || {
        ledger
            .attempts()
            .any(|(.., it)| it.ranks.iter().any(|it| is_it(&it)))
    };
    !in_its_place && is_known()
}

/// Which attempt a record is of.
struct Place<'a> {
    names: Option<TrialName<'a>>,
    run: &'a str,
    trial: u32,
    attempt: u32,
    is_gang: bool,
}

impl<'a> Place<'a> {
    fn new(experiment: &'a Name, run: &'a str, trial: u32, attempt: &'a Attempt) -> Self {
        let namespace = attempt.namespace.as_ref();
        Self {
            names: namespace.map(|namespace| TrialName {
                namespace,
                experiment,
                run,
                trial,
            }),
            run,
            trial,
            attempt: attempt.number,
            is_gang: attempt.pods > 1,
        }
    }

    /// The pod of a record, if it is seen as what it is.
    fn seen<'p, 'f>(
        &self,
        record: &RankRecord,
        pods: &'p [LivePod<'f>],
    ) -> Option<&'p LivePod<'f>> {
        pods.iter().find(|live| {
            live.is_in(record)
                && *live.role.run == *self.run
                && (live.role.trial, live.role.attempt) == (self.trial, self.attempt)
        })
    }

    fn pod(&self, record: &RankRecord) -> Option<(ObjectKey, Uid)> {
        let key = self.names.as_ref()?.pod(self.attempt, record.rank);
        Some((key, Uid(record.uid.as_deref()?.into())))
    }

    fn is_gone(&self, record: &RankRecord, view: &View) -> bool {
        self.pod(record)
            .is_none_or(|(key, uid)| (view.gone)(&key, &uid))
    }

    fn missing(&self, run: &Run, record: &RankRecord, pods: &[LivePod]) -> Option<Missing> {
        let seen = self.seen(record, pods);
        if seen.is_some_and(|live| live.fact.commit.is_some()) {
            return None;
        }
        let (key, uid) = self.pod(record)?;
        Some(Missing {
            key,
            uid,
            labels: self.labels(record.rank),
            seen: seen.is_some(),
            commit: seen.map(|_| run.commit),
        })
    }

    fn labels(&self, rank: u32) -> Vec<(&'static str, String)> {
        let service = self.names.as_ref().filter(|_| self.is_gang);
        let service = service.map(|names| names.service(self.attempt).name.to_string());
        [
            (marks::RUN, Some(self.run.to_owned())),
            (marks::TRIAL, Some(self.trial.to_string())),
            (marks::ATTEMPT, Some(self.attempt.to_string())),
            (marks::RANK, Some(rank.to_string())),
            (marks::SERVICE, service),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}
