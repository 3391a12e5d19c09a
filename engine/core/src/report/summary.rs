//! `summary.yaml`: counts, for people.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::desired::Desired;
use crate::diagnostic::{Code, Diagnostic};
use crate::ids::{CommitId, UnitId};
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
/// state, and the errors of the snapshot; also which new documents wait for one that is not valid.
pub fn summary(reconciler: &Reconciler) -> Result<String, LedgerError> {
    let mut documents: BTreeMap<String, u32> = BTreeMap::new();
    let mut errors = Vec::new();
    if let Some(desired) = reconciler.desired() {
        let count = desired.count().into_iter();
        documents = count
            .map(|(kind, count)| (kind.to_string(), count))
            .collect();
        errors = desired
            .findings()
            .iter()
            .filter(|one| one.is_error() || waits(desired, one))
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

/// Whether it says of a document without a status file that it waits for another one to be mended.
fn waits(desired: &Desired, finding: &Diagnostic) -> bool {
    let has_file = |id: &UnitId| desired.unit(id).is_some() || desired.frozen().contains_key(id);
    let is_new = finding.unit.as_ref().is_some_and(|id| !has_file(id));
    finding.code == Code::HeldByReference && is_new
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
    use crate::desired::fixture::{CLUSTER, DEFAULTS, QUEUE, Repository, experiment};
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

    /// It has no status file; one that is in force in an older form has one, which says so.
    #[test]
    fn a_new_document_that_waits_for_another_one_is_told() {
        let broken = [
            (
                "defaults.yaml",
                DEFAULTS,
                "gpu:",
                "gpus:",
                "PodDefaults/standard is not valid",
            ),
            (
                "queue.yaml",
                QUEUE,
                "quota",
                "quotta",
                "Queue/vision is not valid",
            ),
            (
                "cluster.yaml",
                CLUSTER,
                "8",
                "0",
                "Cluster lab is not valid: ",
            ),
        ];
        for (path, text, from, to, words) in broken {
            for earlier in [true, false] {
                let mut repository = Repository::new();
                let mut reconciler = Reconciler::new(Options::new(Name::new("lab").unwrap()));
                repository.put("a.yaml", &experiment("a", ""));
                let mut told = |repository: &mut Repository| {
                    let snapshot = Input::Snapshot(Arc::new(repository.load().unwrap()));
                    reconciler.input(Timestamp::default(), snapshot);
                    let text = summary(&reconciler).unwrap();
                    let held = text.lines().filter(|line| line.contains("B0303"));
                    held.map(str::to_owned).collect::<Vec<_>>()
                };
                assert_eq!(told(&mut repository), [] as [&str; 0]);
                repository.put(path, &text.replace(from, to));
                repository.put("a.yaml", &experiment("a", "  maxRestarts: 2\n"));
                if earlier {
                    assert_eq!(told(&mut repository), [] as [&str; 0], "{path}");
                }
                repository.put("b.yaml", &experiment("b", ""));
                let waits = told(&mut repository);
                assert_eq!(waits.len(), 1, "{path}: {waits:?}");
                let line = format!("b.yaml:3:18: B0303: not applied yet: {words}");
                assert!(waits[0].contains(&line), "{path}: {waits:?}");
                repository.put(path, text);
                assert_eq!(told(&mut repository), [] as [&str; 0], "{path}");
            }
        }
    }
}
