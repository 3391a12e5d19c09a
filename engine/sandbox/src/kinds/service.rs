//! Services: defaults, addresses, and what may not change.

use serde_json::{Value, json};

use crate::object::{copy, default, set, text};

/// Sets what the real server sets; a change keeps the address.
pub(crate) fn defaults(service: &mut Value, old: Option<&Value>) {
    default(service, &["spec", "type"], "ClusterIP");
    default(service, &["spec", "sessionAffinity"], "None");
    if let Some(ports) = service["spec"]
        .get_mut("ports")
        .and_then(Value::as_array_mut)
    {
        for port in ports {
            default(port, &["protocol"], "TCP");
            let number = port["port"].clone();
            default(port, &["targetPort"], number);
        }
    }
    if text(service, &["spec", "type"]) == "ExternalName" {
        return;
    }
    default(service, &["spec", "internalTrafficPolicy"], "Cluster");
    let keeps = old.filter(|_| text(service, &["spec", "clusterIP"]).is_empty());
    if let Some(old) = keeps {
        copy(old, service, &["spec", "clusterIP"]);
        copy(old, service, &["spec", "clusterIPs"]);
    }
}

/// Sets what the real server sets once it is known whose fields are whose.
pub(crate) fn complete(service: &mut Value) {
    if text(service, &["spec", "type"]) == "ExternalName" {
        return;
    }
    default(service, &["spec", "ipFamilies"], json!(["IPv4"]));
    default(service, &["spec", "ipFamilyPolicy"], "SingleStack");
    let address = text(service, &["spec", "clusterIP"]).to_owned();
    if !address.is_empty() {
        default(service, &["spec", "clusterIPs"], json!([address]));
    }
}

/// Whether the service still needs an address.
pub(crate) fn wants_address(service: &Value) -> bool {
    text(service, &["spec", "type"]) != "ExternalName"
        && text(service, &["spec", "clusterIP"]).is_empty()
}

/// Gives the service the nth address.
pub(crate) fn allocate(service: &mut Value, nth: u32) {
    let [_, _, high, low] = nth.to_be_bytes();
    let address = format!("10.96.{high}.{low}");
    set(service, &["spec", "clusterIPs"], json!([address.clone()]));
    set(service, &["spec", "clusterIP"], address);
}
