use super::Desired;
use super::fixture::{Repository, experiment};
use crate::diagnostic::{Code, Diagnostic};
use crate::ids::{CommitId, UnitId};

fn id(text: &str) -> UnitId {
    text.parse().unwrap()
}

fn codes(findings: &[Diagnostic]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

fn held(desired: &Desired) -> Vec<String> {
    desired
        .units()
        .filter(|unit| unit.held.is_some())
        .map(|unit| unit.id.to_string())
        .collect()
}

/// Which forms are in force of what has work, and what stands still.
fn gist(desired: &Desired) -> Vec<String> {
    let units = desired.units().filter(|unit| unit.id.kind.has_queue());
    let units = units.map(|unit| {
        let held = unit.held.is_some();
        format!(
            "{} {} {} {held}",
            unit.id, unit.applied.path, unit.applied.blob
        )
    });
    units
        .chain(desired.frozen().keys().map(ToString::to_string))
        .collect()
}

#[test]
fn a_valid_repository_has_its_units() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", ""));
    repository.put("README.md", "# not a document");
    repository.put(".github/ci.yaml", "on: push");
    let desired = repository.load().unwrap();
    assert_eq!(desired.findings(), []);
    let ids: Vec<String> = desired.units().map(|unit| unit.id.to_string()).collect();
    assert_eq!(
        ids,
        [
            "Cluster/lab",
            "PodDefaults/standard",
            "Queue/vision",
            "Experiment/vision/a"
        ]
    );
    let unit = desired.unit(&id("Experiment/vision/a")).unwrap();
    assert_eq!(unit.scope.queue.as_ref().unwrap().name().as_str(), "vision");
    assert!(unit.scope.pod_defaults.is_some());
    assert_eq!(unit.applied.path, "a.yaml");
}

#[test]
fn an_empty_repository_is_an_error() {
    assert_eq!(
        codes(&Repository::default().load().unwrap_err()),
        [Code::EmptyRepository]
    );
    let mut repository = Repository::default();
    repository.put("README.md", "hello");
    assert_eq!(
        codes(&repository.load().unwrap_err()),
        [Code::EmptyRepository]
    );
    assert_eq!(
        codes(&repository.validate().findings),
        [Code::EmptyRepository]
    );
    repository.put("a.yaml", &experiment("a", ""));
    assert_eq!(codes(&repository.load().unwrap_err()), [Code::NoCluster]);
}

#[test]
fn one_broken_document_among_500_holds_only_itself() {
    let mut repository = Repository::new();
    for number in 0..500 {
        let name = format!("e{number}");
        repository.put(&format!("{name}.yaml"), &experiment(&name, ""));
    }
    let first = repository.load().unwrap();
    repository.put("e7.yaml", "spec: [");
    repository.put("e8.yaml", &experiment("e8", "  maxRestarts: 2\n"));
    let second = repository.load().unwrap();
    assert_eq!(held(&second), ["Experiment/vision/e7"]);
    assert_eq!(codes(second.findings()), [Code::Syntax]);
    let unit = |desired: &Desired, name| desired.unit(&id(name)).unwrap().clone();
    assert_eq!(
        unit(&second, "Experiment/vision/e7").applied,
        unit(&first, "Experiment/vision/e7").applied
    );
    assert_eq!(
        unit(&second, "Experiment/vision/e8").applied.commit,
        CommitId::from_bytes([2; 20])
    );
    assert_eq!(
        unit(&second, "Experiment/vision/e9").applied.commit,
        CommitId::from_bytes([1; 20])
    );
    let source = second.findings()[0].place.unwrap().source;
    assert_eq!(
        second.sources().get(source).unwrap().author.as_deref(),
        Some("Ada <ada@example.com>")
    );
}

#[test]
fn after_a_restart_the_ledger_s_form_is_in_force() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", ""));
    let first = repository.load().unwrap();
    repository.put("a.yaml", &experiment("a", "  maxRestart: 2\n"));
    repository.restart(&first);
    let again = repository.load().unwrap();
    assert_eq!(held(&again), ["Experiment/vision/a"]);
    let unit = again.unit(&id("Experiment/vision/a")).unwrap();
    assert_eq!(unit.applied, first.unit(&unit.id).unwrap().applied);
    assert!(unit.held.as_ref().unwrap().contains("maxRestart"));
}

