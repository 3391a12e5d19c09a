use berth_core::ids::CommitId;
use berth_git::{GitError, PushError, Source, StatusBranch};

use crate::repo::{Repo, folder, who};

type Change = (String, Option<Vec<u8>>);

fn put(path: &str, content: &str) -> Change {
    (path.to_owned(), Some(content.as_bytes().to_vec()))
}

fn branch(location: &str) -> StatusBranch {
    StatusBranch::open(&Source::new(location, "main").unwrap(), &folder(), "lab").unwrap()
}

fn commit(branch: &StatusBranch, base: Option<CommitId>, changes: &[Change]) -> CommitId {
    branch
        .commit(
            base,
            changes,
            "status\n\nCluster: lab\n",
            1_700_000_000_000,
            &who(),
        )
        .unwrap()
}

#[test]
fn a_local_branch_is_written_without_a_work_tree() {
    let repo = Repo::new();
    // As git has it by itself: what is written outlasts a loss of power.
    repo.git(&["config", "--unset", "core.fsync"]);
    repo.write("a.yaml", "1").commit("first");
    let status = branch(repo.path().to_str().unwrap());
    assert_eq!(status.load().unwrap(), None);
    let first = commit(
        &status,
        None,
        &[put("experiment/ab/q.e.yaml", "1"), put("format", "1\n")],
    );
    status.push(None, first).unwrap();
    let second = commit(
        &status,
        Some(first),
        &[put("experiment/ab/q.e.yaml", "2"), ("format".into(), None)],
    );
    let files = status.load().unwrap().unwrap();
    assert_eq!(files.tip, second);
    assert_eq!(
        files.files,
        [("experiment/ab/q.e.yaml".to_owned(), b"2".to_vec())]
    );
    assert_eq!(repo.tip("berth/status/lab"), second);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert_eq!(
        repo.git(&["log", "-1", "--format=%an %ae %ct", "berth/status/lab"]),
        "Berth berth@example.com 1700000000"
    );
    assert_eq!(repo.git(&["fsck", "--strict"]), "");
    // Nothing differs: no commit.
    assert_eq!(
        commit(&status, Some(second), &[put("experiment/ab/q.e.yaml", "2")]),
        second
    );
    // The last file of a folder takes the folder with it.
    let third = commit(
        &status,
        Some(second),
        &[("experiment/ab/q.e.yaml".into(), None)],
    );
    assert_eq!(repo.git(&["ls-tree", "-r", "-t", &third.to_string()]), "");
}

/// What lies in the folder of packs, by suffix, and how many objects are files of their own.
fn stored(repo: &Repo) -> (Vec<String>, usize) {
    let objects = repo.path().join(".git/objects");
    let names = |folder: std::path::PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut packs: Vec<_> = names(objects.join("pack"))
        .iter()
        .map(|path| path.extension().unwrap().to_str().unwrap().to_owned())
        .collect();
    packs.sort();
    let folders = names(objects);
    let loose = folders
        .iter()
        .filter(|it| it.file_name().unwrap().len() == 2);
    (packs, loose.flat_map(|it| names(it.clone())).count())
}

#[test]
fn many_objects_of_a_commit_are_one_pack() {
    let repo = Repo::new();
    let status = branch(repo.path().to_str().unwrap());
    let few = commit(&status, None, &[put("format", "1\n")]);
    let (packs, before) = stored(&repo);
    assert_eq!((packs.len(), before), (0, 3), "a file, a tree, a commit");
    let many: Vec<_> = (0..1000)
        .map(|number| put(&format!("experiment/{number:03}.yaml"), &number.to_string()))
        .collect();
    let tip = commit(&status, Some(few), &many);
    assert_eq!(stored(&repo), (vec!["idx".into(), "pack".into()], before));
    let files = status.load().unwrap().unwrap();
    assert_eq!((files.tip, files.files.len()), (tip, 1001));
    assert_eq!(repo.git(&["fsck", "--strict", "--full"]), "");
    // Where nothing differs, nothing is written.
    assert_eq!(commit(&status, Some(tip), &many), tip);
    assert_eq!(stored(&repo), (vec!["idx".into(), "pack".into()], before));
}

#[test]
fn a_repository_may_have_many_packs() {
    let repo = Repo::new();
    let status = branch(repo.path().to_str().unwrap());
    let mut tip = None;
    for round in 0..40 {
        let many: Vec<_> = (0..100)
            .map(|number| put(&format!("{number}.yaml"), &format!("{round}")))
            .chain((0..100).map(|number| {
                put(
                    &format!("{round}/{number}"),
                    &format!("{number} of {round}"),
                )
            }))
            .collect();
        tip = Some(commit(&status, tip, &many));
    }
    assert_eq!(stored(&repo).0.len(), 80);
    let all = 100 + 40 * 100;
    assert_eq!(status.load().unwrap().unwrap().files.len(), all);
    let anew = branch(repo.path().to_str().unwrap());
    assert_eq!(anew.load().unwrap().unwrap().files.len(), all);
    // What somebody packs anew meanwhile is found in its new place.
    repo.git(&["gc", "--quiet"]);
    assert_eq!(status.load().unwrap().unwrap().tip, tip.unwrap());
    tip = Some(commit(&status, tip, &[put("format", "1\n")]));
    assert_eq!(repo.tip("berth/status/lab"), tip.unwrap());
    assert_eq!(repo.git(&["fsck", "--strict", "--full"]), "");
}

