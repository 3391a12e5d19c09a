//! `summary.yaml`: counts, for people.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diagnostic::Severity;
use crate::ids::CommitId;
use crate::ledger::{LedgerError, SUMMARY, to_yaml};
use crate::reconciler::Reconciler;

/// So many errors are listed.
const MOST: usize = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    version: u32,
    commit: Option<CommitId>,
    documents: BTreeMap<String, u32>,
    states: &'a BTreeMap<String, u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

/// The text of `summary.yaml`: how many documents of each kind are in force, how many units are in
/// each state, and the errors of the snapshot.
pub fn summary(reconciler: &Reconciler) -> Result<String, LedgerError> {
    let mut documents: BTreeMap<String, u32> = BTreeMap::new();
    let mut errors = Vec::new();
    if let Some(desired) = reconciler.desired() {
        let count = desired.count().into_iter();
        documents = count
            .map(|(kind, count)| (kind.to_string(), count))
            .collect();
        let bad = desired
            .findings()
            .iter()
            .filter(|one| one.severity == Severity::Error);
        errors = bad
            .map(|finding| crate::reconciler::line(desired, finding))
            .collect();
        if errors.len() > MOST {
            let more = errors.len() - MOST;
            errors.truncate(MOST);
            errors.push(format!("and {more} more: see `berth validate`"));
        }
    }
    let commit = reconciler.desired().map(|desired| desired.commit().id);
    to_yaml(
        SUMMARY,
        &Summary {
            version: 1,
            commit,
            documents,
            states: reconciler.states(),
            errors,
        },
    )
}
