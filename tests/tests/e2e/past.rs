//! Commands that compare with what happened: wherever that is kept.

use berth_tests::e2e::{BRANCH, Flags, On, Setting, Stage};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::commands::{berth, looks, reads};

async fn a_status_branch_of_another_repository_is_named(on: On) {
    let mut stage = Stage::build(Setting {
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let other = stage.folder().join("status.git").display().to_string();
    stage.repository.git(&["init", "--quiet", "--bare", &other]);
    let there = ["--status-remote", &*other];
    stage.start_with(&Flags {
        more: there.map(str::to_owned).to_vec(),
        ..stage.flags()
    });
    stage.add("bert", 16, "10m", &[]);
    stage
        .until("bert runs", |scene| scene.running("bert").len() == 2)
        .await;
    stage.stop().await;

    let cases = [
        ("plan", "0 to create, 0 to change, 0 to delete"),
        ("check", "0 to create, 0 to change, 0 to delete"),
        ("drift", "no drift"),
        ("uninstall", "2 pods would be released"),
    ];
    for (command, words) in cases {
        let with = [&[command], &there[..]].concat();
        looks(&stage, &with).await.must(0, &[words]);
        // Without it the first help is no command that gives the ledger up.
        let without = looks(&stage, &[command]).await;
        without.must(3, &["the status branch is gone", "--status-remote"]);
    }
    let status = reads(&stage, &[&["status"], &there[..]].concat()).await;
    status.must(0, &["Experiment/vision/bert"]);
    let nothing = reads(&stage, &["status"]).await;
    nothing.must(3, &["--status-remote"]);
    let done = looks(&stage, &[&["uninstall", "--yes"], &there[..]].concat()).await;
    done.must(0, &["2 pods released"]);

    // What must hold of the branch is looked up in the state repository.
    let all = format!("{BRANCH}:{BRANCH}");
    stage.repository.git(&["fetch", "--quiet", &other, &all]);
    stage.check();
}

/// The address of the API server in a kubeconfig, without the scheme.
fn address(kubeconfig: &str) -> &str {
    let (_, from) = kubeconfig.split_once("://").unwrap();
    let end = from.find(|it: char| !it.is_ascii_digit() && !".:".contains(it));
    &from[..end.unwrap_or(from.len())]
}

/// A command reads the branch, is held up on its way to the cluster, and finds an anchor that names
/// a later commit: nothing is wrong with that.
async fn a_branch_that_moves_on_meanwhile_is_read_again(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("first", 1, "10m", &[]);
    stage.state("first", "Running").await;
    let direct = std::fs::read_to_string(stage.flags().kubeconfig).unwrap();
    let server = address(&direct).to_owned();
    for (name, command, words) in [
        ("second", "plan", "0 to create, 0 to change, 0 to delete"),
        ("third", "drift", "no drift"),
    ] {
        let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = relay.local_addr().unwrap().to_string();
        let kubeconfig = stage.folder().join("relayed");
        std::fs::write(&kubeconfig, direct.replace(&server, &here)).unwrap();
        let kubeconfig = kubeconfig.display().to_string();
        let flags = stage.flags();
        let asked = tokio::spawn(async move {
            let repository = ["--repo", &flags.repository, "--ref", "main"];
            let cluster = ["--cluster", "lab", "--kubeconfig", &kubeconfig];
            berth([&[command], &repository[..], &cluster[..]].concat()).await
        });
        // It has come for the cluster: what it reads in the repository it has read.
        let (mut its, _) = relay.accept().await.unwrap();
        stage.add(name, 1, "10m", &[]);
        stage.state(name, "Running").await;
        let own = stage.names().own();
        stage
            .wait("the anchor names the tip", |stage| {
                let anchor = stage.cluster.object("configmaps", &own, "berth-lab")?;
                let named = anchor["data"]["status"].as_str();
                (named == stage.scene.status.tip.as_deref()).then_some(())
            })
            .await;
        let upstream = server.clone();
        let relayed = tokio::spawn(async move {
            loop {
                let mut there = TcpStream::connect(&upstream).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut its, &mut there).await });
                (its, _) = relay.accept().await.unwrap();
            }
        });
        let said = asked.await.unwrap();
        relayed.abort();
        said.must(0, &[words]);
    }
    stage.check();
}

on_both! {
    a_branch_that_moves_on_meanwhile_is_read_again,
    a_status_branch_of_another_repository_is_named,
}
