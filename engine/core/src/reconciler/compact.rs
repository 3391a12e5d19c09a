//! Compaction of the status branch: one root commit with the same files in place of its history.
//!
//! The anchor names both commits before the new one is pushed, and the new one alone once it is: a
//! process that dies in between leaves an anchor that fits either way.

use std::collections::BTreeSet;

use super::identity::{Place, settle};
use super::{Anchor, Identity, What, anchor_name};
use crate::ids::{CommitId, Name, ResourceVersion};
use crate::ledger::Ledger;

/// A branch that may be compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    cluster: Name,
    identity: Identity,
    anchor: ResourceVersion,
    namespaces: BTreeSet<String>,
    base: CommitId,
}

impl Compaction {
    /// Whether a branch may be compacted: branch, anchor and cluster must know each other, as for
    /// every write. The error says why not, and what to do.
    pub fn of(
        cluster: &Name,
        cluster_uid: &str,
        anchor: Option<Anchor>,
        anchor_in_branch: bool,
        ledger: &Ledger,
    ) -> Result<Self, String> {
        let place = Place {
            cluster_uid: cluster_uid.to_owned(),
            anchor,
            anchor_in_branch,
            others: Vec::new(),
            fresh_instance: String::new(),
        };
        let identity = settle(&place, ledger.identity.as_ref(), false, None)
            .map_err(|halt| halt.sentence)?
            .identity;
        match (identity, place.anchor, ledger.tip) {
            (Some(identity), Some(anchor), Some(base)) => Ok(Self {
                cluster: cluster.clone(),
                identity,
                anchor: anchor.version,
                namespaces: anchor.namespaces,
                base,
            }),
            _ => Err(format!(
                "there is nothing to compact: no daemon has worked on the cluster `{cluster}` yet"
            )),
        }
    }

    /// The tip, whose history is given up.
    pub fn base(&self) -> CommitId {
        self.base
    }

    /// The message of the root commit.
    pub fn message(&self) -> String {
        format!(
            "status: compacted [skip ci]\n\nCompacts: {}\nCluster: {}\n",
            self.base, self.cluster
        )
    }

    /// First: the anchor names the root commit beside the tip.
    pub fn announce(&self, root: CommitId) -> What {
        self.keep(
            Anchor::data_between(&self.identity, self.base, root, &self.namespaces),
            self.anchor,
        )
    }

    /// Last, once the root commit is pushed: the anchor, now of this version, names it alone.
    pub fn settle(&self, root: CommitId, anchor: ResourceVersion) -> What {
        let data = Anchor::data(&self.identity, Some(root), &self.namespaces);
        self.keep(data, anchor)
    }

    fn keep(
        &self,
        data: std::collections::BTreeMap<String, String>,
        version: ResourceVersion,
    ) -> What {
        What::Keep {
            name: anchor_name(&self.cluster),
            data: Some(data),
            version: Some(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Uid;

    #[test]
    fn only_a_branch_that_the_cluster_knows_is_compacted() {
        let cluster = Name::new("lab").unwrap();
        let identity = |instance: &str| Identity {
            cluster: cluster.clone(),
            instance: instance.into(),
            cluster_uid: "c".into(),
        };
        let tip = CommitId::from_bytes([7; 20]);
        let anchor = |instance: &str| Anchor {
            identity: identity(instance),
            status: Some(tip),
            next: None,
            namespaces: BTreeSet::new(),
            uid: Uid("u".into()),
            version: ResourceVersion(4),
        };
        let ledger = Ledger {
            tip: Some(tip),
            identity: Some(identity("i")),
            ..Ledger::default()
        };
        let of = |uid: &str, anchor, within, ledger: &Ledger| {
            Compaction::of(&cluster, uid, anchor, within, ledger)
        };
        let compaction = of("c", Some(anchor("i")), true, &ledger).unwrap();
        assert_eq!(compaction.base(), tip);
        assert!(
            compaction
                .message()
                .contains(&format!("\n\nCompacts: {tip}\n"))
        );
        let refused = [
            (
                of("d", Some(anchor("i")), true, &ledger),
                "the right cluster",
            ),
            (of("c", Some(anchor("j")), true, &ledger), "to instance j"),
            (
                of("c", Some(anchor("i")), false, &ledger),
                "rewritten or rolled back",
            ),
            (of("c", None, true, &ledger), "this cluster has none"),
            (
                of("c", None, true, &Ledger::default()),
                "nothing to compact",
            ),
        ];
        for (refused, words) in refused {
            let said = refused.unwrap_err();
            assert!(said.contains(words), "{said}");
        }
        let root = CommitId::from_bytes([8; 20]);
        let data = |what: What| match what {
            What::Keep {
                name,
                data: Some(data),
                version: Some(version),
            } => (name, data, version.0),
            other => panic!("{other:?}"),
        };
        let (name, between, version) = data(compaction.announce(root));
        assert_eq!((name.as_str(), version), ("berth-lab", 4));
        assert_eq!(between["status"], tip.to_string());
        assert_eq!(between["next"], root.to_string());
        let (_, after, version) = data(compaction.settle(root, ResourceVersion(5)));
        assert_eq!((after["status"].clone(), version), (root.to_string(), 5));
        assert!(!after.contains_key("next"));
    }
}
