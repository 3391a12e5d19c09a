//! Bad input, as `berth validate` judges it.

use std::path::Path;
use std::process::Output;

use berth_tests::e2e::documents::{experiment, first, path};
use berth_tests::e2e::{Names, StateRepository, command};

struct Said {
    code: Option<i32>,
    text: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        Self {
            code: output.status.code(),
            text: format!("{out}{err}"),
        }
    }

    fn must(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "no {word:?} in:\n{}", self.text);
        }
    }
}

fn validate(arguments: &[&str]) -> Said {
    Said::of(&command().arg("validate").args(arguments).output().unwrap())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A repository that is fine, not committed yet.
fn state(folder: &Path) -> StateRepository {
    let repository = StateRepository::create(folder.join("state"));
    for (path, text) in first(&Names::fresh()) {
        repository.write(path, &text);
    }
    repository
}

/// The findings of a repository beside the fine documents: once as a folder, once as a commit.
fn both(repository: &StateRepository) -> [Said; 2] {
    repository.commit("Add it");
    let root = repository.root().to_str().unwrap();
    [validate(&[root]), validate(&["--repo", root])]
}

#[test]
fn nothing_in_it() {
    let folder = folder();
    let root = folder.path().to_str().unwrap();
    validate(&[root]).must(1, &["B0502", "no documents", "help:"]);
    validate(&["/no/such/folder"]).must(2, &["/no/such/folder", "help:"]);
    let repository = StateRepository::create(folder.path().join("state"));
    let root = repository.root().to_str().unwrap();
    validate(&["--repo", root]).must(3, &["empty", "help:"]);
    repository.commit("Nothing");
    validate(&["--repo", root]).must(1, &["B0502", "help:"]);
}

#[test]
fn a_reference_that_is_not_there_or_not_one() {
    let folder = folder();
    let repository = state(folder.path());
    repository.commit("Begin");
    let root = repository.root().to_str().unwrap();
    validate(&["--repo", root, "--ref", "nope"]).must(3, &["nope", "help:", "main"]);
    let option = "--ref=--upload-pack=touch pwned";
    validate(&["--repo", root, option]).must(2, &["not a reference", "help:"]);
    validate(&["--repo=--upload-pack=x"]).must(2, &["begins with `-`", "help:"]);
    assert!(!folder.path().join("pwned").exists());
}

#[test]
fn one_broken_document_among_500() {
    let folder = folder();
    let repository = state(folder.path());
    for number in 0..500 {
        let name = format!("job-{number}");
        repository.write(&path(&name), &experiment(&name, 1, "1s", &[]));
    }
    repository.replace(&path("job-77"), "image:", "imge:");
    for said in both(&repository) {
        said.must(
            1,
            &["experiments/job-77.yaml:8:3", "imge", "image", "help:"],
        );
        assert!(!said.text.contains("job-78"), "{}", said.text);
    }
}

#[test]
fn what_is_too_large_or_too_deep_is_refused_at_once() {
    let folder = folder();
    let repository = state(folder.path());
    repository.write("experiments/big.yaml", &"a".repeat(50_000_000));
    repository.write("experiments/deep.yaml", &"[".repeat(20_000));
    let levels = ["a: &a [x, x, x, x, x, x, x, x, x]".to_owned()]
        .into_iter()
        .chain(('b'..='i').zip('a'..).map(|(name, below)| {
            let nine = [format!("*{below}").as_str(); 9].join(", ");
            format!("{name}: &{name} [{nine}]")
        }));
    let bomb: Vec<String> = levels.collect();
    repository.write("experiments/bomb.yaml", &bomb.join("\n"));
    for said in both(&repository) {
        said.must(
            1,
            &[
                "experiments/big.yaml is not read: it is larger than",
                "B0102",
                "experiments/deep.yaml:1:",
                "B0105",
                "experiments/bomb.yaml:1:4",
            ],
        );
    }
}

#[test]
fn a_link_out_of_the_repository_is_not_followed() {
    let folder = folder();
    let repository = state(folder.path());
    let root = repository.root();
    std::os::unix::fs::symlink("/etc/passwd", root.join("queues/link.yaml")).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("etc")).unwrap();
    for said in both(&repository) {
        said.must(1, &["B0501", "queues/link.yaml", "symbolic link", "help:"]);
        assert!(!said.text.contains("root:"), "{}", said.text);
    }
}