#[test]
fn a_form_that_cannot_be_read_any_more_is_frozen() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", ""));
    let first = repository.load().unwrap();
    repository.objects.clear();
    let files = repository.files.clone();
    for (path, text) in files {
        repository.put(&path, &text);
    }
    let old = super::fixture::blob(&repository.files["a.yaml"]);
    repository.put("a.yaml", "{");
    repository.objects.remove(&old);
    repository.restart(&first);
    let again = repository.load().unwrap();
    assert!(again.unit(&id("Experiment/vision/a")).is_none());
    assert!(again.frozen().contains_key(&id("Experiment/vision/a")));
}

#[test]
fn an_invalid_queue_holds_what_refers_to_it() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", ""));
    let first = repository.load().unwrap();
    repository.put("queue.yaml", "apiVersion: berth.dev/v1alpha1\nkind: Queue\nmetadata: {name: vision}\nspec: {cluster: lab, namespace: vision}\n");
    repository.put("a.yaml", &experiment("a", "  run: 2\n"));
    repository.put("b.yaml", &experiment("b", ""));
    for restart in [false, true] {
        if restart {
            repository.restart(&first);
        }
        let desired = repository.load().unwrap();
        assert_eq!(held(&desired), ["Queue/vision", "Experiment/vision/a"]);
        assert!(desired.unit(&id("Experiment/vision/b")).is_none());
        let mut found = codes(desired.findings());
        found.sort();
        assert_eq!(
            found,
            [
                Code::MissingField,
                Code::HeldByReference,
                Code::HeldByReference
            ]
        );
    }
}

#[test]
fn an_invalid_cluster_holds_everything() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", ""));
    let first = repository.load().unwrap();
    repository.put("cluster.yaml", "apiVersion: berth.dev/v1alpha1\nkind: Cluster\nmetadata: {name: lab}\nspec: {namespace: berth}\n");
    repository.put("b.yaml", &experiment("b", ""));
    repository.files.remove("a.yaml");
    for restart in [false, true] {
        if restart {
            repository.restart(&first);
        }
        let desired = repository.load().unwrap();
        assert_eq!(held(&desired).len(), 4);
        assert!(desired.unit(&id("Experiment/vision/b")).is_none());
    }
    repository.ledger.clear();
    repository.loader = super::Loader::new();
    assert!(codes(&repository.load().unwrap_err()).contains(&Code::MissingField));
}

#[test]
fn references_that_name_nothing_get_the_closest_name() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", "").replace("vision", "vison"));
    let desired = repository.load().unwrap();
    let finding = &desired.findings()[0];
    assert_eq!(finding.code, Code::UnresolvedReference);
    assert_eq!(finding.place.unwrap().span.line, 5);
    assert_eq!(finding.help.as_deref(), Some("did you mean `vision`?"));
}

#[test]
fn a_queue_that_goes_away_holds_its_experiments() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", ""));
    repository.load().unwrap();
    repository.files.remove("queue.yaml");
    let desired = repository.load().unwrap();
    assert_eq!(held(&desired), ["Experiment/vision/a"]);
}

#[test]
fn two_documents_of_one_name_are_both_shown() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", ""));
    let first = repository.load().unwrap();
    repository.put("b.yaml", &experiment("a", "  run: 2\n"));
    let desired = repository.load().unwrap();
    assert_eq!(codes(desired.findings()), [Code::DuplicateDocument]);
    let finding = &desired.findings()[0];
    let path = |place: crate::object::Place| {
        desired
            .sources()
            .get(place.source)
            .unwrap()
            .path
            .to_string()
    };
    assert_eq!(path(finding.place.unwrap()), "b.yaml");
    assert_eq!(path(finding.related[0].0), "a.yaml");
    assert_eq!(held(&desired), ["Experiment/vision/a"]);
    let unit = desired.unit(&id("Experiment/vision/a")).unwrap();
    assert_eq!(unit.applied, first.unit(&unit.id).unwrap().applied);
}

