//! All facts, their indexes, and what may be concluded from a fact that is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::Stand;
use super::creates::Creates;
use super::room::{Room, occupies, placed, takes};
use super::{Coverage, Fact, NodeFact, Occupant, Ownership, PodFact, Taken};
use crate::ids::{ObjectKey, ObjectKind, ResourceVersion, Timestamp, Uid, UnitId};
use crate::reconciler::{WatchEvent, WatchKey};

/// The proof that an object does not exist: only [`Observed::absent`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent(ObjectKey);

impl Absent {
    /// What is absent.
    pub fn key(&self) -> &ObjectKey {
        &self.0
    }
}

/// What an event was about: who must look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// An object of this unit came, changed or went.
    Unit(UnitId),
    /// An object that carries our label and is not ours.
    Foreign(ObjectKey),
    /// A view of this namespace became complete or ceased to be.
    Namespace(Box<str>),
    /// Nodes or occupants: the arbiter must look again.
    Capacity,
}

/// What the watches and our own answers say of one cluster.
#[derive(Debug, Default)]
pub struct Observed {
    facts: BTreeMap<ObjectKey, (u64, Fact)>,
    by_unit: BTreeMap<UnitId, BTreeSet<ObjectKey>>,
    room: Room,
    stands: BTreeMap<WatchKey, Stand>,
    creates: Creates,
    departed: BTreeMap<ObjectKey, BTreeSet<Uid>>,
}

impl Observed {
    /// Takes in one message of a watch; says who must look again.
    pub fn watch(&mut self, key: &WatchKey, event: WatchEvent) -> Vec<Touched> {
        if *key != WatchKey::Nodes {
            return self.take_in(key, event);
        }
        let before = self.stand(key).passed;
        let mut touched = self.take_in(key, event);
        touched.extend(self.caught_up(before));
        touched
    }

    fn take_in(&mut self, key: &WatchKey, event: WatchEvent) -> Vec<Touched> {
        match event {
            WatchEvent::Started => {
                self.stand(key).begin();
                coverage_of(key)
            }
            WatchEvent::Unreadable(words) => {
                self.stand(key).coverage = Coverage::Unreadable(words);
                coverage_of(key)
            }
            WatchEvent::Passed(version) => {
                self.stand(key).pass(version);
                Vec::new()
            }
            WatchEvent::Complete(version) => self.complete(key, version),
            WatchEvent::Object(fact) => {
                let stand = self.stand(key);
                stand.pass(fact.version);
                let generation = stand.generation;
                self.insert(*fact, generation)
            }
            WatchEvent::ObjectGone(object, version) => {
                self.stand(key).pass(version);
                self.departed.remove(&object);
                match self.facts.get(&object) {
                    Some((_, fact)) if fact.version <= version => self.remove(&object),
                    _ => Vec::new(),
                }
            }
            WatchEvent::Node(node, version) => {
                let stand = self.stand(key);
                stand.pass(version);
                let generation = stand.generation;
                if self.room.node_told(&node, generation) {
                    self.node_touched(&node.name)
                } else {
                    Vec::new()
                }
            }
            WatchEvent::NodeGone(name, version) => {
                self.stand(key).pass(version);
                self.room.node_gone(&name);
                self.node_touched(&name)
            }
            WatchEvent::Occupant(name, occupant) => {
                let generation = self.stand(key).generation;
                self.room.occupant_told(name, occupant, generation);
                vec![Touched::Capacity]
            }
            WatchEvent::OccupantGone(name) => {
                self.room.occupant_gone(&name);
                vec![Touched::Capacity]
            }
        }
    }

    /// Nothing is completely seen any more, until each watch has listed again.
    pub fn doubt(&mut self) {
        for stand in self.stands.values_mut() {
            stand.coverage = Coverage::Incomplete;
        }
    }

