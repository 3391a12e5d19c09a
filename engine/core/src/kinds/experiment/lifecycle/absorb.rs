//! What the live pods tell goes into the ledger.

use std::collections::BTreeMap;

use super::LivePod;
use super::missing::mark_vanished;
use crate::ids::{CommitId, Digest, Name, Timestamp};
use crate::kinds::experiment::split::Split;
use crate::kinds::{NodeState, View};
use crate::ledger::{Attempt, RankRecord, Run, RunState, Trial, UnitLedger};
use crate::observed::PodEnd;

/// What one pod tells of the size of its attempt.
#[derive(Debug, Clone, Copy)]
pub enum FoundSize {
    /// The document says it: a pod of a higher rank is none of Berth's making.
    Known(Split),
    /// The pod has so many slots; how many there are is known only by their ranks.
    AtLeast(u32),
}

/// Records every pod that is seen and every outcome, and marks what vanished. A run, trial or
/// attempt that the ledger lacks (the daemon died before it was kept) is made again from its pods.
/// The programs' last words are kept only if `last_words` says so. `size` tells how large an attempt
/// is by one of its pods.
pub fn absorb(
    ledger: &mut UnitLedger,
    experiment: &Name,
    pods: &[LivePod],
    view: &View,
    last_words: bool,
    now: Timestamp,
    size: &dyn Fn(&LivePod) -> FoundSize,
) {
    for live in pods {
        let commit = live.fact.commit.unwrap_or(ledger.applied.commit);
        let run = run_of(ledger, live, commit);
        let size = size(live);
        let commit = run.commit;
        let attempt = attempt_of(trial_of(run, live.role.trial), live, commit, size);
        if let FoundSize::AtLeast(_) = size {
            attempt.pods = attempt.pods.max(live.role.rank.saturating_add(1));
        }
        if live.role.rank >= attempt.pods {
            continue;
        }
        if attempt.namespace.is_none() {
            attempt.namespace = Name::new(&live.fact.key.namespace).ok();
        }
        attempt.started = [attempt.started, live.pod.started]
            .into_iter()
            .flatten()
            .min();
        observe(attempt, live, view, last_words, now);
    }
    mark_placed(ledger, pods, now);
    if view.complete {
        mark_vanished(ledger, experiment, pods, view);
    }
}

/// From here on it is the pods' own affair that they start: what held up their making and placing
/// is no fault of the program, nor of its image. By our clock, as the deadline is: the server's may
/// differ by much.
fn mark_placed(ledger: &mut UnitLedger, pods: &[LivePod], now: Timestamp) {
    for run in &mut ledger.runs {
        let short = run.identity.short();
        for trial in &mut run.trials {
            let (number, attempts) = (trial.number, &mut trial.attempts);
            let open = attempts
                .iter_mut()
                .filter(|it| it.end.is_none() && it.placed.is_none());
            for attempt in open {
                let of_it = |live: &&LivePod| {
                    *live.role.run == *short
                        && (live.role.trial, live.role.attempt) == (number, attempt.number)
                };
                let unplaced = |live: &LivePod| live.pod.node.is_none() && live.pod.end.is_none();
                let seen = |rank: u32| attempt.ranks.iter().any(|it| it.rank == rank);
                if (0..attempt.pods).all(seen) && !pods.iter().filter(of_it).any(unplaced) {
                    attempt.placed = Some(now);
                }
            }
        }
    }
}

/// The run that a pod belongs to, by its short digest. One that is not there is made with what
/// is known: the short digest, which the document completes if it asks for this run.
pub fn run_of<'a>(ledger: &'a mut UnitLedger, live: &LivePod, commit: CommitId) -> &'a mut Run {
    let found = ledger
        .runs
        .iter()
        .position(|run| *run.identity.short() == *live.role.run);
    let index = found.unwrap_or_else(|| {
        ledger.runs.push(Run {
            identity: padded(&live.role.run),
            commit,
            began: live.fact.created,
            state: RunState::Open,
            reason: None,
            finished: None,
            trials: Vec::new(),
        });
        ledger.runs.len() - 1
    });
    &mut ledger.runs[index]
}

