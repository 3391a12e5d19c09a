//! Creates of which it is not known what became of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{ObjectKey, ObjectKind, Timestamp, UnitId};

/// How long a create whose answer was lost may still be carried out: longer than the server's own
/// limit for a request (kube-apiserver `--request-timeout`, 60 s).
const SETTLES: Duration = Duration::from_secs(75);

/// A create of which it is not known whether it was carried out: it is under way, or its answer was
/// lost, or both, as it is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    unit: UnitId,
    /// The last try is not answered yet.
    under_way: bool,
    /// When an answer was lost last.
    lost: Option<Timestamp>,
}

/// The creates that are not settled, by object.
#[derive(Debug, Default)]
pub(super) struct Creates(BTreeMap<ObjectKey, Sent>);

impl Creates {
    /// A create was given out: until it is answered nothing is known of the object's absence.
    pub fn given(&mut self, key: &ObjectKey, unit: &UnitId) {
        let sent = self.0.entry(key.clone());
        let sent = sent.or_insert_with(|| Sent {
            unit: unit.clone(),
            under_way: true,
            lost: None,
        });
        sent.under_way = true;
    }

    /// The create was answered for certain: it exists (and was told), or was not carried out.
    pub fn answered(&mut self, key: &ObjectKey) {
        self.0.remove(key);
    }

    /// The create's answer was lost. Gives when [`settle`](Self::settle) may know what became of it.
    pub fn unknown(&mut self, key: &ObjectKey, unit: &UnitId, now: Timestamp) -> Timestamp {
        let lost = Sent {
            unit: unit.clone(),
            under_way: false,
            lost: Some(now),
        };
        self.0.insert(key.clone(), lost);
        now.plus(SETTLES)
    }

    /// A create that was repeated was certainly not carried out this time: it is settled unless an
    /// earlier answer was lost.
    pub fn not_done(&mut self, key: &ObjectKey) {
        let Some(sent) = self.0.get_mut(key) else {
            return;
        };
        sent.under_way = false;
        if sent.lost.is_none() {
            self.0.remove(key);
        }
    }

    /// Settles creates whose lost answer is too old to be carried out any more, if a complete
    /// view covers them. Says whose they were: a unit may wait for the news of what it wants no more.
    pub fn settle(&mut self, now: Timestamp, seen: impl Fn(&ObjectKey) -> bool) -> Vec<UnitId> {
        let old = |(key, sent): (&ObjectKey, &Sent)| {
            let at = sent.lost.filter(|_| !sent.under_way)?;
            let settled = now.since(at) >= SETTLES && seen(key);
            settled.then(|| (key.clone(), sent.unit.clone()))
        };
        let settled: Vec<(ObjectKey, UnitId)> = self.0.iter().filter_map(old).collect();
        for (key, _) in &settled {
            self.0.remove(key);
        }
        settled.into_iter().map(|(_, unit)| unit).collect()
    }

    /// When [`settle`](Self::settle) may next do something.
    pub fn settles(&self) -> Option<Timestamp> {
        let waiting = self.0.values().filter(|sent| !sent.under_way);
        let lost = waiting.filter_map(|sent| Some(sent.lost?.plus(SETTLES)));
        lost.min()
    }

    /// What they are of.
    pub fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.0.keys()
    }

    /// Whether a create of this key is not answered yet, or its answer was lost.
    pub fn has(&self, key: &ObjectKey) -> bool {
        self.0.contains_key(key)
    }

    /// A pod of this unit that may exist though no watch shows it: its create is not answered yet,
    /// or its answer was lost.
    pub fn pod_of(&self, unit: &UnitId) -> Option<&ObjectKey> {
        let of_unit =
            |(key, sent): &(&ObjectKey, &Sent)| key.kind == ObjectKind::Pod && sent.unit == *unit;
        self.0.iter().find(of_unit).map(|(key, _)| key)
    }
}
