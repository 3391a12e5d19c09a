//! What becomes of the runs of experiments whose documents changed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;

use crate::desired::{Desired, Unit};
use crate::diagnostic::SourceTable;
use crate::ids::{Digest, DocumentKind, Name, UnitId};
use crate::kinds::experiment::{ExperimentState, FieldChange, changes, identity};
use crate::kinds::queue::QueueState;
use crate::kinds::{Document, Experiment};
use crate::ledger::{Applied, Run, RunState, UnitLedger};
use crate::object::Place;
use crate::reconciler::Reconciler;

/// Longest value that a report shows, in characters.
const SHOWN: usize = 120;

/// What becomes of the runs of one experiment, as its document says something else than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunChange {
    /// The experiment.
    pub unit: UnitId,
    /// One line.
    pub what: String,
    /// The fields that ask for another run; none if it is another reason.
    pub fields: Vec<ChangedField>,
    /// `path:line` of what asks for it.
    pub place: Option<String>,
}

/// One field that asks for another run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedField {
    /// Its path below `spec`.
    pub path: String,
    /// What it was, as JSON.
    pub before: Option<String>,
    /// What it is, as JSON.
    pub after: Option<String>,
    /// `path:line`; of what it stood in, if it is gone.
    pub place: Option<String>,
}

/// `hyperparameters.lr: 0.2 instead of 0.1`
impl fmt::Display for ChangedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            before,
            after,
            ..
        } = self;
        match (before, after) {
            (Some(before), Some(after)) if before == after => write!(f, "{path}: changed"),
            (Some(before), Some(after)) => write!(f, "{path}: {after} instead of {before}"),
            (None, Some(after)) => write!(f, "{path}: {after} is new"),
            (Some(before), None) => write!(f, "{path}: {before} is gone"),
            (None, None) => f.write_str(path),
        }
    }
}

/// The form of an experiment that was in force, by what the ledger says of it.
pub type Earlier<'a> = &'a dyn Fn(&UnitId, &Applied) -> Option<Document>;

/// The experiments of which the ledger knows another form than the documents, as it knows them.
pub(super) fn changed(reconciler: &Reconciler) -> BTreeMap<UnitId, UnitLedger> {
    let Some(desired) = reconciler.desired() else {
        return BTreeMap::new();
    };
    let stays = |id: &UnitId, ledger: &UnitLedger| match desired.unit(id) {
        Some(unit) => unit.applied == ledger.applied && !ledger.withdrawn,
        None => ledger.withdrawn || desired.frozen().contains_key(id),
    };
    reconciler
        .statuses()
        .filter(|(id, _)| id.kind == DocumentKind::Experiment)
        .filter_map(|(id, _)| Some((id, &reconciler.unit_ledger(id)?.ledger)))
        .filter(|(id, ledger)| !stays(id, ledger))
        .map(|(id, ledger)| (id.clone(), ledger.clone()))
        .collect()
}

/// What becomes of them.
pub(super) fn run_changes(
    desired: &Desired,
    before: &BTreeMap<UnitId, UnitLedger>,
    earlier: Earlier,
) -> Vec<RunChange> {
    let change = |(id, ledger): (&UnitId, &UnitLedger)| {
        let old = match earlier(id, &ledger.applied) {
            Some(Document::Experiment(old)) => Some(old),
            _ => None,
        };
        let Some(unit) = desired.unit(id) else {
            return removed(desired, id, ledger, old.as_deref());
        };
        let Document::Experiment(now) = &unit.document else {
            return None;
        };
        let told = Told {
            unit,
            now,
            ledger,
            sources: desired.sources(),
        };
        told.change(old.as_deref())
    };
    before.iter().filter_map(change).collect()
}

fn removed(
    desired: &Desired,
    id: &UnitId,
    ledger: &UnitLedger,
    old: Option<&Experiment>,
) -> Option<RunChange> {
    let run = open(ledger, old)?.identity.short();
    let mut others = desired.units_of(id.kind);
    let moved = others.find(|it| it.id.name == id.name && it.id.queue != id.queue);
    let gone = match moved.and_then(|unit| unit.id.queue.as_ref()) {
        Some(queue) => format!("it is in the queue `{queue}` now, as another run"),
        None => format!("its document is gone from {}", ledger.applied.path),
    };
    Some(RunChange {
        unit: id.clone(),
        what: format!("{gone}: the run {run} stops, and goes on if the document comes back"),
        fields: Vec::new(),
        place: None,
    })
}

/// The run that stops if it is not asked for any more: the one that the earlier form asked for.
fn open<'a>(ledger: &'a UnitLedger, old: Option<&Experiment>) -> Option<&'a Run> {
    let asked = old.map(|old| identity(old).short());
    let mut runs = ledger.runs.iter().rev();
    runs.find(|run| {
        let is_asked = asked.as_ref().is_none_or(|it| run.identity.short() == *it);
        is_asked && run.state == RunState::Open && !run.trials.is_empty()
    })
}

