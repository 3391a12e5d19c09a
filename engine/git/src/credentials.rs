//! Credentials on their way from files to the git program, in no argument and no environment.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::GitError;
use crate::location::{Remote, Scheme};
use crate::source::Auth;

/// Bytes of a token file.
const MAX_TOKEN: u64 = 64 << 10;

/// A file for git's own `store` helper, readable by us alone. The helper answers for the URL's host
/// only, not for one that it redirects to. None if git is to find credentials itself.
pub(crate) fn store_file(remote: &Remote, auth: &Auth) -> Result<Option<NamedTempFile>, GitError> {
    let scheme = match remote.scheme {
        Scheme::Https => "https",
        Scheme::Http => "http",
        Scheme::File | Scheme::Ssh => return Ok(None),
    };
    let Some((user, password)) = login(remote, auth)? else {
        return Ok(None);
    };
    if scheme == "http" && !remote.is_loopback() {
        let what = "the token or password".into();
        let why = "http would send it in the clear".into();
        return Err(GitError::Credentials { what, why });
    }
    let write = || {
        let mut file = NamedTempFile::new()?;
        writeln!(file, "{scheme}://{user}:{password}@{}", remote.host)?;
        Ok(Some(file))
    };
    write().map_err(GitError::store::<std::io::Error>(
        "keep the credentials for git",
    ))
}

/// User and password, percent-encoded.
fn login(remote: &Remote, auth: &Auth) -> Result<Option<(String, String)>, GitError> {
    let user = remote.user.clone();
    match (auth, &remote.password) {
        (Auth::Token { file }, _) => {
            let user = user.unwrap_or_else(|| "x-access-token".into());
            Ok(Some((user, percent(&token(file)?))))
        }
        (_, Some(password)) => Ok(Some((user.unwrap_or_default(), password.0.clone()))),
        (_, None) => Ok(None),
    }
}

fn token(file: &Path) -> Result<String, GitError> {
    let what = || format!("the token file {}", file.display());
    let refuse = |why: &str| GitError::Credentials {
        what: what(),
        why: why.into(),
    };
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

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| {
        if plain(byte) {
            char::from(byte).into()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

/// The ssh command line. git splits it as a shell does, so the paths in it are plain words.
pub(crate) fn ssh_command(auth: &Auth) -> Result<String, GitError> {
    let common =
        "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ControlMaster=no -o ControlPersist=no";
    let Auth::SshKey { key, known_hosts } = auth else {
        return Ok(common.into());
    };
    let key = readable(key, "the ssh key")?;
    let known_hosts = readable(known_hosts, "the known_hosts file")?;
    Ok(format!(
        "{common} -F /dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes \
         -o IdentityAgent=none -o GlobalKnownHostsFile=/dev/null \
         -o UserKnownHostsFile={known_hosts} -o IdentityFile={key}"
    ))
}

/// The path of a file, as text.
pub(crate) fn utf8<'a>(path: &'a Path, what: &str) -> Result<&'a str, GitError> {
    path.to_str()
        .ok_or_else(|| unusable(path, what, "its path is not UTF-8"))
}

/// A path that no shell and no ssh reads as anything but one word.
pub(crate) fn plain<'a>(path: &'a Path, what: &str) -> Result<&'a str, GitError> {
    let text = utf8(path, what)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    if text.starts_with('/') && text.chars().all(plain) {
        return Ok(text);
    }
    let why = "its path must be absolute, of letters, digits and `/._-+@:,`";
    Err(unusable(path, what, why))
}

/// A plain path of a file that is there: without its key, ssh would try others.
fn readable<'a>(path: &'a Path, what: &str) -> Result<&'a str, GitError> {
    let text = plain(path, what)?;
    File::open(path).map_err(|error| unusable(path, what, &error.to_string()))?;
    Ok(text)
}

fn unusable(path: &Path, what: &str, why: &str) -> GitError {
    GitError::Credentials {
        what: format!("{what} {}", path.display()),
        why: why.into(),
    }
}
