//! `berth compact`: the history goes, the ledger stays, and nobody takes it for a roll-back.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;

use berth_tests::e2e::{BRANCH, On, Stage, command};

/// `berth compact`, as a person runs it; the process may die around one of its steps.
async fn compact(stage: &Stage, yes: bool, crash: Option<&str>) -> Output {
    let flags = stage.flags();
    let mut compact = command();
    compact
        .args(["compact", "--cluster", "lab", "--ref", "main"])
        .args(["--repo", &flags.repository, "--kubeconfig"])
        .arg(&flags.kubeconfig)
        .args(yes.then_some("--yes"));
    if let Some(crash) = crash {
        compact.env("BERTH_CRASH", crash);
    }
    tokio::process::Command::from(compact)
        .output()
        .await
        .unwrap()
}

fn words(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

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

/// The daemon goes on from the branch as it is, and does nothing twice.
async fn goes_on(stage: &mut Stage, next: &str) {
    stage.start();
    stage.add(next, 1, "20ms", &[]);
    stage.state(next, "Completed").await;
    stage.state("bert", "Running").await;
    for name in ["done", "bert", next] {
        assert_eq!(
            stage.scene.of(name).len(),
            1,
            "{name}\n{}",
            stage.describe()
        );
    }
    let log = stage.daemon.as_ref().unwrap().log();
    let halted = log.iter().find(|line| line.contains("berth reanchor"));
    assert_eq!(halted, None);
    stage.stop().await;
    stage.check();
}

/// The commits of the branch that tell what was done, the newest first: each says for which commit
/// of the state repository and which cluster, and asks for no pipeline.
fn ordinary(stage: &Stage) -> usize {
    let trailers = |id: &str| {
        stage
            .repository
            .git(&["log", "-1", "--format=%(trailers)", id])
    };
    let all = stage.repository.log(BRANCH);
    let told = all
        .iter()
        .filter(|(id, _)| !trailers(id).contains("Compacts: "));
    let mut desired = Vec::new();
    for (id, message) in told {
        let subject = message.lines().next().unwrap_or_default();
        let is_marked = subject.starts_with("status: ") && subject.ends_with(" [skip ci]");
        assert!(is_marked, "{message}");
        let trailers = trailers(id);
        let [commit, cluster] = trailers.trim().lines().collect::<Vec<_>>()[..] else {
            panic!("{trailers:?} of {message}");
        };
        assert_eq!(cluster, "Cluster: lab", "{message}");
        let Some(commit) = commit.strip_prefix("Desired-Commit: ") else {
            panic!("{message}");
        };
        desired.push(commit.to_owned());
    }
    // In the order of the commits of the state repository, up to its tip.
    let known: Vec<String> = stage
        .repository
        .log("main")
        .into_iter()
        .map(|it| it.0)
        .collect();
    let order = desired
        .iter()
        .map(|commit| known.iter().position(|it| it == commit));
    let order: Vec<usize> = order.map(Option::unwrap).collect();
    assert!(
        order.is_sorted() && order.first() == Some(&0),
        "{desired:?}"
    );
    desired.len()
}

async fn the_history_goes_and_the_ledger_stays(on: On) {
    let mut stage = stopped(on).await;
    assert!(ordinary(&stage) > 1);
    let tip = stage.repository.tip(BRANCH).unwrap();
    let files = stage.repository.files(&tip);
    let commits = stage.repository.log(BRANCH).len();
    let asked = compact(&stage, false, None).await;
    assert!(asked.status.success(), "{}", words(&asked));
    let would = format!("{commits} commits up to {tip} would become one");
    assert!(words(&asked).contains(&would), "{}", words(&asked));
    assert_eq!(stage.repository.tip(BRANCH), Some(tip.clone()));

    let done = compact(&stage, true, None).await;
    assert!(done.status.success(), "{}", words(&done));
    let log = stage.repository.log(BRANCH);
    let [(root, message)] = &log[..] else {
        panic!("{log:?}");
    };
    assert!(words(&done).contains(root), "{}", words(&done));
    assert!(message.contains("[skip ci]"), "{message}");
    let trailers = format!("Compacts: {tip}\nCluster: lab");
    assert!(message.ends_with(&trailers), "{message}");
    assert_eq!(stage.repository.files(root), files);
    let again = compact(&stage, true, None).await;
    assert!(
        words(&again).contains("is one commit already"),
        "{}",
        words(&again)
    );
    goes_on(&mut stage, "next").await;
    let log = stage.repository.log(BRANCH);
    assert_eq!(&log.last().unwrap().0, root, "it goes on from there");
    assert_eq!(ordinary(&stage), log.len() - 1);
}

/// Killed before and after each of its steps: the anchor is told, the branch is replaced, the
/// anchor is told again.
async fn killed_at_any_step_the_daemon_goes_on(on: On) {
    const SIGABRT: i32 = 6;
    let mut stage = stopped(on).await;
    let steps = ["keep:1", "replace:1", "keep:2"];
    for (number, step) in steps.into_iter().enumerate() {
        for when in ["before", "after"] {
            let tip = stage.repository.tip(BRANCH).unwrap();
            let files = stage.repository.files(&tip);
            let killed = compact(&stage, true, Some(&format!("{when}:{step}"))).await;
            let said = words(&killed);
            assert_eq!(
                killed.status.signal(),
                Some(SIGABRT),
                "{when}:{step} {said}"
            );
            let now = stage.repository.tip(BRANCH).unwrap();
            let replaced = (when, number) == ("after", 1) || number == 2;
            assert_eq!(now != tip, replaced, "{when}:{step}");
            assert_eq!(stage.repository.files(&now), files, "{when}:{step}");
            goes_on(&mut stage, &format!("{when}{number}")).await;
        }
    }
}

/// A root commit that says that it compacts the last one, and is not the one that was made for it.
async fn a_forged_root_is_taken_for_what_it_is(on: On) {
    let mut stage = stopped(on).await;
    let early = stage.repository.log(BRANCH).last().unwrap().0.clone();
    let tip = stage.repository.tip(BRANCH).unwrap();
    let killed = compact(&stage, true, Some("after:replace:1")).await;
    assert!(!killed.status.success(), "{}", words(&killed));
    let root = stage.repository.tip(BRANCH).unwrap();
    let tree = format!("{early}^{{tree}}");
    let message = stage.repository.git(&["log", "-1", "--format=%B", &root]);
    assert!(message.contains(&format!("Compacts: {tip}")), "{message}");
    let forged = ["commit-tree", "-m", message.trim(), &tree];
    let forged = stage.repository.git(&forged);
    let reference = format!("refs/heads/{BRANCH}");
    let put = |commit: &str| {
        stage
            .repository
            .git(&["update-ref", &reference, commit.trim()])
    };
    put(&forged);
    let refused = compact(&stage, true, None).await;
    assert_eq!(refused.status.code(), Some(3), "{}", words(&refused));
    assert!(words(&refused).contains("rewritten or rolled back"));
    stage.start();
    stage.said(&["not ready", "rewritten or rolled back"]).await;
    stage.stop().await;
    let reference = format!("refs/heads/{BRANCH}");
    stage.repository.git(&["update-ref", &reference, &root]);
    goes_on(&mut stage, "next").await;
}

async fn beside_a_daemon_that_works_it_changes_nothing(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("one", 1, "20ms", &[]);
    stage.state("one", "Completed").await;
    let tip = stage.repository.tip(BRANCH).unwrap();
    let refused = compact(&stage, true, None).await;
    assert_eq!(refused.status.code(), Some(3));
    let said = words(&refused);
    for part in ["the Lease is held by `first-", "SIGTERM"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let log = stage.repository.log(BRANCH);
    assert!(log.iter().any(|(id, _)| *id == tip), "{log:?}");
    stage.add("two", 1, "20ms", &[]);
    stage.state("two", "Completed").await;
    stage.check();
}

on_both! {
    the_history_goes_and_the_ledger_stays,
    killed_at_any_step_the_daemon_goes_on,
    a_forged_root_is_taken_for_what_it_is,
    beside_a_daemon_that_works_it_changes_nothing,
}
