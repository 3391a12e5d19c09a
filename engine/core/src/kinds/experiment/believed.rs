//! What may live of an experiment by its ledger, as a watch would tell it: for plans that look at no
//! cluster.

use super::names::TrialName;
use super::recipes::recorded_digest;
use crate::ids::{ObjectKey, ResourceVersion, Uid, UnitId};
use crate::ledger::{Attempt, RankRecord, Run, UnitLedger};
use crate::observed::{Fact, Ownership, PodFact, PodPhase, PodRole};

/// The pods of which no end is known, on this node once they were placed, and the Services of the
/// attempts that go on. What its attempt has ended without is on its way out. Pods of which the ledger
/// does not say where they are (it is one of an old version) are left out.
pub fn believed(id: &UnitId, ledger: &UnitLedger, node: &str) -> Vec<Fact> {
    let mut found = Vec::new();
    for (run, trial, attempt) in ledger.attempts() {
        let Some(namespace) = &attempt.namespace else {
            continue;
        };
        let short = run.identity.short();
        let names = TrialName {
            namespace,
            experiment: &id.name,
            run: &short,
            trial: trial.number,
        };
        let alive = attempt.ranks.iter().filter(|record| record.may_live());
        found.extend(alive.map(|record| {
            let key = names.pod(attempt.number, record.rank);
            let uid = record.uid.as_deref().unwrap_or_default();
            let role = PodRole {
                run: short.as_str().into(),
                trial: trial.number,
                attempt: attempt.number,
                rank: record.rank,
            };
            Fact {
                finalizer: true,
                digest: recorded_digest(run, trial.number, attempt, record.rank),
                pod: Some(Box::new(pod(role, attempt, record, node))),
                ..object(id, run, attempt, key, uid)
            }
        }));
        // It is there before the first pod.
        if attempt.end.is_none() && attempt.pods > 1 && !attempt.ranks.is_empty() {
            let key = names.service(attempt.number);
            found.push(object(id, run, attempt, key, "service"));
        }
    }
    found
}

fn object(id: &UnitId, run: &Run, attempt: &Attempt, key: ObjectKey, uid: &str) -> Fact {
    Fact {
        key,
        uid: Uid(uid.into()),
        version: ResourceVersion(1),
        ownership: Ownership::Ours(id.clone()),
        digest: None,
        commit: Some(run.commit_of(attempt)),
        deleting: attempt.end.as_ref().map(|end| end.at),
        finalizer: false,
        hold: false,
        created: attempt.began,
        leaves: None,
        pod: None,
    }
}

fn pod(role: PodRole, attempt: &Attempt, record: &RankRecord, node: &str) -> PodFact {
    let placed = attempt.placed.is_some();
    PodFact {
        role: Some(role),
        phase: match attempt.started {
            Some(_) => PodPhase::Running,
            None => PodPhase::Pending,
        },
        node: placed.then(|| node.into()),
        bound: placed.then_some(ResourceVersion(1)),
        requests: Vec::new(),
        started: attempt.started,
        end: None,
        waiting: None,
        unschedulable: None,
        changeable: record
            .baseline
            .as_deref()
            .and_then(PodFact::changeable_of)
            .unwrap_or_default(),
    }
}
