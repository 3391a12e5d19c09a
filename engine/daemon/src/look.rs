//! A reconciler that is fed once and carries nothing out, for `plan`, `check` and `drift`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use berth_cluster::client::Client;
use berth_cluster::start::{self, Start, StartError};
use berth_cluster::strangers::strangers;
use berth_cluster::watch::Watches;
use berth_core::desired::{Desired, Unit};
use berth_core::ids::{Name, ObjectKey, ResourceVersion, Timestamp, Uid};
use berth_core::kinds::experiment::render::{PodRole, Subject};
use berth_core::kinds::experiment::{believed, identity, size};
use berth_core::kinds::{Document, Experiment};
use berth_core::ledger::{Forms, Ledger};
use berth_core::observed::{Fact, NodeFact};
use berth_core::reconciler::{
    Anchor, HaltReason, Identity, Input, Options, Reconciler, Role, WatchEvent, WatchKey,
};
use berth_core::report::Draft;

use crate::error::CommandError;
use crate::run::clock::Clock;

/// The listings of a large cluster come within this.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the status branch says, and whether it contains a commit.
pub struct Past {
    /// The ledger.
    pub ledger: Ledger,
    /// Whether a commit is in the branch.
    pub contains: Box<dyn Fn(berth_core::ids::CommitId) -> bool>,
}

/// What a daemon kept in the cluster while it could not push.
pub type Spill = BTreeMap<String, String>;

impl Past {
    /// Where the last forms of documents stand, by the branch and by what the spill knows beyond it.
    pub fn forms(&self, spill: &Spill) -> Forms {
        let mut ledger = self.ledger.clone();
        // One that cannot be read stops every write later, and is told then.
        let _ = ledger.merge_spill(spill);
        ledger.forms()
    }

    /// Whether the branch is the one that the anchor tells of, as far as the anchor says.
    fn is_of(&self, anchor: Option<&Anchor>) -> bool {
        anchor.is_none_or(|anchor| anchor.is_in(&self.contains))
    }
}

impl Default for Past {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            contains: Box::new(|_| false),
        }
    }
}

/// A reconciler that knows the documents, the ledger and the whole cluster, and may write. `again`
/// reads documents and ledger once more, for when a daemon has pushed since, or knows more than it could
/// push.
pub async fn live(
    (desired, past): (Desired, Past),
    again: impl FnOnce(&Spill) -> Result<(Desired, Past), CommandError>,
    client: &Client,
) -> Result<Reconciler, CommandError> {
    let namespace = desired.cluster().spec.namespace.clone();
    let cluster = desired.cluster().name().clone();
    let start = start::start(client, namespace.as_str(), &cluster).await;
    let start = start.map_err(|error| not_read(&error))?;
    // The anchor is written after the push: a branch that is read now contains what it names.
    let spill = start.spill.as_ref().map(|kept| kept.data.clone());
    let spill = spill.unwrap_or_default();
    let (desired, past) = if spill.is_empty() && past.is_of(start.anchor.as_ref()) {
        (desired, past)
    } else {
        again(&spill)?
    };
    let clock = Clock::start();
    let mut reconciler = informed(desired, past, start, clock.now());
    let Some(identity) = reconciler.identity() else {
        return Err(halted(&reconciler));
    };
    let instance = identity.instance.clone();
    let (mut watches, mut events) = Watches::new(client.clone(), instance, 0);
    watches.want(&reconciler.watches());
    let listed = async {
        while !reconciler.ready() {
            let Some((key, event)) = events.recv().await else {
                break;
            };
            reconciler.input(clock.now(), Input::Watch(key, event));
        }
    };
    if tokio::time::timeout(PATIENCE, listed).await.is_err() {
        let words = format!("the cluster was not listed within {} s", PATIENCE.as_secs());
        return Err(CommandError::environment(words)
            .hint("see the API server's load, or plan without it with --offline"));
    }
    Ok(reconciler)
}

/// Looks who has the names of what would be made: as no watch shows what is not ours, the server alone
/// knows.
pub async fn for_names(
    reconciler: &mut Reconciler,
    draft: &mut Draft,
    client: &Client,
) -> Result<(), CommandError> {
    let instance = reconciler.identity().map(|it| it.instance.clone());
    let instance = instance.unwrap_or_default();
    let names: BTreeSet<ObjectKey> = draft.made().cloned().collect();
    let places = names.iter().map(|key| (key.kind, &key.namespace));
    for (kind, namespace) in places.collect::<BTreeSet<_>>() {
        let found = strangers(client, kind, namespace, &instance).await;
        let found = found.map_err(|error| not_read(&error))?;
        for fact in found.into_iter().filter(|it| names.contains(&it.key)) {
            draft.is_taken(reconciler, fact);
        }
    }
    Ok(())
}

/// A reconciler that looks at no cluster: what the ledger knows to live is taken for there, and nothing
/// else, and the nodes for large enough for every experiment.
pub fn offline(desired: Desired, past: Past) -> Result<Reconciler, CommandError> {
    let now = Clock::start().now();
    let nodes = nodes(&desired);
    let living = living(&past.ledger);
    let start = Start {
        version: String::new(),
        cluster_uid: past
            .ledger
            .identity
            .as_ref()
            .map_or("offline", |it| &it.cluster_uid)
            .into(),
        anchor: None,
        others: Vec::new(),
        spill: None,
    };
    let mut reconciler = informed(desired, past, start, now);
    if reconciler.identity().is_none() {
        return Err(halted(&reconciler));
    }
    for key in reconciler.watches() {
        let mut tell = |event| reconciler.input(now, Input::Watch(key.clone(), event));
        tell(WatchEvent::Started);
        if key == WatchKey::Nodes {
            nodes
                .iter()
                .cloned()
                .for_each(|node| tell(WatchEvent::Node(node, ResourceVersion(1))));
        }
        let seen = living.iter().filter(|fact| is_seen_by(fact, &key));
        seen.for_each(|fact| tell(WatchEvent::Object(Box::new(fact.clone()))));
        tell(WatchEvent::Complete(ResourceVersion(1)));
    }
    Ok(reconciler)
}

