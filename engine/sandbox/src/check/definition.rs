//! Definitions of users' kinds.

use serde_json::Value;

use crate::cause::Cause;
use crate::object::{name, text};

pub(super) fn faults(definition: &Value) -> Vec<Cause> {
    let part = |path: &[&str]| text(definition, path);
    let (plural, group) = (part(&["spec", "names", "plural"]), part(&["spec", "group"]));
    if name(definition) == format!("{plural}.{group}") {
        return Vec::new();
    }
    let detail = "must be spec.names.plural+\".\"+spec.group";
    vec![Cause::invalid(
        "metadata.name",
        &name(definition).into(),
        detail,
    )]
}
