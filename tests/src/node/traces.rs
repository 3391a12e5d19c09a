//! What a node could leave behind.

use std::path::{Path, PathBuf};

/// Where the machine would see the node's bridge.
const BRIDGE: &str = "/sys/class/net/berth0";

/// By what its remains are known.
#[derive(Debug, Clone)]
pub struct Traces {
    folder: PathBuf,
    /// The process namespace, as `/proc` names it.
    namespace: PathBuf,
}

impl Traces {
    pub(super) fn of(folder: &Path, first: i32) -> Self {
        let namespace = std::fs::read_link(format!("/proc/{first}/ns/pid"));
        Self {
            folder: folder.to_owned(),
            namespace: namespace.unwrap_or_default(),
        }
    }

    /// As one line, for another process.
    pub fn to_line(&self) -> String {
        format!("{} {}", self.namespace.display(), self.folder.display())
    }

    /// From such a line.
    pub fn from_line(line: &str) -> Option<Self> {
        let (namespace, folder) = line.split_once(' ')?;
        Some(Self {
            folder: folder.into(),
            namespace: namespace.into(),
        })
    }

    /// What is there of it: processes, mounts, links, cgroups, its folder.
    pub fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for process in entries(Path::new("/proc")) {
            // Only processes have namespaces; one that ends just now has none.
            if std::fs::read_link(process.join("ns/pid")).is_ok_and(|it| it == self.namespace) {
                let words = std::fs::read_to_string(process.join("comm"));
                left.push(format!("process {}", words.unwrap_or_default().trim()));
            }
        }
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let folder = self.folder.display().to_string();
        let ours = mounts.lines().filter(|line| line.contains(&folder));
        left.extend(ours.map(|line| format!("mount {line}")));
        let mut paths = self.cgroups();
        paths.push(PathBuf::from(BRIDGE));
        paths.push(self.folder.clone());
        let there = paths.into_iter().filter(|path| path.exists());
        left.extend(there.map(|path| path.display().to_string()));
        left
    }

    fn cgroups(&self) -> Vec<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let mut roots = entries(root);
        roots.push(root.to_owned());
        let name = self.folder.file_name().unwrap_or_default();
        roots.into_iter().map(|root| root.join(name)).collect()
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
