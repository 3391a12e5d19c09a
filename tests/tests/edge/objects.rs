//! Objects: made once, changed, and taken away.

use berth_core::ids::{ObjectKey, ObjectKind, ResourceVersion, Uid};
use berth_core::observed::{Fact, Ownership};
use berth_core::reconciler::{Effect, EffectId, Outcome, What};
use serde_json::{Value, json};

use super::edge::{Edge, delete, done, now, release, said};

const OUTCOME: &str = "berth.dev/outcome";

pub async fn a_name_is_the_lock(edge: &Edge) {
    let made = done(edge.carry(edge.pod("lock", &[OUTCOME])).await);
    assert!(matches!(made.ownership, Ownership::Ours(_)) && made.finalizer);
    match edge.carry(edge.pod("lock", &[OUTCOME])).await {
        Outcome::Exists(fact) => assert_eq!(fact.uid, made.uid),
        other => panic!("{other:?}"),
    }
    let nowhere = ObjectKey::new(ObjectKind::Service, "no-such-namespace", "a");
    // Who has rights in all namespaces is told that this one is missing, others that they may not.
    let words = said(edge.carry(edge.create(nowhere, &json!({}))).await);
    assert!(
        words.contains("not found; help: create the namespace")
            || words.contains("help: grant `create` on `services` in the namespace no-such"),
        "{words}"
    );
    let key = edge.key(ObjectKind::Pod, "strict");
    let words = said(
        edge.carry(edge.create(key, &json!({"spec": {"colour": "red"}})))
            .await,
    );
    assert!(words.contains("unknown field \"spec.colour\""), "{words}");
}

pub async fn deletes_and_releases_are_fenced(edge: &Edge) {
    let made = edge.settled("fenced", &[OUTCOME, "other.dev/x"]).await;
    let other_life = Fact {
        uid: Uid("00000000-0000-0000-0000-000000000000".into()),
        ..(*made).clone()
    };
    assert_eq!(edge.carry(delete(&other_life)).await, Outcome::Conflict);
    let other_state = Fact {
        version: ResourceVersion(made.version.0 - 1),
        ..(*made).clone()
    };
    assert_eq!(edge.carry(delete(&other_state)).await, Outcome::Conflict);
    assert_eq!(edge.carry(release(&other_state)).await, Outcome::Conflict);

    let leaving = done(edge.carry(delete(&made)).await);
    assert!(leaving.deleting.is_some() && leaving.finalizer);
    let released = done(edge.carry(release(&leaving)).await);
    assert!(
        !released.finalizer,
        "ours is off, the other one still holds it"
    );
    let name = &made.key.name;
    let path = format!("/api/v1/namespaces/{}/pods/{name}", edge.queue);
    let live = edge
        .raw("GET", &path, "application/json", &Value::Null)
        .await;
    assert_eq!(live["metadata"]["finalizers"], json!(["other.dev/x"]));
    let free = json!({"metadata": {"finalizers": null}});
    edge.raw("PATCH", &path, "application/merge-patch+json", &free)
        .await;
    assert_eq!(edge.carry(delete(&released)).await, Outcome::Absent);
    assert_eq!(edge.carry(release(&released)).await, Outcome::Absent);

    let made = edge.settled("last", &[OUTCOME]).await;
    let leaving = done(edge.carry(delete(&made)).await);
    assert_eq!(edge.carry(release(&leaving)).await, Outcome::Done(None));
}

pub async fn drift_is_told_by_field_and_put_right(edge: &Edge) {
    let key = edge.key(ObjectKind::Service, "drift");
    let data = json!({"spec": {"clusterIP": "None", "selector": {"lr": "0.1", "depth": "50"}}});
    let made = done(edge.carry(edge.create(key.clone(), &data)).await);
    let path = format!("/api/v1/namespaces/{}/services/drift", edge.queue);
    let by_hand = format!("{path}?fieldManager=somebody");
    let edit = json!({"spec": {"selector": {"lr": "0.2"}}});
    edge.raw("PATCH", &by_hand, "application/merge-patch+json", &edit)
        .await;

    let apply = |uid: &Uid, dry_run| {
        let mut body = edge.body(&key, &data);
        body["metadata"]["uid"] = json!(uid.0);
        let (key, uid) = (key.clone(), uid.clone());
        What::Apply {
            key,
            uid,
            body,
            dry_run,
        }
    };
    let Outcome::Compared(drift, _) = edge.carry(apply(&made.uid, true)).await else {
        panic!("not compared");
    };
    assert_eq!(drift.len(), 1, "{drift:?}");
    let field = &drift[0];
    assert_eq!(
        (
            field.path.as_str(),
            field.live.as_deref(),
            field.desired.as_deref()
        ),
        ("spec.selector.lr", Some("0.2"), Some("0.1"))
    );
    assert_eq!(field.manager.as_deref(), Some("somebody"));

    let right = done(edge.carry(apply(&made.uid, false)).await);
    assert!(right.version > made.version);
    match edge.carry(apply(&made.uid, true)).await {
        Outcome::Compared(drift, fact) => {
            assert_eq!(drift, []);
            assert_eq!(fact.version, right.version);
        }
        other => panic!("{other:?}"),
    }
    let other_life = Uid("00000000-0000-0000-0000-000000000000".into());
    assert_eq!(
        edge.carry(apply(&other_life, false)).await,
        Outcome::Conflict
    );
    assert_eq!(edge.carry(delete(&right)).await, Outcome::Done(None));
    let again = edge.carry(apply(&made.uid, false)).await;
    assert!(
        matches!(again, Outcome::Conflict | Outcome::Absent),
        "{again:?}"
    );
}

pub async fn events_are_told_once(edge: &Edge) {
    let made = done(edge.carry(edge.pod("told", &[])).await);
    let effect = Effect {
        id: EffectId(9_999),
        unit: None,
        why: "a test".into(),
        what: What::Tell {
            key: made.key.clone(),
            uid: Some(made.uid.clone()),
            warning: false,
            reason: "Tried".into(),
            note: "a sentence".into(),
        },
    };
    let at = now();
    for _ in 0..2 {
        let told = edge.client.carry(&edge.caller, at, &effect, || true).await;
        assert_eq!(told, Outcome::Done(None));
    }
    let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", edge.queue);
    let all = edge
        .raw("GET", &path, "application/json", &Value::Null)
        .await;
    let ours = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["reason"] == "Tried");
    assert_eq!(ours.count(), 1);
}
