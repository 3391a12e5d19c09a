//! From what a unit should have and what there is, to effects.

use super::flight::{Aim, Flight};
use super::stamp::Stamp;
use super::state::Reconciler;
use super::{Effect, What};
use crate::ids::{ObjectKey, ObjectKind, Timestamp, UnitId};
use crate::kinds::{Recipe, Upkeep, Want, experiment};
use crate::ledger::UnitLedger;
use crate::object::covers;
use crate::observed::{Fact, Ownership};

/// What is done to let an object go, and why.
type Parting = (Aim, String, What);

impl Reconciler {
    /// The next effects of one unit, at most `room`. True if there was room for all.
    pub(super) fn diff(
        &mut self,
        id: &UnitId,
        now: Timestamp,
        room: usize,
        out: &mut Vec<Effect>,
    ) -> bool {
        if self.frozen(id).is_some() {
            return true;
        }
        let Some(state) = self.units.get_mut(id) else {
            return true;
        };
        // Nothing below changes what the unit wants; it is lent out meanwhile.
        let recipes = std::mem::take(&mut state.want.objects);
        let all = self.diff_objects(id, &recipes, now, room, out);
        if let Some(state) = self.units.get_mut(id) {
            state.want.objects = recipes;
        }
        all
    }

    fn diff_objects(
        &mut self,
        id: &UnitId,
        recipes: &[Recipe],
        now: Timestamp,
        room: usize,
        out: &mut Vec<Effect>,
    ) -> bool {
        let first = out.len();
        if !self.suspended() {
            for recipe in recipes {
                if out.len() - first >= room {
                    return false;
                }
                out.extend(self.keep(id, recipe, now));
            }
        }
        self.forget_drift_of_gone(id, recipes);
        self.find_again(id, now, room.saturating_sub(out.len() - first), out);
        let left = room.saturating_sub(out.len() - first);
        let held = self.remove_unwanted(id, recipes, now, left, out);
        let facts = self.observed.of_unit(id).into_iter();
        let on_hold: Vec<ObjectKey> = facts
            .filter(|fact| fact.hold)
            .map(|fact| fact.key.clone())
            .collect();
        let state = self.units.entry(id.clone()).or_default();
        if state.on_hold != on_hold {
            state.on_hold = on_hold;
            self.book.pending.insert(id.clone());
        }
        if state.held != held {
            state.held = held;
            self.book.pending.insert(id.clone());
            self.count(id);
        }
        out.len() - first < room
    }

    fn keep(&mut self, id: &UnitId, recipe: &Recipe, now: Timestamp) -> Option<Effect> {
        let key = &recipe.key;
        self.end_fight_of_gone(id, key);
        if self.flights.busy(key) || self.backs_off(key, now) {
            return None;
        }
        let Some(fact) = self.observed.get(key) else {
            return self.create(id, recipe);
        };
        match &fact.ownership {
            Ownership::Ours(unit) if unit == id => {}
            Ownership::Ours(unit) => {
                let words = format!("{key} belongs to {unit}");
                return self.trouble(id, key, words);
            }
            Ownership::Foreign(why) => {
                let words = format!("{key} exists and is not Berth's ({why}): delete or rename it");
                return self.trouble(id, key, words);
            }
        }
        if fact.deleting.is_some() {
            return None;
        }
        if fact.hold {
            return self.look_at_held(id, recipe);
        }
        let effect = match recipe.upkeep {
            Upkeep::Frozen => self.inspect(id, recipe),
            Upkeep::Converged => self.converge(id, recipe, now),
        };
        if effect.is_none() && !self.backs_off(key, now) {
            self.found_fine(id, key, now);
        }
        effect
    }

    /// What was refused on an object is of no account once it is as it should be: it may be wanted
    /// again after its deletion was refused.
    fn found_fine(&mut self, id: &UnitId, key: &ObjectKey, now: Timestamp) {
        if self.retries.contains_key(key) {
            self.fine(id, key);
            self.wake(id, now);
        }
    }

