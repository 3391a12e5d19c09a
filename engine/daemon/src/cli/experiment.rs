//! One experiment of a snapshot, by the name that a user types.

use std::collections::BTreeSet;

use berth_core::desired::{Desired, Unit};
use berth_core::diagnostic::{Diagnostic, closest};
use berth_core::ids::{DocumentKind, UnitId};
use berth_core::kinds::experiment::render::{PodRole, Subject};
use berth_core::kinds::experiment::{identity, size};
use berth_core::kinds::{Document, Experiment};

use super::documents::Documents;
use crate::error::CommandError;
use crate::output;

/// An experiment in force and its present run.
pub struct Chosen<'a> {
    unit: &'a Unit,
    document: &'a Experiment,
    run: String,
}

/// Finds `NAME`, `QUEUE/NAME` or `Experiment/QUEUE/NAME`.
pub fn choose<'a>(
    documents: &Documents,
    desired: &'a Desired,
    text: &str,
) -> Result<Chosen<'a>, CommandError> {
    let found: Vec<_> = experiments(desired)
        .filter(|(unit, _)| is_named(&unit.id, text))
        .collect();
    match found.as_slice() {
        [(unit, document)] => Ok(Chosen {
            unit,
            document,
            run: identity(document).short(),
        }),
        [] => Err(invalid(documents, desired, text).unwrap_or_else(|| unknown(desired, text))),
        several => {
            let names: Vec<_> = several.iter().map(|(unit, _)| short(&unit.id)).collect();
            Err(
                CommandError::usage(format!("`{text}` names several experiments"))
                    .hint(format!("name one of: {}", names.join(", "))),
            )
        }
    }
}

impl Chosen<'_> {
    /// Its first trial.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            document: self.document,
            scope: &self.unit.scope,
            namespace: self.unit.scope.namespace(),
            run: &self.run,
            trial: 1,
            checkpoints: None,
        }
    }

    /// The pods of an attempt.
    pub fn roles(&self, attempt: u32) -> Result<Vec<PodRole>, CommandError> {
        let split = size::split_of(self.document, &self.unit.scope).map_err(|uneven| {
            let sizes = format!("{} and {}", uneven.below, uneven.above);
            CommandError::findings(format!("{} slots do not split", uneven.need))
                .hint(format!("the nearest sizes that work are {sizes}"))
        })?;
        let (pods, slots) = (split.pods, split.slots);
        Ok((0..pods)
            .map(|rank| PodRole {
                attempt,
                rank,
                pods,
                slots,
            })
            .collect())
    }
}

fn experiments(desired: &Desired) -> impl Iterator<Item = (&Unit, &Experiment)> {
    desired.units().filter_map(|unit| match &unit.document {
        Document::Experiment(document) => Some((unit, &**document)),
        _ => None,
    })
}

fn is_named(id: &UnitId, text: &str) -> bool {
    id.name.as_str() == text || short(id) == text || id.to_string() == text
}

/// `QUEUE/NAME`
fn short(id: &UnitId) -> String {
    let queue = id.queue.as_ref().map_or("", |queue| queue.as_str());
    format!("{queue}/{}", id.name)
}

/// Of a document that is there, and not valid, what is wrong with it is told.
fn invalid(documents: &Documents, desired: &Desired, text: &str) -> Option<CommandError> {
    let is_meant = |finding: &&Diagnostic| {
        let of = finding.unit.as_ref();
        let of = of.filter(|id| id.kind == DocumentKind::Experiment);
        finding.is_error() && of.is_some_and(|id| is_named(id, text))
    };
    let found = desired.findings().iter().filter(is_meant);
    let found: Vec<Diagnostic> = found.cloned().collect();
    let ids: BTreeSet<&UnitId> = found.iter().filter_map(|it| it.unit.as_ref()).collect();
    let ids: Vec<String> = ids.into_iter().map(short).collect();
    if ids.is_empty() {
        return None;
    }
    output::complain_of(&documents.resolve(&found, desired.sources()));
    let (are, it) = if ids.len() == 1 {
        ("is", "it")
    } else {
        ("are", "them")
    };
    let names = ids.join("` and `");
    Some(
        CommandError::findings(format!("`{names}` {are} not valid"))
            .hint(format!("mend {it} as said above")),
    )
}

fn unknown(desired: &Desired, text: &str) -> CommandError {
    let names: Vec<String> = experiments(desired)
        .map(|(unit, _)| short(&unit.id))
        .collect();
    let plain = text.rsplit('/').next().unwrap_or(text);
    let near = closest(
        plain,
        names.iter().filter_map(|name| name.rsplit('/').next()),
    );
    let error = CommandError::usage(format!("there is no experiment `{text}`"));
    match near {
        // It may be one that does not say its name, or is in a file that cannot be read.
        Some(near) if desired.hides_documents() => error.hint(format!(
            "did you mean `{near}`? Else `berth validate` tells which documents are not valid"
        )),
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => error.hint("the documents hold no valid experiment"),
        None => error.hint("`berth validate` tells which documents are not valid"),
    }
}
