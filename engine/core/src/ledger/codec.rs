//! Ledger files as text.

use serde::{Deserialize, Serialize};

use super::{UnitLedger, UnitStatus};
use crate::ids::UnitId;

/// The version of all files on the status branch.
pub const FORMAT: u32 = 2;

/// Why a status branch cannot be read. Every write to the cluster stops: without its past Berth
/// would run things twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A newer Berth wrote it.
    #[error(
        "`{path}` has the format {found}, and this Berth knows up to {FORMAT}: use a newer Berth"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: u32,
    },
    /// A file is not what Berth writes.
    #[error(
        "`{path}` is not a file that Berth wrote: {cause}; restore it from the branch's history"
    )]
    Damaged {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// A value could not be written as YAML.
    #[error("`{path}` cannot be written: {cause}")]
    Unwritable {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// The branch could not be read at all.
    #[error("the status branch cannot be read: {0}")]
    Unreachable(String),
}

impl LedgerError {
    /// A stable word for metrics and status.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "newer",
            Self::Damaged { .. } => "damaged",
            Self::Unwritable { .. } => "unwritable",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// The file of one unit as it is read back: `status:` is for people and is not read.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitFile {
    /// The unit.
    pub unit: UnitId,
    /// Grows with every change of the ledger part: of two files, the larger one knows more.
    pub revision: u64,
    /// The ledger part.
    pub ledger: UnitLedger,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    unit: &'a UnitId,
    revision: u64,
    ledger: &'a UnitLedger,
    status: &'a UnitStatus,
}

#[derive(Deserialize)]
pub(super) struct Read {
    version: u32,
    unit: UnitId,
    revision: u64,
    ledger: UnitLedger,
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// What a file says of its own format.
pub(super) trait HasVersion {
    fn version(&self) -> u32;
}

impl HasVersion for Read {
    fn version(&self) -> u32 {
        self.version
    }
}

impl UnitFile {
    /// The text of the file: the ledger, and beside it the status for people.
    pub fn write(
        unit: &UnitId,
        revision: u64,
        ledger: &UnitLedger,
        status: &UnitStatus,
    ) -> Result<String, LedgerError> {
        to_yaml(
            &unit.to_string(),
            &Written {
                version: FORMAT,
                unit,
                revision,
                ledger,
                status,
            },
        )
    }

    /// Reads the text of a file.
    pub fn read(path: &str, text: &[u8]) -> Result<Self, LedgerError> {
        let read: Read = from_yaml(path, text)?;
        Ok(Self {
            unit: read.unit,
            revision: read.revision,
            ledger: read.ledger,
        })
    }
}

/// Any value as the YAML that Berth writes.
pub(crate) fn to_yaml<T: Serialize>(path: &str, value: &T) -> Result<String, LedgerError> {
    serde_saphyr::to_string(value).map_err(|error| LedgerError::Unwritable {
        path: path.into(),
        cause: error.to_string(),
    })
}

/// Reads a versioned file; a newer version is told apart from a damaged file.
pub(super) fn from_yaml<T: serde::de::DeserializeOwned + HasVersion>(
    path: &str,
    text: &[u8],
) -> Result<T, LedgerError> {
    let newer = |found: u32| LedgerError::Newer {
        path: path.into(),
        found,
    };
    let damaged = |cause: String| LedgerError::Damaged {
        path: path.into(),
        cause: cause.lines().next().unwrap_or_default().into(),
    };
    let text = std::str::from_utf8(text).map_err(|error| damaged(error.to_string()))?;
    match serde_saphyr::from_str::<T>(text) {
        Ok(value) if value.version() > FORMAT => Err(newer(value.version())),
        Ok(value) => Ok(value),
        // A newer file may be of another form; its version may be all that can be read of it.
        Err(error) => Err(match serde_saphyr::from_str::<Head>(text) {
            Ok(head) if head.version > FORMAT => newer(head.version),
            _ => damaged(error.to_string()),
        }),
    }
}