/// Why nothing would be written: a finding if a commit mends it, else what is outside has failed.
pub fn halted(reconciler: &Reconciler) -> CommandError {
    let Some(halt) = reconciler.halted() else {
        return CommandError::environment("who we are in the cluster is not settled");
    };
    let words = format!("every write is stopped: {}", halt.sentence);
    match halt.reason {
        HaltReason::Documents => CommandError::findings(words),
        HaltReason::Identity | HaltReason::Ledger => CommandError::environment(words),
    }
}

fn informed(desired: Desired, past: Past, start: Start, now: Timestamp) -> Reconciler {
    // A server always tells its version.
    let offline = start.version.is_empty();
    let cluster = desired.cluster().name().clone();
    let options = Options {
        plan: true,
        in_flight: usize::MAX,
        ..Options::new(cluster.clone())
    };
    let mut reconciler = Reconciler::new(options);
    let anchor_in_branch = past.is_of(start.anchor.as_ref());
    let uid = start.cluster_uid;
    let anchor = start
        .anchor
        .or_else(|| imagined(&past.ledger, &cluster, &uid, offline));
    let (data, version) = match start.spill {
        Some(kept) => (kept.data, Some(kept.version)),
        None => (BTreeMap::new(), None),
    };
    let until = now.plus(Duration::from_hours(1));
    for input in [
        Input::Role(Role::Leader { until }),
        Input::Snapshot(Arc::new(desired)),
        Input::Identity {
            cluster_uid: uid,
            anchor,
            anchor_in_branch,
            others: start.others,
            fresh_instance: "plan".into(),
        },
        Input::Spill { data, version },
        Input::Ledger(Ok(past.ledger)),
    ] {
        reconciler.input(now, input);
    }
    reconciler
}

/// On the first start there is no anchor yet: a plan takes it for made.
fn imagined(ledger: &Ledger, cluster: &Name, uid: &str, offline: bool) -> Option<Anchor> {
    let identity = match &ledger.identity {
        // A cluster without an anchor is not the ledger's: the reconciler says so.
        Some(identity) if identity.cluster_uid != uid || !offline => return None,
        Some(identity) => identity.clone(),
        None => Identity {
            cluster: cluster.clone(),
            instance: "plan".into(),
            cluster_uid: uid.into(),
        },
    };
    Some(Anchor {
        identity,
        status: None,
        next: None,
        namespaces: BTreeSet::new(),
        uid: Uid("plan".into()),
        version: ResourceVersion(1),
    })
}

/// What the ledger knows to live.
fn living(ledger: &Ledger) -> Vec<Fact> {
    let units = ledger.units.iter();
    units
        .flat_map(|(id, known)| believed(id, &known.ledger, BUSY))
        .collect()
}

fn is_seen_by(fact: &Fact, watch: &WatchKey) -> bool {
    matches!(watch, WatchKey::Ours(kind, namespace) if (*kind, namespace) == (fact.key.kind, &fact.key.namespace))
}

/// Where what lives is imagined: it has no room left.
const BUSY: &str = "imagined";

/// For every pod a node that it fits on: with room, and with the labels that it selects by; and one
/// for what lives.
fn nodes(desired: &Desired) -> Vec<NodeFact> {
    let busy = NodeFact {
        name: BUSY.into(),
        ready: true,
        schedulable: false,
        out_of_service: false,
        taints: Vec::new(),
        labels: Vec::new(),
        allocatable: Vec::new(),
    };
    let all = desired.units().flat_map(|unit| match &unit.document {
        Document::Experiment(document) => homes(unit, document),
        _ => Vec::new(),
    });
    let numbered = all.enumerate().map(|(number, node)| NodeFact {
        name: format!("imagined-{number}").into(),
        ..node
    });
    numbered.chain([busy]).collect()
}

fn homes(unit: &Unit, document: &Experiment) -> Vec<NodeFact> {
    let Ok(split) = size::split_of(document, &unit.scope) else {
        return Vec::new();
    };
    let run = identity(document).short();
    let subject = Subject {
        document,
        scope: &unit.scope,
        namespace: unit.scope.namespace(),
        run: &run,
        trial: 1,
        checkpoints: None,
    };
    let role = PodRole {
        attempt: 1,
        rank: 0,
        pods: split.pods,
        slots: split.slots,
    };
    let pod = subject.pod(&role).to_json();
    let selector = pod["spec"]["nodeSelector"]
        .as_object()
        .into_iter()
        .flatten();
    let labels =
        selector.filter_map(|(name, value)| Some((name.as_str().into(), value.as_str()?.into())));
    let node = NodeFact {
        name: Box::default(),
        ready: true,
        schedulable: true,
        out_of_service: false,
        taints: Vec::new(),
        labels: labels.collect(),
        allocatable: size::request(split.slots, &unit.scope.cluster.spec)
            .into_iter()
            .collect(),
    };
    vec![node; split.pods as usize]
}

/// The start, as the command line tells it.
pub fn not_read(error: &StartError) -> CommandError {
    CommandError::environment(error.to_string()).hint(error.help())
}
