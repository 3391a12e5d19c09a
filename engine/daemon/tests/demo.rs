//! The demo tells nothing but the truth: it ends with 0 only if all of it happened.

#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn the_whole_story_happens_and_fits_a_terminal() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    let output = command.arg("demo").env("NO_COLOR", "1").output().unwrap();
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    for part in [
        "one pod with 1 GPU runs",
        "killed with kill -9",
        "no pod was made twice",
        "the refusal names the nearest sizes, 8 and 16",
        "one restart was counted",
        "attempt 2 of the same run runs",
        "a new run has replaced the old one",
        "outdated: PodDefaults",
        "its pod is gone, its ledger stays",
        "SIGTERM ended the daemon cleanly",
        "git log",
    ] {
        assert!(out.contains(part), "no `{part}` in\n{out}");
    }
    let story = out.split("$ git show").next().unwrap();
    for line in story.lines() {
        assert!(line.chars().count() <= 80, "too wide: {line}");
    }
}
