//! The seeded storm: a proxy between daemon and server cuts watches, holds back and loses answers,
//! throttles and breaks.

use std::time::Duration;

use berth_tests::e2e::{Faults, On, Setting, Stage, UNHEARD, seeds};
use futures::future::join_all;
use serde_json::Value;

/// Those that are played on each server; their storms differ, and each is as cheap as another.
const SEEDS: [u64; 6] = [1, 2, 3, 4, 5, 6];
/// Most of a storm is waiting: so many play side by side.
const SIDE_BY_SIDE: usize = 3;

/// What may become of a request; among all storms each of it comes.
const FATES: [&str; 9] = [
    "throttled",
    "away",
    "failed",
    "lost before",
    "answer lost",
    UNHEARD,
    "delayed",
    "cut",
    "expired",
];

async fn throttled_broken_and_lost_answers_lose_nothing_and_double_nothing(on: On) {
    let all = seeds(&SEEDS);
    let mut came = [0; FATES.len()];
    for some in all.chunks(SIDE_BY_SIDE) {
        // A storm that fails tells its seed.
        println!("seeds {some:?}");
        for drawn in join_all(some.iter().map(|seed| storm(on, *seed))).await {
            came.iter_mut()
                .zip(drawn)
                .for_each(|(sum, one)| *sum += one);
        }
    }
    println!("{FATES:?}: {came:?}");
    let one_alone = all.len() < SEEDS.len();
    assert!(
        one_alone || came.iter().all(|one| *one > 0),
        "{FATES:?}: {came:?}"
    );
}

/// Plays one; gives how often each of the fates came.
async fn storm(on: On, seed: u64) -> [u64; FATES.len()] {
    let mut stage = Stage::build(Setting {
        proxy: Some(seed),
        ..Setting::usual(on)
    })
    .await;
    stage.patience = Duration::from_mins(3);
    stage.said(&["\"ready\""]).await;
    let storm = Faults::STORM;
    let proxy = stage.proxy.as_ref().unwrap();
    proxy.set(storm);
    // Those that are open were opened in fine weather.
    proxy.cut_watches();
    for number in 0..6 {
        stage.add(&format!("gang-{number}"), 16, "50ms", &[]);
    }
    stage.add("flaky", 16, "50ms", &[("exit", "attempt=1,rank=0:1;0")]);
    for number in 0..6 {
        let name = format!("gang-{number}");
        stage.state(&name, "Completed").await;
        assert_eq!(stage.scene.of(&name).len(), 2, "{}", stage.describe());
    }
    stage.state("flaky", "Completed").await;
    let attempts = stage.scene.status.attempts("flaky");
    assert_eq!(attempts, [(1, "failed"), (2, "completed")]);
    let proxy = stage.proxy.as_ref().unwrap();
    let came = FATES.map(|fate| proxy.came(fate));
    let kinds = came.iter().filter(|one| **one > 0).count();
    assert!(kinds >= 4, "this is no storm: {}", proxy.describe());
    proxy.set(Faults::default());
    stage
        .until("all pods are let go", |scene| {
            let held = |pod: &Value| pod["metadata"]["finalizers"].is_array();
            !scene.pods.iter().any(|pod| !pod.gone && held(&pod.object))
        })
        .await;
    stage.check();
    came
}

/// What every storm is judged by can be broken.
async fn who_comes_back_before_retry_after_is_found(on: On) {
    let stage = Stage::build(Setting {
        proxy: Some(0),
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let kubeconfig = std::fs::read_to_string(stage.flags().kubeconfig).unwrap();
    let client = berth_tests::controlplane::client(&kubeconfig).await;
    let client = client.unwrap();
    let version = || async {
        let request = http::Request::get("/version").body(Vec::new()).unwrap();
        client.request::<Value>(request).await
    };
    let proxy = stage.proxy.as_ref().unwrap();
    proxy.set(Faults {
        throttled: 1000,
        ..Faults::default()
    });
    version().await.unwrap_err();
    assert_eq!(proxy.hurried(), [""; 0]);
    version().await.unwrap_err();
    let hurried = proxy.hurried();
    assert!(
        matches!(&*hurried, [one] if one.starts_with("GET /version ")),
        "{hurried:?}"
    );
}

on_both! {
    who_comes_back_before_retry_after_is_found,
    throttled_broken_and_lost_answers_lose_nothing_and_double_nothing,
}
