//! What a user sees of the command line: help, exit codes, wrong inputs, validate's outputs.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const CLUSTER: &str = "\
apiVersion: berth.dev/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  namespace: berth
  maxSlotsPerPod: 8
  images: {cpu: registry.example.com/base:1, gpu: registry.example.com/cuda:12}
";
const QUEUE: &str = "\
apiVersion: berth.dev/v1alpha1
kind: Queue
metadata: {name: vision}
spec: {cluster: demo, namespace: vision, quota: 64}
";
const EXPERIMENT: &str = "\
apiVersion: berth.dev/v1alpha1
kind: Experiment
metadata: {name: resnet50}
spec:
  queue: vision
  entrypoint: [python, train.py]
  resources: {slotsPerTrial: 16}
";

/// What a run of `berth` gave.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn berth_in(dir: &Path, arguments: &[&str]) -> Run {
    berth_with(dir, arguments, &[("COLUMNS", "80")])
}

fn berth_with(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    let mut command = Command::cargo_bin("berth").unwrap();
    command.current_dir(dir).args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BERTH_")) {
        command.env_remove(name);
    }
    command
        .env_remove("COLUMNS")
        .envs(environment.iter().copied());
    let output = command.output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn berth(arguments: &[&str]) -> Run {
    berth_in(&std::env::temp_dir(), arguments)
}

/// A state repository's folder with one experiment, changed by `change`.
fn folder(change: impl Fn(&str) -> String) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [("c.yaml", CLUSTER), ("q.yaml", QUEUE)] {
        fs::write(root.path().join(path), text).unwrap();
    }
    fs::create_dir(root.path().join("experiments")).unwrap();
    fs::write(
        root.path().join("experiments/resnet50.yaml"),
        change(EXPERIMENT),
    )
    .unwrap();
    root
}

fn valid() -> TempDir {
    folder(ToOwned::to_owned)
}

#[test]
fn every_command_has_help_with_an_example_in_eighty_columns() {
    let help = berth(&["--help"]);
    assert_eq!(help.code, Some(0));
    let commands = help
        .out
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    let names: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let help = berth(&[name, "--help"]);
        assert_eq!(help.code, Some(0), "{name}");
        assert!(
            help.out.contains(&format!("berth {name}")),
            "{name} shows no example"
        );
        for line in help.out.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    }
}

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
fn an_unknown_command_or_flag_is_a_usage_error_that_names_the_closest() {
    let run = berth(&["valdate"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("'validate'"), "{}", run.err);
    let run = berth(&["validate", "--outptu", "json"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("--output"), "{}", run.err);
    assert_eq!(berth(&[]).code, Some(2));
}

#[test]
fn valid_documents_are_fine() {
    let run = berth_in(valid().path(), &["validate"]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (Some(0), "3 documents, all valid\n")
    );
}

#[test]
fn a_fault_is_shown_with_its_line_and_what_to_do() {
    let root = folder(|text| text.replace("queue: vision", "queue: visoin"));
    let run = berth_in(root.path(), &["validate"]);
    assert_eq!(run.code, Some(1));
    for part in [
        "error[B0302]: there is no Queue `visoin`",
        "--> experiments/resnet50.yaml:5:10",
        "5 |   queue: visoin",
        "^^^^^^",
        "help: did you mean `vision`?",
        "3 documents, 1 error",
    ] {
        assert!(run.out.contains(part), "no `{part}` in\n{}", run.out);
    }
    assert!(!run.out.contains('\u{1b}'), "no colour in a file");
}

#[test]
fn all_faults_of_all_documents_are_told_in_one_pass() {
    let root = folder(|text| text.replace("entrypoint", "entrypiont"));
    fs::write(
        root.path().join("q.yaml"),
        QUEUE.replace("quota: 64", "quota: many"),
    )
    .unwrap();
    let run = berth_in(root.path(), &["validate", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["valid"], false);
    let findings = report["findings"].as_array().unwrap();
    let paths: Vec<_> = findings
        .iter()
        .map(|it| it["path"].as_str().unwrap())
        .collect();
    assert!(
        paths.contains(&"experiments/resnet50.yaml") && paths.contains(&"q.yaml"),
        "{paths:?}"
    );
    assert!(
        findings.iter().all(|it| it["line"].as_u64() > Some(0)),
        "{findings:?}"
    );
}

#[test]
fn sarif_names_rule_file_and_region() {
    let root = folder(|text| text.replace("queue: vision", "queue: visoin"));
    let run = berth_in(root.path(), &["validate", "-o", "sarif"]);
    assert_eq!(run.code, Some(1));
    let log: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "B0302");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"]["uri"],
        "experiments/resnet50.yaml"
    );
    assert_eq!(place["region"]["startLine"], 5);
    assert_eq!(place["region"]["startColumn"], 10);
}

/// What SARIF 2.1.0 requires of a log, and forges of its results.
fn sound_sarif(text: &str) -> Vec<serde_json::Value> {
    let log: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "berth");
    let rules = driver["rules"].as_array().unwrap();
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let results = run["results"].as_array().unwrap();
    for result in results {
        assert!(
            rules.contains(&result["ruleId"].as_str().unwrap()),
            "{result}"
        );
        assert!(
            !result["message"]["text"].as_str().unwrap().is_empty(),
            "{result}"
        );
        let level = result["level"].as_str().unwrap();
        assert!(["error", "warning", "note"].contains(&level), "{result}");
    }
    results.clone()
}

