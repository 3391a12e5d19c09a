//! Who may start.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Asked, QueueRules, Supply, admit};
use crate::ids::{Name, ResourceVersion, Timestamp, UnitId};
use crate::kinds::{Ask, Grant, Toleration};
use crate::observed::{NodeFact, Observed, Occupant, SlotRequest, Taint};
use crate::reconciler::{WatchEvent, WatchKey};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn unit(text: &str) -> UnitId {
    UnitId::experiment(name("vision"), name(text))
}

fn gpus(count: u64) -> SlotRequest {
    SlotRequest {
        resource: "nvidia.com/gpu".into(),
        millis: count * 1000,
    }
}

fn ask(pods: u32, slots: u32, priority: i64, sequence: u64) -> Ask {
    Ask {
        attempt: ("run".into(), 1, 1),
        queue: name("vision"),
        pods,
        each: Some(gpus(u64::from(slots))),
        slots: pods * slots,
        priority,
        sequence,
        node_selector: Vec::new(),
        tolerations: Vec::new(),
        holds: false,
        started: None,
        length: None,
    }
}

fn node(node: &str, taints: Vec<Taint>) -> WatchEvent {
    let node = NodeFact {
        name: node.into(),
        ready: true,
        schedulable: true,
        out_of_service: false,
        taints,
        labels: vec![("disk".into(), node.into())],
        allocatable: vec![gpus(8)],
    };
    WatchEvent::Node(node, ResourceVersion(1))
}

/// Two nodes of 8; a foreign pod takes 4 of the first.
fn cluster() -> Observed {
    let taken = Occupant {
        node: Some("a".into()),
        requests: vec![gpus(4)],
    };
    cluster_of(vec![node("a", Vec::new()), node("b", Vec::new())], taken)
}

fn cluster_of(nodes: Vec<WatchEvent>, taken: Occupant) -> Observed {
    let mut observed = Observed::default();
    let told = [
        (WatchKey::Nodes, nodes),
        (
            WatchKey::Occupants,
            vec![WatchEvent::Occupant(("x".into(), "y".into()), taken)],
        ),
    ];
    for (key, events) in told {
        observed.watch(&key, WatchEvent::Started);
        for event in events {
            observed.watch(&key, event);
        }
        observed.watch(&key, WatchEvent::Complete(ResourceVersion(1)));
    }
    observed
}

/// The slots of what holds.
fn used(asks: &[Asked]) -> BTreeMap<Name, u64> {
    let mut used = BTreeMap::new();
    for asked in asks.iter().filter(|it| it.holds) {
        *used.entry(asked.ask.queue.clone()).or_default() += u64::from(asked.ask.slots);
    }
    used
}

fn answers(asks: &[(Ask, bool)], quota: u32, observed: bool, cluster: &Observed) -> Vec<bool> {
    let units: Vec<UnitId> = (0..asks.len()).map(|at| unit(&format!("e{at}"))).collect();
    let asked: Vec<Asked> = asks
        .iter()
        .zip(&units)
        .map(|((ask, holds), unit)| Asked {
            unit,
            ask,
            holds: *holds,
            unbound: ask.pods,
            on: Vec::new(),
        })
        .collect();
    let queues = BTreeMap::from([(name("vision"), QueueRules { quota, observed })]);
    admit(&asked, used(&asked), &queues, Supply::of(cluster))
        .into_iter()
        .map(|grant| grant == Grant::Granted)
        .collect()
}

#[test]
fn priority_goes_before_arrival_and_smaller_ones_pass_what_is_blocked() {
    let cases = [
        // (quota, asks as (pods, slots, priority, sequence, holds), granted)
        (
            64,
            vec![(1, 8, 50, 1, false), (1, 8, 50, 2, false)],
            vec![true, false],
        ),
        (
            64,
            vec![(1, 8, 50, 1, false), (1, 8, 60, 2, false)],
            vec![false, true],
        ),
        (
            64,
            vec![(2, 8, 50, 1, false), (1, 4, 50, 2, false)],
            vec![false, true],
        ),
        (
            64,
            vec![
                (1, 8, 50, 1, true),
                (1, 4, 50, 2, false),
                (1, 1, 50, 3, false),
            ],
            vec![true, true, false],
        ),
        (
            8,
            vec![(1, 8, 50, 2, true), (1, 1, 99, 1, false)],
            vec![true, false],
        ),
        (
            4,
            vec![(1, 8, 50, 1, false), (1, 4, 50, 2, false)],
            vec![false, true],
        ),
    ];
    for (quota, asks, granted) in cases {
        let asks: Vec<(Ask, bool)> = asks
            .iter()
            .map(|(pods, slots, priority, sequence, holds)| {
                (ask(*pods, *slots, *priority, *sequence), *holds)
            })
            .collect();
        assert_eq!(answers(&asks, quota, true, &cluster()), granted, "{asks:?}");
    }
}