    /// Takes in the object that an answer to one of our own calls carried.
    pub fn learned(&mut self, fact: Fact) -> Vec<Touched> {
        let stand = self
            .stands
            .get(&WatchKey::Ours(fact.key.kind, fact.key.namespace.clone()));
        let (passed, generation) = stand.map_or((ResourceVersion(0), 0), |stand| {
            (stand.passed, stand.generation)
        });
        // The watch has told of this state already and the object is not here: it went since.
        if passed >= fact.version && !self.facts.contains_key(&fact.key) {
            return Vec::new();
        }
        self.insert(fact, generation)
    }

    /// An answer said that this life of the object is over. A uid never comes back, so that late
    /// messages about it are not believed.
    pub fn departed(&mut self, key: &ObjectKey, uid: &Uid) -> Vec<Touched> {
        let gone = self.departed.entry(key.clone()).or_default();
        gone.insert(uid.clone());
        match self.facts.get(key) {
            Some((_, fact)) if fact.uid == *uid => self.remove(key),
            _ => Vec::new(),
        }
    }

    /// Whether this life of the object is proven to be over: an answer said so, or its name is
    /// another life's. That no watch shows it is no proof, as a watch selects by a label.
    pub fn is_over(&self, key: &ObjectKey, uid: &Uid) -> bool {
        let departed = self.departed.get(key);
        departed.is_some_and(|gone| gone.contains(uid))
            || self.get(key).is_some_and(|fact| fact.uid != *uid)
    }

    /// A create was given out: until it is answered nothing is known of the object's absence.
    pub fn create_given(&mut self, key: &ObjectKey, unit: &UnitId) {
        self.creates.given(key, unit);
    }

    /// The create was answered for certain: it exists (and was told), or was not carried out.
    pub fn create_answered(&mut self, key: &ObjectKey) {
        self.creates.answered(key);
    }

    /// The create's answer was lost. Gives when [`settle`](Self::settle) may know what became of it.
    pub fn create_unknown(&mut self, key: &ObjectKey, unit: &UnitId, now: Timestamp) -> Timestamp {
        self.creates.unknown(key, unit, now)
    }

    /// A create that was repeated was certainly not carried out this time: it is settled unless an
    /// earlier answer was lost.
    pub fn create_not_done(&mut self, key: &ObjectKey) {
        self.creates.not_done(key);
    }

    /// Settles creates whose lost answer is too old to be carried out any more, if the watch is
    /// complete. Says whose they were: a unit may wait for the news of what it wants no more.
    pub fn settle(&mut self, now: Timestamp) -> Vec<UnitId> {
        let stands = &self.stands;
        self.creates.settle(now, |key| covers(stands, key))
    }

    /// When [`settle`](Self::settle) may next do something.
    pub fn settles(&self) -> Option<Timestamp> {
        self.creates.settles()
    }

    /// Whether a create of this key is not answered yet, or its answer was lost.
    pub fn outstanding(&self, key: &ObjectKey) -> bool {
        self.creates.has(key)
    }

    /// A pod of this unit that may exist though no watch shows it: its create is not answered yet,
    /// or its answer was lost.
    pub fn unheard(&self, unit: &UnitId) -> Option<&ObjectKey> {
        self.creates.pod_of(unit)
    }

    /// The proof that the object does not exist: the view is complete, it is not in it, and no
    /// create of ours is on its way.
    pub fn absent(&self, key: &ObjectKey) -> Option<Absent> {
        let proven =
            covers(&self.stands, key) && !self.facts.contains_key(key) && !self.creates.has(key);
        proven.then(|| Absent(key.clone()))
    }

    /// The object, if it is known.
    pub fn get(&self, key: &ObjectKey) -> Option<&Fact> {
        self.facts.get(key).map(|(_, fact)| fact)
    }

