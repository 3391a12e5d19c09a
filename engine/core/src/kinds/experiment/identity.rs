//! Which run a document asks for, and which of its fields ask for another one.

use std::collections::BTreeSet;

use berth_openapi::Shape;
use serde_json::{Map, Value as Json, json};

use super::{Entrypoint, Experiment, KeyRef, SearcherName, ValueSource, Variable};
use crate::ids::Digest;
use crate::object::{Node, digest};

/// The domain of the digest. A new version makes every experiment run again: never change it, and
/// leave out what is new and not used.
const DOMAIN: &str = "run/v1";

/// The identity of the run that a document asks for: the digest of its own queue and name, image,
/// entrypoint, hyperparameters, searcher, slots, files, environment and `run`, as they are written;
/// nothing else. The order of maps does not count; `1` and `1.0` differ, as programs tell them
/// apart.
pub fn identity(document: &Experiment) -> Digest {
    digest(DOMAIN, &Node::engine(&form(document)), &Shape::Any)
}

/// A field of the identity that two documents do not agree in.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Its path below `spec`, as the document has it.
    pub path: Vec<String>,
    /// What it was; `None` if it was not there.
    pub before: Option<Json>,
    /// What it is; `None` if it is not there any more.
    pub after: Option<Json>,
}

/// What differs in what makes the identity, in the order of the paths: empty exactly if the two
/// documents ask for the same run. Maps are compared by key, everything else as a whole; a default
/// that is written out is no difference.
pub fn changes(before: &Experiment, after: &Experiment) -> Vec<FieldChange> {
    let mut found = Vec::new();
    let mut path = Vec::new();
    compare(
        Some(&form(before)),
        Some(&form(after)),
        &mut path,
        &mut found,
    );
    found
}

fn compare<'a>(
    before: Option<&'a Json>,
    after: Option<&'a Json>,
    path: &mut Vec<String>,
    found: &mut Vec<FieldChange>,
) {
    if before == after {
        return;
    }
    let none = Map::new();
    let map = |of: Option<&'a Json>| of.map_or(Some(&none), Json::as_object);
    if let (Some(old), Some(new)) = (map(before), map(after))
        && !is_variable(path)
    {
        let known = found.len();
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            path.push(name.clone());
            compare(old.get(name), new.get(name), path, found);
            path.pop();
        }
        if found.len() > known {
            return;
        }
    }
    found.push(FieldChange {
        path: written(path),
        before: before.cloned(),
        after: after.cloned(),
    });
}

/// What a variable is taken from is one value.
fn is_variable(path: &[String]) -> bool {
    path.len() == 2 && path[0] == "environment"
}

/// The path in a document of a path in the form.
fn written(path: &[String]) -> Vec<String> {
    let (first, rest) = path
        .split_first()
        .map_or(("", path), |(first, rest)| (first.as_str(), rest));
    let head: &[&str] = match first {
        "slots" => &["resources", "slotsPerTrial"],
        "metric" => &["searcher", "metric"],
        "environment" => &["environment", "variables"],
        other => &[other],
    };
    let head = head.iter().map(|&name| name.to_owned());
    head.chain(rest.iter().cloned()).collect()
}

fn form(document: &Experiment) -> Json {
    let spec = &document.spec;
    let mut form = json!({
        "queue": spec.queue.as_str(),
        "name": document.name().as_str(),
        "entrypoint": entrypoint(&spec.entrypoint),
        "searcher": {
            "name": searcher(spec.searcher.name),
            "smallerIsBetter": spec.searcher.smaller_is_better,
        },
        "slots": spec.resources.slots_per_trial,
        "run": spec.run,
    });
    let variables = &spec.environment.variables;
    let optional = [
        ("image", spec.image.as_ref().map(|it| json!(it))),
        ("metric", spec.searcher.metric.as_ref().map(|it| json!(it))),
        (
            "hyperparameters",
            (!spec.hyperparameters.is_empty()).then(|| json!(spec.hyperparameters)),
        ),
        (
            "environment",
            (!variables.is_empty()).then(|| {
                variables
                    .iter()
                    .map(|(name, value)| (name.clone(), variable(value)))
                    .collect()
            }),
        ),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            form[name] = value;
        }
    }
    form
}

fn entrypoint(entrypoint: &Entrypoint) -> Json {
    match entrypoint {
        Entrypoint::List(words) => json!(words),
        Entrypoint::Shell(line) => json!(line),
    }
}

fn searcher(name: SearcherName) -> &'static str {
    match name {
        SearcherName::Single => "single",
    }
}

