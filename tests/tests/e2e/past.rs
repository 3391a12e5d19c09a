//! Commands that compare with what happened: wherever that is kept.

use berth_tests::e2e::{BRANCH, Flags, On, Setting, Stage};

use super::commands::{looks, reads};

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
        without.must(1, &["the status branch is gone", "--status-remote"]);
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

on_both! {
    a_status_branch_of_another_repository_is_named,
}
