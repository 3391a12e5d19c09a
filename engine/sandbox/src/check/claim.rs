//! Claims: what they ask for, and that they keep to it.

use serde_json::Value;

use crate::cause::Cause;
use crate::object::{at, list, remove};
use crate::quantity;

const MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
const KEPT: &str = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

pub(super) fn faults(claim: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let modes = list(claim, &["spec", "accessModes"]);
    if modes.is_empty() {
        let detail = "at least 1 access mode is required";
        causes.push(Cause::required("spec.accessModes", detail));
    }
    let known = |mode: &&Value| mode.as_str().is_some_and(|mode| MODES.contains(&mode));
    let unknown = modes.iter().filter(|mode| !known(mode));
    causes.extend(unknown.map(|mode| Cause::unsupported("spec.accessModes", mode, MODES)));
    causes.extend(size(claim));
    let changed = old.is_some_and(|old| bare(old) != bare(claim));
    if changed {
        causes.push(Cause::forbidden("spec", KEPT));
    }
    causes
}

fn size(claim: &Value) -> Option<Cause> {
    let field = "spec.resources[storage]";
    match at(claim, &["spec", "resources", "requests", "storage"]) {
        None => Some(Cause::required(field, "")),
        Some(size) if quantity::milli(size) <= 0 => {
            Some(Cause::invalid(field, size, "must be greater than zero"))
        }
        Some(_) => None,
    }
}

/// What of a claim may not change.
fn bare(claim: &Value) -> Value {
    let mut spec = claim["spec"].clone();
    for path in ["resources", "volumeName", "volumeAttributesClassName"] {
        drop(remove(&mut spec, &[path]));
    }
    spec
}
