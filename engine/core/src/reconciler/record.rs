//! The status branch and the anchor.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::book::{Doubts, Unseen};
use super::flight::{Batch, Flight};
use super::identity::Overtaken;
use super::state::Reconciler;
use super::{Anchor, Effect, Outcome, What, retry};
use crate::ids::{CommitId, Timestamp, UnitId};
use crate::ledger::{
    APPLIED, DRIFT_JSON, DRIFT_MD, FORMAT, FORMAT_FILE, IDENTITY, LedgerError, SUMMARY, UnitFile,
    content_digest, identity_text, progress_text, unit_path,
};
use crate::report;

/// In a burst commits come ever less often, but at least this often if the interval is shorter.
const MOST_PAUSE: Duration = Duration::from_secs(2);
/// A commit message names so many documents.
const LINES: usize = 50;
/// After so long, what is known of a part of the cluster is recorded without the rest.
const WHOLE_VIEW: Duration = Duration::from_secs(10);

impl Reconciler {
    /// After a start, the watches tell one by one what lives: until all have, nothing is recorded,
    /// so that a restart writes nothing.
    pub(super) fn look_whether_seen(&mut self, now: Timestamp) {
        self.cover_early();
        if self.book.unseen.is_some() && self.ready() {
            self.book.unseen = None;
        }
        match self.book.unseen {
            Some(Unseen::New) => self.book.unseen = Some(Unseen::Until(now.plus(WHOLE_VIEW))),
            Some(Unseen::Until(end)) if end <= now => self.book.unseen = None,
            _ => {}
        }
    }

    /// The next status commit, if something changed and it is time.
    pub(super) fn record(&mut self, now: Timestamp) -> Option<Effect> {
        if !self.to_record()
            || self.outside.overtaken != Overtaken::No
            || now < self.record_at()
            || self.flights.any(|one| matches!(one, Flight::Record(_)))
        {
            return None;
        }
        let (batch, files) = match self.batch() {
            Ok(both) => both,
            Err(error) => {
                self.halt = Some(super::Halt {
                    reason: super::HaltReason::Ledger,
                    sentence: error.to_string(),
                });
                return None;
            }
        };
        self.book.pending.clear();
        self.book.general = false;
        self.book.drift = false;
        if files.is_empty() {
            self.book.failing = None;
            self.book.tries = 0;
            self.book.doubts = Doubts::None;
            self.pushed(batch.units);
            return None;
        }
        let message = self.message(&batch);
        let id = self.flights.start(Flight::Record(batch));
        let what = What::Record {
            base: self.book.tip,
            files,
            message,
            when: now,
        };
        Some(Effect {
            id,
            unit: None,
            why: "what became of it is recorded".into(),
            what,
        })
    }

    /// At most one status commit in this time.
    fn interval(&self) -> Duration {
        let of_cluster = || {
            let desired = self.desired.as_ref()?;
            Some(desired.cluster().spec.status.interval.get())
        };
        let own = self.options.status_interval;
        own.or_else(of_cluster).unwrap_or_default()
    }

    /// How long after the last status commit the next one may be made.
    fn pause(&self) -> Duration {
        let interval = self.interval();
        self.book.pause.clamp(interval, interval.max(MOST_PAUSE))
    }

    /// The pause after a commit: what comes alone is followed by the interval; within a burst each
    /// pause is twice as long as the one before, so that the commits of a burst stay few.
    fn pause_after(&self, now: Timestamp) -> Duration {
        let pause = self.pause();
        let burst = |last: Timestamp| now.since(last) < pause * 2;
        if self.book.last.is_some_and(burst) {
            pause * 2
        } else {
            self.interval()
        }
    }

    /// When the next status commit may be made.
    pub(super) fn record_at(&self) -> Timestamp {
        let next = self.book.last.map(|last| last.plus(self.pause()));
        let seen = match self.book.unseen {
            Some(Unseen::Until(end)) => end,
            _ => Timestamp::default(),
        };
        self.book.not_before.max(next.unwrap_or_default()).max(seen)
    }

    /// When what waits to be recorded is given; `None` if nothing waits, or it is under way.
    pub(super) fn record_due(&self) -> Option<Timestamp> {
        let under_way = self.flights.any(|one| matches!(one, Flight::Record(_)));
        let knows = self.outside.overtaken == Overtaken::No;
        let can = self.to_record() && !under_way && knows;
        can.then(|| self.record_at())
    }

    /// Whether a daemon that ends has still something to write, and can: so that the branch says
    /// the last that is known, and the anchor names it. Not while writing it fails.
    pub fn to_part(&self, now: Timestamp) -> bool {
        let book = &self.book;
        let record = self.to_record() && book.failing.is_none();
        let anchor = book.is_behind() && book.anchor_tries == 0;
        let knows = self.outside.accepted && !self.outside.stale && self.identity.is_some();
        knows && self.may_write(now) && self.throttled.is_none() && (record || anchor)
    }

