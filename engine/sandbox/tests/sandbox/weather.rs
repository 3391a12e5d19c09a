//! Faults, and that all of it replays.

use std::time::Duration;

use berth_sandbox::{Body, Faults, Options, Request, Response};

use crate::{CONFIG_MAPS, Cluster, PODS, config_map, scripted};

fn stormy() -> Faults {
    Faults {
        throttled: 100,
        failed: 100,
        conflict: 100,
        lost_before: 100,
        lost_after: 100,
        cut_watch: 0,
        compacted: 0,
        delayed: 100,
        delay: Duration::from_millis(50),
    }
}

fn story(seed: u64) -> (Vec<Response>, u64) {
    let mut cluster = Cluster::with(Options {
        seed,
        faults: stormy(),
        ..Options::default()
    });
    let mut answers = Vec::new();
    for number in 0..60 {
        let pod = scripted(&format!("p{number}"), &[("run", "1s")]);
        answers.push(cluster.send(&Request::new("POST", PODS).with("application/json", &pod)));
        cluster.pass(100);
        answers.push(cluster.send(&Request::new("GET", PODS)));
    }
    (answers, cluster.server.revision())
}

#[test]
fn a_seed_replays() {
    let (one, other) = (story(7), story(7));
    assert_eq!(one, other);
    assert_ne!(one, story(8));
    let statuses: Vec<u16> = one.0.iter().map(|answer| answer.status).collect();
    assert!(statuses.contains(&429) && statuses.contains(&409) && statuses.contains(&0));
    let throttled = one.0.iter().find(|answer| answer.status == 429).unwrap();
    assert!(
        throttled
            .headers
            .contains(&("Retry-After".to_owned(), "1".to_owned()))
    );
    assert!(one.0.iter().any(|answer| !answer.delay.is_zero()));
}

#[test]
fn a_lost_answer_may_hide_a_write() {
    for (faults, written) in [
        (
            Faults {
                lost_after: 1000,
                ..Faults::default()
            },
            true,
        ),
        (
            Faults {
                lost_before: 1000,
                ..Faults::default()
            },
            false,
        ),
    ] {
        let mut cluster = Cluster::with(Options {
            faults,
            ..Options::default()
        });
        let request = Request::new("POST", CONFIG_MAPS).with("application/json", &config_map("c"));
        assert_eq!(cluster.send(&request).body, Body::Lost);
        assert_eq!(
            cluster
                .server
                .object("configmaps", "default", "c")
                .is_some(),
            written
        );
    }
}

#[test]
fn watches_are_cut() {
    let mut cluster = Cluster::new();
    let watch = cluster.watch(&format!("{PODS}?watch=1"));
    cluster.server.options_mut().faults.cut_watch = 1000;
    assert_eq!(cluster.heard(watch), ["CLOSED"]);
}
