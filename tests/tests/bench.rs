//! The benchmarks work: a small round of all of them. Nothing here looks at a time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::process::Command;

use berth_tests::e2e::built;

/// Runs it small; gives the table.
fn quick(arguments: &[&str]) -> String {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "berth", "--bin", "berth"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the daemon was not built");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = bench.arg("--quick").args(arguments).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn has(table: &str, rows: &[&str]) {
    for row in rows {
        assert!(table.contains(row), "no `{row}` in\n{table}");
    }
}

const LAUNCH: [&str; 8] = [
    "Berth against a bare client that POSTs its Services, too",
    "a bare client POSTs 20 pods, 32 side by side",
    "5 experiments of 4 pods: commit to the last POST",
    "the same, to the status commit that says that all run",
    "1 s at rest with 20 pods: API requests",
    "restart with 20 pods live, to converged",
    "20 pods end within",
    "answers of 400 and above to Berth, all in all",
];

const CHANGE: [&str; 2] = [
    "one of 50 documents changed: commit to POST",
    "the same among 50 and 10",
];

const GROWTH: [&str; 2] = ["growth: 5 experiments, 20 pods", "growth: launch, s"];

#[test]
fn a_quick_round_on_the_sandbox_measures_everything() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("growth.svg");
    let table = quick(&["--on", "sandbox", "--plot", plot.to_str().unwrap()]);
    has(&table, &LAUNCH);
    has(
        &table,
        &[
            "validate 50 documents",
            "plan 5 experiments",
            "one more among 5 that run, in the core alone",
        ],
    );
    has(&table, &CHANGE);
    has(&table, &GROWTH);
    let plot = std::fs::read_to_string(plot).unwrap();
    has(&plot, &["<svg", "launch, s", "memory, GiB"]);
}

/// Runs items small on the real one; gives the table, if it is built.
fn quick_on_the_real_one(item: &str) -> Option<String> {
    built(&format!("the benchmark `{item}` on kube-apiserver"))?;
    let table = quick(&["--on", "real", item]);
    has(&table, &["On a real control plane"]);
    Some(table)
}

#[test]
fn a_quick_launch_on_the_real_one_is_measured() {
    if let Some(table) = quick_on_the_real_one("launch") {
        has(&table, &LAUNCH);
    }
}

#[test]
fn a_quick_change_on_the_real_one_is_measured() {
    if let Some(table) = quick_on_the_real_one("change") {
        has(&table, &CHANGE);
    }
}

#[test]
fn a_quick_growth_on_the_real_one_is_measured() {
    if let Some(table) = quick_on_the_real_one("growth") {
        has(&table, &GROWTH);
    }
}

#[test]
fn what_it_does_not_know_is_refused() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = bench.arg("--quik").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: bench"));
}
