//! Kubernetes' strategic merge, on trees that know their places.

use berth_openapi::{Field, PatchStrategy, Shape, facts};

use super::list::{Items, items};
use super::{Key, Node, Value};

const DIRECTIVE: &str = "$patch";

/// Puts `over` on top of `base`, as Kubernetes' strategic merge patch does: maps field by field,
/// lists by their keys, other lists as a whole; `null` and `$patch: delete` remove,
/// `$patch: replace` replaces. Of a union such as a volume only the fields of `over` remain, as
/// `kubectl apply` has it. Every node of the result keeps the place that it came from; directives
/// are not in it.
///
/// `shape` is that of both; [`Shape::Any`] merges maps and replaces lists. The result is
/// [`Value::Null`] if `over` removes the whole.
pub fn merge(base: &Node, over: &Node, shape: &Shape) -> Node {
    let null = Node {
        value: Value::Null,
        place: over.place,
    };
    put(Some(base), over, shape, PatchStrategy::default()).unwrap_or(null)
}

/// `None`: it is removed.
fn put(base: Option<&Node>, over: &Node, shape: &Shape, strategy: PatchStrategy) -> Option<Node> {
    let shape = facts().resolve(shape);
    let value = match &over.value {
        Value::Null => return None,
        Value::Map(entries) => match directive(over) {
            Some("delete") => return None,
            Some("replace") => Value::Map(put_map(&[], entries, shape)),
            _ if strategy.replace || is_union(shape) => Value::Map(put_map(&[], entries, shape)),
            _ if strategy.retain_keys => {
                let kept = retained(base, over);
                Value::Map(put_map(&kept, entries, shape))
            }
            _ => Value::Map(put_map(base.map_or(&[], Node::entries), entries, shape)),
        },
        Value::List(over) => Value::List(put_list(base.map_or(&[], Node::items), over, shape)),
        other => other.clone(),
    };
    Some(Node {
        value,
        place: over.place,
    })
}

/// A variable has a value or a place to read it from, never those of two layers.
fn is_union(shape: &Shape) -> bool {
    matches!(shape, Shape::Object(it)
        if it.fields.contains_key("value") && it.fields.contains_key("valueFrom"))
}

fn directive(node: &Node) -> Option<&str> {
    node.get(DIRECTIVE).and_then(Node::as_str)
}

/// The entries of `base` that `over` names too.
fn retained(base: Option<&Node>, over: &Node) -> Vec<(Key, Node)> {
    base.map_or(&[][..], Node::entries)
        .iter()
        .filter(|(key, _)| over.get(&key.name).is_some())
        .cloned()
        .collect()
}

fn put_map(base: &[(Key, Node)], over: &[(Key, Node)], shape: &Shape) -> Vec<(Key, Node)> {
    let mut merged: Vec<(Key, Node)> = base
        .iter()
        .filter(|(key, _)| !over.iter().any(|(name, _)| name.name == key.name))
        .cloned()
        .collect();
    for (at, (key, node)) in over.iter().enumerate() {
        if &*key.name == DIRECTIVE {
            continue;
        }
        let position = base.iter().position(|(name, _)| name.name == key.name);
        let below = position.and_then(|index| base.get(index)).map(|(_, n)| n);
        let (shape, strategy) = field_of(shape, &key.name);
        if let Some(node) = put(below, node, shape, strategy) {
            // A field keeps its position, so that a merge with nothing new changes nothing.
            let position = position.unwrap_or(base.len() + at).min(merged.len());
            merged.insert(position, (key.clone(), node));
        }
    }
    merged
}

fn field_of<'a>(shape: &'a Shape, name: &str) -> (&'a Shape, PatchStrategy) {
    match shape {
        Shape::Object(fields) => fields
            .fields
            .get(name)
            .map_or((&Shape::Any, PatchStrategy::default()), below),
        Shape::Map { value, .. } => (value, PatchStrategy::default()),
        _ => (&Shape::Any, PatchStrategy::default()),
    }
}

fn below(field: &Field) -> (&Shape, PatchStrategy) {
    (&field.shape, field.patch_strategy)
}

