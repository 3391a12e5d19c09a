//! Whether ledger and cluster know each other.

use std::collections::BTreeMap;

use super::book::Doubts;
use super::flight::Flight;
use super::state::Reconciler;
use super::{Anchor, Identity, What};
use crate::ids::{CommitId, Name, ResourceVersion, Timestamp};
use crate::ledger::{Ledger, LedgerError};

/// Why every write stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// What it is about.
    pub reason: HaltReason,
    /// What is wrong, and what to do.
    pub sentence: String,
}

/// What stops every write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HaltReason {
    /// Branch, anchor and cluster do not know each other.
    Identity,
    /// The ledger cannot be read or written.
    Ledger,
    /// The Cluster's document: it has another name, or another namespace, than it had. A commit mends it.
    Documents,
}

impl Halt {
    fn new(reason: HaltReason, sentence: String) -> Self {
        Self { reason, sentence }
    }
}

/// What `Input::Identity` says.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub cluster_uid: String,
    pub anchor: Option<Anchor>,
    pub anchor_in_branch: bool,
    pub others: Vec<Name>,
    pub fresh_instance: String,
}

/// What is kept outside: the anchor, the spill and the branch, as they were read last.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub place: Option<Place>,
    pub spill: Option<(BTreeMap<String, String>, Option<ResourceVersion>)>,
    pub ledger: Option<Result<Ledger, LedgerError>>,
    /// All three were read, agree, and are in force.
    pub accepted: bool,
    /// Another writer may have been at work: read all three again before anything else.
    pub stale: bool,
    /// What a write of ours that may have arrived unheard may have changed.
    pub overtaken: Overtaken,
    pub tries: u32,
    /// Looks since every write stopped.
    pub looks: u32,
    pub not_before: Timestamp,
}

/// A write of ours may have arrived unheard: all three are read again before the next push. The rest
/// goes on meanwhile, as while Git is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Overtaken {
    /// None did.
    #[default]
    No,
    /// The branch has moved.
    Branch,
    /// What is kept in the cluster may be of another version than is known: it is not written either
    /// before it is read.
    Kept,
}

impl Outside {
    /// Forgets what was read; it is asked for again.
    pub(super) fn forget(&mut self) {
        *self = Self {
            tries: self.tries,
            looks: self.looks,
            not_before: self.not_before,
            ..Self::default()
        };
    }

    /// Forgets what was read, and not that it is in force.
    fn reread(&mut self) {
        (self.place, self.spill, self.ledger) = (None, None, None);
    }

    /// Whether what is in force is all that is to be known.
    fn settled(&self) -> bool {
        self.accepted && self.overtaken == Overtaken::No
    }

    fn complete(&self) -> bool {
        self.place.is_some() && self.spill.is_some() && self.ledger.is_some()
    }
}

impl Reconciler {
    /// Asks for what is kept outside, unless it is there.
    pub(super) fn ask_outside(&mut self, now: Timestamp) -> Option<super::Effect> {
        // What was given out is answered first: a late answer must not be taken for what is read.
        let writing = self.writing();
        if self.outside.stale && !writing {
            self.outside.forget();
        }
        if self.outside.settled() || self.reading() || now < self.outside.not_before {
            return None;
        }
        match self.outside.accepted {
            true if writing => return None,
            true => self.outside.reread(),
            false if self.outside.complete() => return None,
            false => {}
        }
        let id = self.flights.start(Flight::Reload);
        Some(super::Effect {
            id,
            unit: None,
            why: "the anchor, the spill and the status branch are read".into(),
            what: What::Reload,
        })
    }

    /// When what is kept outside is read again though it is in force.
    pub(super) fn reread_due(&self) -> Option<Timestamp> {
        let overtaken = self.outside.overtaken != Overtaken::No;
        let waits = overtaken && !self.reading() && !self.writing();
        waits.then_some(self.outside.not_before)
    }

