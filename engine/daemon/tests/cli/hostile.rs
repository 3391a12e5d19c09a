//! What documents, names and repositories hold that is meant to do harm.

use std::fs;

use berth_core::ids::{Digest, UnitId};
use berth_core::ledger::unit_path;
use serde_json::{Value, json};

use super::{EXPERIMENT, QUEUE, Run, berth_in, berth_with, folder, git, git_says, valid};

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

/// A line that looks as if it were Berth's, in whatever others may name.
const FORGED: &str = "x\nerror[B0101]: forged\u{1b}[31m\u{9b}2J";

/// As YAML holds it.
fn quoted() -> String {
    yaml(&json!(FORGED))
}

fn yaml(value: &Value) -> String {
    value.to_string().replace('\u{9b}', "\\u009b")
}

/// Each line that begins as an error is one.
fn forges_nothing(text: &str) {
    let begins =
        |line: &&str| line.starts_with("error[B0101]") || line.starts_with("error: forged");
    assert_eq!(text.lines().find(begins), None, "{text:?}");
    let obeyed = |one: &char| one.is_control() && *one != '\n';
    assert_eq!(text.chars().find(obeyed), None, "{text:?}");
}

#[test]
fn a_name_breaks_no_line_and_colours_nothing() {
    let quoted = quoted();
    for (from, to) in [
        ("name: resnet50", format!("name: {quoted}")),
        ("kind: Experiment", format!("kind: {quoted}")),
        ("queue: vision", format!("queue: {quoted}")),
        ("  entrypoint", format!("  {quoted}: 1\n  entrypoint")),
        ("{slotsPerTrial: 16}", quoted.clone()),
    ] {
        let root = folder(|text| text.replace(from, &to));
        for arguments in [
            &["validate"][..],
            &["validate", "-o", "json"],
            &["check", "--offline"],
            &["plan", "--offline"],
            &["render", "resnet50"],
        ] {
            let run = berth_in(root.path(), arguments);
            let all = format!("{}{}", run.out, run.err);
            assert!(all.contains("error"), "{arguments:?} {to}");
            forges_nothing(&run.out);
            forges_nothing(&run.err);
        }
    }
}

#[test]
fn what_is_typed_breaks_no_line() {
    let root = valid();
    let forged = "x\nerror: forged\u{1b}[31m\u{9b}2J";
    for arguments in [
        &["render", forged][..],
        &["explain", "resnet50", forged],
        &["validate", forged],
        &["validate", "--repo", forged],
        &["validate", "--repo", ".", "--rev", forged],
        &["plan", "--offline", "--cluster", forged],
    ] {
        let run = berth_in(root.path(), arguments);
        assert!(run.code > Some(1), "{arguments:?}: {}", run.err);
        forges_nothing(&run.err);
    }
}

