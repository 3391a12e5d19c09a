//! A repository on a forge, read and written as Berth does.

use std::path::Path;
use std::time::Duration;

use berth_git::{
    Auth, GitError, Limits, Person, PushError, Repository, Source, StatusBranch, StatusFiles,
};
use berth_tests::e2e::{BRANCH, StateRepository};
use berth_tests::remotes::{Forge, TOKEN, Transport};

pub struct Scene {
    pub repository: StateRepository,
    pub forge: Forge,
    pub folder: tempfile::TempDir,
}

impl Scene {
    /// With one commit.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("berth-remotes-")
            .tempdir()
            .unwrap();
        let repository = StateRepository::create(folder.path().join("state"));
        repository.write("a.yaml", "a: 1\n");
        repository.commit("First");
        let forge = Forge::of(repository.root(), folder.path());
        Self {
            repository,
            forge,
            folder,
        }
    }

    /// The source with the right credentials, which waits no longer than two seconds.
    pub fn impatient(&self, transport: Transport) -> Source {
        self.forge.source(transport).with_limits(Limits {
            timeout: Duration::from_secs(2),
            ..Limits::default()
        })
    }

    pub fn mirror(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("mirrors").join(name)
    }

    /// A reader with a mirror of this name.
    pub fn reader(&self, source: Source, mirror: &str) -> Repository {
        Repository::open(source, &self.mirror(mirror)).unwrap()
    }

    /// The error of a fetch, which holds no secret.
    pub fn fetch_fails(&self, source: Source) -> GitError {
        let error = self.reader(source, "of-failure").fetch().unwrap_err();
        no_secret(&told(&error));
        error
    }

    pub fn with_auth(&self, transport: Transport, auth: Auth) -> Source {
        self.forge.source(transport).with_auth(auth)
    }

    pub fn status(&self, source: &Source, mirror: &str) -> Status {
        Status(StatusBranch::open(source, &self.mirror(mirror), "lab").unwrap())
    }

    pub fn tip(&self) -> Option<String> {
        self.repository.tip(BRANCH)
    }

    /// A file that no compression makes smaller.
    pub fn write_noise(&self, path: &str, seed: &str, bytes: usize) {
        std::fs::write(self.repository.root().join(path), noise(seed, bytes)).unwrap();
    }

    /// Nothing that was received in part, and no secret, lies in the mirrors.
    pub fn is_clean(&self) {
        each_file(&self.folder.path().join("mirrors"), &mut |file| {
            let name = file.display().to_string();
            assert!(!name.contains("/tmp_"), "left behind: {name}");
            no_secret(&String::from_utf8_lossy(&std::fs::read(file).unwrap()));
        });
    }
}

/// The status branch with one line for each call.
pub struct Status(pub StatusBranch);

impl Status {
    pub fn load(&self) -> Option<StatusFiles> {
        self.0.load().unwrap()
    }

    /// Commits a file on top of `base`.
    pub fn commit(
        &self,
        base: Option<berth_core::ids::CommitId>,
        content: &[u8],
    ) -> berth_core::ids::CommitId {
        let who = Person {
            name: "Berth".into(),
            email: "berth@example.com".into(),
        };
        let changes = [("file".to_owned(), Some(content.to_vec()))];
        self.0.commit(base, &changes, "status", 0, &who).unwrap()
    }

    /// The error of a push, which holds no secret.
    pub fn push_fails(
        &self,
        old: Option<berth_core::ids::CommitId>,
        new: berth_core::ids::CommitId,
    ) -> PushError {
        let error = self.0.push(old, new).unwrap_err();
        no_secret(&format!("{error} {error:?} {}", error.help()));
        error
    }
}

/// All that is said of an error.
pub fn told(error: &GitError) -> String {
    format!("{error} {error:?} {}", error.help())
}

/// Neither the token nor what is sent for it.
pub fn no_secret(text: &str) {
    for secret in [TOKEN, "czNjcmV0LXQwa2VuLTQ3MTE", "NjcmV0LXQwa2VuLTQ3MT"] {
        assert!(!text.contains(secret), "a secret is shown: {text}");
    }
}

/// Bytes that are like no others, but for the same seed.
pub fn noise(seed: &str, bytes: usize) -> Vec<u8> {
    let mix = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut state = seed.bytes().fold(0x2545_f491_4f6c_dd1d, mix);
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

pub fn each_file(folder: &Path, look: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            each_file(&entry.path(), look);
        } else {
            look(&entry.path());
        }
    }
}
