use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use berth_git::LocalWatch;

use crate::repo::Repo;

/// Generous for a loaded machine; the median is checked against 50 ms below.
const PATIENCE: Duration = Duration::from_secs(2);

fn watch(path: &Path) -> (LocalWatch, Receiver<Instant>) {
    let (send, receive) = channel();
    let watch = LocalWatch::start(path, move || {
        let _ = send.send(Instant::now());
    })
    .unwrap();
    (watch, receive)
}

fn drain(calls: &Receiver<Instant>) {
    while calls.recv_timeout(Duration::from_millis(80)).is_ok() {}
}

#[test]
fn a_commit_is_seen_within_50_ms() {
    let repo = Repo::new();
    repo.commit("first");
    let commits: Vec<_> = (0..9)
        .map(|n| repo.git(&["commit-tree", "-m", &n.to_string(), "HEAD^{tree}"]))
        .collect();
    let (_watch, calls) = watch(repo.path());
    let mut delays: Vec<_> = commits
        .iter()
        .map(|commit| {
            drain(&calls);
            // The whole file, replaced by a rename as git does, but timed without a program's start.
            let path = repo.path().join(".git/refs/heads/main");
            let lock = path.with_extension("lock");
            std::fs::write(&lock, format!("{commit}\n")).unwrap();
            let moved = Instant::now();
            std::fs::rename(&lock, &path).unwrap();
            calls
                .recv_timeout(PATIENCE)
                .unwrap()
                .saturating_duration_since(moved)
        })
        .collect();
    delays.sort();
    assert!(delays[4] < Duration::from_millis(50), "{delays:?}");
}

#[test]
fn every_way_to_move_a_reference_is_seen() {
    let repo = Repo::new();
    repo.commit("first");
    let (_watch, calls) = watch(repo.path());
    let ways: [&[&str]; 6] = [
        &["commit", "-q", "--allow-empty", "-m", "second"],
        &["branch", "berth/status/deep/er"],
        &["pack-refs", "--all"],
        &["reset", "-q", "--hard", "HEAD^"],
        &["checkout", "-q", "-b", "other"],
        &["branch", "-D", "main"],
    ];
    for way in ways {
        drain(&calls);
        repo.git(way);
        assert!(calls.recv_timeout(PATIENCE).is_ok(), "{way:?}");
    }
}

#[test]
fn a_linked_worktree_is_watched() {
    let repo = Repo::new();
    repo.commit("first");
    let linked = repo.linked();
    let (_watch, calls) = watch(&linked);
    drain(&calls);
    repo.git(
        &["branch", "-f", "side", "main"].map(|word| if word == "side" { "third" } else { word }),
    );
    assert!(calls.recv_timeout(PATIENCE).is_ok());
}

#[test]
fn reading_and_staging_wake_nobody() {
    let repo = Repo::new();
    let commit = repo.write("a.yaml", "1").commit("first");
    let (_watch, calls) = watch(repo.path());
    drain(&calls);
    let mut reader = repo.open();
    reader.fetch().unwrap();
    reader.listing(commit).unwrap();
    repo.write("b.yaml", "2").git(&["add", "-A"]);
    assert!(calls.recv_timeout(Duration::from_millis(100)).is_err());
}