#[test]
fn a_second_writer_is_noticed() {
    let repo = Repo::bare();
    let status = branch(repo.path().to_str().unwrap());
    let first = commit(&status, None, &[put("a", "1")]);
    let second = commit(&status, Some(first), &[put("a", "2")]);
    for base in [None, Some(first)] {
        let error = status
            .commit(base, &[put("a", "3")], "x", 0, &who())
            .unwrap_err();
        assert!(matches!(error, GitError::Moved { .. }), "{error}");
    }
    assert!(matches!(status.push(None, first), Err(PushError::Rejected)));
    // A deleted branch is not made again behind the caller's back.
    repo.git(&["update-ref", "-d", "refs/heads/berth/status/lab"]);
    let error = status
        .commit(Some(second), &[put("a", "3")], "x", 0, &who())
        .unwrap_err();
    assert!(matches!(error, GitError::Moved { .. }), "{error}");
    assert_eq!(status.load().unwrap(), None);
}

#[test]
fn a_remote_branch_is_pushed_by_compare_and_swap() {
    let repo = Repo::bare();
    let (one, other) = (branch(&repo.url()), branch(&repo.url()));
    let first = commit(&one, None, &[put("a", "1")]);
    one.push(None, first).unwrap();
    assert_eq!(repo.tip("berth/status/lab"), first);

    // Another pusher, who loaded the same tip, is faster.
    assert_eq!(other.load().unwrap().unwrap().tip, first);
    let theirs = commit(&other, Some(first), &[put("b", "1")]);
    other.push(Some(first), theirs).unwrap();
    let ours = commit(&one, Some(first), &[put("a", "2")]);
    let error = one.push(Some(first), ours).unwrap_err();
    assert!(matches!(error, PushError::Rejected), "{error}");
    assert!(!error.is_unknown());

    // Loading again forgets what was not published.
    let files = one.load().unwrap().unwrap();
    assert_eq!(files.tip, theirs);
    assert_eq!(files.files.len(), 2);
    let next = commit(&one, Some(theirs), &[put("a", "2")]);
    one.push(Some(theirs), next).unwrap();

    // A branch that should not exist, but does; and one that should, but does not.
    one.push(Some(theirs), next).unwrap();
    let more = commit(&one, Some(next), &[put("a", "9")]);
    assert!(matches!(one.push(None, more), Err(PushError::Rejected)));
    repo.git(&["update-ref", "-d", "refs/heads/berth/status/lab"]);
    assert!(matches!(
        one.push(Some(next), more),
        Err(PushError::Rejected)
    ));
    assert_eq!(one.load().unwrap(), None);
    assert_eq!(one.tip().unwrap(), None);
}

#[test]
fn a_push_that_failed_is_tried_again_on_the_same_base() {
    let repo = Repo::bare();
    let status = branch(&repo.url());
    let first = commit(&status, None, &[put("a", "1")]);
    status.push(None, first).unwrap();
    let (path, away) = (repo.path().to_owned(), repo.path().with_extension("away"));
    std::fs::rename(&path, &away).unwrap();
    for content in ["2", "3"] {
        let unpushed = commit(&status, Some(first), &[put("a", content)]);
        assert!(status.push(Some(first), unpushed).is_err());
    }
    std::fs::rename(&away, &path).unwrap();
    let last = commit(&status, Some(first), &[put("a", "4"), put("b", "1")]);
    status.push(Some(first), last).unwrap();
    assert_eq!(repo.tip("berth/status/lab"), last);
    assert_eq!(repo.tip("berth/status/lab^"), first);
}