#[test]
fn a_moved_file_changes_no_input() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", ""));
    let before = repository.load().unwrap();
    let text = repository.files.remove("a.yaml").unwrap();
    repository.put("deep/down/a.yaml", &text);
    let after = repository.load().unwrap();
    let unit = |desired: &Desired| desired.unit(&id("Experiment/vision/a")).unwrap().clone();
    assert_eq!(unit(&before).input, unit(&after).input);
    assert_eq!(unit(&after).applied.path, "deep/down/a.yaml");
}

#[test]
fn a_change_of_what_is_referred_to_changes_the_input() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", ""));
    let before = repository.load().unwrap();
    let text = repository.files["queue.yaml"].replace("64", "32");
    repository.put("queue.yaml", &text);
    let after = repository.load().unwrap();
    let input = |desired: &Desired, name| desired.unit(&id(name)).unwrap().input;
    assert_ne!(
        input(&before, "Experiment/vision/a"),
        input(&after, "Experiment/vision/a")
    );
    assert_eq!(input(&before, "Cluster/lab"), input(&after, "Cluster/lab"));
}

#[test]
fn large_files_are_not_even_read() {
    let mut repository = Repository::new();
    let mut listing = repository.listing();
    listing.push(super::ListedFile {
        path: "big.yaml".into(),
        blob: super::fixture::blob("big"),
        size: 50 << 20,
    });
    assert!(
        !repository
            .loader
            .missing(&listing, &repository.ledger)
            .contains(&super::fixture::blob("big"))
    );
    let validation = repository.loader.validate(
        &listing,
        &[("link.yaml".into(), "a symlink".to_owned())],
        &repository.objects,
    );
    assert_eq!(codes(&validation.findings), [Code::TooLarge, Code::Refused]);
}

#[test]
fn what_could_not_be_read_is_asked_for_again() {
    let mut repository = Repository::new();
    repository.load().unwrap();
    repository.put("a.yaml", &experiment("a", ""));
    let kept = std::mem::take(&mut repository.objects);
    let blind = repository.load().unwrap();
    assert_eq!(codes(blind.findings()), [Code::Refused]);
    repository.objects = kept;
    let seeing = repository.load().unwrap();
    assert_eq!(codes(seeing.findings()), []);
    assert!(seeing.unit(&id("Experiment/vision/a")).is_some());
}

/// A file of these texts.
fn file(texts: &[&str]) -> String {
    texts.join("---\n")
}

fn names(desired: &Desired) -> Vec<&str> {
    let units = desired.units().filter(|unit| unit.id.kind.has_queue());
    units.map(|unit| unit.id.name.as_str()).collect()
}

