//! What the real API server does, case by case, and what must hold whatever is applied.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-01-01T00:00:00Z";
const LATER: &str = "2026-01-02T00:00:00Z";

fn by<'a>(manager: &'a str, now: &'a str) -> Write<'a> {
    let shape = facts().type_named("io.k8s.api.apps.v1.Deployment").unwrap();
    Write {
        shape,
        manager,
        api_version: "apps/v1",
        subresource: None,
        now,
    }
}

fn deployment(spec: impl Into<Value>) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec.into()})
}

fn container(container: impl Into<Value>) -> Value {
    deployment(json!({"template": {"spec": {"containers": [container.into()]}}}))
}

fn fields_of(object: &Value, manager: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array();
    let mut mine = entries
        .into_iter()
        .flatten()
        .filter(|each| each["manager"] == manager);
    mine.next()
        .map_or(Value::Null, |each| each["fieldsV1"].clone())
}

fn applied(manager: &str, live: Option<&Value>, body: &Value) -> Value {
    apply(&by(manager, NOW), live, body, false).unwrap()
}

#[test]
fn creates_and_owns_what_it_says() {
    let body = container(json!({"name": "c", "image": "i", "ports": [{"containerPort": 80}]}));
    let object = applied("me", None, &body);
    let entry = &object["metadata"]["managedFields"][0];
    assert_eq!(entry["operation"], "Apply");
    assert_eq!(entry["time"], NOW);
    assert_eq!(
        entry["fieldsV1"],
        json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {
            ".": {}, "f:name": {}, "f:image": {},
            "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {
                ".": {}, "f:containerPort": {},
            }},
        }}}}}})
    );
}

#[test]
fn conflicts_in_the_words_of_the_server() {
    let live = update(
        &by("kubectl", NOW),
        None,
        deployment(json!({"replicas": 1, "paused": true})),
    );
    let write = by("me", LATER);
    let error = apply(
        &write,
        Some(&live),
        &deployment(json!({"replicas": 2})),
        false,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas"
    );
    let ApplyError::Conflicts(conflicts) = error else {
        panic!("no conflict")
    };
    assert_eq!(
        conflicts.causes(),
        [json!({
            "reason": "FieldManagerConflict",
            "message": "conflict with \"kubectl\" using apps/v1",
            "field": ".spec.replicas",
        })]
    );
    let both = deployment(json!({"replicas": 2, "paused": false}));
    assert_eq!(
        apply(&write, Some(&live), &both, false)
            .unwrap_err()
            .to_string(),
        "Apply failed with 2 conflicts: conflicts with \"kubectl\" using apps/v1:\n\
         - .spec.paused\n- .spec.replicas"
    );
}

#[test]
fn force_takes_the_field_alone() {
    let live = update(
        &by("kubectl", NOW),
        None,
        deployment(json!({"replicas": 1, "paused": true})),
    );
    let body = deployment(json!({"replicas": 2}));
    let object = apply(&by("me", LATER), Some(&live), &body, true).unwrap();
    assert_eq!(object["spec"], json!({"replicas": 2, "paused": true}));
    assert_eq!(
        fields_of(&object, "me"),
        json!({"f:spec": {"f:replicas": {}}})
    );
    assert_eq!(
        fields_of(&object, "kubectl"),
        json!({"f:spec": {"f:paused": {}}})
    );
}

#[test]
fn the_same_value_is_shared() {
    let live = applied("one", None, &deployment(json!({"replicas": 1})));
    let live = applied("two", Some(&live), &deployment(json!({"replicas": 1})));
    let live = applied("one", Some(&live), &deployment(json!({"paused": true})));
    assert_eq!(live["spec"], json!({"replicas": 1, "paused": true}));
    let live = applied("two", Some(&live), &deployment(json!({"paused": true})));
    assert_eq!(live["spec"], json!({"paused": true}));
}

#[test]
fn items_and_keys_no_longer_applied_go() {
    let labels = |labels: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
               "metadata": {"name": "a", "labels": labels}})
    };
    let live = applied("me", None, &labels(json!({"a": "1", "b": "2"})));
    let live = applied("other", Some(&live), &labels(json!({"c": "3"})));
    let live = applied("me", Some(&live), &labels(json!({"b": "2"})));
    assert_eq!(live["metadata"]["labels"], json!({"b": "2", "c": "3"}));

    let live = applied(
        "me",
        None,
        &container(json!({"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "B"}]})),
    );
    let live = applied(
        "me",
        Some(&live),
        &container(json!({"name": "c", "env": [{"name": "B"}]})),
    );
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"][0]["env"],
        json!([{"name": "B"}])
    );
    let live = applied("me", Some(&live), &container(json!({"name": "d"})));
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"],
        json!([{"name": "d"}])
    );
}

#[test]
fn what_is_atomic_is_owned_whole() {
    let body = container(json!({"name": "c", "args": ["a", "b"]}));
    let live = applied("me", None, &body);
    let fields = fields_of(&live, "me").to_string();
    assert!(fields.contains("\"f:args\":{}"), "{fields}");
    let other = container(json!({"name": "c", "args": ["a"]}));
    let error = apply(&by("other", NOW), Some(&live), &other, false).unwrap_err();
    assert!(
        error.to_string().ends_with(".containers[name=\"c\"].args"),
        "{error}"
    );
}

