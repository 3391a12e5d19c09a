//! The benchmarks work: a small round of all of them. Nothing here looks at a time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::process::Command;

#[test]
fn a_quick_round_measures_everything() {
    let bench = env!("CARGO_BIN_EXE_bench");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "berth", "--bin", "berth"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the daemon was not built");
    let output = Command::new(bench).arg("--quick").output().unwrap();
    let (table, words) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{words}");
    let rows = [
        "validate 50 documents",
        "plan 5 experiments",
        "one of 50 documents changed: commit to POST",
        "5 experiments of 4 pods: commit to the last POST",
        "1 s at rest with 20 pods: API requests",
        "restart with 20 pods live, to converged",
        "20 pods end within",
    ];
    for row in rows {
        assert!(table.contains(row), "no `{row}` in\n{table}\n{words}");
    }
}

#[test]
fn what_it_does_not_know_is_refused() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = bench.arg("--quik").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: bench"));
}
