//! What a dry run would change: the live object against the server's answer.

use berth_core::observed::{is_of_berth, is_of_system};
use berth_core::reconciler::FieldDrift;
use serde_json::Value;

use super::request::cut;

/// The key of one step of a path, in the three ways in which managedFields writes it
/// (structured-merge-diff, `fieldpath` serialisation: `f:`, `k:`; atomic lists end the path).
#[derive(Debug, Clone)]
enum Step {
    Field(String),
    Item(&'static str, Value),
    Index(usize),
}

/// The fields that differ, in the order of the would-be object. The server's own bookkeeping
/// (managedFields, generation, resourceVersion) is no difference. Values are cut for people.
pub(super) fn drift(live: &Value, would: &Value) -> Vec<FieldDrift> {
    let mut found = Vec::new();
    walk(&mut Vec::new(), Some(live), Some(would), &mut found);
    found.retain(|(path, ..)| !is_bookkeeping(path));
    found.into_iter().map(|one| report(live, one)).collect()
}

/// What others changed on a pod that was made from this body, by what managedFields say: a field
/// that differs and is ours was changed at its creation (a webhook), and is as it was made. What is
/// gone from the body has no owner any more.
pub(super) fn changes(live: &Value, body: &Value) -> Vec<FieldDrift> {
    let (mut found, mut single) = (Vec::new(), Vec::new());
    walk(&mut Vec::new(), Some(live), Some(body), &mut found);
    for (mut path, live, body) in found {
        if body.is_none_or(Value::is_null) {
            spread(&mut path, live, &mut single);
        } else {
            single.push((path, live, body));
        }
    }
    single.retain(|(path, here, _)| {
        is_changeable(path) && (here.is_none() || owner(live, path).is_some())
    });
    let forgotten = body.is_null();
    let reports = single.into_iter().map(|one| report(live, one));
    reports.map(|it| FieldDrift { forgotten, ..it }).collect()
}

/// The leaves of something that the body does not have: each has its own owner.
fn spread<'a>(path: &mut Vec<Step>, live: Option<&'a Value>, found: &mut Vec<Found<'a>>) {
    let pairs: Pairs<'a> = match live {
        Some(Value::Object(map)) => {
            let pair = |(name, value)| (Step::Field(String::clone(name)), Some(value), None);
            map.iter().map(pair).collect()
        }
        Some(Value::Array(items)) => pair_items(items, &[]),
        _ => {
            found.push((path.clone(), live, None));
            return;
        }
    };
    for (step, live, _) in pairs {
        path.push(step);
        spread(path, live, found);
        path.pop();
    }
}

/// As in the baseline of the core: what the system puts on a pod by itself is nobody's change.
fn is_changeable(path: &[Step]) -> bool {
    let names: Vec<&str> = path
        .iter()
        .map_while(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    match names.as_slice() {
        ["metadata", "labels", key] => !is_of_system(key),
        ["metadata", "annotations", key] => is_of_berth(key),
        ["spec", name, ..] => !matches!(*name, "nodeName" | "ephemeralContainers"),
        _ => false,
    }
}

fn report(live: &Value, (path, here, desired): Found<'_>) -> FieldDrift {
    let owner = owner(live, &path);
    FieldDrift {
        path: text(&path),
        live: here.map(shown),
        desired: desired.map(shown),
        forgotten: false,
        manager: owner.as_ref().map(|(manager, _)| manager.clone()),
        when: owner.and_then(|(_, when)| when),
    }
}

type Found<'a> = (Vec<Step>, Option<&'a Value>, Option<&'a Value>);

fn walk<'a>(
    path: &mut Vec<Step>,
    live: Option<&'a Value>,
    would: Option<&'a Value>,
    found: &mut Vec<Found<'a>>,
) {
    if live == would {
        return;
    }
    let pairs = match (live, would) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let names = b
                .keys()
                .chain(a.keys().filter(|name| !b.contains_key(*name)));
            let pair = |name: &String| (Step::Field(name.clone()), a.get(name), b.get(name));
            names.map(pair).collect()
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => pair_items(a, b),
        _ => {
            found.push((path.clone(), live, would));
            return;
        }
    };
    for (step, live, would) in pairs {
        path.push(step);
        walk(path, live, would, found);
        path.pop();
    }
}

type Pairs<'a> = Vec<(Step, Option<&'a Value>, Option<&'a Value>)>;

