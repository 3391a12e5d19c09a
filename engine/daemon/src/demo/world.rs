//! What the watch has told of the pods so far.

use std::collections::BTreeMap;

use serde_json::Value;

use super::api::PodEvent;

/// One pod, as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// The experiment, by the name of its document.
    pub experiment: String,
    /// The short digest of its run.
    pub run: String,
    /// Counted from 1.
    pub attempt: u32,
    /// Counted from 0.
    pub rank: u32,
    /// `Pending`, `Running`, `Succeeded`, `Failed`.
    pub phase: String,
    /// Where it is bound.
    pub node: String,
    /// GPUs of its task container.
    pub slots: u64,
    /// It was asked to go.
    pub leaving: bool,
    /// It is gone.
    pub gone: bool,
}

/// A change worth a line of the story.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// A pod is new.
    Created(Pod),
    /// A pod is in another phase.
    Phase(Pod),
    /// A pod went away.
    Gone(Pod),
}

/// All pods ever seen, by name, and how often each name was used.
#[derive(Debug, Default)]
pub struct World {
    pods: BTreeMap<String, Pod>,
    lives: BTreeMap<String, Vec<String>>,
}

impl World {
    /// Takes one event in; gives the change if it is one that people see.
    pub fn take(&mut self, event: &PodEvent) -> Option<Change> {
        let mut pod = read(&event.pod)?;
        pod.gone = event.kind == "DELETED";
        self.count_life(
            &pod.name,
            event.pod["metadata"]["uid"].as_str().unwrap_or_default(),
        );
        let before = self.pods.insert(pod.name.clone(), pod.clone());
        match before {
            None => Some(Change::Created(pod)),
            Some(old) if !old.gone && pod.gone => Some(Change::Gone(pod)),
            Some(old) if old.phase != pod.phase => Some(Change::Phase(pod)),
            Some(_) => None,
        }
    }

    fn count_life(&mut self, name: &str, uid: &str) {
        let lives = self.lives.entry(name.to_owned()).or_default();
        if !lives.iter().any(|known| known == uid) {
            lives.push(uid.to_owned());
        }
    }

    /// All pods ever seen of an experiment, by name.
    pub fn of<'a>(&'a self, experiment: &'a str) -> impl Iterator<Item = &'a Pod> {
        self.pods
            .values()
            .filter(move |pod| pod.experiment == experiment)
    }

    /// Those of one attempt.
    pub fn attempt<'a>(&'a self, experiment: &'a str, attempt: u32) -> Vec<&'a Pod> {
        self.of(experiment)
            .filter(|pod| pod.attempt == attempt)
            .collect()
    }

    /// The names that were used for more than one pod.
    pub fn used_twice(&self) -> Vec<&str> {
        let twice = self.lives.iter().filter(|(_, lives)| lives.len() > 1);
        twice.map(|(name, _)| name.as_str()).collect()
    }

    /// How many pods were ever made.
    pub fn count(&self) -> usize {
        self.lives.values().map(Vec::len).sum()
    }
}

fn read(pod: &Value) -> Option<Pod> {
    let label = |name: &str| {
        pod["metadata"]["labels"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let unit = pod["metadata"]["annotations"]["berth.dev/unit"].as_str()?;
    Some(Pod {
        name: pod["metadata"]["name"].as_str()?.to_owned(),
        experiment: unit.rsplit('/').next().unwrap_or_default().to_owned(),
        run: label("berth.dev/run"),
        attempt: label("berth.dev/attempt").parse().unwrap_or_default(),
        rank: label("berth.dev/rank").parse().unwrap_or_default(),
        phase: text(&pod["status"]["phase"]),
        node: text(&pod["spec"]["nodeName"]),
        slots: slots(pod),
        leaving: !pod["metadata"]["deletionTimestamp"].is_null(),
        gone: false,
    })
}

fn slots(pod: &Value) -> u64 {
    let containers = pod["spec"]["containers"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let limits = containers
        .iter()
        .map(|container| &container["resources"]["limits"]["nvidia.com/gpu"]);
    limits
        .filter_map(|limit| limit.as_str()?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, uid: &str, phase: &str) -> PodEvent {
        let labels = json!({
            "berth.dev/run": "1a2b3c4d", "berth.dev/attempt": "2", "berth.dev/rank": "1",
        });
        let pod = json!({
            "metadata": {"name": "a-1", "uid": uid, "labels": labels,
                "annotations": {"berth.dev/unit": "Experiment/vision/a"}},
            "spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "8"}}}]},
            "status": {"phase": phase},
        });
        PodEvent {
            kind: kind.to_owned(),
            pod,
        }
    }

    #[test]
    fn a_second_life_of_a_name_is_noticed() {
        let mut world = World::default();
        assert!(matches!(
            world.take(&event("ADDED", "1", "Pending")),
            Some(Change::Created(_))
        ));
        assert!(matches!(
            world.take(&event("MODIFIED", "1", "Running")),
            Some(Change::Phase(_))
        ));
        assert_eq!(world.take(&event("MODIFIED", "1", "Running")), None);
        assert!(matches!(
            world.take(&event("DELETED", "1", "Running")),
            Some(Change::Gone(_))
        ));
        assert!(world.used_twice().is_empty());
        world.take(&event("ADDED", "2", "Pending"));
        assert_eq!(world.used_twice(), ["a-1"]);
        assert_eq!((world.count(), world.attempt("a", 2)[0].slots), (2, 8));
    }
}