    /// All facts, by key.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.facts.values().map(|(_, fact)| fact)
    }

    /// When the newest object was made, by the server's clock.
    pub fn newest(&self) -> Option<Timestamp> {
        self.facts().map(|fact| fact.created).max()
    }

    /// The objects of a unit, by key.
    pub fn of_unit(&self, unit: &UnitId) -> Vec<&Fact> {
        let keys = self.by_unit.get(unit).into_iter().flatten();
        keys.filter_map(|key| self.get(key)).collect()
    }

    /// The units that have objects.
    pub fn units(&self) -> impl Iterator<Item = &UnitId> {
        self.by_unit.keys()
    }

    /// Whether all kinds that Berth makes are completely seen in this namespace.
    pub fn complete_in(&self, namespace: &str) -> bool {
        ObjectKind::ALL.iter().all(|kind| {
            *self.coverage(&WatchKey::Ours(*kind, namespace.into())) == Coverage::Complete
        })
    }

    /// Whether it is certain that nothing that carries our label is in this namespace, or is on its
    /// way there.
    pub fn is_empty_in(&self, namespace: &str) -> bool {
        let is_there = |key: &ObjectKey| *key.namespace == *namespace;
        self.complete_in(namespace)
            && !self.facts.keys().any(is_there)
            && !self.creates.keys().any(is_there)
    }

    /// How far the view of this watch is complete.
    pub fn coverage(&self, key: &WatchKey) -> &Coverage {
        coverage(&self.stands, key)
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Option<&NodeFact> {
        self.room.node(name)
    }

    /// Whether the view of the nodes is as new as the binding of this pod. What an older one says
    /// of the node may be about an earlier node of that name: it was deleted, or out of service,
    /// and is there again. Pods and nodes are kept in one etcd, so that their versions are of one
    /// count.
    pub fn nodes_know_of(&self, pod: &PodFact) -> bool {
        let stand = self.stands.get(&WatchKey::Nodes);
        stand.is_some_and(|stand| pod.bound.is_some_and(|bound| bound <= stand.passed))
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeFact> {
        self.room.nodes()
    }

    /// What bound pods that have not ended take of the nodes: ours and everybody's.
    pub fn taken(&self) -> &Taken {
        self.room.taken()
    }

    /// As [`taken`](Self::taken), summed up anew. For tests: it costs a look at everything.
    pub fn taken_anew(&self) -> Taken {
        let mut taken = Taken::default();
        let others = self.occupants().filter_map(takes);
        for (node, requests) in self.facts().filter_map(occupies).chain(others) {
            taken.add(node, requests);
        }
        taken
    }

    /// Foreign pods that take slots.
    pub fn occupants(&self) -> impl Iterator<Item = &Occupant> {
        self.room.occupants()
    }

    fn stand(&mut self, key: &WatchKey) -> &mut Stand {
        self.stands.entry(key.clone()).or_default()
    }

    /// What was not told since the listing began and is not newer than it, is gone.
    fn complete(&mut self, watch: &WatchKey, version: ResourceVersion) -> Vec<Touched> {
        let stand = self.stand(watch);
        stand.complete(version);
        let generation = stand.generation;
        let mut touched = coverage_of(watch);
        match watch {
            WatchKey::Ours(kind, namespace) => {
                let gone: Vec<ObjectKey> = self
                    .facts
                    .iter()
                    .filter(|(key, (told, fact))| {
                        key.kind == *kind
                            && key.namespace == *namespace
                            && *told < generation
                            && fact.version <= version
                    })
                    .map(|(key, _)| key.clone())
                    .collect();
                touched.extend(gone.iter().flat_map(|key| self.remove(key)));
                self.departed
                    .retain(|key, _| key.kind != *kind || key.namespace != *namespace);
            }
            WatchKey::Nodes => {
                self.room.nodes_told(generation);
                // Until now no node could be told to be gone.
                let all: BTreeSet<&UnitId> = self.room.units().collect();
                touched.extend(all.into_iter().cloned().map(Touched::Unit));
            }
            WatchKey::Occupants => self.room.occupants_told(generation),
        }
        touched
    }

    fn insert(&mut self, mut fact: Fact, generation: u64) -> Vec<Touched> {
        let gone = self.departed.get(&fact.key);
        if gone.is_some_and(|gone| gone.contains(&fact.uid)) {
            return Vec::new();
        }
        if let Some((told, old)) = self.facts.get_mut(&fact.key) {
            *told = (*told).max(generation);
            if fact.version <= old.version {
                return Vec::new();
            }
            keep_what_stays(old, &mut fact);
        }
        let old = self.take_out(&fact.key);
        self.index(&fact);
        let mut touched: Vec<Touched> = old.iter().map(of_fact).collect();
        touched.push(of_fact(&fact));
        touched.dedup();
        if old.as_ref().and_then(placed) != placed(&fact) {
            touched.push(Touched::Capacity);
        }
        self.facts.insert(fact.key.clone(), (generation, fact));
        touched
    }

    fn remove(&mut self, key: &ObjectKey) -> Vec<Touched> {
        let Some(fact) = self.take_out(key) else {
            return Vec::new();
        };
        let mut touched = vec![of_fact(&fact)];
        if placed(&fact).is_some() {
            touched.push(Touched::Capacity);
        }
        touched
    }

    /// Takes a fact out of everything.
    fn take_out(&mut self, key: &ObjectKey) -> Option<Fact> {
        let (_, fact) = self.facts.remove(key)?;
        self.room.goes(&fact);
        if let Ownership::Ours(unit) = &fact.ownership
            && let Some(keys) = self.by_unit.get_mut(unit)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.by_unit.remove(unit);
            }
        }
        Some(fact)
    }

    fn index(&mut self, fact: &Fact) {
        self.room.comes(fact);
        if let Ownership::Ours(unit) = &fact.ownership {
            let keys = self.by_unit.entry(unit.clone()).or_default();
            keys.insert(fact.key.clone());
        }
    }

    /// The units of pods on nodes that are missing or out of service, whose binding the view of
    /// the nodes passed just now: before, it told nothing.
    fn caught_up(&self, before: ResourceVersion) -> Vec<Touched> {
        let now_known = |fact: &&Fact| {
            let pod = fact.pod.as_deref();
            pod.is_some_and(|pod| self.nodes_know_of(pod) && pod.bound > Some(before))
        };
        let lost = self.room.units_lost();
        lost.filter(|unit| self.of_unit(unit).iter().any(now_known))
            .map(|unit| Touched::Unit(unit.clone()))
            .collect()
    }

    fn node_touched(&self, name: &str) -> Vec<Touched> {
        let units = self.room.units_on(name).cloned();
        let mut touched: Vec<Touched> = units.map(Touched::Unit).collect();
        touched.push(Touched::Capacity);
        touched
    }
}

