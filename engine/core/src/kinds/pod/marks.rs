//! Labels and annotations, as people write them.

use super::directive::is_directive;
use crate::diagnostic::{Code, Diagnostic};
use crate::object::{Key, Node, Value};

/// The labels of `app.kubernetes.io/` that Berth sets.
const OWN_LABELS: [&str; 5] = ["name", "instance", "component", "part-of", "managed-by"];

/// What is wrong with the entries of `labels` or `annotations` (`map`): Berth's own, and names and
/// values that Kubernetes does not take (its page "Labels and Selectors").
pub(in crate::kinds) fn check(map: &str, entries: &[(Key, Node)]) -> Vec<Diagnostic> {
    let one = |(key, value): &(Key, Node)| {
        own_mark(map, key)
            .or_else(|| name(map, key))
            .or_else(|| label_value(key, value).filter(|_| map == "labels"))
    };
    said(entries).filter_map(one).collect()
}

/// How keys are written.
pub(super) const KEY: &str =
    "it has letters, digits, `-`, `_` and `.`, at most 63, perhaps after a domain and `/`";
/// How values of labels are written.
pub(super) const VALUE: &str =
    "it has letters, digits, `-`, `_` and `.`, at most 63, a letter or digit at its ends";

/// What is wrong with labels that things are chosen by, such as the `labels of a node`.
pub(super) fn selector(labels: &str, entries: &[(Key, Node)]) -> Vec<Diagnostic> {
    let one = |(key, value): &(Key, Node)| name(labels, key).or_else(|| label_value(key, value));
    said(entries).filter_map(one).collect()
}

/// In a layer, null removes what is below.
fn said(entries: &[(Key, Node)]) -> impl Iterator<Item = &(Key, Node)> {
    let said = |(key, value): &&(Key, Node)| !is_directive(key) && value.value != Value::Null;
    entries.iter().filter(said)
}

fn name(map: &str, key: &Key) -> Option<Diagnostic> {
    let cause = format!("`{}` is no name for one of the {map}", key.name);
    (!is_key(&key.name)).then(|| Diagnostic::error(Code::InvalidName, key.place, cause).help(KEY))
}

fn label_value(key: &Key, value: &Node) -> Option<Diagnostic> {
    // What is no text at all is told by the type.
    let text = value.as_str()?;
    (!is_value(text)).then(|| {
        let cause = format!(
            "the label `{}` has a value that Kubernetes does not take",
            key.name
        );
        Diagnostic::error(Code::InvalidName, value.place, cause).help(
            "it has letters, digits, `-`, `_` and `.`, at most 63; use an annotation for free text",
        )
    })
}

/// That a key of `labels` or `annotations` is Berth's own. Those of `sandbox.berth.dev/` are for
/// users to tell the sandbox what becomes of a pod; a real cluster does not heed them.
fn own_mark(map: &str, key: &Key) -> Option<Diagnostic> {
    let (prefix, name) = key.name.split_once('/')?;
    let help = match prefix {
        "sandbox.berth.dev" => return None,
        "app.kubernetes.io" if map == "labels" && OWN_LABELS.contains(&name) => {
            format!("Berth sets app.kubernetes.io/{{{}}}", OWN_LABELS.join(","))
        }
        _ if prefix == "berth.dev" || prefix.ends_with(".berth.dev") => {
            "labels and annotations of `berth.dev/` are set by Berth".to_owned()
        }
        _ => return None,
    };
    let cause = format!("`{}` is Berth's own", key.name);
    Some(Diagnostic::error(Code::ReservedField, key.place, cause).help(help))
}

/// Whether Kubernetes takes this as the key of a label or annotation.
pub(super) fn is_key(key: &str) -> bool {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let domain = |prefix: &str| {
        !prefix.is_empty()
            && prefix.len() <= 253
            && prefix
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
    };
    !name.is_empty() && is_value(name) && prefix.is_none_or(domain)
}

/// As Kubernetes has it: at most 63 letters, digits, `-`, `_`, `.`, a letter or digit at both ends.
pub(super) fn is_value(value: &str) -> bool {
    let ends = [value.bytes().next(), value.bytes().last()];
    value.len() <= 63
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && ends.iter().flatten().all(u8::is_ascii_alphanumeric)
}