    /// Whether ledger and cluster know each other: what `berth reanchor` doubts is pushed, and the
    /// anchor names the tip.
    pub fn is_anchored(&self) -> bool {
        self.book.doubts == Doubts::None && self.book.anchored == self.book.tip
    }

    /// The loop ends: what waits to be recorded is due at once, but for the pause after a failure.
    pub fn hurry(&mut self) {
        self.options.status_interval = Some(Duration::ZERO);
        self.book.pause = Duration::ZERO;
    }

    /// Whether something waits to be recorded.
    pub(super) fn to_record(&self) -> bool {
        let book = &self.book;
        !book.pending.is_empty() || book.general || book.drift || self.drift_is_over()
    }

    fn batch(&self) -> Result<(Batch, BTreeMap<String, Option<String>>), LedgerError> {
        let mut files: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut batch = Batch::default();
        let mut put = |path: String, text: String| {
            let digest = content_digest(text.as_bytes());
            if self.book.content.get(&path) != Some(&digest) {
                batch.files.insert(path.clone(), Some(digest));
                files.insert(path, Some(text));
            }
        };
        let mut units = BTreeMap::new();
        for id in &self.book.pending {
            let Some((state, known)) = self
                .units
                .get(id)
                .and_then(|s| Some((s, s.known.as_ref()?)))
            else {
                continue;
            };
            put(
                unit_path(id),
                UnitFile::write(id, known.revision, &known.ledger, &state.status())?,
            );
            units.insert(id.clone(), known.revision);
        }
        if let Some(identity) = &self.identity {
            put(IDENTITY.into(), identity_text(identity)?);
        }
        put(FORMAT_FILE.into(), format!("{FORMAT}\n"));
        put(APPLIED.into(), progress_text(&self.book.progress)?);
        put(SUMMARY.into(), report::summary(self)?);
        // What was found before a restart stays until all was looked at.
        if !self.drift.is_empty() {
            put(DRIFT_MD.into(), report::drift_markdown(self.drift.values()));
            put(DRIFT_JSON.into(), report::drift_json(self.drift.values()));
        }
        if self.drift_is_over() {
            for path in [DRIFT_MD, DRIFT_JSON] {
                batch.files.insert(path.into(), None);
                files.insert(path.into(), None);
            }
        }
        batch.units = units;
        Ok((batch, files))
    }

    /// The subject says what became of one document, or of how many; the body says it of each.
    fn message(&self, batch: &Batch) -> String {
        let line = |id: &UnitId| {
            let state = self.units.get(id).map(|unit| unit.status().state);
            format!("{id} {}", state.unwrap_or_default())
                .trim_end()
                .to_owned()
        };
        let mut lines: Vec<String> = batch.units.keys().take(LINES).map(line).collect();
        let subject = match (batch.units.len(), lines.first()) {
            (1, Some(only)) => only.clone(),
            (0, _) | (_, None) => "cluster".to_owned(),
            (count, Some(_)) => format!("{count} documents"),
        };
        match batch.units.len() {
            0 | 1 => lines.clear(),
            count if count > LINES => lines.push(format!("and {} more", count - LINES)),
            _ => {}
        }
        let body = lines.iter().map(|line| format!("{line}\n"));
        let body: String = body
            .chain((!lines.is_empty()).then(|| "\n".to_owned()))
            .collect();
        let commit = self
            .desired
            .as_ref()
            .map(|desired| desired.commit().id.to_string());
        format!(
            "status: {subject} [skip ci]\n\n{body}Desired-Commit: {}\nCluster: {}\n",
            commit.unwrap_or_else(|| "none".into()),
            self.options.cluster
        )
    }

    pub(super) fn recorded(&mut self, now: Timestamp, batch: Batch, outcome: Outcome) {
        match outcome {
            Outcome::Recorded(tip) => {
                self.counters.recorded += 1;
                let pause = self.pause_after(now);
                let book = &mut self.book;
                book.tip = Some(tip);
                for (path, digest) in batch.files {
                    match digest {
                        Some(digest) => book.content.insert(path, digest),
                        None => book.content.remove(&path),
                    };
                }
                (book.last, book.pause) = (Some(now), pause);
                book.failing = None;
                book.tries = 0;
                (book.doubts, book.unheard) = (Doubts::None, false);
                self.pushed(batch.units);
            }
            other => {
                self.book.pending.extend(batch.units.into_keys());
                self.book.general = true;
                self.book.drift |= !self.drift.is_empty();
                self.book.failing.get_or_insert(now);
                self.book.tries = self.book.tries.saturating_add(1);
                let wait = retry::delay(self.options.seed, "record", self.book.tries)
                    .min(Duration::from_mins(1));
                self.book.not_before = now.plus(wait);
                // A push that may have gone through is no reason to stop: what is not known to be pushed
                // is not durable, and the next push finds out, once Git is there. Nor is it one that
                // the branch has moved then. Otherwise somebody else pushed.
                match other {
                    Outcome::Unknown(_) => self.book.unheard = true,
                    Outcome::Outpaced if self.book.unheard => self.overtaken(Overtaken::Branch),
                    Outcome::Outpaced => self.outside.stale = true,
                    _ => {}
                }
            }
        }
    }