#[test]
fn a_compacted_branch_is_one_commit() {
    for local in [false, true] {
        let repo = Repo::bare();
        let path = repo.path().to_str().unwrap().to_owned();
        let location = if local { path } else { repo.url() };
        let (status, other) = (branch(&location), branch(&location));
        let first = commit(&status, None, &[put("a", "1")]);
        let second = commit(&status, Some(first), &[put("b", "1")]);
        status.push(None, second).unwrap();
        assert_eq!(status.length(second).unwrap(), 2);
        let before = other.load().unwrap().unwrap();
        let message = format!("compact\n\nCompacts: {second}\n");
        let root = status.root(second, &message, 0, &who()).unwrap();
        assert_eq!(
            repo.tip("berth/status/lab"),
            second,
            "nothing was published"
        );
        // From where the branch is not, it is not moved.
        let error = status.replace(first, root, &who()).unwrap_err();
        assert!(matches!(error, PushError::Rejected), "{error}");
        status.replace(second, root, &who()).unwrap();
        assert_eq!(repo.git(&["rev-list", "--count", "berth/status/lab"]), "1");
        assert_eq!(repo.git(&["fsck", "--strict", "--no-dangling"]), "");
        // Whoever knew the old history reads the new one, and goes on from it.
        let after = other.load().unwrap().unwrap();
        assert_eq!((after.tip, after.files), (root, before.files));
        assert!(!other.is_ancestor(second, root).unwrap_or(false));
        let next = commit(&other, Some(root), &[put("a", "2")]);
        other.push(Some(root), next).unwrap();
        assert_eq!(repo.tip("berth/status/lab^"), root);
    }
}

#[test]
fn a_hook_refuses_in_its_own_words() {
    use std::os::unix::fs::PermissionsExt;
    let repo = Repo::bare();
    let hook = repo.path().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho 'pushes need a review'\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let status = branch(&repo.url());
    let first = commit(&status, None, &[put("a", "1")]);
    let error = status.push(None, first).unwrap_err();
    let PushError::Refused { words } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        words,
        "[remote rejected] (pre-receive hook declined); pushes need a review"
    );
    assert_eq!(error.reason(), "PushRefused");
}

#[test]
fn an_unreachable_remote_leaves_the_outcome_unknown() {
    let repo = Repo::bare();
    let status = branch(&repo.url());
    let first = commit(&status, None, &[put("a", "1")]);
    std::fs::rename(repo.path().join("objects"), repo.path().join("gone")).unwrap();
    let error = status.push(None, first).unwrap_err();
    assert_eq!(error.reason(), "RemoteNotFound");
}

#[test]
fn paths_that_could_not_be_read_back_are_not_written() {
    let repo = Repo::bare();
    let status = branch(repo.path().to_str().unwrap());
    for path in [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        ".git/config",
        "a/.hidden",
        "a\nb",
    ] {
        let error = status
            .commit(None, &[put(path, "x")], "x", 0, &who())
            .unwrap_err();
        assert_eq!(error.reason(), "BadTreePath", "{path}");
    }
    let huge = vec![(String::from("a"), Some(vec![0; (16 << 20) + 1]))];
    assert_eq!(
        status
            .commit(None, &huge, "x", 0, &who())
            .unwrap_err()
            .reason(),
        "TooLarge"
    );
    let source = Source::new(repo.path().to_str().unwrap(), "main").unwrap();
    assert!(StatusBranch::open(&source, &folder(), "../x").is_err());
}

#[test]
fn a_foreign_entry_stops_the_reading() {
    let repo = Repo::new();
    std::os::unix::fs::symlink("/etc/passwd", repo.path().join("ledger")).unwrap();
    repo.commit("evil");
    repo.git(&["branch", "berth/status/lab"]);
    let error = branch(repo.path().to_str().unwrap()).load().unwrap_err();
    assert_eq!(error.reason(), "ForeignEntry");
}

#[test]
fn ten_thousand_sharded_files_cost_little_a_commit() {
    let repo = Repo::bare();
    let status = branch(repo.path().to_str().unwrap());
    let path = |n: usize| format!("experiment/{:02x}/q.e{n}.yaml", n % 256);
    let all: Vec<_> = (0..10_000)
        .map(|n| put(&path(n), &format!("{n}")))
        .collect();
    let first = commit(&status, None, &all);
    let second = commit(&status, Some(first), &[put(&path(7), "changed")]);
    let range = format!("{first}..{second}");
    // One commit, three trees, one blob.
    assert_eq!(
        repo.git(&["rev-list", "--objects", &range]).lines().count(),
        5
    );
    let files = status.load().unwrap().unwrap().files;
    assert_eq!(files.len(), 10_000);
}

#[test]
fn a_lock_that_a_killed_daemon_left_goes_and_a_fresh_one_is_waited_for() {
    let repo = Repo::new();
    repo.write("a.yaml", "1").commit("first");
    let status = branch(repo.path().to_str().unwrap());
    let first = commit(&status, None, &[put("format", "1\n")]);
    let path = repo.path().join(".git/refs/heads/berth/status/lab.lock");
    let lock = std::fs::File::create(&path).unwrap();
    let again = |number: &str| {
        let change = put("format", number);
        status.commit(Some(first), &[change], "status", 1_700_000_000_000, &who())
    };
    let busy = again("2\n").unwrap_err();
    assert_eq!(busy.reason(), "StoreFailed", "nobody moved it: {busy}");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(10);
    lock.set_modified(old).unwrap();
    let second = again("2\n").unwrap();
    assert_eq!(repo.tip("berth/status/lab"), second);
    let moved = again("3\n").unwrap_err();
    assert_eq!(moved.reason(), "Moved");
}
