//! Carries one effect to the edge that it is for, and brings back what came of it.

use std::time::Instant;

use berth_cluster::client::Client;
use berth_cluster::start;
use berth_cluster::wire::Caller;
use berth_core::ids::{CommitId, Name, Timestamp};
use berth_core::reconciler::{Effect, EffectId, Input, Outcome, What};

use super::clock::Clock;
use super::crash::Crash;
use super::status::{Commit, StatusEdge};
use crate::metrics::Metrics;

/// Both edges, and who calls. Clones share their connections.
#[derive(Clone)]
pub struct Carrier {
    /// The cluster.
    pub client: Client,
    /// In whose name; the instance is empty until it is known.
    pub caller: Caller,
    /// The cluster document's name.
    pub cluster: Name,
    /// Git.
    pub status: StatusEdge,
    /// For Events' dates, and for how long what was given out may be sent.
    pub clock: Clock,
    /// The hook of tests.
    pub crash: Crash,
    /// What is counted.
    pub metrics: Metrics,
}

impl Carrier {
    /// Carries out what may be sent before `until`, for a unit that is as this commit says; gives
    /// what the reconciler is to be told.
    pub async fn carry(
        self,
        effect: Effect,
        until: Timestamp,
        commit: Option<CommitId>,
    ) -> Vec<Input> {
        let (began, kind) = (Instant::now(), word(&effect.what));
        let this = self.crash.before(kind).await;
        let told = self.dispatch(&effect, until).await;
        self.crash.after(this);
        let outcome = told.iter().find_map(|input| match input {
            Input::Done(_, outcome) => Some(outcome),
            _ => None,
        });
        let said = outcome.map_or("done", outcome_word);
        self.metrics.effect_ended(kind, said, began.elapsed());
        log(&effect, commit, kind, said, outcome);
        told
    }

    async fn dispatch(&self, effect: &Effect, until: Timestamp) -> Vec<Input> {
        let clock = self.clock;
        let may_send = move || clock.now() < until;
        match &effect.what {
            What::Reload => self.reload(effect.id).await,
            What::Record {
                base,
                files,
                message,
                when,
            } => {
                let commit = Commit {
                    base: *base,
                    files: files.clone(),
                    message: message.clone(),
                    when: *when,
                };
                let outcome = self.status.record(commit, may_send).await;
                vec![Input::Done(effect.id, outcome)]
            }
            _ => {
                let outcome = self
                    .client
                    .carry(&self.caller, clock.now(), effect, may_send)
                    .await;
                vec![Input::Done(effect.id, outcome)]
            }
        }
    }

    /// Reads what is kept outside; what cannot be read is left out, and an outcome says why.
    async fn reload(&self, id: EffectId) -> Vec<Input> {
        let failed = |words: String| vec![Input::Done(id, Outcome::Unreachable(words))];
        let start = start::start(&self.client, &self.caller.namespace, &self.cluster).await;
        let start = match start {
            Ok(start) => start,
            Err(error) => {
                tracing::warn!(reason = error.reason(), %error, help = error.help(), "the cluster cannot be read");
                let throttled = error.wait().map(Outcome::Throttled);
                return throttled.map_or_else(
                    || failed(error.to_string()),
                    |outcome| vec![Input::Done(id, outcome)],
                );
            }
        };
        let branch = match self.status.load().await {
            Ok(ledger) => vec![Input::Ledger(ledger)],
            Err(words) => {
                tracing::warn!(error = words, "the status branch cannot be read");
                failed(words)
            }
        };
        let anchor_in_branch = match &start.anchor {
            Some(anchor) => self.status.contains(anchor.clone()).await,
            None => true,
        };
        let (data, version) = match start.spill {
            Some(kept) => (kept.data, Some(kept.version)),
            None => Default::default(),
        };
        let mut read = vec![
            Input::Identity {
                cluster_uid: start.cluster_uid,
                anchor: start.anchor,
                anchor_in_branch,
                others: start.others,
                fresh_instance: uuid::Uuid::new_v4().to_string(),
            },
            Input::Spill { data, version },
        ];
        read.extend(branch);
        read
    }
}

/// One line an effect; what does not apply is left out.
fn log(
    effect: &Effect,
    commit: Option<CommitId>,
    kind: &str,
    said: &str,
    outcome: Option<&Outcome>,
) {
    let commit = commit.map(|commit| commit.to_string());
    let commit = commit.as_deref();
    let unit = effect.unit.as_ref().map(ToString::to_string);
    let (unit, object) = (unit.as_deref(), object(&effect.what));
    let (object, why) = (object.as_deref(), effect.why.as_str());
    match (outcome, outcome.and_then(words)) {
        (Some(Outcome::Recorded(commit)), _) => {
            tracing::info!(effect = kind, outcome = said, %commit, why);
        }
        (_, Some(words)) => {
            tracing::warn!(
                effect = kind,
                outcome = said,
                unit,
                commit,
                object,
                why,
                words
            );
        }
        (_, None) => tracing::info!(effect = kind, outcome = said, unit, commit, object, why),
    }
}

/// The object that an effect is about.
pub fn object(what: &What) -> Option<String> {
    match what {
        What::Create { key, .. }
        | What::Apply { key, .. }
        | What::Inspect { key, .. }
        | What::Delete { key, .. }
        | What::Release { key, .. }
        | What::Mark { key, .. }
        | What::Tell { key, .. } => Some(key.to_string()),
        What::Keep { name, .. } => Some(format!("ConfigMap {name}")),
        What::Record { .. } | What::Reload => None,
    }
}

/// A stable word for an effect.
pub fn word(what: &What) -> &'static str {
    match what {
        What::Create { .. } => "create",
        What::Apply { dry_run: true, .. } => "compare",
        What::Apply { dry_run: false, .. } => "apply",
        What::Inspect { .. } => "inspect",
        What::Delete { .. } => "delete",
        What::Release { .. } => "release",
        What::Mark { .. } => "mark",
        What::Record { .. } => "record",
        What::Reload => "reload",
        What::Keep { .. } => "keep",
        What::Tell { .. } => "tell",
    }
}

fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::Exists(_) => "exists",
        Outcome::Compared(..) => "compared",
        Outcome::Conflict => "conflict",
        Outcome::Absent => "absent",
        Outcome::Refused(_) => "refused",
        Outcome::Throttled(_) => "throttled",
        Outcome::Busy(..) => "busy",
        Outcome::Unreachable(_) => "unreachable",
        Outcome::Unknown(_) => "unknown",
        Outcome::Recorded(_) => "recorded",
        Outcome::Outpaced => "outpaced",
        Outcome::Kept(_) => "kept",
    }
}

fn words(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Refused(words) => Some(format!("{}: {}", words.reason, words.message)),
        Outcome::Unreachable(words) | Outcome::Unknown(words) | Outcome::Busy(_, words) => {
            Some(words.clone())
        }
        _ => None,
    }
}
