//! A whole status branch.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::codec::{HasVersion, from_yaml, to_yaml};
use super::{
    APPLIED, Applied, DRIFT_JSON, FORMAT, FORMAT_FILE, IDENTITY, LedgerError, UnitFile, UnitLedger,
    unit_path,
};
use crate::ids::{CommitId, Digest, DigestWriter, DocumentKind, Name, Timestamp, UnitId};
use crate::reconciler::Identity;

/// What the branch says of the cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The last commit of the state repository that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// Namespaces that hold or held objects of Berth: they are watched though no queue names them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub namespaces: BTreeSet<String>,
    /// Berth's own namespace, where the anchor, the spill and the Lease stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Name>,
    /// The rewrite of the state branch that was allowed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Rewrite>,
    /// Documents whose runs could not be proven at `berth reanchor`, nor looked at since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unproven: BTreeSet<UnitId>,
    /// Documents whose live work the prune rule keeps, and what was counted with them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kept: BTreeSet<UnitId>,
    /// Since `berth reanchor` there was always a file that could not be parsed, or a Cluster that was
    /// not valid: what comes up now may have been there before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// A commit that allowed the state branch to be rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rewrite {
    /// Which commit carried the trailer.
    pub commit: CommitId,
    /// When it was seen, or when the newest object that was there then was made, if that is later.
    pub at: Timestamp,
    /// Not all that was there then is seen yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early: bool,
}

/// What is known of one unit, and how new it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Of two, the larger one knows more.
    pub revision: u64,
    /// The entries.
    pub ledger: UnitLedger,
}

/// The status branch as it was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ledger {
    /// The commit that it was read from; `None` if there is no branch.
    pub tip: Option<CommitId>,
    /// Whose it is; `None` on a branch that was not begun.
    pub identity: Option<Identity>,
    /// The last applied commit and the namespaces.
    pub progress: Progress,
    /// All units that ever were.
    pub units: BTreeMap<UnitId, Known>,
    /// It tells of drift that was not put right.
    pub drifts: bool,
    /// The digest of every file as it is there, so that nothing equal is written again.
    pub content: BTreeMap<String, Digest>,
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    value: T,
}

impl<T> HasVersion for Versioned<T> {
    fn version(&self) -> u32 {
        self.version
    }
}

/// Where the last forms of documents stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forms {
    /// The last commit that was applied: whoever reads older ones does not see all of them.
    pub commit: Option<CommitId>,
    /// Of all that are not withdrawn.
    pub in_force: BTreeMap<UnitId, Applied>,
    /// Of withdrawn ones that others refer to: what is held may go by them.
    pub left: BTreeMap<UnitId, Applied>,
}

impl Forms {
    /// The last form of a document, in force or not.
    pub fn last(&self, id: &UnitId) -> Option<&Applied> {
        self.in_force.get(id).or_else(|| self.left.get(id))
    }

    /// The ids of all of them.
    pub fn ids(&self) -> impl Iterator<Item = &UnitId> {
        self.in_force.keys().chain(self.left.keys())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.in_force.is_empty() && self.left.is_empty()
    }
}

impl Ledger {
    /// Reads the files of the branch's tip. Files that Berth does not know are left alone; a file
    /// that it knows and cannot read is an error, as nothing may be done without the past.
    pub fn read(tip: Option<CommitId>, files: &[(String, Vec<u8>)]) -> Result<Self, LedgerError> {
        let mut ledger = Self {
            tip,
            ..Self::default()
        };
        for (path, bytes) in files {
            ledger.read_file(path, bytes)?;
            ledger.content.insert(path.clone(), content_digest(bytes));
        }
        Ok(ledger)
    }

