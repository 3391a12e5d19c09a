//! `drift.md` and `drift.json`.

use std::fmt::Write as _;

use crate::diagnostic::one_line;
use crate::reconciler::{DriftEntry, FieldDrift};

/// Drift for people.
pub fn drift_markdown<'a>(entries: impl Iterator<Item = &'a DriftEntry>) -> String {
    let mut text = String::from(
        "# Drift\n\nDifferences that Berth did not make: those that there are, and those that it put right.\n",
    );
    for entry in entries {
        let remark = entry.remark();
        let _ = write!(
            text,
            "\n## {}\n\nOf {}, found {} ({} times{remark}).\n\n| Field | Live | Desired | Manager | When |\n|---|---|---|---|---|\n",
            cell(&entry.object),
            entry.unit,
            entry.found,
            entry.times
        );
        for field in &entry.fields {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                cell(&field.path),
                cell(field.live.as_deref().unwrap_or("")),
                cell(desired(field).unwrap_or("")),
                cell(field.manager.as_deref().unwrap_or("")),
                cell(field.when.as_deref().unwrap_or(""))
            );
        }
    }
    text
}

/// Drift for a terminal: each object, then a line a field.
pub fn drift_text<'a>(entries: impl Iterator<Item = &'a DriftEntry>) -> String {
    let mut text = String::new();
    for entry in entries {
        let remark = entry.remark();
        let _ = writeln!(text, "{} of {}{remark}", entry.object, entry.unit);
        for field in &entry.fields {
            let who = field.manager.as_ref().map(|who| format!(", by {who}"));
            let when = field.when.as_ref().map(|when| format!(" at {when}"));
            let line = format!(
                "{}: {} instead of {}{}{}",
                field.path,
                field.live.as_deref().unwrap_or("nothing"),
                desired(field).unwrap_or("nothing"),
                who.unwrap_or_default(),
                when.unwrap_or_default()
            );
            let _ = writeln!(text, "  {}", one_line(&line));
        }
    }
    text
}

fn desired(field: &FieldDrift) -> Option<&str> {
    let forgotten = field.forgotten.then_some("what is not known any more");
    field.desired.as_deref().or(forgotten)
}

/// Drift for programs: a list of entries.
pub fn drift_json<'a>(entries: impl Iterator<Item = &'a DriftEntry>) -> String {
    let entries: Vec<&DriftEntry> = entries.collect();
    let mut text = serde_json::to_string_pretty(&entries).unwrap_or_else(|_| "[]".into());
    text.push('\n');
    text
}

/// A text that cannot leave its cell of a table.
pub(super) fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}