fn variable(variable: &Variable) -> Json {
    let key = |it: &KeyRef| json!([it.name, it.key, it.optional]);
    match variable {
        Variable::Text(text) => json!(text),
        Variable::From {
            value_from: ValueSource::SecretKeyRef(it),
        } => json!({ "secret": key(it) }),
        Variable::From {
            value_from: ValueSource::ConfigMapKeyRef(it),
        } => json!({ "configMap": key(it) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::experiment::testing::experiment;

    const BASE: &str = r#"{"queue": "vision", "image": "a:1", "entrypoint": ["run", "me"],
        "hyperparameters": {"lr": 0.1, "model": {"depth": 50, "width": null}},
        "environment": {"variables": {"A": "1"}}}"#;

    fn of(changes: &Json) -> Digest {
        let mut spec: Json = serde_json::from_str(BASE).unwrap();
        for (name, value) in changes.as_object().unwrap() {
            spec[name] = value.clone();
        }
        identity(&experiment("resnet", &spec))
    }

    #[test]
    fn the_digest_never_changes() {
        // If this fails, every finished experiment would run again.
        assert_eq!(
            of(&json!({})).to_string(),
            "0ffc8cf8837b196f47a7a26f77cff007637a0026f18d1ccd00f1a8f99bebc7f8"
        );
        let small = experiment("a", &json!({"queue": "q", "entrypoint": "x"}));
        assert_eq!(
            identity(&small).to_string(),
            "bab81442689bb8560390c0a7143590dd87a55b8a6ff20a9f2c36b41961bc694a"
        );
    }

    #[test]
    fn what_the_program_sees_makes_another_run() {
        let changes = [
            json!({"queue": "speech"}),
            json!({"image": "a:2"}),
            json!({"entrypoint": "run me"}),
            json!({"entrypoint": ["run me"]}),
            json!({"hyperparameters": {"lr": 0.2, "model": {"depth": 50, "width": null}}}),
            json!({"hyperparameters": {"lr": 0.1, "model": {"depth": 50}}}),
            json!({"hyperparameters": {"lr": 0.1, "model": {"depth": 50.0, "width": null}}}),
            json!({"environment": {"variables": {"A": "2"}}}),
            json!({"environment": {"variables": {"A": {"valueFrom": {"secretKeyRef": {"name": "s", "key": "1"}}}}}}),
            json!({"environment": {"variables": {"A": {"valueFrom": {"configMapKeyRef": {"name": "s", "key": "1"}}}}}}),
            json!({"searcher": {"metric": "loss"}}),
            json!({"searcher": {"smallerIsBetter": false}}),
            json!({"resources": {"slotsPerTrial": 2}}),
            json!({"run": 2}),
        ];
        let mut seen: Vec<Digest> = changes.iter().map(of).collect();
        seen.push(of(&json!({})));
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn nothing_else_does() {
        for change in [
            json!({"description": "words"}),
            json!({"resources": {"priority": 9, "maxSlotsPerPod": 4, "shmSize": "1Gi"}}),
            json!({"maxRestarts": 0, "maxRuntime": "1h", "success": "rank0", "state": "paused"}),
            json!({"pod": {"spec": {"nodeSelector": {"a": "b"}}}, "rollout": "replaceAttempt"}),
            json!({"hyperparameters": {"model": {"width": null, "depth": 50}, "lr": 0.1}}),
        ] {
            assert_eq!(of(&change), of(&json!({})), "{change}");
        }
    }

    #[test]
    fn a_change_is_named_as_the_document_writes_it() {
        let with = |change: &Json| {
            let mut spec: Json = serde_json::from_str(BASE).unwrap();
            for (name, value) in change.as_object().unwrap() {
                spec[name] = value.clone();
            }
            experiment("resnet", &spec)
        };
        let table = [
            (json!({}), vec![]),
            (
                json!({"searcher": {"smallerIsBetter": true}, "resources": {"slotsPerTrial": 1}}),
                vec![],
            ),
            (
                json!({"pod": {"spec": {"nodeSelector": {"a": "b"}}}}),
                vec![],
            ),
            (json!({"image": "a:2"}), vec![r#"image "a:1" "a:2""#]),
            (
                json!({"entrypoint": "run me"}),
                vec![r#"entrypoint ["run","me"] "run me""#],
            ),
            (
                json!({"hyperparameters": {"lr": 0.2, "model": {"depth": 50.0, "new": 1}}}),
                vec![
                    "hyperparameters.lr 0.1 0.2",
                    "hyperparameters.model.depth 50 50.0",
                    "hyperparameters.model.new - 1",
                    "hyperparameters.model.width null -",
                ],
            ),
            (
                json!({"hyperparameters": {}}),
                vec![
                    "hyperparameters.lr 0.1 -",
                    "hyperparameters.model.depth 50 -",
                    "hyperparameters.model.width null -",
                ],
            ),
            (
                json!({"resources": {"slotsPerTrial": 2}, "run": 3}),
                vec!["run 1 3", "resources.slotsPerTrial 1 2"],
            ),
            (
                json!({"searcher": {"metric": "loss"}}),
                vec![r#"searcher.metric - "loss""#],
            ),
            (
                json!({"environment": {"variables": {"A": "1", "B": "2"}}}),
                vec![r#"environment.variables.B - "2""#],
            ),
            (
                json!({"environment": {"variables": {"B": {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}}}}),
                vec![
                    r#"environment.variables.A "1" -"#,
                    r#"environment.variables.B - {"secret":["s","k",false]}"#,
                ],
            ),
            (
                json!({"hyperparameters": {"lr": 0.1, "model": {}}}),
                vec![
                    "hyperparameters.model.depth 50 -",
                    "hyperparameters.model.width null -",
                ],
            ),
            (
                json!({"hyperparameters": {"lr": 0.1, "model": {"depth": 50, "width": null}, "new": {}}}),
                vec!["hyperparameters.new - {}"],
            ),
        ];
        for (change, expected) in table {
            let (before, after) = (with(&json!({})), with(&change));
            let shown = |value: Option<Json>| value.map_or("-".to_owned(), |it| it.to_string());
            let found: Vec<String> = changes(&before, &after)
                .into_iter()
                .map(|it| {
                    format!(
                        "{} {} {}",
                        it.path.join("."),
                        shown(it.before),
                        shown(it.after)
                    )
                })
                .collect();
            assert_eq!(found, expected, "{change}");
            assert_eq!(
                found.is_empty(),
                identity(&before) == identity(&after),
                "{change}"
            );
        }
    }
}