/// Items by their name or port if all have one, else by position.
fn pair_items<'a>(a: &'a [Value], b: &'a [Value]) -> Pairs<'a> {
    let key = ["name", "port"]
        .into_iter()
        .find(|key| a.iter().chain(b).all(|item| item.get(key).is_some()));
    let Some(key) = key else {
        return (0..a.len().max(b.len()))
            .map(|at| (Step::Index(at), a.get(at), b.get(at)))
            .collect();
    };
    let same = |items: &'a [Value], wanted: &Value| {
        items.iter().find(|item| item.get(key) == Some(wanted))
    };
    let gone = a
        .iter()
        .filter(|item| item.get(key).is_none_or(|id| same(b, id).is_none()));
    b.iter()
        .chain(gone)
        .filter_map(|item| {
            let id = item.get(key)?;
            Some((Step::Item(key, id.clone()), same(a, id), same(b, id)))
        })
        .collect()
}

fn is_bookkeeping(path: &[Step]) -> bool {
    const KEPT_BY_SERVER: [&str; 3] = ["managedFields", "generation", "resourceVersion"];
    match path {
        [Step::Field(root), Step::Field(name), ..] if root == "metadata" => {
            KEPT_BY_SERVER.contains(&name.as_str())
        }
        _ => false,
    }
}

fn text(path: &[Step]) -> String {
    path.iter().fold(String::new(), |out, step| match step {
        Step::Field(name) if name.contains(['.', '/']) => format!("{out}[{name}]"),
        Step::Field(name) if out.is_empty() => name.clone(),
        Step::Field(name) => format!("{out}.{name}"),
        Step::Item(key, id) => format!("{out}[{key}={}]", shown(id)),
        Step::Index(at) => format!("{out}[{at}]"),
    })
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = super::redact(&text);
    match cut(&text, 120) {
        short if short.len() < text.len() => format!("{short}..."),
        _ => text,
    }
}

/// The manager other than us that owns the field, the latest first; and when it wrote.
fn owner(live: &Value, path: &[Step]) -> Option<(String, Option<String>)> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    entries
        .iter()
        .filter(|entry| {
            entry
                .get("fieldsV1")
                .is_some_and(|fields| owns(fields, path))
        })
        .filter_map(|entry| {
            let manager = entry.get("manager")?.as_str()?.to_owned();
            let when = entry.get("time").and_then(Value::as_str).map(str::to_owned);
            (manager != super::FIELD_MANAGER).then_some((manager, when))
        })
        .max_by(|a, b| a.1.cmp(&b.1))
}

fn owns(fields: &Value, path: &[Step]) -> bool {
    let mut at = fields;
    for step in path {
        let next = match step {
            Step::Field(name) => at.get(format!("f:{name}")),
            Step::Item(key, id) => item(at, key, id),
            Step::Index(_) => None,
        };
        match next {
            Some(deeper) => at = deeper,
            // A manager that owns a whole map or list owns what is in it.
            None => return at.as_object().is_some_and(serde_json::Map::is_empty),
        }
    }
    true
}