    /// Whether what is kept outside is being written.
    fn writing(&self) -> bool {
        self.flights.any(|flight| {
            matches!(
                flight,
                Flight::Record(_) | Flight::Spill(_) | Flight::SpillGone | Flight::Anchor { .. }
            )
        })
    }

    /// Whether what is kept outside is being read.
    pub(super) fn reading(&self) -> bool {
        self.flights.any(|flight| matches!(flight, Flight::Reload))
    }

    /// Once all three are read: checks them against each other and puts them in force.
    pub(super) fn accept_outside(&mut self, now: Timestamp) {
        if self.outside.settled() {
            return;
        }
        self.hear_kept(now);
        if !self.outside.complete() {
            return;
        }
        self.land_reload();
        // Somebody wrote while it was read: it is read again.
        if self.outside.stale {
            return;
        }
        let (Some(place), Some(read), Some((data, version))) = (
            self.outside.place.clone(),
            self.outside.ledger.take(),
            self.outside.spill.clone(),
        ) else {
            return;
        };
        let merged = read.and_then(|mut ledger| {
            let branch = ledger.clone();
            ledger.merge_spill(&data)?;
            Ok((branch, ledger))
        });
        let (branch, ledger) = match merged {
            Ok(both) => both,
            Err(error) => {
                return self.stop(Halt::new(HaltReason::Ledger, error.to_string()));
            }
        };
        let left = self.left(ledger.progress.home.as_ref());
        match settle(
            &place,
            ledger.identity.as_ref(),
            self.options.reanchor,
            left,
        ) {
            Ok(settled) => {
                self.halt = None;
                self.outside.looks = 0;
                self.identity = settled.identity;
                self.book.anchor = place.anchor.as_ref().map(|anchor| anchor.version);
                let named = place
                    .anchor
                    .as_ref()
                    .map(|anchor| anchor.namespaces.clone());
                self.book.named = named.unwrap_or_default();
                self.book
                    .progress
                    .namespaces
                    .extend(self.book.named.iter().cloned());
                self.book.anchored = place.anchor.and_then(|anchor| anchor.status);
                (self.outside.accepted, self.outside.overtaken) = (true, Overtaken::No);
                if settled.unproven {
                    self.book.doubts = Doubts::Raised;
                }
                self.take_ledger(&branch, ledger, &data, version, now);
            }
            Err(halt) => self.stop(halt),
        }
    }

    /// A tip that is none of ours was put there by somebody else, or the branch is gone: it is read
    /// anew before anything else is done, and not only once the next push is refused.
    pub(super) fn tip_is(&mut self, tip: Option<CommitId>) {
        let book = &self.book;
        let pushed = || {
            book.unanchored
                .iter()
                .map(|(tip, _)| *tip)
                .chain(book.anchored)
        };
        let ours = tip == book.tip || tip.is_some_and(|tip| pushed().any(|own| own == tip));
        let writing = self.flights.any(|one| matches!(one, Flight::Record(_)));
        self.outside.stale |= self.outside.accepted && !ours && !writing;
    }

    /// The namespace in which the anchor stands is read once: a snapshot that names another one
    /// stops every write.
    pub(super) fn stay(&mut self, namespace: &Name) {
        let (anchor, spill) = (self.anchor_name(), self.spill_name());
        let home = self.home.get_or_insert_with(|| namespace.clone());
        self.moved = (home != namespace).then(|| Halt {
            reason: HaltReason::Documents,
            sentence: format!(
                "the Cluster's namespace was `{home}` and is `{namespace}` now, and the anchor stands in `{home}`: \
                 put `namespace: {home}` back; or, to move, stop every daemon, copy the ConfigMaps `{anchor}` and \
                 `{spill}` (if it is there) to `{namespace}`, delete them in `{home}`, and start the daemon again"
            ),
        });
    }

    /// The namespace in which the anchor stood, if the Cluster names another one now.
    fn left(&self, home: Option<&Name>) -> Option<String> {
        let (old, new) = (home?, self.home.as_ref()?);
        (old != new).then(|| {
            let anchor = self.anchor_name();
            format!(
                "the anchor, the ConfigMap `{anchor}`, stood in the namespace `{old}`, and the Cluster's namespace is \
                 `{new}` now, which has none: put `namespace: {old}` back, or copy the ConfigMap to `{new}` and delete \
                 it in `{old}`"
            )
        })
    }

