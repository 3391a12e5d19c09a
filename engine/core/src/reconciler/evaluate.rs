//! From dirty units to wants and grants.

use std::sync::Arc;

use super::absorb::namespaces;
use super::state::{Reconciler, remember};
use super::{ServerWords, What};
use crate::ids::{ObjectKey, ObjectKind, Timestamp, Uid, UnitId};
use crate::kinds::{self, AttemptKey, NodeState, Recipe, View, Want};
use crate::ledger::{Known, UnitLedger, UnitStatus};
use crate::observed::{Coverage, Fact, Observed, PodFact};
use crate::reconciler::WatchKey;

/// A kind that never comes to rest is stopped after so many rounds; the next event goes on.
const ROUNDS: usize = 16;

impl Reconciler {
    /// Works out what dirty units should have, asks the arbiter, and again while that changes
    /// something.
    pub(super) fn evaluate(&mut self, now: Timestamp) {
        // A clock that jumps back undoes nothing: all units are worked out at one time.
        self.latest = self.latest.max(now);
        let now = self.latest;
        for _ in 0..ROUNDS {
            let dirty = std::mem::take(&mut self.dirty);
            self.counters.evaluated += dirty.len() as u64;
            for unit in &dirty {
                self.evaluate_unit(unit, now);
            }
            self.arbitrate();
            self.forget_kept();
            if self.dirty.is_empty() {
                break;
            }
        }
        self.note_kept();
    }

    /// A document of which no form can be used stands still: its pods live on, and what becomes of
    /// them is kept by their finalizers until it is mended.
    pub(super) fn frozen(&self, id: &UnitId) -> Option<String> {
        let frozen = self.desired.as_ref()?.frozen().get(id);
        frozen.cloned().or_else(|| self.formless(id))
    }

    /// Only the pods tell of it: the ledger names no form, and its document is not valid, or may
    /// stand where nothing can be read.
    fn formless(&self, id: &UnitId) -> Option<String> {
        let is_known = self.units.get(id)?.known.is_some();
        if is_known || self.observed.of_unit(id).is_empty() || self.desired.as_ref()?.tells_of(id) {
            return None;
        }
        let words =
            "no form of its document is known: it stands still until what is not valid is mended";
        Some(words.to_owned())
    }

    fn evaluate_unit(&mut self, id: &UnitId, now: Timestamp) {
        if let Some(words) = self.frozen(id) {
            let state = self.units.entry(id.clone()).or_default();
            if state.held.as_ref() != Some(&words) {
                state.held = Some(words);
                self.book.pending.insert(id.clone());
            }
            self.count(id);
            self.take_stock(id);
            return;
        }
        for _ in 0..ROUNDS {
            let want = self.want(id, now);
            if !self.take_want(id, want, now) {
                break;
            }
        }
        self.take_stock(id);
        self.todo.insert(id.clone());
    }

    /// What the unit should have, by the kind's own word. Recipes of the same unit are kept.
    fn want(&self, id: &UnitId, now: Timestamp) -> Want {
        let desired = self.desired.as_ref();
        let unit = desired.and_then(|desired| desired.shared_unit(id));
        let state = self.units.get(id).filter(|state| {
            let before = state.made_of.as_ref();
            before.zip(unit).is_some_and(|(a, b)| Arc::ptr_eq(a, b))
        });
        let made = |key: &ObjectKey| {
            let mut objects = state?.want.objects.iter();
            objects.find(|recipe| recipe.key == *key).cloned()
        };
        self.want_with(id, now, &made)
    }

