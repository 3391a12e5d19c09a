//! What would be done: a fresh reconciler, fed once, stepped once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::drift::cell;
use super::runs::{self, Earlier, RunChange};
use crate::desired::Desired;
use crate::diagnostic::one_line;
use crate::ids::{ObjectKey, Timestamp, UnitId};
use crate::kinds::cluster::ClusterState;
use crate::kinds::experiment::render;
use crate::ledger::UnitLedger;
use crate::observed::Fact;
use crate::observed::marks::hold_words;
use crate::reconciler::{Effect, Input, Outcome, Reconciler, What};

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
    /// `path:line` of what asks for it, or of the document; the path alone where the document stood
    /// that is gone.
    pub place: Option<String>,
}

/// What a reconciler gives in one step, before it is told: a name that it wants may be taken by what no
/// watch shows. Nothing is carried out.
pub struct Draft {
    /// The changed units, as the ledger had them.
    before: BTreeMap<UnitId, UnitLedger>,
    effects: Vec<Effect>,
    now: Timestamp,
}

impl Draft {
    /// Steps this reconciler once, which must have been fed with everything (snapshot, identity,
    /// ledger, spill, complete watches, the role of a leader) and with room for all calls
    /// (`Options::in_flight`).
    pub fn of(reconciler: &mut Reconciler, now: Timestamp) -> Self {
        Self {
            before: runs::changed(reconciler),
            effects: reconciler.step(now),
            now,
        }
    }

    /// The objects that would be made.
    pub fn made(&self) -> impl Iterator<Item = &ObjectKey> {
        self.effects.iter().filter_map(made)
    }

    /// The server would not make it: this has its name.
    pub fn is_taken(&mut self, reconciler: &mut Reconciler, by: Fact) {
        let at = self.effects.iter().position(|it| made(it) == Some(&by.key));
        if let Some(at) = at {
            let effect = self.effects.swap_remove(at);
            reconciler.input(
                self.now,
                Input::Done(effect.id, Outcome::Exists(Box::new(by))),
            );
        }
    }

    /// What it says. `earlier` reads the forms that the ledger names.
    pub fn plan(&self, reconciler: &Reconciler, earlier: Earlier) -> Plan {
        Plan::new(reconciler, &self.before, &self.effects, earlier)
    }
}

fn made(effect: &Effect) -> Option<&ObjectKey> {
    match &effect.what {
        What::Create { key, .. } => Some(key),
        _ => None,
    }
}

/// Whether it is made after something that cannot be made.
fn waits(reconciler: &Reconciler, effect: &Effect) -> bool {
    let unit = effect.unit.as_ref();
    unit.zip(made(effect))
        .is_some_and(|(unit, key)| reconciler.waits_for_refused(unit, key))
}

fn refused(reconciler: &Reconciler) -> BTreeMap<UnitId, Vec<String>> {
    let refused = reconciler.refused();
    refused
        .map(|(unit, words)| (unit.clone(), words.map(str::to_owned).collect()))
        .collect()
}

/// The changes that would be made now, and what would wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Where the cluster's document says that nothing is done, if it does.
    pub suspended: Option<String>,
    /// What becomes of the runs of experiments whose documents changed, by unit.
    pub runs: Vec<RunChange>,
    /// By unit, then object.
    pub changes: Vec<Change>,
    /// Units that wait or are held, and for what.
    pub waiting: BTreeMap<UnitId, String>,
    /// Objects of these units that cannot be made or changed, as somebody else has their names: which,
    /// whose they are, and what to do.
    pub refused: BTreeMap<UnitId, Vec<String>>,
    /// Objects of these units that an annotation keeps from all work.
    pub on_hold: BTreeMap<UnitId, Vec<String>>,
    /// What changed and takes effect only at the next attempt of these experiments, which run on as
    /// they are.
    pub outdated: BTreeMap<String, Vec<UnitId>>,
}

impl Plan {
    /// What a [`Draft`] says, if no name is taken by what no watch shows.
    pub fn of(reconciler: &mut Reconciler, now: Timestamp, earlier: Earlier) -> Self {
        Draft::of(reconciler, now).plan(reconciler, earlier)
    }

    fn new(
        reconciler: &Reconciler,
        before: &BTreeMap<UnitId, UnitLedger>,
        effects: &[Effect],
        earlier: Earlier,
    ) -> Self {
        let mut changes: Vec<Change> = effects
            .iter()
            .filter(|effect| !waits(reconciler, effect))
            .filter_map(|effect| change(reconciler, effect))
            .collect();
        let desired = reconciler.desired();
        let mut runs = desired.map_or(Vec::new(), |it| runs::run_changes(it, before, earlier));
        for run in &mut runs {
            let status = reconciler.unit_status(&run.unit);
            if status.is_some_and(|status| status.state == "Held") {
                run.what.push_str("; it is held, see below");
            }
        }
        let places = runs.iter().map(|run| (&run.unit, run.place.as_ref()));
        let places: BTreeMap<&UnitId, Option<&String>> = places.collect();
        for change in &mut changes {
            let own = change.unit.as_ref().and_then(|unit| *places.get(unit)?);
            change.place = own.cloned().or(change.place.take());
        }
        changes.sort_by(|a, b| (&a.unit, &a.object).cmp(&(&b.unit, &b.object)));
        let waiting = reconciler
            .statuses()
            .filter(|(_, status)| matches!(&*status.state, "Waiting" | "Held"))
            .map(|(id, status)| (id.clone(), status.message.unwrap_or_default()))
            .collect();
        Self {
            suspended: desired.and_then(suspended),
            runs,
            waiting,
            refused: refused(reconciler),
            on_hold: on_hold(reconciler),
            outdated: outdated(reconciler, &changes),
            changes,
        }
    }

