//! Objects, one revision counter, and the log of what happened to them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use crate::object;

/// Where an object is kept. Versions of a kind share a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// `pods`, `leases.coordination.k8s.io`
    pub(crate) resource: Arc<str>,
    /// Empty for what has no namespace.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self {
            resource: resource.into(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// The order of the paths under which the real server keeps objects: `namespace/name`.
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let resource = self.resource.cmp(&other.resource);
        resource
            .then_with(|| in_path(&self.namespace, &other.namespace))
            .then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How two texts compare with a slash after each.
fn in_path(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let shared = one.len().min(other.len());
    let next = |text: &[u8]| text.get(shared).copied().unwrap_or(b'/');
    one[..shared]
        .cmp(&other[..shared])
        .then_with(|| next(one).cmp(&next(other)))
}

/// One change: `previous` absent is an addition, `current` absent a removal.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) revision: u64,
    pub(crate) key: Key,
    pub(crate) previous: Option<Arc<Value>>,
    pub(crate) current: Option<Arc<Value>>,
    /// The object's last form, stamped with this revision.
    pub(crate) object: Arc<Value>,
}

/// The revision asked for is no longer in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compacted;

/// A state of the world: objects in the order in which they are listed.
pub(crate) type Snapshot = BTreeMap<Key, Arc<Value>>;

/// All objects.
#[derive(Debug)]
pub(crate) struct Store {
    revision: u64,
    objects: Snapshot,
    /// Objects that are owned, or that wait for what they own.
    tied: BTreeSet<Key>,
    events: VecDeque<Event>,
    compacted: u64,
    history: usize,
}

impl Store {
    /// An empty store that remembers `history` changes.
    pub(crate) fn new(history: usize) -> Self {
        Self {
            revision: 1,
            objects: BTreeMap::new(),
            tied: BTreeSet::new(),
            events: VecDeque::new(),
            compacted: 1,
            history,
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// All objects of all resources.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.iter()
    }

    /// Whether any object is owned, or waits for what it owns.
    pub(crate) fn has_ties(&self) -> bool {
        !self.tied.is_empty()
    }

    /// The objects of a resource, in one namespace or in all.
    pub(crate) fn list<'a>(
        &'a self,
        resource: &'a str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        range(&self.objects, resource, namespace)
    }

    /// Stores an object under the next revision.
    pub(crate) fn put(&mut self, key: Key, mut value: Value) -> Arc<Value> {
        self.stamp(&mut value);
        let object = Arc::new(value);
        if object::is_owned(&object) || object::waits_for_dependents(&object) {
            self.tied.insert(key.clone());
        } else {
            self.tied.remove(&key);
        }
        let previous = self.objects.insert(key.clone(), Arc::clone(&object));
        self.record(
            key,
            previous,
            Some(Arc::clone(&object)),
            Arc::clone(&object),
        );
        object
    }

    /// Takes an object away and gives its last form, stamped with the revision of its end.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        let previous = self.objects.remove(key)?;
        self.tied.remove(key);
        let mut last = Value::clone(&previous);
        self.stamp(&mut last);
        let last = Arc::new(last);
        self.record(key.clone(), Some(previous), None, Arc::clone(&last));
        Some(last)
    }

    fn stamp(&mut self, value: &mut Value) {
        self.revision += 1;
        let revision = self.revision.to_string();
        object::set(value, &["metadata", "resourceVersion"], revision);
    }

    fn record(
        &mut self,
        key: Key,
        previous: Option<Arc<Value>>,
        current: Option<Arc<Value>>,
        object: Arc<Value>,
    ) {
        let revision = self.revision;
        self.events.push_back(Event {
            revision,
            key,
            previous,
            current,
            object,
        });
        while self.events.len() > self.history {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.compacted = event.revision;
        }
    }

    /// Forgets the whole log, as etcd's compaction does.
    pub(crate) fn compact(&mut self) {
        while !self.events.is_empty() {
            self.forget();
        }
    }

    /// What happened after a revision.
    pub(crate) fn since(
        &self,
        revision: u64,
    ) -> Result<impl DoubleEndedIterator<Item = &Event>, Compacted> {
        if revision < self.compacted {
            return Err(Compacted);
        }
        let start = self
            .events
            .partition_point(|event| event.revision <= revision);
        Ok(self.events.range(start..))
    }

    /// The objects of a resource as they were at a revision.
    pub(crate) fn snapshot(
        &self,
        resource: &str,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Snapshot, Compacted> {
        let pair = |(key, value): (&Key, &Arc<Value>)| (key.clone(), Arc::clone(value));
        let mut snapshot: Snapshot = self.list(resource, namespace).map(pair).collect();
        let concerned = |event: &&Event| {
            *event.key.resource == *resource
                && namespace.is_none_or(|name| event.key.namespace == name)
        };
        for event in self.since(revision)?.rev().filter(concerned) {
            match &event.previous {
                Some(previous) => snapshot.insert(event.key.clone(), Arc::clone(previous)),
                None => snapshot.remove(&event.key),
            };
        }
        Ok(snapshot)
    }
}

fn range<'a>(
    objects: &'a Snapshot,
    resource: &'a str,
    namespace: Option<&'a str>,
) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
    let start = Key::new(resource, namespace.unwrap_or_default(), "");
    objects.range(start..).take_while(move |(key, _)| {
        *key.resource == *resource && namespace.is_none_or(|name| key.namespace == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn put(store: &mut Store, namespace: &str, name: &str, data: u64) {
        store.put(Key::new("pods", namespace, name), json!({"data": data}));
    }

    #[test]
    fn a_snapshot_undoes_what_came_later() {
        let mut store = Store::new(100);
        put(&mut store, "a", "x", 1);
        put(&mut store, "b", "y", 1);
        let then = store.revision();
        put(&mut store, "a", "x", 2);
        put(&mut store, "a", "z", 1);
        store.remove(&Key::new("pods", "b", "y"));
        let before = store.snapshot("pods", None, then).unwrap();
        let names: Vec<_> = before.keys().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["x", "y"]);
        assert_eq!(before[&Key::new("pods", "a", "x")]["data"], 1);
        assert_eq!(store.list("pods", Some("a")).count(), 2);
    }

    #[test]
    fn a_compacted_revision_is_refused() {
        let mut store = Store::new(2);
        for data in 0..5 {
            put(&mut store, "a", "x", data);
        }
        assert!(store.since(1).is_err());
        let kept = store.since(store.revision() - 2).unwrap().count();
        assert_eq!(kept, 2);
        store.compact();
        assert!(store.since(store.revision()).is_ok());
        assert!(store.since(store.revision() - 1).is_err());
    }
}