    fn read_file(&mut self, path: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        match path {
            FORMAT_FILE => check_format(path, bytes),
            IDENTITY => {
                self.identity = Some(from_yaml::<Versioned<Identity>>(path, bytes)?.value);
                Ok(())
            }
            APPLIED => {
                self.progress = from_yaml::<Versioned<Progress>>(path, bytes)?.value;
                Ok(())
            }
            DRIFT_JSON => {
                // Only for people: whatever stands there stops nothing.
                let entries: Vec<serde_json::Value> =
                    serde_json::from_slice(bytes).unwrap_or_default();
                self.drifts = entries.iter().any(|entry| entry["corrected"] != true);
                Ok(())
            }
            _ if is_unit(path) => {
                let file = UnitFile::read(path, bytes)?;
                if unit_path(&file.unit) != path {
                    return Err(LedgerError::Damaged {
                        path: path.into(),
                        cause: format!("it is about {}, which stands elsewhere", file.unit),
                    });
                }
                self.keep(file);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The forms of documents, for the loader.
    pub fn forms(&self) -> Forms {
        let mut forms = Forms {
            commit: self.progress.commit,
            ..Forms::default()
        };
        for (id, known) in &self.units {
            let applied = known.ledger.applied.clone();
            if !known.ledger.withdrawn {
                forms.in_force.insert(id.clone(), applied);
            } else if !id.kind.has_queue() {
                forms.left.insert(id.clone(), applied);
            }
        }
        forms
    }

    /// Takes in what was written into the cluster while Git was away: the newer one of each unit
    /// stays.
    pub fn merge_spill(&mut self, data: &BTreeMap<String, String>) -> Result<(), LedgerError> {
        for (name, text) in data {
            let file = UnitFile::read(name, text.as_bytes())?;
            self.keep(file);
        }
        Ok(())
    }

    fn keep(&mut self, file: UnitFile) {
        let newer = self
            .units
            .get(&file.unit)
            .is_none_or(|known| known.revision < file.revision);
        if newer {
            let known = Known {
                revision: file.revision,
                ledger: file.ledger,
            };
            self.units.insert(file.unit, known);
        }
    }
}

/// What tells whether a file's content is the same.
pub(crate) fn content_digest(bytes: &[u8]) -> Digest {
    let mut writer = DigestWriter::new("content/v1");
    writer.field(bytes);
    writer.finish()
}

/// The text of `identity.yaml`.
pub(crate) fn identity_text(identity: &Identity) -> Result<String, LedgerError> {
    to_yaml(
        IDENTITY,
        &Versioned {
            version: FORMAT,
            value: identity,
        },
    )
}

/// The text of `applied.yaml`.
pub(crate) fn progress_text(progress: &Progress) -> Result<String, LedgerError> {
    to_yaml(
        APPLIED,
        &Versioned {
            version: FORMAT,
            value: progress,
        },
    )
}

fn is_unit(path: &str) -> bool {
    let folder = path.split('/').next().unwrap_or_default();
    path.matches('/').count() == 2
        && path.rsplit('.').next() == Some("yaml")
        && DocumentKind::ALL
            .iter()
            .any(|kind| kind.as_str().to_lowercase() == folder)
}

fn check_format(path: &str, bytes: &[u8]) -> Result<(), LedgerError> {
    let text = String::from_utf8_lossy(bytes);
    match text.trim().parse::<u32>() {
        Ok(found) if found > FORMAT => Err(LedgerError::Newer {
            path: path.into(),
            found,
        }),
        Ok(_) => Ok(()),
        Err(_) => Err(LedgerError::Damaged {
            path: path.into(),
            cause: "it holds no number".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BlobId;
    use crate::ledger::UnitStatus;

    fn unit() -> UnitId {
        let name = |text| Name::new(text).expect("a name");
        UnitId::experiment(name("vision"), name("resnet50"))
    }

    fn entry() -> UnitLedger {
        UnitLedger {
            sequence: 3,
            first_seen: Timestamp::from_millis(1_700_000_000_000),
            applied: Applied {
                commit: CommitId::from_bytes([7; 20]),
                path: "experiments/a: b.yaml".into(),
                blob: BlobId::from_bytes([9; 20]),
            },
            withdrawn: false,
            runs: Vec::new(),
        }
    }

    fn file(revision: u64, ledger: &UnitLedger) -> (String, Vec<u8>) {
        let text = UnitFile::write(&unit(), revision, ledger, &UnitStatus::default());
        (unit_path(&unit()), text.expect("text").into_bytes())
    }

    #[test]
    fn a_branch_reads_as_it_was_written() {
        let identity = Identity {
            cluster: Name::new("lab").expect("a name"),
            instance: "0123".into(),
            cluster_uid: "1e5".into(),
        };
        let progress = Progress {
            commit: Some(CommitId::from_bytes([1; 20])),
            namespaces: ["vision".to_owned()].into(),
            home: Some(Name::new("berth").expect("a name")),
            rewrite: Some(Rewrite {
                commit: CommitId::from_bytes([2; 20]),
                at: Timestamp::from_millis(1_700_000_000_000),
                early: true,
            }),
            unproven: [unit()].into(),
            kept: BTreeSet::new(),
            hidden: true,
        };
        let files = [
            (FORMAT_FILE.to_owned(), b"1\n".to_vec()),
            (
                IDENTITY.to_owned(),
                identity_text(&identity).expect("text").into_bytes(),
            ),
            (
                APPLIED.to_owned(),
                progress_text(&progress).expect("text").into_bytes(),
            ),
            ("README.md".to_owned(), b"\xff by hand".to_vec()),
            file(4, &entry()),
        ];
        let read = Ledger::read(None, &files).expect("a ledger");
        assert_eq!(read.identity, Some(identity));
        assert_eq!(read.progress, progress);
        let known = Known {
            revision: 4,
            ledger: entry(),
        };
        assert_eq!(read.units, BTreeMap::from([(unit(), known)]));
    }

    #[test]
    fn a_newer_format_is_refused_and_damage_is_named() {
        let next = FORMAT + 1;
        let newer = [(FORMAT_FILE.to_owned(), next.to_string().into_bytes())];
        assert_eq!(Ledger::read(None, &newer).unwrap_err().reason(), "newer");
        let (path, text) = file(1, &entry());
        let text = String::from_utf8(text).expect("text");
        let newer = [(
            path.clone(),
            text.replace(
                &format!("version: {FORMAT}"),
                &format!("version: {next}\nnew: 1"),
            )
            .into_bytes(),
        )];
        assert_eq!(Ledger::read(None, &newer).unwrap_err().reason(), "newer");
        let cut = [(path, text.as_bytes()[..text.len() / 2].to_vec())];
        assert_eq!(Ledger::read(None, &cut).unwrap_err().reason(), "damaged");
    }

    #[test]
    fn the_newer_of_branch_and_spill_stays() {
        let spilled = UnitLedger {
            withdrawn: true,
            ..entry()
        };
        for (revision, expected) in [(3, false), (5, true)] {
            let mut read = Ledger::read(None, &[file(4, &entry())]).expect("a ledger");
            let (_, text) = file(revision, &spilled);
            let text = String::from_utf8(text).expect("text");
            read.merge_spill(&[("a".to_owned(), text)].into())
                .expect("a spill");
            assert_eq!(read.units[&unit()].ledger.withdrawn, expected);
        }
    }
}
