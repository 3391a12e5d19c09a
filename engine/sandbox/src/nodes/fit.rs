//! Whether a pod may and can run on a node.

use std::fmt;

use serde_json::Value;

use super::scheduler::Amounts;
use crate::object::{at, list, name, text, texts};

/// Why a pod does not go to a node, in the scheduler's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Misfit {
    Unschedulable,
    Taint,
    Selector,
    Insufficient(String),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unschedulable => write!(f, "node(s) were unschedulable"),
            Self::Taint => write!(f, "node(s) had untolerated taint(s)"),
            Self::Selector => write!(f, "node(s) didn't match Pod's node affinity/selector"),
            Self::Insufficient(resource) if resource == "pods" => write!(f, "Too many pods"),
            Self::Insufficient(resource) => write!(f, "Insufficient {resource}"),
        }
    }
}

/// The first reason against a node.
pub(super) fn misfit(
    pod: &Value,
    requests: &Amounts,
    node: &Value,
    free: &Amounts,
) -> Option<Misfit> {
    if node["spec"]["unschedulable"] == true
        && !tolerates(pod, "node.kubernetes.io/unschedulable", "", "NoSchedule")
    {
        return Some(Misfit::Unschedulable);
    }
    let mut taints = list(node, &["spec", "taints"]).iter();
    if taints.any(|taint| repels(pod, taint)) {
        return Some(Misfit::Taint);
    }
    if !is_selected(pod, node) {
        return Some(Misfit::Selector);
    }
    let short = |(resource, amount): &(&String, &i128)| {
        free.get(*resource).copied().unwrap_or_default() < **amount
    };
    let short = requests
        .iter()
        .find(|request| *request.1 > 0 && short(request));
    short.map(|(resource, _)| Misfit::Insufficient(resource.clone()))
}

fn repels(pod: &Value, taint: &Value) -> bool {
    let part = |field| text(taint, &[field]);
    part("effect") != "PreferNoSchedule"
        && !tolerates(pod, part("key"), part("value"), part("effect"))
}

fn tolerates(pod: &Value, key: &str, value: &str, effect: &str) -> bool {
    toleration(pod, key, value, effect).is_some()
}

/// The pod's toleration of a taint.
pub(super) fn toleration<'a>(
    pod: &'a Value,
    key: &str,
    value: &str,
    effect: &str,
) -> Option<&'a Value> {
    list(pod, &["spec", "tolerations"])
        .iter()
        .find(|toleration| {
            let part = |field| text(toleration, &[field]);
            let exists = part("operator") == "Exists";
            let key_fits = part("key") == key || (part("key").is_empty() && exists);
            let effect_fits = part("effect").is_empty() || part("effect") == effect;
            key_fits && effect_fits && (exists || part("value") == value)
        })
}

fn is_selected(pod: &Value, node: &Value) -> bool {
    let selected =
        texts(pod, &["spec", "nodeSelector"]).all(|(key, wanted)| label(node, key) == Some(wanted));
    let required = [
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    ];
    let terms = list(pod, &required);
    selected && (terms.is_empty() || terms.iter().any(|term| term_holds(term, node)))
}

fn term_holds(term: &Value, node: &Value) -> bool {
    let labels = list(term, &["matchExpressions"]).iter();
    let fields = list(term, &["matchFields"]).iter();
    labels.clone().count() + fields.clone().count() > 0
        && labels
            .clone()
            .all(|expression| holds(expression, label(node, text(expression, &["key"]))))
        && fields
            .clone()
            .all(|expression| holds(expression, Some(name(node))))
}

fn holds(expression: &Value, value: Option<&str>) -> bool {
    let values = list(expression, &["values"]);
    let listed = value.is_some_and(|value| values.iter().any(|each| each == value));
    let numbers = || {
        Some((
            value?.parse::<i64>().ok()?,
            values.first()?.as_str()?.parse::<i64>().ok()?,
        ))
    };
    match text(expression, &["operator"]) {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => numbers().is_some_and(|(own, bound)| own > bound),
        "Lt" => numbers().is_some_and(|(own, bound)| own < bound),
        _ => false,
    }
}

fn label<'a>(node: &'a Value, key: &str) -> Option<&'a str> {
    at(node, &["metadata", "labels", key]).and_then(Value::as_str)
}