    /// What the unit should have, with what is left of before.
    pub(super) fn want_with(
        &self,
        id: &UnitId,
        now: Timestamp,
        made: &dyn Fn(&ObjectKey) -> Option<Recipe>,
    ) -> Want {
        let (Some(identity), Some(desired)) = (&self.identity, &self.desired) else {
            return Want::default();
        };
        let objects: Vec<&Fact> = self.observed.of_unit(id);
        let unit = desired.unit(id);
        let state = self.units.get(id);
        let grants = self.grants.get(id);
        let namespace = unit.and_then(|unit| unit.scope.queue.as_ref());
        let namespace = namespace.map(|queue| queue.spec.namespace.as_str());
        let view = View {
            instance: &identity.instance,
            cluster_name: &self.options.cluster,
            ledger: state.and_then(|state| Some(&state.known.as_ref()?.ledger)),
            sequence: self.sequence,
            objects: &objects,
            complete: self.sees(namespace),
            unreadable: namespace.and_then(|own| self.unreadable_for(own)),
            grant: &|attempt: &AttemptKey| grants.and_then(|all| all.get(attempt)).cloned(),
            node: &|pod: &PodFact| node_state(&self.observed, pod),
            unheard: self.observed.unheard(id),
            gone: &|key: &ObjectKey, uid: &Uid| self.observed.is_over(key, uid),
            moved_from: &|| self.guard.as_ref()?.moved_from(id).cloned(),
            unproven: self.book.progress.unproven.contains(id),
            refused: &|key: &ObjectKey| self.retries.get(key).and_then(|retry| retry.words.clone()),
            made,
        };
        if !id.kind.has_queue() {
            return self.want_rule(id, now);
        }
        match unit {
            Some(unit) => kinds::want(unit, &view, now),
            None => kinds::want_withdrawn(id, &view, now),
        }
    }

    /// Clusters, queues and pod defaults make no objects: the ledger keeps which form is in force,
    /// so that it can be used while a newer one is invalid.
    fn want_rule(&self, id: &UnitId, now: Timestamp) -> Want {
        let known = self.units.get(id).and_then(|state| state.known.as_ref());
        let known = known.map(|known| &known.ledger);
        let unit = self.desired.as_ref().and_then(|desired| desired.unit(id));
        let ledger = match (known.cloned(), unit) {
            (Some(known), Some(unit)) => Some(UnitLedger {
                applied: unit.applied.clone(),
                withdrawn: false,
                ..known
            }),
            (None, Some(unit)) => Some(UnitLedger {
                sequence: self.sequence,
                first_seen: now,
                applied: unit.applied.clone(),
                withdrawn: false,
                runs: Vec::new(),
            }),
            (Some(known), None) => Some(UnitLedger {
                withdrawn: true,
                ..known
            }),
            (None, None) => None,
        };
        let state = if unit.is_some() {
            "InForce"
        } else {
            "Withdrawn"
        };
        Want {
            ledger: ledger.filter(|ledger| known != Some(ledger)),
            status: UnitStatus {
                state: state.into(),
                message: unit.and_then(|unit| unit.held.clone()),
                ..UnitStatus::default()
            },
            ..Want::default()
        }
    }

    /// All namespaces that Berth uses or used are seen. One that cannot be read stops only what
    /// stands in it, if it is another queue's; one that no queue has any more may have been this one's.
    pub(super) fn sees(&self, namespace: Option<&str>) -> bool {
        let others = |one: &str| {
            let own = namespace.is_none_or(|own| own == one);
            !own && self.unreadable(one).is_some() && self.is_of_a_queue(one)
        };
        let mut all = self.book.progress.namespaces.iter();
        all.all(|one| self.observed.complete_in(one) || others(one))
    }

    /// Why not all is seen that an experiment of this namespace waits for: the server does not let us
    /// see its own namespace, or one that no queue has any more.
    pub(super) fn unreadable_for(&self, own: &str) -> Option<String> {
        let left = self.book.progress.namespaces.iter();
        let mut left = left.filter(|one| !self.is_of_a_queue(one));
        self.unreadable(own)
            .or_else(|| left.find_map(|one| self.unreadable(one)))
    }

    fn is_of_a_queue(&self, namespace: &str) -> bool {
        let desired = self.desired.as_ref();
        desired.is_some_and(|desired| namespaces(desired).contains(namespace))
    }

    /// What of a namespace the server does not let us see, and why; all of it at once.
    fn unreadable(&self, namespace: &str) -> Option<String> {
        let unseen = |kind: &ObjectKind| {
            let watch = WatchKey::Ours(*kind, namespace.into());
            match self.observed.coverage(&watch) {
                Coverage::Unreadable(words) => Some(format!(
                    "the {} of the namespace `{namespace}` cannot be seen: {words}",
                    kind.plural()
                )),
                Coverage::Incomplete | Coverage::Complete => None,
            }
        };
        let unseen: Vec<String> = ObjectKind::ALL.iter().filter_map(unseen).collect();
        (!unseen.is_empty()).then(|| unseen.join("; "))
    }

