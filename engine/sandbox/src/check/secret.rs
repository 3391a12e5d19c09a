//! Secrets and `ConfigMap`s: keys, what a type demands, and what may not change.

use serde_json::Value;

use super::{frozen, names, worded};
use crate::cause::Cause;
use crate::object::{at, text, texts};

const FROZEN: &str = "field is immutable when `immutable` is set";
const SERVICE_ACCOUNT: &str = "kubernetes.io/service-account.name";

pub(super) fn faults(secret: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes: Vec<Cause> = old
        .and_then(|old| frozen(old, secret, &["type"]))
        .into_iter()
        .collect();
    causes.extend(
        old.map(|old| changes(old, secret, &["data"]))
            .unwrap_or_default(),
    );
    causes.extend(keys(secret, "data"));
    causes.extend(missing(secret));
    causes
}

pub(super) fn config_faults(config: &Value, old: Option<&Value>) -> Vec<Cause> {
    let parts = ["data", "binaryData"];
    let mut causes = old
        .map(|old| changes(old, config, &parts))
        .unwrap_or_default();
    causes.extend(parts.into_iter().flat_map(|part| keys(config, part)));
    causes
}

fn keys(object: &Value, part: &str) -> Vec<Cause> {
    let fault = |(key, _)| {
        let field = format!("{part}[{key}]");
        worded(&field, key, names::data_key(key)).collect::<Vec<_>>()
    };
    texts(object, &[part]).flat_map(fault).collect()
}

/// What was made immutable stays as it is, and immutable.
fn changes(old: &Value, new: &Value, parts: &[&str]) -> Vec<Cause> {
    if old["immutable"] != true {
        return Vec::new();
    }
    let mut causes = Vec::new();
    if new["immutable"] != true {
        causes.push(Cause::forbidden("immutable", FROZEN));
    }
    let changed = parts.iter().filter(|part| old[**part] != new[**part]);
    causes.extend(changed.map(|part| Cause::forbidden(part, FROZEN)));
    causes
}

/// What the type of a secret demands and is not there.
fn missing(secret: &Value) -> Vec<Cause> {
    let absent = |key: &&str| at(secret, &["data", key]).is_none();
    let required = |key: &str| Cause::required(&format!("data[{key}]"), "");
    let all = |keys: &[&str]| keys.iter().copied().filter(absent).map(required).collect();
    match text(secret, &["type"]) {
        "kubernetes.io/tls" => all(&["tls.crt", "tls.key"]),
        "kubernetes.io/dockercfg" => all(&[".dockercfg"]),
        "kubernetes.io/dockerconfigjson" => all(&[".dockerconfigjson"]),
        "kubernetes.io/ssh-auth" if text(secret, &["data", "ssh-privatekey"]).is_empty() => {
            vec![required("ssh-privatekey")]
        }
        "kubernetes.io/basic-auth" if ["username", "password"].iter().all(absent) => {
            ["username", "password"].map(required).to_vec()
        }
        "kubernetes.io/service-account-token"
            if text(secret, &["metadata", "annotations", SERVICE_ACCOUNT]).is_empty() =>
        {
            let field = format!("metadata.annotations[{SERVICE_ACCOUNT}]");
            vec![Cause::required(&field, "")]
        }
        _ => Vec::new(),
    }
}
