//! New objects of one commit, written all at once: few as files, many as one pack.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use gix::ObjectId;
use gix::objs::{Data, Write};
use gix::odb::memory::Storage;
use gix::progress::Discard;
use gix_pack::data::{Version, output};

use crate::error::GitError;

/// From so many objects on they are a pack, as git's `transfer.unpackLimit` has it: a file each
/// costs more than all else in a commit that tells a thousand experiments.
const PACKED: usize = 100;

const DOING: &str = "write objects";

/// Objects that were written, to which no reference leads yet.
pub(crate) struct Written {
    files: Vec<PathBuf>,
    /// Keeps a pack from being taken away by `git gc`. One that is left by a killed program does no
    /// harm: the pack is only never packed anew.
    keep: Option<PathBuf>,
}

impl Written {
    /// Returns once they outlast a loss of power.
    pub(crate) fn sync(&self) -> Result<(), GitError> {
        self.files.iter().try_for_each(|file| sync(file))
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Some(path) = self.keep.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Returns once a file and its name outlast a loss of power.
pub(crate) fn sync(file: &Path) -> Result<(), GitError> {
    let folder = file.parent().into_iter();
    for path in [file].into_iter().chain(folder) {
        let synced = File::open(path).and_then(|opened| opened.sync_all());
        synced.map_err(GitError::store("have the disk keep what was written"))?;
    }
    Ok(())
}

/// Writes these objects into the repository. A reference to them is to be made while what is
/// returned lives.
pub(crate) fn write(repo: &gix::Repository, objects: &Storage) -> Result<Written, GitError> {
    if objects.len() >= PACKED {
        return pack(repo, objects);
    }
    for (kind, data) in objects.values() {
        repo.objects
            .write_buf(*kind, data)
            .map_err(GitError::store(DOING))?;
    }
    let folder = repo.objects.store_ref().path();
    Ok(Written {
        files: objects.keys().map(|id| loose(folder, id)).collect(),
        keep: None,
    })
}

fn loose(folder: &Path, id: &ObjectId) -> PathBuf {
    let hex = id.to_string();
    let (first, rest) = hex.split_at(2);
    folder.join(first).join(rest)
}

fn pack(repo: &gix::Repository, objects: &Storage) -> Result<Written, GitError> {
    let folder = repo.objects.store_ref().path().join("pack");
    std::fs::create_dir_all(&folder).map_err(GitError::store(DOING))?;
    let bytes = encode(repo, objects).map_err(GitError::store(DOING))?;
    let options = gix_pack::bundle::write::Options {
        thread_limit: Some(1),
        ..gix_pack::bundle::write::Options::default()
    };
    let written = gix_pack::Bundle::write_to_directory(
        &mut BufReader::new(bytes.as_slice()),
        Some(&folder),
        &mut Discard,
        &AtomicBool::new(false),
        None::<gix::OdbHandle>,
        repo.object_hash(),
        options,
    );
    let written = written.map_err(GitError::store(DOING))?;
    Ok(Written {
        files: [written.data_path, written.index_path]
            .into_iter()
            .flatten()
            .collect(),
        keep: written.keep_path,
    })
}

/// A pack without deltas.
fn encode(repo: &gix::Repository, objects: &Storage) -> gix::Result<Vec<u8>> {
    let hash = repo.object_hash();
    let entries = objects.iter().map(|(id, (kind, data))| {
        let data = Data {
            kind: *kind,
            object_hash: hash,
            data,
        };
        let count = output::Count::from_data(*id, None);
        let speed = gix::zlib::Compression::BEST_SPEED;
        Ok(vec![output::Entry::from_data(&count, &data, speed)?])
    });
    let count = u32::try_from(objects.len()).unwrap_or(u32::MAX);
    let mut writer =
        output::bytes::FromEntriesIter::new(entries, Vec::new(), count, Version::V2, hash);
    for written in &mut writer {
        written?;
    }
    Ok(writer.into_write())
}
