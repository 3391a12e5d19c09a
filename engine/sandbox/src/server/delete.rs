//! Deletion: preconditions, grace, finalizers, propagation.

use std::sync::Arc;

use berth_openapi::facts;
use serde_json::{Value, json};

use super::options::number as number_param;
use super::read::selector;
use super::render::{Rendering, shown};
use super::{Call, Server};
use crate::apply;
use crate::cause::Cause;
use crate::clock;
use crate::failure::Failure;
use crate::kinds::{Kind, pod};
use crate::object::{self, finalizers, is_deleting, name, number, set, text, uid};
use crate::request::Response;
use crate::store::Key;

const IMMORTAL: &[&str] = &["default", "kube-public", "kube-system"];

/// `DeleteOptions`, from the body or the query.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    uid: Option<String>,
    version: Option<String>,
    grace: Option<i64>,
    propagation: Option<String>,
    dry_run: bool,
}

impl DeleteOptions {
    fn of(call: &Call) -> Result<Self, Failure> {
        let body = &call.request.body;
        let body: Value = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(body).map_err(|error| Failure::bad_request(error.to_string()))?
        };
        let shape = facts().type_named("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
        if let Some(words) = shape.and_then(|shape| apply::mismatch(&body, shape, "DeleteOptions"))
        {
            return Err(Failure::bad_request(words));
        }
        let mut options = Self::read(&body);
        let param = |name| call.request.param(name).map(str::to_owned);
        if options.grace.is_none() {
            options.grace = number_param(call, "gracePeriodSeconds")?;
        }
        options.propagation = options.propagation.or_else(|| param("propagationPolicy"));
        options.dry_run |= call.is_dry_run();
        let dry = call.request.param("dryRun").map(|value| json!([value]));
        options.check(&dry.unwrap_or_else(|| body["dryRun"].clone()))?;
        Ok(options)
    }

    fn check(&self, dry: &Value) -> Result<(), Failure> {
        let dry = dry.as_array().map_or(&[][..], Vec::as_slice);
        if dry.iter().any(|value| value != "All") {
            let cause = Cause::unsupported("dryRun", &dry.into(), &["All"]);
            return Err(Failure::bad_options("DeleteOptions", &[cause]));
        }
        match self.propagation.as_deref() {
            None | Some("Foreground" | "Background" | "Orphan") => Ok(()),
            Some(other) => {
                let known = &["Foreground", "Background", "Orphan", "nil"];
                let cause = Cause::unsupported("propagationPolicy", &other.into(), known);
                Err(Failure::bad_options("DeleteOptions", &[cause]))
            }
        }
    }

    /// Reads a `DeleteOptions` object.
    pub(super) fn read(body: &Value) -> Self {
        let owned =
            |path: &[&str]| Some(text(body, path).to_owned()).filter(|text| !text.is_empty());
        Self {
            uid: owned(&["preconditions", "uid"]),
            version: owned(&["preconditions", "resourceVersion"]),
            grace: number(body, &["gracePeriodSeconds"]),
            propagation: owned(&["propagationPolicy"]),
            dry_run: body["dryRun"] == json!(["All"]),
        }
    }

    /// Only to see whether it could be.
    pub(super) fn dry(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Without what the client believes of the object.
    pub(super) fn unconditional(mut self) -> Self {
        (self.uid, self.version) = (None, None);
        self
    }

    /// At once, whatever the grace.
    pub(crate) fn force() -> Self {
        Self {
            grace: Some(0),
            ..Self::default()
        }
    }
}

impl Server {
    pub(super) fn delete(&mut self, call: &Call) -> Result<Response, Failure> {
        let options = DeleteOptions::of(call)?;
        let named = call.name.as_deref().unwrap_or_default();
        if &*call.kind.storage == "namespaces" && IMMORTAL.contains(&named) {
            let why = "this namespace may not be deleted";
            return Err(Failure::forbidden(&call.kind, named, why));
        }
        let object = self.existing(call)?;
        let gone = self.retire(&call.kind, &call.key(), &object, &options)?;
        let whole = [
            "pods",
            "services",
            "persistentvolumeclaims",
            "serviceaccounts",
            "resourcequotas",
        ];
        if gone.is_none() && !whole.contains(&&*call.kind.storage) {
            return Ok(Response::json(200, &success(&call.kind, &object)));
        }
        let mut left = Value::clone(&gone.unwrap_or(object));
        if call.kind.kind == "Pod" && !is_deleting(&left) {
            // What is shown of a pod that is gone was asked to go first.
            self.mark(&call.kind, &mut left, 0);
        }
        Ok(Response::json(200, &shown(&call.kind, &left)))
    }

