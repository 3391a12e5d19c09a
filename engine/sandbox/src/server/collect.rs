//! The controllers: owner references, namespaces that go, claims, quotas.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::budget::BUDGETS;
use super::delete::DeleteOptions;
use super::{Server, pods};
use crate::apply;
use crate::clock;
use crate::kinds::pod;
use crate::kinds::rules::PROTECTION;
use crate::object::{
    has_finalizer, is_deleting, is_owned, list, name, remove, set, text, uid, waits_for_dependents,
};
use crate::store::{Key, Store};

impl Server {
    /// Lets the controllers act on what changed since they last did.
    pub(super) fn collect(&mut self) {
        let changes = Changes::since(&self.store, self.collected);
        self.collected = self.store.revision();
        if changes.ties {
            self.collect_garbage();
        }
        self.empty_namespaces();
        if changes.touches("persistentvolumeclaims") {
            self.bind_claims();
        }
        if changes.touches("persistentvolumeclaims") || changes.touches("pods") {
            self.release_claims();
        }
        if !changes.resources.is_empty() {
            self.count_quotas();
        }
        if changes.touches("pods") || changes.touches(BUDGETS) {
            self.count_budgets();
        }
        self.collect_stranded(&changes);
        if changes.touches("pods") {
            self.collect_ended();
        }
    }

    /// The objects of which something holds, with where they are.
    fn such(&self, holds: impl Fn(&Key, &Value) -> bool) -> Vec<(Key, Arc<Value>)> {
        let objects = self.store.all().filter(|(key, object)| holds(key, object));
        objects
            .map(|(key, object)| (key.clone(), Arc::clone(object)))
            .collect()
    }

    fn collect_garbage(&mut self) {
        if !self.store.has_ties() {
            return;
        }
        let everything = self.such(|_, _| true);
        let alive: BTreeSet<&str> = everything.iter().map(|(_, object)| uid(object)).collect();
        let going: BTreeSet<&str> = everything
            .iter()
            .filter(|(_, object)| {
                is_deleting(object) && has_finalizer(object, &["foregroundDeletion"])
            })
            .map(|(_, object)| uid(object))
            .collect();
        for (key, object) in everything
            .iter()
            .filter(|(_, object)| is_owned(object) && !is_deleting(object))
        {
            let mut owners = list(object, &["metadata", "ownerReferences"])
                .iter()
                .map(|owner| text(owner, &["uid"]));
            if owners.all(|owner| !alive.contains(owner) || going.contains(owner)) {
                self.remove(key, object, &DeleteOptions::default());
            }
        }
        for (key, object) in everything
            .iter()
            .filter(|(_, object)| waits_for_dependents(object))
        {
            self.release(key, object, &everything);
        }
    }

    /// Takes the finalizers of propagation off once their work is done.
    fn release(&mut self, key: &Key, object: &Arc<Value>, everything: &[(Key, Arc<Value>)]) {
        let refers = |dependent: &Value| {
            list(dependent, &["metadata", "ownerReferences"])
                .iter()
                .any(|owner| text(owner, &["uid"]) == uid(object))
        };
        let dependents: Vec<_> = everything
            .iter()
            .filter(|(_, dependent)| refers(dependent))
            .collect();
        let orphans = has_finalizer(object, &["orphan"]);
        if orphans {
            for (key, _) in dependents {
                let Some(dependent) = self.store.get(key) else {
                    continue;
                };
                let dependent = Arc::clone(dependent);
                let mut orphan = Value::clone(&dependent);
                retain(&mut orphan, "ownerReferences", |owner| {
                    text(owner, &["uid"]) != uid(object)
                });
                let orphan = self.by_controller(key, &dependent, orphan);
                self.save(key.clone(), orphan);
            }
        } else if dependents
            .iter()
            .any(|(key, _)| self.store.get(key).is_some())
        {
            return;
        }
        let mut released = Value::clone(object);
        retain(&mut released, "finalizers", |finalizer| {
            finalizer != "orphan" && finalizer != "foregroundDeletion"
        });
        self.save(key.clone(), released);
    }

