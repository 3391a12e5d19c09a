//! What became of effects.

use std::collections::BTreeSet;
use std::time::Duration;

use super::evaluate::sentence;
use super::flight::{Aim, Flight};
use super::retry;
use super::state::Reconciler;
use super::{EffectId, FieldDrift, Outcome, ServerWords, What};
use crate::ids::{Digest, ObjectKey, Timestamp, Uid, UnitId};
use crate::observed::{Fact, Ownership};

/// Events for people that may wait; more are dropped.
const TELLS: usize = 64;
/// Times are cut to milliseconds: `now` may be so much later than it says.
const TICK: Duration = Duration::from_millis(1);

impl Reconciler {
    /// Takes the answer of an effect; one that was answered before is not listened to.
    pub(super) fn answered(&mut self, now: Timestamp, id: EffectId, outcome: Outcome) {
        let Some(flight) = self.flights.land(id) else {
            return;
        };
        if let Outcome::Throttled(wait) | Outcome::Busy(wait, _) = outcome {
            self.throttle(now, wait);
        }
        match flight {
            Flight::Object { unit, key, aim } => {
                self.object_answered(now, &unit, &key, aim, outcome);
                self.dirty.insert(unit);
            }
            Flight::Tell => {}
            Flight::Record(batch) => self.recorded(now, batch, outcome),
            Flight::Reload => self.reload_failed(now, &outcome),
            Flight::Anchor {
                status,
                namespaces,
                first,
            } => self.anchor_answered(now, (status, namespaces), first, outcome),
            Flight::Spill(units) => self.spill_answered(now, units, outcome),
            Flight::SpillGone => self.spill_gone(now, outcome),
        }
    }

    fn object_answered(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        aim: Aim,
        outcome: Outcome,
    ) {
        match aim {
            Aim::Create { digest } => self.create_answered(now, unit, key, digest, outcome),
            Aim::Compare { version } => match outcome {
                Outcome::Compared(fields, _) if fields.is_empty() => {
                    self.in_sync.insert(key.clone(), version);
                    self.fine(unit, key);
                }
                Outcome::Compared(fields, _) => self.found_drift(now, unit, key, fields),
                other => self.failed(now, unit, key, &other),
            },
            Aim::Inspect { version } => match outcome {
                Outcome::Compared(fields, _) => {
                    self.in_sync.insert(key.clone(), version);
                    self.fine(unit, key);
                    let known = self.drift.get(key).map(|entry| &entry.fields);
                    if fields.is_empty() {
                        self.drift_over(key);
                    } else if known != Some(&fields) {
                        self.report_drift(now, unit, key, fields);
                    }
                }
                // It went meanwhile: the watch tells.
                Outcome::Absent => {}
                other => self.failed(now, unit, key, &other),
            },
            Aim::Apply { uid } => match outcome {
                Outcome::Done(Some(fact)) => {
                    self.counters.applied += 1;
                    self.drift_corrected(key);
                    self.in_sync.insert(key.clone(), fact.version);
                    self.learn(*fact);
                    self.fine(unit, key);
                }
                Outcome::Absent => self.depart(key, &uid),
                other => self.failed(now, unit, key, &other),
            },
            Aim::Delete { uid } => {
                self.counters.deleted += u64::from(matches!(outcome, Outcome::Done(_)));
                self.parting_answered(now, unit, key, &uid, outcome);
            }
            Aim::Mark { uid } => self.mark_answered(now, unit, key, &uid, outcome),
            Aim::Release { uid } => {
                self.counters.released += u64::from(matches!(outcome, Outcome::Done(_)));
                self.parting_answered(now, unit, key, &uid, outcome);
            }
        }
    }

