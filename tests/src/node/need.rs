//! What a node takes.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::CONFIGURATION;
use crate::controlplane::{Programs, StartError};

/// The programs of a node that are built.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Runs pods.
    pub kubelet: PathBuf,
    /// Answers for names.
    pub coredns: PathBuf,
}

/// What this machine has to run a node with; `None`, said aloud, if something is missing and need
/// not be there. Under `BERTH_NODE=required` an error says what is missing.
pub fn tools() -> Result<Option<Tools>, StartError> {
    let required = std::env::var("BERTH_NODE").is_ok_and(|value| value == "required");
    match find() {
        Ok(tools) => Ok(Some(tools)),
        Err(error) if required => Err(error),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "NOT RUN: the real node: {error}");
            Ok(None)
        }
    }
}

fn find() -> Result<Tools, StartError> {
    let need = Command::new(format!("{CONFIGURATION}/need")).output()?;
    if !need.status.success() {
        let words = String::from_utf8_lossy(&need.stderr).trim_end().to_owned();
        return Err(StartError::Lacks { words });
    }
    let programs = Programs::find()?;
    let built = |name| programs.of_target("controlplane-node", name);
    Ok(Tools {
        kubelet: built("kubelet")?,
        coredns: built("coredns")?,
    })
}
