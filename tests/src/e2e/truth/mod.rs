//! The status branch against the pods: what a commit says may be late, but it must never say what was
//! not so by then.
//!
//! A commit of second `t` says of an experiment only pods that were made by `t`, of that experiment,
//! attempt and rank, on the node that they were bound to; only ends that those pods had by `t`, with
//! their code; that an attempt was placed or started only if its pods were; a completed attempt only
//! if its rank 0 had succeeded by `t`, a failed one only if not all of its pods did, one that a document
//! stopped only if none of its pods ran on unasked. What was once said of the end of an attempt is
//! never taken back. What each state of an experiment claims is told in [`states`].
//!
//! When the API server dies, KWOK tells the end of a pod once more, with a later time, if the answer to
//! the first was lost. Such an end counts from the time at which the program was to end.

mod states;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use berth_core::ids::Timestamp;
use berth_core::ledger::Stop;
use serde_json::Value;

use super::repository::StateRepository;
use super::scene::Pod;
use super::status::Status;

/// Every pod that ever was.
#[derive(Clone, Copy)]
pub(super) struct Pods<'a> {
    /// As they were seen last.
    pub(super) all: &'a [Pod],
    /// When the API server died first.
    pub(super) outage: Option<Timestamp>,
}

/// What the commits of the branch say that was not so, one line each; empty if they told the truth.
pub(super) fn lies(repository: &StateRepository, branch: &str, pods: Pods) -> Vec<String> {
    if repository.tip(branch).is_none() {
        return Vec::new();
    }
    let commits = repository.git(&["log", "--reverse", "--format=%H %ct", branch]);
    let mut lies = Vec::new();
    let mut then = Status::default();
    let mut ends = Ends::default();
    for line in commits.lines() {
        let (commit, second) = line.split_once(' ').unwrap();
        let second: i64 = second.parse().unwrap();
        let by = Timestamp::from_millis(second * 1000).to_string();
        let now = Status::at(repository, commit, &then);
        for file in now.experiments() {
            let mut found = of_file(&by, file, pods);
            found.extend(ends.taken_back(file));
            let unit = text(&file["unit"]);
            lies.extend(
                found
                    .iter()
                    .map(|lie| format!("{commit} {by} {unit}: {lie}")),
            );
        }
        then = now;
    }
    lies
}

/// What is known of the ends of attempts: by unit, run and number.
#[derive(Default)]
struct Ends(BTreeMap<(String, String, u64), Value>);

impl Ends {
    fn taken_back(&mut self, file: &Value) -> Vec<String> {
        let mut lies = Vec::new();
        for (run, attempt) in attempts(file) {
            let (number, end) = (count(&attempt["number"]), &attempt["end"]);
            let key = (
                text(&file["unit"]).into(),
                text(&run["identity"]).into(),
                number,
            );
            let before = self.0.entry(key).or_default();
            if !before.is_null() && before != end {
                lies.push(format!("attempt {number} ended as {before}, now as {end}"));
            }
            before.clone_from(end);
        }
        lies
    }
}

/// What the file of an experiment says that was not so by then.
fn of_file(by: &str, file: &Value, pods: Pods) -> Vec<String> {
    let mut lies = Vec::new();
    for (run, attempt) in attempts(file) {
        let number = count(&attempt["number"]);
        let of = of_attempt(file, run, number, pods.all);
        let said = of_ranks(by, attempt, &of, pods);
        lies.extend(
            said.into_iter()
                .map(|lie| format!("attempt {number}: {lie}")),
        );
        let whole = [
            of_end(by, attempt, &of, pods),
            of_stop(by, attempt, &of),
            of_times(by, attempt, &of),
        ];
        lies.extend(
            whole
                .into_iter()
                .flatten()
                .map(|lie| format!("attempt {number} is {lie}")),
        );
    }
    lies.extend(states::lie(by, file, pods.all));
    let status = &file["status"];
    for name in list(&status["pods"]) {
        let was = |pod: &Pod| pod.name == text(name) && made(pod) <= by;
        if !pods.all.iter().any(was) {
            lies.push(format!("there was no pod {name}"));
        }
    }
    lies
}

/// What is said of the single pods of an attempt.
fn of_ranks(by: &str, attempt: &Value, of: &[&Pod], pods: Pods) -> Vec<String> {
    let mut lies = Vec::new();
    for said in list(&attempt["ranks"]) {
        let (rank, uid, end) = (count(&said["rank"]), text(&said["uid"]), &said["end"]);
        let known = of.iter().find(|pod| pod.uid == uid && pod.rank == rank);
        let Some(pod) = known.filter(|pod| made(pod) <= by) else {
            lies.push(format!("rank {rank} was no pod {uid:?}"));
            continue;
        };
        if !said["node"].is_null() && text(&said["node"]) != pod.node {
            lies.push(format!("rank {rank} was not on {}", said["node"]));
        }
        if end.is_null() {
            continue;
        }
        // Berth decided that it will not run any more; no kubelet ever says so.
        let decided = end["exitCode"].is_null() && end["asked"] == true;
        let ended = if decided {
            pod.leaving || pod.gone
        } else {
            let finished = text(&end["finished"]);
            let mut all = pod.ends.iter();
            finished <= by && all.any(|told| is_end(end, told) && pods.ended(told, finished))
        };
        if !ended {
            lies.push(format!("rank {rank} did not end as {end}"));
        }
    }
    lies
}

