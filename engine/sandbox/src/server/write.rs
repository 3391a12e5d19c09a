//! Creating and replacing objects, with the checks that every write passes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::body::{answer, expect_place, misplaced};
use super::change;
use super::part::{Part, keep_identity, other_uid, preconditions, restrict, same_intent};
use super::{Call, Server};
use crate::apply;
use crate::check;
use crate::clock;
use crate::failure::Failure;
use crate::kinds::{Kind, rules};
use crate::object::{self, default, finalizers, is_deleting, name, number, remove, set, text};
use crate::request::Response;
use crate::store::Key;

/// Who has to be noted as the owner of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    /// Whoever writes: nobody noted it yet.
    Writer,
    /// An applier, who is noted already.
    Applier,
}

impl Server {
    pub(super) fn create(&mut self, call: &Call) -> Result<Response, Failure> {
        if call.name.is_some() {
            return Err(Failure::method_not_allowed());
        }
        let (object, warnings) = change::decode(call)?;
        let object = self.insert(call, object, Author::Writer)?;
        Ok(answer(call, 201, &object, warnings))
    }

    /// Makes a new object, or says why it must not be.
    pub(super) fn insert(
        &mut self,
        call: &Call,
        mut object: Value,
        author: Author,
    ) -> Result<Arc<Value>, Failure> {
        let kind = &call.kind;
        self.place(call, &mut object)?;
        rules::defaults(kind, &mut object, None);
        if author == Author::Writer {
            object = own_new(call, object, self.now_ms);
        }
        self.begin(kind, &mut object);
        self.admit(call, &mut object)?;
        faults(kind, &object, None)?;
        self.check_quota(call, &object)?;
        let key = key(kind, &object);
        if let Some(old) = self.store.get(&key) {
            return Err(Failure::already_exists(kind, &key.name, is_deleting(old)));
        }
        if call.is_dry_run() {
            return Ok(Arc::new(object));
        }
        Ok(self.save(key, object))
    }

    /// Puts the object where the path says.
    fn place(&mut self, call: &Call, object: &mut Value) -> Result<(), Failure> {
        if let Some(namespace) = &call.namespace {
            let own = object::namespace(object);
            if !own.is_empty() && own != namespace {
                return Err(misplaced());
            }
            set(object, &["metadata", "namespace"], namespace.as_str());
        } else if call.kind.namespaced {
            return Err(Failure::method_not_allowed());
        } else {
            drop(remove(object, &["metadata", "namespace"]));
        }
        if let Some(wanted) = &call.name {
            default(object, &["metadata", "name"], wanted.as_str());
        }
        let prefix = text(object, &["metadata", "generateName"]).to_owned();
        if name(object).is_empty() && !prefix.is_empty() {
            let named = format!("{prefix}{}", self.random.suffix());
            set(object, &["metadata", "name"], named);
        }
        Ok(())
    }

