//! What each state of an experiment claims of its pods, and whether they prove it wrong.
//!
//! `Running`: all pods of the open attempt had begun. `Starting`: an attempt is open. `Waiting`,
//! `Canceled`: each attempt that ever had a pod is over. `Paused`: the outcome of each pod is known.
//! `Pausing`, `Canceling`: there was a pod. `Completed`: an attempt is. `Failed`: the last attempt did
//! not end well. `Withdrawn`, `Held` and `Refused` claim nothing of pods.
//!
//! A claim is a lie if it is one of each run, whichever of several the document asks for.
//! Times are cut to seconds: a pod of the commit's own second may have been made after it.

use serde_json::Value;

use super::{attempts, began, count, list, made, of_attempt, text};
use crate::e2e::scene::Pod;

/// What the state claims that was not so by then.
pub(super) fn lie(by: &str, file: &Value, pods: &[Pod]) -> Option<String> {
    let state = text(&file["status"]["state"]);
    let runs = list(&file["ledger"]["runs"]).iter();
    let runs: Vec<Run> = runs.map(|run| Run::of(by, file, run, pods)).collect();
    let (holds, not_so): (fn(&Run) -> bool, _) = match state {
        "Running" => (|run| run.is_up(), "not all of its pods had begun"),
        "Starting" => (|run| run.open().is_some(), "no attempt is open"),
        "Waiting" | "Canceled" => (|run| run.is_over(), "an attempt is not over"),
        "Paused" => (|run| run.is_known(), "the outcome of a pod is not known"),
        "Pausing" | "Canceling" => (|run| !run.pods.is_empty(), "there was no pod"),
        "Completed" => (|run| run.has_ended("completed"), "no attempt is"),
        "Failed" => (|run| run.is_failed(), "its last attempt did not"),
        _ => return None,
    };
    // What waits for the first time has no run yet, and no pod.
    let none = state == "Waiting" && runs.is_empty() && !has_pods(by, file, pods);
    let lies = !none && !runs.iter().any(holds);
    lies.then(|| format!("{state}, and {not_so}"))
}

/// Whether the unit had any pod.
fn has_pods(by: &str, file: &Value, pods: &[Pod]) -> bool {
    let ours = |pod: &Pod| {
        let unit = &pod.object["metadata"]["annotations"]["berth.dev/unit"];
        *unit == file["unit"] && made(pod) < by
    };
    pods.iter().any(ours)
}

/// A run as the file has it, and its pods.
struct Run<'a> {
    by: &'a str,
    attempts: Vec<&'a Value>,
    /// Those that were made by then.
    pods: Vec<&'a Pod>,
}

impl<'a> Run<'a> {
    fn of(by: &'a str, file: &'a Value, run: &'a Value, pods: &'a [Pod]) -> Self {
        let own = attempts(file).filter(|(of, _)| std::ptr::eq(*of, run));
        let numbers = pods.iter().map(|pod| pod.attempt);
        let numbers: std::collections::BTreeSet<u64> = numbers.collect();
        let of_run = |number| of_attempt(file, run, number, pods);
        let mut pods: Vec<&Pod> = numbers.into_iter().flat_map(of_run).collect();
        pods.retain(|pod| made(pod) <= by);
        Self {
            by,
            attempts: own.map(|(_, attempt)| attempt).collect(),
            pods,
        }
    }

    fn open(&self) -> Option<&Value> {
        let last = self.attempts.last()?;
        last["end"].is_null().then_some(last)
    }

    fn is_up(&self) -> bool {
        self.open().is_some_and(|attempt| {
            let of = self
                .pods
                .iter()
                .filter(|pod| pod.attempt == count(&attempt["number"]));
            let up = of.filter(|pod| began(&pod.object).is_some_and(|began| began <= self.by));
            up.count() as u64 >= count(&attempt["pods"])
        })
    }

    /// Old attempts are dropped from the file once they are over.
    fn was_dropped(&self, number: u64) -> bool {
        let kept = self.attempts.first();
        kept.is_some_and(|first| number < count(&first["number"]))
    }

    /// Whether each pod that was there before is of an attempt for which this holds.
    fn each(&self, holds: impl Fn(&Pod, &Value) -> bool) -> bool {
        let mut before = self.pods.iter().filter(|pod| made(pod) < self.by);
        before.all(|pod| {
            let of = |attempt: &&&Value| count(&attempt["number"]) == pod.attempt;
            let of = self.attempts.iter().find(of);
            self.was_dropped(pod.attempt) || of.is_some_and(|attempt| holds(pod, attempt))
        })
    }

    fn is_over(&self) -> bool {
        self.open().is_none() && self.each(|_, attempt| !attempt["end"].is_null())
    }

    fn is_known(&self) -> bool {
        self.each(|pod, attempt| {
            let of = |rank: &&Value| text(&rank["uid"]) == pod.uid;
            let rank = list(&attempt["ranks"]).iter().find(of);
            rank.is_some_and(|rank| !rank["end"].is_null() || rank["vanished"] == true)
        })
    }

    fn has_ended(&self, result: &str) -> bool {
        self.attempts
            .iter()
            .any(|attempt| attempt["end"]["result"] == result)
    }

    fn is_failed(&self) -> bool {
        let last = self.attempts.last();
        let result = last.map(|last| text(&last["end"]["result"]));
        matches!(result, Some("failed" | "interrupted"))
    }
}
