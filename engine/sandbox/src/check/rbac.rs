//! Kinds of which one field may not change.

use serde_json::{Value, json};

use super::frozen;
use crate::cause::Cause;

pub(super) fn binding_faults(binding: &Value, old: Option<&Value>) -> Vec<Cause> {
    let changed = old.filter(|old| old["roleRef"] != binding["roleRef"]);
    // The names are those of the real server's own form of it.
    let role = &binding["roleRef"];
    let shown = json!({"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]});
    let cause = |_| Cause::invalid("roleRef", &shown, "cannot change roleRef");
    changed.map(cause).into_iter().collect()
}

pub(super) fn class_faults(class: &Value, old: Option<&Value>) -> Vec<Cause> {
    let Some(old) = old else {
        return Vec::new();
    };
    let revalued = old["value"] != class["value"];
    let cause = || Cause::forbidden("value", "may not be changed in an update.");
    let causes = revalued.then(cause).into_iter();
    causes
        .chain(frozen(old, class, &["preemptionPolicy"]))
        .collect()
}