    /// Notes that a controller made a change.
    fn by_controller(&self, key: &Key, old: &Value, new: Value) -> Value {
        let Some(kind) = self.kinds.stored(&key.resource) else {
            return new;
        };
        let write = apply::Write {
            shape: kind.kept_shape(),
            manager: "kube-controller-manager",
            api_version: &kind.api_version(),
            subresource: None,
            now: &clock::seconds(self.now_ms),
        };
        apply::update(&write, Some(old), new)
    }

    /// Empties namespaces that were asked to go, and finalizes the empty ones.
    fn empty_namespaces(&mut self) {
        let namespaces = self
            .store
            .list("namespaces", None)
            .filter(|(_, namespace)| is_deleting(namespace));
        let namespaces: Vec<(Key, Arc<Value>)> = namespaces
            .map(|(key, it)| (key.clone(), Arc::clone(it)))
            .collect();
        if namespaces.is_empty() {
            return;
        }
        for (key, namespace) in namespaces {
            let content = self.such(|inner, _| inner.namespace == key.name);
            if content.is_empty() && !list(&namespace, &["spec", "finalizers"]).is_empty() {
                let mut finalized = Value::clone(&namespace);
                retain_in(&mut finalized, "/spec/finalizers", |finalizer| {
                    finalizer != "kubernetes"
                });
                self.save(key, finalized);
                continue;
            }
            // Pods go before what they may need.
            let has_pods = content.iter().any(|(key, _)| &*key.resource == "pods");
            let in_turn = |key: &Key| !has_pods || &*key.resource == "pods";
            for (key, object) in content.iter().filter(|(_, object)| !is_deleting(object)) {
                if in_turn(key) {
                    self.remove(key, object, &DeleteOptions::default());
                }
            }
        }
    }

    /// Removes on behalf of a controller; what cannot be removed stays.
    pub(crate) fn remove(&mut self, key: &Key, object: &Arc<Value>, options: &DeleteOptions) {
        if let Some(kind) = self.kinds.stored(&key.resource) {
            let _ = self.retire(&kind, key, object, options);
        }
    }

    /// Claims are bound at once: the sandbox stores no bytes.
    fn bind_claims(&mut self) {
        let pending = |claim: &Value| text(claim, &["status", "phase"]) == "Pending";
        let claims = self
            .store
            .list("persistentvolumeclaims", None)
            .filter(|(_, claim)| pending(claim));
        let claims: Vec<(Key, Value)> = claims
            .map(|(key, claim)| (key.clone(), Value::clone(claim)))
            .collect();
        for (key, mut claim) in claims {
            let volume = format!("pvc-{}", uid(&claim));
            let capacity = claim["spec"]["resources"]["requests"].clone();
            let modes = claim["spec"]["accessModes"].clone();
            set(&mut claim, &["spec", "volumeName"], volume);
            set(
                &mut claim,
                &["status"],
                json!({"phase": "Bound", "accessModes": modes, "capacity": capacity}),
            );
            self.save(key, claim);
        }
    }

    /// Lets claims go that were asked to and that no pod uses.
    fn release_claims(&mut self) {
        let going = |claim: &Value| is_deleting(claim) && has_finalizer(claim, &[PROTECTION]);
        let claims = self.store.list("persistentvolumeclaims", None);
        let claims: Vec<(Key, Value)> = claims
            .filter(|(_, claim)| going(claim))
            .map(|(key, claim)| (key.clone(), Value::clone(claim)))
            .collect();
        for (key, mut claim) in claims {
            let used = {
                let mut pods = self.store.list("pods", Some(&key.namespace));
                pods.any(|(_, pod)| !pod::is_terminal(pod) && uses(pod, &key.name))
            };
            if !used {
                retain(&mut claim, "finalizers", |finalizer| {
                    finalizer != PROTECTION
                });
                self.save(key, claim);
            }
        }
    }

    /// Collects pods whose nodes are gone for good.
    fn collect_stranded(&mut self, changes: &Changes) {
        for (key, pod, message) in self.stranded(changes) {
            self.lose(&key, &pod, message);
        }
    }

