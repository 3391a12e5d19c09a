//! Bad weather: what clusters, people and Git do to a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_tests::e2e::{CREATE_PODS, On, Scene, Setting, Stage, command};
use serde_json::{Value, json};

/// One running pod of 8 slots.
async fn running(on: On, more: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", more);
    stage
        .until("bert runs", |scene| scene.running("bert").len() == 1)
        .await;
    stage
}

fn pod_path(stage: &Stage, name: &str) -> String {
    let pod = &stage.scene.running(name)[0].name;
    stage.pod_path(pod)
}

fn second_attempt_runs(scene: &Scene) -> bool {
    let running = scene.running("bert");
    running.len() == 1 && running[0].attempt == 2
}

/// Attempt 1 was interrupted, which counts against nobody, and attempt 2 runs.
async fn interrupted_once(stage: &mut Stage) {
    stage.interrupted_once("bert").await;
    stage.check();
}

/// There is one event about the refusal of a pod of this experiment.
fn refused(stage: &Stage, name: &str, words: &str) -> Option<()> {
    let events = stage.cluster.objects("events", &stage.names().queue());
    let events: Vec<String> = events
        .iter()
        .filter(|event| event["reason"] == "Refused" && event["type"] == "Warning")
        .map(ToString::to_string)
        .filter(|text| text.contains(&format!("Experiment/vision/{name}")) && text.contains(words))
        .collect();
    assert!(events.len() < 2, "{events:?}");
    (events.len() == 1).then_some(())
}

/// The one event about the launch of this experiment's first pod.
fn launched(stage: &Stage, name: &str) -> Option<Value> {
    let events = stage.cluster.objects("events", &stage.names().queue());
    let unit = format!("Experiment/vision/{name}: ");
    let of = |event: &&Arc<Value>| {
        let words = event["message"].as_str().unwrap_or_default();
        event["reason"] == "Launched" && words.starts_with(&unit)
    };
    let events: Vec<_> = events.iter().filter(of).collect();
    assert!(events.len() < 2, "{events:?}");
    events.first().map(|event| Value::clone(event))
}

async fn no_right_to_create_pods_is_said_and_mended(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.cluster.deny(&CREATE_PODS);
    let commit = stage.add("hello", 16, "20ms", &[]);
    stage
        .until("its status has the server's words", |scene| {
            scene.status.message("hello").contains("forbidden")
        })
        .await;
    let message = stage.scene.status.message("hello").to_owned();
    assert!(message.contains("pods"), "{message}");
    stage
        .wait("an event says so to whoever looks there", |stage| {
            refused(stage, "hello", "forbidden")
        })
        .await;
    assert_eq!(launched(&stage, "hello"), None);
    stage.cluster.allow_all();
    stage.state("hello", "Completed").await;
    let pods = stage.scene.of("hello");
    assert_eq!(pods.len(), 2, "{}", stage.describe());
    let first = pods.iter().find(|pod| pod.rank == 0).unwrap();
    let (pod, uid, run) = (first.name.clone(), first.uid.clone(), first.run.clone());
    let event = stage
        .wait("an event says that it was launched", |stage| {
            launched(stage, "hello")
        })
        .await;
    let about = &event["involvedObject"];
    assert_eq!(
        (&event["type"], &about["kind"]),
        (&"Normal".into(), &"Pod".into())
    );
    assert_eq!((&about["name"], &about["uid"]), (&pod.into(), &uid.into()));
    let short = &commit[..8];
    let words =
        format!("Experiment/vision/hello: attempt 1 of trial 1 of run {run} for commit {short}");
    assert_eq!(event["message"], words);
    stage.check();
}

async fn a_full_quota_stops_only_what_it_refuses(on: On) {
    let mut stage = Stage::usual(on).await;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"},
        "spec": {"hard": {"requests.nvidia.com/gpu": "4"}},
    });
    let quotas = stage.names().path("resourcequotas");
    stage.cluster.post(&quotas, &quota);
    stage.add("large", 8, "20ms", &[]);
    stage.add("small", 2, "20ms", &[]);
    stage.state("small", "Completed").await;
    stage
        .until("the status of large has the server's words", |scene| {
            scene.status.message("large").contains("exceeded quota")
        })
        .await;
    stage
        .wait("an event says so to whoever looks there", |stage| {
            refused(stage, "large", "exceeded quota")
        })
        .await;
    stage.cluster.delete(&format!("{quotas}/small"));
    stage.state("large", "Completed").await;
    assert_eq!(stage.scene.of("large").len(), 1, "{}", stage.describe());
    stage.check();
}

