//! What a case asked and was answered, with what differs by nature masked.

use serde_json::{Value, json};

use super::Answer;

/// Fields whose values are a server's own.
const OWN: &[&str] = &[
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "time",
    "lastTransitionTime",
    "lastHeartbeatTime",
    "continue",
    "clusterIP",
    "clusterIPs",
    "remainingItemCount",
];

/// The requests and answers of one case, one value each.
#[derive(Debug)]
pub struct Transcript {
    namespace: String,
    lines: Vec<Value>,
}

impl Transcript {
    /// Nothing yet; the namespace's name is masked.
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            lines: Vec::new(),
        }
    }

    /// All so far.
    pub fn lines(&self) -> &[Value] {
        &self.lines
    }

    /// Notes a request with its answer.
    pub fn note(&mut self, method: &str, resource: &str, media: &str, answer: &Answer) {
        let mut line = json!({
            "request": format!("{method} {resource} ({media})"), "status": answer.status,
            "body": answer.body, "warnings": answer.warnings,
        });
        self.mask(&mut line);
        self.lines.push(line);
    }

    /// Notes an event of a watch.
    pub fn event(&mut self, event: &Value) {
        // Those that tell nothing but a version come when the server likes.
        if event["type"] == "BOOKMARK" && event["object"]["metadata"]["annotations"].is_null() {
            return;
        }
        let mut event = json!({"event": event});
        self.mask(&mut event);
        self.lines.push(event);
    }

    fn mask(&self, value: &mut Value) {
        unify(value);
        match value {
            Value::String(text) => *text = mask_text(&text.replace(&self.namespace, "<namespace>")),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::Object(fields) => {
                for (key, value) in fields.iter_mut() {
                    // What is left out, null or empty stays apart from what is there.
                    let is_set = !value.is_null() && value != "" && value != "0";
                    if OWN.contains(&key.as_str()) && is_set && !value.is_object() {
                        *value = format!("<{key}>").into();
                    } else {
                        self.mask(value);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Brings into one form what says the same in several.
fn unify(value: &mut Value) {
    let Value::Object(fields) = value else {
        return;
    };
    // Keys of lists stand in the names of managed fields.
    let masked = |key: String| {
        if key.contains(':') {
            mask_text(&key)
        } else {
            key
        }
    };
    let named = std::mem::take(fields).into_iter();
    *fields = named.map(|(key, value)| (masked(key), value)).collect();
    // A fault is told once by each layer that finds it.
    if let Some(Value::Array(causes)) = fields.get_mut("causes") {
        let mut known = Vec::new();
        causes.retain(|cause| {
            !known.contains(cause) && {
                known.push(cause.clone());
                true
            }
        });
    }
    // Managers stand in the order of their times.
    if let Some(Value::Array(entries)) = fields.get_mut("managedFields") {
        let order = |entry: &Value| {
            format!(
                "{} {} {}",
                entry["operation"], entry["manager"], entry["subresource"]
            )
        };
        entries.sort_by_key(order);
    }
    // How many seconds old an object is in a table is a matter of the clock.
    let cells = fields.get_mut("cells").and_then(Value::as_array_mut);
    for cell in cells.into_iter().flatten() {
        if cell.as_str().is_some_and(is_seconds) {
            *cell = "<age>".into();
        }
        if cell.as_str().is_some_and(is_time) {
            *cell = "<time>".into();
        }
    }
    // What is for people only.
    let columns = fields
        .get_mut("columnDefinitions")
        .and_then(Value::as_array_mut);
    for column in columns
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        column.remove("description");
    }
}

/// Masks uids and revisions within a text.
fn mask_text(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        masked.push_str(if is_uid(word) {
            "<uid>"
        } else if is_revision(word) {
            "<revision>"
        } else {
            word
        });
        let mut characters = tail.chars();
        masked.extend(characters.next());
        rest = characters.as_str();
    }
    masked
}

fn is_uid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

fn is_seconds(word: &str) -> bool {
    let digits = word.strip_suffix('s').unwrap_or_default();
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

fn is_time(word: &str) -> bool {
    word.parse::<berth_core::ids::Timestamp>().is_ok()
}

fn is_revision(word: &str) -> bool {
    word.len() >= 3 && word.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_what_differs_by_nature_only() {
        let mut transcript = Transcript::new("case-1");
        transcript.event(&json!({
            "metadata": {"namespace": "case-1", "uid": "x", "resourceVersion": "", "name": "a"},
            "message": "uid 01234567-89ab-cdef-0123-456789abcdef at 4711, 42",
            "cells": ["a", "1/1", "12s", "s", 0, "2026-01-01T00:00:00Z"],
        }));
        let wanted = json!({"event": {
            "metadata": {"namespace": "<namespace>", "uid": "<uid>", "resourceVersion": "", "name": "a"},
            "message": "uid <uid> at <revision>, 42",
            "cells": ["a", "1/1", "<age>", "s", 0, "<time>"],
        }});
        assert_eq!(transcript.lines(), [wanted]);
    }
}
