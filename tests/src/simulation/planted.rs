//! Faults of ours that are put between the reconciler and the world, to see that they are found.

use berth_core::desired::Desired;
use berth_core::ids::Uid;
use berth_core::ledger::Ledger;
use berth_core::reconciler::{Effect, What};
use serde_json::Value;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// Status commits are answered as pushed, and their files are lost.
    SkippedRecord,
    /// Later attempts take the names of the first.
    ReusedAttempt,
    /// Pods are made without the finalizer that keeps them until their outcome is safe.
    SkippedFinalizer,
    /// It writes whether it holds the Lease or not.
    WritesWithoutLease,
    /// It goes on though the status branch is not what it was.
    IgnoredHalt,
    /// A listing is taken to be complete as soon as it begins.
    HastyListing,
    /// What the watch of the nodes tells is taken to be newer than all else.
    HastyNodes,
    /// `berth reanchor` takes a history that was lost for one that never was.
    ForgottenPast,
    /// An object in the way that is somebody else's is taken for Berth's own.
    AdoptedForeigner,
    /// A pod that is not seen is taken to be gone.
    BelievedGone,
    /// What is not valid keeps what this daemon's own loader takes to be in force, whoever led before.
    OwnForms,
}

impl Planted {
    /// Puts the fault into an effect.
    pub fn spoil(self, effect: &mut Effect) {
        match (self, &mut effect.what) {
            (Self::SkippedRecord, What::Record { files, .. }) => {
                files.retain(|path, _| !path.starts_with("experiment/"));
            }
            (Self::ReusedAttempt, What::Create { body, .. }) => rename(body),
            (Self::SkippedFinalizer, What::Create { body, .. }) => {
                if let Some(meta) = body["metadata"].as_object_mut() {
                    meta.remove("finalizers");
                }
            }
            (Self::BelievedGone, What::Mark { uid, .. }) => *uid = Uid("another".into()),
            _ => {}
        }
    }
}

/// A ledger that says of what is in force what this snapshot says.
pub fn misread(ledger: &mut Ledger, desired: &Desired) {
    for (id, known) in &mut ledger.units {
        let unit = desired.unit(id);
        known.ledger.withdrawn = unit.is_none();
        if let Some(unit) = unit {
            known.ledger.applied = unit.applied.clone();
        }
    }
}

fn rename(body: &mut Value) {
    let label = |name: &str| {
        let value = body.pointer(&format!("/metadata/labels/berth.dev~1{name}"))?;
        Some(value.as_str()?.to_owned())
    };
    let (Some(trial), Some(attempt), Some(rank)) =
        (label("trial"), label("attempt"), label("rank"))
    else {
        return;
    };
    let text = |field: &str| body["metadata"][field].as_str().unwrap_or_default();
    let (namespace, name) = (text("namespace").to_owned(), text("name"));
    let end = format!("-{trial}-{attempt}-{rank}");
    if let Some(start) = name.strip_suffix(&end) {
        let name = format!("{start}-{trial}-1-{rank}");
        body["metadata"]["name"] = name.as_str().into();
        body["metadata"]["annotations"]["berth.dev/id"] = format!("Pod {namespace}/{name}").into();
    }
}
