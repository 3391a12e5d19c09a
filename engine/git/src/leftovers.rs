//! What programs that were killed leave in a mirror, and how it is taken away.

use std::fs::{DirEntry, File};
use std::path::{Path, PathBuf};

use crate::credentials;
use crate::error::GitError;
use crate::store::{STALE, is_older};

/// Held by whoever runs git in a mirror; only while nobody does is anything taken away.
const LOCK: &str = "berth.lock";
/// How names of packs and objects begin that git is writing, and that Berth is.
const RECEIVED: &str = "tmp_";
const WRITTEN: &str = ".tmp";

/// The folder of a mirror.
pub(crate) struct Mirror<'a>(&'a Path);

impl<'a> Mirror<'a> {
    pub(crate) fn of(folder: &'a Path) -> Self {
        Self(folder)
    }

    /// Marks the mirror as used, until this is dropped or the program ends, however it does.
    pub(crate) fn used(&self) -> Result<File, GitError> {
        let doing = "mark the mirror as used";
        let file = self.lock_file().map_err(GitError::store(doing))?;
        file.lock_shared().map_err(GitError::store(doing))?;
        Ok(file)
    }

    /// Takes away half received objects and forgotten files of credentials, unless the mirror is
    /// used. What is not removed is left for the next time.
    pub(crate) fn clean(&self) {
        let Some(_unused) = self.unused() else { return };
        remove(self.0, credentials::PREFIX);
        let objects = self.0.join("objects");
        remove_old(&objects);
        // `pack`, and a folder for each first byte of an id.
        for folder in entries(&objects) {
            remove(&folder.path(), RECEIVED);
            remove_old(&folder.path());
        }
    }

    /// Takes away forgotten files of credentials alone, unless the mirror is used. A program that
    /// outlives a killed daemon may write one after the next daemon has cleaned: git's `store` keeps
    /// again what a remote accepted.
    pub(crate) fn forget_credentials(&self) {
        if let Some(_unused) = self.unused() {
            remove(self.0, credentials::PREFIX);
        }
    }

    /// Nobody uses the mirror while this is held; none if somebody does.
    fn unused(&self) -> Option<File> {
        let lock = self.lock_file().ok()?;
        lock.try_lock().is_ok().then_some(lock)
    }

    /// A folder in which there is nothing.
    pub(crate) fn empty_folder(&self) -> Result<PathBuf, GitError> {
        let folder = self.0.join("berth.empty");
        std::fs::create_dir_all(&folder).map_err(GitError::store("make a folder in the mirror"))?;
        std::path::absolute(folder).map_err(GitError::store("find the mirror"))
    }

    fn lock_file(&self) -> std::io::Result<File> {
        File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.0.join(LOCK))
    }
}

fn remove(folder: &Path, prefix: &str) {
    for entry in entries(folder) {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes what Berth wrote and nobody finished. The lock does not tell whether somebody does.
fn remove_old(folder: &Path) {
    for entry in entries(folder) {
        let left = entry.file_name().to_string_lossy().starts_with(WRITTEN);
        if left && is_older(&entry.path(), STALE) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}
