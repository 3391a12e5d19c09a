//! `summary.yaml`: counts, for people.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diagnostic::Severity;
use crate::ids::CommitId;
use crate::kinds::cluster::ClusterState;
use crate::ledger::{LedgerError, SUMMARY, to_yaml};
use crate::reconciler::{Reconciler, Unusable};

/// So many errors are listed.
const MOST: usize = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    version: u32,
    commit: Option<CommitId>,
    /// A newer commit that is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_in_force: Option<Unusable>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    suspended: bool,
    documents: BTreeMap<String, u32>,
    states: &'a BTreeMap<String, u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

/// The text of `summary.yaml`: the commit in force, and a newer one that could not be, whether the
/// cluster is suspended, how many documents of each kind are in force, how many units are in each
/// state, and the errors of the snapshot.
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
    }
    let commit = reconciler.desired().map(|desired| desired.commit().id);
    to_yaml(
        SUMMARY,
        &Summary {
            version: 1,
            commit,
            not_in_force: reconciler.unusable().map(|it| Unusable {
                errors: first(it.errors.clone()),
                ..it.clone()
            }),
            suspended: reconciler
                .desired()
                .is_some_and(|desired| desired.cluster().spec.state == ClusterState::Suspended),
            documents,
            states: reconciler.states(),
            errors: first(errors),
        },
    )
}

/// The first ones, and how many there are beside them.
fn first(mut errors: Vec<String>) -> Vec<String> {
    if errors.len() > MOST {
        let more = errors.len() - MOST;
        errors.truncate(MOST);
        errors.push(format!("and {more} more: see `berth validate`"));
    }
    errors
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::desired::fixture::{CLUSTER, Repository};
    use crate::ids::{Name, Timestamp};
    use crate::reconciler::{Input, Options};

    #[test]
    fn what_makes_all_stand_still_is_there_while_it_does() {
        let mut repository = Repository::new();
        let mut reconciler = Reconciler::new(Options::new(Name::new("lab").unwrap()));
        let mut told = |input: Input| {
            reconciler.input(Timestamp::default(), input);
            let text = summary(&reconciler).unwrap();
            let lines = text.lines().map(str::trim);
            let words = ["suspended", "notInForce", "B0502"];
            let told = lines.filter(|line| words.iter().any(|word| line.contains(word)));
            told.map(str::to_owned).collect::<Vec<_>>()
        };
        let mut snapshot = |state: &str| {
            repository.put("cluster.yaml", &format!("{CLUSTER}  state: {state}\n"));
            Input::Snapshot(Arc::new(repository.load().unwrap()))
        };
        let unusable = Input::Unusable(Unusable {
            commit: CommitId::from_bytes([9; 20]),
            errors: vec!["B0502: there is nothing".into()],
        });
        assert_eq!(told(snapshot("active")), [] as [&str; 0]);
        assert_eq!(told(snapshot("suspended")), ["suspended: true"]);
        let both = told(unusable);
        assert_eq!(both.len(), 3, "{both:?}");
        assert!(both[0] == "notInForce:" && both[1].contains("B0502: there is nothing"));
        assert_eq!(told(snapshot("active")), [] as [&str; 0]);
    }
}