/// A digest that begins with these hex digits; the rest is not known.
fn padded(short: &str) -> Digest {
    format!("{short:0<64}")
        .parse()
        .unwrap_or(Digest::from_bytes([0; 32]))
}

fn trial_of(run: &mut Run, number: u32) -> &mut Trial {
    let found = run.trials.iter().position(|trial| trial.number == number);
    let index = found.unwrap_or_else(|| {
        let at = run.trials.partition_point(|trial| trial.number < number);
        run.trials.insert(
            at,
            Trial {
                number,
                restarts: 0,
                interruptions: 0,
                checkpoints: None,
                attempts: Vec::new(),
            },
        );
        at
    });
    &mut run.trials[index]
}

fn attempt_of<'a>(
    trial: &'a mut Trial,
    live: &LivePod,
    commit: CommitId,
    size: FoundSize,
) -> &'a mut Attempt {
    let number = live.role.attempt;
    let found = trial.attempts.iter().position(|it| it.number == number);
    let index = found.unwrap_or_else(|| {
        let at = trial.attempts.partition_point(|it| it.number < number);
        let size = match size {
            FoundSize::Known(split) => split,
            FoundSize::AtLeast(slots) => Split { pods: 1, slots },
        };
        trial.attempts.insert(
            at,
            Attempt {
                number,
                pods: size.pods,
                slots: size.slots,
                namespace: None,
                commit: live.fact.commit.filter(|own| *own != commit),
                // The pods come oldest first.
                began: live.fact.created,
                placed: None,
                started: None,
                layers: BTreeMap::new(),
                end: None,
                ranks: Vec::new(),
            },
        );
        at
    });
    &mut trial.attempts[index]
}

fn observe(attempt: &mut Attempt, live: &LivePod, view: &View, last_words: bool, now: Timestamp) {
    let found = attempt.ranks.iter().position(|record| live.is_in(record));
    let index = found.unwrap_or_else(|| {
        let rank = live.role.rank;
        let at = attempt.ranks.partition_point(|it| it.rank <= rank);
        let uid = Some(live.fact.uid.0.to_string());
        attempt.ranks.insert(
            at,
            RankRecord {
                rank,
                uid,
                baseline: Some(live.pod.baseline()),
                node: None,
                end: None,
                vanished: false,
            },
        );
        at
    });
    let record = &mut attempt.ranks[index];
    if let Some(end) = outcome(live, view, now)
        && record.end.as_ref().is_none_or(|old| is_better(&end, old))
    {
        record.end = Some(PodEnd {
            last_words: end.last_words.filter(|_| last_words),
            ..end
        });
        record.node = live.pod.node.as_deref().map(str::to_owned);
        record.vanished = false;
    }
}

/// How a pod ended; `None` while it may still run. A pod that goes and that no kubelet will ever
/// report on has ended too: the server keeps it only for our finalizer. When is not known: it is
/// told as the time at which it was asked to go, which by our clock is not to come.
fn outcome(live: &LivePod, view: &View, now: Timestamp) -> Option<PodEnd> {
    let never = |reason: &str| PodEnd {
        exit_code: None,
        reason: reason.to_owned(),
        asked: true,
        marker: false,
        succeeded: false,
        last_words: None,
        finished: live.fact.deleting.map(|asked| asked.min(now)),
    };
    if live.pod.end.is_some() {
        return live.pod.end.clone();
    }
    live.fact.deleting?;
    match live.place(view) {
        None => Some(never("Deleted")),
        Some((_, NodeState::Gone)) => Some(never("NodeLost")),
        Some(_) => None,
    }
}

/// A kubelet may report after all, though its node was gone for a while.
fn is_better(end: &PodEnd, old: &PodEnd) -> bool {
    old.exit_code.is_none() && end.exit_code.is_some()
}