    fn stop(&mut self, halt: Halt) {
        self.halt = Some(halt);
        self.doubt_forms();
    }

    /// The first start: the anchor's POST decides which instance id it is.
    pub(super) fn found(&mut self, now: Timestamp) -> Option<super::Effect> {
        let place = self.outside.place.as_ref()?;
        let under_way = self
            .flights
            .any(|flight| matches!(flight, Flight::Anchor { .. }));
        if under_way || now < self.book.anchor_not_before {
            return None;
        }
        let identity = Identity {
            cluster: self.options.cluster.clone(),
            instance: place.fresh_instance.clone(),
            cluster_uid: place.cluster_uid.clone(),
        };
        let namespaces = self.book.progress.namespaces.clone();
        let data = Anchor::data(&identity, None, &namespaces);
        let id = self.flights.start(Flight::Anchor {
            status: None,
            namespaces,
            first: true,
        });
        Some(super::Effect {
            id,
            unit: None,
            why: "this is the first start: the anchor fixes the instance id".into(),
            what: What::Keep {
                name: self.anchor_name(),
                data: Some(data),
                version: None,
            },
        })
    }

    pub(super) fn anchor_name(&self) -> String {
        super::anchor_name(&self.options.cluster)
    }

    pub(super) fn spill_name(&self) -> String {
        super::spill_name(&self.options.cluster)
    }
}

pub(super) struct Settled {
    /// `None`: the first start ever.
    pub identity: Option<Identity>,
    /// Open runs cannot be proven.
    unproven: bool,
}

const REANCHOR: &str = "if this is as it should be, run `berth reanchor`: runs whose history cannot be proven are then held until `run` is raised";

pub(super) fn settle(
    place: &Place,
    ledger: Option<&Identity>,
    reanchor: bool,
    left: Option<String>,
) -> Result<Settled, Halt> {
    let mut reason = HaltReason::Identity;
    let known = |identity: &Identity| Settled {
        identity: Some(identity.clone()),
        unproven: false,
    };
    let wrong = match (ledger, &place.anchor) {
        (None, _) if !place.others.is_empty() => {
            if reanchor {
                return Ok(Settled { identity: None, unproven: false });
            }
            return Err(Halt::new(HaltReason::Documents, renamed(&place.others)));
        }
        (None, None) => return Ok(Settled { identity: None, unproven: false }),
        // The anchor was made and its commit was not pushed any more: the first start goes on.
        (None, Some(anchor)) if anchor.status.is_none() && anchor.identity.cluster_uid == place.cluster_uid => {
            return Ok(known(&anchor.identity));
        }
        (None, Some(_)) => "the cluster was worked on before, and the status branch is gone: is it kept in another repository (--status-remote)? If not, push it again from any clone".to_owned(),
        (Some(_), None) if left.is_some() => {
            reason = HaltReason::Documents;
            left.unwrap_or_default()
        }
        (Some(_), None) => "the status branch belongs to a cluster with an anchor, and this cluster has none: check that the kubeconfig names the right cluster".to_owned(),
        (Some(ledger), Some(anchor)) if *ledger != anchor.identity => format!(
            "the status branch belongs to instance {} and this cluster to instance {}: check that the kubeconfig and the repository name the same cluster",
            ledger.instance, anchor.identity.instance
        ),
        (Some(ledger), Some(_)) if ledger.cluster_uid != place.cluster_uid => format!(
            "the status branch and the anchor belong to the cluster {}, and this one is {}: check that the kubeconfig names the right cluster",
            ledger.cluster_uid, place.cluster_uid
        ),
        (Some(_), Some(_)) if !place.anchor_in_branch => "the status branch does not contain the commit that was pushed last: it was rewritten or rolled back; push the lost commits again from any clone".to_owned(),
        (Some(ledger), Some(_)) => return Ok(known(ledger)),
    };
    if !reanchor {
        return Err(Halt::new(reason, format!("{wrong}; {REANCHOR}")));
    }
    // The objects of the cluster carry the anchor's instance id.
    let old = place
        .anchor
        .as_ref()
        .map(|anchor| &anchor.identity)
        .or(ledger);
    Ok(Settled {
        identity: old.map(|old| Identity {
            cluster_uid: place.cluster_uid.clone(),
            ..old.clone()
        }),
        unproven: true,
    })
}

