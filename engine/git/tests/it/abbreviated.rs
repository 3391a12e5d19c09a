use berth_core::ids::CommitId;
use berth_git::{GitError, Repository, Source};

use crate::repo::{self, Repo, folder, open};

fn fetch(at: &str, reference: &str) -> Result<CommitId, GitError> {
    let fetched = open(Source::new(at, reference).unwrap()).fetch();
    fetched.map(|it| it.tip)
}

/// A commit whose id depends on its message alone.
fn commit(repo: &Repo, message: u32) -> CommitId {
    let tree = repo::git(repo.path(), &["mktree"], b"");
    let who = "Ada <ada@example.com> 0 +0000";
    let text = format!("tree {tree}\nauthor {who}\ncommitter {who}\n\n{message}\n");
    let write = ["hash-object", "-w", "-t", "commit", "--stdin"];
    let id = repo::git(repo.path(), &write, text.as_bytes());
    id.parse().unwrap()
}

#[test]
fn a_commit_is_known_by_its_first_digits() {
    let repo = Repo::new();
    let first = repo.commit("first");
    repo.commit("second");
    let at = repo.path().to_str().unwrap();
    let full = first.to_string();
    for digits in [7, 8, 20, 39, 40] {
        assert_eq!(fetch(at, &full[..digits]).unwrap(), first, "{digits}");
    }
    let upper = full[..12].to_uppercase();
    assert_eq!(fetch(at, &upper).unwrap(), first);
    // Shorter ones, and what git makes of names with signs in them, stay names.
    assert_eq!(
        fetch(at, &full[..6]).unwrap_err().reason(),
        "MissingReference"
    );
    for expression in ["~1", "^{tree}", "..main", "@{1}", ":a.yaml"] {
        let error = Source::new(at, &format!("{}{expression}", &full[..8])).unwrap_err();
        assert_eq!(error.reason(), "BadReference", "{expression}");
    }
}

#[test]
fn a_name_comes_before_a_commit_that_begins_so() {
    let repo = Repo::new();
    let first = repo.commit("first");
    let second = repo.commit("second");
    let short = &first.to_string()[..8];
    repo.git(&["tag", short, &second.to_string()]);
    assert_eq!(fetch(repo.path().to_str().unwrap(), short).unwrap(), second);
    assert_eq!(fetch(&repo.url(), short).unwrap(), second);
}

#[test]
fn what_begins_several_commits_or_none_is_told() {
    let repo = Repo::new();
    repo.commit("first");
    let at = repo.path().to_str().unwrap();
    let twins = [commit(&repo, 6771), commit(&repo, 12905)];
    let error = fetch(at, "f16e260").unwrap_err();
    assert_eq!(error.reason(), "AmbiguousCommit");
    assert_eq!(
        error.to_string(),
        "`f16e260` begins the ids of several commits"
    );
    let help = format!("give more digits: {}, {}", twins[1], twins[0]);
    assert_eq!(error.help(), help);
    for twin in twins {
        assert_eq!(fetch(at, &twin.to_string()[..8]).unwrap(), twin);
    }
    // What is no commit is not meant.
    let alone = commit(&repo, 6156);
    let blob = repo.blob(b"15272\n");
    assert_eq!(blob[..7], alone.to_string()[..7]);
    assert_eq!(fetch(at, &blob[..7]).unwrap(), alone);
    let error = fetch(at, &blob[..8]).unwrap_err();
    assert_eq!(error.reason(), "MissingCommit");
    assert!(error.help().contains("git log"), "{}", error.help());
}

/// A remote answers for whole ids alone: what begins one is looked for in its mirror.
#[test]
fn a_remote_is_asked_for_what_its_mirror_knows() {
    let repo = Repo::new();
    let first = repo.commit("first");
    let second = repo.commit("second");
    let short = &first.to_string()[..8];
    let error = fetch(&repo.url(), short).unwrap_err();
    assert_eq!(error.reason(), "MissingCommit");
    for words in ["all 40 digits", "git rev-parse"] {
        assert!(error.help().contains(words), "{}", error.help());
    }
    let mirror = folder();
    let open = |reference: &str| {
        let source = Source::new(&repo.url(), reference).unwrap();
        Repository::open(source, &mirror).unwrap()
    };
    assert_eq!(open("main").fetch().unwrap().tip, second);
    let mut old = open(short);
    assert_eq!(old.fetch().unwrap().tip, first);
    assert_eq!(old.known_tip().unwrap(), Some(first));
    assert!(!old.fetch().unwrap().moved);
}

/// It may be meant as a name, whatever its letters: what there is is told as for any other name, the
/// closest one first.
#[test]
fn a_name_that_could_begin_a_commit_is_answered_with_the_names() {
    let repo = Repo::new();
    let local = repo.path().to_str().unwrap().to_owned();
    for at in [&local, &repo.url()] {
        assert_eq!(
            fetch(at, "feedface").unwrap_err().reason(),
            "EmptyRepository"
        );
    }
    repo.commit("first");
    for number in 0..30 {
        repo.git(&["branch", &format!("a-{number:02}")]);
    }
    repo.git(&["branch", "feedfacf"]);
    for at in [&local, &repo.url()] {
        let error = fetch(at, "feedface").unwrap_err();
        assert_eq!(error.reason(), "MissingCommit");
        let help = error.help();
        assert!(help.contains("there is feedfacf, a-00, a-01"), "{help}");
        assert!(!help.contains("a-25"), "{help}");
    }
}
