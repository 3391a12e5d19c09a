//! What a layer takes away from the layers below it.

use super::layer::TASK;
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::object::{Key, Node, Value};

/// How a directive is called.
const PATCH: &str = "$patch";
const VALUES: [&str; 3] = ["delete", "replace", "merge"];

/// `$patch`, which steers the merge.
pub(super) fn is_directive(key: &Key) -> bool {
    &*key.name == PATCH
}

/// What a layer must not take away: the spec as a whole, the list of containers, the task in it.
/// Directives that the merge does not know would do nothing, so they are refused too.
pub(super) fn check(layer: &Node, path: &str) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    words(layer, &mut findings);
    let Some(spec) = layer.get("spec") else {
        return findings;
    };
    if let Some((key, _)) = spec.entries().iter().find(|(key, _)| is_directive(key)) {
        let cause = format!("`{path}.spec` cannot be replaced or deleted as a whole");
        findings.push(
            Diagnostic::error(Code::Directive, key.place, cause)
                .help("put `$patch` on the fields or items that should go"),
        );
    }
    let Some(containers) = spec.get("containers") else {
        return findings;
    };
    let whole = |node: &Node| {
        let cause = format!("`{path}.spec.containers` would lose the container `{TASK}`");
        Diagnostic::error(Code::Directive, node.place, cause).help(
            "take single containers away, as in `{name: log, $patch: delete}`; the task stays",
        )
    };
    if matches!(containers.value, Value::Null) || containers.get(PATCH).is_some() {
        findings.push(whole(containers));
    }
    for container in containers.items() {
        let Some(directive) = container.get(PATCH).filter(|it| takes_away(it)) else {
            continue;
        };
        match container.get("name").and_then(Node::as_str) {
            Some(TASK) => {
                let cause = format!("the container `{TASK}` cannot be taken away");
                findings.push(
                    Diagnostic::error(Code::Directive, directive.place, cause).help(
                        "put `$patch` on the fields or items of it that should go, as in \
                         `env: [{name: DEBUG, $patch: delete}]`",
                    ),
                );
            }
            None if directive.as_str() == Some("replace") => findings.push(whole(directive)),
            _ => {}
        }
    }
    findings
}

fn takes_away(patch: &Node) -> bool {
    matches!(patch.as_str(), Some("delete" | "replace"))
}

/// Directives that are none, anywhere in a layer.
fn words(node: &Node, findings: &mut Vec<Diagnostic>) {
    for (key, below) in node.entries() {
        if is_directive(key) {
            findings.extend(value(below));
        } else if key.name.starts_with('$') {
            let cause = format!("`{}` is no directive of layers", key.name);
            findings.push(
                Diagnostic::error(Code::Directive, key.place, cause)
                    .help("there is `$patch`, with `delete`, `replace` or `merge`"),
            );
        }
        words(below, findings);
    }
    for item in node.items() {
        words(item, findings);
    }
}

fn value(patch: &Node) -> Option<Diagnostic> {
    let text = patch.as_str().unwrap_or_default();
    if VALUES.contains(&text) {
        return None;
    }
    let help = match closest(text, VALUES) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("write `{}`", VALUES.join("`, `")),
    };
    let cause = "`$patch` knows `delete`, `replace` and `merge`";
    Some(Diagnostic::error(Code::Directive, patch.place, cause).help(help))
}
