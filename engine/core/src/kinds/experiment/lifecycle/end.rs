//! When an attempt has ended, and how that counts.

use std::time::Duration;

use super::{LivePod, Rules, ended_well, was_interrupted};
use crate::ids::Timestamp;
use crate::kinds::experiment::Success;
use crate::kinds::values;
use crate::kinds::{NodeState, View};
use crate::ledger::{Attempt, RankRecord, Stop};

/// How an end counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndKind {
    /// The trial is done.
    Completed,
    /// The program failed: one restart less.
    Failed,
    /// The program failed and is not started again.
    FailedForGood,
    /// Something outside ended it.
    Interrupted,
    /// Its pods were not all placed in time.
    Unplaced,
    /// Berth stopped it, because a document asks for that.
    Stopped,
}

/// A decided end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// How it counts.
    pub kind: EndKind,
    /// One line.
    pub reason: String,
}

impl End {
    fn new(kind: EndKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }
}

/// Whether an open attempt has ended; if not, when to look again though nothing happens.
/// `pods` are its live pods.
pub fn verdict(
    attempt: &Attempt,
    pods: &[LivePod],
    rules: &Rules,
    view: &View,
    now: Timestamp,
) -> Result<End, Option<Timestamp>> {
    if let Some(end) = outcome(attempt, pods, rules.success, view) {
        return Ok(end);
    }
    if rules.suspended {
        return Err(None);
    }
    deadline(attempt, pods, rules, now)
}

/// As [`verdict`] of an attempt that is to stop: it has ended once all its pods are going. What is
/// not seen may run, or have ended well.
pub fn stopped(
    attempt: &Attempt,
    pods: &[LivePod],
    success: Success,
    view: &View,
    stop: &Stop,
) -> Option<End> {
    let own = outcome(attempt, pods, success, view)
        .filter(|end| matches!(end.kind, EndKind::Completed | EndKind::Failed));
    let seen = |record: &RankRecord| pods.iter().any(|live| live.is_in(record));
    let mut unended = attempt.ranks.iter();
    let lost_sight = unended.any(|it| it.may_live() && !seen(it));
    let runs_on = |live: &LivePod| live.fact.deleting.is_none() && !has_ended(live, attempt);
    match own {
        Some(end) => Some(end),
        None if !view.complete || view.unheard.is_some() => None,
        None if lost_sight || pods.iter().any(runs_on) => None,
        None => Some(End::new(EndKind::Stopped, stop.to_string())),
    }
}

fn has_ended(live: &LivePod, attempt: &Attempt) -> bool {
    live.record(attempt).is_some_and(|it| it.end.is_some())
}

/// The end that the pods themselves show.
fn outcome(attempt: &Attempt, pods: &[LivePod], success: Success, view: &View) -> Option<End> {
    if let Some(end) = completed(attempt, success) {
        return Some(end);
    }
    let failure = first_failure(attempt);
    let disturbance = first_disturbance(attempt, pods, view);
    match (failure, disturbance) {
        // Peers of a pod that is taken away fail too: what came first is the cause.
        (Some((failed, _)), Some((disturbed, reason)))
            if disturbed.is_some_and(|it| it < failed) =>
        {
            Some(End::new(EndKind::Interrupted, reason))
        }
        (Some((_, reason)), _) => Some(End::new(EndKind::Failed, reason)),
        (None, Some((_, reason))) if !only_going(attempt, pods, view) => {
            Some(End::new(EndKind::Interrupted, reason))
        }
        (None, _) => None,
    }
}

fn completed(attempt: &Attempt, success: Success) -> Option<End> {
    let well = |rank: u32| {
        attempt
            .ranks
            .iter()
            .any(|it| it.rank == rank && it.end.as_ref().is_some_and(ended_well))
    };
    let reason = match success {
        Success::Rank0 if well(0) => "rank 0 ended well".to_owned(),
        Success::All if (0..attempt.pods).all(well) => match attempt.pods {
            1 => "its pod ended well".to_owned(),
            pods => format!("all {pods} pods ended well"),
        },
        _ => return None,
    };
    Some(End::new(EndKind::Completed, reason))
}

/// Time and words of the first failure of the program.
fn first_failure(attempt: &Attempt) -> Option<(Timestamp, String)> {
    attempt
        .ranks
        .iter()
        .filter_map(|record| {
            let end = record.end.as_ref()?;
            let failed = !ended_well(end) && !was_interrupted(end);
            // Kubelets always say when; a failure without a time is as late as can be.
            let at = end.finished.unwrap_or(Timestamp::MAX);
            failed.then(|| (at, words(record)))
        })
        .min()
}

fn words(record: &RankRecord) -> String {
    let rank = record.rank;
    match &record.end {
        None => format!("the pod of rank {rank} vanished without an outcome"),
        Some(end) => match end.exit_code {
            Some(code) if end.asked => format!(
                "rank {rank} was asked to stop and exited with {code} ({})",
                end.reason
            ),
            Some(code) => format!("rank {rank} exited with {code} ({})", end.reason),
            None if end.reason.is_empty() => format!("rank {rank} did not finish"),
            None => format!("rank {rank} did not finish ({})", end.reason),
        },
    }
}

