//! What a person asks beside a daemon: `status`, `why`, `plan`, `drift`, `uninstall`, `/metrics`.

use berth_tests::e2e::documents::{experiment, first, path};
use berth_tests::e2e::{Flags, Names, On, Setting, Stage, command};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Exit code, and what was printed.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn must(&self, code: i32, words: &[&str]) {
        let text = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, Some(code), "{text}");
        for word in words {
            assert!(text.contains(word), "no {word:?} in:\n{text}");
        }
    }
}

pub async fn berth(arguments: Vec<&str>) -> Said {
    let mut command = command();
    command.args(arguments);
    let output = tokio::process::Command::from(command).output().await;
    let output = output.unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A command that reads the repository alone.
pub async fn reads(stage: &Stage, arguments: &[&str]) -> Said {
    let flags = stage.flags();
    let mut all = arguments.to_vec();
    all.extend(["--repo", &flags.repository, "--cluster", "lab"]);
    berth(all).await
}

/// A command that looks at the cluster too.
pub async fn looks(stage: &Stage, arguments: &[&str]) -> Said {
    let kubeconfig = stage.flags().kubeconfig.display().to_string();
    let more = ["--ref", "main", "--kubeconfig", &*kubeconfig];
    reads(stage, &[arguments, &more[..]].concat()).await
}

/// `GET /metrics` of the daemon.
async fn metrics(stage: &Stage) -> String {
    let log = stage.daemon.as_ref().unwrap().log();
    let mut lines = log
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    let address = lines.find_map(|line: Value| Some(line["address"].as_str()?.to_owned()));
    let mut stream = tokio::net::TcpStream::connect(address.unwrap())
        .await
        .unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A commit that changes what its run is not made of (here how often it may fail) begins no new run.
async fn the_commit_of_a_later_attempt_is_its_own(on: On) {
    let mut stage = Stage::usual(on).await;
    let first = stage.add("bert", 8, "10m", &[]);
    stage.state("bert", "Running").await;
    let before = stage.scene.running("bert")[0].name.clone();
    let second = stage.edit("bert", "maxRestarts: 2", "maxRestarts: 3");
    stage
        .until("the change is in force", |scene| {
            let summary = scene.status.files.get("summary.yaml");
            summary.is_some_and(|text| text.contains(&second))
        })
        .await;
    stage.cluster.delete(&stage.pod_path(&before));
    stage.interrupted_once("bert").await;
    let after = stage.scene.running("bert")[0].clone();
    let said = &after.object["metadata"]["annotations"]["berth.dev/commit"];
    assert_eq!(said, &second);
    for (pod, commit) in [(&before, &first), (&after.name, &second)] {
        let why = reads(&stage, &["why", pod]).await;
        why.must(0, &[pod, &commit[..8]]);
    }
    stage.check();
}

async fn what_runs_and_where_it_comes_from_is_told(on: On) {
    let mut stage = Stage::build(Setting {
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let flags = Flags {
        more: ["--http-listen", "127.0.0.1:0"].map(str::to_owned).to_vec(),
        ..stage.flags()
    };
    stage.start_with(&flags);
    stage.said(&["\"ready\""]).await;
    let first = metrics(&stage).await;
    assert!(first.contains("\nberth_snapshots_total 1\n"), "{first}");

    stage
        .repository
        .replace("queues/vision.yaml", "quota: 64", "quota: 16");
    stage.add("done", 1, "20ms", &[]);
    stage.state("done", "Completed").await;
    let commit = stage.add("bert", 16, "10m", &[]);
    stage.state("bert", "Running").await;
    // The log names commit, unit and object.
    let (short, object) = (
        &commit[..8],
        format!("\"object\":\"Pod {}/bert-", stage.names().queue()),
    );
    let words = [
        "\"create\"",
        "\"unit\":\"Experiment/vision/bert\"",
        &*object,
        short,
    ];
    stage.said(&words).await;
    stage.add("late", 8, "10m", &[]);
    stage.state("late", "Waiting").await;

    let status = reads(&stage, &["status"]).await;
    let waits = "needs 8 slots, and queue `vision` has 16 of 16 in use; when it may start cannot be \
                 told: 16 slots ahead of it have no `maxRuntime`";
    status.must(
        0,
        &[
            "lab at ",
            "Running    Experiment/vision/bert",
            "attempt 1",
            waits,
        ],
    );
    assert!(!status.out.contains("vision/done"), "{}", status.out);
    reads(&stage, &["status", "--all"])
        .await
        .must(0, &["Completed  Experiment/vision/done"]);
    let status = reads(&stage, &["status", "-o", "json"]).await;
    let status: Value = serde_json::from_str(&status.out).unwrap();
    let units = status["units"].as_array().unwrap();
    let bert = units
        .iter()
        .find(|it| it["unit"] == "Experiment/vision/bert");
    assert_eq!(bert.unwrap()["pods"].as_array().unwrap().len(), 2);

    let pod = stage.scene.running("bert")[1].clone();
    let why = reads(&stage, &["why", &pod.name]).await;
    let (rank, file) = (format!("rank {}", pod.rank), path("bert"));
    let words = [
        &*pod.name,
        &*file,
        &commit[..8],
        "Add bert",
        "Ada",
        &*rank,
        "(open)",
    ];
    why.must(0, &words);
    let ended = stage.scene.of("done")[0].name.clone();
    let why = reads(&stage, &["why", &ended]).await;
    why.must(0, &["(completed)", "its pod ended well"]);
    let queue = stage.names().queue();
    let there = reads(&stage, &["why", &format!("{queue}/{ended}")]).await;
    there.must(0, &["(completed)"]);
    let elsewhere = reads(&stage, &["why", &format!("elsewhere/{ended}")]).await;
    let words = format!("there is `{queue}/{ended}`");
    elsewhere.must(2, &["in the namespace `elsewhere`", "help:", &words]);
    let nobody = reads(&stage, &["why", "nobody"]).await;
    nobody.must(2, &["no run in the ledger has a pod `nobody`", "help:"]);

    let metrics = metrics(&stage).await;
    for line in [
        "berth_snapshots_total 4",
        "berth_leader 1",
        "berth_findings 0",
        "berth_git_failures_total 0",
        "berth_units{state=\"Running\"} 1",
        "berth_units{state=\"Waiting\"} 1",
        // Two pods and their Service, and the pod of `done`.
        "berth_effects_total{what=\"create\",outcome=\"done\"} 4",
    ] {
        let there = metrics.lines().any(|it| it == line);
        assert!(there, "no {line} in\n{metrics}");
    }
    stage.check();
}

async fn what_a_commit_may_not_take_away_is_shown(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.repository.replace(
        "clusters/lab.yaml",
        "  maxSlotsPerPod: 8\n",
        "  maxSlotsPerPod: 8\n  prune: {maxDeletions: 1}\n",
    );
    for name in ["a", "b"] {
        stage.add(name, 1, "10m", &[]);
    }
    stage.state("a", "Running").await;
    stage.state("b", "Running").await;
    for name in ["a", "b"] {
        stage.repository.remove(&path(name));
    }
    stage.repository.commit("Tidy up");
    stage.state("a", "Held").await;
    stage.state("b", "Held").await;
    let words = "this commit would end the live work of 2 documents";
    let status = reads(&stage, &["status"]).await;
    status.must(
        0,
        &[
            "Held       Experiment/vision/a",
            "Experiment/vision/b",
            words,
        ],
    );
    let log = stage.daemon.as_ref().unwrap().log();
    let said: Vec<_> = log
        .iter()
        .filter(|line| line.contains("\"held\""))
        .collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(words) && said[0].contains("Experiment/vision/a"),
        "{said:?}"
    );
    assert_eq!(stage.scene.alive("a").len(), 1);
    // Once it may, what went is not shown.
    stage.repository.commit("Mean it\n\nBerth-Allow-Prune: all");
    stage.state("a", "Withdrawn").await;
    stage.state("b", "Withdrawn").await;
    let status = reads(&stage, &["status"]).await;
    assert!(!status.out.contains("vision/a"), "{}", status.out);
    stage.check();
}

async fn a_hold_is_told_and_kept(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 16, "10m", &[]);
    stage.state("bert", "Running").await;
    let own = stage.cluster.objects("services", &stage.names().queue());
    let service = own[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let at = stage.names().path(&format!("services/{service}"));
    let held = json!({
        "metadata": {"annotations": {"berth.dev/hold": "Kim looks at it"}},
        "spec": {"publishNotReadyAddresses": false},
    });
    stage.cluster.patch(&at, &held);
    stage
        .until("the status tells", |scene| {
            scene
                .status
                .findings("bert")
                .contains("stops all work on it")
        })
        .await;
    reads(&stage, &["status"])
        .await
        .must(0, &["`berth.dev/hold` on Service", &service]);
    let drift = looks(&stage, &["drift"]).await;
    drift.must(
        1,
        &[
            &service,
            ", held by `berth.dev/hold`",
            "publishNotReadyAddresses",
        ],
    );
    let plan = looks(&stage, &["plan"]).await;
    plan.must(0, &["  `berth.dev/hold` on Service", &service, "stops all"]);
    stage.repository.remove(&path("bert"));
    stage.repository.commit("Remove bert");
    stage
        .until("the pods go", |scene| {
            scene.of("bert").iter().all(|it| it.gone)
        })
        .await;
    let live = stage.cluster.read(&at);
    // A real server leaves `false` out.
    assert_ne!(live["spec"]["publishNotReadyAddresses"], true);
    let free = json!({"metadata": {"annotations": {"berth.dev/hold": null}}});
    stage.cluster.patch(&at, &free);
    stage
        .wait("it goes", |stage| {
            let queue = stage.names().queue();
            stage
                .cluster
                .object("services", &queue, &service)
                .is_none()
                .then_some(())
        })
        .await;
    stage.check();
}

async fn the_run_and_the_pods_that_there_are_are_shown(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 1, "10m", &[]);
    stage.state("bert", "Running").await;
    let rates = [("0.1", "0.2", 1), ("0.2", "0.1", 2)];
    for (from, to, attempt) in rates {
        let before = stage.scene.running("bert")[0].name.clone();
        let rate = |rate: &str| format!("learningRate: {rate}");
        stage.edit("bert", &rate(from), &rate(to));
        stage
            .until("its next pod runs", |scene| {
                let pods = &scene.status.of("bert")["status"]["pods"];
                let next = pods[0].as_str().is_some_and(|pod| pod != before);
                next && scene.status.state("bert") == "Running"
            })
            .await;
        let pod = stage.scene.running("bert")[0].clone();
        assert_eq!(pod.attempt, attempt, "{}", stage.describe());
        let shown = format!("run {}, attempt {attempt}", pod.run);
        reads(&stage, &["status"]).await.must(0, &[&shown]);
        let status = reads(&stage, &["status", "-o", "json"]).await;
        let status: Value = serde_json::from_str(&status.out).unwrap();
        assert_eq!(status["units"][0]["run"], *pod.run);
    }
    // Its document goes, its pod is held.
    let pod = stage.scene.running("bert")[0].name.clone();
    let hold = |value: Value| json!({"metadata": {"annotations": {"berth.dev/hold": value}}});
    let at = stage.pod_path(&pod);
    stage.cluster.patch(&at, &hold(json!("Kim looks at it")));
    stage
        .until("the status tells", |scene| {
            scene.status.findings("bert").contains("stops all work")
        })
        .await;
    stage.repository.remove(&path("bert"));
    stage.repository.commit("Remove bert");
    stage.state("bert", "Withdrawn").await;
    let status = reads(&stage, &["status"]).await;
    let still = format!("still there: {pod}");
    status.must(0, &["Withdrawn  Experiment/vision/bert", &still]);
    stage.cluster.patch(&at, &hold(Value::Null));
    stage
        .until("the branch knows of its end", |scene| {
            let attempts = scene.status.runs("bert")[0]["trials"][0]["attempts"].clone();
            !attempts[1]["ranks"][0]["end"].is_null()
        })
        .await;
    let status = reads(&stage, &["status"]).await;
    assert!(!status.out.contains("vision/bert"), "{}", status.out);
    stage.check();
}

/// `kubectl get -o yaml | sed s/NAME/copy/ | kubectl create -f -` for the name alone; its path.
fn copy_of(stage: &Stage, pod: &str) -> String {
    let queue = stage.names().queue();
    let mut copy = Value::clone(&stage.cluster.object("pods", &queue, pod).unwrap());
    let meta = &copy["metadata"];
    copy["metadata"] = json!({
        "name": "copy", "labels": meta["labels"], "annotations": meta["annotations"],
        "finalizers": meta["finalizers"],
    });
    let pods = format!("/api/v1/namespaces/{queue}/pods");
    stage.cluster.post(&pods, &copy);
    format!("{pods}/copy")
}

async fn uninstalled_it_lets_go_of_all_and_lists_what_stays(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 16, "10m", &[]);
    stage.state("bert", "Running").await;
    // While a daemon works it does nothing.
    looks(&stage, &["uninstall", "--yes"])
        .await
        .must(3, &["help: a daemon works there"]);
    stage.stop().await;
    let queue = stage.names().queue();
    let pods: Vec<String> = stage
        .scene
        .of("bert")
        .iter()
        .map(|it| it.name.clone())
        .collect();
    let finalizers = |stage: &Stage, pod: &str| {
        let pod = stage.cluster.object("pods", &queue, pod).unwrap();
        pod["metadata"]["finalizers"].clone()
    };
    let copy = copy_of(&stage, &pods[0]);
    let left = format!(
        "Not Berth's, though it carries its label, and left as it is:\n  Pod {queue}/copy: its annotation \
         berth.dev/id names another object; it cannot go before somebody takes its finalizer \
         berth.dev/outcome off\n"
    );
    let asked = looks(&stage, &["uninstall"]).await;
    asked.must(
        0,
        &[
            "2 pods would be released",
            "What stays:",
            &pods[0],
            &pods[1],
            &left,
        ],
    );
    assert_eq!(finalizers(&stage, &pods[0]), json!(["berth.dev/outcome"]));
    // Somebody hides one, of a cluster where nothing is changed any more.
    let lab = "clusters/lab.yaml";
    let suspended = "spec:\n  state: suspended\n";
    stage.repository.replace(lab, "spec:\n", suspended);
    stage.repository.commit("Stop all work");
    let unmarked = json!({"metadata": {"labels": {"berth.dev/instance": null}}});
    stage.cluster.patch(&stage.pod_path(&pods[1]), &unmarked);
    let asked = looks(&stage, &["uninstall"]).await;
    let words = [
        "1 pod would be released",
        "1 pod without all of Berth's marks",
    ];
    asked.must(0, &words);
    let done = looks(&stage, &["uninstall", "--yes"]).await;
    let service = format!("Service {queue}/bert-");
    let words = [
        "2 pods released",
        "berth-lab (Lease)",
        "berth/status/lab",
        &*service,
        &*left,
    ];
    done.must(0, &words);
    assert_eq!(finalizers(&stage, "copy"), json!(["berth.dev/outcome"]));
    let released = json!({"metadata": {"finalizers": null}});
    stage.cluster.patch(&copy, &released);
    stage.cluster.delete(&copy);
    stage
        .wait("the copy goes", |stage| {
            let mut pods = stage.scene.of("bert").into_iter();
            pods.all(|pod| pod.name != "copy" || pod.gone).then_some(())
        })
        .await;
    for pod in &pods {
        assert_eq!(finalizers(&stage, pod), Value::Null);
    }
    assert_eq!(stage.scene.running("bert").len(), 2, "what runs goes on");
    // Nothing of Berth's is needed for a pod to go.
    for pod in &pods {
        stage.cluster.delete(&stage.pod_path(pod));
    }
    stage
        .wait("they go", |stage| {
            let gone = stage.scene.of("bert").iter().all(|pod| pod.gone);
            gone.then_some(())
        })
        .await;
    stage.check();
}

/// Fields of items are found by key and by number; what is not there is told with the closest.
#[tokio::test]
async fn explain_takes_items_by_key_and_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let variables = "  environment: {variables: {DATA: /data, MODE: fast}}\n";
    let one = format!("{}{variables}", experiment("one", 1, "1s", &[]));
    let documents = first(&Names::fresh()).into_iter();
    for (path, text) in documents.chain([("one.yaml", one)]) {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let root = folder.path().to_str().unwrap();
    let explain = |field| berth(vec!["explain", "one", field, "--dir", root]);
    let value = "spec.containers[name=task].env[name=DATA].value: \"/data\"";
    for field in [
        "spec.containers[0].env[DATA].value",
        "spec.containers[task].env[name=DATA].value",
        "spec.containers.task.env.DATA.value",
        "spec.containers.env[DATA].value",
    ] {
        let said = explain(field).await;
        said.must(0, &[value, "Experiment/one", "one.yaml:14:"]);
        assert_eq!(said.out.lines().count(), 2, "{}", said.out);
    }
    for (field, close) in [
        (
            "spec.containers[0].env[DATE].value",
            "spec.containers[0].env[DATA].value",
        ),
        ("spec.containers[0].imag", "spec.containers[0].image"),
        ("spec.containers[tusk].image", "spec.containers.task.image"),
    ] {
        let missing = format!("the pod has no field `{field}`");
        let meant = format!("did you mean `{close}`?");
        explain(field).await.must(2, &[&missing, &meant]);
    }
    let all = "`berth explain one` lists all fields";
    explain("spec.nothingOfThatKind")
        .await
        .must(2, &["the pod has no field", all]);
}

on_both! {
    a_hold_is_told_and_kept,
    the_commit_of_a_later_attempt_is_its_own,
    the_run_and_the_pods_that_there_are_are_shown,
    uninstalled_it_lets_go_of_all_and_lists_what_stays,
    what_a_commit_may_not_take_away_is_shown,
    what_runs_and_where_it_comes_from_is_told,
}