#[test]
fn a_check_writes_sarif_and_ends_as_it_does_otherwise() {
    let good = berth_in(valid().path(), &["check", "--offline", "-o", "sarif"]);
    assert_eq!(good.code, Some(0), "{}", good.err);
    assert!(sound_sarif(&good.out).is_empty(), "{}", good.out);
    let root = folder(|text| text.replace("slotsPerTrial: 16", "slotsPerTrial: 12"));
    let run = berth_in(root.path(), &["check", "--offline", "-o", "sarif"]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    let results = sound_sarif(&run.out);
    assert_eq!(results.len(), 1, "{}", run.out);
    assert_eq!(
        (&results[0]["ruleId"], &results[0]["level"]),
        (&"B0401".into(), &"error".into())
    );
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"]["uri"],
        "experiments/resnet50.yaml"
    );
    assert_eq!(place["region"]["startLine"], 7);
    // A link is told once, though both the validation and the plan find it.
    let linked = valid();
    std::os::unix::fs::symlink("/etc", linked.path().join("etc")).unwrap();
    let run = berth_in(linked.path(), &["check", "--offline", "-o", "sarif"]);
    assert_eq!(sound_sarif(&run.out).len(), 1, "{}", run.out);
}

#[test]
fn an_empty_folder_and_none_at_all_differ() {
    let root = tempfile::tempdir().unwrap();
    let run = berth_in(root.path(), &["validate"]);
    assert_eq!(run.code, Some(1), "{}", run.out);
    assert!(run.out.contains("B0502"), "{}", run.out);
    let run = berth_in(root.path(), &["validate", "nowhere"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("help:"), "{}", run.err);
}

#[test]
fn links_are_refused() {
    let root = valid();
    std::os::unix::fs::symlink("/etc", root.path().join("etc")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("passwd.yaml")).unwrap();
    let run = berth_in(root.path(), &["validate"]);
    assert_eq!(run.code, Some(1), "{}", run.out);
    assert!(run.out.contains("symbolic link"), "{}", run.out);
    assert!(!run.out.contains("root:"), "{}", run.out);
}

#[test]
fn hostile_texts_are_refused_at_once() {
    let nested = "[".repeat(20_000);
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n".to_owned();
    let large = format!("a: {}\n", "x".repeat(50 << 20));
    for text in [nested, bomb, large] {
        let root = valid();
        fs::write(root.path().join("bad.yaml"), &text).unwrap();
        let run = berth_in(root.path(), &["validate"]);
        assert_eq!(run.code, Some(1), "{}", run.out);
        assert!(run.out.contains("bad.yaml"), "{}", run.out);
        assert!(run.out.len() < 10_000, "the text itself is not repeated");
    }
}

#[test]
fn a_commit_is_read_without_a_work_tree_and_bad_references_run_nothing() {
    let root = valid();
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.current_dir(root.path()).args([
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.com",
        ]);
        assert!(
            command.args(arguments).output().unwrap().status.success(),
            "{arguments:?}"
        );
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "x"]);
    fs::write(root.path().join("q.yaml"), "not: committed").unwrap();
    let run = berth_in(root.path(), &["validate", "--repo", ".", "--rev", "main"]);
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    let head = std::process::Command::new("git")
        .current_dir(root.path())
        .args(["rev-parse", "--short=7", "HEAD"])
        .output();
    let short = String::from_utf8(head.unwrap().stdout).unwrap();
    let short = short.trim();
    for (rev, code) in [(short, 0), (&*format!("{short}~0"), 2), ("0000000", 3)] {
        let check = ["check", "--offline", "--repo", ".", "--rev", rev];
        let run = berth_in(root.path(), &check);
        assert_eq!(run.code, Some(code), "{rev}: {}", run.err);
        assert!(
            code == 0 || run.err.contains("help: "),
            "{rev}: {}",
            run.err
        );
    }
    let run = berth_in(root.path(), &["validate", "--repo", ".", "--rev", "mian"]);
    assert_eq!(run.code, Some(3));
    assert!(
        run.err.contains("mian") && run.err.contains("help:"),
        "{}",
        run.err
    );
    let run = berth_in(
        root.path(),
        &["validate", "--repo", ".", "--rev=--upload-pack=x"],
    );
    assert_eq!(run.code, Some(2), "{}", run.err);
    let run = berth_in(root.path(), &["validate", "--repo", "ext::sh -c id"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
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

#[test]
fn schemas_are_printed_by_kind() {
    for kind in ["Experiment", "PodDefaults", "pod-defaults"] {
        let run = berth(&["schema", kind]);
        let schema: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        assert!(
            schema["$schema"].as_str().unwrap().contains("2020-12"),
            "{kind}"
        );
    }
    let run = berth(&["schema", "Pod"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("Experiment"), "{}", run.err);
}

#[test]
fn the_daemon_says_what_is_missing() {
    let root = valid();
    let run = berth_in(root.path(), &["run", "--cluster", "demo"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("--repo"), "{}", run.err);
    let arguments = [
        "run",
        "--repo",
        ".",
        "--cluster",
        "demo",
        "--kubeconfig",
        "nowhere",
    ];
    let run = berth_in(root.path(), &arguments);
    assert_eq!(run.code, Some(3));
    assert!(
        run.err.contains("nowhere") && run.err.contains("help:"),
        "{}",
        run.err
    );
    let run = berth_in(
        root.path(),
        &["run", "--repo", ".", "--cluster", "Not_A_Name"],
    );
    assert_eq!(run.code, Some(2));
}

#[test]
fn a_wrong_nodes_file_is_told() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("nodes.yaml"), "- {count: 2, gpu: 8}\n").unwrap();
    let run = berth_in(root.path(), &["sandbox", "--nodes-file", "nodes.yaml"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("gpu"), "{}", run.err);
}

#[test]
fn a_plan_names_each_object_with_reason_and_line_and_sets_the_exit_code() {
    let root = valid();
    let run = berth_in(root.path(), &["plan", "--offline", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let plan: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let changes = plan["changes"].as_array().unwrap();
    let pods = changes
        .iter()
        .filter(|it| it["object"].as_str().unwrap().starts_with("Pod vision/"));
    assert_eq!(pods.count(), 2);
    for change in changes {
        assert_eq!(change["action"], "create");
        assert!(
            change["place"]
                .as_str()
                .unwrap()
                .starts_with("experiments/resnet50.yaml:")
        );
        assert!(!change["why"].as_str().unwrap().is_empty());
    }
    let run = berth_in(
        root.path(),
        &["plan", "--offline", "--exit-code", "-o", "markdown"],
    );
    assert_eq!(run.code, Some(1));
    assert!(
        run.out.contains("| + | `Pod vision/resnet50-"),
        "{}",
        run.out
    );
}

#[test]
fn a_plan_without_a_valid_cluster_says_what_to_mend() {
    let root = valid();
    let broken = CLUSTER.replace("maxSlotsPerPod: 8", "maxSlotsPerPod: 0");
    fs::write(root.path().join("c.yaml"), broken).unwrap();
    let run = berth_in(root.path(), &["plan", "--offline"]);
    assert_eq!(run.code, Some(1));
    for words in [
        "B0207",
        "error: Cluster/demo is not valid, and no earlier form of it was ever applied",
        "help: mend c.yaml as said above",
    ] {
        assert!(run.err.contains(words), "no {words:?} in\n{}", run.err);
    }
}

#[test]
fn a_check_fails_for_an_invalid_document_only() {
    assert_eq!(
        berth_in(valid().path(), &["check", "--offline"]).code,
        Some(0)
    );
    let root = folder(|text| text.replace("slotsPerTrial: 16", "slotsPerTrial: 12"));
    let run = berth_in(root.path(), &["check", "--offline"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.out.contains("B0401") && run.out.contains("8 and 16"),
        "{}",
        run.out
    );
    let good = valid();
    for (dir, valid) in [(good.path(), true), (root.path(), false)] {
        let run = berth_in(dir, &["check", "--offline", "-o", "json"]);
        let told: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(told["validation"]["valid"], valid);
        assert_eq!(told["plan"].is_object(), valid);
    }
}

/// What a document says reaches no terminal as something that it obeys.
#[test]
fn control_characters_are_shown_by_signs() {
    for hostile in [
        "\u{1b}[31m",
        "\u{9b}31m",
        "\u{9d}0;title\u{9c}",
        "\u{202e}x",
    ] {
        let image = format!("spec:\n  image: \"{hostile}\"");
        let root = folder(|text| text.replace("spec:", &image));
        let run = berth_in(root.path(), &["validate"]);
        assert_eq!(run.code, Some(1), "{}", run.err);
        assert!(run.out.contains("image"), "{}", run.out);
        let obeyed = |one: &char| one.is_control() && *one != '\n' || *one == '\u{202e}';
        assert_eq!(run.out.chars().find(obeyed), None, "{:?}", run.out);
    }
}
