//! Credentials on their way from files to the git program, in no argument and no environment.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::GitError;
use crate::location::{Remote, Scheme};
use crate::secret::Secret;
use crate::source::Auth;

/// Bytes of a token file.
const MAX_TOKEN: u64 = 64 << 10;

/// How names of our files of credentials begin; a mirror's leftovers are removed by it.
pub(crate) const PREFIX: &str = "credentials.";

/// Credentials in a file for git's own `store` helper, readable by us alone.
pub(crate) struct Login {
    pub(crate) file: NamedTempFile,
    /// What no words of a program may hold.
    pub(crate) secret: Secret,
}

/// The login for a remote; none if git is to find credentials itself. The helper answers for the
/// URL's host only, not for one that it redirects to.
pub(crate) fn login(
    remote: &Remote,
    auth: &Auth,
    folder: &Path,
) -> Result<Option<Login>, GitError> {
    let scheme = match remote.scheme {
        Scheme::Https => "https",
        Scheme::Http => "http",
        Scheme::File | Scheme::Ssh => return Ok(None),
    };
    let Some((user, secret)) = user_and_secret(remote, auth)? else {
        return Ok(None);
    };
    if scheme == "http" && !remote.is_loopback() {
        let what = "the token or password".into();
        let why = "http would send it in the clear".into();
        return Err(GitError::Credentials { what, why });
    }
    let write = || {
        let mut file = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempfile_in(folder)?;
        let password = secret.percent_encoded();
        writeln!(file, "{scheme}://{user}:{password}@{}", remote.host)?;
        Ok(Some(Login { file, secret }))
    };
    write().map_err(GitError::store::<std::io::Error>(
        "keep the credentials for git",
    ))
}

/// The user is percent-encoded, as it stands in a URL.
fn user_and_secret(remote: &Remote, auth: &Auth) -> Result<Option<(String, Secret)>, GitError> {
    let user = remote.user.clone();
    match (auth, &remote.password) {
        (Auth::Token { file }, _) => {
            let user = user.unwrap_or_else(|| "x-access-token".into());
            let secret = Secret::of(&token(file)?).of_user(&user);
            Ok(Some((user, secret)))
        }
        (_, Some(password)) => {
            let user = user.unwrap_or_default();
            let secret = password.clone().of_user(&user);
            Ok(Some((user, secret)))
        }
        (_, None) => Ok(None),
    }
}

fn token(file: &Path) -> Result<String, GitError> {
    let refuse = |why: &str| unusable(file, "the token file", why);
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(MAX_TOKEN).read_to_string(&mut text))
        .map_err(|error| refuse(&error.to_string()))?;
    match text.trim() {
        "" => Err(refuse("it is empty")),
        token if token.contains(|c: char| c.is_control() || c.is_whitespace()) => {
            Err(refuse("it holds more than one word"))
        }
        token => Ok(token.to_owned()),
    }
}

/// The ssh command line. git splits it as a shell does, so the paths in it are plain words.
pub(crate) fn ssh_command(auth: &Auth) -> Result<String, GitError> {
    let common = "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 \
                  -o ServerAliveCountMax=3 -o ControlMaster=no -o ControlPersist=no \
                  -o ClearAllForwardings=yes -o PermitLocalCommand=no";
    let Auth::SshKey { key, known_hosts } = auth else {
        return Ok(common.into());
    };
    let known_hosts = readable(known_hosts, "the known_hosts file")?;
    let key = private(key)?;
    Ok(format!(
        "{common} -F /dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes \
         -o IdentityAgent=none -o PreferredAuthentications=publickey \
         -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile={known_hosts} \
         -o IdentityFile={key}"
    ))
}

/// The path of a file that is there, as text.
pub(crate) fn present<'a>(path: &'a Path, what: &str) -> Result<&'a str, GitError> {
    File::open(path).map_err(|error| unusable(path, what, &error.to_string()))?;
    path.to_str()
        .ok_or_else(|| unusable(path, what, "its path is not UTF-8"))
}

/// The path of a file that is there, which no shell and no ssh reads as anything but one word:
/// without its key, ssh would try others.
fn readable<'a>(path: &'a Path, what: &str) -> Result<&'a str, GitError> {
    let text = present(path, what)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    if text.starts_with('/') && text.chars().all(plain) {
        return Ok(text);
    }
    let why = "its path must be absolute, of letters, digits and `/._-+@:,`";
    Err(unusable(path, what, why))
}

/// A key that ssh takes: it ignores one that is ours and that others may read, as a mounted Secret
/// is by default.
fn private(key: &Path) -> Result<&str, GitError> {
    let what = "the ssh key";
    let text = readable(key, what)?;
    let data = key
        .metadata()
        .map_err(|error| unusable(key, what, &error.to_string()))?;
    if data.mode() & 0o077 != 0 && data.uid() == rustix::process::getuid().as_raw() {
        let mode = data.mode() & 0o777;
        let why = format!(
            "others may read it (mode {mode:04o}), so ssh ignores it; `chmod 600` it, or set \
             defaultMode: 0400 where its Secret is mounted"
        );
        return Err(unusable(key, what, &why));
    }
    Ok(text)
}

/// One word for a shell.
pub(crate) fn quoted(path: &Path) -> Result<String, GitError> {
    let text = path
        .to_str()
        .ok_or_else(|| unusable(path, "the mirror", "its path is not UTF-8"))?;
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

fn unusable(path: &Path, what: &str, why: &str) -> GitError {
    GitError::Credentials {
        what: format!("{what} {}", path.display()),
        why: why.into(),
    }
}
