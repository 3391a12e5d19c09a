//! Bad input, as the running daemon meets it.

use std::path::{Path, PathBuf};

use berth_tests::e2e::documents::{DEFAULTS, experiment, first, path};
use berth_tests::e2e::{Flags, On, Scene, Setting, Stage, Wish};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::commands::{looks, reads};

async fn without_daemon(on: On) -> Stage {
    Stage::build(Setting {
        daemon: false,
        ..Setting::usual(on)
    })
    .await
}

/// The daemon ends by itself, with this code, and these words are in its last line.
async fn ends(stage: &mut Stage, flags: &Flags, code: i32, words: &[&str]) {
    stage.start_with(flags);
    let status = stage.ended().await;
    let log = stage.daemon.as_ref().unwrap().log().join("\n");
    assert_eq!(status.code(), Some(code), "{log}");
    for word in words {
        assert!(log.contains(word), "no {word:?} in:\n{log}");
    }
}

async fn an_empty_repository_is_waited_for(on: On) {
    let mut stage = Stage::build(Setting {
        documents: false,
        ..Setting::usual(on)
    })
    .await;
    stage.said(&["the repository is empty", "help"]).await;
    stage.describe_cluster();
    stage.add("hello", 1, "20ms", &[]);
    stage.state("hello", "Completed").await;
    stage.stop().await;
}

