//! A plan: a fresh reconciler, fed once, stepped once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_core::desired::{Desired, Loader};
use berth_core::ids::{Name, ObjectKind, ResourceVersion, Timestamp, Uid};
use berth_core::ledger::Ledger;
use berth_core::observed::{NodeFact, SlotRequest};
use berth_core::reconciler::{
    Anchor, Effect, Identity, Input, Options, Reconciler, Role, WatchEvent, WatchKey, What,
};
use serde_json::Value;

use super::snapshot::Snapshot;
use crate::report::{Report, median, time};
use crate::{Fallible, Size, documents};

const TIMES: usize = 3;
/// When all of it happens.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// Whose objects they are.
pub const INSTANCE: &str = "plan";

/// Measures it.
pub fn plan(size: Size, report: &mut Report) -> Fallible<()> {
    let files = documents::repository(size.experiments + documents::base().len(), "active");
    let desired = Arc::new(Snapshot::of(&files).load(&mut Loader::new())?);
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        let effects = planned(&desired, size.pods())?;
        times.push(began.elapsed());
        let pods = made(&effects, &[ObjectKind::Pod]).count();
        if pods != size.pods() {
            return Err(format!("{pods} pods were planned").into());
        }
    }
    let what = format!(
        "plan {} experiments, {} pods",
        size.experiments,
        size.pods()
    );
    report.tell(what, time(median(times)));
    Ok(())
}

/// The objects of these kinds that Berth would POST for so many experiments, in its order, without
/// what says whose they are.
pub fn bodies(experiments: usize, kinds: &[ObjectKind]) -> Fallible<Vec<Value>> {
    let files = documents::repository(experiments + documents::base().len(), "active");
    let desired = Arc::new(Snapshot::of(&files).load(&mut Loader::new())?);
    let effects = planned(&desired, experiments * documents::PODS)?;
    Ok(made(&effects, kinds).cloned().collect())
}

fn made<'a>(effects: &'a [Effect], kinds: &[ObjectKind]) -> impl Iterator<Item = &'a Value> {
    let bodies = effects.iter();
    bodies.filter_map(|effect| match &effect.what {
        What::Create { key, body, .. } if kinds.contains(&key.kind) => Some(body),
        _ => None,
    })
}

fn planned(desired: &Arc<Desired>, pods: usize) -> Fallible<Vec<Effect>> {
    let options = Options::for_plan(Name::new("lab")?);
    let mut reconciler = begun(options, desired, pods)?;
    Ok(reconciler.step(NOW))
}

/// A reconciler that has seen an empty cluster with room for so many pods.
pub fn begun(options: Options, desired: &Arc<Desired>, pods: usize) -> Fallible<Reconciler> {
    let (now, cluster) = (NOW, options.cluster.clone());
    let mut reconciler = Reconciler::new(options);
    let identity = Identity {
        cluster,
        instance: INSTANCE.into(),
        cluster_uid: "bench".into(),
    };
    let anchor = Anchor {
        identity,
        status: None,
        next: None,
        namespaces: BTreeSet::new(),
        uid: Uid("plan".into()),
        version: ResourceVersion(1),
    };
    for input in [
        Input::Role(Role::Leader {
            until: now.plus(Duration::from_hours(100)),
        }),
        Input::Snapshot(Arc::clone(desired)),
        Input::Identity {
            cluster_uid: "bench".into(),
            anchor: Some(anchor),
            anchor_in_branch: true,
            others: Vec::new(),
            fresh_instance: INSTANCE.into(),
        },
        Input::Spill {
            data: BTreeMap::new(),
            version: None,
        },
        Input::Ledger(Ok(Ledger::default())),
    ] {
        reconciler.input(now, input);
    }
    for key in reconciler.watches() {
        reconciler.input(now, Input::Watch(key.clone(), WatchEvent::Started));
        if key == WatchKey::Nodes {
            for number in 0..pods.div_ceil(8) {
                let node = WatchEvent::Node(node(number), ResourceVersion(1));
                reconciler.input(now, Input::Watch(key.clone(), node));
            }
        }
        let complete = WatchEvent::Complete(ResourceVersion(1));
        reconciler.input(now, Input::Watch(key, complete));
    }
    match reconciler.halted() {
        Some(halt) => Err(halt.sentence.clone().into()),
        None => Ok(reconciler),
    }
}

/// A node of 8 GPUs.
fn node(number: usize) -> NodeFact {
    NodeFact {
        name: format!("node-{number}").into(),
        ready: true,
        schedulable: true,
        out_of_service: false,
        taints: Vec::new(),
        labels: Vec::new(),
        allocatable: vec![SlotRequest {
            resource: "nvidia.com/gpu".into(),
            millis: 8000,
        }],
    }
}
