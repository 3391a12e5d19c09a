//! From a body to a fact. Pure: the edge reads a body, keeps the fact and drops the body.

use std::sync::Arc;
use std::time::Duration;

use berth_openapi::facts;
use serde_json::Value;

use super::{Fact, NodeFact, Occupant, Ownership, PodRole, SlotRequest, Taint, marks, pod};
use crate::ids::{ObjectKey, ObjectKind, ResourceVersion, Timestamp, Uid, UnitId};
use crate::kinds::experiment::names::role_of;
use crate::object::Node;

/// Why a body is no fact. It is the server's fault or a wrong watch, never a user's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A field that every object has is missing or of another type.
    #[error("the object has no usable `{0}`")]
    Field(&'static str),
    /// Not a kind that Berth makes.
    #[error("`{0}` is not a kind that Berth makes")]
    Kind(String),
}

impl Unreadable {
    /// A stable word for metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Field(_) => "field",
            Self::Kind(_) => "kind",
        }
    }
}

/// Reads an object of a kind that Berth makes, as the Berth of this instance id sees it.
///
/// `apiVersion` and `kind` must be there (a list's items lack them: put them in first).
pub fn fact(object: &Value, instance: &str) -> Result<Fact, Unreadable> {
    let (key, uid, version) = state_of(object)?;
    let meta = &object["metadata"];
    let annotation = |name: &str| meta["annotations"][name].as_str();
    let pod = (key.kind == ObjectKind::Pod).then(|| Box::new(pod::read(object, version)));
    let role = pod.as_ref().and_then(|pod| pod.role.as_ref());
    Ok(Fact {
        ownership: ownership(meta, &key, role, instance),
        digest: annotation(marks::DIGEST).and_then(|text| text.parse().ok()),
        commit: annotation(marks::COMMIT).and_then(|text| text.parse().ok()),
        deleting: asked_to_go(meta),
        finalizer: list(&meta["finalizers"]).any(|name| name == marks::FINALIZER),
        hold: annotation(marks::HOLD).is_some(),
        created: time(&meta["creationTimestamp"]).unwrap_or_default(),
        leaves: leaves(object, key.kind),
        pod,
        key,
        uid,
        version,
    })
}

/// When somebody asked it to go. The server writes when the grace that it has ends. Once a kubelet is
/// done with a pod that has finalizers, the grace is 0 and the time that of this, or when the grace
/// would have ended if that is earlier (apiserver, `markAsDeleting`): then this is later than the
/// asking.
fn asked_to_go(meta: &Value) -> Option<Timestamp> {
    let grace = meta["deletionGracePeriodSeconds"].as_u64().unwrap_or(0);
    let ends = time(&meta["deletionTimestamp"])?;
    Some(ends.minus(Duration::from_secs(grace)))
}

/// Reads only which object this is, which life and which state of it.
pub fn state_of(object: &Value) -> Result<(ObjectKey, Uid, ResourceVersion), Unreadable> {
    let meta = &object["metadata"];
    let text = |name: &'static str| meta[name].as_str().ok_or(Unreadable::Field(name));
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let kind_name = object["kind"].as_str().unwrap_or_default();
    let kind = ObjectKind::of(api_version, kind_name)
        .ok_or_else(|| Unreadable::Kind(format!("{api_version} {kind_name}")))?;
    let key = ObjectKey::new(kind, text("namespace")?, text("name")?);
    let version = text("resourceVersion")?
        .parse()
        .map_err(|_| Unreadable::Field("resourceVersion"))?;
    Ok((key, Uid(text("uid")?.into()), version))
}

/// Reads a node.
pub fn node(object: &Value) -> Result<NodeFact, Unreadable> {
    let name = object["metadata"]["name"]
        .as_str()
        .ok_or(Unreadable::Field("name"))?;
    let all_taints: Vec<Taint> = list(&object["spec"]["taints"]).map(taint).collect();
    Ok(NodeFact {
        name: name.into(),
        ready: list(&object["status"]["conditions"])
            .any(|one| one["type"] == "Ready" && one["status"] == "True"),
        schedulable: object["spec"]["unschedulable"] != true,
        out_of_service: all_taints
            .iter()
            .any(|one| &*one.key == "node.kubernetes.io/out-of-service"),
        taints: all_taints
            .into_iter()
            .filter(|one| matches!(&*one.effect, "NoSchedule" | "NoExecute"))
            .collect(),
        labels: pairs(&object["metadata"]["labels"]),
        allocatable: pod::slots(&object["status"]["allocatable"]),
    })
}

/// Reads anybody's pod for what it takes; `None` once it has ended or if it takes no slots.
pub fn occupant(object: &Value) -> Option<Occupant> {
    if matches!(
        object["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed")
    ) {
        return None;
    }
    let requests: Vec<SlotRequest> = pod::requests(&object["spec"]);
    (!requests.is_empty()).then(|| Occupant {
        node: object["spec"]["nodeName"].as_str().map(Into::into),
        requests,
    })
}

/// Pods are never compared field by field; everything else is.
fn leaves(object: &Value, kind: ObjectKind) -> Option<Arc<[(u64, u64)]>> {
    if kind == ObjectKind::Pod {
        return None;
    }
    let resource = facts().kind(kind.api_version(), kind.kind())?;
    let shape = facts().type_named(&resource.type_name)?;
    Some(crate::object::leaves(&Node::engine(object), shape))
}

/// Whose an object is. A pod's name says which pod of which experiment it is, and cannot be changed:
/// labels and annotations that say otherwise were.
fn ownership(meta: &Value, key: &ObjectKey, role: Option<&PodRole>, instance: &str) -> Ownership {
    let foreign = |words: String| Ownership::Foreign(words.into());
    match meta["labels"][marks::INSTANCE].as_str() {
        Some(label) if label == instance => {}
        Some(label) => return foreign(format!("it belongs to the Berth instance {label}")),
        None => return foreign("it does not carry Berth's instance label".into()),
    }
    if meta["annotations"][marks::ID].as_str() != Some(&key.to_string()) {
        return foreign("its annotation berth.dev/id names another object".into());
    }
    if let Some(owner) = list(&meta["ownerReferences"]).find(|one| one["controller"] == true) {
        return foreign(format!(
            "a controller owns it: {} {}",
            owner["kind"].as_str().unwrap_or("?"),
            owner["name"].as_str().unwrap_or("?")
        ));
    }
    let unit = meta["annotations"][marks::UNIT]
        .as_str()
        .and_then(|text| text.parse::<UnitId>().ok());
    let Some(unit) = unit else {
        return foreign("its annotation berth.dev/unit names no document".into());
    };
    let fits = |named: PodRole| role.is_none_or(|role| named == *role);
    if key.kind == ObjectKind::Pod && !role_of(key, &unit).is_some_and(fits) {
        return foreign(format!(
            "its labels do not fit its name, or it is not {unit}'s"
        ));
    }
    Ownership::Ours(unit)
}

fn taint(value: &Value) -> Taint {
    let text = |name: &str| value[name].as_str().unwrap_or_default().into();
    Taint {
        key: text("key"),
        value: text("value"),
        effect: text("effect"),
    }
}

fn pairs(map: &Value) -> Vec<(Box<str>, Box<str>)> {
    let mut pairs: Vec<_> = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str().into(), value.as_str().unwrap_or("").into()))
        .collect();
    pairs.sort();
    pairs
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}
