//! What lives proves, and that nothing goes on as if it were proven before that is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::desired::fixture::experiment;
use crate::ids::{BlobId, CommitId, Digest, Name, ObjectKey, ObjectKind};
use crate::ledger::{APPLIED, Applied, RankRecord, Trial};
use crate::observed::{fact, marks};
use crate::reconciler::testing::{SMALL, World, commit};
use crate::reconciler::{Effect, Input, Options, Outcome, What, anchor_name};

fn pod(uid: &str, deleting: bool) -> Fact {
    let mut body = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": uid, "namespace": "vision", "uid": uid, "resourceVersion": "7",
            "creationTimestamp": "2026-11-20T08:00:00Z",
            "labels": {marks::INSTANCE: "here"},
        },
    });
    if deleting {
        body["metadata"]["deletionTimestamp"] = Value::from("2026-11-20T08:05:00Z");
    }
    fact(&body, "here").unwrap()
}

fn record(rank: u32, uid: &str, ended: bool) -> RankRecord {
    let end = json!({"reason": "Error", "asked": false, "marker": false, "succeeded": false});
    RankRecord {
        rank,
        uid: Some(uid.into()),
        baseline: None,
        node: None,
        end: ended.then(|| serde_json::from_value(end).unwrap()),
        vanished: false,
    }
}

fn run(number: u8, ranks: Vec<RankRecord>) -> Run {
    let attempt = Attempt {
        number: 3,
        pods: 2,
        slots: 8,
        namespace: None,
        commit: None,
        began: Timestamp::default(),
        placed: None,
        started: None,
        layers: BTreeMap::new(),
        end: None,
        ranks,
    };
    Run {
        identity: Digest::from_bytes([number; 32]),
        commit: CommitId::from_bytes([1; 20]),
        began: Timestamp::default(),
        state: RunState::Open,
        reason: None,
        finished: None,
        trials: vec![Trial {
            number: 1,
            restarts: 0,
            interruptions: 0,
            checkpoints: None,
            attempts: vec![attempt],
        }],
    }
}

fn states(runs: Vec<Run>, pods: &[Fact]) -> Vec<RunState> {
    let ledger = UnitLedger {
        sequence: 1,
        first_seen: Timestamp::default(),
        applied: Applied {
            commit: CommitId::from_bytes([1; 20]),
            path: String::new(),
            blob: BlobId::from_bytes([1; 20]),
        },
        withdrawn: false,
        runs,
    };
    let pods: Vec<&Fact> = pods.iter().collect();
    let marked = mark_unproven(&ledger, &pods, Timestamp::default(), |_| true);
    marked.runs.iter().map(|run| run.state).collect()
}

#[test]
fn only_an_attempt_that_goes_on_proves_its_run() {
    let both = || vec![record(0, "a", false), record(1, "b", false)];
    let (open, unknown) = (RunState::Open, RunState::Unknown);
    // (what it shows, the records of its last attempt, whether rank 1 is going, the state)
    let cases = [
        ("all its pods run", both(), false, open),
        ("one is going", both(), true, unknown),
        (
            "one was not seen",
            vec![record(1, "b", false)],
            false,
            unknown,
        ),
        (
            "one ended, one runs",
            vec![record(0, "a", true), record(1, "b", false)],
            false,
            open,
        ),
        (
            "all ended",
            vec![record(0, "a", true), record(1, "b", true)],
            false,
            unknown,
        ),
        (
            "one is not there",
            vec![record(0, "x", false), record(1, "b", false)],
            false,
            unknown,
        ),
    ];
    for (shows, ranks, going, state) in cases {
        let pods = [pod("a", false), pod("b", going)];
        assert_eq!(states(vec![run(1, ranks)], &pods), [state], "{shows}");
    }
}

#[test]
fn what_lives_of_one_run_proves_no_other() {
    let live = vec![record(0, "a", false), record(1, "b", false)];
    let pods = [pod("a", false), pod("b", false)];
    // The document asks for the first again, which may have been finished before the second.
    let states = states(vec![run(1, Vec::new()), run(2, live)], &pods);
    assert_eq!(states, [RunState::Unknown, RunState::Open]);
}

#[test]
fn what_is_known_to_be_over_stays_so() {
    let done = Run {
        state: RunState::Completed,
        ..run(1, Vec::new())
    };
    assert_eq!(states(vec![done], &[]), [RunState::Completed]);
}

/// The commit that the anchor is told to name, if it is.
fn anchored(effects: &[Effect]) -> Option<String> {
    let name = anchor_name(&Name::new("lab").unwrap());
    effects.iter().find_map(|effect| match &effect.what {
        What::Keep {
            name: kept, data, ..
        } if *kept == name => data.as_ref()?.get("status").cloned(),
        _ => None,
    })
}

