//! One more experiment among many that run, in the core alone: what it costs to decide.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_core::desired::Loader;
use berth_core::ids::{CommitId, Name, ObjectKind, ResourceVersion, Timestamp};
use berth_core::observed::fact;
use berth_core::reconciler::{
    Effect, Input, Options, Outcome, Reconciler, WatchEvent, WatchKey, What,
};
use serde_json::{Value, json};

use super::plan::{INSTANCE, NOW, begun};
use super::snapshot::Snapshot;
use crate::report::{Report, median, time};
use crate::{Fallible, Size, documents};

const TIMES: usize = 5;

/// Measures it with each number of experiments.
pub fn more(size: Size, report: &mut Report) -> Fallible<()> {
    for experiments in size.growth {
        let what = format!("one more among {experiments} that run, in the core alone");
        report.tell(what, time(among(*experiments)?));
    }
    Ok(())
}

fn among(experiments: usize) -> Fallible<Duration> {
    let base = documents::base().len();
    let files = documents::repository(base + experiments, "active");
    let (mut snapshot, mut loader) = (Snapshot::of(&files), Loader::new());
    let desired = Arc::new(snapshot.load(&mut loader)?);
    let options = Options {
        status_interval: Some(Duration::ZERO),
        ..Options::new(Name::new("lab")?)
    };
    let pods = (experiments + TIMES) * documents::PODS;
    let mut world = World {
        reconciler: begun(options, &desired, pods)?,
        now: NOW,
        version: 1,
        pods: BTreeMap::new(),
    };
    world.settle()?;
    let mut times = Vec::new();
    for number in experiments..experiments + TIMES {
        let text = documents::experiment(number, "active");
        snapshot.put(&documents::path(number), &text);
        let desired = Arc::new(snapshot.load(&mut loader)?);
        let before = world.pods.len();
        let began = Instant::now();
        let input = Input::Snapshot(desired);
        world.reconciler.input(world.now, input);
        while world.pods.len() == before {
            world.step()?;
        }
        times.push(began.elapsed());
        world.settle()?;
        let made = world.pods.len() - before;
        if made != documents::PODS {
            return Err(format!("{made} pods were made for one more").into());
        }
    }
    Ok(median(times))
}

/// A cluster that does what it is told; each pod has a node at once, and runs.
struct World {
    reconciler: Reconciler,
    now: Timestamp,
    version: u64,
    /// The node of each pod.
    pods: BTreeMap<Box<str>, usize>,
}

impl World {
    fn settle(&mut self) -> Fallible<()> {
        while self.step()? > 0 || self.reconciler.due().is_some_and(|due| due <= self.now) {}
        Ok(())
    }

    /// One step, and all of its effects; gives how many they were.
    fn step(&mut self) -> Fallible<usize> {
        self.now = self.now.plus(Duration::from_millis(1));
        let effects = self.reconciler.step(self.now);
        for effect in &effects {
            let outcome = self.carry(effect)?;
            let done = Input::Done(effect.id, outcome);
            self.reconciler.input(self.now, done);
        }
        Ok(effects.len())
    }

    fn carry(&mut self, effect: &Effect) -> Fallible<Outcome> {
        self.version += 1;
        Ok(match &effect.what {
            What::Create { key, body, .. } => {
                let mut body = body.clone();
                self.stamp(&mut body);
                let made = fact(&body, INSTANCE)?;
                if key.kind == ObjectKind::Pod {
                    let node = self.pods.len() / 8;
                    self.pods.insert(key.name.clone(), node);
                    body["spec"]["nodeName"] = format!("node-{node}").into();
                    body["status"] =
                        json!({"phase": "Running", "startTime": "2026-11-18T10:00:00Z"});
                    self.version += 1;
                    self.stamp(&mut body);
                    let watch = WatchKey::Ours(key.kind, key.namespace.clone());
                    let seen = WatchEvent::Object(Box::new(fact(&body, INSTANCE)?));
                    let input = Input::Watch(watch, seen);
                    self.reconciler.input(self.now, input);
                }
                Outcome::Done(Some(Box::new(made)))
            }
            What::Record { .. } => {
                let mut id = [0; 20];
                id[..8].copy_from_slice(&self.version.to_be_bytes());
                Outcome::Recorded(CommitId::from_bytes(id))
            }
            What::Keep { .. } => Outcome::Kept(ResourceVersion(self.version)),
            What::Tell { .. } => Outcome::Done(None),
            other => return Err(format!("nobody expects {other:?}").into()),
        })
    }

    fn stamp(&self, body: &mut Value) {
        let meta = &mut body["metadata"];
        meta["uid"] = meta["name"].clone();
        meta["resourceVersion"] = self.version.to_string().into();
        meta["creationTimestamp"] = "2026-11-18T10:00:00Z".into();
    }
}
