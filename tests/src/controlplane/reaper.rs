//! Ends the programs of a control plane when the process that started them is no more.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its input, which is the end of the process that holds the other side; then
/// kills every process that works in the folder, which only the control plane's do, and removes it.
const SCRIPT: &str = r#"
cat >/dev/null
for process in /proc/[0-9]*; do
  [ "$(readlink "$process/cwd")" != "$1" ] || kill -9 "${process#/proc/}"
done 2>/dev/null
rm -rf "$1"
"#;

/// A shell that outlives this process, shortly.
#[derive(Debug)]
pub(super) struct Reaper(Child);

impl Reaper {
    /// Watches over a folder.
    pub(super) fn watch(folder: &Path) -> io::Result<Self> {
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
