//! One repository behind ssh and https, each with its weather.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use berth_git::{Auth, Source};

use super::certificates::Authority;
use super::https::{Https, TOKEN};
use super::proxy::Proxy;
use super::ssh::Sshd;

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By a key.
    Ssh,
    /// By a token, over TLS.
    Https,
}

impl Transport {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ssh, Self::Https];
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ssh => "ssh",
            Self::Https => "https",
        })
    }
}

/// A forge with one repository.
pub struct Forge {
    /// The server behind ssh.
    pub sshd: Sshd,
    /// The server behind https.
    pub https: Https,
    /// Who signs the certificates.
    pub authority: Authority,
    folder: PathBuf,
    repository: PathBuf,
    proxies: [Proxy; 2],
}

impl Forge {
    /// Serves the repository in the folder `.git` of this one; files of its own go to `folder`.
    pub fn of(root: &Path, folder: &Path) -> Self {
        let folder = folder.join("forge");
        std::fs::create_dir_all(&folder).unwrap();
        let authority = Authority::new(&folder, "authority");
        let https = Https::start("127.0.0.1", root, authority.good());
        let sshd = Sshd::start(&folder.join("ssh"));
        let proxies = [
            Proxy::before(sshd.address()),
            Proxy::before(https.address()),
        ];
        sshd.write_known_hosts(proxies[0].address());
        std::fs::write(folder.join("token"), format!("{TOKEN}\n")).unwrap();
        Self {
            sshd,
            https,
            authority,
            folder,
            repository: root.join(".git"),
            proxies,
        }
    }

    /// The weather of a transport.
    pub fn proxy(&self, transport: Transport) -> &Proxy {
        match transport {
            Transport::Ssh => &self.proxies[0],
            Transport::Https => &self.proxies[1],
        }
    }

    /// Where the repository is.
    pub fn url(&self, transport: Transport) -> String {
        let address = self.proxy(transport).address();
        match transport {
            Transport::Ssh => {
                let path = self.repository.display();
                format!("ssh://{}@{address}{path}", user())
            }
            Transport::Https => format!("https://{address}/.git"),
        }
    }

    /// The file that holds the token.
    pub fn token_file(&self) -> PathBuf {
        self.folder.join("token")
    }

    /// The key that is let in, and the hosts that are known.
    pub fn key_and_hosts(&self) -> (PathBuf, PathBuf) {
        (self.sshd.key(), self.folder.join("ssh/known_hosts"))
    }

    /// The right credentials.
    pub fn auth(&self, transport: Transport) -> Auth {
        match transport {
            Transport::Ssh => {
                let (key, known_hosts) = self.key_and_hosts();
                Auth::SshKey { key, known_hosts }
            }
            Transport::Https => Auth::Token {
                file: self.token_file(),
            },
        }
    }

    /// The repository with the right credentials.
    pub fn source(&self, transport: Transport) -> Source {
        Source::new(&self.url(transport), "main")
            .unwrap()
            .with_auth(self.auth(transport))
            .with_ca_file(self.authority.file().to_owned())
    }

    /// The same as arguments of `berth run`.
    pub fn flags(&self, transport: Transport) -> Vec<String> {
        let (key, known_hosts) = self.key_and_hosts();
        let flags = match transport {
            Transport::Ssh => [("--ssh-key", key), ("--known-hosts", known_hosts)],
            Transport::Https => [
                ("--token-file", self.token_file()),
                ("--ca-file", self.authority.file().to_owned()),
            ],
        };
        let text = |(flag, file): (&str, PathBuf)| [flag.to_owned(), file.display().to_string()];
        flags.into_iter().flat_map(text).collect()
    }
}

/// Whoever tests.
fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
