//! Values by which pods are placed: tolerations, affinities, spreads. Items of their lists are whole
//! in one layer, except spreads, which are merged by their `topologyKey`.

use super::marks;
use super::rules::At;
use crate::diagnostic::{Code, Diagnostic, cut};
use crate::object::Node;

/// What must be so for a pod to be placed at all; else it is only preferred.
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// What is wrong with a value of this type of Kubernetes.
pub(super) fn check(of: &str, at: At) -> Vec<Diagnostic> {
    match of {
        "Toleration" => toleration(at),
        "NodeSelector" => Vec::from_iter(no_terms(at)),
        "NodeSelectorRequirement" if at.path.contains(".matchFields[") => field(at),
        "NodeSelectorRequirement" => requirement(at, at.path.contains(REQUIRED)),
        "LabelSelectorRequirement" => requirement(at, true),
        "LabelSelector" => {
            let entries = at.node.get("matchLabels").map_or(&[][..], Node::entries);
            marks::selector("labels", entries)
        }
        "PreferredSchedulingTerm" | "WeightedPodAffinityTerm" => {
            let missing = at.missing("weight");
            missing
                .or(at.range("weight", (1, 100)))
                .into_iter()
                .collect()
        }
        "PodAffinityTerm" => {
            let missing = at.missing("topologyKey");
            missing.or(at.key("topologyKey")).into_iter().collect()
        }
        "TopologySpreadConstraint" => spread(at),
        _ => Vec::new(),
    }
}

/// `ValidateTolerations`.
fn toleration(at: At) -> Vec<Diagnostic> {
    let text = |field| at.text(field).map_or("", |(text, _)| text);
    let mut findings = Vec::from_iter(at.key("key"));
    let operator = at.node.get("operator");
    let known = operator.is_none_or(|it| matches!(it.as_str(), Some("Equal" | "Gt" | "Lt")));
    if text("key").is_empty() && known {
        let place = operator.unwrap_or(at.node).place;
        let cause = format!("`{}` has no `key`", at.path);
        findings.push(
            Diagnostic::error(Code::OutOfRange, place, cause)
                .help("add the key of a taint, or say `operator: Exists` to tolerate every taint"),
        );
    }
    if let Some(seconds) = at.node.get("tolerationSeconds")
        && text("effect") != "NoExecute"
        && at.number("tolerationSeconds").is_some()
    {
        let cause = "`tolerationSeconds` is of the effect `NoExecute` alone";
        findings.push(
            Diagnostic::error(Code::OutOfRange, seconds.place, cause)
                .help("say `effect: NoExecute`, or leave `tolerationSeconds` out"),
        );
    }
    findings.extend(tolerated(at, text("operator")));
    findings
}

/// The value of a toleration, by its operator.
fn tolerated(at: At, operator: &str) -> Option<Diagnostic> {
    let (value, node) = at.text("value")?;
    let help = match operator {
        "Exists" if !value.is_empty() => "leave `value` out, or say `operator: Equal`",
        "Equal" | "" if !marks::is_value(value) => marks::VALUE,
        "Gt" | "Lt" if value.parse::<i64>().is_err() => "write a whole number in quotes",
        _ => return None,
    };
    let shown = if operator.is_empty() {
        "Equal"
    } else {
        operator
    };
    let cause = format!(
        "a toleration with `{shown}` cannot have the value `{}`",
        cut(value)
    );
    Some(Diagnostic::error(Code::OutOfRange, node.place, cause).help(help))
}

/// `ValidateNodeSelector`.
fn no_terms(at: At) -> Option<Diagnostic> {
    let terms = at.node.get("nodeSelectorTerms")?;
    let empty = matches!(&terms.value, crate::object::Value::List(items) if items.is_empty());
    empty.then(|| {
        let cause = format!("`{}.nodeSelectorTerms` is empty", at.path);
        Diagnostic::error(Code::OutOfRange, terms.place, cause)
            .help("add a term, or leave the affinity out")
    })
}

/// `ValidateNodeSelectorRequirement`, `ValidateLabelSelectorRequirement`.
fn requirement(at: At, values_are_labels: bool) -> Vec<Diagnostic> {
    let mut findings = Vec::from_iter(at.missing("key").or(at.key("key")));
    let Some((operator, node)) = at.text("operator") else {
        findings.extend(at.missing("operator"));
        return findings;
    };
    let count = at.node.get("values").map_or(0, |it| it.items().len());
    let wrong = match operator {
        "In" | "NotIn" => (count == 0).then_some("needs `values`"),
        "Exists" | "DoesNotExist" => (count > 0).then_some("has no `values`"),
        "Gt" | "Lt" if is_of_nodes(at) => (count != 1).then_some("needs one of `values`"),
        // Of nodes, the type says so already.
        _ if is_of_nodes(at) => None,
        _ => Some("is none of `In`, `NotIn`, `Exists`, `DoesNotExist`"),
    };
    findings.extend(wrong.map(|words| operated(at, operator, node, words)));
    if values_are_labels {
        let values = at
            .texts("values")
            .filter(|(text, _)| !marks::is_value(text));
        findings.extend(values.map(|(text, node)| {
            let cause = format!("`{}` is no value of a label", cut(text));
            Diagnostic::error(Code::InvalidName, node.place, cause).help(marks::VALUE)
        }));
    }
    findings
}

/// Requirements of nodes know numbers; their type lists the operators.
fn is_of_nodes(at: At) -> bool {
    at.path.contains(".nodeAffinity.")
}

fn operated(at: At, operator: &str, node: &Node, words: &str) -> Diagnostic {
    let place = at.node.get("values").unwrap_or(node).place;
    let cause = format!("the operator `{}` {words}", cut(operator));
    Diagnostic::error(Code::OutOfRange, place, cause).help(
        "`In` and `NotIn` have values, `Exists` and `DoesNotExist` none, `Gt` and `Lt` (of nodes alone) one",
    )
}

/// `ValidateNodeFieldSelectorRequirement`.
fn field(at: At) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if let Some((key, node)) = at.text("key").filter(|(key, _)| *key != "metadata.name") {
        let cause = format!("`{}` is no field that nodes are chosen by", cut(key));
        findings.push(
            Diagnostic::error(Code::OutOfRange, node.place, cause)
                .help("write `metadata.name`, or choose by a label in `matchExpressions`"),
        );
    }
    let count = at.node.get("values").map_or(0, |it| it.items().len());
    if let Some((operator, node)) = at.text("operator")
        && !(matches!(operator, "In" | "NotIn") && count == 1)
    {
        let place = at.node.get("values").unwrap_or(node).place;
        let cause = "a field of a node is `In` or `NotIn` one value";
        findings.push(
            Diagnostic::error(Code::OutOfRange, place, cause)
                .help("write `In` or `NotIn` with one of `values`"),
        );
    }
    findings
}

/// `validateTopologySpreadConstraints`; what is missing may stand in another layer.
fn spread(at: At) -> Vec<Diagnostic> {
    let mut findings = Vec::from_iter(at.range("maxSkew", (1, i64::MAX)));
    findings.extend(at.range("minDomains", (1, i64::MAX)));
    if let Some((_, node)) = at.number("minDomains")
        && at
            .text("whenUnsatisfiable")
            .is_some_and(|(it, _)| it == "ScheduleAnyway")
    {
        let cause = "`minDomains` is of `whenUnsatisfiable: DoNotSchedule` alone";
        findings.push(
            Diagnostic::error(Code::OutOfRange, node.place, cause)
                .help("say `whenUnsatisfiable: DoNotSchedule`, or leave `minDomains` out"),
        );
    }
    findings
}
