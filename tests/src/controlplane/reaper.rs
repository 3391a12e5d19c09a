//! Ends the programs of a control plane or a node when the process that started them is no more.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its input, which is the end of the process that holds the other side; then
/// kills every process that works in the folder, which only those of its owner do, and removes the
/// folder and the cgroups that are called like it, as soon as nothing uses them.
const SCRIPT: &str = r#"
cat >/dev/null
try() {
  for process in /proc/[0-9]*; do
    case $(readlink "$process/cwd") in
      "$1" | "$1"/*) kill -9 "${process#/proc/}" ;;
    esac
  done
  rm -rf "$1"
  for cgroup in "/sys/fs/cgroup/${1##*/}" /sys/fs/cgroup/*/"${1##*/}"; do
    [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} +
    [ ! -d "$cgroup" ] || return 1
  done
  [ ! -e "$1" ]
}
tries=200
until try "$1" || [ $tries = 0 ]; do
  tries=$((tries - 1))
  sleep 0.1
done 2>/dev/null
"#;

/// A shell that outlives this process, shortly.
#[derive(Debug)]
pub(crate) struct Reaper(Child);

impl Reaper {
    /// Watches over a folder.
    pub(crate) fn watch(folder: &Path) -> io::Result<Self> {
        let folder = folder.canonicalize()?;
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "reaper"])
            .arg(&folder)
            .current_dir("/")
            // Not ended by the Ctrl-C that ends the tests.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(shell))
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It ends by itself; waiting leaves no zombie.
        let _ = self.0.wait();
    }
}