async fn an_emptied_repository_deletes_nothing(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage.state("bert", "Running").await;
    for (path, _) in first(stage.names()) {
        stage.repository.remove(path);
    }
    stage.repository.remove(&path("bert"));
    stage.repository.commit("Remove everything");
    stage.said(&["B0502"]).await;
    let told = |scene: &Scene| scene.status.not_in_force().contains("B0502");
    stage.until("the status says why", told).await;
    stage.repository.git(&["revert", "--no-edit", "HEAD"]);
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    assert_eq!(stage.scene.status.not_in_force(), "");
    assert_eq!(stage.scene.running("bert").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    // What came between takes nothing away from the proof that the history goes on.
    stage.repository.remove(&path("bert"));
    stage.repository.commit("Remove bert");
    stage.state("bert", "Withdrawn").await;
    stage
        .until("its pod is gone", |scene| {
            scene.of("bert").iter().all(|pod| pod.gone)
        })
        .await;
    stage.check();
}

async fn a_missing_reference_is_said_and_waited_for(on: On) {
    let mut stage = without_daemon(on).await;
    stage.add("hello", 1, "20ms", &[]);
    let flags = Flags {
        reference: "release".to_owned(),
        ..stage.flags()
    };
    stage.start_with(&flags);
    stage.said(&["release", "MissingReference", "help"]).await;
    stage.repository.git(&["branch", "release"]);
    stage.state("hello", "Completed").await;
}

async fn a_reference_that_is_an_option_is_a_usage_error(on: On) {
    let mut stage = without_daemon(on).await;
    let flags = Flags {
        reference: "--upload-pack=x".to_owned(),
        ..stage.flags()
    };
    ends(&mut stage, &flags, 2, &["not a reference", "help:"]).await;
}

async fn bad_files_hold_only_themselves(on: On) {
    let mut stage = Stage::usual(on).await;
    let root = stage.repository.root().to_owned();
    stage
        .repository
        .write("experiments/big.yaml", &"a".repeat(50_000_000));
    stage
        .repository
        .write("experiments/deep.yaml", &"[".repeat(20_000));
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    stage.repository.write("experiments/bomb.yaml", bomb);
    std::os::unix::fs::symlink("/etc/passwd", root.join("queues/link.yaml")).unwrap();
    stage.add("hello", 1, "20ms", &[]);
    stage.state("hello", "Completed").await;
    let errors = stage.scene.status.errors();
    for name in ["big", "deep", "bomb"] {
        let file = format!("experiments/{name}.yaml");
        assert!(errors.contains(&file), "no {file} in:\n{errors}");
    }
    assert!(errors.contains("queues/link.yaml"), "{errors}");
    stage.check();
}

async fn a_folder_that_moves_and_breaks_holds_its_work(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage.state("bert", "Running").await;
    let text = experiment("bert", 8, "10m", &[]);
    stage.repository.git(&["mv", "experiments", "moved"]);
    let broken = format!("{text}\tbad: [\n");
    stage.repository.write("moved/bert.yaml", &broken);
    stage.add("hello", 1, "20ms", &[]);
    stage.state("hello", "Completed").await;
    let findings = stage.scene.status.findings("bert");
    let words = "gone from experiments/bert.yaml, and moved/bert.yaml, which may hold it now, cannot be read";
    assert!(findings.contains(words), "{findings}");
    stage.repository.write("moved/bert.yaml", &text);
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    assert_eq!(stage.scene.status.findings("bert"), "");
    assert_eq!(stage.scene.running("bert").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage.check();
}

async fn what_stands_in_a_folder_s_place_holds_its_work(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage.state("bert", "Running").await;
    let folder = stage.repository.root().join("experiments");
    let tip = stage.repository.tip("main").unwrap();
    std::fs::rename(&folder, stage.folder().join("moved")).unwrap();
    for (name, what) in [("hello", "symbolic link"), ("next", "submodule")] {
        let file = format!("more/{name}.yaml");
        stage
            .repository
            .write(&file, &experiment(name, 1, "20ms", &[]));
        if name == "hello" {
            std::os::unix::fs::symlink("/etc", &folder).unwrap();
        } else {
            std::fs::remove_file(&folder).unwrap();
        }
        stage.repository.git(&["add", "--all"]);
        if name == "next" {
            let module = format!("160000,{tip},experiments");
            let index = ["update-index", "--add", "--cacheinfo", &module];
            stage.repository.git(&index);
        }
        let commit = ["commit", "--quiet", "--message", what];
        stage.repository.git(&commit);
        stage.state(name, "Completed").await;
        for said in [
            stage.scene.status.findings("bert"),
            stage.scene.status.errors(),
        ] {
            assert!(said.contains("experiments is not read"), "{said}");
            assert!(said.contains(what), "{said}");
        }
        let checked = looks(&stage, &["check"]).await;
        checked.must(1, &["experiments is not read"]);
    }
    assert_eq!(stage.scene.running("bert").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage.check();
}

/// A document that is new and valid, and refers to one that is not: nobody looks for it in vain.
async fn what_waits_for_another_document_is_told(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("old", 8, "10m", &[]);
    stage.state("old", "Running").await;
    let broken = [
        ("queues/vision.yaml", "quota:", "quotta:", "Queue/vision"),
        (
            DEFAULTS,
            "PeriodSeconds",
            "PeriodSecond",
            "PodDefaults/default",
        ),
    ];
    for (number, (file, from, to, waits_for)) in broken.into_iter().enumerate() {
        let (name, uneven) = (format!("new-{number}"), format!("uneven-{number}"));
        stage.repository.replace(file, from, to);
        let text = experiment(&uneven, 12, "20ms", &[]);
        stage.repository.write(&path(&uneven), &text);
        stage.add(&name, 1, "20ms", &[]);
        let line = format!(
            "{}:4:9: B0303: not applied yet: {waits_for} is not valid",
            path(&name)
        );
        stage
            .until("the summary says what it waits for", |scene| {
                scene.status.errors().contains(&line)
            })
            .await;
        // Its neighbour's own fault is told in the same pass; what runs is told in its own file.
        let errors = stage.scene.status.errors();
        assert!(errors.contains("B0401"), "{errors}");
        assert!(!errors.contains("old.yaml"), "{errors}");
        let said = reads(&stage, &["status"]).await;
        said.must(0, &[&line]);
        assert!(stage.scene.of(&name).is_empty(), "{}", stage.describe());
        stage.repository.remove(&path(&uneven));
        stage.repository.replace(file, to, from);
        stage.repository.commit("Mend it");
        stage.state(&name, "Completed").await;
        assert_eq!(stage.scene.status.errors(), "");
    }
    assert_eq!(stage.scene.of("old").len(), 1, "{}", stage.describe());
    stage.check();
}

async fn a_finding_names_who_committed_the_file(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.repository.write(&path("hers"), "spec: [");
    let by = "--author=Carol <carol@example.com>";
    stage.repository.git(&["add", "--all"]);
    stage
        .repository
        .git(&["commit", "--quiet", by, "--message", "Add hers"]);
    // The daemon may see hers only together with what somebody else pushed.
    stage.add("hello", 1, "20ms", &[]);
    stage.state("hello", "Completed").await;
    let hers = "(Carol <carol@example.com>)";
    let errors = stage.scene.status.errors();
    assert!(errors.contains(hers), "{errors}");
    stage.stop().await;
    stage.start();
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    assert_eq!(stage.scene.status.errors(), errors, "also after a restart");
}

async fn a_remote_that_hangs_does_not_hold_the_daemon(on: On) {
    let mut stage = without_daemon(on).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (say, heard) = tokio::sync::oneshot::channel();
    let silence = tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        say.send(()).unwrap();
        std::future::pending::<()>().await;
        drop(connection);
    });
    let mirrors = stage.folder().join("mirrors");
    let flags = Flags {
        repository: format!("http://{address}/state.git"),
        more: vec!["--mirrors".to_owned(), mirrors.display().to_string()],
        ..stage.flags()
    };
    stage.start_with(&flags);
    heard.await.unwrap();
    stage.stop().await;
    silence.abort();
}

async fn a_wrong_token_is_said(on: On) {
    let mut stage = Stage::build(Setting {
        cluster: Wish {
            guarded: true,
            ..Wish::default()
        },
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    stage.add("hello", 1, "20ms", &[]);
    let flags = Flags {
        kubeconfig: with_user(&stage, &json!({"token": "very-secret"})),
        ..stage.flags()
    };
    ends(
        &mut stage,
        &flags,
        3,
        &["does not accept our token", "help:"],
    )
    .await;
    let log = stage.daemon.as_ref().unwrap().log().join("\n");
    assert!(!log.contains("very-secret"), "{log}");
    stage.start();
    stage.state("hello", "Completed").await;
}

async fn an_exec_plugin_is_run_only_if_it_is_allowed(on: On) {
    let mut stage = without_daemon(on).await;
    stage.add("hello", 1, "20ms", &[]);
    let mark = stage.folder().join("it-ran");
    let flags = Flags {
        kubeconfig: with_plugin(&stage, &mark),
        ..stage.flags()
    };
    ends(&mut stage, &flags, 3, &["exec", "--allow-exec", "help:"]).await;
    assert!(!mark.exists(), "the plugin ran");
    let allowed = Flags {
        more: vec!["--allow-exec".to_owned()],
        ..flags
    };
    stage.start_with(&allowed);
    stage.state("hello", "Completed").await;
    assert!(mark.exists());
}

/// A kubeconfig whose user is a program that leaves a mark.
fn with_plugin(stage: &Stage, mark: &Path) -> PathBuf {
    let token = kubeconfig(stage)["users"][0]["user"]["token"].clone();
    let token = token.as_str().unwrap_or("any");
    let answer = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": token},
    });
    let script = stage.folder().join("plugin");
    let text = format!("#!/bin/sh\ntouch {}\necho '{answer}'\n", mark.display());
    std::fs::write(&script, text).unwrap();
    let plugin = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": "/bin/sh", "args": [script],
    });
    with_user(stage, &json!({"exec": plugin}))
}

/// The kubeconfig with another user.
fn with_user(stage: &Stage, user: &Value) -> PathBuf {
    let mut config = kubeconfig(stage);
    config["users"][0]["user"] = user.clone();
    let file = stage.folder().join("kubeconfig-of-another");
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

fn kubeconfig(stage: &Stage) -> Value {
    let text = std::fs::read_to_string(stage.cluster.kubeconfig()).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

on_both! {
    an_empty_repository_is_waited_for,
    an_emptied_repository_deletes_nothing,
    a_missing_reference_is_said_and_waited_for,
    a_reference_that_is_an_option_is_a_usage_error,
    bad_files_hold_only_themselves,
    a_folder_that_moves_and_breaks_holds_its_work,
    what_stands_in_a_folder_s_place_holds_its_work,
    what_waits_for_another_document_is_told,
    a_finding_names_who_committed_the_file,
    a_remote_that_hangs_does_not_hold_the_daemon,
    a_wrong_token_is_said,
    an_exec_plugin_is_run_only_if_it_is_allowed,
}
