use berth_git::{GitError, Refusal, Repository, Source, StatusBranch};

use crate::repo::{self, Repo, folder, open, who};

fn paths(repo: &Repository, commit: berth_core::ids::CommitId) -> Vec<String> {
    repo.listing(commit)
        .unwrap()
        .files
        .into_iter()
        .map(|file| file.path.to_string())
        .collect()
}

#[test]
fn documents_are_listed_and_read() {
    let repo = Repo::new();
    repo.write("queues/vision.yaml", "kind: Queue\n")
        .write("a.YML", "a")
        .write("README.md", "x");
    repo.write(".github/workflows/ci.yaml", "x")
        .write(".hidden.yaml", "x");
    let commit = repo.commit("first");
    let mut reader = repo.open();
    let fetched = reader.fetch().unwrap();
    assert_eq!((fetched.tip, fetched.moved), (commit, true));
    assert!(!reader.fetch().unwrap().moved);
    let listing = reader.listing(commit).unwrap();
    assert_eq!(paths(&reader, commit), ["a.YML", "queues/vision.yaml"]);
    assert_eq!(listing.files[1].size, 12);
    assert_eq!(
        reader.blob(listing.files[1].blob).unwrap(),
        b"kind: Queue\n"
    );
}

#[test]
fn a_remote_is_mirrored_and_fetched_again() {
    let repo = Repo::new();
    let first = repo.write("a.yaml", "1").commit("first");
    let mirror = folder();
    let source = Source::new(&repo.url(), "main").unwrap();
    let mut reader = Repository::open(source.clone(), &mirror).unwrap();
    assert_eq!(reader.known_tip().unwrap(), None);
    assert_eq!(reader.fetch().unwrap().tip, first);
    let second = repo.write("b.yaml", "2").commit("second");
    let fetched = reader.fetch().unwrap();
    assert_eq!((fetched.tip, fetched.moved), (second, true));
    assert_eq!(paths(&reader, second), ["a.yaml", "b.yaml"]);

    // The remote goes away: the last snapshot stays, also after a restart.
    std::fs::rename(repo.path().join(".git"), repo.path().join("gone")).unwrap();
    assert_eq!(reader.fetch().unwrap_err().reason(), "RemoteNotFound");
    let reader = Repository::open(source, &mirror).unwrap();
    assert_eq!(reader.known_tip().unwrap(), Some(second));
    assert_eq!(paths(&reader, second), ["a.yaml", "b.yaml"]);
}

#[test]
fn a_rewritten_branch_is_followed() {
    let repo = Repo::new();
    let first = repo.write("a.yaml", "1").commit("first");
    let mut reader = open(Source::new(&repo.url(), "main").unwrap());
    reader.fetch().unwrap();
    repo.git(&["checkout", "-q", "--orphan", "other"]);
    repo.write("a.yaml", "2").commit("unrelated");
    repo.git(&["branch", "-M", "other", "main"]);
    let second = reader.fetch().unwrap().tip;
    assert!(!reader.is_ancestor(first, second).unwrap());
    let changes = reader.changed(first, second).unwrap();
    assert_eq!(
        (changes.written.len(), changes.gone),
        (1, vec!["a.yaml".to_owned()])
    );
}

#[test]
fn empty_and_missing_are_told_apart() {
    for remote in [false, true] {
        let repo = Repo::new();
        let at = if remote {
            repo.url()
        } else {
            repo.path().to_str().unwrap().to_owned()
        };
        let find = |name: &str| open(Source::new(&at, name).unwrap()).fetch();
        assert!(
            matches!(find("main"), Err(GitError::Empty)),
            "remote: {remote}"
        );
        assert!(
            matches!(find("HEAD"), Err(GitError::Empty)),
            "remote: {remote}"
        );
        let commit = repo.commit("first");
        assert_eq!(find("HEAD").unwrap().tip, commit);
        assert_eq!(find(&commit.to_string()).unwrap().tip, commit);
        let error = find("mian").unwrap_err();
        assert_eq!(error.reason(), "MissingReference");
        assert!(error.help().ends_with("main"), "{}", error.help());
    }
}

#[test]
fn a_branch_comes_before_a_tag_of_its_name() {
    let repo = Repo::new();
    let old = repo.commit("first");
    repo.git(&["tag", "-m", "annotated", "main"]);
    repo.git(&["tag", "-m", "annotated", "v1"]);
    let new = repo.commit("second");
    for at in [repo.url(), repo.path().to_str().unwrap().to_owned()] {
        let find = |name| open(Source::new(&at, name).unwrap()).fetch().unwrap().tip;
        assert_eq!(find("main"), new);
        assert_eq!(find("v1"), old);
        assert_eq!(find("refs/tags/main"), old);
    }
}

#[test]
fn a_reference_to_a_tree_is_no_commit() {
    let repo = Repo::new();
    repo.commit("first");
    repo.git(&["tag", "t", "HEAD^{tree}"]);
    let error = open(Source::new(repo.path().to_str().unwrap(), "t").unwrap())
        .fetch()
        .unwrap_err();
    assert_eq!(error.reason(), "NotACommit");
    assert_eq!(error.to_string(), "`t` does not lead to a commit");
}