    /// Nothing would be done.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// For a terminal: what becomes of runs, one line a change, what waits, and a count. What others
    /// named breaks no line.
    pub fn to_text(&self) -> String {
        let mut lines = Vec::new();
        for run in &self.runs {
            lines.push(format!(
                "{}: {}{}",
                run.unit,
                run.what,
                at(run.place.as_deref())
            ));
            let fields = run.fields.iter();
            lines.extend(fields.map(|field| format!("    {field}{}", at(field.place.as_deref()))));
        }
        for change in &self.changes {
            let (sign, place) = (change.action.sign(), at(change.place.as_deref()));
            lines.push(format!("{sign} {}: {}{place}", change.object, change.why));
        }
        lines.extend(self.remarks().map(|remark| format!("  {remark}")));
        lines.push(self.count());
        let lines = lines.iter().map(|line| one_line(line));
        lines.fold(String::new(), |text, line| text + &line + "\n")
    }

    /// For a pull request: a count, what becomes of runs, a table of the changes, and what waits. What
    /// others named breaks no line.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("{}\n", self.count());
        for run in &self.runs {
            let what = format!("{}{}", run.what, at(run.place.as_deref()));
            let _ = writeln!(text, "\n**{}**: {}", run.unit, one_line(&what));
            for field in &run.fields {
                let words = format!("{field}{}", at(field.place.as_deref()));
                let _ = writeln!(text, "- {}", cell(&words));
            }
        }
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
        for remark in self.remarks() {
            let _ = writeln!(text, "\n{}", one_line(&remark));
        }
        text
    }

    /// What is said beside the changes, a line each.
    fn remarks(&self) -> impl Iterator<Item = String> {
        let suspended = self.suspended.iter().map(|place| {
            format!("the cluster is suspended ({place}): nothing is made, changed or deleted")
        });
        let waiting = self.waiting.iter();
        let waiting = waiting.map(|(unit, words)| format!("{unit} waits: {words}"));
        let refused = self.refused.iter();
        let refused = refused.flat_map(|(unit, all)| {
            all.iter()
                .map(move |words| format!("{unit} would be refused: {words}"))
        });
        let on_hold = self.on_hold.values().flatten();
        let on_hold = on_hold.map(hold_words);
        let outdated = self.outdated.iter();
        let outdated = outdated.map(|(layer, units)| outdated_words(layer, units));
        let all = suspended.chain(waiting).chain(refused);
        all.chain(on_hold).chain(outdated)
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

fn on_hold(reconciler: &Reconciler) -> BTreeMap<UnitId, Vec<String>> {
    let named = |keys: &[ObjectKey]| keys.iter().map(ToString::to_string).collect();
    reconciler
        .on_hold()
        .map(|(unit, keys)| (unit.clone(), named(keys)))
        .collect()
}

fn change(reconciler: &Reconciler, effect: &Effect) -> Option<Change> {
    let (action, key): (Action, &ObjectKey) = match &effect.what {
        What::Create { key, .. } => (Action::Create, key),
        What::Apply { key, .. } => (Action::Change, key),
        What::Delete { key, .. } => (Action::Delete, key),
        _ => return None,
    };
    let place = effect.unit.as_ref().and_then(|id| place_of(reconciler, id));
    Some(Change {
        action,
        object: key.to_string(),
        unit: effect.unit.clone(),
        why: effect.why.clone(),
        place,
    })
}

/// Where the document of a unit is, or where it was.
fn place_of(reconciler: &Reconciler, id: &UnitId) -> Option<String> {
    let desired = reconciler.desired()?;
    match desired.unit(id) {
        Some(unit) => desired.sources().line(unit.place),
        None => Some(reconciler.unit_ledger(id)?.ledger.applied.path.clone()),
    }
}

/// Where the cluster's document suspends it.
fn suspended(desired: &Desired) -> Option<String> {
    let cluster = desired.cluster();
    if cluster.spec.state != ClusterState::Suspended {
        return None;
    }
    let state = cluster.source.at(&["spec", "state"])?;
    desired.sources().line(state.place)
}

/// The experiments that run on with what they were started with, by what changed.
fn outdated(reconciler: &Reconciler, changes: &[Change]) -> BTreeMap<String, Vec<UnitId>> {
    let deletes = changes.iter().filter(|it| it.action == Action::Delete);
    let stop: BTreeSet<&UnitId> = deletes.filter_map(|it| it.unit.as_ref()).collect();
    let mut found: BTreeMap<String, Vec<UnitId>> = BTreeMap::new();
    for (id, status) in reconciler.statuses().filter(|(id, _)| !stop.contains(id)) {
        for layer in status.outdated {
            found.entry(layer).or_default().push(id.clone());
        }
    }
    found
}

fn outdated_words(layer: &str, units: &[UnitId]) -> String {
    let who = match units {
        [one] => format!("{one} runs"),
        [one, other] => format!("{one} and {other} run"),
        [one, ..] => format!("{one} and {} others run", units.len() - 1),
        [] => String::new(),
    };
    match layer {
        "unknown" => format!("{who} on with what it was started with, which is not known any more"),
        render::LABELS => format!("{who} on with earlier labels until the next attempt"),
        layer => format!("{who} on with an earlier {layer} until the next attempt"),
    }
}

/// ` (path:line)`
fn at(place: Option<&str>) -> String {
    place.map_or(String::new(), |place| format!("  ({place})"))
}
