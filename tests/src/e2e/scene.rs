//! What can be seen: every pod that ever lived, and the status branch.

use std::sync::Arc;

use berth_core::ids::Timestamp;
use serde_json::Value;

use super::cluster::Cluster;
use super::status::Status;

/// One pod, as it was seen last.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its life.
    pub uid: String,
    /// The experiment that it serves, by name; empty for a foreign pod.
    pub experiment: String,
    /// The short digest of its run.
    pub run: String,
    /// Counted from 1.
    pub attempt: u64,
    /// Counted from 0.
    pub rank: u64,
    /// `Pending`, `Running`, `Succeeded`, `Failed`.
    pub phase: String,
    /// Where it is bound.
    pub node: String,
    /// GPUs of its containers.
    pub slots: u64,
    /// It was asked to go.
    pub leaving: bool,
    /// When, as it was first seen: once a kubelet is done with it, its grace is 0, and the time may
    /// be that at which the grace would have ended.
    pub asked: Option<Timestamp>,
    /// It is gone.
    pub gone: bool,
    /// All of it.
    pub object: Arc<Value>,
    /// It each time that it was seen with another end. A kubelet tells one end; a simulated one may
    /// tell another when the pod is asked to stop at that very moment.
    pub ends: Vec<Arc<Value>>,
}

/// A pod as it is since a change of it, or as it was last.
#[derive(Debug, Clone)]
pub struct Seen {
    /// All of it.
    pub object: Arc<Value>,
    /// It went away.
    pub gone: bool,
}

/// What can be seen.
#[derive(Debug, Default)]
pub struct Scene {
    /// All pods that ever lived, oldest first.
    pub pods: Vec<Pod>,
    /// The status branch.
    pub status: Status,
    cursor: u64,
}

impl Scene {
    /// Takes in what changed in the cluster.
    pub fn look(&mut self, cluster: &Cluster) {
        for change in cluster.pods_since(&mut self.cursor) {
            self.take(&change);
        }
    }

    fn take(&mut self, change: &Seen) {
        let mut pod = Pod::read(change);
        match self.pods.iter_mut().find(|known| known.uid == pod.uid) {
            Some(known) => {
                let mut ends = std::mem::take(&mut known.ends);
                let of = |pod: &Value| pod["status"]["containerStatuses"].clone();
                let told = |end: &Arc<Value>| ends.iter().any(|known| of(known) == of(end));
                pod.ends.retain(|end| !told(end));
                ends.append(&mut pod.ends);
                let asked = known.asked.or(pod.asked);
                *known = Pod { asked, ends, ..pod };
            }
            None => self.pods.push(pod),
        }
    }

    /// All pods ever of an experiment.
    pub fn of(&self, experiment: &str) -> Vec<&Pod> {
        let of = |pod: &&Pod| pod.experiment == experiment;
        self.pods.iter().filter(of).collect()
    }

    /// Those of one attempt.
    pub fn attempt(&self, experiment: &str, attempt: u64) -> Vec<&Pod> {
        let mut pods = self.of(experiment);
        pods.retain(|pod| pod.attempt == attempt);
        pods
    }

    /// Those that run now.
    pub fn running(&self, experiment: &str) -> Vec<&Pod> {
        let mut pods = self.of(experiment);
        pods.retain(|pod| pod.phase == "Running" && !pod.gone && !pod.leaving);
        pods
    }

    /// Those that take up their node.
    pub fn alive(&self, experiment: &str) -> Vec<&Pod> {
        let mut pods = self.of(experiment);
        pods.retain(|pod| !pod.gone && pod.phase != "Succeeded" && pod.phase != "Failed");
        pods
    }

    /// The runs that ever had a pod, oldest first.
    pub fn runs(&self, experiment: &str) -> Vec<String> {
        let mut runs: Vec<String> = Vec::new();
        for pod in self.of(experiment) {
            if !runs.contains(&pod.run) {
                runs.push(pod.run.clone());
            }
        }
        runs
    }

    /// The names that more than one pod has had.
    pub fn used_twice(&self) -> Vec<&str> {
        let name = |pod: &Pod| {
            (
                pod.name.clone(),
                pod.object["metadata"]["namespace"].clone(),
            )
        };
        let seen = |index: usize| {
            self.pods[..index]
                .iter()
                .any(|earlier| name(earlier) == name(&self.pods[index]))
        };
        let twice = (0..self.pods.len()).filter(|index| seen(*index));
        twice.map(|index| &*self.pods[index].name).collect()
    }

    /// All of it, for the report of a test that fails.
    pub fn describe(&self) -> String {
        let pod = |pod: &Pod| {
            let gone = match (pod.gone, pod.leaving) {
                (true, _) => " gone",
                (false, true) => " leaving",
                (false, false) => "",
            };
            format!("  {} {}{gone} on {:?}\n", pod.name, pod.phase, pod.node)
        };
        let pods: String = self.pods.iter().map(pod).collect();
        let tip = self.status.tip.as_deref().unwrap_or("none");
        format!("pods:\n{pods}status ({tip}):\n{}", self.status.describe())
    }
}

impl Pod {
    pub(super) fn read(change: &Seen) -> Self {
        let object = &change.object;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let meta = &object["metadata"];
        let label = |name: &str| text(&meta["labels"][name]);
        let ended = matches!(
            object["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed")
        );
        let unit = text(&meta["annotations"]["berth.dev/unit"]);
        Self {
            name: text(&meta["name"]),
            uid: text(&meta["uid"]),
            experiment: unit.rsplit('/').next().unwrap_or_default().to_owned(),
            run: label("berth.dev/run"),
            attempt: label("berth.dev/attempt").parse().unwrap_or_default(),
            rank: label("berth.dev/rank").parse().unwrap_or_default(),
            phase: text(&object["status"]["phase"]),
            node: text(&object["spec"]["nodeName"]),
            slots: slots(object),
            leaving: !meta["deletionTimestamp"].is_null(),
            asked: asked(meta),
            gone: change.gone,
            object: Arc::clone(object),
            ends: ended.then(|| Arc::clone(object)).into_iter().collect(),
        }
    }

    /// The image of its task container.
    pub fn image(&self) -> &str {
        self.object["spec"]["containers"][0]["image"]
            .as_str()
            .unwrap_or_default()
    }
}

/// The server writes when the grace that it has ends.
fn asked(meta: &Value) -> Option<Timestamp> {
    let until: Timestamp = meta["deletionTimestamp"].as_str()?.parse().ok()?;
    let grace = meta["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    Some(Timestamp::from_millis(until.millis() - grace * 1000))
}

fn slots(pod: &Value) -> u64 {
    let containers = pod["spec"]["containers"].as_array();
    let limits = containers.into_iter().flatten();
    limits
        .map(|container| &container["resources"]["limits"]["nvidia.com/gpu"])
        .filter_map(|limit| limit.as_str()?.parse::<u64>().ok())
        .sum()
}
