//! Several documents in one file.

use super::super::Desired;
use super::super::fixture::{Repository, experiment};
use super::{codes, file, held, id, names};
use crate::diagnostic::Code;
use crate::ids::CommitId;

#[test]
fn one_file_holds_a_whole_repository() {
    use super::super::fixture::{CLUSTER, DEFAULTS, QUEUE};
    let mut repository = Repository::default();
    let (a, b) = (experiment("a", ""), experiment("b", ""));
    let text = file(&["# all of it\n", &a, CLUSTER, QUEUE, &b, DEFAULTS, ""]);
    repository.put("all.yaml", &text);
    let desired = repository.load().unwrap();
    assert_eq!(desired.findings(), []);
    assert_eq!(desired.units().count(), 5);
    let place = desired.unit(&id("Experiment/vision/b")).unwrap().place.span;
    let line = text.lines().position(|line| line.contains("name: b"));
    assert_eq!(place.line as usize, line.unwrap() + 1);
    assert_eq!(
        &text[place.start as usize..place.end as usize],
        "b",
        "places count in the whole file"
    );
    assert_eq!(repository.validate().documents, 5);
}

#[test]
fn a_sibling_s_change_changes_nothing() {
    let (a, b) = (experiment("a", ""), experiment("b", ""));
    let raised = experiment("b", "  run: 2\n");
    let commented = format!("# words\n{a}# more\n");
    let changes = [
        file(&[&a, &raised]),
        file(&[&raised, &a]),
        file(&[&commented, &b]),
        file(&[&a]),
        file(&[&experiment("c", ""), &a, &b]),
    ];
    for text in changes {
        for restart in [false, true] {
            let mut repository = Repository::new();
            repository.put("both.yaml", &file(&[&a, &b]));
            let first = repository.load().unwrap();
            repository.put("both.yaml", &text);
            if restart {
                repository.restart(&first);
            }
            let second = repository.load().unwrap();
            let unit = |desired: &Desired, name| desired.unit(&id(name)).cloned();
            let before = unit(&first, "Experiment/vision/a").unwrap();
            let after = unit(&second, "Experiment/vision/a").unwrap();
            assert_eq!(after.input, before.input, "{text}");
            assert_eq!(after.applied, before.applied, "{text}");
            let line = text.lines().position(|line| line.contains("name: a"));
            assert_eq!(after.place.span.line as usize, line.unwrap() + 1);
            let commit = unit(&second, "Experiment/vision/b").map(|it| it.applied.commit);
            let moved = text.contains("run: 2");
            if let Some(commit) = commit {
                let number = if moved { 2 } else { 1 };
                assert_eq!(commit, CommitId::from_bytes([number; 20]), "{text}");
            }
        }
    }
}

#[test]
fn an_invalid_document_holds_itself_among_others() {
    let [a, b, c] = ["a", "b", "c"].map(|name| experiment(name, ""));
    let new = experiment("new", "");
    let typo = experiment("b", "  maxRestart: 2\n");
    let twice = experiment("b", "  run: 1\n  run: 2\n");
    let nameless = b.replace("name: b", "name: B_");
    let ambiguous = b.replace("{name: b}", "{name: b, name: c}");
    // What the file holds now; what is held; what is there; the codes.
    let table = [
        (file(&[&a, &typo, &new]), "b", "a b new", Code::UnknownField),
        (file(&[&a, &twice]), "b", "a b", Code::DuplicateKey),
        (file(&[&a, &nameless]), "b c", "a b c", Code::InvalidName),
        (file(&[&a, &ambiguous]), "b c", "a b c", Code::DuplicateKey),
        (file(&[&typo]), "a b c", "a b c", Code::UnknownField),
        (file(&[&new, "spec: ["]), "a b c", "a b c", Code::Syntax),
        (
            file(&[&new, "kind: X\n"]),
            "a b c",
            "a b c new",
            Code::NotADocument,
        ),
        (file(&[&a, &b, &b]), "b", "a b", Code::DuplicateDocument),
    ];
    for (text, expected, present, code) in table {
        for restart in [false, true] {
            let mut repository = Repository::new();
            repository.put("all.yaml", &file(&[&a, &b, &c]));
            let first = repository.load().unwrap();
            repository.put("all.yaml", &text);
            if restart {
                repository.restart(&first);
            }
            let second = repository.load().unwrap();
            let held = held(&second).join(" ").replace("Experiment/vision/", "");
            assert_eq!(held, expected, "{text}");
            assert_eq!(names(&second).join(" "), present, "{text}");
            let mut found = codes(second.findings());
            found.retain(|code| *code != Code::HeldByPlace);
            assert_eq!(found, [code], "{text}");
            for unit in second.units().filter(|unit| unit.held.is_some()) {
                assert_eq!(unit.applied, first.unit(&unit.id).unwrap().applied);
                let mut told = second.findings().iter();
                let told = told.any(|finding| finding.unit.as_ref() == Some(&unit.id));
                assert!(told, "status says of {} why it is held", unit.id);
            }
        }
    }
}

#[test]
fn what_moved_to_another_file_is_not_held() {
    let [a, b] = ["a", "b"].map(|name| experiment(name, ""));
    let mut repository = Repository::new();
    repository.put("one.yaml", &file(&[&a, &b]));
    let first = repository.load().unwrap();
    repository.put("one.yaml", "spec: [");
    repository.put("two.yaml", &a);
    let second = repository.load().unwrap();
    assert_eq!(held(&second), ["Experiment/vision/b"]);
    let unit = |desired: &Desired| desired.unit(&id("Experiment/vision/a")).unwrap().clone();
    assert_eq!(unit(&second).applied.path, "two.yaml");
    assert_eq!(unit(&second).input, unit(&first).input);
}

#[test]
fn two_documents_of_one_name_in_one_file_are_both_shown() {
    let a = experiment("a", "");
    let mut repository = Repository::new();
    repository.put("all.yaml", &file(&[&a, &experiment("b", ""), &a]));
    let desired = repository.load().unwrap();
    assert_eq!(codes(desired.findings()), [Code::DuplicateDocument]);
    let finding = &desired.findings()[0];
    let lines = (
        finding.place.unwrap().span.line,
        finding.related[0].0.span.line,
    );
    assert_eq!(lines, (17, 3));
    assert_eq!(names(&desired), ["b"]);
}
