//! Where the built programs are.

use std::path::{Path, PathBuf};

use super::StartError;

/// A program of a control plane, in the order in which they are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The store.
    Etcd,
    /// The API.
    ApiServer,
    /// Garbage collection, namespaces, nodes' taints, quotas and the other controllers.
    ControllerManager,
    /// Puts pods on nodes.
    Scheduler,
    /// Simulates the kubelets of all nodes.
    Kwok,
}

impl Part {
    const ALL: [Self; 5] = [
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kwok,
    ];

    /// The name of its program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
        }
    }
}

const KUBECTL: &str = "kubectl";

/// The folder of all programs.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// The programs that `make controlplane` built; an error names what is missing.
    pub fn find() -> Result<Self, StartError> {
        Self::in_folder(&target().join("controlplane/bin"))
    }

    /// What this machine has to run the real control plane with: nothing if `make controlplane`
    /// never ran, which is an error under `BERTH_CONTROLPLANE=required`.
    pub fn if_built() -> Result<Option<Self>, StartError> {
        let required = std::env::var("BERTH_CONTROLPLANE").is_ok_and(|value| value == "required");
        match Self::find() {
            Ok(programs) => Ok(Some(programs)),
            Err(StartError::NotBuilt { .. }) if !required => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The client of the same version.
    pub fn kubectl(&self) -> PathBuf {
        self.folder.join(KUBECTL)
    }

    /// A program that a further target builds.
    pub fn of_target(&self, target: &str, name: &str) -> Result<PathBuf, StartError> {
        let program = self.folder.join(name);
        if program.is_file() {
            return Ok(program);
        }
        let words = format!("{name} is not built: run `make {target}` (needs Go)");
        Err(StartError::Lacks { words })
    }

    fn in_folder(folder: &Path) -> Result<Self, StartError> {
        let all = Part::ALL.into_iter().map(Part::program).chain([KUBECTL]);
        let mut missing = all.filter(|program| !folder.join(program).is_file());
        match missing.next() {
            Some(program) => Err(StartError::NotBuilt {
                program: folder.join(program),
            }),
            None => Ok(Self {
                folder: folder.to_owned(),
            }),
        }
    }

    pub(super) fn path(&self, part: Part) -> PathBuf {
        self.folder.join(part.program())
    }
}

/// Cargo's target folder: the one that this test was built into.
fn target() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    set.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let error = Programs::in_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("etcd"), "{error}");
        assert!(error.contains("make controlplane"), "{error}");
        for part in Part::ALL {
            std::fs::write(folder.path().join(part.program()), "").unwrap();
        }
        let error = Programs::in_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("kubectl"), "{error}");
        std::fs::write(folder.path().join(KUBECTL), "").unwrap();
        assert!(Programs::in_folder(folder.path()).is_ok());
    }
}
