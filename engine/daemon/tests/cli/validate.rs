//! `berth validate`: findings, formats, folders and commits.

use std::fs;

use super::{QUEUE, berth_in, folder, git, valid};

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
fn a_commit_is_read_without_a_work_tree_and_bad_references_run_nothing() {
    let root = valid();
    let git = |arguments: &[&str]| git(root.path(), arguments);
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