#[test]
fn a_replace_owns_what_it_changes_and_takes_it() {
    let live = applied(
        "me",
        None,
        &deployment(json!({"replicas": 1, "paused": true})),
    );
    let mut new = live.clone();
    new["spec"] = json!({"replicas": 5, "paused": true});
    let live = update(&by("kubectl", LATER), Some(&live), new);
    assert_eq!(
        fields_of(&live, "kubectl"),
        json!({"f:spec": {"f:replicas": {}}})
    );
    assert_eq!(fields_of(&live, "me"), json!({"f:spec": {"f:paused": {}}}));
    let same = update(
        &by("kubectl", "2026-01-03T00:00:00Z"),
        Some(&live),
        live.clone(),
    );
    assert_eq!(same, live);
}

#[test]
fn objects_older_than_apply_have_an_owner() {
    let live = deployment(json!({"replicas": 1}));
    let error = apply(
        &by("me", NOW),
        Some(&live),
        &deployment(json!({"replicas": 2})),
        false,
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("\"before-first-apply\" using apps/v1")
    );
}

#[test]
fn quantities_that_are_equal_change_nothing() {
    let cpu = |cpu: &str| container(json!({"name": "c", "resources": {"limits": {"cpu": cpu}}}));
    let live = applied("me", None, &cpu("1000m"));
    let again = apply(&by("me", LATER), Some(&live), &cpu("1000m"), false).unwrap();
    assert_eq!(again, live);
    assert!(live.to_string().contains("\"cpu\":\"1\""));
}

#[test]
fn bodies_that_do_not_fit_are_refused() {
    let refused = |body: &Value| {
        apply(&by("me", NOW), None, body, false)
            .unwrap_err()
            .to_string()
    };
    let prefix = "failed to create typed patch object (/a; apps/v1, Kind=Deployment)";
    assert_eq!(
        refused(&deployment(json!({"foo": 1}))),
        format!("{prefix}: .spec.foo: field not declared in schema")
    );
    assert_eq!(
        refused(&deployment(json!({"replicas": "1"}))),
        format!("{prefix}: .spec.replicas: expected numeric (int or float), got string")
    );
    let twice =
        deployment(json!({"template": {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}}));
    assert_eq!(
        refused(&twice),
        format!("{prefix}: .spec.template.spec.containers: duplicate entries for key [name=\"a\"]")
    );
}

/// Applied by itself it leaves no trace, so it is left out.
fn drop_empty(value: &mut Value) {
    let is_empty = |each: &Value| each.is_null() || *each == json!({}) || *each == json!([]);
    if let Value::Object(map) = value {
        map.values_mut().for_each(drop_empty);
        map.retain(|_, each| !is_empty(each));
    } else if let Value::Array(items) = value {
        items.iter_mut().for_each(drop_empty);
    }
}

fn env() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-c]", "[xy]", 0..3).prop_map(|env| {
        env.into_iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect()
    })
}

fn body() -> impl Strategy<Value = Value> {
    let labels = prop::collection::btree_map("[a-c]", "[xy]", 0..3);
    let containers = prop::collection::btree_map("[a-b]", (env(), prop::option::of("[xy]")), 0..3);
    let spec = (prop::option::of(1..3), containers);
    let parts = (labels, spec, prop::collection::btree_set("[a-c]", 0..3));
    parts.prop_map(|(labels, (replicas, containers), finalizers)| {
        let container = |(name, (env, image))| json!({"name": name, "env": env, "image": image});
        let containers: Vec<_> = containers.into_iter().map(container).collect();
        let mut body = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "labels": labels, "finalizers": finalizers},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}},
        });
        drop_empty(&mut body);
        body
    })
}

fn without_owners(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    object
}

proptest! {
    #[test]
    fn applying_again_changes_nothing(one in body(), two in body()) {
        let live = applied("one", None, &one);
        let live = apply(&by("two", NOW), Some(&live), &two, true).unwrap();
        let again = apply(&by("two", LATER), Some(&live), &two, true).unwrap();
        prop_assert_eq!(again, live);
    }

    #[test]
    fn the_applied_values_are_there(one in body(), two in body()) {
        let live = applied("one", None, &one);
        let live = apply(&by("two", NOW), Some(&live), &two, true).unwrap();
        let merged = merge(by("two", NOW).shape(), &without_owners(&live), &two);
        prop_assert_eq!(merged, without_owners(&live));
    }

    #[test]
    fn what_is_added_and_taken_back_leaves_nothing(one in body(), two in body()) {
        let minimal = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}});
        let before = applied("one", None, &one);
        // Only what `one` does not own differently, so that nothing is taken by force.
        let Ok(live) = apply(&by("two", NOW), Some(&before), &two, false) else { return Ok(()) };
        let after = applied("two", Some(&live), &minimal);
        let owned = |object: &Value| fieldset_of(&without_owners(object), by("", NOW).shape());
        prop_assert!(owned(&after).difference(&owned(&before)).is_empty());
        prop_assert_eq!(fields_of(&after, "two"), Value::Null);
        prop_assert_eq!(fields_of(&after, "one"), fields_of(&before, "one"));
    }
}
