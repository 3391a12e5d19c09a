//! What already happened, kept on the status branch.

mod codec;
mod entry;
mod layout;
mod read;
mod stop;

pub(crate) use codec::to_yaml;
pub use codec::{FORMAT, LedgerError, UnitFile};
pub use entry::{
    Applied, Attempt, AttemptEnd, AttemptResult, RankRecord, Run, RunState, Trial, UnitLedger,
    UnitStatus,
};
pub use layout::{APPLIED, DRIFT_JSON, DRIFT_MD, FORMAT_FILE, IDENTITY, SUMMARY, unit_path};
pub use read::{Forms, Known, Ledger, Progress, Rewrite};
pub(crate) use read::{content_digest, identity_text, progress_text};
pub use stop::Stop;
