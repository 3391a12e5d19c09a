//! The daemon's life: how it begins after another one, and how it ends.

use std::path::Path;
use std::time::{Duration, Instant};

use berth_tests::e2e::{BRANCH, CREATE_PODS, Flags, On, Setting, Stage};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// It takes no longer to end, in whatever state, on a machine that is busy.
const SOON: Duration = Duration::from_secs(12);

/// SIGTERM: it ends well, and soon.
async fn ends_soon(stage: &mut Stage) {
    let began = Instant::now();
    stage.stop().await;
    let took = began.elapsed();
    assert!(took < SOON, "{took:?}\n{}", stage.describe());
}

fn lease(stage: &Stage) -> String {
    let namespace = stage.names().own();
    format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/berth-lab")
}

fn holder(stage: &Stage) -> Value {
    stage.cluster.read(&lease(stage))["spec"]["holderIdentity"].clone()
}

async fn a_daemon_that_stopped_every_write_ends_soon(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("one", 1, "20ms", &[]);
    stage.state("one", "Completed").await;
    stage.repository.git(&["branch", "-D", BRANCH]);
    stage.add("two", 1, "20ms", &[]);
    stage.said(&["not ready", "status branch is gone"]).await;
    ends_soon(&mut stage).await;
    assert_eq!(holder(&stage), "");
}

async fn a_daemon_at_work_ends_soon_and_has_recorded_what_it_knew(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("one", 8, "10m", &[]);
    stage
        .until("it runs", |scene| scene.running("one").len() == 1)
        .await;
    ends_soon(&mut stage).await;
    assert_eq!(holder(&stage), "");
    stage.look();
    assert_eq!(stage.scene.status.attempts("one").len(), 1);
    let anchor = stage
        .cluster
        .object("configmaps", &stage.names().own(), "berth-lab");
    let named = anchor.unwrap()["data"]["status"].clone();
    assert_eq!(named.as_str(), stage.scene.status.tip.as_deref());
}

async fn asked_to_end_at_its_first_moment_it_ends_well(on: On) {
    let mut stage = Stage::build(Setting {
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    for _ in 0..5 {
        stage.start();
        stage.said(&["\"begins\""]).await;
        ends_soon(&mut stage).await;
    }
}

/// A port that takes connections and never answers.
async fn silence() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

async fn a_git_server_that_hangs_holds_no_end_up(on: On) {
    let mut stage = Stage::build(Setting {
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let (listener, address) = silence().await;
    let flags = Flags {
        repository: format!("http://{address}/state.git"),
        ..stage.flags()
    };
    stage.start_with(&flags);
    let (mut asked, _) = listener.accept().await.unwrap();
    ends_soon(&mut stage).await;
    // Its git program ends too: the connection is closed.
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(SOON, asked.read_to_end(&mut rest));
    assert!(closed.await.is_ok(), "git goes on");
}

/// The kubeconfig with another address for its server.
fn at(address: &str, kubeconfig: &Path) -> String {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let mut config: Value = serde_saphyr::from_str(&text).unwrap();
    let server = &mut config["clusters"][0]["cluster"]["server"];
    let (scheme, _) = server.as_str().unwrap().split_once("://").unwrap();
    *server = format!("{scheme}://{address}").into();
    config.to_string()
}

async fn an_api_server_that_hangs_holds_no_end_up(on: On) {
    let mut stage = Stage::build(Setting {
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let (listener, address) = silence().await;
    let kubeconfig = stage.folder().join("hangs");
    std::fs::write(&kubeconfig, at(&address, stage.cluster.kubeconfig())).unwrap();
    let flags = Flags {
        kubeconfig,
        ..stage.flags()
    };
    stage.start_with(&flags);
    let _asked = listener.accept().await.unwrap();
    ends_soon(&mut stage).await;
}

async fn after_a_kill_the_next_daemon_does_not_wait_for_the_lease(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("one", 1, "20ms", &[]);
    stage.state("one", "Completed").await;
    stage.kill().await;
    stage.start();
    stage.said(&["the holder of the Lease has ended"]).await;
    stage.add("two", 1, "20ms", &[]);
    stage.state("two", "Completed").await;
    let waited = stage.daemon.as_ref().unwrap().says(&["it is free at"]);
    assert!(!waited, "{}", stage.describe());
    stage.check();
}

async fn where_a_death_cannot_be_proven_the_lease_runs_out_and_readiness_says_so(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("one", 1, "20ms", &[]);
    stage.state("one", "Completed").await;
    stage.kill().await;
    // As on another machine.
    let mirrors = stage.folder().join("elsewhere").display().to_string();
    let elsewhere = Flags {
        more: vec!["--mirrors".to_owned(), mirrors],
        ..stage.flags()
    };
    stage.start_with(&elsewhere);
    stage
        .said(&[
            "not ready",
            "the Lease is held by `first-",
            "if that one has ended it is free at 20",
        ])
        .await;
    stage.add("two", 1, "20ms", &[]);
    stage.state("two", "Completed").await;
    let said = |words: &[&str]| stage.daemon.as_ref().unwrap().says(words);
    assert!(said(&["\"ready\""]) && !said(&["has ended\""]));
    stage.check();
}

/// Somebody takes the Lease in the middle of a launch: from its next renewal on the daemon writes
/// nothing, and once the Lease is free again it makes what is missing, and nothing twice.
async fn a_lease_lost_in_a_launch_stops_it_and_nothing_is_made_twice(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("one", 1, "20ms", &[]);
    stage.state("one", "Completed").await;
    // Services are made, pods are tried again and again.
    stage.cluster.deny(&CREATE_PODS);
    for number in 0..2 {
        stage.add(&format!("gang-{number}"), 16, "200ms", &[]);
    }
    stage
        .until("the launch is under way", |scene| {
            scene.status.message("gang-1").contains("forbidden")
        })
        .await;
    let path = lease(&stage);
    let held = json!({"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 3600}});
    stage.cluster.patch(&path, &held);
    stage
        .said(&["not ready", "the Lease is held by `somebody`"])
        .await;
    stage.cluster.allow_all();
    stage.add("late", 1, "20ms", &[]);
    stage.said(&["Add late"]).await;
    // The refused pods would have been tried again by now.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stage.look();
    for name in ["gang-0", "gang-1", "late"] {
        assert_eq!(stage.scene.of(name).len(), 0, "{}", stage.describe());
    }
    let free = json!({"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}});
    stage.cluster.patch(&path, &free);
    for name in ["gang-0", "gang-1"] {
        stage.state(name, "Completed").await;
        assert_eq!(stage.scene.of(name).len(), 2, "{}", stage.describe());
    }
    stage.state("late", "Completed").await;
    stage.check();
}

on_both! {
    a_daemon_that_stopped_every_write_ends_soon,
    a_daemon_at_work_ends_soon_and_has_recorded_what_it_knew,
    asked_to_end_at_its_first_moment_it_ends_well,
    a_git_server_that_hangs_holds_no_end_up,
    an_api_server_that_hangs_holds_no_end_up,
    after_a_kill_the_next_daemon_does_not_wait_for_the_lease,
    where_a_death_cannot_be_proven_the_lease_runs_out_and_readiness_says_so,
    a_lease_lost_in_a_launch_stops_it_and_nothing_is_made_twice,
}
