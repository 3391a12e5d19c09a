//! What lives proves, and that nothing goes on as if it were proven before that is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::desired::fixture::{Repository, experiment};
use crate::ids::{BlobId, CommitId, Digest, Name, ObjectKind};
use crate::ledger::{APPLIED, Applied, RankRecord, Trial};
use crate::observed::{fact, marks};
use crate::reconciler::testing::{
    EXPERIMENT, commit, document, outside, see_all, snapshot, started,
};
use crate::reconciler::{Effect, Input, Options, Outcome, WatchEvent, WatchKey, What, anchor_name};

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

#[test]
fn the_anchor_names_nothing_before_what_is_doubted_is_pushed() {
    let start = Timestamp::from_millis(1_000_000);
    let mut reconciler = started(start, |options| Options {
        reanchor: true,
        ..options
    });
    // It was rolled back from the commit that the anchor names.
    outside(&mut reconciler, start, commit(1), Some(commit(7)));
    // A daemon that died now and found the anchor at the old tip would doubt nothing.
    assert_eq!(anchored(&reconciler.step(start)), None);
    assert!(!reconciler.is_anchored());
    let later = start.plus(Duration::from_secs(30));
    let effects = reconciler.step(later);
    let record = effects.iter().find_map(|effect| match &effect.what {
        What::Record { files, .. } => Some((effect.id, files)),
        _ => None,
    });
    let (id, files) = record.unwrap();
    let applied = files[APPLIED].as_ref().unwrap();
    assert!(applied.contains("Experiment/vision/resnet"), "{applied}");
    assert_eq!(anchored(&effects), None);
    reconciler.input(later, Input::Done(id, Outcome::Recorded(commit(2))));
    assert_eq!(
        anchored(&reconciler.step(later)),
        Some(commit(2).to_string())
    );
}

fn id(experiment: &str) -> UnitId {
    let name = |text: &str| Name::new(text).unwrap();
    UnitId::experiment(name("vision"), name(experiment))
}

fn state_of(reconciler: &Reconciler, experiment: &str) -> RunState {
    let known = reconciler.unit_ledger(&id(experiment)).unwrap();
    known.ledger.runs[0].state
}

#[test]
fn what_may_have_stood_in_a_file_that_could_not_be_parsed_is_doubted_too() {
    let now = Timestamp::from_millis(1_000_000);
    let mut reconciler = started(now, |options| Options {
        reanchor: true,
        ..options
    });
    let experiment = |name: &str| document("Experiment", name, EXPERIMENT);
    let (hidden, new) = (experiment("hidden"), experiment("new"));
    reconciler.input(now, snapshot(&["spec: [torn"]));
    outside(&mut reconciler, now, commit(1), Some(commit(7)));
    see_all(&mut reconciler, now);
    reconciler.step(now);
    // It is mended.
    reconciler.input(now, snapshot(&[&hidden]));
    reconciler.step(now);
    reconciler.input(now, snapshot(&[&hidden, &new]));
    reconciler.step(now);
    let states = ["resnet", "hidden", "new"].map(|name| state_of(&reconciler, name));
    let unknown = RunState::Unknown;
    assert_eq!(states, [unknown, unknown, RunState::Open]);
}

/// `berth reanchor` on a cluster where these experiments stand beside the usual one.
fn reanchoring(now: Timestamp, more: &[&str]) -> Reconciler {
    let mut reconciler = started(now, |options| Options {
        reanchor: true,
        ..options
    });
    reconciler.input(now, snapshot(more));
    outside(&mut reconciler, now, commit(1), Some(commit(7)));
    reconciler
}

#[test]
fn a_run_that_is_asked_for_no_more_before_all_is_seen_is_doubted_too() {
    let now = Timestamp::from_millis(1_000_000);
    let other = |spec: &str| document("Experiment", "other", spec);
    let first = other(EXPERIMENT);
    let second = other(&format!("{EXPERIMENT}, run: 2"));
    let mut reconciler = reanchoring(now, &[&first]);
    reconciler.step(now);
    reconciler.input(now, snapshot(&[&second]));
    reconciler.step(now);
    see_all(&mut reconciler, now);
    reconciler.step(now);
    // The document goes back to what may have been finished before the history was lost.
    reconciler.input(now, snapshot(&[&first]));
    let effects = reconciler.step(now);
    assert!(makes(&effects).is_empty(), "{effects:?}");
    let runs = reconciler.unit_ledger(&id("other")).unwrap();
    let states = runs.ledger.runs.iter().map(|run| run.state);
    assert_eq!(states.collect::<Vec<_>>(), [RunState::Unknown; 2]);
}

