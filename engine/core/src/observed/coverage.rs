//! How much of one watch's view can be believed.

use crate::ids::ResourceVersion;

/// How far the view of one watch is complete. Unknown is not absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Coverage {
    /// A listing is under way or never began.
    #[default]
    Incomplete,
    /// All that there is, is known, up to the version that the watch has passed.
    Complete,
    /// The server does not let us see, in its words.
    Unreadable(String),
}

/// One watch: its coverage and where it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Stand {
    pub coverage: Coverage,
    /// Counts listings: what carries an older mark was not told in this one.
    pub generation: u64,
    /// Everything up to here has been told. Only events after a complete listing move it: those of
    /// a listing come in no order.
    pub passed: ResourceVersion,
}

impl Stand {
    pub(super) fn begin(&mut self) {
        self.coverage = Coverage::Incomplete;
        self.generation += 1;
    }

    pub(super) fn complete(&mut self, version: ResourceVersion) {
        self.coverage = Coverage::Complete;
        self.pass(version);
    }

    pub(super) fn pass(&mut self, version: ResourceVersion) {
        if self.coverage == Coverage::Complete {
            self.passed = self.passed.max(version);
        }
    }
}