/// A document that is there, and what was known before.
struct Told<'a> {
    unit: &'a Unit,
    now: &'a Experiment,
    ledger: &'a UnitLedger,
    sources: &'a SourceTable,
}

impl Told<'_> {
    fn change(&self, old: Option<&Experiment>) -> Option<RunChange> {
        let asked = identity(self.now);
        let before = match old {
            Some(old) => Some(identity(old)),
            None => self.ledger.runs.last().map(|run| run.identity),
        };
        if before != Some(asked) {
            let changes = old.map_or(Vec::new(), |old| changes(old, self.now));
            let fields: Vec<ChangedField> = changes.into_iter().map(|it| self.field(it)).collect();
            let place = fields.first().and_then(|field| field.place.clone());
            let place = place.or_else(|| self.sources.line(self.unit.place));
            return Some(self.told(self.another(asked, old), fields, place));
        }
        let what = self.same(asked, old.map(|old| old.spec.state))?;
        let place = self.at(&["state".to_owned()]);
        Some(self.told(what, Vec::new(), self.sources.line(place)))
    }

    fn told(&self, what: String, fields: Vec<ChangedField>, place: Option<String>) -> RunChange {
        RunChange {
            unit: self.unit.id.clone(),
            what,
            fields,
            place,
        }
    }

    fn run(&self, identity: Digest) -> Option<&Run> {
        let mut runs = self.ledger.runs.iter();
        runs.find(|run| run.identity.short() == identity.short())
    }

    /// Another run is asked for than before.
    fn another(&self, asked: Digest, old: Option<&Experiment>) -> String {
        let run = asked.short();
        let stops = open(self.ledger, old).filter(|it| it.identity != asked);
        if let (Some(stops), Some(queue)) = (stops, self.queue_that_waits()) {
            let stops = stops.identity.short();
            return format!(
                "the run {run} is to replace the run {stops}, which goes on until the queue `{queue}` is active"
            );
        }
        let stops =
            stops.map(|it| format!(" replaces the run {}, which stops;", it.identity.short()));
        let (stops, it) = match stops {
            Some(stops) => (stops, " it"),
            None => (String::new(), ""),
        };
        match self.run(asked) {
            None => match self.now.spec.state {
                ExperimentState::Active => format!("the run {run}{stops}{it} begins anew"),
                ExperimentState::Paused => {
                    format!("the run {run}{stops}{it} begins anew once `state` is active")
                }
                ExperimentState::Canceled => {
                    format!("the run {run}{stops}{it} is canceled before it began")
                }
            },
            Some(known) if known.state == RunState::Open => {
                format!("the run {run}{stops}{it} was there before, and goes on where it was")
            }
            Some(_) => {
                format!("the run {run}{stops}{it} is over already: raise `run` to run it again")
            }
        }
    }

    /// The queue, if it lets nothing begin.
    fn queue_that_waits(&self) -> Option<&Name> {
        let queue = self.unit.scope.queue.as_ref()?;
        let active = self.now.spec.state == ExperimentState::Active;
        let waits = active && queue.spec.state != QueueState::Active;
        waits.then(|| queue.name())
    }

    /// The same run is asked for as before, in another state or by a document that was gone.
    fn same(&self, asked: Digest, before: Option<ExperimentState>) -> Option<String> {
        let (run, known) = (asked.short(), self.run(asked)?);
        let now = self.now.spec.state;
        let before = before.filter(|before| *before != now);
        if known.state != RunState::Open {
            let words = format!("the run {run} stays canceled: raise `run` to run it again");
            return (before == Some(ExperimentState::Canceled)).then_some(words);
        }
        match (before, now) {
            (Some(_), ExperimentState::Paused) => Some(format!(
                "the run {run} pauses, and goes on once `state` is active"
            )),
            (Some(_), ExperimentState::Canceled) => {
                Some(format!("the run {run} is canceled, for good"))
            }
            (Some(_), ExperimentState::Active) => Some(format!("the run {run} goes on")),
            (None, _) if self.ledger.withdrawn => Some(format!(
                "its document is back, and with it the run {run} as it was"
            )),
            (None, _) => None,
        }
    }

    fn field(&self, change: FieldChange) -> ChangedField {
        // People put keys of services into plain variables.
        let hidden = change.path.first().is_some_and(|it| it == "environment");
        let value = |value: Option<Json>| match value {
            Some(_) if hidden => Some("(not shown)".to_owned()),
            value => value.map(|value| shown(&value.to_string())),
        };
        let place = self.at(&change.path);
        ChangedField {
            path: change.path.join("."),
            before: value(change.before),
            after: value(change.after),
            place: self.sources.line(place),
        }
    }

    /// Where the key of this field of `spec` stands, or of the deepest above it that is there.
    fn at(&self, path: &[String]) -> Place {
        let mut node = &self.now.source;
        let mut place = self.unit.place;
        for name in std::iter::once("spec").chain(path.iter().map(String::as_str)) {
            let mut entries = node.entries().iter();
            let Some((key, below)) = entries.find(|(key, _)| &*key.name == name) else {
                break;
            };
            (node, place) = (below, key.place);
        }
        place
    }
}

