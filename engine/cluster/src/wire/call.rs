//! One effect, from its first request to its outcome.

use berth_core::ids::{ObjectKey, Timestamp};
use berth_core::reconciler::{Effect, Outcome, What};
use http::Request;
use serde_json::Value;

use super::outcome::{self, living};
use super::{Answer, Caller, NotACall, ready, request};

/// A call that is under way. Most take one request; a create that finds the name taken, and a dry
/// run, also read the live object. What is forbidden is asked once more, after the server said that
/// it is ready.
///
/// ```text
/// let (mut call, mut request) = Call::new(&caller, now, &effect)?;
/// loop {
///     let Some(answer) = send(request) else { break call.lost("...") };
///     match call.answered(&answer) {
///         Next::Outcome(outcome) => break outcome,
///         Next::Ask(next, again) => (call, request) = (next, again),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Call<'a> {
    caller: &'a Caller,
    effect: &'a Effect,
    now: Timestamp,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    First,
    /// It is forbidden: is the server ready?
    Ready,
    /// It was forbidden by a server that is ready by now: and again?
    Again,
    /// The name is taken: by whom?
    Taken,
    /// The server said what the object would become: what is it now?
    Would(Box<Value>),
}

/// What follows an answer.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for one match; a box would only make it slower"
)]
pub enum Next<'a> {
    /// That is what became of it.
    Outcome(Outcome),
    /// Send this, too.
    Ask(Call<'a>, Request<Vec<u8>>),
}

impl<'a> Call<'a> {
    /// The call of an effect and its first request. `now` only dates Events.
    pub fn new(
        caller: &'a Caller,
        now: Timestamp,
        effect: &'a Effect,
    ) -> Result<(Self, Request<Vec<u8>>), NotACall> {
        let call = Self {
            caller,
            effect,
            now,
            stage: Stage::First,
        };
        Ok((call, request::request(caller, now, effect)?))
    }

    /// What follows from a whole answer.
    pub fn answered(self, answer: &Answer<'_>) -> Next<'a> {
        match &self.stage {
            Stage::First if answer.status == 403 => self.ask(Stage::Ready, ready::ready_request()),
            Stage::First | Stage::Again => self.whole(answer),
            Stage::Ready => self.ready(answer),
            Stage::Taken => Next::Outcome(self.taken(answer)),
            Stage::Would(would) => Next::Outcome(self.compared(would, answer)),
        }
    }

    /// The answer was lost after the request may have been sent.
    pub fn lost(&self, cause: impl Into<String>) -> Outcome {
        if self.reads() {
            Outcome::Unreachable(cause.into())
        } else {
            Outcome::Unknown(cause.into())
        }
    }

    /// Whether the request that is under way changes nothing.
    pub(super) fn reads(&self) -> bool {
        !matches!(self.stage, Stage::First | Stage::Again)
            || matches!(
                self.effect.what,
                What::Apply { dry_run: true, .. } | What::Inspect { .. }
            )
    }

    fn ready(self, answer: &Answer<'_>) -> Next<'a> {
        if ready::is_ready(answer) {
            let request = request::request(self.caller, self.now, self.effect);
            self.ask(Stage::Again, request)
        } else {
            Next::Outcome(Outcome::Unreachable(ready::not_ready(answer)))
        }
    }

    fn whole(self, answer: &Answer<'_>) -> Next<'a> {
        match &self.effect.what {
            What::Create { key, .. } if answer.status == 409 => {
                self.ask(Stage::Taken, request::object_request(key))
            }
            What::Apply {
                key, dry_run: true, ..
            } if answer.is_success() => match serde_json::from_slice(answer.body) {
                Ok(would) => self.ask(Stage::Would(would), request::object_request(key)),
                Err(error) => Next::Outcome(self.lost(error.to_string())),
            },
            What::Inspect { key, body } if answer.is_success() => {
                Next::Outcome(self.inspected(key, body, answer))
            }
            what => Next::Outcome(outcome::outcome(what, self.caller, answer, &self)),
        }
    }

    /// What others changed.
    fn inspected(&self, key: &ObjectKey, body: &Value, answer: &Answer<'_>) -> Outcome {
        let Ok(live) = serde_json::from_slice::<Value>(answer.body) else {
            return self.lost("the answer is not JSON");
        };
        match living(answer.body, key, self.caller) {
            Ok(fact) => Outcome::Compared(super::drift::changes(&live, body), fact),
            Err(why) => self.lost(why),
        }
    }

    fn ask(self, stage: Stage, request: Result<Request<Vec<u8>>, NotACall>) -> Next<'a> {
        match request {
            Ok(request) => Next::Ask(Self { stage, ..self }, request),
            Err(_) => Next::Outcome(Outcome::Conflict),
        }
    }

    /// Who has the name. If it went away between the two requests, the next try finds it free.
    fn taken(&self, answer: &Answer<'_>) -> Outcome {
        let What::Create { key, .. } = &self.effect.what else {
            return Outcome::Conflict;
        };
        match answer.status {
            404 => Outcome::Conflict,
            200 => match living(answer.body, key, self.caller) {
                Ok(fact) => Outcome::Exists(fact),
                Err(why) => self.lost(why),
            },
            _ => outcome::outcome(&self.effect.what, self.caller, answer, self),
        }
    }

    /// What differs between live and would-be. Both must be of one state of the object.
    fn compared(&self, would: &Value, answer: &Answer<'_>) -> Outcome {
        let What::Apply { key, .. } = &self.effect.what else {
            return Outcome::Conflict;
        };
        if !answer.is_success() {
            return outcome::outcome(&self.effect.what, self.caller, answer, self);
        }
        let Ok(live) = serde_json::from_slice::<Value>(answer.body) else {
            return self.lost("the answer is not JSON");
        };
        if ["/metadata/uid", "/metadata/resourceVersion"]
            .iter()
            .any(|at| live.pointer(at) != would.pointer(at))
        {
            return Outcome::Conflict;
        }
        match living(answer.body, key, self.caller) {
            Ok(fact) => Outcome::Compared(super::drift::drift(&live, would), fact),
            Err(why) => self.lost(why),
        }
    }
}
