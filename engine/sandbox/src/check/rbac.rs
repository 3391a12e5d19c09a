//! Kinds of which one field may not change.

use serde_json::Value;

use super::frozen;
use crate::cause::Cause;

pub(super) fn binding_faults(binding: &Value, old: Option<&Value>) -> Vec<Cause> {
    let changed = old.filter(|old| old["roleRef"] != binding["roleRef"]);
    let cause = |_| Cause::invalid("roleRef", &binding["roleRef"], "cannot change roleRef");
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