    /// These revisions are at the tip. They are durable once the anchor names it: until then the
    /// branch could be rolled back unseen.
    pub(super) fn pushed(&mut self, units: BTreeMap<UnitId, u64>) {
        match self.book.tip {
            Some(tip) if self.book.anchored != Some(tip) => {
                self.book.unanchored.push((tip, units));
            }
            _ => self.keep_durable(&units),
        }
    }

    pub(super) fn anchored(&mut self, status: Option<CommitId>) {
        self.book.anchored = status;
        let named = |(tip, _): &(CommitId, _)| Some(*tip) == status;
        if let Some(last) = self.book.unanchored.iter().rposition(named) {
            let pushed: Vec<_> = self.book.unanchored.drain(..=last).collect();
            for (_, units) in &pushed {
                self.keep_durable(units);
            }
        }
    }

    fn keep_durable(&mut self, units: &BTreeMap<UnitId, u64>) {
        for (id, revision) in units {
            if let Some(state) = self.units.get_mut(id) {
                state.durable = state.durable.max(*revision);
            }
            self.weigh_outcomes(id);
            if self
                .book
                .spilled
                .get(id)
                .is_some_and(|spilled| spilled.revision <= *revision)
            {
                self.book.spilled.remove(id);
            }
            self.todo.insert(id.clone());
        }
    }

    /// The anchor names the last pushed commit.
    pub(super) fn anchor(&mut self, now: Timestamp) -> Option<Effect> {
        let identity = self.identity.clone()?;
        let behind = self.book.is_behind() && !self.options.plan;
        let under_way = self.flights.any(|one| matches!(one, Flight::Anchor { .. }));
        if !behind || under_way || now < self.book.anchor_not_before {
            return None;
        }
        let (status, namespaces) = (self.book.tip, self.book.progress.namespaces.clone());
        // From now on it may not name those that were left.
        self.book.named.retain(|one| namespaces.contains(one));
        let data = Anchor::data(&identity, status, &namespaces);
        let id = self.flights.start(Flight::Anchor {
            status,
            namespaces,
            first: false,
        });
        let what = What::Keep {
            name: self.anchor_name(),
            data: Some(data),
            version: self.book.anchor,
        };
        Some(Effect {
            id,
            unit: None,
            why: "the anchor names the last pushed status commit and all namespaces".into(),
            what,
        })
    }

    pub(super) fn anchor_answered(
        &mut self,
        now: Timestamp,
        (status, namespaces): (Option<CommitId>, BTreeSet<String>),
        first: bool,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Kept(version) => {
                if self.book.named != namespaces {
                    // What waited for that can be made now.
                    self.todo.extend(self.units.keys().cloned());
                    self.book.named = namespaces;
                }
                self.book.anchor = Some(version);
                self.book.anchor_tries = 0;
                self.anchored(status);
                if first {
                    self.first_identity();
                }
            }
            other => {
                self.book.anchor_tries = self.book.anchor_tries.saturating_add(1);
                let wait = retry::delay(self.options.seed, "anchor", self.book.anchor_tries)
                    .min(Duration::from_secs(30));
                self.book.anchor_not_before = self.after(now, wait);
                self.not_kept(&other, first);
            }
        }
    }

    pub(super) fn first_identity(&mut self) {
        if let Some(place) = &self.outside.place {
            self.identity = Some(super::Identity {
                cluster: self.options.cluster.clone(),
                instance: place.fresh_instance.clone(),
                cluster_uid: place.cluster_uid.clone(),
            });
            self.book.general = true;
            self.dirty.extend(self.units.keys().cloned());
        }
    }

    pub(super) fn reload_failed(&mut self, now: Timestamp, outcome: &Outcome) {
        if let Outcome::Done(_) = outcome {
            return;
        }
        self.outside.tries = self.outside.tries.saturating_add(1);
        let wait = retry::delay(self.options.seed, "reload", self.outside.tries);
        self.outside.not_before = self.after(now, wait.min(Duration::from_secs(30)));
    }
}

#[cfg(test)]
mod tests;