/// What a pod of the experiment tells, that runs.
fn runs_of(experiment: &str) -> WatchEvent {
    let name = format!("{experiment}-0badc0de-1-1-0");
    let body = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "vision", "uid": name, "resourceVersion": "7",
            "creationTimestamp": "1970-01-01T00:16:40Z",
            "labels": {
                marks::INSTANCE: "here", marks::RUN: "0badc0de",
                marks::TRIAL: "1", marks::ATTEMPT: "1", marks::RANK: "0",
            },
            "annotations": {
                marks::ID: format!("Pod vision/{name}"),
                marks::UNIT: id(experiment).to_string(),
                marks::COMMIT: commit(99).to_string(),
            },
            "finalizers": [marks::FINALIZER],
        },
        "spec": {"nodeName": "node"},
        "status": {"phase": "Running", "startTime": "1970-01-01T00:16:41Z"},
    });
    WatchEvent::Object(Box::new(fact(&body, "here").unwrap()))
}

fn makes(effects: &[Effect]) -> Vec<&What> {
    let whats = effects.iter().map(|effect| &effect.what);
    let made = |what: &&What| matches!(what, What::Create { .. } | What::Delete { .. });
    whats.filter(made).collect()
}

#[test]
fn what_runs_of_a_document_that_is_not_valid_or_hidden_goes_on_and_is_doubted() {
    let now = Timestamp::from_millis(1_000_000);
    let other = |spec: &str| document("Experiment", "other", spec);
    let fine = other(EXPERIMENT);
    let faulty = other(&format!("{EXPERIMENT}, nonsense: 1"));
    for bad in [&*faulty, "spec: [torn"] {
        let mut reconciler = reanchoring(now, &[bad]);
        see_all(&mut reconciler, now);
        let watch = WatchKey::Ours(ObjectKind::Pod, "vision".into());
        reconciler.input(now, Input::Watch(watch, runs_of("other")));
        let effects = reconciler.step(now);
        let touched = |effect: &Effect| effect.unit.as_ref() == Some(&id("other"));
        assert!(!effects.iter().any(touched), "{bad}: {effects:?}");
        assert_eq!(reconciler.unit_status(&id("other")).unwrap().state, "Held");
        // What it asks for once it is mended may have been finished before.
        reconciler.input(now, snapshot(&[&fine]));
        reconciler.step(now);
        let runs = &reconciler.unit_ledger(&id("other")).unwrap().ledger.runs;
        let asked = runs.iter().find(|run| run.identity.short() != "0badc0de");
        assert_eq!(asked.unwrap().state, RunState::Unknown, "{bad}");
        assert!(reconciler.book.progress.unproven.is_empty(), "{bad}");
    }
}

#[test]
fn what_a_document_asks_for_once_it_is_mended_is_doubted_too() {
    let now = Timestamp::from_millis(1_000_000);
    let mut repository = Repository::new();
    let mut says = |spec: &str| {
        repository.put("a.yaml", &experiment("a", spec));
        Input::Snapshot(Arc::new(repository.load().unwrap()))
    };
    let mut reconciler = started(now, |options| Options {
        reanchor: true,
        ..options
    });
    reconciler.input(now, says("  resources: {slotsPerTrial: 1}\n"));
    outside(&mut reconciler, now, commit(1), Some(commit(7)));
    // What it asks for by now is not valid: the form before is looked at.
    reconciler.input(now, says("  nonsense: 1\n"));
    see_all(&mut reconciler, now);
    reconciler.step(now);
    assert_eq!(state_of(&reconciler, "a"), RunState::Unknown);
    reconciler.input(now, says("  resources: {slotsPerTrial: 1}\n  run: 2\n"));
    let effects = reconciler.step(now);
    assert!(makes(&effects).is_empty(), "{effects:?}");
    let runs = &reconciler.unit_ledger(&id("a")).unwrap().ledger.runs;
    let states = runs.iter().map(|run| run.state);
    assert_eq!(states.collect::<Vec<_>>(), [RunState::Unknown; 2]);
    // All is told now: what comes next is new.
    reconciler.input(now, says("  resources: {slotsPerTrial: 1}\n  run: 3\n"));
    assert_eq!(makes(&reconciler.step(now)).len(), 1);
}