    /// Collects the oldest finished pods above the threshold.
    fn collect_ended(&mut self) {
        let Some(most) = self.options.terminal_pods else {
            return;
        };
        let mut ended = self.such(|key, pod| {
            &*key.resource == "pods" && pod::is_terminal(pod) && !is_deleting(pod)
        });
        ended.sort_by_cached_key(|(_, pod)| {
            let made = text(pod, &["metadata", "creationTimestamp"]);
            (made.to_owned(), name(pod).to_owned())
        });
        let above = ended.len().saturating_sub(most);
        for (key, pod) in &ended[..above] {
            self.remove(key, pod, &DeleteOptions::force());
        }
    }

    /// The pods whose nodes are gone for good, and the words for it: among all after a node changed,
    /// else among those that were asked to go.
    fn stranded(&self, changes: &Changes) -> Vec<(Key, Arc<Value>, &'static str)> {
        let why = |pod: &Value| {
            let node = text(pod, &["spec", "nodeName"]);
            if node.is_empty() {
                return None;
            }
            match self.store.get(&Key::new("nodes", "", node)) {
                None => Some("PodGC: node no longer exists"),
                Some(node) if is_deleting(pod) && is_out_of_service(node) => {
                    Some("PodGC: node is out of service")
                }
                Some(_) => None,
            }
        };
        let found = |(key, pod): (&Key, &Arc<Value>)| {
            let why = why(pod)?;
            Some((key.clone(), Arc::clone(pod), why))
        };
        if changes.touches("nodes") {
            return self.store.list("pods", None).filter_map(found).collect();
        }
        let going = changes.going.iter();
        let going = going.filter_map(|key| Some((key, self.store.get(key)?)));
        going.filter_map(found).collect()
    }

    /// Ends a pod whose node cannot speak for it any more.
    fn lose(&mut self, key: &Key, pod: &Arc<Value>, message: &str) {
        let mut lost = Value::clone(pod);
        if !pod::is_terminal(pod) {
            set(&mut lost, &["status", "phase"], "Failed");
            let condition = pods::disruption("DeletionByPodGC", message, self.now_ms);
            crate::object::set_condition(&mut lost, condition);
        }
        if lost != **pod {
            self.save(key.clone(), lost);
        }
        if let Some(left) = self.store.get(key).cloned() {
            self.remove(key, &left, &DeleteOptions::force());
        }
    }
}

/// What changed, as far as it is work for a controller.
#[derive(Debug, Default)]
struct Changes {
    resources: BTreeSet<Arc<str>>,
    /// Owners went, or objects that are owned or that hold their dependents changed.
    ties: bool,
    /// Pods that were asked to go.
    going: BTreeSet<Key>,
}

impl Changes {
    fn since(store: &Store, revision: u64) -> Self {
        let Ok(events) = store.since(revision) else {
            let resources = ["nodes", "pods", "persistentvolumeclaims"].map(Arc::from);
            return Self {
                resources: resources.into(),
                ties: true,
                going: BTreeSet::new(),
            };
        };
        let mut changes = Self::default();
        for event in events {
            let (owned, going) = (is_owned(&event.object), is_deleting(&event.object));
            changes.ties |= event.current.is_none() || owned || going;
            if going && &*event.key.resource == "pods" {
                changes.going.insert(event.key.clone());
            }
            changes.resources.insert(Arc::clone(&event.key.resource));
        }
        changes
    }

    fn touches(&self, resource: &str) -> bool {
        self.resources.iter().any(|touched| &**touched == resource)
    }
}

fn uses(pod: &Value, claim: &str) -> bool {
    let volumes = list(pod, &["spec", "volumes"]);
    volumes
        .iter()
        .any(|volume| text(volume, &["persistentVolumeClaim", "claimName"]) == claim)
}

fn is_out_of_service(node: &Value) -> bool {
    let taints = list(node, &["spec", "taints"]);
    taints
        .iter()
        .any(|taint| text(taint, &["key"]) == "node.kubernetes.io/out-of-service")
}

fn retain(object: &mut Value, field: &str, keep: impl Fn(&Value) -> bool) {
    retain_in(object, &format!("/metadata/{field}"), keep);
    if list(object, &["metadata", field]).is_empty() {
        drop(remove(object, &["metadata", field]));
    }
}

fn retain_in(object: &mut Value, pointer: &str, keep: impl Fn(&Value) -> bool) {
    if let Some(Value::Array(items)) = object.pointer_mut(pointer) {
        items.retain(keep);
    }
}
