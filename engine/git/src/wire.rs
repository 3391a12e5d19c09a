//! The git program as Berth calls it for one remote.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::credentials::{self, Login};
use crate::error::GitError;
use crate::leftovers::Mirror;
use crate::location::{Remote, Scheme};
use crate::program::{self, Bounds, Output};
use crate::source::{Auth, Source};
use crate::stop::Stop;
use crate::words;

/// Settings that hold whatever the user's or the system's configuration says.
const SETTINGS: [&str; 19] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.bigFileThreshold=16m",
    "credential.interactive=false",
    "http.sslVerify=true",
    "http.followRedirects=initial",
    "http.lowSpeedLimit=1",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "fetch.prune=false",
    "fetch.pruneTags=false",
    "fetch.uriProtocols=",
    "transfer.bundleURI=false",
    "push.gpgSign=false",
    "push.pushOption=",
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
    stop: Stop,
}

/// A command, and the login that lives as long as it.
struct Prepared {
    command: Command,
    login: Option<Login>,
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
            stop: source.stop.clone(),
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
        let output = self.run(mirror, &options, &[&format!("+{from}:{to}")]);
        if !output.as_ref().is_ok_and(|output| output.success) {
            // What was half received would fill the disk, attempt by attempt.
            Mirror::of(mirror).clean();
        }
        let output = output?;
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

    /// Runs git with the options, `--`, the URL and the last arguments. Its words come without the
    /// secret, even if the remote said it.
    pub(crate) fn run(
        &self,
        mirror: &Path,
        options: &[&str],
        last: &[&str],
    ) -> Result<Output, GitError> {
        let used = Mirror::of(mirror).used()?;
        let Prepared { mut command, login } = self.prepare(mirror)?;
        command
            .args(options)
            .arg("--")
            .arg(&self.remote.url)
            .args(last);
        let output = program::run(command, &self.bounds, &self.stop);
        drop(used);
        if login.is_some() {
            Mirror::of(mirror).forget_credentials();
        }
        let output = output?;
        Ok(match login {
            Some(Login { secret, .. }) => Output {
                stdout: secret.hide(output.stdout),
                stderr: secret.hide(output.stderr),
                ..output
            },
            None => output,
        })
    }

    fn prepare(&self, mirror: &Path) -> Result<Prepared, GitError> {
        let mut command = program::git();
        command.arg("--git-dir").arg(mirror);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        // A program that outlives a killed daemon ends by itself.
        let patience = self.bounds.timeout.as_secs() + 5;
        command
            .arg("-c")
            .arg(format!("http.lowSpeedTime={patience}"));
        // A setting for a URL would win over the general one. In the environment, as a URL may hold
        // the `=` at which an argument is split.
        command
            .env("GIT_CONFIG_COUNT", "1")
            .env(
                "GIT_CONFIG_KEY_0",
                format!("http.{}.sslVerify", self.remote.url),
            )
            .env("GIT_CONFIG_VALUE_0", "true");
        self.trust(&mut command, mirror)?;
        if self.remote.is_loopback() {
            // A proxy is for the world outside.
            command.env("NO_PROXY", "*").env("no_proxy", "*");
        }
        command
            .env("GIT_ALLOW_PROTOCOL", self.protocols())
            .env("GIT_SSH_VARIANT", "ssh")
            .env("GIT_SSH_COMMAND", credentials::ssh_command(&self.auth)?);
        let folder = std::path::absolute(mirror).map_err(GitError::store("find the mirror"))?;
        let login = credentials::login(&self.remote, &self.auth, &folder)?;
        if let Some(login) = &login {
            let file = credentials::quoted(login.file.path())?;
            command.args(["-c", "credential.helper="]);
            command
                .arg("-c")
                .arg(format!("credential.helper=store --file={file}"));
        }
        Ok(Prepared { command, login })
    }

    /// With a CA file, no other authority is trusted: neither the system's nor a configuration's,
    /// over which these variables win.
    fn trust(&self, command: &mut Command, mirror: &Path) -> Result<(), GitError> {
        let Some(file) = &self.ca_file else {
            return Ok(());
        };
        let file = credentials::present(file, "the CA file")?;
        let nobody = Mirror::of(mirror).empty_folder()?;
        command
            .env("GIT_SSL_CAINFO", file)
            .env("GIT_SSL_CAPATH", nobody);
        Ok(())
    }

    /// What git may speak, wherever a redirect, or an `insteadOf` of the user, leads: nothing less
    /// safe than what was asked for.
    fn protocols(&self) -> &'static str {
        match self.remote.scheme {
            Scheme::File => "file",
            Scheme::Ssh | Scheme::Https => "https:ssh",
            Scheme::Http => "http:https:ssh",
        }
    }
}
