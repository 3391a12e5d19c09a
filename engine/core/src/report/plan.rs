//! What would be done: a fresh reconciler, fed once, stepped once.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::drift::cell;
use crate::ids::{ObjectKey, Timestamp, UnitId};
use crate::reconciler::{Effect, Reconciler, What};

/// What would happen to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It would be made.
    Create,
    /// It would be changed.
    Change,
    /// It would be deleted.
    Delete,
}

/// One object that would be touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What would happen.
    pub action: Action,
    /// The object: kind, namespace and name.
    pub object: String,
    /// The document that it serves.
    pub unit: Option<UnitId>,
    /// Why.
    pub why: String,
    /// `path:line` of the document.
    pub place: Option<String>,
}

/// The changes that would be made now, and what would wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// By unit, then object.
    pub changes: Vec<Change>,
    /// Units that wait or are held, and for what.
    pub waiting: BTreeMap<UnitId, String>,
}

impl Plan {
    /// Steps this reconciler once, which must have been fed with everything (snapshot, identity,
    /// ledger, spill, complete watches, the role of a leader) and with room for all calls
    /// (`Options::in_flight`), and says what it gives. Nothing is carried out.
    pub fn of(reconciler: &mut Reconciler, now: Timestamp) -> Self {
        let effects = reconciler.step(now);
        let mut changes: Vec<Change> = effects
            .iter()
            .filter_map(|effect| change(reconciler, effect))
            .collect();
        changes.sort_by(|a, b| (&a.unit, &a.object).cmp(&(&b.unit, &b.object)));
        let waiting = reconciler
            .statuses()
            .filter(|(_, status)| matches!(&*status.state, "Waiting" | "Held"))
            .map(|(id, status)| (id.clone(), status.message.unwrap_or_default()))
            .collect();
        Self { changes, waiting }
    }

    /// Nothing would be done.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// For a terminal: one line a change, and a count.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for change in &self.changes {
            let place = change
                .place
                .as_deref()
                .map_or(String::new(), |place| format!("  ({place})"));
            let _ = writeln!(
                text,
                "{} {}: {}{place}",
                change.action.sign(),
                change.object,
                change.why
            );
        }
        for (unit, words) in &self.waiting {
            let _ = writeln!(text, "  {unit} waits: {words}");
        }
        let _ = writeln!(text, "{}", self.count());
        text
    }

    /// For a pull request: a table, and a count.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("{}\n", self.count());
        if !self.changes.is_empty() {
            text.push_str("\n| | Object | Why | Where |\n|---|---|---|---|\n");
        }
        for change in &self.changes {
            let place = change.place.as_deref().unwrap_or("");
            let _ = writeln!(
                text,
                "| {} | `{}` | {} | {} |",
                change.action.sign(),
                cell(&change.object),
                cell(&change.why),
                cell(place)
            );
        }
        for (unit, words) in &self.waiting {
            let _ = writeln!(text, "\n{unit} waits: {words}");
        }
        text
    }

    fn count(&self) -> String {
        let of = |action| {
            self.changes
                .iter()
                .filter(|change| change.action == action)
                .count()
        };
        format!(
            "{} to create, {} to change, {} to delete",
            of(Action::Create),
            of(Action::Change),
            of(Action::Delete)
        )
    }
}

impl Action {
    /// `+`, `~`, `-`
    pub const fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Change => '~',
            Self::Delete => '-',
        }
    }
}

fn change(reconciler: &Reconciler, effect: &Effect) -> Option<Change> {
    let (action, key): (Action, &ObjectKey) = match &effect.what {
        What::Create { key, .. } => (Action::Create, key),
        What::Apply { key, .. } => (Action::Change, key),
        What::Delete { key, .. } => (Action::Delete, key),
        _ => return None,
    };
    let place = effect.unit.as_ref().and_then(|id| {
        let desired = reconciler.desired()?;
        let place = desired.unit(id)?.place;
        let source = desired.sources().get(place.source)?;
        Some(format!("{}:{}", source.path, place.span.line))
    });
    Some(Change {
        action,
        object: key.to_string(),
        unit: effect.unit.clone(),
        why: effect.why.clone(),
        place,
    })
}
