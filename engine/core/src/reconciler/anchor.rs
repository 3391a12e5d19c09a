//! What stands in the cluster itself: the anchor and the spill, as `ConfigMap` data.

use std::collections::{BTreeMap, BTreeSet};

use super::{Anchor, Identity};
use crate::ids::{CommitId, Name, ResourceVersion, Uid};

/// The name of a cluster's anchor in Berth's namespace.
pub fn anchor_name(cluster: &Name) -> String {
    format!("berth-{cluster}")
}

/// The name of a cluster's spill. A cluster's name has no dot, so it is nobody's anchor.
pub fn spill_name(cluster: &Name) -> String {
    format!("berth-{cluster}.spill")
}

/// Why a `ConfigMap` is no anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the anchor has no usable `{0}`")]
pub struct InvalidAnchor(&'static str);

impl Anchor {
    /// The data that says this.
    pub fn data(
        identity: &Identity,
        status: Option<CommitId>,
        namespaces: &BTreeSet<String>,
    ) -> BTreeMap<String, String> {
        let names: Vec<&str> = namespaces.iter().map(String::as_str).collect();
        let mut data = BTreeMap::from([
            ("cluster".to_owned(), identity.cluster.to_string()),
            ("instance".to_owned(), identity.instance.clone()),
            ("clusterUid".to_owned(), identity.cluster_uid.clone()),
            ("namespaces".to_owned(), names.join(" ")),
        ]);
        if let Some(commit) = status {
            data.insert("status".into(), commit.to_string());
        }
        data
    }

    /// The data that says this while `next`, which holds the same files, is put in the place of
    /// `status`: whatever becomes of the push, one of both is in the branch.
    pub fn data_between(
        identity: &Identity,
        status: CommitId,
        next: CommitId,
        namespaces: &BTreeSet<String>,
    ) -> BTreeMap<String, String> {
        let mut data = Self::data(identity, Some(status), namespaces);
        data.insert("next".into(), next.to_string());
        data
    }

    /// Whether a branch with these commits is the one that was pushed last. A root commit that only
    /// says that it compacts it is none.
    pub fn is_in(&self, contains: impl Fn(CommitId) -> bool) -> bool {
        let Some(status) = self.status else {
            return true;
        };
        contains(status) || self.next.is_some_and(contains)
    }

    /// Reads the data; what an anchor must say and does not is an error, never a default.
    pub fn read(
        data: &BTreeMap<String, String>,
        uid: Uid,
        version: ResourceVersion,
    ) -> Result<Self, InvalidAnchor> {
        let text = |key: &'static str| data.get(key).ok_or(InvalidAnchor(key)).cloned();
        let identity = Identity {
            cluster: Name::new(&text("cluster")?).map_err(|_| InvalidAnchor("cluster"))?,
            instance: text("instance")?,
            cluster_uid: text("clusterUid")?,
        };
        let commit = |key: &'static str| {
            let commit = data.get(key).map(|text| text.parse()).transpose();
            commit.map_err(|_| InvalidAnchor(key))
        };
        Ok(Self {
            identity,
            status: commit("status")?,
            next: commit("next")?,
            // One that an older version wrote names none.
            namespaces: data
                .get("namespaces")
                .into_iter()
                .flat_map(|names| names.split_whitespace().map(str::to_owned))
                .collect(),
            uid,
            version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_reads_back_and_a_torn_one_is_refused() {
        let identity = Identity {
            cluster: Name::new("main").unwrap(),
            instance: "i".into(),
            cluster_uid: "u".into(),
        };
        let commit = CommitId::from_bytes([3; 20]);
        let (uid, version) = (Uid("x".into()), ResourceVersion(4));
        let none = BTreeSet::new();
        let two = BTreeSet::from(["vision".to_owned(), "speech".to_owned()]);
        for (status, namespaces) in [(None, &none), (Some(commit), &two)] {
            let data = Anchor::data(&identity, status, namespaces);
            let read = Anchor::read(&data, uid.clone(), version).unwrap();
            assert_eq!((read.identity, read.status), (identity.clone(), status));
            assert_eq!(&read.namespaces, namespaces);
        }
        let mut old = Anchor::data(&identity, None, &two);
        old.remove("namespaces");
        let read = Anchor::read(&old, uid.clone(), version).unwrap();
        assert_eq!(read.namespaces, none);
        for key in ["cluster", "instance", "clusterUid"] {
            let mut data = Anchor::data(&identity, None, &none);
            data.remove(key);
            let error = Anchor::read(&data, uid.clone(), version).unwrap_err();
            assert_eq!(error, InvalidAnchor(key));
        }
        for key in ["status", "next"] {
            let mut data = Anchor::data(&identity, Some(commit), &none);
            data.insert(key.into(), "main".into());
            assert!(Anchor::read(&data, uid.clone(), version).is_err());
        }
    }

    #[test]
    fn between_push_and_anchor_either_commit_will_do_and_no_other() {
        let identity = Identity {
            cluster: Name::new("main").unwrap(),
            instance: "i".into(),
            cluster_uid: "u".into(),
        };
        let commit = |number| CommitId::from_bytes([number; 20]);
        let none = BTreeSet::new();
        let read = |data: &BTreeMap<String, String>| {
            Anchor::read(data, Uid("x".into()), ResourceVersion(4)).unwrap()
        };
        let between = read(&Anchor::data_between(
            &identity,
            commit(1),
            commit(2),
            &none,
        ));
        let after = read(&Anchor::data(&identity, Some(commit(2)), &none));
        let first = read(&Anchor::data(&identity, None, &none));
        // What the branch holds, and whether it is the one.
        let cases: [(&[u8], bool, bool); 5] = [
            (&[1], true, false),
            (&[2], true, true),
            (&[2, 3], true, true),
            (&[3], false, false),
            (&[], false, false),
        ];
        for (branch, is_between, is_after) in cases {
            let contains = |asked: CommitId| branch.iter().any(|it| commit(*it) == asked);
            assert_eq!(between.is_in(contains), is_between, "{branch:?}");
            assert_eq!(after.is_in(contains), is_after, "{branch:?}");
            assert!(first.is_in(contains), "nothing was pushed yet");
        }
    }
}