    /// A delete or the release of a finalizer: either may be what lets the object go.
    fn parting_answered(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        uid: &Uid,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Done(fact) => {
                self.fine(unit, key);
                match fact {
                    Some(fact) => self.learn(*fact),
                    None => self.depart(key, uid),
                }
            }
            Outcome::Absent => self.depart(key, uid),
            other => self.failed(now, unit, key, &other),
        }
    }

    fn create_answered(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        digest: Digest,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Done(Some(fact)) => {
                self.counters.created += 1;
                self.observed.create_answered(key);
                self.fine(unit, key);
                self.tell_launched(unit, &fact);
                self.learn(*fact);
            }
            Outcome::Exists(fact) => {
                self.observed.create_answered(key);
                self.exists(now, unit, key, digest, *fact);
            }
            Outcome::Unknown(_) | Outcome::Busy(..) => {
                let settles = self.observed.create_unknown(key, unit, now);
                self.wake(unit, settles);
                self.back_off(now, unit, key, None);
            }
            other => {
                self.observed.create_not_done(key);
                self.failed(now, unit, key, &other);
            }
        }
    }

    /// The name is taken: by our own earlier try, by an older life of ours, or by somebody else.
    fn exists(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        digest: Digest,
        fact: Fact,
    ) {
        match &fact.ownership {
            Ownership::Ours(owner) if owner == unit => {
                let live = fact.pod.as_ref().is_none_or(|pod| pod.end.is_none());
                let same = fact.digest == Some(digest) && fact.deleting.is_none() && live;
                self.learn(fact);
                if same {
                    self.fine(unit, key);
                } else {
                    self.back_off(now, unit, key, None);
                }
            }
            Ownership::Ours(owner) => {
                let words = format!("{key} belongs to {owner}");
                self.wait_for_name(now, unit, key, words);
            }
            Ownership::Foreign(why) => {
                let words = format!("{key} exists and is not Berth's ({why}): delete or rename it");
                self.wait_for_name(now, unit, key, words);
            }
        }
    }

    fn found_drift(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        fields: Vec<FieldDrift>,
    ) {
        self.drifted.insert(key.clone());
        self.report_drift(now, unit, key, fields);
    }

    /// More than five corrections a minute: somebody keeps changing it back.
    pub(super) fn fight(&mut self, unit: &UnitId, key: &ObjectKey, now: Timestamp) {
        if let Some(entry) = self.drift.get_mut(key) {
            entry.fight = true;
            self.book.drift = true;
        }
        let fields = self.drift.get(key).map_or(&[][..], |entry| &entry.fields);
        let managers = fields.iter().filter_map(|field| field.manager.as_deref());
        let managers: BTreeSet<&str> = managers.collect();
        let named: Vec<String> = managers.iter().map(|name| format!("`{name}`")).collect();
        let who = match &*named {
            [] => "somebody".to_owned(),
            named => named.join(" and "),
        };
        let words = format!(
            "{key} is changed back again and again by {who}: Berth waits before it corrects it once more"
        );
        self.wait_a_minute(now, unit, key, words);
    }

    /// Backs off, and for a minute at least: somebody works against us.
    pub(super) fn wait_a_minute(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        words: String,
    ) {
        self.back_off(now, unit, key, Some(words));
        if let Some(retry) = self.retries.get_mut(key) {
            retry.until = retry.until.max(now.plus(Duration::from_mins(1)));
            let until = retry.until;
            self.wake(unit, until);
        }
    }

    pub(super) fn failed(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        outcome: &Outcome,
    ) {
        let words = match outcome {
            Outcome::Refused(words) => Some(sentence(words)),
            Outcome::Absent => Some(format!(
                "the namespace `{}` does not exist: create it",
                key.namespace
            )),
            Outcome::Throttled(_) => return,
            _ => None,
        };
        if let Outcome::Refused(said) = outcome {
            self.tell_refused(unit, key, said);
        }
        self.back_off(now, unit, key, words);
    }

    /// An event about the first refusal that a unit meets, for those who look at the namespace and
    /// not at the status branch.
    fn tell_refused(&mut self, unit: &UnitId, key: &ObjectKey, said: &ServerWords) {
        let state = self.units.get(unit);
        if state.is_some_and(|state| !state.trouble.is_empty()) {
            return;
        }
        let tell = What::Tell {
            key: key.clone(),
            uid: self.observed.get(key).map(|fact| fact.uid.clone()),
            warning: true,
            reason: "Refused".into(),
            note: format!("{unit}: {}", sentence(said)),
        };
        self.queue_tell(unit, tell);
    }

    /// No watch tells when a stranger's object goes: somebody who took it out of the way sees soon
    /// that it goes on.
    pub(super) fn wait_for_name(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        words: String,
    ) {
        self.try_within(retry::NAME_TAKEN, now, unit, key, Some(words));
    }

    pub(super) fn back_off(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        words: Option<String>,
    ) {
        self.try_within(Duration::MAX, now, unit, key, words);
    }

    /// The next try, after the pause that grows with the tries, within `most` at the latest.
    fn try_within(
        &mut self,
        most: Duration,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        words: Option<String>,
    ) {
        let retry = self.retries.entry(key.clone()).or_default();
        retry.tries = retry.tries.saturating_add(1);
        let pause = retry::delay(self.options.seed, &key.to_string(), retry.tries);
        retry.until = now.plus(pause.min(most));
        retry.words.clone_from(&words);
        let until = retry.until;
        self.wake(unit, until);
        if let Some(words) = words {
            let state = self.units.entry(unit.clone()).or_default();
            if state.trouble.insert(key.clone(), words.clone()) != Some(words) {
                self.book.pending.insert(unit.clone());
            }
        }
    }

    pub(super) fn fine(&mut self, unit: &UnitId, key: &ObjectKey) {
        self.retries.remove(key);
        let state = self.units.entry(unit.clone()).or_default();
        if state.trouble.remove(key).is_some() {
            self.book.pending.insert(unit.clone());
        }
    }

    pub(super) fn learn(&mut self, fact: Fact) {
        let touched = self.observed.learned(fact);
        self.touch(touched);
    }

    pub(super) fn depart(&mut self, key: &ObjectKey, uid: &crate::ids::Uid) {
        let touched = self.observed.departed(key, uid);
        self.touch(touched);
    }

    /// Who is told to wait waits with everything, not only with what it was said to.
    pub(super) fn throttle(&mut self, now: Timestamp, wait: Duration) {
        let until = now.plus(wait.min(Duration::from_mins(5)) + TICK);
        self.throttled = self.throttled.max(Some(until));
    }

    /// The end of a pause, and not before the server wants to be asked again.
    pub(super) fn after(&self, now: Timestamp, pause: Duration) -> Timestamp {
        now.plus(pause).max(self.throttled.unwrap_or_default())
    }

    pub(super) fn queue_tell(&mut self, unit: &UnitId, tell: What) {
        if self.tells.len() < TELLS {
            self.tells.push_back((unit.clone(), tell));
        }
    }
}
