//! Pod disruption budgets: one limit, as a count or a share.

use serde_json::Value;

use crate::cause::Cause;

pub(super) fn faults(budget: &Value) -> Vec<Cause> {
    let limits = ["minAvailable", "maxUnavailable"];
    let spec = &budget["spec"];
    let mut causes = Vec::new();
    if limits.iter().all(|limit| !spec[*limit].is_null()) {
        let words = "minAvailable and maxUnavailable cannot be both set";
        causes.push(Cause::invalid("spec", spec, words));
    }
    for limit in limits {
        let (field, value) = (format!("spec.{limit}"), &spec[limit]);
        if value.as_i64().is_some_and(|count| count < 0) {
            let words = "must be greater than or equal to 0";
            causes.push(Cause::invalid(&field, value, words));
        }
        if value.as_str().is_some_and(|share| !is_share(share)) {
            let words = "a valid percent string must be a numeric string followed by an ending '%' \
                         (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            causes.push(Cause::invalid(&field, value, words));
        }
    }
    causes
}

fn is_share(text: &str) -> bool {
    let digits = text.strip_suffix('%').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
