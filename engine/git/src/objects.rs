//! New objects of one commit, written all at once: few as files, many as one pack.

use std::io::BufReader;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use gix::objs::{Data, Write};
use gix::odb::memory::Storage;
use gix::progress::Discard;
use gix_pack::data::{Version, output};

use crate::error::GitError;

/// From so many objects on they are a pack, as git's `transfer.unpackLimit` has it: a file each
/// costs more than all else in a commit that tells a thousand experiments.
const PACKED: usize = 100;

const DOING: &str = "write objects";

/// Keeps a pack from being taken away by `git gc` until a reference leads to it. One that is left
/// by a killed program does no harm: the pack is only never packed anew.
pub(crate) struct Kept(Option<PathBuf>);

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Writes these objects into the repository. A reference to them is to be made while what is
/// returned lives.
pub(crate) fn write(repo: &gix::Repository, objects: &Storage) -> Result<Kept, GitError> {
    if objects.len() >= PACKED {
        return pack(repo, objects);
    }
    for (kind, data) in objects.values() {
        repo.objects
            .write_buf(*kind, data)
            .map_err(GitError::store(DOING))?;
    }
    Ok(Kept(None))
}

fn pack(repo: &gix::Repository, objects: &Storage) -> Result<Kept, GitError> {
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
    Ok(Kept(written.map_err(GitError::store(DOING))?.keep_path))
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
