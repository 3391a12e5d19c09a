//! `berth render` and `berth explain`.

use std::fs;

use super::{EXPERIMENT, berth_in, folder, valid};

#[test]
fn an_experiment_that_is_not_valid_is_told_with_what_is_wrong() {
    let root = folder(|text| text.replace("slotsPerTrial: 16", "slotsPerTrial: 12"));
    let other = EXPERIMENT.replace("resnet50", "resnet51");
    fs::write(root.path().join("other.yaml"), other).unwrap();
    for name in ["resnet50", "vision/resnet50", "Experiment/vision/resnet50"] {
        for command in ["render", "explain"] {
            let run = berth_in(root.path(), &[command, name]);
            assert_eq!(run.code, Some(1), "{}", run.err);
            let place = "experiments/resnet50.yaml:7:30";
            for words in ["B0401", place, "error: `vision/resnet50` is not valid"] {
                assert!(run.err.contains(words), "{words}: {}", run.err);
            }
            let wrong = ["did you mean", "no experiment"];
            assert!(wrong.iter().all(|it| !run.err.contains(it)), "{}", run.err);
        }
    }
    let run = berth_in(root.path(), &["render", "resnet52"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("did you mean `resnet51`?"), "{}", run.err);
}

#[test]
fn an_experiment_is_rendered_and_explained() {
    let root = valid();
    let run = berth_in(root.path(), &["render", "resnet50", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let objects: Vec<serde_json::Value> = serde_json::from_str(&run.out).unwrap();
    let kinds: Vec<_> = objects
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["Service", "Pod", "Pod"]);
    assert_eq!(
        objects[1]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"],
        "8"
    );
    let run = berth_in(
        root.path(),
        &["explain", "vision/resnet50", "spec.containers"],
    );
    assert!(
        run.out.contains("experiments/resnet50.yaml:6:"),
        "{}",
        run.out
    );
    for field in [
        "spec.containers[name=task].image",
        "spec.containers.task.image",
    ] {
        let run = berth_in(root.path(), &["explain", "resnet50", field]);
        assert!(
            run.out.starts_with("spec.containers[name=task].image: "),
            "{}",
            run.out
        );
    }
    let field = "spec.automountServiceAccountToken";
    let run = berth_in(root.path(), &["explain", "resnet50", field, "-o", "json"]);
    let fields: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(fields[0]["value"], false, "{}", run.out);
    let alone = folder(|text| text.replace("slotsPerTrial: 16", "slotsPerTrial: 8"));
    let run = berth_in(alone.path(), &["render", "resnet50"]);
    assert_eq!(
        run.out.matches("\nkind: ").count(),
        1,
        "no Service: {}",
        run.out
    );
    let run = berth_in(root.path(), &["explain", "resnt50"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("did you mean `resnet50`?"), "{}", run.err);
    for (field, hint) in [
        ("spec.containrs", "did you mean `spec.containers`?"),
        (
            "spec.containers.tsk",
            "did you mean `spec.containers.task`?",
        ),
        ("colour", "`berth explain resnet50` lists all fields"),
    ] {
        let run = berth_in(root.path(), &["explain", "resnet50", field]);
        assert_eq!(run.code, Some(2));
        assert!(run.err.contains(hint), "{}", run.err);
    }
    let run = berth_in(root.path(), &["render", "resnet50", "--rank", "2"]);
    assert_eq!(run.code, Some(2));
}