/// `berth reanchor` on a branch that was rolled back from the commit that the anchor names.
fn reanchoring(files: &[(&str, &str)]) -> World {
    let mut world = World::with(|options| Options {
        reanchor: true,
        ..options
    });
    world = world.pushed();
    world.anchored = Some(7);
    for (path, text) in files {
        world.put(path, text);
    }
    world.begin();
    world
}

#[test]
fn the_anchor_names_nothing_before_what_is_doubted_is_pushed() {
    let mut world = reanchoring(&[("a.yaml", &experiment("a", SMALL))]);
    // A daemon that died now and found the anchor at the old tip would doubt nothing.
    assert_eq!(anchored(&world.step()), None);
    assert!(!world.reconciler.is_anchored());
    world.wait(Duration::from_secs(30));
    let effects = world.step();
    let record = effects.iter().find_map(|effect| match &effect.what {
        What::Record { files, .. } => Some((effect.id, files)),
        _ => None,
    });
    let (id, files) = record.unwrap();
    let applied = files[APPLIED].as_ref().unwrap();
    assert!(applied.contains("Experiment/vision/a"), "{applied}");
    assert_eq!(anchored(&effects), None);
    world.input(Input::Done(id, Outcome::Recorded(commit(2))));
    assert_eq!(anchored(&world.step()), Some(commit(2).to_string()));
}

fn id(experiment: &str) -> UnitId {
    let name = |text: &str| Name::new(text).unwrap();
    UnitId::experiment(name("vision"), name(experiment))
}

/// The states of the runs of an experiment, oldest first.
fn runs_of(world: &World, experiment: &str) -> Vec<RunState> {
    let known = world.reconciler.unit_ledger(&id(experiment)).unwrap();
    known.ledger.runs.iter().map(|run| run.state).collect()
}

#[test]
fn what_may_have_stood_in_a_file_that_could_not_be_parsed_is_doubted_too() {
    let first = experiment("a", SMALL);
    let mut world = reanchoring(&[("a.yaml", &first), ("b.yaml", "spec: [torn")]);
    world.settle();
    // It is mended.
    for (path, name) in [("b.yaml", "hidden"), ("c.yaml", "new")] {
        world.put(path, &experiment(name, SMALL));
        world.commit();
        world.wait(Duration::from_secs(30));
        world.rest();
    }
    let unknown = RunState::Unknown;
    assert_eq!(runs_of(&world, "a"), [unknown]);
    assert_eq!(runs_of(&world, "hidden"), [unknown]);
    assert_eq!(runs_of(&world, "new"), [RunState::Open]);
}

#[test]
fn a_run_that_is_asked_for_no_more_before_all_is_seen_is_doubted_too() {
    let first = experiment("a", SMALL);
    let second = experiment("a", &format!("{SMALL}  run: 2\n"));
    let mut world = reanchoring(&[("a.yaml", &first)]);
    world.step();
    world.put("a.yaml", &second);
    world.commit();
    world.step();
    world.listed();
    world.step();
    // The document goes back to what may have been finished before the history was lost.
    world.put("a.yaml", &first);
    world.commit();
    let effects = world.step();
    assert!(makes(&effects).is_empty(), "{effects:?}");
    assert_eq!(runs_of(&world, "a"), [RunState::Unknown; 2]);
}

/// A pod of the experiment `a`, that runs.
fn running_pod() -> (ObjectKey, Value) {
    let name = "a-0badc0de-1-1-0";
    let body = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "vision", "uid": name, "resourceVersion": "1",
            "creationTimestamp": "1970-01-12T13:46:40Z",
            "labels": {
                marks::INSTANCE: "i", marks::RUN: "0badc0de",
                marks::TRIAL: "1", marks::ATTEMPT: "1", marks::RANK: "0",
            },
            "annotations": {
                marks::ID: format!("Pod vision/{name}"),
                marks::UNIT: id("a").to_string(),
                marks::COMMIT: commit(1).to_string(),
            },
            "finalizers": [marks::FINALIZER],
        },
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Running", "startTime": "1970-01-12T13:46:41Z"},
    });
    let key = fact(&body, "i").unwrap().key;
    (key, body)
}

fn makes(effects: &[Effect]) -> Vec<&What> {
    let whats = effects.iter().map(|effect| &effect.what);
    let made = |what: &&What| matches!(what, What::Create { .. } | What::Delete { .. });
    whats.filter(made).collect()
}

