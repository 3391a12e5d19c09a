//! The programs of other packages that these servers are made of.

use std::path::PathBuf;

/// A program on the PATH or where Debian keeps what only root starts. A missing one fails the test
/// and says which package holds it.
pub(super) fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("`{name}` is missing; install it (Debian: apt-get install {package})")
        })
}
