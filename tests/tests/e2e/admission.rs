//! What a real server's admission refuses or changes.

use berth_tests::e2e::documents::{DEFAULTS, DEFAULTS_END, TOLERATION};
use berth_tests::e2e::{On, Setting, Stage};
use serde_json::json;

async fn pod_security_refuses_in_its_own_words_until_it_is_relaxed() {
    let mut stage = Stage::usual(On::Real).await;
    let namespace = format!("/api/v1/namespaces/{}", stage.names().queue());
    let enforce = |level: Option<&str>| json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}});
    stage
        .cluster
        .patch(&namespace, &enforce(Some("restricted")));
    stage.add("hello", 1, "20ms", &[]);
    stage
        .until("its status says what is violated", |scene| {
            let message = scene.status.message("hello");
            message.contains("violates PodSecurity \"restricted")
                && message.contains("runAsNonRoot")
        })
        .await;
    assert!(stage.scene.of("hello").is_empty(), "{}", stage.describe());
    stage.cluster.patch(&namespace, &enforce(None));
    stage.state("hello", "Completed").await;
    assert_eq!(stage.scene.of("hello").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.status.attempts("hello"), [(1, "completed")]);
    stage.check();
}

async fn pods_that_meet_the_restricted_level_run_under_it() {
    let mut stage = Stage::usual(On::Real).await;
    let namespace = format!("/api/v1/namespaces/{}", stage.names().queue());
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    stage
        .cluster
        .patch(&namespace, &json!({"metadata": {"labels": labels}}));
    let meets = [
        "      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}",
        "      containers:",
        "      - name: task",
        "        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}",
        "",
    ];
    let meets = meets.join("\n");
    let with = format!("{DEFAULTS_END}{meets}");
    stage.repository.replace(DEFAULTS, DEFAULTS_END, &with);
    stage.add("hello", 8, "20ms", &[]);
    stage.state("hello", "Completed").await;
    assert_eq!(stage.scene.of("hello").len(), 1, "{}", stage.describe());
    stage.check();
}

async fn an_image_changed_at_creation_is_neither_fought_nor_run_again(on: On) {
    let mut stage = Stage::build(Setting::with_mirror(on)).await;
    stage.add("gang", 16, "10m", &[]);
    stage
        .until("gang runs", |scene| scene.running("gang").len() == 2)
        .await;
    stage.state("gang", "Running").await;
    // Whatever makes the daemon look again: a commit, a change of a layer, a restart.
    let with = format!("{DEFAULTS_END}{TOLERATION}");
    stage.repository.replace(DEFAULTS, DEFAULTS_END, &with);
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    stage.stop().await;
    stage.start();
    stage.add("last", 1, "20ms", &[]);
    stage.state("last", "Completed").await;
    let pods = stage.scene.of("gang");
    assert_eq!(pods.len(), 2, "{}", stage.describe());
    for pod in pods {
        assert!(
            pod.image().starts_with(Setting::MIRROR.1),
            "{}",
            pod.image()
        );
    }
    assert_eq!(stage.scene.running("gang").len(), 2, "{}", stage.describe());
    assert!(!stage.scene.status.files.contains_key("drift.md"));
    stage.check();
}

on_both! {
    an_image_changed_at_creation_is_neither_fought_nor_run_again,
}

on_kube_apiserver! {
    pod_security_refuses_in_its_own_words_until_it_is_relaxed,
    pods_that_meet_the_restricted_level_run_under_it,
}
