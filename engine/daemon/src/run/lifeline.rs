//! Whether the process behind a name in the Lease has ended: each daemon keeps a file of its own
//! locked as long as it lives. The kernel lets go of the lock when the process ends, however it
//! ends, and not before: not while it is stopped or hangs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_cluster::lease::Standing;
use berth_core::ids::DigestWriter;
use tokio::sync::watch;

/// A Lease runs out sooner than this: the file of who died before that helps nobody.
const USELESS: Duration = Duration::from_mins(1);

/// This process's own file, and those of others beside it.
#[derive(Debug)]
pub struct Lifeline {
    folder: PathBuf,
    boot: String,
    own: Option<(PathBuf, File)>,
}

impl Lifeline {
    /// Begins one for this identity. Without a folder to write in there is none: then the Lease of
    /// a daemon that was killed has to run out.
    pub fn start(folder: PathBuf, identity: &str) -> Self {
        let mut new = Self {
            folder,
            boot: boot(),
            own: None,
        };
        match new.begin(identity) {
            Ok(own) => new.own = Some(own),
            Err(error) => tracing::warn!(
                %error, folder = %new.folder.display(),
                "after a kill -9 the next daemon has to wait for this one's Lease to run out"
            ),
        }
        new.sweep();
        new
    }

    fn begin(&self, identity: &str) -> io::Result<(PathBuf, File)> {
        fs::create_dir_all(&self.folder)?;
        let path = self.path(identity);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        file.try_lock()?;
        // Only now: a file without this is not believed.
        file.write_all(self.boot.as_bytes())?;
        Ok((path, file))
    }

    /// Whether the process of this identity has certainly ended. The lock proves it only within
    /// one kernel: a file that was written under another one (a folder on a network, a restart of
    /// the machine) proves nothing.
    pub fn is_dead(&self, identity: &str) -> bool {
        !self.boot.is_empty() && self.unlocked(&self.path(identity)).unwrap_or(false)
    }

    /// Dates the file, so that whoever comes later knows since when this process can be dead.
    fn beat(&self) {
        let dated = self
            .own
            .as_ref()
            .map(|(_, file)| file.set_modified(SystemTime::now()));
        if let Some(Err(error)) = dated {
            tracing::debug!(%error, "the file of this process cannot be dated");
        }
    }

    fn unlocked(&self, path: &Path) -> io::Result<bool> {
        let mut file = File::open(path)?;
        // Shared, so that two who ask at once do not take each other for the owner.
        if file.try_lock_shared().is_err() {
            return Ok(false);
        }
        let mut boot = String::new();
        file.read_to_string(&mut boot)?;
        Ok(boot == self.boot)
    }

    /// Takes away what daemons left that died long ago.
    fn sweep(&self) {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for file in files {
            let age = file.metadata().and_then(|it| it.modified());
            let old = age.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > USELESS));
            let free = || File::open(file.path()).is_ok_and(|it| it.try_lock_shared().is_ok());
            if old && free() {
                // Somebody else may be quicker.
                let _ = fs::remove_file(file.path());
            }
        }
    }

    fn path(&self, identity: &str) -> PathBuf {
        let mut name = DigestWriter::new("lifeline/v1");
        name.field(identity.as_bytes());
        self.folder.join(name.finish().short())
    }
}

/// Beats at each renewal of the Lease, and whenever its holder is heard of, until the election ends.
pub async fn beat(lifeline: Arc<Lifeline>, mut standing: watch::Receiver<Standing>) {
    while standing.changed().await.is_ok() {
        lifeline.beat();
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        if let Some((path, _locked)) = &self.own {
            // Whoever swept it away has done this already.
            let _ = fs::remove_file(path);
        }
    }
}

/// Names the running kernel; empty if it has no such name.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_ended_is_dead() {
        let folder = tempfile::tempdir().unwrap();
        let start = |name: &str| Lifeline::start(folder.path().join("alive"), name);
        let (first, second) = (start("first"), start("second"));
        assert!(!first.is_dead("second"), "it lives");
        assert!(!first.is_dead("third"), "nothing is known of it");
        // As the kernel does when a process is killed.
        let (path, file) = {
            let mut second = second;
            second.own.take()
        }
        .unwrap();
        drop(file);
        assert!(first.is_dead("second"));
        assert!(start("fourth").is_dead("second"), "asked by two");
        // A folder that another machine shares, or a restart of this one.
        fs::write(&path, "another kernel").unwrap();
        assert!(!first.is_dead("second"));
    }

    #[test]
    fn the_proof_of_a_death_outlives_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let start = |name: &str| Lifeline::start(folder.path().to_owned(), name);
        let long_ago = SystemTime::now() - USELESS * 10;
        let die = |beats: bool| {
            let mut old = start("old");
            let (path, file) = old.own.take().unwrap();
            file.set_modified(long_ago).unwrap();
            if beats {
                old.own = Some((path.clone(), file));
                old.beat();
                old.own.take();
            }
            path
        };
        let path = die(true);
        assert!(start("new").is_dead("old"), "it died just now");
        fs::remove_file(path).unwrap();
        let path = die(false);
        assert!(!start("new").is_dead("old") && !path.exists());
    }

    #[test]
    fn a_clean_end_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(Lifeline::start(folder.path().to_owned(), "one"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn without_a_folder_nobody_is_dead() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let line = Lifeline::start(file.join("alive"), "one");
        assert!(!line.is_dead("one") && !line.is_dead("two"));
    }
}
