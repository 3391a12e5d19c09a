//! What holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::World;
use crate::ids::{Digest, ObjectKey};
use crate::kinds::NodeState;
use crate::kinds::Want;
use crate::ledger::RunState;

#[derive(Debug, Clone)]
enum Act {
    Step,
    Keep,
    Crash,
    Bind,
    Run,
    Obey,
    Exit(usize, i32),
    Delete(usize),
    Strip(usize),
    Node(u32, NodeState),
    State(&'static str),
    Rate(u32),
    Layer(u32),
    Withdrawn(bool),
    Complete(bool),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let states = prop_oneof![Just("active"), Just("active"), Just("paused")];
    let nodes = prop_oneof![
        Just(NodeState::Live),
        Just(NodeState::Gone),
        Just(NodeState::Silent),
        Just(NodeState::Unknown)
    ];
    prop_oneof![
        8 => Just(Act::Step),
        4 => Just(Act::Keep),
        1 => Just(Act::Crash),
        1 => Just(Act::Bind),
        4 => Just(Act::Run),
        4 => Just(Act::Obey),
        3 => (0..4usize, prop_oneof![Just(0), Just(1)]).prop_map(|(pod, code)| Act::Exit(pod, code)),
        1 => (0..4usize).prop_map(Act::Delete),
        1 => (0..4usize).prop_map(Act::Strip),
        1 => (0..2u32, nodes).prop_map(|(rank, state)| Act::Node(rank, state)),
        1 => states.prop_map(Act::State),
        1 => (0..3u32).prop_map(Act::Rate),
        1 => (0..2u32).prop_map(Act::Layer),
        1 => any::<bool>().prop_map(Act::Withdrawn),
        1 => any::<bool>().prop_map(Act::Complete),
        2 => prop_oneof![Just(1), Just(10), Just(400), Just(2000)].prop_map(Act::Wait),
    ]
}

fn nth(world: &World, index: usize) -> Option<ObjectKey> {
    world.pods.keys().nth(index).cloned()
}

fn apply(world: &mut World, act: &Act) {
    match act {
        Act::Step => drop(world.step()),
        // A push carries what the last step said.
        Act::Keep => drop(world.step().keep()),
        Act::Crash => drop(world.crash()),
        Act::Bind => drop(world.bind()),
        Act::Run => drop(world.run()),
        Act::Obey => drop(world.obey()),
        Act::Exit(index, code) => {
            if let Some(key) = nth(world, *index) {
                let now = world.now;
                let fact = world.pods.get_mut(&key).unwrap();
                let asked = fact.deleting.is_some();
                let pod = fact.pod.as_mut().unwrap();
                if pod.started.is_some() && pod.end.is_none() {
                    super::world::end(pod, *code, asked, now);
                }
            }
        }
        Act::Delete(index) => {
            if let Some(key) = nth(world, *index) {
                let now = world.now;
                world
                    .pods
                    .get_mut(&key)
                    .unwrap()
                    .deleting
                    .get_or_insert(now);
            }
        }
        Act::Strip(index) => {
            // Somebody takes the finalizer off and deletes the pod with force. What was never
            // seen and kept cannot be known after a crash, so it is seen and kept first.
            let mut made = usize::MAX;
            while made != world.made.len() {
                made = world.made.len();
                world.step().keep();
            }
            if let Some(key) = nth(world, *index) {
                world.pods.remove(&key);
            }
        }
        Act::Node(rank, state) => drop(world.nodes.insert(format!("node-{rank}"), *state)),
        Act::State(state) => world.edit(&json!({ "state": state })),
        Act::Rate(rate) => world.edit(&json!({"hyperparameters": {"lr": rate}})),
        Act::Layer(layer) => {
            world.repository.defaults =
                json!({"gpu": {"spec": {"nodeSelector": {"layer": layer.to_string()}}}});
        }
        Act::Withdrawn(withdrawn) => world.withdrawn = *withdrawn,
        Act::Complete(complete) => world.complete = *complete,
        Act::Wait(seconds) => drop(world.wait(*seconds)),
    }
}

/// What of a want can be compared.
fn shape(want: &Want) -> (Vec<(ObjectKey, Digest)>, String) {
    let objects = want.objects.iter().map(|it| (it.key.clone(), it.digest));
    let rest = format!("{:?} {:?} {:?}", want.release, want.asks, want.status);
    (objects.collect(), rest)
}

fn attempts_that_run(world: &World) -> BTreeSet<(String, u32)> {
    world
        .pods
        .values()
        .map(|fact| fact.pod.as_ref().unwrap())
        .filter(|pod| pod.started.is_some() && pod.end.is_none())
        .map(|pod| pod.role.as_ref().unwrap())
        .map(|role| (role.run.to_string(), role.attempt))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(acts in prop::collection::vec(act(), 1..60), replace in any::<bool>()) {
        let rollout = if replace { "replaceAttempt" } else { "nextAttempt" };
        let mut world = World::gang(&json!({"rollout": rollout, "maxRestarts": 2}));
        let mut gone = false;
        let mut restarts: BTreeMap<String, u32> = BTreeMap::new();
        let mut finished: BTreeMap<String, (RunState, usize)> = BTreeMap::new();
        for act in acts {
            apply(&mut world, &act);

            let names: BTreeSet<&String> = world.made.iter().collect();
            prop_assert_eq!(names.len(), world.made.len(), "a name was used twice");
            prop_assert!(world.lost.is_empty(), "outcomes were lost: {:?}", world.lost);

            // Old pods on a node that was gone and came back run again: nobody can fence those.
            gone |= world.nodes.values().any(|it| *it == NodeState::Gone);
            let running = attempts_that_run(&world);
            prop_assert!(gone || running.len() <= 1, "two attempts run: {:?}", running);

            // A second look at what the first one wrote wants the same.
            let first = world.look();
            let kept = world.ledger.clone();
            if let Some(ledger) = first.ledger.clone() {
                world.ledger = Some(ledger);
            }
            let second = world.look();
            prop_assert!(second.ledger.is_none(), "{:#?} {:#?}", second.ledger, world.ledger);
            prop_assert_eq!(shape(&first), shape(&second));
            world.ledger = kept;

            // What is kept never goes back: failures count up, finished runs stay finished.
            for run in world.durable.iter().flat_map(|it| &it.runs) {
                let short = run.identity.short();
                for trial in &run.trials {
                    let before = restarts.insert(short.clone(), trial.restarts).unwrap_or(0);
                    prop_assert!(trial.restarts >= before);
                }
                let made = world.made.iter().filter(|it| it.contains(&short)).count();
                if run.state != RunState::Open {
                    let before = finished.entry(short).or_insert((run.state, made));
                    prop_assert_eq!(*before, (run.state, made), "a finished run ran again");
                }
            }
        }
    }

    #[test]
    fn in_good_weather_every_run_finishes(acts in prop::collection::vec(act(), 1..40)) {
        let mut world = World::gang(&json!({"maxRestarts": 2}));
        for act in &acts {
            apply(&mut world, act);
        }
        world.nodes.clear();
        (world.withdrawn, world.complete) = (false, true);
        world.edit(&json!({"state": "active"}));
        for _ in 0..8 {
            world.go_on();
            let keys: Vec<ObjectKey> = world.pods.keys().cloned().collect();
            for key in keys {
                let now = world.now;
                let fact = world.pods.get_mut(&key).unwrap();
                let asked = fact.deleting.is_some();
                let pod = fact.pod.as_mut().unwrap();
                if pod.started.is_some() && pod.end.is_none() {
                    super::world::end(pod, 0, asked, now);
                }
            }
        }
        let (state, message) = world.status();
        prop_assert!(matches!(state.as_str(), "Completed" | "Failed"), "{} {}", state, message);
        world.wait(100_000).settle();
        prop_assert!(world.pods.is_empty());
    }
}