#[test]
fn one_file_holds_a_whole_repository() {
    use super::fixture::{CLUSTER, DEFAULTS, QUEUE};
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
            assert_eq!(codes(second.findings()), [code], "{text}");
            for unit in second.units().filter(|unit| unit.held.is_some()) {
                assert_eq!(unit.applied, first.unit(&unit.id).unwrap().applied);
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

/// All that a snapshot says, with the places as people read them.
fn whole(desired: &Desired) -> Vec<String> {
    let units = desired.units().map(|unit| {
        let path = desired.sources().get(unit.place.source).map(|it| &it.path);
        format!("{:?} {path:?} {:?}", unit, unit.place.span)
    });
    let findings = desired.findings().iter();
    let findings = findings.map(|finding| crate::reconciler::line(desired, finding));
    let frozen = desired.frozen().iter();
    let frozen = frozen.map(|(id, why)| format!("{id} is frozen: {why}"));
    units.chain(findings).chain(frozen).collect()
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// One change of one document: none, a broken one, an invalid one that says its name, a valid
    /// one with other words, or with other layout; and whether it moves to another file.
    fn change() -> impl Strategy<Value = (usize, u8, usize)> {
        (0usize..6, 0u8..6, 0usize..3)
    }

    /// The documents of a repository, each with the file that it stands in.
    type Layout = Vec<(usize, String)>;

    fn layout() -> Layout {
        use super::super::fixture::{CLUSTER, DEFAULTS, QUEUE};
        let texts = [CLUSTER, DEFAULTS, QUEUE].map(str::to_owned);
        texts.into_iter().map(|text| (2, text)).collect()
    }

    fn apply(layout: &mut Layout, (document, form, file): (usize, u8, usize)) {
        let text = match document {
            0..=2 => self::layout()[document].1.clone(),
            other => experiment(["a", "b", "c"][other - 3], ""),
        };
        let text = match form {
            0 => String::new(),
            1 => "spec: [\n".to_owned(),
            2 => text.replace("spec:", "spec_:"),
            3 => text.replace("name: ", "labels: {x: y}, name: "),
            4 => format!("# changed\n{text}# changed\n"),
            _ => text,
        };
        while layout.len() <= document {
            layout.push((0, String::new()));
        }
        layout[document] = (file, text);
    }

    /// Writes the files anew; those that hold nothing are not there.
    fn write(repository: &mut Repository, layout: &Layout) {
        repository.files.clear();
        for (number, path) in ["x.yaml", "y.yaml", "z.yaml"].into_iter().enumerate() {
            let here = layout
                .iter()
                .filter(|(file, text)| *file == number && !text.is_empty());
            let texts: Vec<&str> = here.map(|(_, text)| text.as_str()).collect();
            if !texts.is_empty() {
                repository.put(path, &file(&texts));
            }
        }
    }

    proptest! {
        /// A loader that goes on says what one that starts from the ledger says.
        #[test]
        fn incremental_equals_from_scratch(changes in prop::collection::vec(change(), 1..16)) {
            let mut repository = Repository::default();
            let mut layout = layout();
            apply(&mut layout, (3, 5, 0));
            write(&mut repository, &layout);
            let mut last = repository.load().unwrap();
            let mut ledger = std::collections::BTreeMap::new();
            for step in changes {
                apply(&mut layout, step);
                write(&mut repository, &layout);
                let mut fresh = Repository { files: repository.files.clone(), objects: repository.objects.clone(), commits: repository.commits, ledger: ledger.clone(), ..Repository::default() };
                fresh.restart(&last);
                ledger.clone_from(&fresh.ledger);
                match (repository.load(), fresh.load()) {
                    (Ok(went_on), Ok(began)) => {
                        prop_assert_eq!(gist(&went_on), gist(&began));
                        last = went_on;
                    }
                    (went_on, began) => prop_assert_eq!(went_on.is_ok(), began.is_ok()),
                }
            }
        }

        /// A loader that judges only what changed says what one says that judges everything again.
        #[test]
        fn judging_a_change_equals_judging_all(changes in prop::collection::vec(change(), 1..24)) {
            let (mut swift, mut thorough) = (Repository::default(), Repository::default());
            let mut layout = layout();
            for step in changes {
                apply(&mut layout, step);
                thorough.loader.judge_all();
                let loaded = [&mut swift, &mut thorough].map(|repository| {
                    write(repository, &layout);
                    repository.load().map(|desired| whole(&desired))
                });
                let [swift, thorough] = loaded.map(|loaded| loaded.map_err(|findings| codes(&findings)));
                prop_assert_eq!(swift, thorough);
            }
        }

        /// In which file, in what order and with what words around it a document stands changes
        /// nothing but its place; only a move to another file is written down.
        #[test]
        fn documents_are_alone_in_a_file(order in Just([0usize, 1, 2, 3, 4]).prop_shuffle(), files in prop::collection::vec(0usize..3, 5)) {
            let mut documents = layout();
            documents.extend(["a", "b"].map(|name| (0, experiment(name, ""))));
            let mut repository = Repository::default();
            write(&mut repository, &documents);
            let first = repository.load().unwrap();
            let moved: Layout = order.iter().map(|at| (files[*at], format!("# {at}\n{}", documents[*at].1))).collect();
            write(&mut repository, &moved);
            let second = repository.load().unwrap();
            prop_assert_eq!(second.findings(), &[]);
            for unit in first.units() {
                let after = second.unit(&unit.id).unwrap();
                prop_assert_eq!(after.input, unit.input);
                if after.applied.path == unit.applied.path {
                    prop_assert_eq!(&after.applied, &unit.applied);
                }
            }
        }
    }
}