    /// Puts a want in force; true if the ledger changed, so that the unit must look again.
    fn take_want(&mut self, id: &UnitId, mut want: Want, now: Timestamp) -> bool {
        let asks_changed = self
            .units
            .get(id)
            .is_none_or(|state| state.want.asks != want.asks);
        if asks_changed {
            self.asked_anew.insert(id.clone());
        }
        remember(&mut self.asking, id, !want.asks.is_empty());
        if self.pruning.contains(id) != want.prunes {
            self.dirty.extend(self.kept_back.iter().cloned());
        }
        remember(&mut self.pruning, id, want.prunes);
        if let Some(guard) = &mut self.guard {
            guard.count(id, want.prunes);
        }
        remember(&mut self.kept_back, id, want.kept_back);
        if let Some(due) = want.due {
            self.wake(id, due);
        }
        let wanted = want.ledger.take();
        let ledger = self.prove(id, wanted.as_ref(), now).or(wanted);
        let sequence = self.sequence;
        let desired = self.desired.as_ref();
        let made_of = desired.and_then(|desired| desired.shared_unit(id));
        let state = self.units.entry(id.clone()).or_default();
        state.made_of = made_of.cloned();
        let before = state.known.as_ref().map(|known| &known.ledger);
        let changed = ledger.filter(|ledger| before != Some(ledger));
        let again = changed.is_some();
        if let Some(ledger) = changed {
            if ledger.sequence == sequence {
                self.sequence += 1;
            }
            let revision = state.known.as_ref().map_or(1, |known| known.revision + 1);
            // An outcome that is corrected is durable only as it is now.
            let is_corrected = |pod: &ObjectKey| {
                let uid = self.observed.get(pod).map(|fact| &fact.uid);
                let end = |of: Option<&UnitLedger>| of.and_then(|it| it.end_of(uid?).cloned());
                end(before) != end(Some(&ledger))
            };
            state.outcomes.retain(|pod, _| !is_corrected(pod));
            state.known = Some(Known { revision, ledger });
        }
        let revision = state.known.as_ref().map_or(0, |known| known.revision);
        state.outcomes.retain(|pod, _| want.release.contains(pod));
        let mut fresh = Vec::new();
        for pod in &want.release {
            state.outcomes.entry(pod.clone()).or_insert_with(|| {
                fresh.push(pod.clone());
                revision
            });
        }
        let old = state.status();
        state.due = want.due;
        state.want = want;
        if again || state.status() != old {
            self.book.pending.insert(id.clone());
        }
        self.count(id);
        self.weigh_outcomes(id);
        for pod in fresh {
            self.tell_end(id, &pod);
        }
        again
    }

    fn tell_end(&mut self, unit: &UnitId, pod: &ObjectKey) {
        // Without its finalizer it was told of already, but for one that somebody took off.
        let Some(fact) = self.observed.get(pod).filter(|fact| fact.finalizer) else {
            return;
        };
        let Some(end) = fact.pod.as_ref().and_then(|pod| pod.end.as_ref()) else {
            return;
        };
        if end.succeeded || end.asked {
            return;
        }
        let code = end
            .exit_code
            .map_or(String::new(), |code| format!(" with exit code {code}"));
        let tell = What::Tell {
            key: pod.clone(),
            uid: Some(fact.uid.clone()),
            warning: true,
            reason: "PodFailed".into(),
            note: format!("The pod of {unit} failed{code}: {}", end.reason),
        };
        self.queue_tell(unit, tell);
    }
}

/// The words of a refusal, for status.
pub(super) fn sentence(words: &ServerWords) -> String {
    let message: String = words.message.chars().take(500).collect();
    format!(
        "the server refused ({} {}): {message}",
        words.code, words.reason
    )
}

fn node_state(observed: &Observed, pod: &PodFact) -> Option<NodeState> {
    let name = pod.node.as_deref()?;
    let complete = *observed.coverage(&WatchKey::Nodes) == Coverage::Complete;
    let knows = observed.nodes_know_of(pod);
    Some(match observed.node(name) {
        Some(node) if node.out_of_service && knows => NodeState::Gone,
        Some(node) if node.ready && !node.out_of_service && complete => NodeState::Live,
        // That it is being listed anew is no news of it.
        Some(node) if !node.ready => NodeState::Silent,
        None if complete && knows => NodeState::Gone,
        _ => NodeState::Unknown,
    })
}