async fn an_edited_service_is_put_right_and_a_deleted_one_is_made_again(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("gang", 16, "10m", &[]);
    stage
        .until("gang runs", |scene| scene.running("gang").len() == 2)
        .await;
    let services = stage.cluster.objects("services", &stage.names().queue());
    let service = services
        .first()
        .unwrap_or_else(|| panic!("no service\n{}", stage.describe()));
    let name = service["metadata"]["name"].as_str().unwrap().to_owned();
    let selector = service["spec"]["selector"].clone();
    let uid = service["metadata"]["uid"].clone();
    let queue = stage.names().queue();
    let path = stage.names().path(&format!("services/{name}"));
    let live = |stage: &Stage| stage.cluster.object("services", &queue, &name);
    let wrong = json!({"spec": {"selector": {"berth.dev/attempt": "77"}}});
    stage.cluster.patch(&path, &wrong);
    stage
        .wait("the selector is as it was", |stage| {
            (live(stage)?["spec"]["selector"] == selector).then_some(())
        })
        .await;
    stage.cluster.delete(&path);
    stage
        .wait("there is a new service", |stage| {
            let now = live(stage)?;
            (now["metadata"]["uid"] != uid && now["spec"]["selector"] == selector).then_some(())
        })
        .await;
    stage
        .until("the drift is reported", |scene| {
            let report = scene.status.files.get("drift.md");
            report.is_some_and(|text| text.contains("spec.selector"))
        })
        .await;
    assert_eq!(stage.scene.running("gang").len(), 2, "{}", stage.describe());
    stage.check();
}

/// A webhook changed the image at its creation, which is how the pod was made; then a person does.
async fn a_pod_changed_by_hand_is_reported_and_left_alone(on: On) {
    let mut stage = Stage::build(Setting::with_mirror(on)).await;
    stage.add("bert", 8, "10m", &[]);
    stage.state("bert", "Running").await;
    let none = drift(&stage, &[]).await;
    assert_eq!(
        none,
        (Some(0), "no drift\n".to_owned()),
        "{}",
        stage.describe()
    );
    let (path, queue) = (pod_path(&stage, "bert"), stage.names().queue());
    let name = stage.scene.running("bert")[0].name.clone();
    let pod = stage.cluster.object("pods", &queue, &name).unwrap();
    let mut containers = pod["spec"]["containers"].clone();
    let made = containers[0]["image"].as_str().unwrap().to_owned();
    assert!(made.starts_with(Setting::MIRROR.1), "{made}");
    containers[0]["image"] = "registry.example.com/other:1".into();
    let edit = json!({
        "metadata": {"labels": {"team": "audio", "app.kubernetes.io/part-of": "audio"}, "annotations": {
            "berth.dev/digest": null, "cni.example.com/ip": "10.0.0.1", "berth.dev/hyperparameters": "{}"}},
        "spec": {"containers": containers},
    });
    let edited = stage.cluster.patch(&path, &edit);
    let fields = [
        "metadata.annotations[berth.dev/hyperparameters]",
        "metadata.labels.team",
        "metadata.labels[app.kubernetes.io/part-of]",
        "spec.containers[name=task].image",
    ];
    stage
        .until("the drift is reported", |scene| {
            let report = scene.status.files.get("drift.md");
            let has = |text: &String| fields.iter().all(|field| text.contains(field));
            report.is_some_and(has)
        })
        .await;
    let report = &stage.scene.status.files["drift.md"];
    assert!(!report.contains("cni.example.com"), "{report}");
    // Nothing puts it right, and whoever asks is told the same, also after a restart.
    stage.kill().await;
    stage.start();
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    let live = stage.cluster.object("pods", &queue, &name).unwrap();
    assert_eq!(live["spec"]["containers"], edited["spec"]["containers"]);
    assert_eq!(live["metadata"]["labels"]["team"], "audio");
    let (code, found) = drift(&stage, &["-o", "json"]).await;
    assert_eq!(code, Some(1), "{found}");
    let found: Value = serde_json::from_str(&found).unwrap();
    let of = found[0]["fields"].as_array().unwrap();
    let mut paths: Vec<&str> = of.iter().filter_map(|it| it["path"].as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, fields, "{found}");
    // What somebody added is in no document.
    for field in of.iter().filter(|it| !it["desired"].is_null()) {
        explains(&stage, field["path"].as_str().unwrap()).await;
    }
    // What it was made with is known, though the pod did not say it any more; it had no team.
    let known = |it: &Value| it["desired"].is_string() || it["path"] == "metadata.labels.team";
    assert!(of.iter().all(known), "{found}");
    // New labels in Git are nobody's change of the pod; what it was made with is not known any more.
    let labels = "  name: bert\n  labels: {cost: high}\n";
    stage.edit("bert", "  name: bert\n", labels);
    stage
        .until("bert is outdated by its labels", |scene| {
            scene.status.outdated("bert") == ["labels"]
        })
        .await;
    let (_, found) = drift(&stage, &[]).await;
    let image = "registry.example.com/other:1 instead of what is not known any more";
    assert!(found.contains(image) && !found.contains("cost"), "{found}");
    // Somebody puts it back.
    let annotation = "berth.dev/hyperparameters";
    let edit = json!({
        "metadata": {"labels": {"team": null, "app.kubernetes.io/part-of": "vision"},
            "annotations": {annotation: pod["metadata"]["annotations"][annotation]}},
        "spec": {"containers": pod["spec"]["containers"]},
    });
    stage.cluster.patch(&path, &edit);
    stage
        .until("nothing drifts", |scene| {
            !scene.status.files.contains_key("drift.md")
        })
        .await;
    assert_eq!(drift(&stage, &[]).await, (Some(0), "no drift\n".to_owned()));
    assert_eq!(stage.scene.running("bert").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage.check();
}

/// What `berth drift` names, `berth explain` knows.
async fn explains(stage: &Stage, path: &str) {
    let repository = stage.flags().repository;
    let mut explain = command();
    explain.args(["explain", "bert", path, "--repo", &repository]);
    explain.args(["--ref", "main", "--cluster", "lab"]);
    let done = tokio::process::Command::from(explain).output();
    let done = done.await.unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{path}: {said}");
    assert!(!done.stdout.is_empty(), "{path}");
}

/// `berth drift`: exit code and what it prints.
async fn drift(stage: &Stage, more: &[&str]) -> (Option<i32>, String) {
    let flags = stage.flags();
    let mut drift = command();
    drift
        .args(["drift", "--repo", &flags.repository, "--ref", "main"])
        .args(["--cluster", "lab", "--kubeconfig"])
        .arg(&flags.kubeconfig)
        .args(more);
    let done = tokio::process::Command::from(drift).output().await.unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_ne!(done.status.code(), Some(3), "{said}");
    (done.status.code(), String::from_utf8(done.stdout).unwrap())
}

async fn a_pod_deleted_by_hand_is_an_interruption(on: On) {
    let mut stage = running(on, &[]).await;
    stage.cluster.delete(&pod_path(&stage, "bert"));
    interrupted_once(&mut stage).await;
}

async fn exit_zero_after_being_asked_to_stop_is_no_success(on: On) {
    let mut stage = running(on, &[("on-term", "exit=0,after=50ms")]).await;
    let pod = stage.scene.running("bert")[0].name.clone();
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": pod, "namespace": stage.names().queue()},
    });
    let path = format!("{}/eviction", pod_path(&stage, "bert"));
    stage.cluster.post(&path, &eviction);
    interrupted_once(&mut stage).await;
}