#[test]
fn what_runs_of_a_document_that_is_not_valid_or_hidden_goes_on_and_is_doubted() {
    let faulty = experiment("a", &format!("{SMALL}  nonsense: 1\n"));
    for bad in [&*faulty, "spec: [torn"] {
        let mut world = reanchoring(&[("a.yaml", bad)]);
        let (key, pod) = running_pod();
        world.objects.insert(key, pod);
        world.listed();
        let effects = world.step();
        let touched = |effect: &Effect| effect.unit.as_ref() == Some(&id("a"));
        assert!(!effects.iter().any(touched), "{bad}: {effects:?}");
        let status = world.reconciler.unit_status(&id("a")).unwrap();
        assert_eq!(status.state, "Held");
        // What it asks for once it is mended may have been finished before.
        world.put("a.yaml", &experiment("a", SMALL));
        world.commit();
        world.step();
        let runs = &world.reconciler.unit_ledger(&id("a")).unwrap().ledger.runs;
        let asked = runs.iter().find(|run| run.identity.short() != "0badc0de");
        assert_eq!(asked.unwrap().state, RunState::Unknown, "{bad}");
        let book = &world.reconciler.book;
        assert!(book.progress.unproven.is_empty(), "{bad}");
    }
}

#[test]
fn what_a_document_asks_for_once_it_is_mended_is_doubted_too() {
    let mut world = reanchoring(&[("a.yaml", &experiment("a", SMALL))]);
    let says = |world: &mut World, more: &str| {
        world.put("a.yaml", &experiment("a", &format!("{SMALL}{more}")));
        world.commit();
    };
    // What it asks for by now is not valid: the form before is looked at.
    says(&mut world, "  nonsense: 1\n");
    world.listed();
    world.step();
    assert_eq!(runs_of(&world, "a"), [RunState::Unknown]);
    says(&mut world, "  run: 2\n");
    let effects = world.step();
    assert!(makes(&effects).is_empty(), "{effects:?}");
    assert_eq!(runs_of(&world, "a"), [RunState::Unknown; 2]);
    // All is told now: what comes next is new.
    says(&mut world, "  run: 3\n");
    assert_eq!(makes(&world.step()).len(), 1);
}

/// The state branch may go back to what it said before, while the reanchor is under way.
#[test]
fn a_document_that_comes_back_meanwhile_is_doubted_too() {
    for (with_document, with_pod) in [(true, true), (true, false), (false, true)] {
        let mut world = reanchoring(&[]);
        if with_document {
            world.put("a.yaml", &experiment("a", SMALL));
            world.commit();
        }
        let (key, mut pod) = running_pod();
        pod["metadata"]["deletionTimestamp"] = "1970-01-12T13:46:41Z".into();
        if with_pod {
            world.objects.insert(key, pod);
        }
        world.settle();
        let mut states = runs_of(&world, "a");
        states.dedup();
        assert_eq!(states, [RunState::Unknown], "{with_document}");
        // What comes once that is pushed is new.
        world.later();
        world.put("b.yaml", &experiment("b", SMALL));
        world.commit();
        assert_eq!(makes(&world.step()).len(), 1, "{with_document}");
    }
}

#[test]
fn a_doubt_about_what_is_gone_ends() {
    let faulty = experiment("a", &format!("{SMALL}  nonsense: 1\n"));
    let mut world = reanchoring(&[("a.yaml", &faulty)]);
    world.settle();
    world.later();
    assert!(world.reconciler.book.progress.unproven.contains(&id("a")));
    world.repository.files.remove("a.yaml");
    world.commit();
    world.later();
    let progress = &world.reconciler.book.progress;
    assert!(progress.unproven.is_empty(), "{:?}", progress.unproven);
}

/// A document that stays invalid is doubted for long; that holds nobody else's launch, of which a
/// daemon that was killed pushed nothing.
#[test]
fn a_launch_that_was_cut_short_is_not_held_by_an_old_doubt() {
    let faulty = experiment("a", &format!("{SMALL}  nonsense: 1\n"));
    let mut world = reanchoring(&[("a.yaml", &faulty)]);
    world.settle();
    world.later();
    world.away = true;
    world.put(
        "b.yaml",
        &experiment("b", "  resources: {slotsPerTrial: 16}\n"),
    );
    world.commit();
    world.rest();
    let pods = world.of(ObjectKind::Pod);
    assert_eq!(pods.len(), 2);
    world.objects.remove(&pods[1]);
    world.away = false;
    world.options.reanchor = false;
    world.anchored = Some(world.commits);
    world.begin();
    world.settle();
    assert_eq!(world.of(ObjectKind::Pod), pods);
    assert_eq!(runs_of(&world, "b"), [RunState::Open]);
}
