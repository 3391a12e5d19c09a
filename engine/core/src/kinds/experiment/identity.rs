//! Which run a document asks for.

use berth_openapi::Shape;
use serde_json::{Value as Json, json};

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
    digest(DOMAIN, &Node::engine(&form), &Shape::Any)
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
}
