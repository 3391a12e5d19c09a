//! Answers as outcomes.

use berth_core::ids::ObjectKey;
use berth_core::observed::{self, Fact};
use berth_core::reconciler::{Outcome, What};
use serde_json::Value;

use super::lean::{self, Lean};
use super::status::{Status, pause, words};
use super::{Answer, Call, Caller, keep};

/// What an answer means, follow-ups apart.
///
/// | status | outcome |
/// |---|---|
/// | 2xx | Done, Kept |
/// | 403 | Refused, if a server that is ready says it again: see [`Call`] |
/// | 401 | Unreachable: nothing was done, and it is nobody's document's fault |
/// | 404 of the object itself | Absent (a Keep that deletes: Done) |
/// | 408, 5xx | Unknown: it may have been carried out; a dry run: Unreachable |
/// | 422 about the uid | Conflict: it is another life of the object (a Mark: Absent) |
/// | 409 | Conflict; of an Event: it is there, Done |
/// | 429, a 5xx that says when to come back | Throttled; the latter Busy, if it may have been carried out |
/// | other 4xx | Refused |
/// | anything else, or no answer of an API server | Unreachable |
pub(super) fn outcome(
    what: &What,
    caller: &Caller,
    answer: &Answer<'_>,
    call: &Call<'_>,
) -> Outcome {
    if let Some(wait) = pause(answer) {
        return if answer.status == 429 || call.reads() {
            Outcome::Throttled(wait)
        } else {
            Outcome::Busy(wait, failure(answer))
        };
    }
    match answer.status {
        200..=299 => done(what, caller, answer, call),
        401 => Outcome::Unreachable(words(answer).message),
        404 => absent(what, answer),
        409 if matches!(what, What::Tell { .. }) => Outcome::Done(None),
        408 | 500..=599 => call.lost(failure(answer)),
        409 | 422 if Status::read(answer.body).is_some_and(|status| status.is_other_life()) => {
            match what {
                What::Mark { .. } => Outcome::Absent,
                _ => Outcome::Conflict,
            }
        }
        409 => Outcome::Conflict,
        400..=499 => Outcome::Refused(words(answer)),
        other => Outcome::Unreachable(format!("the server answered {other}, which no API does")),
    }
}

fn failure(answer: &Answer<'_>) -> String {
    format!("{}: {}", answer.status, words(answer).message)
}

/// Absence is told only by a Status about this very object: a proxy's 404 page is no proof.
fn absent(what: &What, answer: &Answer<'_>) -> Outcome {
    let Some(status) = Status::read(answer.body) else {
        return Outcome::Unreachable("the server's 404 is not of a Kubernetes API".into());
    };
    let name = match what {
        What::Apply { key, .. }
        | What::Inspect { key, .. }
        | What::Delete { key, .. }
        | What::Release { key, .. }
        | What::Mark { key, .. } => &*key.name,
        What::Keep { name, .. } => name,
        _ => return Outcome::Refused(words(answer)),
    };
    match what {
        _ if !status.is_absence_of(name) => Outcome::Refused(words(answer)),
        What::Keep { data: None, .. } => Outcome::Done(None),
        _ => Outcome::Absent,
    }
}

fn done(what: &What, caller: &Caller, answer: &Answer<'_>, call: &Call<'_>) -> Outcome {
    match what {
        What::Keep { data: Some(_), .. } => keep::kept(answer),
        What::Create { key, .. } | What::Apply { key, .. } | What::Mark { key, .. } => {
            match living(answer.body, key, caller) {
                Ok(fact) => Outcome::Done(Some(fact)),
                Err(why) => call.lost(why),
            }
        }
        What::Delete { key, .. } | What::Release { key, .. } => {
            let deleted = matches!(what, What::Delete { .. });
            remains(answer.body, key, caller, deleted).unwrap_or_else(|why| call.lost(why))
        }
        _ => Outcome::Done(None),
    }
}

/// The object in a body; it must be the one that was asked for.
pub(super) fn living(body: &[u8], key: &ObjectKey, caller: &Caller) -> Result<Box<Fact>, String> {
    let Lean(body) = lean::read(body)?;
    fact(&body, key, caller)
}

fn fact(body: &Value, key: &ObjectKey, caller: &Caller) -> Result<Box<Fact>, String> {
    let fact = observed::fact(body, &caller.instance).map_err(|error| error.to_string())?;
    if fact.key == *key {
        Ok(Box::new(fact))
    } else {
        Err(format!("the answer is about {}, not {key}", fact.key))
    }
}

/// After a delete or a release: the object, if it is still there. The server answers a Status or
/// the last form of an object that is gone, which is told by: nothing holds it any more. A deletion
/// that takes its time always sets the deletionTimestamp.
fn remains(
    body: &[u8],
    key: &ObjectKey,
    caller: &Caller,
    deleted: bool,
) -> Result<Outcome, String> {
    let Lean(body) = lean::read(body)?;
    if body.get("kind").and_then(Value::as_str) == Some("Status") {
        return Ok(Outcome::Done(None));
    }
    let fact = fact(&body, key, caller)?;
    let held = body
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .is_some_and(|held| !held.is_empty());
    let grace = body
        .pointer("/metadata/deletionGracePeriodSeconds")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    let gone = match fact.deleting {
        Some(_) => !held && grace == 0,
        None => deleted,
    };
    Ok(Outcome::Done((!gone).then_some(fact)))
}