/// What is said of the end of an attempt, if it was not so.
fn of_end(by: &str, attempt: &Value, of: &[&Pod], pods: Pods) -> Option<String> {
    let succeeded = |end: &Arc<Value>| is_success(end) && pods.ended(end, by);
    let ended_well = |pod: &Pod| pod.ends.iter().any(succeeded);
    let all = count(&attempt["pods"]);
    let well = of.iter().filter(|pod| ended_well(pod)).count() as u64;
    let first = of.iter().any(|pod| pod.rank == 0 && ended_well(pod));
    let asked = of.iter().any(|pod| pod.leaving);
    let lie = match text(&attempt["end"]["result"]) {
        "completed" => !first,
        "failed" => well == all,
        "interrupted" => well == all && !asked,
        _ => false,
    };
    lie.then(|| format!("{}, and {well} of {all} pods ended well", attempt["end"]))
}

/// What is said of an attempt that a document stopped, if one of its pods ran on.
fn of_stop(by: &str, attempt: &Value, of: &[&Pod]) -> Option<String> {
    let end = &attempt["end"];
    Stop::read(text(&end["reason"]))?;
    let pod = of.iter().find(|pod| runs_on(by, pod))?;
    let (name, when) = (&pod.name, pod.asked);
    Some(format!(
        "{end}, and {name} ran on (asked to stop: {when:?})"
    ))
}

/// Whether a pod was there before, had not ended, and nobody had asked it to stop.
fn runs_on(by: &str, pod: &Pod) -> bool {
    let ended = |end: &Arc<Value>| text(&terminated(end)["finishedAt"]) <= by;
    let over = pod.ends.iter().any(ended) || (pod.gone && pod.ends.is_empty());
    made(pod) < by && !over && pod.asked.is_none_or(|asked| &*asked.to_string() > by)
}

/// That all pods of an attempt were on nodes, or the first one ran, if it was not so.
fn of_times(by: &str, attempt: &Value, of: &[&Pod]) -> Option<String> {
    let on_node = |pod: &&&Pod| made(pod) <= by && !pod.node.is_empty();
    let placed = of.iter().filter(on_node).count() as u64;
    if !attempt["placed"].is_null() && placed < count(&attempt["pods"]) {
        return Some(format!("placed, and only {placed} pods were"));
    }
    let ran = |pod: &&Pod| began(&pod.object).is_some_and(|began| began <= by);
    let started = attempt["started"].is_null() || of.iter().any(ran);
    (!started).then(|| "started, and no pod had begun".to_owned())
}

impl Pods<'_> {
    /// Whether this end of a pod was so by then.
    fn ended(self, end: &Value, by: &str) -> bool {
        let finished = text(&terminated(end)["finishedAt"]);
        let again = self
            .outage
            .is_some_and(|outage| finished >= &*outage.to_string());
        finished <= by || (again && due(end).is_some_and(|due| &*due <= by))
    }
}

/// Whether what is said of an end, times apart, is what the pod told.
fn is_end(said: &Value, told: &Value) -> bool {
    let code = &terminated(told)["exitCode"];
    said["succeeded"] == is_success(told)
        && (said["exitCode"].is_null() || said["exitCode"] == *code)
}

fn is_success(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded"
}

/// When its program was to end.
fn due(pod: &Value) -> Option<String> {
    let annotations = &pod["metadata"]["annotations"];
    let seconds = text(&annotations["sandbox.berth.dev/run"]).strip_suffix('s')?;
    let began: Timestamp = began(pod)?.parse().ok()?;
    let due = began.plus(Duration::from_secs(seconds.parse().ok()?));
    Some(due.to_string())
}

/// Runs and their attempts, oldest first.
fn attempts(file: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let runs = list(&file["ledger"]["runs"]).iter();
    runs.flat_map(|run| {
        let trials = list(&run["trials"]).iter();
        let attempts = trials.flat_map(|trial| list(&trial["attempts"]));
        attempts.map(move |attempt| (run, attempt))
    })
}

fn of_attempt<'a>(file: &Value, run: &Value, number: u64, pods: &'a [Pod]) -> Vec<&'a Pod> {
    let (unit, run) = (text(&file["unit"]), text(&run["identity"]));
    let ours = |pod: &&Pod| {
        let of = &pod.object["metadata"]["annotations"]["berth.dev/unit"];
        text(of) == unit && pod.attempt == number && run.starts_with(&pod.run)
    };
    pods.iter().filter(ours).collect()
}

fn made(pod: &Pod) -> &str {
    text(&pod.object["metadata"]["creationTimestamp"])
}

/// When its program began; a pod that ended without one counts from then on.
fn began(pod: &Value) -> Option<&str> {
    let state = &task(pod)["state"];
    let told = [
        &state["running"]["startedAt"],
        &state["terminated"]["startedAt"],
        &state["terminated"]["finishedAt"],
        &pod["status"]["startTime"],
    ];
    let told = told.into_iter().find_map(Value::as_str);
    told.filter(|_| pod["status"]["phase"] != "Pending")
}

fn terminated(pod: &Value) -> &Value {
    &task(pod)["state"]["terminated"]
}

fn task(pod: &Value) -> &Value {
    let all = list(&pod["status"]["containerStatuses"]).iter();
    let mut tasks = all.filter(|one| one["name"] == "task");
    tasks.next().unwrap_or(&Value::Null)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests;
