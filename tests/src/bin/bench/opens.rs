//! How often anybody opens a file of a repository: nothing in Git is read without it.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;

use crate::Fallible;

/// Counts from the moment at which it was made.
#[derive(Debug)]
pub struct Opens(OwnedFd);

impl Opens {
    /// Of files in this folder and in those below it, as they are now.
    pub fn of(folder: &Path) -> Fallible<Self> {
        let opens = Self(init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?);
        let mut folders = vec![folder.to_owned()];
        let mut watched = 0;
        while let Some(folder) = folders.get(watched).cloned() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                }
            }
            watched += 1;
        }
        for folder in folders {
            add_watch(&opens.0, folder, WatchFlags::OPEN)?;
        }
        Ok(opens)
    }

    /// How many there were.
    pub fn count(&self) -> Fallible<u64> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.0, &mut buffer);
        let mut count = 0;
        loop {
            match reader.next() {
                Ok(_) => count += 1,
                Err(Errno::WOULDBLOCK) => return Ok(count),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
