//! What a node could leave behind.

use std::path::{Path, PathBuf};

/// The node's bridge.
const BRIDGE: &str = "berth0:";

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

    /// What is there of it on the machine: processes, mounts, links, cgroups, its folder.
    pub fn left(&self) -> Vec<String> {
        let on_the_machine = self.seen_by("self");
        on_the_machine
            .into_iter()
            .flat_map(|(_, seen)| seen)
            .collect()
    }

    /// Of what nothing is found while the node is there, though all of it is. Mounts and links are
    /// looked for from within, as they are its own.
    pub(super) fn overlooked(&self, first: i32) -> Vec<&'static str> {
        let from_within = self.seen_by(&first.to_string());
        let nothing = from_within.into_iter().filter(|(_, seen)| seen.is_empty());
        nothing.map(|(what, _)| what).collect()
    }

    /// By kind, what a process sees of it.
    fn seen_by(&self, process: &str) -> [(&'static str, Vec<String>); 5] {
        let read = |file| std::fs::read_to_string(format!("/proc/{process}/{file}"));
        // The root of a bind mount is a path in its file system, which need not be the whole one.
        let name = self.name();
        let mounts = read("mountinfo").unwrap_or_default();
        let mounts = mounts.lines().filter(|line| line.contains(&name));
        let links = read("net/dev").unwrap_or_default();
        let links = links
            .lines()
            .filter(|line| line.trim_start().starts_with(BRIDGE));
        let there = |paths: Vec<PathBuf>| {
            let there = paths.into_iter().filter(|path| path.exists());
            there.map(|path| path.display().to_string()).collect()
        };
        [
            ("processes", self.processes()),
            (
                "mounts",
                mounts.map(|line| format!("mount {line}")).collect(),
            ),
            ("links", links.map(|line| format!("link {line}")).collect()),
            ("cgroups", there(self.cgroups())),
            ("its folder", there(vec![self.folder.clone()])),
        ]
    }

    fn processes(&self) -> Vec<String> {
        let all = entries(Path::new("/proc")).into_iter();
        // Only processes have namespaces; one that ends just now has none.
        let ours = all.filter(|process| {
            std::fs::read_link(process.join("ns/pid")).is_ok_and(|it| it == self.namespace)
        });
        ours.map(|process| {
            let words = std::fs::read_to_string(process.join("comm"));
            format!("process {}", words.unwrap_or_default().trim())
        })
        .collect()
    }

    fn name(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn cgroups(&self) -> Vec<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let mut roots = entries(root);
        roots.push(root.to_owned());
        roots
            .into_iter()
            .map(|root| root.join(self.name()))
            .collect()
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
