//! Killed before and after its nth effect, and started again: the same end, nothing twice.

use std::os::unix::process::ExitStatusExt;

use super::Stage;

/// SIGABRT.
const ABORTED: i32 = 6;

async fn killed_and_started_again(crash: &str) {
    let stage = Stage::new().await;
    let mut first = stage.daemon(Some(crash));
    let died = stage.within("neither dead nor done", async {
        tokio::select! {
            ended = first.wait() => ended.unwrap().signal(),
            _ = stage.completes() => None,
        }
    });
    let died = died.await;
    assert_eq!(died, Some(ABORTED), "{crash}: the hook did not bite");
    first.kill().await.unwrap();
    let _second = stage.daemon(None);
    let status = stage.within(crash, stage.completes()).await;
    let runs = status["ledger"]["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1, "{crash}: {status:#}");
    let trial = &runs[0]["trials"][0];
    let attempts = trial["attempts"].as_array().unwrap();
    assert_eq!(
        (attempts.len(), trial["restarts"].as_u64()),
        (1, Some(0)),
        "{crash}: {status:#}"
    );
    let pods = stage.call("GET", "/api/v1/namespaces/vision/pods", "");
    let pods = pods["items"].as_array().unwrap();
    assert_eq!(pods.len(), 2, "{crash}");
    let recorded = attempts[0]["ranks"].as_array().unwrap();
    for pod in pods {
        let uid = &pod["metadata"]["uid"];
        assert!(
            recorded.iter().any(|rank| rank["uid"] == *uid),
            "{crash}: {uid} is not recorded"
        );
    }
}

/// What every run has before it is over: a Service, two pods, and what is kept of them.
const MOMENTS: [&str; 6] = [
    "reload:1", "keep:1", "create:1", "create:2", "create:3", "record:1",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_its_nth_effect() {
    for moment in MOMENTS {
        killed_and_started_again(&format!("before:{moment}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_its_nth_effect() {
    for moment in MOMENTS {
        killed_and_started_again(&format!("after:{moment}")).await;
    }
}
