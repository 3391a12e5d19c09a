//! Tables on the wire: what is sent for each effect, and what each answer means.

mod answers;
mod electing;
mod requests;
mod views;
mod watching;

use berth_core::ids::{Digest, ObjectKey, ObjectKind, ResourceVersion, Timestamp, Uid};
use berth_core::reconciler::{Effect, EffectId, Outcome, What};
use serde_json::{Value, json};

use super::{Answer, Call, Caller, Next};

pub(super) fn caller() -> Caller {
    Caller {
        instance: "i1".into(),
        namespace: "berth".into(),
    }
}

pub(super) fn key() -> ObjectKey {
    ObjectKey::new(ObjectKind::Pod, "vision", "a-1")
}

pub(super) fn effect(what: What) -> Effect {
    Effect {
        id: EffectId(31),
        unit: None,
        why: "a test".into(),
        what,
    }
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(1_000)
}

pub(super) fn create() -> What {
    What::Create {
        key: key(),
        digest: Digest::from_bytes([7; 32]),
        body: json!({"kind": "Pod"}),
    }
}

pub(super) fn apply(dry_run: bool) -> What {
    What::Apply {
        key: key(),
        uid: Uid("u1".into()),
        body: json!({"kind": "Pod", "metadata": {"uid": "u1"}}),
        dry_run,
    }
}

pub(super) fn delete() -> What {
    What::Delete {
        key: key(),
        uid: Uid("u1".into()),
        version: ResourceVersion(12),
    }
}

pub(super) fn release() -> What {
    What::Release {
        key: key(),
        uid: Uid("u1".into()),
        version: ResourceVersion(12),
    }
}

pub(super) fn keep(data: bool, version: Option<u64>) -> What {
    What::Keep {
        name: "berth-main".into(),
        data: data.then(|| [("k".to_owned(), "v".to_owned())].into()),
        version: version.map(ResourceVersion),
    }
}

pub(super) fn tell() -> What {
    What::Tell {
        key: key(),
        uid: Some(Uid("u1".into())),
        warning: true,
        reason: "Refused".into(),
        note: "the queue is full".into(),
    }
}

/// A live pod of ours.
pub(super) fn pod(version: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "a-1", "namespace": "vision", "uid": "u1", "resourceVersion": version,
            "creationTimestamp": "2026-11-20T08:00:00Z",
            "labels": {"berth.dev/instance": "i1"},
            "annotations": {
                "berth.dev/id": "Pod vision/a-1",
                "berth.dev/unit": "Experiment/vision/a",
            },
        },
        "spec": {"containers": [{"name": "task", "image": "x"}]},
        "status": {"phase": "Pending"},
    })
}

pub(super) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
           "reason": reason, "message": message})
}

/// Carries an effect out against these answers, in their order.
pub(super) fn carried(what: What, answers: &[(u16, Value)]) -> Outcome {
    let (caller, effect) = (caller(), effect(what));
    let (mut call, _) = Call::new(&caller, now(), &effect).unwrap();
    for (status, body) in answers {
        let body = body.to_string();
        let answer = Answer {
            status: *status,
            retry_after: None,
            body: body.as_bytes(),
        };
        match call.answered(&answer) {
            Next::Outcome(outcome) => return outcome,
            Next::Ask(next, _) => call = next,
        }
    }
    panic!("the call wants more answers");
}