    /// What somebody changed on a pod is reported, and never corrected.
    fn inspect(&mut self, id: &UnitId, recipe: &Recipe) -> Option<Effect> {
        let key = &recipe.key;
        let fact = self.observed.get(key)?;
        let version = fact.version;
        match recipe.suspect {
            None => return None,
            Some(false) => {
                self.drift_over(key);
                return None;
            }
            Some(true) if self.in_sync.get(key) == Some(&version) => return None,
            Some(true) => {}
        }
        let what = What::Inspect {
            key: key.clone(),
            body: (recipe.body)(),
        };
        let why = format!("{key} was changed since it was made");
        Some(self.give(id, key, Aim::Inspect { version }, why, what))
    }

    /// What is held by its annotation is told to differ, and left as it is.
    fn look_at_held(&mut self, id: &UnitId, recipe: &Recipe) -> Option<Effect> {
        if recipe.upkeep == Upkeep::Frozen {
            return self.inspect(id, recipe);
        }
        let key = &recipe.key;
        let fact = self.observed.get(key)?;
        let (uid, version) = (fact.uid.clone(), fact.version);
        let live = fact.leaves.as_ref();
        let same = fact.digest == Some(recipe.digest)
            && live.is_none_or(|live| covers(live, &recipe.leaves));
        if same {
            self.drift_over(key);
            return None;
        }
        if self.in_sync.get(key) == Some(&version) {
            return None;
        }
        let body = self.body_of(id, recipe, Some(fact), None)?;
        let what = What::Apply {
            key: key.clone(),
            uid,
            body,
            dry_run: true,
        };
        let why = format!("{key} is held and looks changed: the server is asked");
        Some(self.give(id, key, Aim::Inspect { version }, why, what))
    }

    fn create(&mut self, id: &UnitId, recipe: &Recipe) -> Option<Effect> {
        let unknown = self.observed.outstanding(&recipe.key);
        // A create whose answer was lost is repeated: the name is the lock.
        if self.observed.absent(&recipe.key).is_none() && !unknown {
            return None;
        }
        let there = |key: &ObjectKey| {
            self.observed.get(key).is_some_and(|fact| {
                fact.deleting.is_none() && matches!(fact.ownership, Ownership::Ours(_))
            })
        };
        if !self.options.plan && !recipe.after.iter().all(there) {
            return None;
        }
        // Nobody would find it, if it could not be recorded.
        if !self.options.plan && !self.book.named.contains(&*recipe.key.namespace) {
            return None;
        }
        let body = self.body_of(id, recipe, None, None)?;
        self.observed.create_given(&recipe.key, id);
        let why = self.why(id, |ledger, want| {
            experiment::wanted(ledger, want, recipe.key.kind)
        });
        let why = why.unwrap_or_else(|| format!("{id} needs it"));
        let what = What::Create {
            key: recipe.key.clone(),
            digest: recipe.digest,
            body,
        };
        Some(self.give(
            id,
            &recipe.key,
            Aim::Create {
                digest: recipe.digest,
            },
            why,
            what,
        ))
    }

