//! The options of a request, and which of them make no sense.

use super::Call;
use crate::cause::Cause;
use crate::check::manager_faults;
use crate::failure::Failure;

const APPLY: &str = "application/apply-patch+yaml";
const MATCHES: &[&str] = &["Exact", "NotOlderThan", ""];
const PROVIDED: &str = "resourceVersionMatch is forbidden unless resourceVersion is provided";

/// Refuses options that the real server refuses.
pub(super) fn check(call: &Call) -> Result<(), Failure> {
    let (kind, causes) = match call.verb {
        "list" | "watch" => {
            for name in ["timeoutSeconds", "limit"] {
                number(call, name)?;
            }
            ("ListOptions", list_faults(call))
        }
        "create" => ("CreateOptions", write_faults(call)),
        "update" => ("UpdateOptions", write_faults(call)),
        "patch" => ("PatchOptions", patch_faults(call)),
        _ => return Ok(()),
    };
    if causes.is_empty() {
        return Ok(());
    }
    Err(Failure::bad_options(kind, &causes))
}

/// A parameter that is a whole number.
pub(super) fn number(call: &Call, name: &str) -> Result<Option<i64>, Failure> {
    let Some(text) = call.request.param(name) else {
        return Ok(None);
    };
    let words = |_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
    let number = text.parse().map_err(words).map_err(Failure::bad_request)?;
    Ok(Some(number))
}

fn patch_faults(call: &Call) -> Vec<Cause> {
    let mut causes = Vec::new();
    let manager = call.request.param("fieldManager").unwrap_or_default();
    if call.request.content_type.starts_with(APPLY) {
        if manager.is_empty() {
            causes.push(Cause::required(
                "fieldManager",
                "is required for apply patch",
            ));
        }
    } else if call.request.param("force").is_some() {
        causes.push(Cause::forbidden(
            "force",
            "may not be specified for non-apply patch",
        ));
    }
    causes.extend(write_faults(call));
    causes
}

fn write_faults(call: &Call) -> Vec<Cause> {
    let param = |name| call.request.param(name).unwrap_or_default();
    let mut causes = manager_faults("fieldManager", param("fieldManager"));
    let dry = call
        .request
        .query
        .iter()
        .filter(|(name, _)| name == "dryRun");
    let dry: Vec<&str> = dry.map(|(_, value)| value.as_str()).collect();
    if dry.iter().any(|value| *value != "All") {
        causes.push(Cause::unsupported("dryRun", &dry.into(), &["All"]));
    }
    let known = &["", "Ignore", "Strict", "Warn"];
    let wanted = param("fieldValidation");
    if !known.contains(&wanted) {
        causes.push(Cause::unsupported("fieldValidation", &wanted.into(), known));
    }
    causes
}

fn list_faults(call: &Call) -> Vec<Cause> {
    let param = |name| call.request.param(name).unwrap_or_default();
    let forbidden = |detail: &str| Cause::forbidden("resourceVersionMatch", detail);
    let (wanted, version) = (param("resourceVersionMatch"), param("resourceVersion"));
    let streams = call.request.param("sendInitialEvents").is_some();
    let continues = !param("continue").is_empty();
    let mut causes = Vec::new();
    if call.verb == "watch" {
        if streams && wanted != "NotOlderThan" {
            causes.push(forbidden(
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        if !wanted.is_empty() && !streams {
            causes.push(forbidden(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        if !matches!(wanted, "" | "NotOlderThan") {
            let known = &["NotOlderThan"];
            causes.push(Cause::unsupported(
                "resourceVersionMatch",
                &wanted.into(),
                known,
            ));
        }
        return causes;
    }
    if !wanted.is_empty() && version.is_empty() {
        causes.push(forbidden(PROVIDED));
    }
    if !wanted.is_empty() && continues {
        causes.push(forbidden(
            "resourceVersionMatch is forbidden when continue is provided",
        ));
    }
    if !MATCHES.contains(&wanted) {
        causes.push(Cause::unsupported(
            "resourceVersionMatch",
            &wanted.into(),
            MATCHES,
        ));
    }
    if wanted == "Exact" && version == "0" {
        causes.push(forbidden(
            "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        ));
    }
    if streams {
        let detail = "sendInitialEvents is forbidden for list";
        causes.push(Cause::forbidden("sendInitialEvents", detail));
    }
    causes
}
