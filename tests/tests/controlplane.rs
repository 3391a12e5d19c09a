//! The harness itself: a real control plane starts, is killed in parts, comes back, and leaves
//! nothing behind. Without the programs it says so; `BERTH_CONTROLPLANE=required` makes that fail.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use berth_tests::controlplane::{ControlPlane, Options, Part, Programs};
use berth_tests::e2e::built;

fn programs() -> Option<Programs> {
    built("the control plane's own tests")
}

async fn version(plane: &ControlPlane) -> String {
    let client = plane.client().await.unwrap();
    client.apiserver_version().await.unwrap().git_version
}

fn ports_of(plane: &ControlPlane) -> Vec<u16> {
    let config = std::fs::read_to_string(plane.kubeconfig()).unwrap();
    let texts = [config, plane.etcd()];
    let after = texts
        .iter()
        .flat_map(|text| text.split("127.0.0.1:").skip(1));
    after
        .map(|text| {
            let digits = text.find(|c: char| !c.is_ascii_digit());
            text[..digits.unwrap_or(text.len())].parse().unwrap()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_side_by_side_and_nothing_left() {
    let Some(programs) = programs() else { return };
    let options = Options::api();
    let (one, other) = tokio::join!(
        ControlPlane::start(&programs, &options),
        ControlPlane::start(&programs, &options),
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    let facts = berth_openapi::facts().version();
    assert_eq!(
        version(&one).await,
        facts,
        "the facts are of another version"
    );
    assert_eq!(version(&other).await, facts);
    assert_ne!(one.kubeconfig(), other.kubeconfig());
    let (folder, ports) = (one.kubeconfig(), ports_of(&one));
    assert_eq!(ports.len(), 2);
    drop(one);
    assert!(!folder.exists(), "{} is left", folder.display());
    for port in ports {
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
    assert_eq!(version(&other).await, facts, "the other one suffered");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_die_and_come_back() {
    let Some(programs) = programs() else { return };
    let mut plane = ControlPlane::start(&programs, &Options::api())
        .await
        .unwrap();
    for part in [Part::ApiServer, Part::Etcd] {
        let before = plane.pid(part);
        plane.kill(part);
        assert_eq!(plane.pid(part), None);
        plane.revive(part).unwrap();
        assert_ne!(plane.pid(part), before);
        plane.until_ready().await.unwrap();
    }
    assert!(plane.last_words(Part::ApiServer).contains("127.0.0.1"));
}

/// Set in the process that plays the one that dies.
const DIES: &str = "BERTH_TEST_DIES";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_process_that_was_killed() {
    let Some(programs) = programs() else { return };
    if std::env::var_os(DIES).is_some() {
        let plane = ControlPlane::start(&programs, &Options::api())
            .await
            .unwrap();
        let pids = [Part::Etcd, Part::ApiServer].map(|part| plane.pid(part).unwrap());
        let folder = plane.kubeconfig().parent().unwrap().to_owned();
        println!("STARTED {} {} {}", pids[0], pids[1], folder.display());
        std::process::abort();
    }
    let this = std::env::current_exe().unwrap();
    let dies = std::process::Command::new(this)
        .args([
            "--exact",
            "nothing_outlives_a_process_that_was_killed",
            "--nocapture",
        ])
        .env(DIES, "1")
        .output()
        .unwrap();
    assert!(!dies.status.success());
    let said = String::from_utf8_lossy(&dies.stdout);
    let (_, started) = said.split_once("STARTED ").unwrap();
    let started: Vec<&str> = started.lines().next().unwrap().splitn(3, ' ').collect();
    let [etcd, server, folder] = started[..] else {
        panic!("{said}")
    };
    let lives = |pid: &str| std::path::Path::new("/proc").join(pid).exists();
    let is_left = || lives(etcd) || lives(server) || std::path::Path::new(folder).exists();
    let end = Instant::now() + Duration::from_secs(30);
    while is_left() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!is_left(), "left: {said}");
}