/// How a pod ended does not change afterwards (a delete of a finished pod did not stop it), nor
/// since when it is bound.
fn keep_what_stays(old: &Fact, new: &mut Fact) {
    if old.uid != new.uid {
        return;
    }
    let (Some(old), Some(new)) = (&old.pod, &mut new.pod) else {
        return;
    };
    new.bound = old.bound.or(new.bound);
    if old.end.is_some() {
        new.end.clone_from(&old.end);
        new.phase = old.phase;
    }
}

fn of_fact(fact: &Fact) -> Touched {
    match &fact.ownership {
        Ownership::Ours(unit) => Touched::Unit(unit.clone()),
        Ownership::Foreign(_) => Touched::Foreign(fact.key.clone()),
    }
}

fn coverage_of(key: &WatchKey) -> Vec<Touched> {
    match key {
        WatchKey::Ours(_, namespace) => vec![Touched::Namespace(namespace.clone())],
        WatchKey::Nodes | WatchKey::Occupants => vec![Touched::Capacity],
    }
}

fn coverage<'a>(stands: &'a BTreeMap<WatchKey, Stand>, key: &WatchKey) -> &'a Coverage {
    let stand = stands.get(key);
    stand.map_or(&Coverage::Incomplete, |stand| &stand.coverage)
}

fn covers(stands: &BTreeMap<WatchKey, Stand>, key: &ObjectKey) -> bool {
    let watch = WatchKey::Ours(key.kind, key.namespace.clone());
    *coverage(stands, &watch) == Coverage::Complete
}
