//! Follows a reference: each new commit becomes a validated snapshot, and the last one becomes it once
//! more when something else is in force. Runs on a thread of its own, as everything about Git blocks.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use berth_core::desired::{Desired, Loader};
use berth_core::ids::{CommitId, Name};
use berth_core::ledger::Forms;
use berth_core::reconciler::Unusable;
use berth_git::{GitError, LocalWatch, StatusBranch, Stop};
use tokio::sync::{mpsc, watch};

use super::reader::{Commit, Reader};
use super::{Files, resolve};
use crate::metrics::Metrics;
use crate::output::Finding;
use crate::reconcile::Missing;
use crate::run::status;
use crate::source::authors::Authors;

/// A local repository is looked at this often, beside the watch that sees a change at once.
const LOCAL: Duration = Duration::from_mins(1);
/// Pauses after failures end here.
pub const LONGEST: Duration = Duration::from_mins(1);

/// What the daemon waits for at first, in its own words.
pub const FIRST: &str = "the first snapshot";

/// What was read.
pub enum Read {
    /// A commit.
    Snapshot(Arc<Desired>),
    /// A commit that makes no snapshot.
    Unusable(Unusable),
    /// Where the status branch of a local repository is; what was committed before comes later.
    Tip(Option<CommitId>),
}

/// What is followed, and how.
pub struct Follower {
    /// Reads commits.
    pub reader: Reader,
    /// The status branch: at the start, the ledger says which forms are in force. Later the loop does.
    pub status: StatusBranch,
    /// The cluster document's name.
    pub cluster: Name,
    /// How often a remote is asked.
    pub interval: Duration,
    /// Where snapshots go.
    pub snapshots: mpsc::Sender<Read>,
    /// What the daemon waits for: until the first snapshot, why there is none.
    pub missing: watch::Sender<Option<Missing>>,
    /// Counts.
    pub metrics: Metrics,
    /// Gives up what both of them fetch.
    pub stop: Stop,
    /// Of files with findings.
    pub authors: Authors,
}

/// A running follower; dropped, it gives up a fetch that is under way, and ends after the commit
/// that it reads.
pub struct Following {
    wake: SyncSender<Wake>,
    /// What the tip is to be judged by anew.
    judge_by: watch::Sender<Option<Arc<Forms>>>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
    _watch: Option<LocalWatch>,
}

enum Wake {
    Look,
    End,
}

