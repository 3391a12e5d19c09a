//! A reconciler with a snapshot of one experiment, and what it reads outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{
    Anchor, CommitFacts, Identity, Input, Options, Reconciler, Role, WatchEvent, WatchKey,
};
use crate::desired::{ListedFile, Loader};
use crate::ids::{BlobId, CommitId, Name, ResourceVersion, Timestamp, Uid};
use crate::ledger::{Forms, IDENTITY, Ledger, identity_text};
use crate::observed::{NodeFact, SlotRequest};

/// What an experiment says.
pub const EXPERIMENT: &str = "queue: vision, entrypoint: [train], resources: {slotsPerTrial: 1}";

/// The nth commit.
pub fn commit(number: u8) -> CommitId {
    CommitId::from_bytes([number; 20])
}

fn cluster() -> Name {
    Name::new("lab").unwrap()
}

/// A document.
pub fn document(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: berth.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
    )
}

/// A cluster, a queue, an experiment, and these files.
pub fn snapshot(more: &[&str]) -> Input {
    let mut texts = vec![
        document(
            "Cluster",
            "lab",
            "namespace: berth, maxSlotsPerPod: 8, podDefaults: standard, images: {cpu: train:cpu, gpu: train:gpu}",
        ),
        document(
            "Queue",
            "vision",
            "cluster: lab, namespace: vision, quota: 8",
        ),
        document("PodDefaults", "standard", "cpu: {}, gpu: {}"),
        document("Experiment", "resnet", EXPERIMENT),
    ];
    texts.extend(more.iter().map(|&text| text.to_owned()));
    let blob = |number: usize| BlobId::from_bytes([u8::try_from(number).unwrap(); 20]);
    let listed = |(number, text): (usize, &String)| ListedFile {
        path: format!("{number}.yaml").into(),
        blob: blob(number),
        size: text.len() as u64,
    };
    let listing: Vec<ListedFile> = texts.iter().enumerate().map(listed).collect();
    let blobs: BTreeMap<BlobId, Arc<[u8]>> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| (blob(number), text.as_bytes().into()))
        .collect();
    let facts = CommitFacts {
        id: commit(99),
        subject: String::new(),
        trailers: Vec::new(),
        after: None,
        new_ancestors: Vec::new(),
    };
    let loaded = Loader::new().load(&facts, None, &listing, &[], &blobs, &Forms::default());
    Input::Snapshot(Arc::new(loaded.unwrap()))
}

/// One that leads for an hour, has its snapshot, and reads what is kept outside.
pub fn started(now: Timestamp, options: impl Fn(Options) -> Options) -> Reconciler {
    let mut reconciler = Reconciler::new(options(Options::new(cluster())));
    let until = now.plus(Duration::from_hours(1));
    reconciler.input(now, Input::Role(Role::Leader { until }));
    reconciler.input(now, snapshot(&[]));
    reconciler.step(now);
    reconciler
}

/// What it reads: the branch at `tip`, and an anchor that names `anchored`.
pub fn outside(
    reconciler: &mut Reconciler,
    now: Timestamp,
    tip: CommitId,
    anchored: Option<CommitId>,
) {
    let identity = Identity {
        cluster: cluster(),
        instance: "here".into(),
        cluster_uid: "c".into(),
    };
    let text = identity_text(&identity).unwrap().into_bytes();
    let anchor = Anchor {
        identity,
        status: anchored,
        next: None,
        namespaces: BTreeSet::from(["vision".to_owned()]),
        uid: Uid("u".into()),
        version: ResourceVersion(1),
    };
    for input in [
        Input::Spill {
            data: BTreeMap::new(),
            version: None,
        },
        Input::Identity {
            cluster_uid: "c".into(),
            anchor: Some(anchor),
            anchor_in_branch: anchored.is_none_or(|anchored| anchored <= tip),
            others: Vec::new(),
            fresh_instance: "fresh".into(),
        },
        Input::Ledger(Ledger::read(Some(tip), &[(IDENTITY.to_owned(), text)])),
    ] {
        reconciler.input(now, input);
    }
}

/// Everything is seen, and there is room for the experiment.
pub fn see_all(reconciler: &mut Reconciler, now: Timestamp) {
    let node = NodeFact {
        name: "node".into(),
        ready: true,
        schedulable: true,
        out_of_service: false,
        taints: Vec::new(),
        labels: Vec::new(),
        allocatable: vec![SlotRequest {
            resource: "nvidia.com/gpu".into(),
            millis: 8_000,
        }],
    };
    for watch in reconciler.watches() {
        let mut events = vec![WatchEvent::Started];
        if watch == WatchKey::Nodes {
            events.push(WatchEvent::Node(node.clone(), ResourceVersion(7)));
        }
        events.push(WatchEvent::Complete(ResourceVersion(7)));
        for event in events {
            reconciler.input(now, Input::Watch(watch.clone(), event));
        }
    }
}
