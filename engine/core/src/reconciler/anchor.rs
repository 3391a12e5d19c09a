//! What stands in the cluster itself: the anchor and the spill, as `ConfigMap` data.

use std::collections::BTreeMap;

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
    pub fn data(identity: &Identity, status: Option<CommitId>) -> BTreeMap<String, String> {
        let mut data = BTreeMap::from([
            ("cluster".to_owned(), identity.cluster.to_string()),
            ("instance".to_owned(), identity.instance.clone()),
            ("clusterUid".to_owned(), identity.cluster_uid.clone()),
        ]);
        if let Some(commit) = status {
            data.insert("status".into(), commit.to_string());
        }
        data
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
        let status = data.get("status").map(|text| text.parse()).transpose();
        Ok(Self {
            identity,
            status: status.map_err(|_| InvalidAnchor("status"))?,
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
        for status in [None, Some(commit)] {
            let data = Anchor::data(&identity, status);
            let read = Anchor::read(&data, uid.clone(), version).unwrap();
            assert_eq!((read.identity, read.status), (identity.clone(), status));
        }
        for key in ["cluster", "instance", "clusterUid"] {
            let mut data = Anchor::data(&identity, None);
            data.remove(key);
            let error = Anchor::read(&data, uid.clone(), version).unwrap_err();
            assert_eq!(error, InvalidAnchor(key));
        }
        let mut data = Anchor::data(&identity, Some(commit));
        data.insert("status".into(), "main".into());
        assert!(Anchor::read(&data, uid, version).is_err());
    }
}
