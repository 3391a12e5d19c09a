//! What every object's metadata must be.

use serde_json::Value;

use super::{names, worded};
use crate::cause::Cause;
use crate::kinds::Kind;
use crate::object::{self, finalizers, is_deleting, list, name, text, texts};

const ANNOTATIONS: usize = 256 << 10;
const MANAGER: usize = 128;
const STANDARD: &[&str] = &["foregroundDeletion", "kubernetes", "orphan"];

pub(super) fn faults(kind: &Kind, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = named(kind, object, old.is_some());
    causes.extend(labelled(object));
    causes.extend(annotated(object));
    let owners = list(object, &["metadata", "ownerReferences"]);
    causes.extend(owners.iter().flat_map(owner_faults));
    causes.extend(controllers(object));
    causes.extend(finalized(kind, object));
    causes.extend(managed(object));
    causes.extend(old.and_then(|old| late_finalizers(old, object)));
    causes
}

fn named(kind: &Kind, object: &Value, is_update: bool) -> Vec<Cause> {
    let rule = if is_update {
        names::segment
    } else {
        rule(kind)
    };
    let mut causes = Vec::new();
    let prefix = text(object, &["metadata", "generateName"]);
    if !prefix.is_empty() {
        causes.extend(worded(
            "metadata.generateName",
            prefix,
            rule(&masked(prefix)),
        ));
    }
    match name(object) {
        "" => {
            let detail = "name or generateName is required";
            causes.push(Cause::required("metadata.name", detail));
        }
        name => causes.extend(worded("metadata.name", name, rule(name))),
    }
    causes
}

/// The rule for the names of a kind.
fn rule(kind: &Kind) -> fn(&str) -> Vec<String> {
    match &*kind.storage {
        "services" | "namespaces" => names::label,
        _ if kind.group == "rbac.authorization.k8s.io" => names::segment,
        _ => names::subdomain,
    }
}

/// A dash at the end of a prefix will not be the end of the name.
fn masked(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{rest}a"),
        _ => prefix.to_owned(),
    }
}

/// The faults of labels, wherever they stand.
pub(super) fn label_faults<'a>(
    field: &'a str,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<Cause> {
    let faults = |(key, value): (&'a str, &'a str)| {
        worded(field, key, names::key(key)).chain(worded(field, value, names::value(value)))
    };
    labels.flat_map(faults).collect()
}

fn labelled(object: &Value) -> Vec<Cause> {
    label_faults("metadata.labels", texts(object, &["metadata", "labels"]))
}

fn annotated(object: &Value) -> Vec<Cause> {
    let field = "metadata.annotations";
    let annotations = || texts(object, &["metadata", "annotations"]);
    let words = |key: &str| names::key(&key.to_lowercase());
    let mut causes: Vec<Cause> = annotations()
        .flat_map(|(key, _)| worded(field, key, words(key)))
        .collect();
    let size: usize = annotations()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > ANNOTATIONS {
        causes.push(Cause::too_long(field, ANNOTATIONS));
    }
    causes
}

fn owner_faults(owner: &Value) -> impl Iterator<Item = Cause> {
    let version = text(owner, &["apiVersion"]).rsplit('/').next();
    [
        (
            "apiVersion",
            version.unwrap_or_default(),
            "version must not be empty",
        ),
        ("kind", text(owner, &["kind"]), "must not be empty"),
        ("name", text(owner, &["name"]), "must not be empty"),
        ("uid", text(owner, &["uid"]), "must not be empty"),
    ]
    .into_iter()
    .filter(|(_, found, _)| found.is_empty())
    .map(|(field, _, detail)| {
        let given = text(owner, &[field]);
        Cause::invalid(
            &format!("metadata.ownerReferences.{field}"),
            &given.into(),
            detail,
        )
    })
}

fn controllers(object: &Value) -> Option<Cause> {
    let path = ["metadata", "ownerReferences"];
    let named = |owner: &Value| format!("{}/{}", text(owner, &["kind"]), text(owner, &["name"]));
    let owners = list(object, &path).iter();
    let mut controllers = owners
        .filter(|owner| owner["controller"] == true)
        .map(named);
    let (first, second) = (controllers.next()?, controllers.next()?);
    let detail = format!(
        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
    );
    let owners = object::at(object, &path)?;
    Some(Cause::invalid("metadata.ownerReferences", owners, &detail))
}

fn finalized(kind: &Kind, object: &Value) -> Vec<Cause> {
    let field = "metadata.finalizers";
    let found = finalizers(object);
    let texts = found.iter().filter_map(Value::as_str);
    let mut causes: Vec<Cause> = texts
        .flat_map(|finalizer| worded(field, finalizer, names::key(finalizer)))
        .collect();
    if found.iter().any(|each| each == "orphan")
        && found.iter().any(|each| each == "foregroundDeletion")
    {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        causes.push(Cause::invalid(field, &found.into(), detail));
    }
    // The older groups want more of them.
    let strict = kind.custom.is_none() && kind.group != "coordination.k8s.io";
    let bare = |each: &&str| !each.contains('/') && !STANDARD.contains(each);
    let texts = found.iter().filter_map(Value::as_str).enumerate();
    causes.extend(
        texts
            .filter(|(_, each)| strict && bare(each))
            .map(|(place, each)| {
                let detail = "name is neither a standard finalizer name nor is it fully qualified";
                Cause::invalid(&format!("{field}[{place}]"), &each.into(), detail)
            }),
    );
    causes
}

fn managed(object: &Value) -> Vec<Cause> {
    let entries = list(object, &["metadata", "managedFields"]).iter();
    let faults = |(place, entry): (usize, &Value)| {
        let field = format!("metadata.managedFields[{place}].manager");
        manager_faults(&field, text(entry, &["manager"]))
    };
    entries.enumerate().flat_map(faults).collect()
}

/// The faults of a field manager's name.
pub(crate) fn manager_faults(field: &str, manager: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if manager.len() > MANAGER {
        causes.push(Cause::too_long(field, MANAGER));
    }
    let unprintable = manager
        .char_indices()
        .filter(|(_, letter)| letter.is_control());
    causes.extend(unprintable.map(|(place, letter)| {
        let detail = format!(
            "invalid character U+{:04X} (at position {place})",
            u32::from(letter)
        );
        Cause::invalid(field, &manager.into(), &detail)
    }));
    causes
}

/// Nothing more may hold an object that was asked to go.
fn late_finalizers(old: &Value, new: &Value) -> Option<Cause> {
    let known = finalizers(old);
    let added = finalizers(new).iter().filter(|each| !known.contains(each));
    let mut added: Vec<String> = added.map(Value::to_string).collect();
    if added.is_empty() || !is_deleting(old) {
        return None;
    }
    added.sort();
    let detail = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        added.join(", ")
    );
    Some(Cause::forbidden("metadata.finalizers", &detail))
}