    pub(super) fn delete_all(&mut self, call: &Call) -> Result<Response, Failure> {
        let options = DeleteOptions::of(call)?;
        let selector = selector(call)?;
        let objects = self
            .store
            .list(&call.kind.storage, call.namespace.as_deref());
        let objects = objects.filter(|(_, object)| selector.matches(object));
        let objects: Vec<(Key, Arc<Value>)> = objects
            .map(|(key, object)| (key.clone(), Arc::clone(object)))
            .collect();
        for (key, object) in &objects {
            self.retire(&call.kind, key, object, &options)?;
        }
        let meta = json!({"resourceVersion": self.store.revision().to_string()});
        let shown = objects.iter().map(|(_, object)| &**object);
        let list = Rendering::of(call.request).list(&call.kind, shown, meta, self.now_ms);
        Ok(Response::text(200, list))
    }

    /// Asks an object to go. Gives what is left of it; `None` if it is gone.
    pub(crate) fn retire(
        &mut self,
        kind: &Kind,
        key: &Key,
        object: &Arc<Value>,
        options: &DeleteOptions,
    ) -> Result<Option<Arc<Value>>, Failure> {
        preconditions(kind, object, options)?;
        let grace = grace(kind, object, options.grace);
        let mut left = Value::clone(object);
        if !is_deleting(object) {
            hold(&mut left, options.propagation.as_deref());
        }
        let waits = grace > 0 || !finalizers(&left).is_empty() || &*kind.storage == "namespaces";
        if !waits && options.dry_run {
            return Ok(None);
        }
        if !waits {
            self.store.remove(key);
            if kind.kind == "CustomResourceDefinition" {
                self.undefine(&key.name);
            }
            return Ok(None);
        }
        if is_deleting(object)
            && number(object, &["metadata", "deletionGracePeriodSeconds"])
                .is_none_or(|old| old <= grace)
        {
            return Ok(Some(Arc::clone(object)));
        }
        self.mark(kind, &mut left, grace);
        if options.dry_run {
            return Ok(Some(Arc::new(left)));
        }
        Ok(Some(self.save(key.clone(), left)))
    }

    /// Forgets a user's kind and all its objects; `name` is where they are kept.
    pub(super) fn undefine(&mut self, name: &str) {
        let keys: Vec<Key> = self
            .store
            .list(name, None)
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.store.remove(&key);
        }
        self.redefine();
    }

    fn mark(&self, kind: &Kind, object: &mut Value, grace: i64) {
        let first = !is_deleting(object);
        let asked_ms = asked_to_go(object).unwrap_or(self.now_ms);
        let at = clock::seconds(asked_ms + grace * 1000);
        set(object, &["metadata", "deletionTimestamp"], at);
        set(object, &["metadata", "deletionGracePeriodSeconds"], grace);
        if let Some(generation) = number(object, &["metadata", "generation"]).filter(|_| first) {
            set(object, &["metadata", "generation"], generation + 1);
        }
        if &*kind.storage == "namespaces" {
            set(object, &["status", "phase"], "Terminating");
            drop(object::remove(
                object,
                &["metadata", "deletionGracePeriodSeconds"],
            ));
        }
    }
}

/// When an object was asked to go first: a shorter grace counts from then, too (apiserver,
/// `rest.BeforeDelete`).
fn asked_to_go(object: &Value) -> Option<i64> {
    let at = clock::parse(text(object, &["metadata", "deletionTimestamp"]))?;
    let grace = number(object, &["metadata", "deletionGracePeriodSeconds"])?;
    Some(at - grace * 1000)
}

fn preconditions(kind: &Kind, object: &Value, options: &DeleteOptions) -> Result<(), Failure> {
    let version = text(object, &["metadata", "resourceVersion"]);
    let checks = [
        (
            "UID",
            &options.uid,
            uid(object),
            "deleted and then recreated",
        ),
        ("ResourceVersion", &options.version, version, "modified"),
    ];
    for (what, wanted, found, fate) in checks {
        let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != found) else {
            continue;
        };
        let why = format!(
            "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). \
             The object might have been {fate}"
        );
        return Err(Failure::mismatch(kind, name(object), &why));
    }
    Ok(())
}

/// The seconds that an object gets: only pods that run on a node get any.
fn grace(kind: &Kind, object: &Value, wanted: Option<i64>) -> i64 {
    let runs = &*kind.storage == "pods"
        && !text(object, &["spec", "nodeName"]).is_empty()
        && !pod::is_terminal(object);
    if !runs {
        return 0;
    }
    let own = number(object, &["spec", "terminationGracePeriodSeconds"]);
    wanted.or(own).unwrap_or(30).max(0)
}

/// Adds the finalizer that the propagation policy asks for.
fn hold(object: &mut Value, propagation: Option<&str>) {
    let finalizer = match propagation {
        Some("Orphan") => "orphan",
        Some("Foreground") => "foregroundDeletion",
        _ => return,
    };
    object::default(object, &["metadata", "finalizers"], json!([]));
    if let Some(Value::Array(finalizers)) = object.pointer_mut("/metadata/finalizers") {
        finalizers.push(finalizer.into());
    }
}

fn success(kind: &Kind, object: &Value) -> Value {
    let mut details = json!({"name": name(object), "kind": kind.plural, "uid": uid(object)});
    if !kind.group.is_empty() {
        details["group"] = kind.group.as_str().into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
