//! The manifests of the docs, given to the real server as they stand there.

use std::path::Path;
use std::process::Command;

use berth_tests::e2e::documents::{experiment, path};
use berth_tests::e2e::{Flags, On, Setting, Stage, Wish, built};
use serde_json::{Value, json};

/// A file of the docs.
fn page(name: &str) -> String {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    std::fs::read_to_string(Path::new(docs).join(name)).unwrap()
}

/// The manifests of a page, in its order.
fn blocks(page: &str) -> Vec<String> {
    let blocks = page.split("```yaml\n").skip(1);
    blocks
        .map(|block| block.split_once("```").unwrap().0.to_owned())
        .collect()
}

/// kubectl as an administrator; it must succeed, without a warning.
fn kubectl(stage: &Stage, arguments: &[&str]) -> String {
    let program = built("kubectl").unwrap().kubectl();
    let done = Command::new(program)
        .arg("--kubeconfig")
        .arg(stage.cluster.admin_kubeconfig())
        .args(arguments)
        .env("HOME", stage.folder())
        .env_remove("KUBECONFIG")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && said.is_empty(),
        "kubectl {arguments:?}: {said}"
    );
    String::from_utf8(done.stdout).unwrap()
}

/// Gives a file to the server; gives the server's lines.
fn apply(stage: &Stage, text: &str, more: &[&str]) -> Vec<String> {
    let file = stage.folder().join("manifests.yaml");
    std::fs::write(&file, text).unwrap();
    let mut arguments = vec!["apply", "--filename", file.to_str().unwrap()];
    arguments.extend(more);
    kubectl(stage, &arguments)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The kubeconfig of the account that the docs make.
fn of_the_account(stage: &Stage) -> Flags {
    let token = kubectl(stage, &["create", "token", "berth", "--namespace", "berth"]);
    let text = std::fs::read_to_string(stage.cluster.admin_kubeconfig()).unwrap();
    let mut config: Value = serde_saphyr::from_str(&text).unwrap();
    config["users"][0]["user"] = json!({"token": token.trim()});
    let kubeconfig = stage.folder().join("kubeconfig-of-the-account");
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    Flags {
        kubeconfig,
        ..stage.flags()
    }
}

/// With the manifests of the docs as they are, and no other right, Berth keeps a cluster: also a queue
/// in a namespace that is not named there.
async fn what_the_docs_apply_is_accepted_and_enough() {
    let mut stage = Stage::build(Setting {
        cluster: Wish {
            alone: true,
            ..Wish::default()
        },
        daemon: false,
        ..Setting::usual(On::Real)
    })
    .await;
    let deployed = apply(&stage, &page("deploy/berth.yaml"), &[]);
    let made = [
        "namespace/berth created",
        "serviceaccount/berth created",
        "deployment.apps/berth created",
    ];
    assert_eq!(deployed, made);
    let rights = blocks(&page("reference/rbac.md"));
    let [everywhere, listed] = &*rights else {
        panic!("{} blocks", rights.len());
    };
    let rbac = "rbac.authorization.k8s.io/berth";
    let kinds = ["clusterrole", "clusterrolebinding", "role", "rolebinding"];
    let made = kinds.map(|kind| format!("{kind}.{rbac} created"));
    assert_eq!(apply(&stage, everywhere, &[]), made);
    kubectl(&stage, &["create", "namespace", "vision"]);
    let others = apply(&stage, listed, &["--dry-run=server"]);
    let made = |line: &&String| line.ends_with("-queue created (server dry run)");
    assert_eq!(
        (others.len(), others.iter().filter(made).count()),
        (6, 2),
        "{others:?}"
    );

    let (own, other) = (stage.names().own(), stage.names().elsewhere());
    let cluster = "clusters/lab.yaml";
    let named = format!("namespace: {own}");
    stage
        .repository
        .replace(cluster, &named, "namespace: berth");
    let audio = format!(
        "apiVersion: berth.dev/v1alpha1\nkind: Queue\nmetadata: {{name: audio}}\n\
         spec: {{cluster: lab, namespace: {other}, quota: 16}}\n"
    );
    stage.repository.write("queues/audio.yaml", &audio);
    stage.add("gang", 16, "200ms", &[]);
    stage.add("flaky", 8, "20ms", &[("exit", "attempt=1:1;0")]);
    let text = experiment("song", 16, "200ms", &[]);
    let text = text.replace("queue: vision", "queue: audio");
    stage.repository.write(&path("song"), &text);
    stage.repository.commit("Add song");
    let flags = of_the_account(&stage);
    stage.start_with(&flags);
    for name in ["gang", "flaky"] {
        stage.state(name, "Completed").await;
    }
    stage
        .until("song completes", |scene| {
            scene.status.unit("experiment audio.song")["status"]["state"] == "Completed"
        })
        .await;
    assert_eq!(
        stage.scene.status.attempts("flaky"),
        [(1, "failed"), (2, "completed")]
    );
    let anchor = stage.cluster.object("configmaps", "berth", "berth-lab");
    assert!(anchor.is_some(), "{}", stage.describe());
    let lease = "/apis/coordination.k8s.io/v1/namespaces/berth/leases/berth-lab";
    assert!(stage.cluster.read(lease)["spec"]["holderIdentity"].is_string());
    let refused = stage.daemon.as_ref().unwrap().says(&["forbidden"]);
    assert!(!refused, "{}", stage.describe());
    stage.check();
    stage.stop().await;
}

on_kube_apiserver! {
    what_the_docs_apply_is_accepted_and_enough,
}