/// A value as a report shows it: no longer than [`SHOWN`].
fn shown(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['\u{2026}']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::Timestamp;
    use crate::kinds::experiment::testing::{Repository, with};

    fn run(document: &Experiment, state: RunState) -> Run {
        Run {
            identity: identity(document),
            commit: crate::ids::CommitId::from_bytes([1; 20]),
            began: Timestamp::default(),
            state,
            reason: None,
            finished: None,
            trials: vec![crate::ledger::Trial {
                number: 1,
                restarts: 0,
                interruptions: 0,
                checkpoints: None,
                attempts: Vec::new(),
            }],
        }
    }

    /// What is told when the usual document, whose run is as said, becomes another.
    fn told(ran: &[(Json, RunState)], now: &Json) -> Option<String> {
        let of = |change: &Json| {
            let base = Repository::default();
            let experiment = with(&base.experiment, change);
            Repository { experiment, ..base }
        };
        let unit = of(now).unit();
        let runs = ran
            .iter()
            .map(|(change, state)| run(&of(change).document(), *state));
        let ledger = UnitLedger {
            sequence: 1,
            first_seen: Timestamp::default(),
            applied: unit.applied.clone(),
            withdrawn: false,
            runs: runs.collect(),
        };
        let Document::Experiment(document) = &unit.document else {
            panic!("not an experiment");
        };
        let told = Told {
            unit: &unit,
            now: document,
            ledger: &ledger,
            sources: &SourceTable::default(),
        };
        let change = told.change(Some(&of(&ran.last()?.0).document()))?;
        let fields = change.fields.iter().map(ToString::to_string);
        let short = |run: &Run| run.identity.short();
        let mut text: String = std::iter::once(change.what)
            .chain(fields)
            .collect::<Vec<_>>()
            .join(" | ");
        for (number, run) in ledger.runs.iter().enumerate() {
            text = text.replace(&short(run), &format!("#{number}"));
        }
        Some(text.replace(&identity(document).short(), "new"))
    }

    #[test]
    fn what_becomes_of_runs_is_told() {
        let (same, other) = (json!({}), json!({"hyperparameters": {"lr": 0.2}}));
        let paused = json!({"state": "paused"});
        let canceled = json!({"state": "canceled"});
        let secret = json!({"environment": {"variables": {"KEY": "hunter2"}}});
        let (open, done) = (RunState::Open, RunState::Completed);
        let lr = "hyperparameters.lr: 0.2 instead of 0.1";
        let table = [
            (vec![(same.clone(), open)], same.clone(), None),
            (vec![(same.clone(), open)], json!({"maxRestarts": 9}), None),
            (
                vec![(same.clone(), open)],
                other.clone(),
                Some(format!(
                    "the run new replaces the run #0, which stops; it begins anew | {lr}"
                )),
            ),
            (
                vec![(same.clone(), done)],
                other.clone(),
                Some(format!("the run new begins anew | {lr}")),
            ),
            (
                vec![(same.clone(), done)],
                with(&other, &paused),
                Some(format!(
                    "the run new begins anew once `state` is active | {lr}"
                )),
            ),
            (
                vec![(other.clone(), done), (same.clone(), open)],
                other.clone(),
                Some(format!(
                    "the run #0 replaces the run #1, which stops; it is over already: raise `run` to run it again | {lr}"
                )),
            ),
            (
                vec![(other.clone(), open), (same.clone(), done)],
                other.clone(),
                // The one that is gone back to does not stop.
                Some(format!(
                    "the run #0 was there before, and goes on where it was | {lr}"
                )),
            ),
            (
                vec![(same.clone(), open)],
                paused.clone(),
                Some("the run #0 pauses, and goes on once `state` is active".into()),
            ),
            (vec![(same.clone(), done)], paused.clone(), None),
            (
                vec![(paused, open)],
                same.clone(),
                Some("the run #0 goes on".into()),
            ),
            (
                vec![(canceled, RunState::Canceled)],
                same.clone(),
                Some("the run #0 stays canceled: raise `run` to run it again".into()),
            ),
            (
                vec![(same, open)],
                secret,
                Some(
                    "the run new replaces the run #0, which stops; it begins anew | \
                     environment.variables.KEY: (not shown) is new"
                        .into(),
                ),
            ),
        ];
        for (ran, now, expected) in table {
            assert_eq!(told(&ran, &now), expected, "{ran:?} -> {now}");
        }
    }
}
