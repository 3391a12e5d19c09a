use std::time::{Duration, Instant};

use berth_git::{Limits, Refusal, Repository, Source};

use crate::repo::{Repo, folder};

fn refused(reader: &Repository, commit: berth_core::ids::CommitId) -> Vec<(String, Refusal)> {
    let listing = reader.listing(commit).unwrap();
    listing
        .refused
        .into_iter()
        .map(|entry| (entry.path, entry.why))
        .collect()
}

fn limited(repo: &Repo, limits: Limits) -> Repository {
    let source = Source::new(repo.path().to_str().unwrap(), "main").unwrap();
    Repository::open(source.with_limits(limits), &folder()).unwrap()
}

#[test]
fn links_submodules_and_bad_names_are_refused() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let link = repo.blob(b"/etc");
    let commit = "1111111111111111111111111111111111111111";
    let entries = [
        format!("120000 blob {link}\tetc\0").into_bytes(),
        format!("160000 commit {commit}\tsub\0").into_bytes(),
        [
            format!("100644 blob {blob}\tcaf").as_bytes(),
            b"\xe9.yaml\0",
        ]
        .concat(),
        format!("100644 blob {blob}\tline\nbreak.yaml\0").into_bytes(),
        format!("100644 blob {blob}\tfine.yaml\0").into_bytes(),
    ]
    .concat();
    let commit = repo.commit_tree(&entries);
    let reader = repo.open();
    let want = [
        ("caf\u{fffd}.yaml".to_owned(), Refusal::NotUtf8Path),
        ("etc".to_owned(), Refusal::Symlink),
        ("line?break.yaml".to_owned(), Refusal::BadName),
        ("sub".to_owned(), Refusal::Submodule),
    ];
    assert_eq!(refused(&reader, commit), want);
    assert_eq!(reader.listing(commit).unwrap().files.len(), 1);
}

#[test]
fn a_large_file_is_refused_by_its_header() {
    let repo = Repo::new();
    repo.write("big.yaml", vec![b'a'; 50 << 20])
        .write("small.yaml", "x");
    let commit = repo.commit("big");
    let reader = repo.open();
    let started = Instant::now();
    assert_eq!(
        refused(&reader, commit),
        [("big.yaml".to_owned(), Refusal::TooLarge)]
    );
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "its content was read"
    );
    let blob = repo.tip("HEAD:big.yaml").to_string().parse().unwrap();
    assert_eq!(reader.blob(blob).unwrap_err().reason(), "TooLarge");
}

#[test]
fn deep_folders_are_refused() {
    let repo = Repo::new();
    repo.write(&format!("{}a.yaml", "d/".repeat(40)), "x")
        .write("b.yaml", "x");
    let commit = repo.commit("deep");
    let reader = repo.open();
    let deepest = format!("{}d", "d/".repeat(32));
    assert_eq!(refused(&reader, commit), [(deepest, Refusal::TooDeep)]);
    assert_eq!(reader.listing(commit).unwrap().files.len(), 1);
}

#[test]
fn a_tree_that_names_itself_a_million_times_ends() {
    let repo = Repo::new();
    let mut tree = repo.git(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
    for _ in 0..12 {
        let entries: Vec<_> = (0..10)
            .map(|n| format!("040000 tree {tree}\td{n}\0"))
            .collect();
        let commit = repo.commit_tree(entries.concat().as_bytes());
        tree = repo.tip(&format!("{commit}^{{tree}}")).to_string();
    }
    let reader = limited(
        &repo,
        Limits {
            max_files: 1000,
            ..Limits::default()
        },
    );
    let error = reader.listing(repo.tip("main")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the number of entries passes the limit of 16000"
    );
}

#[test]
fn number_and_size_of_documents_are_bounded() {
    let repo = Repo::new();
    for n in 0..10 {
        repo.write(&format!("{n}.yaml"), "0123456789");
    }
    let commit = repo.commit("ten");
    let listing = |limits| limited(&repo, limits).listing(commit);
    assert!(
        listing(Limits {
            max_files: 10,
            max_total: 100,
            ..Limits::default()
        })
        .is_ok()
    );
    let error = listing(Limits {
        max_files: 9,
        ..Limits::default()
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the number of documents passes the limit of 9"
    );
    let error = listing(Limits {
        max_total: 99,
        ..Limits::default()
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the size of all documents passes the limit of 99"
    );
}

#[test]
fn a_missing_object_is_an_error() {
    let repo = Repo::new();
    let commit =
        repo.commit_tree(b"100644 blob 1111111111111111111111111111111111111111\ta.yaml\0");
    let error = repo.open().listing(commit).unwrap_err();
    assert_eq!(error.reason(), "BadObject");
    assert_eq!(
        error.to_string(),
        format!("object {} cannot be read", "1".repeat(40))
    );
}