/// Time, if it is known, and words of the first thing from outside that keeps the attempt from
/// ending well.
fn first_disturbance(
    attempt: &Attempt,
    pods: &[LivePod],
    view: &View,
) -> Option<(Option<Timestamp>, String)> {
    let ended = attempt.ranks.iter().filter_map(|record| {
        let end = record.end.as_ref()?;
        let deleting = pods
            .iter()
            .find(|live| live.is_in(record))
            .and_then(|live| live.fact.deleting);
        let at = [deleting, end.finished].into_iter().flatten().min();
        was_interrupted(end).then(|| (at, words(record)))
    });
    let going = pods
        .iter()
        .filter(|live| !has_ended(live, attempt))
        .filter_map(|live| Some((live.fact.deleting, lost(live, view)?)));
    let vanished = attempt
        .ranks
        .iter()
        .filter(|record| record.vanished)
        .map(|record| (None, words(record)));
    ended
        .chain(going)
        .chain(vanished)
        .min_by_key(|(at, _)| at.unwrap_or(Timestamp::MAX))
}

/// Why a live pod will not end well, if so.
fn lost(live: &LivePod, view: &View) -> Option<String> {
    let name = &live.fact.key.name;
    match live.place(view) {
        Some((node, NodeState::Gone)) => Some(format!("the node {node} of pod {name} is gone")),
        Some((node, NodeState::Silent | NodeState::Unknown)) if live.fact.deleting.is_some() => {
            Some(format!("the node {node} of pod {name} does not answer"))
        }
        _ if live.fact.deleting.is_some() => Some(format!("somebody deleted the pod {name}")),
        _ => None,
    }
}

/// Whether all that is wrong is pods that are going in peace: their end is awaited, as the program
/// may still say that it is done.
fn only_going(attempt: &Attempt, pods: &[LivePod], view: &View) -> bool {
    let settled = attempt
        .ranks
        .iter()
        .any(|record| record.vanished || record.end.as_ref().is_some_and(was_interrupted));
    let dead = pods
        .iter()
        .filter(|live| !has_ended(live, attempt))
        .filter_map(|live| Some((live, live.place(view)?)))
        .any(|(live, (_, node))| match node {
            NodeState::Live => false,
            NodeState::Gone => true,
            NodeState::Silent | NodeState::Unknown => live.fact.deleting.is_some(),
        });
    !settled && !dead
}

fn deadline(
    attempt: &Attempt,
    pods: &[LivePod],
    rules: &Rules,
    now: Timestamp,
) -> Result<End, Option<Timestamp>> {
    let mut due: Option<Timestamp> = None;
    for (from, length, end) in deadlines(attempt, pods, rules) {
        let at = from.plus(length);
        if at <= now {
            return Ok(end);
        }
        due = Some(due.map_or(at, |due| due.min(at)));
    }
    Err(due)
}

/// The deadlines that an attempt is under: from when, how long, and the end that they make. A node's
/// clock may be hours behind ours: nothing of an attempt counts from before it began.
fn deadlines(
    attempt: &Attempt,
    pods: &[LivePod],
    rules: &Rules,
) -> Vec<(Timestamp, Duration, End)> {
    let mut found = Vec::new();
    if let (Some(started), Some(length)) = (attempt.started, rules.max_runtime) {
        let reason = format!("it ran longer than maxRuntime, {}", shown(length));
        let from = started.max(attempt.began);
        found.push((from, length, End::new(EndKind::FailedForGood, reason)));
    }
    let seen = |rank: u32| attempt.ranks.iter().any(|record| record.rank == rank);
    let unplaced = |live: &&LivePod| live.pod.node.is_none() && !has_ended(live, attempt);
    let waits = |live: &&LivePod| live.pod.started.is_none() && !has_ended(live, attempt);
    if !(0..attempt.pods).all(seen) || pods.iter().any(|live| unplaced(&live)) {
        let why = pods
            .iter()
            .find(unplaced)
            .and_then(|live| live.pod.unschedulable.as_deref());
        let reason = format!(
            "its pods were not all on nodes within gangTimeout, {}{}",
            shown(rules.gang_timeout),
            why.map_or(String::new(), |why| format!(": {why}"))
        );
        found.push((
            attempt.began,
            rules.gang_timeout,
            End::new(EndKind::Unplaced, reason),
        ));
    } else if let Some(live) = pods.iter().find(waits) {
        let reason = format!(
            "rank {} did not run within startDeadline, {}{}",
            live.role.rank,
            shown(rules.start_deadline),
            live.pod
                .waiting
                .as_deref()
                .map_or(String::new(), |why| format!(": {why}"))
        );
        found.push((
            attempt.placed.unwrap_or(attempt.began),
            rules.start_deadline,
            End::new(EndKind::Failed, reason),
        ));
    }
    // Peers that could not be made or placed do not hang: that is no fault of the program.
    let first = first_well(attempt).filter(|_| attempt.placed.is_some());
    if let (Success::All, Some(first)) = (rules.success, first) {
        let reason = format!(
            "not all pods ended within peerDeadline, {}, after the first one",
            shown(rules.peer_deadline)
        );
        found.push((
            first.max(attempt.began),
            rules.peer_deadline,
            End::new(EndKind::Failed, reason),
        ));
    }
    found
}

fn first_well(attempt: &Attempt) -> Option<Timestamp> {
    let ends = attempt
        .ranks
        .iter()
        .filter_map(|record| record.end.as_ref());
    ends.filter(|end| ended_well(end))
        .filter_map(|end| end.finished)
        .min()
}

fn shown(length: Duration) -> values::Duration {
    values::Duration::from_secs(length.as_secs())
}