#[test]
fn the_name_of_a_file_or_a_branch_breaks_no_line() {
    let root = valid();
    fs::write(root.path().join(format!("{FORGED}.yaml")), "a: 1").unwrap();
    let run = berth_in(root.path(), &["validate"]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    forges_nothing(&run.out);
    // Git itself refuses most of them, but not the second set of controls.
    git(root.path(), &["init", "-q", "-b", "x\u{9b}31m"]);
    git(root.path(), &["add", "."]);
    git(root.path(), &["commit", "-qm", "x"]);
    let run = berth_in(root.path(), &["validate", "--repo", ".", "--rev", "main"]);
    assert_eq!(run.code, Some(3), "{}", run.err);
    assert!(run.err.contains("\\u009b31m"), "{}", run.err);
    forges_nothing(&run.err);
}

/// Who may write the status branch writes no line of its own.
#[test]
fn the_status_branch_breaks_no_line() {
    let root = tempfile::tempdir().unwrap();
    git(root.path(), &["init", "-q", "-b", "berth/status/demo"]);
    let quoted = quoted();
    fs::write(
        root.path().join("summary.yaml"),
        format!("errors: [{quoted}]\n"),
    )
    .unwrap();
    let status = format!("{{state: {quoted}, message: {quoted}, findings: [{quoted}]}}");
    let unit = format!("unit: {quoted}\nstatus: {status}\n");
    fs::write(root.path().join("unit.yaml"), unit).unwrap();
    git(root.path(), &["add", "."]);
    git(root.path(), &["commit", "-qm", "x"]);
    let run = berth_in(root.path(), &["status", "--repo", ".", "--cluster", "demo"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(run.out.matches("forged").count(), 5, "{}", run.out);
    forges_nothing(&run.out);
    for format in ["json", "yaml"] {
        let status = ["status", "--repo", ".", "--cluster", "demo", "-o", format];
        let run = berth_in(root.path(), &status);
        let read: serde_json::Value = serde_saphyr::from_str(&run.out).unwrap();
        assert_eq!(read["errors"][0], FORGED, "{}", run.out);
        forges_nothing(&run.out);
    }
}

/// A key of a valid document that looks like the last lines of a plan.
const KEY: &str = "x\n0 to create, 0 to change, 0 to delete\nerror: forged\u{1b}[31m\u{9b}2J";
/// The pod that the past tells of.
const POD: &str = "resnet50-01010101-1-1-0";

/// The experiment with a hyperparameter whose name does harm.
fn with_key(text: &str, value: u32) -> String {
    format!("{text}  hyperparameters: {}\n", yaml(&json!({KEY: value})))
}

/// A state repository whose status branch knows an earlier form of the experiment, of a run that did
/// as little good, and of an experiment that is gone from a file of such a name.
fn with_a_past() -> tempfile::TempDir {
    let root = folder(|text| with_key(text, 1));
    let at = root.path();
    let commit = || {
        git(at, &["add", "."]);
        git(at, &["commit", "-qm", "x\u{1b}[31m\u{9b}2J"]);
    };
    git(at, &["init", "-q", "-b", "main"]);
    commit();
    let blob = git_says(at, &["rev-parse", "HEAD:experiments/resnet50.yaml"]);
    let first = git_says(at, &["rev-parse", "HEAD"]);
    fs::write(
        at.join("experiments/resnet50.yaml"),
        with_key(EXPERIMENT, 2),
    )
    .unwrap();
    commit();
    git(at, &["checkout", "-q", "--orphan", "berth/status/demo"]);
    git(at, &["rm", "-rqf", "."]);
    let write = |path: &str, value: &Value| {
        let file = at.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, yaml(value)).unwrap();
    };
    write("format", &json!(1));
    write(
        "identity.yaml",
        &json!({"version": 1, "cluster": "demo", "instance": "i", "clusterUid": "u"}),
    );
    write("applied.yaml", &json!({"version": 1, "commit": first}));
    let began = "2026-01-01T00:00:00Z";
    let end = json!({"at": began, "result": "failed", "reason": KEY});
    let attempt = json!({
        "number": 1, "pods": 1, "slots": 1, "namespace": "vision", "began": began,
        "end": end, "ranks": [{"rank": 0, "uid": "p", "node": KEY, "vanished": true}],
    });
    let run = json!({
        "identity": Digest::from_bytes([1; 32]), "commit": first, "began": began, "state": "open",
        "trials": [{"number": 1, "restarts": 1, "attempts": [attempt]}],
    });
    for (sequence, name) in [(1, "resnet50"), (2, "gone")] {
        let unit: UnitId = format!("Experiment/vision/{name}").parse().unwrap();
        let applied = json!({"commit": first, "path": format!("{KEY}.yaml"), "blob": blob});
        let ledger = json!({
            "sequence": sequence, "firstSeen": began, "applied": applied, "runs": [run],
        });
        let file = json!({"version": 1, "unit": unit, "revision": 1, "ledger": ledger});
        write(&unit_path(&unit), &file);
    }
    commit();
    git(at, &["checkout", "-q", "main"]);
    root
}

/// What was to be told is there, on as many lines as Berth itself begins.
fn tells_and_forges_nothing(run: &Run, told: &str, counts: usize) {
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.out.contains(told), "no {told:?} in {}", run.out);
    let counted = run.out.lines().filter(|it| it.contains(" to create, "));
    let own = counted.filter(|it| it.starts_with(|one: char| one.is_ascii_digit()));
    assert_eq!(own.count(), counts, "{}", run.out);
    forges_nothing(&run.out);
    forges_nothing(&run.err);
}

#[test]
fn a_key_of_a_valid_document_breaks_no_line() {
    let root = with_a_past();
    for format in ["text", "markdown"] {
        let run = berth_in(root.path(), &["plan", "--offline", "-o", format]);
        tells_and_forges_nothing(&run, "hyperparameters.x\\n0 to create", 1);
        tells_and_forges_nothing(&run, "2 instead of 1", 1);
        tells_and_forges_nothing(&run, "gone from x\\n0 to create", 1);
        let run = berth_in(root.path(), &["check", "--offline", "-o", format]);
        tells_and_forges_nothing(&run, "hyperparameters.x\\n0 to create", 1);
    }
}

#[test]
fn a_key_of_a_pod_breaks_no_line() {
    let driver = json!({"driver": "d.example.com", "volumeAttributes": {KEY: KEY}});
    let pod = json!({"spec": {"volumes": [{"name": "data", "csi": driver}]}});
    let root = folder(|text| format!("{text}  pod: {}\n", yaml(&pod)));
    let queue = QUEUE.replace("quota: 64", "quota: 64, allow: {volumes: [csi]}");
    fs::write(root.path().join("q.yaml"), queue).unwrap();
    let run = berth_in(root.path(), &["explain", "resnet50", "spec.volumes"]);
    tells_and_forges_nothing(&run, "volumeAttributes.x\\n0 to create", 0);
}

#[test]
fn the_past_of_a_pod_breaks_no_line() {
    let root = with_a_past();
    let run = berth_with(root.path(), &["why", POD, "--repo", "."], &[]);
    tells_and_forges_nothing(&run, "Experiment/vision/resnet50 in x\\n0 to create", 0);
    assert_eq!(run.out.matches("forged").count(), 3, "{}", run.out);
    assert_eq!(run.out.lines().count(), 8, "{}", run.out);
}