    fn converge(&mut self, id: &UnitId, recipe: &Recipe, now: Timestamp) -> Option<Effect> {
        let key = &recipe.key;
        let fact = self.observed.get(key)?;
        let (uid, version) = (fact.uid.clone(), fact.version);
        let same = fact.digest == Some(recipe.digest);
        let in_sync = fact
            .leaves
            .as_ref()
            .is_none_or(|live| covers(live, &recipe.leaves));
        if same && (in_sync || self.in_sync.get(key) == Some(&version)) {
            self.drifted.remove(key);
            self.drift_over(key);
            return None;
        }
        let commit = same.then_some(fact.commit).flatten();
        if same && !self.drifted.contains(key) {
            let body = self.body_of(id, recipe, Some(fact), commit)?;
            let what = What::Apply {
                key: key.clone(),
                uid: uid.clone(),
                body,
                dry_run: true,
            };
            let why = format!("{key} looks changed: the server is asked");
            return Some(self.give(id, key, Aim::Compare { version }, why, what));
        }
        let why = if same {
            self.drifted.remove(key);
            if self.fights.entry(key.clone()).or_default().correct(now) {
                self.fight(id, key, now);
                return None;
            }
            format!("{key} was changed by somebody else")
        } else {
            format!("{id} says otherwise now")
        };
        let fact = self.observed.get(key)?;
        let body = self.body_of(id, recipe, Some(fact), commit)?;
        let what = What::Apply {
            key: key.clone(),
            uid: uid.clone(),
            body,
            dry_run: false,
        };
        Some(self.give(id, key, Aim::Apply { uid }, why, what))
    }

    /// Deletes what is ours and not wanted, and releases pods whose outcome is durable. Gives why
    /// something is held.
    fn remove_unwanted(
        &mut self,
        id: &UnitId,
        wanted: &[Recipe],
        now: Timestamp,
        room: usize,
        out: &mut Vec<Effect>,
    ) -> Option<String> {
        let mut held = None;
        let mut given = Vec::new();
        for fact in self.observed.of_unit(id) {
            if given.len() >= room {
                break;
            }
            if fact.hold || self.flights.busy(&fact.key) || self.backs_off(&fact.key, now) {
                continue;
            }
            let is_wanted = wanted.iter().any(|recipe| recipe.key == fact.key);
            match self.parting(id, fact, is_wanted) {
                Ok(parting) => given.extend(parting.map(|it| (fact.key.clone(), it))),
                Err(words) => held = Some(words),
            }
        }
        for (key, (aim, why, what)) in given {
            out.push(self.give(id, &key, aim, why, what));
        }
        held
    }

    /// How an object goes, if it should.
    fn parting(&self, id: &UnitId, fact: &Fact, wanted: bool) -> Result<Option<Parting>, String> {
        let (key, uid, version) = (&fact.key, &fact.uid, fact.version);
        let ended = fact.pod.as_ref().is_some_and(|pod| pod.end.is_some());
        let state = self.units.get(id);
        let durable = state.is_some_and(|state| state.outcome_durable(key));
        let unwanted_alive = !wanted && fact.deleting.is_none();
        // A pod that ended keeps its finalizer, and is not deleted, until its outcome is safe: a
        // delete would make a success look like a stop. Nor is one whose finalizer somebody took off.
        let tells = fact.finalizer || state.is_some_and(|it| it.outcomes.contains_key(key));
        if ended && tells && !durable {
            return Ok(None);
        }
        // Its Service is not wanted while the pods of an attempt that was never kept are unseen: all of
        // the namespace has to be seen, not only what is of the same kind.
        let seen = self.observed.complete_in(&key.namespace);
        if unwanted_alive && !self.suspended() && seen {
            // The guard counts what it sees: how much a commit takes away is known once all is seen.
            if state.is_some_and(|state| state.want.prunes) && !self.sees(Some(&key.namespace)) {
                return self.unreadable_for(&key.namespace).map_or(Ok(None), Err);
            }
            self.may_delete(id, fact)?;
            let why = self.why(id, |ledger, want| experiment::unwanted(ledger, want, fact));
            let why = why.unwrap_or_else(|| format!("{id} knows of no attempt that it belongs to"));
            let what = What::Delete {
                key: key.clone(),
                uid: uid.clone(),
                version,
            };
            return Ok(Some((Aim::Delete { uid: uid.clone() }, why, what)));
        }
        // Also a pod that never ends by itself has an outcome: one that was deleted before it was
        // bound, or whose node is gone.
        if durable && fact.finalizer && (wanted || fact.deleting.is_some()) {
            let why = "its outcome is recorded".to_owned();
            let what = What::Release {
                key: key.clone(),
                uid: uid.clone(),
                version,
            };
            return Ok(Some((Aim::Release { uid: uid.clone() }, why, what)));
        }
        Ok(None)
    }

