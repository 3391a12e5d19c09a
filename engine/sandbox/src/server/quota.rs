//! Resource quotas: what is used, and what would be too much.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Call, Server};
use crate::failure::Failure;
use crate::kinds::pod;
use crate::object::{at, list, name, text};
use crate::quantity;

/// What every container must say once a quota counts it.
const SPECIFIED: &[&str] = &[
    "cpu",
    "limits.cpu",
    "limits.memory",
    "memory",
    "requests.cpu",
    "requests.memory",
];

type Amounts = BTreeMap<String, i128>;

impl Server {
    /// Refuses a pod or another counted object that would exceed a quota of its namespace.
    pub(super) fn check_quota(&self, call: &Call, object: &Value) -> Result<(), Failure> {
        let Some(namespace) = &call.namespace else {
            return Ok(());
        };
        let asked = usage(&call.kind.storage, object);
        let quotas = self.store.list("resourcequotas", Some(namespace));
        for (key, quota) in quotas {
            let hard = hard(quota);
            if &*call.kind.storage == "pods"
                && let Some(missing) = unspecified(object, &hard)
            {
                let why = format!("failed quota: {}: must specify {missing}", key.name);
                return Err(Failure::forbidden(&call.kind, name(object), &why));
            }
            let asked: Amounts = asked
                .clone()
                .into_iter()
                .filter(|(name, _)| hard.contains_key(name))
                .collect();
            if asked.is_empty() {
                continue;
            }
            let used = self.used(namespace, &hard);
            let over = |name: &&String| used[*name] + asked[*name] > hard[*name];
            let over: Vec<&String> = asked.keys().filter(over).collect();
            if !over.is_empty() {
                let shown = |amounts: &Amounts| {
                    let shown = over
                        .iter()
                        .map(|name| format!("{name}={}", quantity::text(name, amounts[*name])));
                    shown.collect::<Vec<_>>().join(",")
                };
                let why = format!(
                    "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                    key.name,
                    shown(&asked),
                    shown(&used),
                    shown(&hard)
                );
                return Err(Failure::forbidden(&call.kind, name(object), &why));
            }
        }
        Ok(())
    }

    /// What a namespace uses of the named resources.
    fn used(&self, namespace: &str, hard: &Amounts) -> Amounts {
        let mut used: Amounts = hard.keys().map(|name| (name.clone(), 0)).collect();
        for resource in [
            "pods",
            "services",
            "configmaps",
            "secrets",
            "persistentvolumeclaims",
        ] {
            for (_, object) in self.store.list(resource, Some(namespace)) {
                for (name, amount) in usage(resource, object) {
                    used.entry(name).and_modify(|sum| *sum += amount);
                }
            }
        }
        used
    }

    /// Brings the status of all quotas up to date.
    pub(super) fn count_quotas(&mut self) {
        let quotas: Vec<_> = self
            .store
            .list("resourcequotas", None)
            .map(|(key, quota)| (key.clone(), quota.clone()))
            .collect();
        for (key, quota) in quotas {
            let hard = hard(&quota);
            let used = self.used(&key.namespace, &hard);
            let shown: BTreeMap<&String, String> = used
                .iter()
                .map(|(name, sum)| (name, quantity::text(name, *sum)))
                .collect();
            let status = json!({"hard": quota["spec"]["hard"], "used": shown});
            if quota["status"] != status {
                let mut counted = Value::clone(&quota);
                counted["status"] = status;
                self.save(key, counted);
            }
        }
    }
}

fn hard(quota: &Value) -> Amounts {
    let limits = at(quota, &["spec", "hard"]).and_then(Value::as_object);
    let amount = |(name, limit): (&String, &Value)| (name.clone(), quantity::milli(limit));
    limits.into_iter().flatten().map(amount).collect()
}

/// What an object counts for: finished pods count for nothing but their number.
fn usage(resource: &str, object: &Value) -> Amounts {
    let mut amounts = Amounts::from([(format!("count/{resource}"), 1000)]);
    if resource != "pods" {
        amounts.insert(resource.to_owned(), 1000);
        return amounts;
    }
    if pod::is_terminal(object) {
        return amounts;
    }
    amounts.insert("pods".to_owned(), 1000);
    for (name, amount) in pod::amounts(object, "requests") {
        amounts.insert(format!("requests.{name}"), amount);
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            amounts.insert(name, amount);
        }
    }
    for (name, amount) in pod::amounts(object, "limits") {
        amounts.insert(format!("limits.{name}"), amount);
    }
    amounts
}

/// What a quota counts and not every container of a pod says, with the containers.
fn unspecified(pod: &Value, hard: &Amounts) -> Option<String> {
    let said = |container: &Value, resource: &str| {
        let (part, name) = resource.split_once('.').unwrap_or(("requests", resource));
        at(container, &["resources", part, name]).is_some()
    };
    let mut texts = Vec::new();
    for resource in hard
        .keys()
        .filter(|name| SPECIFIED.contains(&name.as_str()))
    {
        let parts = ["containers", "initContainers"].into_iter();
        let containers = parts.flat_map(|part| list(pod, &["spec", part]));
        let silent = containers.filter(|container| !said(container, resource));
        let mut silent: Vec<&str> = silent.map(|each| text(each, &["name"])).collect();
        silent.sort_unstable();
        if !silent.is_empty() {
            texts.push(format!("{resource} for: {}", silent.join(",")));
        }
    }
    (!texts.is_empty()).then(|| texts.join("; "))
}