async fn a_finalizer_taken_off_by_hand_loses_no_count(on: On) {
    let mut stage = running(on, &[]).await;
    let path = pod_path(&stage, "bert");
    stage
        .cluster
        .patch(&path, &json!({"metadata": {"finalizers": null}}));
    stage.cluster.delete(&path);
    interrupted_once(&mut stage).await;
}

async fn a_finalizer_taken_off_a_running_pod_comes_back(on: On) {
    let mut stage = running(on, &[]).await;
    let path = pod_path(&stage, "bert");
    let name = stage.scene.running("bert")[0].name.clone();
    let queue = stage.names().queue();
    let own = json!({"metadata": {"finalizers": null}});
    stage.cluster.patch(&path, &own);
    stage
        .wait("it has its finalizer again", |stage| {
            let pod = stage.cluster.object("pods", &queue, &name)?;
            (pod["metadata"]["finalizers"] == json!(["berth.dev/outcome"])).then_some(())
        })
        .await;
    stage.cluster.delete(&path);
    interrupted_once(&mut stage).await;
}

async fn marks_taken_off_by_hand_come_back_and_nothing_runs_twice(on: On) {
    let mut stage = running(on, &[]).await;
    let path = pod_path(&stage, "bert");
    let pods = stage.scene.of("bert").len();
    let name = stage.scene.running("bert")[0].name.clone();
    let queue = stage.names().queue();
    let made = stage.cluster.object("pods", &queue, &name).unwrap()["metadata"].clone();
    let marks = ["id", "unit", "commit", "digest"].map(|name| format!("berth.dev/{name}"));
    let off = marks.each_ref().map(|name| (name.clone(), Value::Null));
    let off = json!({"annotations": BTreeMap::from(off)});
    for change in [
        json!({"labels": {"berth.dev/instance": null}}),
        off,
        json!({"labels": {"berth.dev/run": null, "berth.dev/rank": null}}),
        json!({"labels": {"berth.dev/attempt": "7"}}),
    ] {
        stage.cluster.patch(&path, &json!({ "metadata": change }));
        stage
            .wait("the pod has its marks again", |stage| {
                let now = stage.cluster.object("pods", &queue, &name)?["metadata"].clone();
                let mut marks = marks.iter().map(|name| ("annotations", &**name));
                let labels =
                    ["instance", "run", "attempt", "rank"].map(|it| format!("berth.dev/{it}"));
                let mut labels = labels.iter().map(|name| ("labels", &**name));
                let same = |(field, name): (&str, &str)| now[field][name] == made[field][name];
                (marks.all(same) && labels.all(same)).then_some(())
            })
            .await;
    }
    stage.state("bert", "Running").await;
    assert_eq!(stage.scene.of("bert").len(), pods, "{}", stage.describe());
    // How it ends is seen, and nothing keeps it.
    stage.cluster.delete(&path);
    interrupted_once(&mut stage).await;
}

