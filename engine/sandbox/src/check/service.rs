//! Services: ports, and an address that stays.

use serde_json::{Value, json};

use super::meta::label_faults;
use super::{names, worded};
use crate::cause::Cause;
use crate::object::{list, number, text, texts};

pub(super) fn faults(service: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes: Vec<Cause> = old
        .and_then(|old| moved(old, service))
        .into_iter()
        .collect();
    let ports = list(service, &["spec", "ports"]);
    let headless = text(service, &["spec", "clusterIP"]) == "None";
    let external = text(service, &["spec", "type"]) == "ExternalName";
    if ports.is_empty() && !headless && !external {
        causes.push(Cause::required("spec.ports", ""));
    }
    let mut known: Vec<&str> = Vec::new();
    for (place, port) in ports.iter().enumerate() {
        let field = format!("spec.ports[{place}]");
        causes.extend(port_faults(&field, port, ports.len() > 1, &known));
        known.push(text(port, &["name"]));
    }
    causes.extend(label_faults(
        "spec.selector",
        texts(service, &["spec", "selector"]),
    ));
    causes.extend(twice(ports));
    causes
}

fn port_faults(field: &str, port: &Value, named: bool, known: &[&str]) -> Vec<Cause> {
    let (place, name) = (format!("{field}.name"), text(port, &["name"]));
    let mut causes = Vec::new();
    if !name.is_empty() {
        causes.extend(worded(&place, name, names::label(name)));
        if known.contains(&name) {
            causes.push(Cause::duplicate(&place, &format!("{name:?}")));
        }
    } else if named {
        causes.push(Cause::required(&place, ""));
    }
    let target = number(port, &["targetPort"]);
    for (part, found) in [("port", number(port, &["port"])), ("targetPort", target)] {
        let found = found.filter(|found| !(1..=65_535).contains(found));
        causes.extend(found.map(|found| {
            let detail = "must be between 1 and 65535, inclusive";
            Cause::invalid(&format!("{field}.{part}"), &found.into(), detail)
        }));
    }
    causes
}

/// Two ports of one number and protocol.
fn twice(ports: &[Value]) -> Vec<Cause> {
    let same = |one: &Value, other: &Value| {
        one["port"] == other["port"] && one["protocol"] == other["protocol"]
    };
    let again = |place: &usize| {
        ports[..*place]
            .iter()
            .any(|port| same(port, &ports[*place]))
    };
    let cause = |place: usize| {
        let (port, protocol) = (&ports[place]["port"], &ports[place]["protocol"]);
        // The names are those of the real server's own form of a port.
        let value = format!(
            "{{\"Name\":\"\",\"Protocol\":{protocol},\"AppProtocol\":null,\"Port\":{port},\"TargetPort\":0,\"NodePort\":0}}"
        );
        Cause::duplicate(&format!("spec.ports[{place}]"), &value)
    };
    (0..ports.len()).filter(again).map(cause).collect()
}

fn moved(old: &Value, new: &Value) -> Option<Cause> {
    let address = |service: &Value| text(service, &["spec", "clusterIP"]).to_owned();
    let (before, after) = (address(old), address(new));
    let bound = !before.is_empty() && text(new, &["spec", "type"]) != "ExternalName";
    let changed = bound && before != after;
    let field = "spec.clusterIPs[0]";
    changed.then(|| Cause::invalid(field, &json!([after]), "may not change once set"))
}
