//! The git program as Berth calls it for one remote.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::NamedTempFile;

use crate::credentials;
use crate::error::GitError;
use crate::location::{Remote, Scheme};
use crate::program::{self, Bounds, Output};
use crate::source::{Auth, Source};
use crate::words;

/// Settings that hold whatever the user's or the system's configuration says.
const SETTINGS: [&str; 10] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.bigFileThreshold=16m",
    "http.sslVerify=true",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "push.gpgSign=false",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
];

/// A remote and how to speak to it.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    remote: Remote,
    auth: Auth,
    ca_file: Option<PathBuf>,
    bounds: Bounds,
}

/// A command, and the file of credentials that lives as long as it.
struct Prepared {
    command: Command,
    _credentials: Option<NamedTempFile>,
}

impl Wire {
    pub(crate) fn new(remote: Remote, source: &Source) -> Self {
        let limits = &source.limits;
        Self {
            remote,
            auth: source.auth.clone(),
            ca_file: source.ca_file.clone(),
            bounds: Bounds {
                timeout: limits.timeout,
                file: limits.max_fetch,
            },
        }
    }

    /// Brings a reference of the remote to one of the mirror, whatever that was before. False if
    /// the remote has no such reference.
    pub(crate) fn fetch(&self, mirror: &Path, from: &str, to: &str) -> Result<bool, GitError> {
        let options = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-show-forced-updates",
        ];
        let output = self.run(mirror, &options, &[&format!("+{from}:{to}")])?;
        if !output.success && !words::is_missing_reference(&output.stderr) {
            return Err(words::failure(&output.stderr).into());
        }
        Ok(output.success)
    }

    /// The names of the remote's references, as many as fit into a bounded answer.
    pub(crate) fn references(&self, mirror: &Path) -> Result<Vec<String>, GitError> {
        let output = self.run(mirror, &["ls-remote", "--quiet", "--refs"], &[])?;
        if !output.success {
            return Err(words::failure(&output.stderr).into());
        }
        let name = |line: &str| line.split_once('\t').map(|(_, name)| name.to_owned());
        Ok(output.stdout.lines().filter_map(name).collect())
    }

    /// Runs git with the options, `--`, the URL and the last arguments.
    pub(crate) fn run(
        &self,
        mirror: &Path,
        options: &[&str],
        last: &[&str],
    ) -> Result<Output, GitError> {
        let mut prepared = self.prepare(mirror)?;
        prepared
            .command
            .args(options)
            .arg("--")
            .arg(&self.remote.url)
            .args(last);
        Ok(program::run(prepared.command, &self.bounds)?)
    }

    fn prepare(&self, mirror: &Path) -> Result<Prepared, GitError> {
        let mut command = program::git();
        command.arg("--git-dir").arg(mirror);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if let Some(file) = &self.ca_file {
            let file = credentials::utf8(file, "the CA file")?;
            command.arg("-c").arg(format!("http.sslCAInfo={file}"));
        }
        let protocols = match self.remote.scheme {
            Scheme::File => "file",
            Scheme::Ssh | Scheme::Https | Scheme::Http => "https:http:ssh",
        };
        command
            .env("GIT_ALLOW_PROTOCOL", protocols)
            .env("GIT_SSH_VARIANT", "ssh")
            .env("GIT_SSH_COMMAND", credentials::ssh_command(&self.auth)?);
        let credentials = credentials::store_file(&self.remote, &self.auth)?;
        if let Some(file) = &credentials {
            let file = credentials::plain(file.path(), "the temporary folder")?;
            command.args(["-c", "credential.helper="]);
            command
                .arg("-c")
                .arg(format!("credential.helper=store --file={file}"));
        }
        Ok(Prepared {
            command,
            _credentials: credentials,
        })
    }
}
