//! The status branch against the pods: what a commit says may be late, but it must never say what was
//! not so by then.
//!
//! A commit of second `t` says of an experiment only pods that were made by `t`, of that experiment,
//! attempt and rank, on the node that they were bound to; only ends that those pods had by `t`, with
//! their code; `Running` only if so many pods of the open attempt had begun by `t`; a completed
//! attempt only if its rank 0 had succeeded by `t`, a failed one only if not all of its pods did. What
//! was once said of the end of an attempt is never taken back.
//!
//! When the API server dies, KWOK tells the end of a pod once more, with a later time, if the answer to
//! the first was lost. Such an end counts from the time at which the program was to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use berth_core::ids::Timestamp;
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
        if let Some(lie) = of_end(by, attempt, &of, pods) {
            lies.push(format!("attempt {number} is {lie}"));
        }
    }
    let status = &file["status"];
    if status["state"] == "Running" && !is_up(by, file, pods.all) {
        lies.push("Running, and not all of its pods had begun".to_owned());
    }
    if status["state"] == "Completed" {
        let completed = |(_, attempt): (_, &Value)| attempt["end"]["result"] == "completed";
        if !attempts(file).any(completed) {
            lies.push("Completed without an attempt that is".to_owned());
        }
    }
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

/// Whether all pods of the open attempt had begun.
fn is_up(by: &str, file: &Value, pods: &[Pod]) -> bool {
    let open = attempts(file).filter(|(_, attempt)| attempt["end"].is_null());
    open.last().is_some_and(|(run, attempt)| {
        let of = of_attempt(file, run, count(&attempt["number"]), pods);
        let up = of
            .iter()
            .filter(|pod| began(&pod.object).is_some_and(|began| began <= by));
        up.count() as u64 >= count(&attempt["pods"])
    })
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
mod tests {
    use serde_json::json;

    use super::super::scene::Seen;
    use super::*;

    const MADE: &str = "2026-01-01T00:00:01Z";
    const BEGAN: &str = "2026-01-01T00:00:03Z";
    const ENDED: &str = "2026-01-01T00:00:05Z";

    /// Two ranks that ran and succeeded.
    fn pods() -> Vec<Pod> {
        let pod = |rank: u64| {
            let terminated = json!({"exitCode": 0, "startedAt": BEGAN, "finishedAt": ENDED});
            let object = json!({
                "metadata": {
                    "name": format!("a-{rank}"), "uid": format!("uid-{rank}"), "creationTimestamp": MADE,
                    "labels": {"berth.dev/run": "77", "berth.dev/attempt": "1", "berth.dev/rank": rank.to_string()},
                    "annotations": {"berth.dev/unit": "Experiment/vision/a", "sandbox.berth.dev/run": "1s"},
                },
                "spec": {"nodeName": "node-1"},
                "status": {"phase": "Succeeded", "containerStatuses": [
                    {"name": "task", "state": {"terminated": terminated}},
                ]},
            });
            let object = Arc::new(object);
            Pod::read(&Seen { object, gone: true })
        };
        vec![pod(0), pod(1)]
    }

    /// What is said in the end, all true.
    fn file() -> Value {
        let rank = |rank: u64| {
            let end = json!({"exitCode": 0, "succeeded": true, "finished": ENDED});
            json!({"rank": rank, "uid": format!("uid-{rank}"), "node": "node-1", "end": end})
        };
        let attempt = json!({
            "number": 1, "pods": 2, "end": {"result": "completed"}, "ranks": [rank(0), rank(1)],
        });
        json!({
            "unit": "Experiment/vision/a",
            "ledger": {"runs": [{"identity": "7788", "trials": [{"attempts": [attempt]}]}]},
            "status": {"state": "Completed", "pods": ["a-0", "a-1"]},
        })
    }

    /// What is said while they run, all true.
    fn running() -> Value {
        let mut file = file();
        let attempt = &mut file["ledger"]["runs"][0]["trials"][0]["attempts"][0];
        attempt["end"].take();
        attempt["ranks"][0]["end"].take();
        attempt["ranks"][1]["end"].take();
        file["status"]["state"] = json!("Running");
        file
    }

    fn found(by: &str, file: &Value) -> Vec<String> {
        let pods = pods();
        let (all, outage) = (&*pods, None);
        of_file(by, file, Pods { all, outage })
    }

    #[test]
    fn the_truth_is_no_lie() {
        assert_eq!(found(ENDED, &file()), [""; 0]);
        assert_eq!(found(BEGAN, &running()), [""; 0]);
    }

    #[test]
    fn what_is_said_too_early_is_a_lie() {
        assert_eq!(found(BEGAN, &file()).len(), 3);
        assert_eq!(found(MADE, &running()).len(), 1);
        let before = "2026-01-01T00:00:00Z";
        assert_eq!(found(before, &running()).len(), 5);
    }

    #[test]
    fn each_thing_that_never_was_is_a_lie() {
        let attempt = "/ledger/runs/0/trials/0/attempts/0";
        let planted = [
            ("/ranks/0/uid", json!("uid-7")),
            ("/ranks/0/rank", json!(1)),
            ("/ranks/1/node", json!("node-2")),
            ("/ranks/1/end/exitCode", json!(1)),
            ("/ranks/1/end/succeeded", json!(false)),
            ("/ranks/1/end/finished", json!(BEGAN)),
            ("/end/result", json!("failed")),
            ("/end/result", json!("interrupted")),
            ("/number", json!(2)),
        ];
        for (path, value) in planted {
            let mut file = file();
            *file.pointer_mut(&format!("{attempt}{path}")).unwrap() = value;
            assert!(!found(ENDED, &file).is_empty(), "{path}");
        }
        let mut more = running();
        more["status"]["pods"][1] = json!("a-2");
        assert_eq!(found(BEGAN, &more).len(), 1);
    }

    #[test]
    fn an_end_that_was_told_again_counts_from_when_it_was_due() {
        let pods = pods();
        let outage: Timestamp = "2026-01-01T00:00:05Z".parse().unwrap();
        let told_again = |by| {
            let mut file = file();
            for rank in [0, 1] {
                let path = format!("/ledger/runs/0/trials/0/attempts/0/ranks/{rank}/end/finished");
                *file.pointer_mut(&path).unwrap() = json!(by);
            }
            let (all, outage) = (&*pods, Some(outage));
            of_file(by, &file, Pods { all, outage })
        };
        assert_eq!(told_again("2026-01-01T00:00:04Z"), [""; 0]);
        assert_eq!(told_again(BEGAN).len(), 3);
    }

    #[test]
    fn what_is_taken_back_is_a_lie() {
        let mut ends = Ends::default();
        assert_eq!(ends.taken_back(&running()), [""; 0]);
        assert_eq!(ends.taken_back(&file()), [""; 0]);
        assert_eq!(ends.taken_back(&running()).len(), 1);
    }
}
