//! The branch, the cluster or the daemon is not the one that it was.

use berth_tests::e2e::documents::path;
use berth_tests::e2e::{BRANCH, Daemon, Flags, Of, On, Setting, Stage};
use serde_json::{Value, json};

use super::commands::{looks, reads};

/// A stage with one finished experiment and one that runs; the daemon is stopped.
async fn stopped(on: On) -> Stage {
    let mut stage = Stage::usual(on).await;
    stage.add("done", 1, "20ms", &[]);
    stage.add("bert", 8, "10m", &[]);
    stage.state("done", "Completed").await;
    stage.state("bert", "Running").await;
    stage.stop().await;
    stage.look();
    stage
}

fn move_branch(stage: &Stage, to: &str) {
    let reference = format!("refs/heads/{BRANCH}");
    stage.repository.git(&["update-ref", &reference, to]);
}

/// The daemon stops every write and says why; once the branch is put back, it goes on.
async fn halts_until_put_back(stage: &mut Stage, words: &[&str]) {
    let tip = stage.scene.status.tip.clone().unwrap();
    stage.start();
    stage.said(&[&["not ready"], words].concat()).await;
    stage.said(&["not ready", "berth reanchor"]).await;
    stage.said(&["not ready", "; looks again at 20"]).await;
    stage.add("next", 1, "20ms", &[]);
    stage.said(&["Add next"]).await;
    let effects = stage.daemon.as_ref().unwrap().effects();
    let wrote = effects.iter().find(|(kind, ..)| kind != "reload");
    assert_eq!(wrote, None, "it wrote\n{}", stage.describe());
    assert_eq!(stage.scene.running("bert").len(), 1);
    move_branch(stage, &tip);
    stage.add("later", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    stage.state("later", "Completed").await;
    assert_eq!(stage.scene.of("done").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage.check();
}

/// What looks beside the daemon stops where it would, with the same words: what is outside has failed,
/// or a commit mends it.
async fn looks_say(stage: &Stage, code: i32, words: &str) {
    for command in ["plan", "check", "drift", "uninstall"] {
        let all = ["every write is stopped: ", words];
        looks(stage, &[command]).await.must(code, &all);
    }
}

async fn a_deleted_status_branch_stops_every_write(on: On) {
    let mut stage = stopped(on).await;
    stage.repository.git(&["branch", "-D", BRANCH]);
    looks_say(&stage, 3, "status branch is gone").await;
    let status = reads(&stage, &["status"]).await;
    status.must(3, &["there is no branch `berth/status/lab`"]);
    halts_until_put_back(&mut stage, &["status branch is gone"]).await;
}

async fn a_status_branch_that_was_rolled_back_stops_every_write(on: On) {
    let mut stage = stopped(on).await;
    let earlier = stage.repository.log(BRANCH)[1].0.clone();
    move_branch(&stage, &earlier);
    looks_say(&stage, 3, "rewritten or rolled back").await;
    halts_until_put_back(&mut stage, &["rewritten or rolled back"]).await;
}

async fn a_rewritten_status_branch_stops_every_write(on: On) {
    let mut stage = stopped(on).await;
    let tree = format!("{BRANCH}^{{tree}}");
    let root = stage
        .repository
        .git(&["commit-tree", "-m", "As if nothing had been", &tree]);
    move_branch(&stage, root.trim());
    halts_until_put_back(&mut stage, &["rewritten or rolled back"]).await;
}

async fn a_status_branch_deleted_under_a_running_daemon_is_noticed(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("done", 1, "20ms", &[]);
    stage.state("done", "Completed").await;
    let tip = stage.scene.status.tip.clone().unwrap();
    stage.repository.git(&["branch", "-D", BRANCH]);
    // Though it has nothing to do. What is committed then begins nothing.
    stage.said(&["not ready", "status branch is gone"]).await;
    stage.add("next", 1, "20ms", &[]);
    stage.said(&["Add next"]).await;
    assert_eq!(stage.scene.of("next").len(), 0, "{}", stage.describe());
    move_branch(&stage, &tip);
    stage.add("later", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    assert_eq!(stage.scene.of("next").len(), 1, "{}", stage.describe());
    stage.check();
}

async fn a_kubeconfig_of_another_cluster_stops_every_write(on: On) {
    let mut stage = stopped(on).await;
    let other = stage.another_cluster().await;
    let flags = Flags {
        kubeconfig: other.kubeconfig().to_owned(),
        ..stage.flags()
    };
    stage.start_with(&flags);
    stage
        .said(&[
            "not ready",
            "check that the kubeconfig names the right cluster",
        ])
        .await;
    stage.add("next", 1, "20ms", &[]);
    stage.said(&["Add next"]).await;
    stage.stop().await;
    let there = other.kubeconfig().display().to_string();
    for command in ["plan", "check", "drift", "uninstall"] {
        let asked = [command, "--ref", "main", "--kubeconfig", &*there];
        let words = [
            "every write is stopped: ",
            "check that the kubeconfig names the right cluster",
        ];
        reads(&stage, &asked).await.must(3, &words);
    }
    assert!(other.objects("pods", &stage.names().queue()).is_empty());
    let kept = other.objects("configmaps", &stage.names().own());
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    let kept: Vec<String> = kept.iter().map(|map| name(map)).collect();
    assert!(!kept.iter().any(|name| name.contains("lab")), "{kept:?}");
    // The right one again: nothing was lost.
    stage.start();
    stage.state("next", "Completed").await;
    assert_eq!(stage.scene.running("bert").len(), 1, "{}", stage.describe());
    stage.check();
}

async fn a_daemon_that_wakes_late_does_nothing_twice(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("early", 1, "20ms", &[]);
    stage.state("early", "Completed").await;
    let second = Flags {
        identity: "second".to_owned(),
        ..stage.flags()
    };
    let first = stage.daemon.take().unwrap();
    stage.start_with(&second);
    first.pause();
    stage.add("middle", 16, "200ms", &[]);
    stage.state("middle", "Completed").await;
    first.wake();
    // It sees that it leads no more, and that the branch went on.
    stage
        .wait("the first one wakes to another leader", |_| {
            first.says(&["Add middle"]).then_some(())
        })
        .await;
    stage.add("late", 16, "20ms", &[]);
    stage.state("late", "Completed").await;
    stage
        .wait("the first one sees the last commit", |_| {
            first.says(&["Add late"]).then_some(())
        })
        .await;
    for (name, pods) in [("early", 1), ("middle", 2), ("late", 2)] {
        assert_eq!(stage.scene.of(name).len(), pods, "{}", stage.describe());
    }
    let wrote = |daemon: &Daemon| {
        let effects = daemon.effects();
        let middle = |object: &str| object.contains("middle") || object.contains("late");
        effects.iter().any(|(_, _, object)| middle(object))
    };
    assert!(!wrote(&first), "{:?}", first.effects());
    // Each in turn.
    stage.stop().await;
    stage.daemon = Some(first);
    stage.add("again", 1, "20ms", &[]);
    stage.state("again", "Completed").await;
    stage.check();
}

/// One stands by and reads nothing for a while. Meanwhile the other one applies what is not valid any
/// more by the time it looks again, takes a run's place by another one, and dies.
async fn a_standby_that_reads_late_keeps_what_the_other_one_applied(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("old", 1, "10m", &[]);
    stage.state("old", "Running").await;
    let second = Flags {
        identity: "second".to_owned(),
        ..stage.flags()
    };
    let first = stage.daemon.take().unwrap();
    stage.start_with(&second);
    stage.said(&["\"ready\""]).await;
    let second = stage.daemon.replace(first).unwrap();
    second.pause();
    stage.add("new", 8, "10m", &[]);
    stage.state("new", "Running").await;
    stage.edit("old", "spec:\n", "spec:\n  run: 2\n");
    stage
        .until("the other run of old runs", |scene| {
            scene.running("old").len() == 1 && scene.of("old").len() == 2
        })
        .await;
    stage.state("old", "Running").await;
    for name in ["new", "old"] {
        stage.edit(name, "spec:\n", "spec:\n  nonsense: 1\n");
        stage
            .until("its finding is told", |scene| {
                scene.status.findings(name).contains("nonsense")
            })
            .await;
    }
    stage.kill().await;
    second.wake();
    stage.daemon = Some(second);
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    for (name, pods) in [("new", 1), ("old", 2)] {
        assert_eq!(stage.scene.running(name).len(), 1, "{}", stage.describe());
        assert_eq!(stage.scene.of(name).len(), pods, "{}", stage.describe());
        assert_eq!(stage.scene.status.state(name), "Running");
    }
    let effects = stage.daemon.as_ref().unwrap().effects();
    let deleted = effects.iter().find(|(kind, ..)| kind == "delete");
    assert_eq!(deleted, None, "{}", stage.describe());
    // What is mended goes on.
    stage.edit("new", "  nonsense: 1\n", "");
    stage.edit("new", "state: active", "state: paused");
    stage.state("new", "Paused").await;
    stage.check();
}

/// One that has not read yet what the other one applied looks for that before it does anything.
async fn a_standby_that_lags_reads_first_what_was_applied(on: On) {
    let setting = Setting {
        daemon: false,
        ..Setting::usual(on)
    };
    let mut stage = Stage::build(setting).await;
    let mirrors = format!("--mirrors={}", stage.folder().join("mirrors").display());
    let first = Flags {
        more: vec![mirrors.clone()],
        ..stage.flags()
    };
    stage.start_with(&first);
    stage.add("early", 1, "20ms", &[]);
    stage.state("early", "Completed").await;
    let first = stage.daemon.take().unwrap();
    // As a remote it is not watched, and it is asked again only in an hour.
    let second = Flags {
        identity: "second".to_owned(),
        repository: format!("file://{}", stage.repository.root().display()),
        more: vec![mirrors, "--poll-seconds=3600".to_owned()],
        ..stage.flags()
    };
    stage.start_with(&second);
    stage.said(&["\"ready\""]).await;
    let second = stage.daemon.replace(first).unwrap();
    stage.add("bert", 8, "10m", &[]);
    stage.state("bert", "Running").await;
    stage.edit("bert", "spec:\n", "spec:\n  nonsense: 1\n");
    stage
        .until("its finding is told", |scene| {
            scene.status.findings("bert").contains("nonsense")
        })
        .await;
    stage.kill().await;
    assert!(!second.says(&["Add bert"]), "{}", second.log().join("\n"));
    stage.daemon = Some(second);
    stage.said(&["a snapshot", "Change bert"]).await;
    // It goes on in its last form.
    let pod = stage.scene.running("bert")[0].name.clone();
    stage.cluster.delete(&stage.pod_path(&pod));
    stage.interrupted_once("bert").await;
    stage.check();
}

/// Effects that the first one is about to send when it is stopped are not sent once it wakes.
async fn a_daemon_that_wakes_late_sends_nothing_that_it_held(on: On) {
    let mut stage = Stage::build(Setting {
        proxy: Some(0),
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let holding = Flags {
        crash: Some("hold:create".to_owned()),
        ..stage.flags()
    };
    stage.start_with(&holding);
    stage.said(&["\"ready\""]).await;
    stage.add("middle", 16, "10m", &[]);
    // Its ledger was pushed before, or is held as well: nothing is half done.
    stage
        .wait("it holds what it is about to send", |stage| {
            let daemon = stage.daemon.as_ref()?;
            let held = |kind: &str| daemon.says(&["held back", kind]);
            let told = !stage.scene.status.state("middle").is_empty();
            (held("create") && (told || held("record"))).then_some(())
        })
        .await;
    let first = stage.daemon.take().unwrap();
    first.pause();
    let sent = stage.proxy.as_ref().unwrap().changes();
    let done = first.effects().len();
    // The second one does not go through the proxy.
    let second = Flags {
        identity: "second".to_owned(),
        kubeconfig: stage.cluster.kubeconfig().to_owned(),
        ..stage.flags()
    };
    stage.start_with(&second);
    stage
        .until("middle runs", |scene| scene.running("middle").len() == 2)
        .await;
    first.wake();
    let late = |daemon: &Daemon| daemon.effects().split_off(done);
    stage
        .wait("the first one lets go what it held", |_| {
            let creates = |(kind, ..): &(String, _, _)| kind == "create";
            late(&first).iter().any(creates).then_some(())
        })
        .await;
    stage.add("late", 1, "20ms", &[]);
    stage.state("late", "Completed").await;
    stage
        .wait("the first one sees the last commit", |_| {
            first.says(&["Add late"]).then_some(())
        })
        .await;
    for (kind, outcome, object) in late(&first) {
        assert_eq!(outcome, "unreachable", "{kind} {object}");
    }
    assert!(first.says(&["the Lease ran out before it was sent"]));
    let after = stage.proxy.as_ref().unwrap().changes();
    assert_eq!(after, sent, "it sent\n{}", first.log().join("\n"));
    assert_eq!(stage.scene.of("middle").len(), 2, "{}", stage.describe());
    stage.check();
}

async fn pods_that_an_older_berth_rendered_otherwise_stay(on: On) {
    let mut stage = stopped(on).await;
    let pod = stage.scene.of("bert")[0].name.clone();
    let older =
        json!({"metadata": {"annotations": {"berth.dev/digest": "sha256:0123456789abcdef"}}});
    stage.cluster.patch(&stage.pod_path(&pod), &older);
    stage.start();
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    stage.state("bert", "Running").await;
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.running("bert").len(), 1, "{}", stage.describe());
    stage.check();
}

async fn a_rewritten_state_branch_deletes_nothing_until_it_is_allowed(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage.state("bert", "Running").await;
    stage
        .repository
        .git(&["checkout", "--quiet", "--orphan", "fresh"]);
    stage.repository.remove(&path("bert"));
    stage.repository.git(&["add", "--all"]);
    stage
        .repository
        .git(&["commit", "--quiet", "--message", "Begin anew"]);
    stage
        .repository
        .git(&["branch", "--force", "main", "fresh"]);
    stage.repository.git(&["checkout", "--quiet", "main"]);
    stage
        .until("bert is held, and its status says why", |scene| {
            scene.status.state("bert") == "Held"
                && scene
                    .status
                    .message("bert")
                    .contains("Berth-Allow-Rewrite: yes")
        })
        .await;
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    assert_eq!(stage.scene.running("bert").len(), 1, "{}", stage.describe());
    stage
        .repository
        .commit("It is as it should be\n\nBerth-Allow-Rewrite: yes");
    stage
        .until("its pod goes", |scene| scene.alive("bert").is_empty())
        .await;
    stage.check();
}

async fn an_allowed_rewrite_is_known_after_a_restart(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage.state("bert", "Running").await;
    let git = |words: &[&str]| drop(stage.repository.git(words));
    git(&["checkout", "--quiet", "--orphan", "fresh"]);
    git(&["commit", "--quiet", "--message", "Squash it all"]);
    git(&["branch", "--force", "main", "fresh"]);
    git(&["checkout", "--quiet", "main"]);
    stage.said(&["Squash it all"]).await;
    let allowed = "It is as it should be\n\nBerth-Allow-Rewrite: yes";
    let allowed = stage.repository.commit(allowed);
    stage
        .until("the status branch knows of it", |scene| {
            let applied = scene.status.files.get("applied.yaml");
            applied.is_some_and(|text| {
                text.contains("rewrite:") && text.contains(&format!("commit: {allowed}"))
            })
        })
        .await;
    stage.kill().await;
    // The tip has no trailer when the next daemon looks.
    stage.repository.remove(&path("bert"));
    stage.repository.commit("Remove bert");
    stage.start();
    stage
        .until(
            "its pod goes, though it was made for a lost commit",
            |scene| scene.alive("bert").is_empty(),
        )
        .await;
    stage.check();
}

async fn another_namespace_of_its_own_stops_every_write_until_the_anchor_is_moved(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage.state("bert", "Running").await;
    let (old, new) = (stage.names().own(), stage.names().elsewhere());
    stage.cluster.grant(&new, Of::Own);
    let say = |namespace: &str| format!("namespace: {namespace}\n");
    let lab = "clusters/lab.yaml";
    stage.repository.replace(lab, &say(&old), &say(&new));
    stage.repository.commit("Move Berth");
    let back = format!("put `namespace: {old}` back");
    stage.said(&["not ready", &back]).await;
    stage.repository.replace(lab, &say(&new), &say(&old));
    stage.add("back", 1, "20ms", &[]);
    stage.state("back", "Completed").await;
    stage.stop().await;
    // A restart alone does not help either, and is told why.
    stage.repository.replace(lab, &say(&old), &say(&new));
    stage.repository.commit("Move Berth once more");
    stage.start();
    let copy = format!("copy the ConfigMap to `{new}`");
    looks_say(&stage, 1, &copy).await;
    stage.said(&["not ready", &copy]).await;
    let anchor = stage.cluster.object("configmaps", &old, "berth-lab");
    let copy = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "berth-lab"},
        "data": anchor.unwrap()["data"],
    });
    let maps = |namespace: &str| format!("/api/v1/namespaces/{namespace}/configmaps");
    stage.cluster.post(&maps(&new), &copy);
    stage.cluster.delete(&format!("{}/berth-lab", maps(&old)));
    stage.add("moved", 1, "20ms", &[]);
    stage.state("moved", "Completed").await;
    assert_eq!(stage.scene.running("bert").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage.check();
}

on_both! {
    a_deleted_status_branch_stops_every_write,
    a_status_branch_that_was_rolled_back_stops_every_write,
    a_rewritten_status_branch_stops_every_write,
    a_status_branch_deleted_under_a_running_daemon_is_noticed,
    an_allowed_rewrite_is_known_after_a_restart,
    a_kubeconfig_of_another_cluster_stops_every_write,
    a_daemon_that_wakes_late_does_nothing_twice,
    a_standby_that_reads_late_keeps_what_the_other_one_applied,
    a_standby_that_lags_reads_first_what_was_applied,
    a_daemon_that_wakes_late_sends_nothing_that_it_held,
    pods_that_an_older_berth_rendered_otherwise_stay,
    a_rewritten_state_branch_deletes_nothing_until_it_is_allowed,
    another_namespace_of_its_own_stops_every_write_until_the_anchor_is_moved,
}