impl Following {
    /// Has the tip judged anew by what is in force now, unless it was told so before. `None`: as
    /// before.
    pub fn judge_by(&self, forms: Option<&Arc<Forms>>) {
        let is_news = self.judge_by.send_if_modified(|before| {
            let same = match (&*before, forms) {
                (Some(before), Some(forms)) => Arc::ptr_eq(before, forms),
                (before, forms) => before.is_none() && forms.is_none(),
            };
            if !same {
                *before = forms.cloned();
            }
            !same
        });
        if is_news && forms.is_some() {
            // Full: it wakes anyway.
            let _ = self.wake.try_send(Wake::Look);
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop.stop();
        // Full or closed: it wakes or has ended anyway.
        let _ = self.wake.try_send(Wake::End);
        // No program of it outlives us. One that panicked has said so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Follower {
    /// Starts to follow.
    pub fn start(self) -> Result<Following, GitError> {
        let (wake, woken) = sync_channel(2);
        let again = wake.clone();
        let local = self
            .reader
            .repository()
            .source()
            .local_path()
            .map(ToOwned::to_owned);
        let look = move || drop(again.try_send(Wake::Look));
        let watch = local
            .as_deref()
            .map(|path| LocalWatch::start(path, look))
            .transpose()?;
        let usual = if watch.is_some() {
            LOCAL
        } else {
            self.interval
        };
        let stop = self.stop.clone();
        let (judge_by, asked) = watch::channel(None);
        let thread = std::thread::spawn(move || self.follow(&woken, usual, asked));
        Ok(Following {
            wake,
            judge_by,
            stop,
            thread: Some(thread),
            _watch: watch,
        })
    }

    fn follow(
        mut self,
        woken: &Receiver<Wake>,
        usual: Duration,
        mut asked: watch::Receiver<Option<Arc<Forms>>>,
    ) {
        let Some(mut forms) = self.forms(woken, usual) else {
            return;
        };
        let mut loader = Loader::new();
        let (mut failures, mut again) = (0, false);
        let mut tip = None;
        loop {
            self.look_at_status(&mut tip);
            if asked.has_changed().unwrap_or(false) {
                let by = asked.borrow_and_update().clone();
                if let Some(by) = by {
                    loader.forget();
                    (forms, again) = (by, true);
                }
            }
            failures = match self.look(&mut again, &mut loader, &forms) {
                Ok(()) => 0,
                Err(error) => self.failed(&error, failures),
            };
            if self.snapshots.is_closed() || !pause(woken, usual, failures) {
                return;
            }
        }
    }

    /// The forms of documents as the ledger has them; tried until it can be read.
    fn forms(&self, woken: &Receiver<Wake>, usual: Duration) -> Option<Arc<Forms>> {
        let mut failures = 0;
        loop {
            match status::load(&self.status) {
                Ok(Ok(ledger)) => return Some(Arc::new(ledger.forms())),
                // The reconciler stops every write and says why; documents are read all the same, and
                // once more when it goes on.
                Ok(Err(_)) => return Some(Arc::default()),
                Err(error) => failures = self.failed(&error, failures),
            }
            if !pause(woken, usual, failures) {
                return None;
            }
        }
    }

    /// Looks for a new commit; if the tip is to be judged `again`, it is, new or not. What was told last
    /// need not be the tip for that, unless it may be older than what was applied.
    fn look(
        &mut self,
        again: &mut bool,
        loader: &mut Loader,
        forms: &Arc<Forms>,
    ) -> Result<(), GitError> {
        let is_new = || forms.commit.is_none_or(|commit| self.reader.has(commit));
        if *again
            && is_new()
            && let Some(commit) = self.reader.again()?
        {
            self.judge(commit, loader, forms);
            *again = false;
        }
        let next = match self.reader.next()? {
            None if *again => self.reader.again()?,
            next => next,
        };
        if let Some(commit) = next {
            self.judge(commit, loader, forms);
        }
        *again = false;
        Ok(())
    }

    /// Tells where the status branch is, if that changed and costs no more than a look.
    fn look_at_status(&self, before: &mut Option<CommitId>) {
        if self.status.is_remote() {
            return;
        }
        // What cannot be read is told by whoever needs it.
        if let Ok(tip) = self.status.tip()
            && *before != tip
        {
            *before = tip;
            // Closed: the daemon ends.
            let _ = self.snapshots.blocking_send(Read::Tip(tip));
        }
    }

    fn judge(&mut self, commit: Commit, loader: &mut Loader, forms: &Arc<Forms>) {
        let files = Files::of_listing(&commit.listing);
        let blobs = self.reader.blobs(loader.missing(&files.listed, forms));
        let (listed, refused) = (&files.listed, &files.refused);
        let cluster = Some(&self.cluster);
        let snapshot = loader.load(&commit.facts, cluster, listed, refused, &blobs, forms);
        let used = snapshot.is_ok();
        match snapshot {
            Ok(mut desired) => {
                self.authors.sign(&mut desired, &self.reader);
                // Closed: the daemon ends.
                let _ = self
                    .snapshots
                    .blocking_send(Read::Snapshot(Arc::new(desired)));
            }
            Err(findings) => {
                let id = commit.facts.id;
                let sources = loader.validate(listed, refused, &blobs).sources;
                let findings = resolve(&findings, &sources, &blobs);
                for finding in &findings {
                    tracing::error!(commit = %id, code = %finding.code, at = finding.at(), finding.message, help = finding.help, "the snapshot is not usable");
                }
                let errors = findings.iter().filter(|it| it.is_error());
                let unusable = Unusable {
                    commit: id,
                    errors: errors.map(Finding::line).collect(),
                };
                let _ = self.snapshots.blocking_send(Read::Unusable(unusable));
            }
        }
        self.reader.told(commit, used);
    }

    fn failed(&self, error: &GitError, failures: u32) -> u32 {
        self.metrics.git_failed();
        let first = |missing: &mut Option<Missing>| match missing {
            Some(one) if one.what.starts_with(FIRST) => {
                one.what = format!("{FIRST} ({})", error.reason());
                true
            }
            _ => false,
        };
        self.missing.send_if_modified(first);
        let chain = chain(error);
        tracing::warn!(
            reason = error.reason(),
            error = chain,
            help = error.help(),
            "the repository cannot be read"
        );
        failures + 1
    }
}

/// Waits for a wake-up, at most for a while; whether to go on.
fn pause(woken: &Receiver<Wake>, usual: Duration, failures: u32) -> bool {
    match woken.recv_timeout(spread(backoff(usual, failures))) {
        Ok(Wake::Look) | Err(RecvTimeoutError::Timeout) => true,
        Ok(Wake::End) | Err(RecvTimeoutError::Disconnected) => false,
    }
}

/// One second after the first failure, twice as long after each further one, up to a bound: a remote
/// that is back is seen soon.
pub fn backoff(usual: Duration, failures: u32) -> Duration {
    if failures == 0 {
        return usual;
    }
    let doubled = Duration::from_secs(1).saturating_mul(1 << failures.min(12).saturating_sub(1));
    doubled.min(LONGEST)
}

/// Between 3/4 and 5/4 of it, so that many daemons do not ask at once.
pub fn spread(pause: Duration) -> Duration {
    let random = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
    pause.mul_f64(0.75 + f64::from(random) / 512.0)
}

/// An error and the causes below it, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text = format!("{text}: {cause}");
        below = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_spread_a_little() {
        let usual = Duration::from_secs(10);
        let pauses: Vec<u64> = (0..6)
            .map(|failures| backoff(usual, failures).as_secs())
            .collect();
        assert_eq!(pauses, [10, 1, 2, 4, 8, 16]);
        assert_eq!(backoff(usual, 40), LONGEST);
        for _ in 0..100 {
            let spread = spread(usual).as_secs_f64();
            assert!((7.5..=12.5).contains(&spread), "{spread}");
        }
    }
}
