//! One experiment of a snapshot, by the name that a user types.

use berth_core::desired::{Desired, Unit};
use berth_core::diagnostic::closest;
use berth_core::kinds::experiment::render::{PodRole, Subject};
use berth_core::kinds::experiment::{identity, size};
use berth_core::kinds::{Document, Experiment};

use crate::error::CommandError;

/// An experiment in force and its present run.
pub struct Chosen<'a> {
    unit: &'a Unit,
    document: &'a Experiment,
    run: String,
}

/// Finds `NAME`, `QUEUE/NAME` or `Experiment/QUEUE/NAME`.
pub fn choose<'a>(desired: &'a Desired, text: &str) -> Result<Chosen<'a>, CommandError> {
    let found: Vec<_> = experiments(desired)
        .filter(|(unit, _)| is_named(unit, text))
        .collect();
    match found.as_slice() {
        [(unit, document)] => Ok(Chosen {
            unit,
            document,
            run: identity(document).short(),
        }),
        [] => Err(unknown(desired, text)),
        several => {
            let names: Vec<_> = several.iter().map(|(unit, _)| short(unit)).collect();
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

fn is_named(unit: &Unit, text: &str) -> bool {
    unit.id.name.as_str() == text || short(unit) == text || unit.id.to_string() == text
}

/// `QUEUE/NAME`
fn short(unit: &Unit) -> String {
    let queue = unit.id.queue.as_ref().map_or("", |queue| queue.as_str());
    format!("{queue}/{}", unit.id.name)
}

fn unknown(desired: &Desired, text: &str) -> CommandError {
    let names: Vec<String> = experiments(desired).map(|(unit, _)| short(unit)).collect();
    let plain = text.rsplit('/').next().unwrap_or(text);
    let near = closest(
        plain,
        names.iter().filter_map(|name| name.rsplit('/').next()),
    );
    let error = CommandError::usage(format!("there is no experiment `{text}`"));
    match near {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => error.hint("the documents hold no valid experiment"),
        None => error.hint("`berth validate` tells which documents are not valid"),
    }
}
