//! What the reconciler puts on every body.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ids::{CommitId, Digest, ObjectKey, ObjectKind, Uid, UnitId};
use crate::observed::marks;

/// Labels or annotations.
type Marks = BTreeMap<String, String>;

/// Whose a body is and what it is made from.
pub(super) struct Stamp<'a> {
    pub instance: &'a str,
    pub unit: &'a UnitId,
    pub key: &'a ObjectKey,
    pub digest: Digest,
    pub commit: CommitId,
}

impl Stamp<'_> {
    /// Puts labels, annotations and, on pods, the finalizer on a body; with a uid for an apply.
    pub(super) fn put(&self, mut body: Value, uid: Option<&Uid>) -> Value {
        let Some(meta) = entry(&mut body, "metadata") else {
            return body;
        };
        let own = marks_of(self.instance, self.unit, self.key);
        for (field, marks) in ["labels", "annotations"].into_iter().zip(own) {
            if let Some(map) = map(meta, field) {
                map.extend(marks.into_iter().map(|(name, value)| (name, value.into())));
            }
        }
        if let Some(annotations) = map(meta, "annotations") {
            annotations.insert(marks::DIGEST.into(), self.digest.to_string().into());
            annotations.insert(marks::COMMIT.into(), self.commit.to_string().into());
        }
        if self.key.kind == ObjectKind::Pod {
            let finalizers = meta.entry("finalizers").or_insert_with(|| json!([]));
            if let Some(list) = finalizers.as_array_mut()
                && !list.iter().any(|one| one == marks::FINALIZER)
            {
                list.push(marks::FINALIZER.into());
            }
        }
        if let Some(uid) = uid {
            meta.insert("uid".into(), uid.to_string().into());
        }
        body
    }
}

/// Labels and annotations by which an object is known to be this unit's.
pub(super) fn marks_of(instance: &str, unit: &UnitId, key: &ObjectKey) -> [Marks; 2] {
    let text = |name: &str, value: String| (name.to_owned(), value);
    [
        Marks::from([text(marks::INSTANCE, instance.to_owned())]),
        Marks::from([
            text(marks::ID, key.to_string()),
            text(marks::UNIT, unit.to_string()),
        ]),
    ]
}

fn entry<'a>(body: &'a mut Value, name: &str) -> Option<&'a mut Map<String, Value>> {
    map(body.as_object_mut()?, name)
}

fn map<'a>(body: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    body.entry(name)
        .or_insert_with(|| json!({}))
        .as_object_mut()
}
