//! Pods that the ledger knows by their uid and that are not seen as what they are.

use super::LivePod;
use crate::ids::{Name, ObjectKey, Uid};
use crate::kinds::experiment::names::TrialName;
use crate::kinds::experiment::recipes::recorded_digest;
use crate::kinds::{Missing, View};
use crate::ledger::{Attempt, RankRecord, Run, UnitLedger};
use crate::observed::marks;

/// Pods of which the ledger knows no end, and that do not carry the marks by which they are found, what
/// they say of their making, or the finalizer that keeps their end: somebody took those off or changed
/// them, and the pods may run; or they are gone.
pub fn missing(ledger: &UnitLedger, experiment: &Name, pods: &[LivePod]) -> Vec<Missing> {
    let mut found = Vec::new();
    for (run, trial, attempt) in ledger.attempts() {
        let short = run.identity.short();
        let place = Place::new(experiment, &short, trial.number, attempt);
        let alive = attempt.ranks.iter().filter(|record| record.may_live());
        found.extend(alive.filter_map(|record| place.unseen(record, pods)));
        found.extend(
            pods.iter()
                .filter_map(|live| place.bare(run, attempt, live)),
        );
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

/// Whether its end would be lost if it were deleted.
fn is_bare(live: &LivePod) -> bool {
    !live.fact.finalizer && live.fact.deleting.is_none() && live.pod.end.is_none()
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

    fn unseen(&self, record: &RankRecord, pods: &[LivePod]) -> Option<Missing> {
        let (key, uid) = match self.seen(record, pods) {
            Some(_) => return None,
            None => self.pod(record)?,
        };
        Some(Missing {
            key,
            uid,
            labels: self.labels(record.rank),
            seen: false,
            bare: false,
            commit: None,
            digest: None,
        })
    }

    /// A pod that does not say for which commit or from what it was made, which only the ledger tells,
    /// or that nothing keeps once it has ended.
    fn bare(&self, run: &Run, attempt: &Attempt, live: &LivePod) -> Option<Missing> {
        let fact = live.fact;
        if fact.commit.is_some() && fact.digest.is_some() && !is_bare(live) {
            return None;
        }
        let record = live.record(attempt)?;
        self.seen(record, std::slice::from_ref(live))?;
        let commit = run.commit_of(attempt);
        let digest = recorded_digest(run, self.trial, attempt, record.rank);
        let digest = digest.filter(|_| fact.digest.is_none());
        let lacks = fact.commit.is_none() || digest.is_some() || is_bare(live);
        lacks.then(|| Missing {
            key: fact.key.clone(),
            uid: fact.uid.clone(),
            labels: self.labels(record.rank),
            seen: true,
            bare: is_bare(live),
            commit: fact.commit.is_none().then_some(commit),
            digest,
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
