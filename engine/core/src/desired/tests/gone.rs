//! What is gone while something cannot be read keeps its last form.

use super::super::fixture::{Repository, experiment};
use super::super::{Desired, RefusedFile};
use super::{codes, file, held, id, names};
use crate::diagnostic::{Code, Severity};
use crate::ids::UnitId;

const TAB: &str = "\tbad: [\n";

/// A repository of these files beside those of every one.
fn repository(files: &[(&str, &[&str])]) -> Repository {
    let mut repository = Repository::new();
    for (path, documents) in files {
        let texts: Vec<String> = documents.iter().map(|name| experiment(name, "")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        repository.put(path, &file(&texts));
    }
    repository
}

fn link(path: &str) -> RefusedFile {
    RefusedFile {
        path: path.into(),
        code: Code::Refused,
        why: "it is a symbolic link".to_owned(),
        help: "put the file itself there".to_owned(),
        hides: false,
    }
}

/// What is held after the change and another commit, with and without a restart: always the same.
fn held_after(
    before: impl Fn() -> Repository,
    change: impl Fn(&mut Repository),
) -> (Vec<String>, Desired) {
    let mut last = None;
    for restart in [false, true] {
        let mut repository = before();
        let first = repository.load().unwrap();
        change(&mut repository);
        if restart {
            repository.restart(&first);
        }
        for round in 0..3 {
            let desired = repository.load().unwrap();
            for unit in desired.units().filter(|unit| unit.held.is_some()) {
                assert_eq!(unit.applied, first.unit(&unit.id).unwrap().applied);
                let said = |it: &&crate::diagnostic::Diagnostic| it.unit.as_ref() == Some(&unit.id);
                let said = desired.findings().iter().find(said).unwrap();
                assert!(said.cause.contains(unit.held.as_ref().unwrap()), "{said:?}");
            }
            let now = held(&desired).join(" ").replace("Experiment/vision/", "");
            let before = last.replace((now.clone(), desired));
            if let Some((before, _)) = before {
                assert_eq!(now, before, "restart: {restart}, round: {round}");
            }
            repository.put(
                &format!("new{round}.yaml"),
                &experiment(&format!("new{round}"), ""),
            );
        }
    }
    let (held, desired) = last.unwrap();
    (
        held.split_whitespace().map(str::to_owned).collect(),
        desired,
    )
}

fn why(desired: &Desired, name: &str) -> String {
    let id: UnitId = id(&format!("Experiment/vision/{name}"));
    desired.unit(&id).unwrap().held.clone().unwrap()
}

/// Moves all files of a folder or of this path, and breaks the last of them.
fn move_and_break(repository: &mut Repository, from: &str, to: &str, end: &str) {
    let files = std::mem::take(&mut repository.files);
    let mut broken = None;
    for (path, text) in files {
        let new = path.replace(from, to);
        if new != path {
            broken = Some((new.clone(), format!("{text}{end}")));
        }
        repository.put(&new, &text);
    }
    let (path, text) = broken.unwrap();
    repository.put(&path, &text);
}

#[test]
fn a_file_that_moves_and_breaks_holds_what_it_contained() {
    let before = || repository(&[("exps/q.yaml", &["q"]), ("exps/xy.yaml", &["x", "z"])]);
    for (from, to) in [("xy.yaml", "xy2.yaml"), ("exps/", "other/")] {
        for end in [TAB, "---\nkimd: Experiment\n"] {
            let changed = |it: &mut Repository| move_and_break(it, from, to, end);
            let (held, desired) = held_after(before, changed);
            let stays = if end == TAB { vec!["x", "z"] } else { vec![] };
            assert_eq!(held, stays, "{to} {end}");
            if end == TAB {
                let path = "exps/xy.yaml".replace(from, to);
                let words =
                    format!("gone from exps/xy.yaml, and {path}, which may hold it now, cannot");
                assert!(
                    why(&desired, "x").contains(&words),
                    "{}",
                    why(&desired, "x")
                );
                let place = |code| {
                    let mut all = desired.findings().iter();
                    all.find(|it| it.code == code)
                        .unwrap()
                        .place
                        .unwrap()
                        .source
                };
                assert_eq!(place(Code::HeldByPlace), place(Code::Syntax));
            }
        }
    }
}

/// Also if the document that moved is the one that lost its kind.
#[test]
fn a_document_that_moves_and_loses_its_kind_is_held() {
    let before = || repository(&[("a.yaml", &["a"]), ("b.yaml", &["b"])]);
    let (held, desired) = held_after(before, |repository| {
        let text = repository.files.remove("a.yaml").unwrap();
        repository.put("c.yaml", &text.replace("kind:", "kimd:"));
    });
    assert_eq!(held, ["a"]);
    assert!(why(&desired, "a").contains("c.yaml, which may hold it now"));
}

/// A file where other documents stand holds those, and what its text names: it may have been taken in.
#[test]
fn a_file_that_was_there_holds_only_what_it_names() {
    let before = || repository(&[("a.yaml", &["a"]), ("b.yaml", &["b"]), ("c.yaml", &["c"])]);
    let (held, _) = held_after(before, |repository| {
        let text = repository.files.remove("a.yaml").unwrap();
        let both = format!("{}---\n{text}{TAB}", experiment("b", ""));
        repository.put("b.yaml", &both);
        repository.files.remove("c.yaml");
    });
    assert_eq!(held, ["a", "b"]);
}

/// Mended, what it does not hold is gone.
#[test]
fn once_all_can_be_read_what_is_gone_is_gone() {
    let mut repository = repository(&[("a.yaml", &["a"]), ("b.yaml", &["b"])]);
    repository.load().unwrap();
    repository.files.remove("a.yaml");
    repository.put("new.yaml", TAB);
    let desired = repository.load().unwrap();
    assert_eq!(held(&desired), ["Experiment/vision/a"]);
    repository.put("new.yaml", &experiment("c", ""));
    let desired = repository.load().unwrap();
    assert_eq!(names(&desired), ["b", "c"]);
    assert_eq!(desired.findings(), []);
}

#[test]
fn a_link_in_the_place_of_a_folder_holds_what_stood_there() {
    let files: &[(&str, &[&str])] = &[
        ("e/sub/a.yaml", &["a"]),
        ("e/sub/b.yaml", &["b"]),
        ("e/subs.yaml", &["c"]),
    ];
    let before = || repository(files);
    let (held, desired) = held_after(before, |repository| {
        let moved = repository.files.remove("e/sub/b.yaml").unwrap();
        repository.files.remove("e/sub/a.yaml");
        repository.files.remove("e/subs.yaml");
        repository.put("e/b.yaml", &moved);
        repository.refused.push(link("e/sub"));
    });
    assert_eq!(
        held,
        ["a"],
        "neither what stands elsewhere nor what stood beside it"
    );
    let words = "it is gone from e/sub/a.yaml, as e/sub is not read: it is a symbolic link";
    assert_eq!(why(&desired, "a"), words);
    let errors = desired
        .findings()
        .iter()
        .filter(|it| it.severity == Severity::Error);
    assert_eq!(
        errors.map(|it| it.code).collect::<Vec<_>>(),
        [Code::Refused]
    );
}

/// A link beside documents is nobody's place.
#[test]
fn a_link_where_nothing_stood_holds_nothing() {
    let before = || repository(&[("a.yaml", &["a"])]);
    let (held, desired) = held_after(before, |repository| {
        repository.files.remove("a.yaml");
        repository.refused.push(link("docs"));
    });
    assert_eq!(held, [] as [&str; 0]);
    let severities = desired.findings().iter().map(|it| it.severity);
    assert_eq!(severities.collect::<Vec<_>>(), [Severity::Warning]);
    // A folder of which it is not known what it holds is another thing.
    let deep = || RefusedFile {
        hides: true,
        ..link("deep/down")
    };
    let (held, _) = held_after(before, |repository| {
        repository.files.remove("a.yaml");
        repository.refused.push(deep());
    });
    assert_eq!(held, ["a"]);
}

#[test]
fn beside_a_document_without_a_kind_none_changes_or_goes() {
    let before = || repository(&[("all.yaml", &["a", "b", "c", "d"]), ("e.yaml", &["e"])]);
    let (held, desired) = held_after(before, |repository| {
        let lost = experiment("a", "").replace("kind:", "kimd:");
        let changed = experiment("b", "  maxRestarts: 1\n");
        let (same, new) = (experiment("c", ""), experiment("f", ""));
        repository.put("all.yaml", &file(&[&lost, &changed, &same, &new]));
    });
    assert_eq!(held, ["a", "b", "d"]);
    assert!(names(&desired).contains(&"f"));
    for name in ["a", "b", "d"] {
        let words = "all.yaml holds a document whose kind or name cannot be told";
        assert!(
            why(&desired, name).contains(words),
            "{}",
            why(&desired, name)
        );
    }
    let errors = desired
        .findings()
        .iter()
        .filter(|it| it.severity == Severity::Error);
    assert_eq!(errors.count(), 1, "{:?}", codes(desired.findings()));
}

/// As the whole repository stands in one file, so does the Cluster.
#[test]
fn a_cluster_beside_a_document_without_a_kind_keeps_its_form() {
    use super::super::fixture::{CLUSTER, DEFAULTS, QUEUE};
    let all = |cluster: &str, last: &str| file(&[cluster, DEFAULTS, QUEUE, last]);
    let (a, lost) = (
        experiment("a", ""),
        experiment("a", "").replace("kind:", "kimd:"),
    );
    for (cluster, expected) in [(CLUSTER.to_owned(), 1), (CLUSTER.replace(": 8", ": 4"), 4)] {
        let mut repository = Repository::default();
        repository.put("all.yaml", &all(CLUSTER, &a));
        repository.load().unwrap();
        repository.put("all.yaml", &all(&cluster, &lost));
        let desired = repository.load().unwrap();
        assert_eq!(held(&desired).len(), expected);
        assert_eq!(desired.cluster().spec.max_slots_per_pod, 8);
    }
}

/// A queue that is not there, or is not valid, takes nothing over.
#[test]
fn an_experiment_that_moves_to_a_queue_that_is_not_there_stays() {
    let before = || repository(&[("a.yaml", &["a"]), ("b.yaml", &["b"])]);
    let to = |queue: &'static str| {
        move |repository: &mut Repository| {
            let text = experiment("a", "").replace("vision", queue);
            repository.put("a.yaml", &text);
        }
    };
    let (held, desired) = held_after(before, to("vison"));
    assert_eq!(held, ["a"]);
    let words = "it is now `Experiment/vison/a`, which is not valid: there is no Queue `vison`";
    assert_eq!(why(&desired, "a"), words);
    let other = || {
        let mut repository = before();
        let queue = super::super::fixture::QUEUE.replace("vision", "other");
        repository.put("other.yaml", &queue);
        repository
    };
    let (held, desired) = held_after(other, to("other"));
    assert_eq!(held, [] as [&str; 0], "it moves");
    assert_eq!(desired.findings(), []);
}