/// Pods, slots of each, node (empty: it waits), minute of its start, minutes of its `maxRuntime`.
type Row = (u32, u32, &'static str, Option<i64>, Option<u64>);

/// What is said to the last of these; those that hold have a node.
fn said(rows: &[Row], quota: u32, observed: bool) -> String {
    let asks: Vec<Ask> = (1..)
        .zip(rows)
        .map(|(sequence, (pods, slots, _, started, minutes))| Ask {
            started: started.map(|minute| Timestamp::from_millis(minute * 60_000)),
            length: minutes.map(Duration::from_mins),
            ..ask(*pods, *slots, 50, sequence)
        })
        .collect();
    let unit = unit("a");
    let asked: Vec<Asked> = asks
        .iter()
        .zip(rows)
        .map(|(ask, (_, _, node, ..))| Asked {
            unit: &unit,
            ask,
            holds: !node.is_empty(),
            unbound: 0,
            on: vec![*node; usize::from(!node.is_empty())],
        })
        .collect();
    let queues = BTreeMap::from([(name("vision"), QueueRules { quota, observed })]);
    // What holds is bound already.
    let mut cluster = cluster();
    for (number, (_, slots, node, ..)) in rows.iter().enumerate() {
        let taken = Occupant {
            node: Some((*node).into()),
            requests: vec![gpus(u64::from(*slots))],
        };
        let event = WatchEvent::Occupant(("x".into(), format!("{number}").into()), taken);
        cluster.watch(&WatchKey::Occupants, event);
    }
    match admit(&asked, used(&asked), &queues, Supply::of(&cluster)).pop() {
        Some(Grant::Waiting(words)) => words,
        other => panic!("{other:?}"),
    }
}

const HOUR: &str = "; may start at 1970-01-01T01:00:00Z unless smaller work passes it";

/// A holder of 8 slots that began at 0, and who waits for 8.
const fn holds(minutes: Option<u64>) -> Row {
    (1, 8, "b", Some(0), minutes)
}
const fn waits(minutes: Option<u64>) -> Row {
    (1, 8, "", None, minutes)
}

#[test]
fn what_waits_is_told_when_it_may_start_by_what_ends_before_it() {
    let half = "; may start at 1970-01-01T00:30:00Z unless smaller work passes it";
    let endless = "; when it may start cannot be told: 8 slots ahead of it have no `maxRuntime`";
    let four = |minutes| (1, 4, "b", Some(0), Some(minutes));
    let small = (1, 4, "", None, None);
    let later = (1, 8, "b", Some(30), Some(30));
    let unstarted = (1, 8, "b", None, Some(60));
    let begins = "; when it may start is told once the 8 slots ahead of it are at work";
    let one = (1, 1, "b", None, Some(60));
    let one_begins = "; when it may start is told once the 1 slot ahead of it is at work";
    let one_endless = "; when it may start cannot be told: 1 slot ahead of it has no `maxRuntime`";
    let cases: [(&str, &[Row], &str); 12] = [
        ("one", &[holds(Some(60)), small], HOUR),
        ("a later start", &[later, small], HOUR),
        ("one of two is enough", &[four(60), four(30), small], half),
        ("both", &[four(60), four(30), waits(None)], HOUR),
        (
            "what is ahead goes first",
            &[holds(Some(30)), waits(Some(30)), waits(None)],
            HOUR,
        ),
        (
            "and may not say when it ends",
            &[holds(Some(30)), waits(None), waits(None)],
            endless,
        ),
        ("no end", &[holds(None), small], endless),
        (
            "what never starts is not ahead",
            &[holds(None), (2, 8, "", None, None), small],
            endless,
        ),
        ("no start", &[unstarted, small], begins),
        ("one that has not begun", &[one, waits(None)], one_begins),
        (
            "one without end",
            &[(1, 1, "b", Some(0), None), waits(None)],
            one_endless,
        ),
        (
            "never",
            &[holds(Some(60)), (2, 8, "", None, None)],
            "queue `vision` allows 8: ask for fewer, or raise its `quota` (B0409)",
        ),
    ];
    for (what, rows, wanted) in cases {
        let words = said(rows, 8, false);
        assert!(words.ends_with(wanted), "{what}: {words}");
    }
}

#[test]
fn nodes_are_free_when_what_runs_on_them_ends() {
    let foreign = "for 2 pods of 8 slots (nvidia.com/gpu)";
    let cases: [(&[Row], &str); 3] = [
        (&[holds(Some(60)), waits(None)], HOUR),
        (&[holds(Some(30)), waits(Some(30)), waits(None)], HOUR),
        // A pod of somebody else on the other node never ends.
        (&[holds(Some(60)), (2, 8, "", None, None)], foreign),
    ];
    for (rows, wanted) in cases {
        let words = said(rows, 64, true);
        assert!(words.ends_with(wanted), "{rows:?}: {words}");
    }
}

#[test]
fn without_a_view_of_the_nodes_only_the_quota_can_be_judged() {
    let blind = Observed::default();
    let one = [(ask(1, 8, 50, 1), false)];
    assert_eq!(answers(&one, 64, true, &blind), [false]);
    assert_eq!(answers(&one, 64, false, &blind), [true]);
    assert_eq!(answers(&one, 7, false, &blind), [false]);
}

#[test]
fn selectors_and_taints_narrow_the_nodes() {
    let mut cluster = cluster();
    let mut wanted = ask(1, 8, 50, 1);
    wanted.node_selector = vec![("disk".into(), "a".into())];
    assert_eq!(
        answers(&[(wanted.clone(), false)], 64, true, &cluster),
        [false]
    );
    wanted.node_selector = vec![("disk".into(), "b".into())];
    assert_eq!(
        answers(&[(wanted.clone(), false)], 64, true, &cluster),
        [true]
    );
    let taint = |value: &str| Taint {
        key: "team".into(),
        value: value.into(),
        effect: "NoSchedule".into(),
    };
    cluster.watch(&WatchKey::Nodes, node("b", vec![taint("nlp")]));
    assert_eq!(
        answers(&[(wanted.clone(), false)], 64, true, &cluster),
        [false]
    );
    // Without an operator the values must be equal, the empty one, too.
    for (value, tolerated) in [(Some("nlp"), true), (None, true), (Some(""), false)] {
        wanted.tolerations = vec![Toleration {
            key: "team".into(),
            value: value.map(Into::into),
            effect: "NoSchedule".into(),
        }];
        let got = answers(&[(wanted.clone(), false)], 64, true, &cluster);
        assert_eq!(got, [tolerated], "{value:?}");
    }
}

/// What is said to one that asks alone; another one may hold its slots for ever.
fn words(ask: &Ask, holder: Option<&Ask>, quota: u32, observed: &Observed) -> String {
    let unit = unit("a");
    let asked = |ask, holds| Asked {
        unit: &unit,
        ask,
        holds,
        unbound: 0,
        on: Vec::new(),
    };
    let mut all = vec![asked(ask, false)];
    all.extend(holder.map(|holder| asked(holder, true)));
    let rules = QueueRules {
        quota,
        observed: true,
    };
    let queues = BTreeMap::from([(name("vision"), rules)]);
    match admit(&all, used(&all), &queues, Supply::of(observed)).remove(0) {
        Grant::Waiting(words) => words,
        Grant::Granted => "granted".to_owned(),
    }
}

#[test]
fn a_gang_that_the_nodes_never_hold_is_told_so_whatever_runs() {
    let of = |name: &str, gpus_of: u64| match node(name, Vec::new()) {
        WatchEvent::Node(fact, version) => {
            let allocatable = vec![gpus(gpus_of)];
            WatchEvent::Node(
                NodeFact {
                    allocatable,
                    ..fact
                },
                version,
            )
        }
        other => other,
    };
    let nodes = vec![of("a", 8), of("b", 4), of("c", 4), of("d", 4)];
    let taken = |gpus_of| Occupant {
        node: Some("b".into()),
        requests: vec![gpus(gpus_of)],
    };
    let (idle, busy) = (
        cluster_of(nodes.clone(), taken(0)),
        cluster_of(nodes, taken(1)),
    );
    let mut selects = ask(2, 4, 50, 1);
    selects.node_selector = vec![("disk".into(), "b".into())];
    let hint = "lower `slotsPerTrial` or `maxSlotsPerPod`, or add such nodes (B0408)";
    let cases = [
        (
            ask(2, 8, 50, 1),
            "needs 2 pods of 8 slots (nvidia.com/gpu), and the nodes hold only 1",
        ),
        (
            ask(6, 4, 50, 1),
            "needs 6 pods of 4 slots (nvidia.com/gpu), and the nodes hold only 5",
        ),
        (
            ask(21, 1, 50, 1),
            "needs 21 pods of 1 slot (nvidia.com/gpu), and the nodes hold only 20",
        ),
        (
            selects,
            "needs 2 pods of 4 slots (nvidia.com/gpu), and the nodes with disk=b hold only 1",
        ),
    ];
    for (gang, said) in cases {
        let said = format!("{said} even when nothing runs: {hint}");
        let holder = ask(1, 1, 50, 0);
        assert_eq!(words(&gang, None, 1000, &idle), said);
        assert_eq!(words(&gang, Some(&holder), 1000, &busy), said);
    }
    assert_eq!(words(&ask(5, 4, 50, 1), None, 1000, &idle), "granted");
    let room = words(&ask(5, 4, 50, 1), None, 1000, &busy);
    assert_eq!(
        room,
        "no room on the nodes for 5 pods of 4 slots (nvidia.com/gpu)"
    );
    // The quota goes first: no node can mend that.
    let holder = ask(1, 1, 50, 0);
    for holder in [None, Some(&holder)] {
        assert_eq!(
            words(&ask(2, 8, 50, 1), holder, 15, &idle),
            "needs 16 slots, and queue `vision` allows 15: ask for fewer, or raise its `quota` (B0409)"
        );
    }
    let told = words(&ask(1, 1, 50, 1), Some(&holder), 1, &idle);
    let in_use = "needs 1 slot, and queue `vision` has 1 of 1 in use";
    assert!(told.starts_with(in_use), "{told}");
}

#[test]
fn a_pod_that_no_node_can_hold_is_told_from_one_that_waits_for_room() {
    let mut observed = cluster();
    let words = |asked: &Ask, observed: &Observed| words(asked, None, 1000, observed);
    assert_eq!(words(&ask(1, 8, 50, 1), &observed), "granted");
    assert_eq!(
        words(&ask(2, 8, 50, 1), &observed),
        "no room on the nodes for 2 pods of 8 slots (nvidia.com/gpu)"
    );
    assert_eq!(
        words(&ask(1, 16, 50, 1), &observed),
        "no node can hold a pod of 16 slots (nvidia.com/gpu), the most is 8: lower `maxSlotsPerPod` or add \
         such nodes (B0408)"
    );
    let mut other = ask(1, 4, 50, 1);
    if let Some(each) = &mut other.each {
        each.resource = "amd.com/gpu".into();
    }
    let told = words(&other, &observed);
    assert!(
        told.contains("of 4 slots (amd.com/gpu), the most is 0"),
        "{told}"
    );
    let mut lost = ask(1, 4, 50, 1);
    lost.node_selector = vec![("disk".into(), "ssd".into())];
    assert_eq!(
        words(&lost, &observed),
        "there is no node with disk=ssd: label some so, or mend `nodeSelector`"
    );
    let taint = |value: &str| Taint {
        key: "gpu".into(),
        value: value.into(),
        effect: "NoSchedule".into(),
    };
    observed.watch(&WatchKey::Nodes, node("a", vec![taint("yes")]));
    assert_eq!(words(&ask(1, 4, 50, 1), &observed), "granted", "b has none");
    lost.node_selector = vec![("disk".into(), "a".into())];
    assert_eq!(
        words(&lost, &observed),
        "all nodes with disk=a have a taint that its pods do not tolerate, such as `gpu=yes:NoSchedule`: add to \
         `tolerations`"
    );
    observed.watch(&WatchKey::Nodes, node("b", vec![taint("")]));
    assert_eq!(
        words(&ask(1, 4, 50, 1), &observed),
        "all nodes have a taint that its pods do not tolerate, such as `gpu:NoSchedule`: add to `tolerations`"
    );
}