    /// Why an object comes or goes.
    fn why(
        &self,
        id: &UnitId,
        of: impl FnOnce(&UnitLedger, &Want) -> Option<String>,
    ) -> Option<String> {
        let state = self.units.get(id)?;
        of(&state.known.as_ref()?.ledger, &state.want)
    }

    /// Why this object may not be deleted though its unit does not want it.
    fn may_delete(&self, id: &UnitId, fact: &Fact) -> Result<(), String> {
        let Some(desired) = &self.desired else {
            return Err("no snapshot was read yet".into());
        };
        let prunes = self.units.get(id).is_some_and(|state| state.want.prunes);
        if !prunes && desired.unit(id).is_some() {
            return Ok(());
        }
        if desired.is_at_fault(id) {
            return Err(
                "its document is there and not in force: nothing of it is deleted until what is said of it is mended"
                    .into(),
            );
        }
        self.lineage.allows(fact.commit, fact.created)?;
        match &self.guard {
            Some(guard) if prunes => guard.check(id),
            _ => Ok(()),
        }
    }

    fn body_of(
        &self,
        id: &UnitId,
        recipe: &Recipe,
        fact: Option<&Fact>,
        commit: Option<crate::ids::CommitId>,
    ) -> Option<serde_json::Value> {
        let desired = self.desired.as_ref()?;
        let own = desired.unit(id).map(|unit| unit.applied.commit);
        let stamp = Stamp {
            instance: &self.identity.as_ref()?.instance,
            unit: id,
            key: &recipe.key,
            digest: recipe.digest,
            commit: commit.or(own).unwrap_or(desired.commit().id),
        };
        Some(stamp.put((recipe.body)(), fact.map(|fact| &fact.uid)))
    }

    pub(super) fn give(
        &mut self,
        id: &UnitId,
        key: &ObjectKey,
        aim: Aim,
        why: String,
        what: What,
    ) -> Effect {
        let flight = Flight::Object {
            unit: id.clone(),
            key: key.clone(),
            aim,
        };
        if self.retries.contains_key(key) {
            self.counters.retried += 1;
        }
        Effect {
            id: self.flights.start(flight),
            unit: Some(id.clone()),
            why,
            what,
        }
    }

    fn trouble(&mut self, id: &UnitId, key: &ObjectKey, words: String) -> Option<Effect> {
        let state = self.units.entry(id.clone()).or_default();
        if state.trouble.get(key) != Some(&words) {
            state.trouble.insert(key.clone(), words);
            self.book.pending.insert(id.clone());
        }
        None
    }

    pub(super) fn backs_off(&self, key: &ObjectKey, now: Timestamp) -> bool {
        self.retries.get(key).is_some_and(|retry| now < retry.until)
    }

    pub(super) fn suspended(&self) -> bool {
        use crate::kinds::cluster::ClusterState;
        self.desired
            .as_ref()
            .is_some_and(|desired| desired.cluster().spec.state == ClusterState::Suspended)
    }

    /// An event about the first pod of an attempt that was created.
    pub(super) fn tell_launched(&mut self, unit: &UnitId, fact: &Fact) {
        let Some(role) = fact.pod.as_ref().and_then(|pod| pod.role.as_ref()) else {
            return;
        };
        if role.rank != 0 || fact.key.kind != ObjectKind::Pod {
            return;
        }
        let commit = fact.commit.map_or_else(String::new, |commit| {
            format!(" for commit {}", commit.short())
        });
        let tell = What::Tell {
            key: fact.key.clone(),
            uid: Some(fact.uid.clone()),
            warning: false,
            reason: "Launched".into(),
            note: format!(
                "{unit}: attempt {} of trial {} of run {}{commit}",
                role.attempt, role.trial, role.run
            ),
        };
        self.queue_tell(unit, tell);
    }
}