fn put_list(base: &[Node], over: &[Node], shape: &Shape) -> Vec<Node> {
    let (kind, item_shape) = items(shape);
    let replaces = |item: &Node| directive(item) == Some("replace") && item.entries().len() == 1;
    let starts_over = kind == Items::Atomic || over.iter().any(replaces);
    let merged = if starts_over {
        Vec::new()
    } else {
        base.to_vec()
    };
    let mut merged: Keyed = merged
        .into_iter()
        .map(|item| (kind.key_of(&item, item_shape), item))
        .collect();
    for item in over.iter().filter(|item| !replaces(item)) {
        put_item(&mut merged, item, kind, item_shape, strategy_of(shape));
    }
    merged.into_iter().map(|(_, item)| item).collect()
}

/// Items of a list, each with what names it.
type Keyed = Vec<(Option<Vec<(String, String)>>, Node)>;

/// The strategy of the items of a list: a list of unions says so itself.
fn strategy_of(shape: &Shape) -> PatchStrategy {
    match shape {
        Shape::List { patch_strategy, .. } => PatchStrategy {
            retain_keys: patch_strategy.retain_keys,
            ..PatchStrategy::default()
        },
        _ => PatchStrategy::default(),
    }
}

fn put_item(
    merged: &mut Keyed,
    item: &Node,
    kind: Items<'_>,
    shape: &Shape,
    strategy: PatchStrategy,
) {
    let key = kind.key_of(item, shape);
    let found = key
        .is_some()
        .then(|| merged.iter().position(|(known, _)| *known == key));
    let Some(index) = found.flatten() else {
        // Atomic lists keep their nulls: nothing is merged within them.
        let made = put(None, item, shape, strategy);
        merged.extend(made.map(|node| (key, node)));
        return;
    };
    match put(
        merged.get(index).map(|(_, node)| node),
        item,
        shape,
        strategy,
    ) {
        Some(node) => {
            if let Some((_, slot)) = merged.get_mut(index) {
                *slot = node;
            }
        }
        None => {
            merged.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::object::{Place, SourceId};

    const POD: &str = "io.k8s.api.core.v1.Pod";

    fn pod_shape() -> &'static Shape {
        facts().type_named(POD).unwrap()
    }

    fn merged(base: &Json, over: &Json) -> Json {
        merge(&Node::engine(base), &Node::engine(over), pod_shape()).to_json()
    }

    #[allow(clippy::needless_pass_by_value)]
    fn in_spec(base: Json, over: Json) -> Json {
        merged(&json!({ "spec": base }), &json!({ "spec": over }))["spec"].clone()
    }

    fn in_task(base: Json, over: Json) -> Json {
        let wrap = |mut fields: Json| {
            fields["name"] = "task".into();
            json!({"containers": [fields]})
        };
        let mut task = in_spec(wrap(base), wrap(over))["containers"][0].clone();
        task.as_object_mut().unwrap().remove("name");
        task
    }

    #[test]
    fn lists_merge_by_their_keys() {
        let cases = [
            (
                json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}),
                json!({"env": [{"name": "C", "value": "3"}, {"name": "A", "value": "9"}]}),
                json!({"env": [{"name": "A", "value": "9"}, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}]}),
            ),
            (
                json!({"volumeMounts": [{"mountPath": "/a", "name": "x"}]}),
                json!({"volumeMounts": [{"mountPath": "/b", "name": "x"}, {"mountPath": "/a", "name": "y"}]}),
                json!({"volumeMounts": [{"mountPath": "/a", "name": "y"}, {"mountPath": "/b", "name": "x"}]}),
            ),
            (
                // The same port over UDP is another port; TCP is the default.
                json!({"ports": [{"containerPort": 53}]}),
                json!({"ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP", "name": "dns"}]}),
                json!({"ports": [{"containerPort": 53, "protocol": "TCP", "name": "dns"}, {"containerPort": 53, "protocol": "UDP"}]}),
            ),
            (
                json!({"env": [{"name": "A", "value": "1"}]}),
                json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
                json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
            ),
            (
                json!({"command": ["a", "b"]}),
                json!({"command": ["c"]}),
                json!({"command": ["c"]}),
            ),
            (
                json!({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}),
                json!({"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}}),
                json!({"resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}}),
            ),
        ];
        for (base, over, expected) in cases {
            assert_eq!(in_task(base, over), expected);
        }
    }

    #[test]
    fn directives_and_null_remove_and_replace() {
        let base = || json!({"containers": [{"name": "task", "image": "a"}, {"name": "log", "image": "b"}], "nodeSelector": {"disk": "ssd", "zone": "a"}});
        let cases = [
            (
                json!({"containers": [{"name": "log", "$patch": "delete"}]}),
                json!({"containers": [{"name": "task", "image": "a"}], "nodeSelector": {"disk": "ssd", "zone": "a"}}),
            ),
            (
                json!({"containers": [{"$patch": "replace"}, {"name": "only"}]}),
                json!({"containers": [{"name": "only"}], "nodeSelector": {"disk": "ssd", "zone": "a"}}),
            ),
            (
                json!({"nodeSelector": {"$patch": "replace", "disk": "hdd"}, "containers": null}),
                json!({"nodeSelector": {"disk": "hdd"}}),
            ),
            (
                json!({"nodeSelector": {"disk": null, "none": null}, "containers": [{"name": "log", "$patch": "replace", "tty": true}]}),
                json!({"containers": [{"name": "task", "image": "a"}, {"name": "log", "tty": true}], "nodeSelector": {"zone": "a"}}),
            ),
            (
                json!({"initContainers": [{"name": "x", "$patch": "delete"}], "nodeSelector": {"$patch": "delete"}}),
                json!({"containers": [{"name": "task", "image": "a"}, {"name": "log", "image": "b"}], "initContainers": []}),
            ),
        ];
        for (over, expected) in cases {
            assert_eq!(in_spec(base(), over.clone()), expected, "{over}");
        }
    }

    #[test]
    fn a_volume_is_of_one_kind() {
        let spec = in_spec(
            json!({"volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "x", "emptyDir": {}}]}),
            json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]}),
        );
        assert_eq!(
            spec,
            json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "x", "emptyDir": {}}]})
        );
    }

    #[test]
    fn unknown_fields_survive() {
        let spec = in_spec(
            json!({"brandNew": {"a": [1], "b": 1}}),
            json!({"brandNew": {"a": [2]}}),
        );
        assert_eq!(spec, json!({"brandNew": {"a": [2], "b": 1}}));
    }

    #[test]
    fn each_node_keeps_its_place() {
        let at = |source| Place {
            source: SourceId(source),
            ..Place::ENGINE
        };
        let base = Node::from_json(&json!({"spec": {"a": 1, "b": {"c": 1}}}), at(1));
        let over = Node::from_json(&json!({"spec": {"b": {"d": 2}}}), at(2));
        let merged = merge(&base, &over, pod_shape());
        let source = |path: &[&str]| merged.at(path).unwrap().place.source.0;
        assert_eq!(source(&["spec", "a"]), 1);
        assert_eq!(source(&["spec", "b", "c"]), 1);
        assert_eq!(source(&["spec", "b", "d"]), 2);
    }

    fn spec() -> impl Strategy<Value = Json> {
        let env = prop::collection::btree_map("[A-D]", "[0-9]", 0..4);
        let selector = prop::collection::btree_map("[a-d]", "[0-9]", 0..4);
        let tolerations = prop::collection::vec("[a-d]", 0..3);
        (env, selector, tolerations).prop_map(|(env, selector, tolerations)| {
            let env: Vec<Json> = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
            let tolerations: Vec<Json> = tolerations.iter().map(|key| json!({"key": key})).collect();
            json!({"spec": {"containers": [{"name": "task", "env": env}], "nodeSelector": selector, "tolerations": tolerations}})
        })
    }

    proptest! {
        #[test]
        fn merging_twice_is_merging_once(base in spec(), over in spec()) {
            let once = merged(&base, &over);
            prop_assert_eq!(merged(&once, &over), once.clone());
            prop_assert_eq!(merged(&base, &base), base.clone());
            prop_assert_eq!(merged(&base, &json!({})), base);
            prop_assert_eq!(merged(&json!({}), &over), over);
        }

        #[test]
        fn merging_is_associative(a in spec(), b in spec(), c in spec()) {
            // Order within keyed lists does not matter to Kubernetes, so the digest is compared.
            let left = merged(&merged(&a, &b), &c);
            let right = merged(&a, &merged(&b, &c));
            let digest = |value: &Json| crate::object::digest("test", &Node::engine(value), pod_shape());
            prop_assert_eq!(digest(&left), digest(&right));
        }
    }
}
