//! What documents, names and repositories hold that is meant to do harm.

use std::fs;

use super::{berth_in, folder, git, valid};

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
    let json = serde_json::to_string(FORGED).unwrap();
    json.replace('\u{9b}', "\\u009b")
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