    fn begin(&mut self, kind: &Kind, object: &mut Value) {
        for field in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
            "selfLink",
        ] {
            drop(remove(object, &["metadata", field]));
        }
        set(object, &["metadata", "uid"], self.random.uuid());
        set(
            object,
            &["metadata", "creationTimestamp"],
            clock::seconds(self.now_ms),
        );
        drop(remove(object, &["metadata", "generation"]));
        if rules::has_generation(kind) {
            set(object, &["metadata", "generation"], 1);
        }
        set(object, &["apiVersion"], stored_version(kind));
        set(object, &["kind"], kind.kind.as_str());
        rules::begin(kind, object, self.now_ms);
        rules::complete(kind, object);
    }

    pub(super) fn update(&mut self, call: &Call) -> Result<Response, Failure> {
        let (object, warnings) = change::decode(call)?;
        expect_place(call, &object)?;
        if call.kind.replaces_nothing() && self.store.get(&call.key()).is_none() {
            let wanted = text(&object, &["metadata", "uid"]);
            if !wanted.is_empty() {
                return Err(other_uid(&call.kind, &nothing_at(&call.key()), wanted));
            }
            let object = self.insert(call, object, Author::Writer)?;
            return Ok(answer(call, 201, &object, warnings));
        }
        let old = self.existing(call)?;
        let object = self.replace(call, &old, object, Author::Writer)?;
        Ok(answer(call, 200, &object, warnings))
    }

    /// Puts a new form in the place of the old one, or says why it must not be.
    pub(super) fn replace(
        &mut self,
        call: &Call,
        old: &Arc<Value>,
        mut new: Value,
        author: Author,
    ) -> Result<Arc<Value>, Failure> {
        let kind = &call.kind;
        let part = Part::of(call);
        preconditions(call, old, &new)?;
        restrict(kind, part, old, &mut new);
        keep_identity(old, &mut new);
        rules::defaults(kind, &mut new, Some(old));
        if author == Author::Writer {
            new = change::own(call, Some(old), new, self.now_ms);
        }
        rules::complete(kind, &mut new);
        faults(kind, &new, Some(old))?;
        if apply::is_noop(old, &new) {
            return Ok(Arc::clone(old));
        }
        let advances = part == Part::Main && rules::advances(kind) && !same_intent(old, &new);
        if advances {
            let generation = number(old, &["metadata", "generation"]).unwrap_or_default();
            set(&mut new, &["metadata", "generation"], generation + 1);
        }
        if call.is_dry_run() {
            return Ok(Arc::new(new));
        }
        Ok(self.save(key(kind, old), new))
    }

    /// Stores an object; one that was asked to go and that nothing holds any more goes.
    pub(crate) fn save(&mut self, key: Key, object: Value) -> Arc<Value> {
        let defines = &*key.resource == "customresourcedefinitions.apiextensions.k8s.io";
        if is_done(&key, &object) {
            // The answer is the form that let it go; the event tells the last one that was kept.
            self.store.remove(&key);
            if defines {
                self.undefine(&key.name);
            }
            return Arc::new(object);
        }
        let stored = self.store.put(key, object);
        if defines {
            self.redefine();
        }
        stored
    }

    /// Reads the definitions of users' kinds anew.
    pub(super) fn redefine(&mut self) {
        let definitions = self
            .store
            .list("customresourcedefinitions.apiextensions.k8s.io", None);
        self.kinds
            .define(definitions.map(|(_, definition)| &**definition));
    }
}

/// Notes the fields of a new object; nobody owns a status that is written apart.
fn own_new(call: &Call, mut object: Value, now_ms: i64) -> Value {
    let status = call
        .kind
        .has_status()
        .then(|| remove(&mut object, &["status"]))
        .flatten();
    let mut object = change::own(call, None, object, now_ms);
    if let Some(status) = status {
        set(&mut object, &["status"], status);
    }
    object
}

/// Whether nothing holds an object that was asked to go.
fn is_done(key: &Key, object: &Value) -> bool {
    let graceful =
        number(object, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or_default() > 0;
    let held =
        &*key.resource == "namespaces" && !object::list(object, &["spec", "finalizers"]).is_empty();
    is_deleting(object) && finalizers(object).is_empty() && !graceful && !held
}

/// The version in which objects are kept.
fn stored_version(kind: &Kind) -> String {
    match kind.group.as_str() {
        "events.k8s.io" => "v1".to_owned(),
        _ => kind.api_version(),
    }
}

/// What stands where there is nothing: no life of it, so no uid.
fn nothing_at(key: &Key) -> Value {
    json!({"metadata": {"namespace": key.namespace, "name": key.name}})
}

pub(super) fn key(kind: &Kind, object: &Value) -> Key {
    Key {
        resource: Arc::clone(&kind.storage),
        namespace: object::namespace(object).to_owned(),
        name: name(object).to_owned(),
    }
}

fn faults(kind: &Kind, object: &Value, old: Option<&Value>) -> Result<(), Failure> {
    let causes = check::faults(kind, object, old);
    if causes.is_empty() {
        return Ok(());
    }
    if &*kind.storage == "events" {
        return Err(Failure::unfit("", &kind.kind, name(object), &causes));
    }
    Err(Failure::invalid(kind, name(object), &causes))
}