/// The entry `k:{"name":"x"}` of an item; the key may hold more parts, such as a protocol.
fn item<'a>(fields: &'a Value, key: &str, id: &Value) -> Option<&'a Value> {
    fields.as_object()?.iter().find_map(|(name, deeper)| {
        let parts: Value = serde_json::from_str(name.strip_prefix("k:")?).ok()?;
        (parts.get(key) == Some(id)).then_some(deeper)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{changes, drift};

    /// A pod of which a webhook changed the image of a sidecar at its creation, and somebody later
    /// that of the program, a label and the tolerations.
    #[test]
    fn of_a_pod_only_what_came_after_its_creation_is_a_change() {
        let body = json!({
            "metadata": {"labels": {"team": "vision", "size": "small"}, "annotations": {"berth.dev/id": "a"}},
            "spec": {"containers": [{"name": "task", "image": "train:1"}, {"name": "side", "image": "side:1"}]},
        });
        let live = json!({
            "metadata": {
                "labels": {"team": "audio", "extra": "1", "topology.kubernetes.io/zone": "a"},
                "annotations": {"berth.dev/id": "a", "cni.example.com/ip": "10.0.0.1"},
                "managedFields": [
                    {"manager": "berth", "time": "2026-11-20T08:00:00Z", "fieldsV1": {
                        "f:metadata": {"f:labels": {}, "f:annotations": {"f:berth.dev/id": {}}},
                        "f:spec": {"f:dnsPolicy": {}, "f:containers": {
                            "k:{\"name\":\"side\"}": {"f:image": {}}, "k:{\"name\":\"task\"}": {"f:name": {}}}}}},
                    {"manager": "kubectl-edit", "time": "2026-11-20T09:00:00Z", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:team": {}, "f:extra": {}, "f:topology.kubernetes.io/zone": {}}},
                        "f:spec": {"f:tolerations": {}, "f:containers": {
                            "k:{\"name\":\"task\"}": {"f:image": {}}}}}},
                    {"manager": "cni", "time": "2026-11-20T09:00:00Z", "fieldsV1": {
                        "f:metadata": {"f:annotations": {"f:cni.example.com/ip": {}}}}},
                ],
            },
            "spec": {
                "nodeName": "node-1", "dnsPolicy": "ClusterFirst",
                "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "task", "image": "train:2"}, {"name": "side", "image": "mirror/side:1"}],
            },
            "status": {"phase": "Running"},
        });
        let told = |body: &serde_json::Value| -> Vec<String> {
            let told_of = |it: berth_core::reconciler::FieldDrift| {
                let text = |part: Option<String>| part.unwrap_or_else(|| "-".into());
                let before = if it.forgotten {
                    "?".to_owned()
                } else {
                    text(it.desired)
                };
                format!(
                    "{} {before} -> {} by {}",
                    it.path,
                    text(it.live),
                    text(it.manager)
                )
            };
            let mut lines: Vec<String> = changes(&live, body).into_iter().map(told_of).collect();
            lines.sort();
            lines
        };
        assert_eq!(
            told(&body),
            [
                "metadata.labels.extra - -> 1 by kubectl-edit",
                "metadata.labels.size small -> - by -",
                "metadata.labels.team vision -> audio by kubectl-edit",
                "spec.containers[name=task].image train:1 -> train:2 by kubectl-edit",
                "spec.tolerations[0].operator - -> Exists by kubectl-edit",
            ]
        );
        // What it was made from is not known any more: the fields are, by their managers.
        assert_eq!(
            told(&serde_json::Value::Null),
            [
                "metadata.labels.extra ? -> 1 by kubectl-edit",
                "metadata.labels.team ? -> audio by kubectl-edit",
                "spec.containers[name=task].image ? -> train:2 by kubectl-edit",
                "spec.tolerations[0].operator ? -> Exists by kubectl-edit",
            ]
        );
    }

    #[test]
    fn names_field_values_manager_and_time() {
        let live = json!({
            "metadata": {"name": "a", "generation": 2, "managedFields": [
                {"manager": "berth", "time": "2026-11-20T09:00:00Z", "fieldsV1": {"f:spec": {"f:type": {}}}},
                {"manager": "kubectl-edit", "time": "2026-11-20T08:00:00Z",
                 "fieldsV1": {"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {"f:targetPort": {}}}}}},
            ]},
            "spec": {"type": "ClusterIP", "ports": [{"port": 80, "targetPort": 9}, {"port": 81}]},
        });
        let would = json!({
            "metadata": {"name": "a", "generation": 3, "labels": {"berth.dev/x": "1"}},
            "spec": {"type": "ClusterIP", "ports": [{"port": 80, "targetPort": 8}]},
        });
        let found: Vec<_> = drift(&live, &would)
            .into_iter()
            .map(|d| (d.path, d.live, d.desired, d.manager))
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                (
                    "metadata.labels".into(),
                    None,
                    some("{\"berth.dev/x\":\"1\"}"),
                    None
                ),
                (
                    "spec.ports[port=80].targetPort".into(),
                    some("9"),
                    some("8"),
                    some("kubectl-edit")
                ),
                (
                    "spec.ports[port=81]".into(),
                    some("{\"port\":81}"),
                    None,
                    None
                ),
            ]
        );
    }

    #[test]
    fn finds_nothing_when_only_bookkeeping_differs() {
        let live = json!({"metadata": {"name": "a", "resourceVersion": "1", "managedFields": [1]}});
        let would =
            json!({"metadata": {"name": "a", "resourceVersion": "2", "managedFields": [2]}});
        assert_eq!(drift(&live, &would), []);
    }

    #[test]
    fn cuts_long_values_and_hides_secrets() {
        let live = json!({"data": {"k": "x".repeat(300)}});
        let would = json!({"data": {"k": "Bearer abcdefghijk"}});
        let found = drift(&live, &would);
        assert_eq!(found[0].live.as_ref().map(String::len), Some(123));
        assert_eq!(found[0].desired.as_deref(), Some("Bearer <redacted>"));
    }
}
