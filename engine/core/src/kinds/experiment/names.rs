//! The names of what is made for an experiment.

use berth_openapi::Shape;
use serde_json::json;

use super::document::MOST_SLOTS;
use crate::ids::{Name, ObjectKey, ObjectKind, UnitId};
use crate::object::{Node, digest};
use crate::observed::PodRole;

/// The longest name: that of a Service, and of a label's value.
const LONGEST: usize = 63;

/// Names one trial of a run.
#[derive(Debug, Clone, Copy)]
pub struct TrialName<'a> {
    /// The namespace of its objects.
    pub namespace: &'a Name,
    /// The experiment.
    pub experiment: &'a Name,
    /// The run's short digest.
    pub run: &'a str,
    /// Counted from 1.
    pub trial: u32,
}

impl TrialName<'_> {
    /// The headless Service of one attempt.
    pub fn service(&self, attempt: u32) -> ObjectKey {
        let end = format!("-{}-{}-{attempt}", self.run, self.trial);
        self.key(ObjectKind::Service, &end)
    }

    /// The pod of one rank of one attempt; a name that is used once.
    pub fn pod(&self, attempt: u32, rank: u32) -> ObjectKey {
        let end = format!("-{}-{}-{attempt}-{rank}", self.run, self.trial);
        self.key(ObjectKind::Pod, &end)
    }

    fn key(&self, kind: ObjectKind, end: &str) -> ObjectKey {
        let name = fit(self.experiment.as_str(), end);
        ObjectKey::new(kind, self.namespace.as_str(), &name)
    }
}

/// Which pod of this experiment has this name; `None` if none has.
pub fn role_of(pod: &ObjectKey, experiment: &UnitId) -> Option<PodRole> {
    let mut parts = pod.name.rsplitn(5, '-');
    let mut number = || parts.next()?.parse::<u32>().ok();
    let (rank, attempt, trial) = (number()?, number()?, number()?);
    let run = parts.next()?;
    let end = format!("-{run}-{trial}-{attempt}-{rank}");
    let fits = fit(experiment.name.as_str(), &end) == *pod.name;
    let counted = trial > 0 && (1..u32::MAX).contains(&attempt) && rank < MOST_SLOTS;
    (fits && counted && is_short_digest(run)).then(|| PodRole {
        run: run.into(),
        trial,
        attempt,
        rank,
    })
}

/// As [`Digest::short`](crate::ids::Digest::short) gives it.
fn is_short_digest(text: &str) -> bool {
    text.len() == 8
        && text
            .bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

/// `head` and `end`; of a head that is too long the beginning and a hash of the whole remain.
fn fit(head: &str, end: &str) -> String {
    if head.len() + end.len() <= LONGEST {
        return format!("{head}{end}");
    }
    let hash = digest("name/v1", &Node::engine(&json!(head)), &Shape::Any).short();
    let room = LONGEST.saturating_sub(end.len() + hash.len() + 1);
    let head: String = head.chars().take(room).collect();
    format!("{}-{hash}{end}", head.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pod(experiment: &str, attempt: u32, rank: u32) -> String {
        let (namespace, experiment) = (Name::new("ns").unwrap(), Name::new(experiment).unwrap());
        let trial = TrialName {
            namespace: &namespace,
            experiment: &experiment,
            run: "1a2b3c4d",
            trial: 1,
        };
        trial.pod(attempt, rank).name.to_string()
    }

    #[test]
    fn names_are_readable() {
        assert_eq!(pod("resnet50", 2, 0), "resnet50-1a2b3c4d-1-2-0");
        let long = "a".repeat(63);
        assert_eq!(pod(&long, 12, 100).len(), 63);
        assert!(pod(&long, 12, 100).ends_with("-1a2b3c4d-1-12-100"));
    }

    #[test]
    fn a_name_tells_which_pod_it_is() {
        let unit: UnitId = "Experiment/vision/resnet-50".parse().unwrap();
        let role = |name: &str| role_of(&ObjectKey::new(ObjectKind::Pod, "vision", name), &unit);
        let own = role("resnet-50-1a2b3c4d-1-12-3").unwrap();
        assert_eq!(
            (&*own.run, own.trial, own.attempt, own.rank),
            ("1a2b3c4d", 1, 12, 3)
        );
        for other in [
            "resnet-50",
            "resnet-51-1a2b3c4d-1-12-3",
            "resnet-50-1A2B3C4D-1-12-3",
            "resnet-50-x-1-12-3",
            "resnet-50-1a2b3c4d-0-12-3",
            "resnet-50-1a2b3c4d-1-0-3",
            "resnet-50-1a2b3c4d-1-012-3",
            "resnet-50-1a2b3c4d-1-4294967295-3",
            "resnet-50-1a2b3c4d-1-12-65536",
            "resnet-50-1a2b3c4d-1-12--3",
        ] {
            assert_eq!(role(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn names_are_valid_and_differ(
            left in "[a-z]([a-z0-9-]{0,61}[a-z0-9])?", right in "[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
            attempt in 1u32..100_000, rank in 0u32..65_536,
        ) {
            prop_assert!(Name::new(&pod(&left, attempt, rank)).is_ok());
            let unit = UnitId::experiment(Name::new("ns").unwrap(), Name::new(&left).unwrap());
            let key = ObjectKey::new(ObjectKind::Pod, "ns", &pod(&left, attempt, rank));
            let role = role_of(&key, &unit).unwrap();
            prop_assert_eq!((role.trial, role.attempt, role.rank), (1, attempt, rank));
            prop_assert_eq!(left == right, pod(&left, attempt, rank) == pod(&right, attempt, rank));
            prop_assert_ne!(pod(&left, attempt, rank), pod(&left, attempt + 1, rank));
            prop_assert_ne!(pod(&left, attempt, rank), pod(&left, attempt, rank + 1));
        }
    }
}
