//! By what the snapshot in force was judged.
//!
//! What is not valid keeps the form that was in force, and a loader takes that from the snapshots that
//! it read itself. So it knows it only while its own daemon leads: another one that led meanwhile may
//! have read other commits, and a ledger that could not be read told it nothing. Its snapshot would
//! take what is not valid for withdrawn, or put an older form in force. So whenever a ledger is
//! accepted, the snapshot must have been judged by what that ledger says, or come after all that was
//! applied and say the same whatever was in force before; otherwise nothing is decided until one comes
//! that was.

use std::sync::Arc;

use super::state::Reconciler;
use crate::desired::Desired;
use crate::ids::CommitId;
use crate::ledger::{Forms, Ledger};

/// Whether the snapshot keeps what is in force.
#[derive(Debug, Default)]
pub(super) enum Judged {
    /// Not known: the next ledger that is accepted tells.
    #[default]
    Unknown,
    /// It does, and so do those that its loader makes after it.
    Rightly,
    /// It may not: one that is judged by these has to come first.
    Anew(Arc<Forms>),
}

impl Reconciler {
    /// What the tip has to be judged by anew ([`Loader::forget`](crate::desired::Loader::forget)), as
    /// what its snapshot keeps in force may not be what is: nothing is done until then. It is looked
    /// for again first, unless the one that is known comes after what was applied.
    pub fn judge_by(&self) -> Option<&Arc<Forms>> {
        match &self.judged {
            Judged::Anew(forms) => Some(forms),
            Judged::Unknown | Judged::Rightly => None,
        }
    }

    /// Whether the snapshot keeps what is in force.
    pub(super) fn is_judged(&self) -> bool {
        matches!(self.judged, Judged::Rightly)
    }

    /// A ledger is accepted whose tip this is; `before` was the one that was known.
    pub(super) fn weigh_snapshot(&mut self, ledger: &Ledger, before: Option<CommitId>) {
        // Whoever led all the time and finds the branch as it left it knows more than the branch: what
        // is in force and was not pushed.
        if self.is_judged() && ledger.tip == before {
            return;
        }
        let forms = ledger.forms();
        // The standing one may be older than what was applied since.
        let is_new = forms.commit.is_none_or(|commit| self.lineage.has(commit));
        // A plan is made of one reading of everything.
        let fits = |desired: &Arc<Desired>| {
            let by = desired.judged_by();
            self.options.plan
                || by.is_some_and(|by| **by == forms)
                || (is_new && desired.is_clear())
        };
        let rightly = self.desired.as_ref().is_some_and(fits);
        self.judged = if rightly {
            Judged::Rightly
        } else {
            Judged::Anew(Arc::new(forms))
        };
    }

    /// Takes a snapshot in; true if it is the one that was waited for.
    pub(super) fn weigh(&mut self, desired: &Desired) -> bool {
        match (&self.judged, desired.judged_by()) {
            (Judged::Anew(forms), Some(by)) if forms == by => {
                self.judged = Judged::Rightly;
                true
            }
            // Nobody asked for it, or not any more: the ledger tells whether it is right.
            (Judged::Rightly, Some(_)) if !desired.is_clear() => {
                self.doubt_forms();
                self.outside.stale = true;
                false
            }
            _ => false,
        }
    }

    /// Another one may have put other forms in force.
    pub(super) fn doubt_forms(&mut self) {
        self.judged = Judged::Unknown;
    }
}

#[cfg(test)]
mod tests;
