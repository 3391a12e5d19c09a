//! Containers: names, mounts and what they ask for.

use serde_json::{Map, Value};

use super::{names, worded};
use crate::cause::Cause;
use crate::object::{at, list, text};
use crate::quantity;

/// The faults of a list of containers; `known` are the names that others have.
pub(super) fn faults<'a>(pod: &'a Value, part: &str, known: &mut Vec<&'a str>) -> Vec<Cause> {
    let volumes = list(pod, &["spec", "volumes"]).iter();
    let volumes: Vec<&str> = volumes.map(|volume| text(volume, &["name"])).collect();
    let mut causes = Vec::new();
    for (place, container) in list(pod, &["spec", part]).iter().enumerate() {
        let field = format!("spec.{part}[{place}]");
        let name = text(container, &["name"]);
        causes.extend(container_faults(&field, container, &volumes));
        if known.contains(&name) && !name.is_empty() {
            causes.push(Cause::duplicate(
                &format!("{field}.name"),
                &format!("{name:?}"),
            ));
        }
        known.push(name);
    }
    causes
}

fn container_faults(field: &str, container: &Value, volumes: &[&str]) -> Vec<Cause> {
    let (place, name) = (format!("{field}.name"), text(container, &["name"]));
    let mut causes = Vec::new();
    if name.is_empty() {
        causes.push(Cause::required(&place, ""));
    } else {
        causes.extend(worded(&place, name, names::label(name)));
    }
    if text(container, &["image"]).is_empty() {
        causes.push(Cause::required(&format!("{field}.image"), ""));
    }
    causes.extend(choice(
        &format!("{field}.terminationMessagePolicy"),
        &container["terminationMessagePolicy"],
        &["File", "FallbackToLogsOnError"],
    ));
    causes.extend(environment(field, container));
    causes.extend(mounts(field, container, volumes));
    causes.extend(choice(
        &format!("{field}.imagePullPolicy"),
        &container["imagePullPolicy"],
        &["Always", "IfNotPresent", "Never"],
    ));
    causes.extend(resources(&format!("{field}.resources"), container));
    causes
}

/// A field that holds one of a few words.
pub(super) fn choice(field: &str, value: &Value, known: &[&str]) -> Option<Cause> {
    let fits = value.is_null() || value.as_str().is_some_and(|text| known.contains(&text));
    (!fits).then(|| Cause::unsupported(field, value, known))
}

fn environment(field: &str, container: &Value) -> Vec<Cause> {
    let fault = |(place, variable): (usize, &Value)| {
        let field = format!("{field}.env[{place}].name");
        let name = text(variable, &["name"]);
        let printable = |letter: char| letter.is_ascii_graphic() || letter == ' ';
        if name.is_empty() {
            return Some(Cause::required(&field, ""));
        }
        let fits = name
            .chars()
            .all(|letter| printable(letter) && letter != '=');
        let detail = "a valid environment variable name must consist only of printable ASCII characters other than '='";
        (!fits).then(|| Cause::invalid(&field, &name.into(), detail))
    };
    list(container, &["env"])
        .iter()
        .enumerate()
        .filter_map(fault)
        .collect()
}

fn mounts(field: &str, container: &Value, volumes: &[&str]) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    for (place, mount) in list(container, &["volumeMounts"]).iter().enumerate() {
        let field = format!("{field}.volumeMounts[{place}]");
        let (name, path) = (text(mount, &["name"]), text(mount, &["mountPath"]));
        if name.is_empty() {
            causes.push(Cause::required(&format!("{field}.name"), ""));
        }
        if !volumes.contains(&name) {
            causes.push(Cause::not_found(&format!("{field}.name"), name));
        }
        if path.is_empty() {
            causes.push(Cause::required(&format!("{field}.mountPath"), ""));
        }
        if known.contains(&path) {
            let field = format!("{field}.mountPath");
            causes.push(Cause::invalid(&field, &path.into(), "must be unique"));
        }
        known.push(path);
    }
    causes
}

fn resources(field: &str, container: &Value) -> Vec<Cause> {
    let part = |part: &str| at(container, &["resources", part]).and_then(Value::as_object);
    let (limits, requests) = (part("limits"), part("requests"));
    let mut causes = amounts(&format!("{field}.limits"), limits);
    causes.extend(amounts(&format!("{field}.requests"), requests));
    let requests = requests.into_iter().flatten();
    causes.extend(requests.filter_map(|(resource, request)| {
        let limit = limits.and_then(|limits| limits.get(resource));
        check_request(field, resource, request, limit)
    }));
    causes
}

fn amounts(field: &str, amounts: Option<&Map<String, Value>>) -> Vec<Cause> {
    let fault = |(resource, amount): (&String, &Value)| {
        let milli = quantity::milli(amount);
        let detail = if milli < 0 {
            "must be greater than or equal to 0"
        } else if is_extended(resource) && milli % 1000 != 0 {
            "must be an integer"
        } else {
            return None;
        };
        Some(Cause::invalid(
            &format!("{field}[{resource}]"),
            amount,
            detail,
        ))
    };
    amounts.into_iter().flatten().filter_map(fault).collect()
}

fn check_request(
    field: &str,
    resource: &str,
    request: &Value,
    limit: Option<&Value>,
) -> Option<Cause> {
    let extended = is_extended(resource);
    let Some(limit) = limit else {
        let detail = "Limit must be set for non overcommitable resources";
        return extended.then(|| Cause::required(&format!("{field}.limits"), detail));
    };
    let (asked, most) = (quantity::milli(request), quantity::milli(limit));
    let relation = match (extended, asked > most) {
        (true, _) if asked != most => "equal to",
        (false, true) => "less than or equal to",
        _ => return None,
    };
    let limit = limit.as_str().unwrap_or_default();
    let detail = format!("must be {relation} {resource} limit of {limit}");
    Some(Cause::invalid(
        &format!("{field}.requests"),
        request,
        &detail,
    ))
}

/// Devices and the like, which nobody can have a part of.
fn is_extended(resource: &str) -> bool {
    resource.contains('/') && !resource.starts_with("kubernetes.io/")
}
