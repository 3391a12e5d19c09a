//! The binary under test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Where the binary is; built by the first caller, as cargo builds no other package's binary.
pub fn berth() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> PathBuf {
    if let Some(named) = std::env::var_os("BERTH_TEST_BINARY") {
        return named.into();
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // As `make test` builds it, so that it is not built with other features once more.
    build.args(["build", "--quiet", "--workspace", "--bin", "berth"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    build
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    let done = build.status().expect("cargo runs");
    assert!(done.success(), "the binary was not built");
    let tests = std::env::current_exe().expect("a test has a path");
    let folder = tests.ancestors().nth(2).expect("<target>/<profile>/deps");
    folder.join("berth")
}

/// The binary in an environment without settings of the person who tests.
pub fn command() -> Command {
    let mut command = Command::new(berth());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("BERTH_") || text.starts_with("GIT_") {
            command.env_remove(&name);
        }
    }
    command
        .env_remove("RUST_LOG")
        .env_remove("KUBECONFIG")
        .env("NO_COLOR", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null());
    command
}
