//! Whether a pod may and can run on a node.

use serde_json::Value;

use super::scheduler::Amounts;
use crate::object::{at, list, name, text, texts};
use crate::quantity;

/// Why a pod does not go to a node, in the scheduler's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Misfit {
    Unschedulable,
    Taint,
    Selector,
    /// Too little is left of these resources, or the node never had enough of one.
    Insufficient {
        resources: Vec<String>,
        never: bool,
    },
}

impl Misfit {
    /// One or more reasons.
    pub(super) fn words(&self) -> Vec<String> {
        let one = |words: &str| vec![words.to_owned()];
        match self {
            Self::Unschedulable => one("node(s) were unschedulable"),
            Self::Taint => one("node(s) had untolerated taint(s)"),
            Self::Selector => one("node(s) didn't match Pod's node affinity/selector"),
            Self::Insufficient { resources, .. } => {
                resources.iter().map(|it| insufficient(it)).collect()
            }
        }
    }

    /// Whether nothing that ends on the node would help.
    pub(super) const fn is_lasting(&self) -> bool {
        !matches!(self, Self::Insufficient { never: false, .. })
    }
}

fn insufficient(resource: &str) -> String {
    match resource {
        "pods" => "Too many pods".to_owned(),
        resource => format!("Insufficient {resource}"),
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
        **amount > 0 && free.get(*resource).copied().unwrap_or_default() < **amount
    };
    let short: Vec<(&String, &i128)> = requests.iter().filter(short).collect();
    let whole =
        |resource: &str| at(node, &["status", "allocatable", resource]).map_or(0, quantity::milli);
    let never =
        |(resource, amount): &(&String, &i128)| **resource != "pods" && whole(resource) < **amount;
    (!short.is_empty()).then(|| Misfit::Insufficient {
        never: short.iter().any(never),
        resources: short.into_iter().map(|(name, _)| name.clone()).collect(),
    })
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