async fn a_foreign_object_in_the_way_is_reported_and_left_alone(on: On) {
    let mut first = Stage::usual(on).await;
    first.add("hello", 1, "20ms", &[]);
    first.state("hello", "Completed").await;
    let name = first.scene.of("hello")[0].name.clone();
    drop(first);
    let mut stage = Stage::usual(on).await;
    // On a node of this stage: one of another stage may go, and then the pod does so late.
    let pool = json!({"example.com/pool": stage.names().pool()});
    let foreign = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"nodeSelector": pool, "containers": [{"name": "a", "image": "registry.example.com/other:1"}]},
    });
    let made = stage.cluster.post(&stage.names().path("pods"), &foreign);
    stage.add("hello", 1, "20ms", &[]);
    stage.add("other", 1, "20ms", &[]);
    stage.state("other", "Completed").await;
    stage
        .until("the status names the pod in the way", |scene| {
            scene.status.message("hello").contains(&name)
        })
        .await;
    let queue = stage.names().queue();
    let live = stage.cluster.object("pods", &queue, &name).unwrap();
    assert_eq!(live["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(live["metadata"]["labels"], Value::Null);
    assert_eq!(live["metadata"]["deletionTimestamp"], Value::Null);
    // Out of the way, it goes on.
    stage.cluster.delete(&stage.pod_path(&name));
    stage.state("hello", "Completed").await;
}

async fn an_image_changed_at_creation_is_no_drift(on: On) {
    let mut stage = Stage::build(Setting::with_mirror(on)).await;
    stage.add("hello", 1, "50ms", &[]);
    stage.state("hello", "Completed").await;
    let pods = stage.scene.of("hello");
    assert_eq!(pods.len(), 1, "{}", stage.describe());
    assert!(
        pods[0].image().starts_with(Setting::MIRROR.1),
        "{}",
        pods[0].image()
    );
    assert!(!stage.scene.status.files.contains_key("drift.md"));
    stage.check();
}

async fn a_node_that_never_comes_back_holds_the_trial_until_it_is_deleted(on: On) {
    let mut stage = running(on, &[]).await;
    let node = stage.scene.running("bert")[0].node.clone();
    let node_path = format!("/api/v1/nodes/{node}");
    stage.cluster.lose(&node);
    stage.cluster.delete(&pod_path(&stage, "bert"));
    stage
        .message("bert", &["may still run", &node, "does not answer"])
        .await;
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage.cluster.delete(&node_path);
    stage.until("attempt 2 runs", second_attempt_runs).await;
    assert_ne!(stage.scene.running("bert")[0].node, node);
    interrupted_once(&mut stage).await;
}

/// As servers of earlier versions do, and those whose administrators want it so.
async fn a_server_that_streams_no_lists_is_asked_for_pages(on: On) {
    let mut stage = Stage::build(Setting {
        proxy: Some(0),
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    stage.proxy.as_ref().unwrap().refuse_streamed_lists(true);
    stage.add("gang", 16, "50ms", &[]);
    stage.start();
    stage.state("gang", "Completed").await;
    assert_eq!(stage.scene.of("gang").len(), 2, "{}", stage.describe());
    stage.check();
}

on_both! {
    a_server_that_streams_no_lists_is_asked_for_pages,
    no_right_to_create_pods_is_said_and_mended,
    a_full_quota_stops_only_what_it_refuses,
    an_edited_service_is_put_right_and_a_deleted_one_is_made_again,
    a_pod_changed_by_hand_is_reported_and_left_alone,
    a_pod_deleted_by_hand_is_an_interruption,
    exit_zero_after_being_asked_to_stop_is_no_success,
    a_finalizer_taken_off_by_hand_loses_no_count,
    a_finalizer_taken_off_a_running_pod_comes_back,
    marks_taken_off_by_hand_come_back_and_nothing_runs_twice,
    a_foreign_object_in_the_way_is_reported_and_left_alone,
    an_image_changed_at_creation_is_no_drift,
    a_node_that_never_comes_back_holds_the_trial_until_it_is_deleted,
}