#[test]
fn a_folder_without_repository_is_none() {
    let source = Source::new(folder().to_str().unwrap(), "main").unwrap();
    let error = Repository::open(source, &folder()).err().unwrap();
    assert_eq!(error.reason(), "NotARepository");
}

#[test]
fn a_repository_of_another_format_is_told_as_such() {
    let sha256 = folder();
    repo::git(&sha256, &["init", "-q", "--object-format=sha256"], b"");
    let bare = folder();
    let arguments = ["init", "-q", "--bare", "--object-format=sha256"];
    repo::git(&bare, &arguments, b"");
    // As a newer git makes one.
    let reftable = Repo::new();
    reftable.git(&["config", "core.repositoryFormatVersion", "1"]);
    reftable.git(&["config", "extensions.refStorage", "reftable"]);
    let path = reftable.path();
    std::fs::write(path.join(".git/HEAD"), "ref: refs/heads/.invalid\n").unwrap();
    for (path, format) in [
        (&*sha256, "SHA-256 object ids"),
        (&*bare, "SHA-256 object ids"),
        (path, "reftables"),
    ] {
        let source = Source::new(path.to_str().unwrap(), "main").unwrap();
        let error = Repository::open(source, &folder()).err().unwrap();
        assert_eq!(error.reason(), "OtherFormat");
        let words = format!("is a Git repository of {format}, which Berth does not read");
        assert!(error.to_string().ends_with(&words), "{error}");
        assert!(error.help().contains("SHA-1"), "{}", error.help());
    }
}

#[test]
fn a_linked_worktree_is_read() {
    let repo = Repo::new();
    let commit = repo.commit("first");
    let linked = repo.linked();
    let mut reader = open(Source::new(linked.to_str().unwrap(), "side").unwrap());
    assert_eq!(reader.fetch().unwrap().tip, commit);
}

#[test]
fn changes_bring_one_listing_to_the_other() {
    let repo = Repo::new();
    repo.write("keep/a.yaml", "1")
        .write("edit.yaml", "1")
        .write("gone/b.yaml", "1");
    repo.write("folder.yaml/inner.yaml", "1")
        .write("note.txt", "1");
    std::os::unix::fs::symlink("/etc", repo.path().join("link")).unwrap();
    let first = repo.commit("first");
    repo.git(&["rm", "-rq", "gone", "folder.yaml", "link"]);
    repo.write("edit.yaml", "2")
        .write("folder.yaml", "now a file")
        .write("note.txt", "2");
    repo.write("new/deep/c.yaml", "1")
        .write("link/d.yaml", "now a folder");
    std::os::unix::fs::symlink("/etc/passwd", repo.path().join("x.yaml")).unwrap();
    let second = repo.commit("second");
    let reader = repo.open();
    for (from, to) in [(first, second), (second, first), (first, first)] {
        let mut listing = reader.listing(from).unwrap();
        listing.apply(reader.changed(from, to).unwrap());
        assert_eq!(listing, reader.listing(to).unwrap());
    }
    let changes = reader.changed(first, second).unwrap();
    assert!(
        !changes
            .written
            .iter()
            .any(|file| &*file.path == "keep/a.yaml")
    );
    assert_eq!(changes.refused[0].why, Refusal::Symlink);
}

/// The incremental way against the whole one, for trees that a seed makes.
#[test]
fn changes_equal_listings_for_any_two_trees() {
    let repo = Repo::bare();
    let at = repo.path().to_str().unwrap();
    let source = Source::new(at, "berth/status/lab").unwrap();
    let writer = StatusBranch::open(&source, &folder(), "lab").unwrap();
    let reader = open(source);
    let mut seed = 7_u32;
    let mut next = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) % below
    };
    // Few names, so that files and folders take each other's place.
    let names = ["a", "b.yaml", "c.yml"];
    let mut commits = Vec::new();
    for _ in 0..60 {
        let mut changes = Vec::new();
        for _ in 0..=next(4) {
            let depth = 1 + next(3);
            let path: Vec<_> = (0..depth).map(|_| names[next(3) as usize]).collect();
            let content = (next(3) > 0).then(|| next(5).to_string().into_bytes());
            changes.push((path.join("/"), content));
        }
        let base = commits.last().copied();
        commits.push(writer.commit(base, &changes, "x", 0, &who()).unwrap());
    }
    for from in &commits {
        let to = commits[next(60) as usize];
        let mut listing = reader.listing(*from).unwrap();
        listing.apply(reader.changed(*from, to).unwrap());
        assert_eq!(listing, reader.listing(to).unwrap(), "{from}..{to}");
    }
}

#[test]
fn handles_may_go_to_another_thread() {
    fn send<T: Send>() {}
    send::<Repository>();
    send::<StatusBranch>();
    send::<berth_git::LocalWatch>();
}