/// Berth works on this cluster for the first time under its name, and did under others.
fn renamed(others: &[Name]) -> String {
    let names: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "this cluster was worked on from the same namespace as {}: under another name all that runs and ran there \
         would run once more. Name the Cluster so again; or, if both are meant, give the new one a namespace of its \
         own (`spec.namespace`); if all should indeed begin anew, run `berth reanchor`",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ids::{CommitId, Name, Uid};

    fn identity(instance: &str, cluster_uid: &str) -> Identity {
        Identity {
            cluster: Name::new("lab").unwrap(),
            instance: instance.into(),
            cluster_uid: cluster_uid.into(),
        }
    }

    fn place(anchor: Option<Identity>, pushed: bool, in_branch: bool) -> Place {
        Place {
            cluster_uid: "c".into(),
            anchor: anchor.map(|identity| Anchor {
                identity,
                status: pushed.then(|| CommitId::from_bytes([1; 20])),
                next: None,
                namespaces: BTreeSet::new(),
                uid: Uid("u".into()),
                version: ResourceVersion(1),
            }),
            anchor_in_branch: in_branch,
            others: Vec::new(),
            fresh_instance: "fresh".into(),
        }
    }

    #[test]
    fn a_cluster_that_was_renamed_does_not_begin_anew() {
        let place = Place {
            others: vec![Name::new("lab").unwrap()],
            ..place(None, false, true)
        };
        let halt = settle(&place, None, false, None).err().unwrap();
        assert_eq!(halt.reason, HaltReason::Documents, "a commit mends it");
        let words = halt.sentence;
        assert!(words.contains("as `lab`: under another name"), "{words}");
        let forced = settle(&place, None, true, None).map(|settled| settled.identity);
        assert_eq!(forced, Ok(None), "all begins anew");
    }

    #[test]
    fn ledger_and_cluster_must_know_each_other() {
        let (own, other) = (identity("i", "c"), identity("j", "c"));
        let moved = identity("i", "d");
        // (ledger, anchor, pushed before, anchor's commit in the branch, words of the halt)
        let cases = [
            (None, None, false, true, None),
            (Some(&own), Some(&own), true, true, None),
            (None, Some(&own), false, true, None),
            (
                None,
                Some(&own),
                true,
                true,
                Some("the status branch is gone"),
            ),
            (Some(&own), None, false, true, Some("this cluster has none")),
            (Some(&own), Some(&other), true, true, Some("to instance j")),
            (
                Some(&moved),
                Some(&moved),
                true,
                true,
                Some("this one is c"),
            ),
            (
                Some(&own),
                Some(&own),
                true,
                false,
                Some("rewritten or rolled back"),
            ),
        ];
        for (ledger, anchor, pushed, in_branch, halt) in cases {
            let place = place(anchor.cloned(), pushed, in_branch);
            match (settle(&place, ledger, false, None), halt) {
                (Ok(settled), None) => assert!(!settled.unproven),
                (Err(found), Some(part)) => {
                    assert_eq!(found.reason, HaltReason::Identity);
                    let words = found.sentence;
                    assert!(
                        words.contains(part) && words.contains("berth reanchor"),
                        "{words}"
                    );
                    let forced = settle(&place, ledger, true, None).map(|settled| settled.unproven);
                    assert_eq!(forced, Ok(true), "{words}");
                }
                (got, want) => panic!("{:?} instead of {want:?}", got.err()),
            }
        }
    }
}
