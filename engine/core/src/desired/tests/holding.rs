//! What is invalid keeps its last form.

use super::super::fixture::{self, Repository, experiment};
use super::super::{Desired, ListedFile, Loader, RefusedFile};
use super::{codes, held, id};
use crate::diagnostic::Code;
use crate::ids::CommitId;

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
    repository.put("a.yaml", "# nothing yet\n---\n");
    assert_eq!(
        codes(&repository.validate().findings),
        [Code::EmptyRepository]
    );
    repository.put("a.yaml", &experiment("a", ""));
    assert_eq!(
        codes(&repository.load().unwrap_err()),
        [Code::NoCluster, Code::UnresolvedReference]
    );
}

#[test]
fn a_file_without_documents_is_fine_beside_others() {
    for text in [
        "",
        "\n",
        "# later\n",
        "---\n",
        "---\n---\n# x\n",
        "\u{feff}",
    ] {
        let mut repository = Repository::new();
        repository.put("a.yaml", &experiment("a", ""));
        repository.put("later.yaml", text);
        let desired = repository.load().unwrap();
        assert_eq!(desired.findings(), [], "{text:?}");
        assert_eq!(desired.units().count(), 4, "{text:?}");
        // Emptied, it holds nothing any more: the prune guard has the last word.
        repository.put("a.yaml", text);
        let desired = repository.load().unwrap();
        assert!(desired.unit(&id("Experiment/vision/a")).is_none());
        assert_eq!(held(&desired), [] as [&str; 0]);
    }
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
    let mut second = repository.load().unwrap();
    assert_eq!(held(&second), ["Experiment/vision/e7"]);
    assert_eq!(codes(second.findings()), [Code::Syntax, Code::HeldByPlace]);
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
    let mut asked = Vec::new();
    second.sign(&mut |source| {
        asked.push(source.path.to_string());
        Some("Ada <ada@example.com>".into())
    });
    assert_eq!(asked, ["e7.yaml"], "only what is faulty");
    assert_eq!(second.author(source), Some("Ada <ada@example.com>"));
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
    let old = fixture::blob(&repository.files["a.yaml"]);
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
fn invalid_pod_defaults_hold_what_depends_on_them() {
    let mut repository = Repository::new();
    let other =
        "apiVersion: berth.dev/v1alpha1\nkind: PodDefaults\nmetadata: {name: other}\nspec: {}\n";
    repository.put("other.yaml", other);
    repository.put("a.yaml", &experiment("a", ""));
    repository.put("c.yaml", &experiment("c", ""));
    let first = repository.load().unwrap();
    let broken = fixture::DEFAULTS.replace("limits", "limitz");
    repository.put("defaults.yaml", &broken);
    repository.put("a.yaml", &experiment("a", "  run: 2\n"));
    repository.put("b.yaml", &experiment("b", ""));
    for restart in [false, true] {
        if restart {
            repository.restart(&first);
        }
        let desired = repository.load().unwrap();
        let waiting = [
            "PodDefaults/standard",
            "Experiment/vision/a",
            "Experiment/vision/c",
        ];
        assert_eq!(held(&desired), waiting);
        assert!(desired.unit(&id("Experiment/vision/b")).is_none());
        let found = |code: Code| {
            codes(desired.findings())
                .iter()
                .filter(|it| **it == code)
                .count()
        };
        let told = (found(Code::UnknownPodField), found(Code::HeldByReference));
        assert_eq!(told, (1, 2), "{:?}", desired.findings());
        // What is in force is made of the form before.
        for name in ["a", "c"] {
            let unit = |of: &Desired| {
                of.unit(&id(&format!("Experiment/vision/{name}")))
                    .unwrap()
                    .clone()
            };
            assert_eq!(unit(&desired).applied, unit(&first).applied);
            let layer = unit(&desired).scope.pod_defaults.unwrap();
            assert_eq!(
                layer.at(&["spec", "gpu"]).unwrap().to_json(),
                standard(&first)
            );
        }
    }
    // What nothing refers to holds nothing.
    repository.put("defaults.yaml", fixture::DEFAULTS);
    repository.put("other.yaml", &other.replace("{}", "{gpus: {}}"));
    let desired = repository.load().unwrap();
    assert_eq!(held(&desired), ["PodDefaults/other"]);
    assert!(desired.unit(&id("Experiment/vision/b")).is_some());
}

/// The layer of GPU pods of the `PodDefaults` in force.
fn standard(desired: &Desired) -> serde_json::Value {
    let unit = desired.unit(&id("PodDefaults/standard")).unwrap();
    let layer = unit.document.source().at(&["spec", "gpu"]);
    layer.unwrap().to_json()
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
    repository.ledger = std::sync::Arc::default();
    repository.loader = Loader::new();
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
    listing.push(ListedFile {
        path: "big.yaml".into(),
        blob: fixture::blob("big"),
        size: 50 << 20,
    });
    assert!(
        !repository
            .loader
            .missing(&listing, &repository.ledger)
            .contains(&fixture::blob("big"))
    );
    let validation = repository.loader.validate(
        &listing,
        &[RefusedFile {
            path: "link.yaml".into(),
            code: Code::Refused,
            why: "it is a symbolic link".to_owned(),
            help: "put the file itself there".to_owned(),
            hides: false,
        }],
        &repository.objects,
    );
    assert_eq!(codes(&validation.findings), [Code::TooLarge, Code::Refused]);
}

/// It keeps its last form, and everything of it stands still: that is told.
#[test]
fn a_cluster_that_is_gone_is_missed() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", ""));
    let desired = repository.load().unwrap();
    repository.restart(&desired);
    let renamed = fixture::CLUSTER.replace("name: lab", "name: lab2");
    repository.put("cluster.yaml", &renamed);
    for _ in 0..2 {
        let desired = repository.load().unwrap();
        let missed = |it: &&crate::diagnostic::Diagnostic| it.code == Code::NoCluster;
        let missed: Vec<_> = desired.findings().iter().filter(missed).collect();
        assert_eq!(missed.len(), 1, "{:?}", desired.findings());
        let wanted = "the repository holds no `Cluster` document `lab`";
        assert_eq!(missed[0].cause, wanted);
        assert!(desired.unit(&id("Experiment/vision/a")).is_some());
    }
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

/// What a valid snapshot withdrew is gone, whatever the ledger said at the start.
#[test]
fn what_was_withdrawn_since_the_start_stays_so() {
    let mut repository = Repository::new();
    for name in ["a", "b"] {
        repository.put(&format!("{name}.yaml"), &experiment(name, ""));
    }
    let first = repository.load().unwrap();
    let broken = fixture::CLUSTER.replace("maxSlotsPerPod", "maxSlotPerPod");
    repository.put("cluster.yaml", &broken);
    repository.restart(&first);
    assert_eq!(held(&repository.load().unwrap()).len(), 5);
    repository.put("cluster.yaml", fixture::CLUSTER);
    let text = repository.files.remove("b.yaml").unwrap();
    repository.load().unwrap();
    repository.put("cluster.yaml", &broken);
    let b = id("Experiment/vision/b");
    for back in [false, true] {
        if back {
            repository.put("b.yaml", &text);
        }
        let desired = repository.load().unwrap();
        assert_eq!(held(&desired).len(), 4, "put back: {back}");
        assert!(desired.unit(&b).is_none() && !desired.frozen().contains_key(&b));
    }
}

/// Another daemon applied what this loader never read; or a form that it holds is older.
#[test]
fn a_loader_that_forgets_goes_by_the_ledger_alone() {
    let mut other = Repository::new();
    other.load().unwrap();
    other.put("a.yaml", &experiment("a", ""));
    let applied = other.load().unwrap();
    assert!(applied.is_clear() && applied.judged_by().is_none());
    other.restart(&applied);

    let mut repository = Repository::new();
    let first = repository.load().unwrap();
    assert!(first.is_clear() && first.judged_by().is_some());
    repository.objects.extend(other.objects.clone());
    repository.put("a.yaml", &experiment("a", "  maxRestart: 2\n"));
    let alone = repository.load().unwrap();
    assert!(!alone.is_clear() && alone.judged_by().is_none());
    assert_eq!(held(&alone), [] as [&str; 0]);

    repository.ledger = std::sync::Arc::clone(&other.ledger);
    repository.loader.forget();
    let again = repository.again().unwrap();
    assert_eq!(held(&again), ["Experiment/vision/a"]);
    assert_eq!(again.judged_by(), Some(&other.ledger));
    let a = id("Experiment/vision/a");
    assert_eq!(
        again.unit(&a).unwrap().applied,
        applied.unit(&a).unwrap().applied
    );
    let later = repository.load().unwrap();
    assert_eq!(later.judged_by(), None);
    assert_eq!(held(&later), ["Experiment/vision/a"]);
}

/// A warning is told, and stands in nobody's way.
#[test]
fn a_document_with_a_warning_is_in_force() {
    let mut repository = Repository::new();
    let line = "entrypoint: train $(hp.name)\n  hyperparameters: {name: two words}";
    let text = experiment("a", "").replace("entrypoint: [python, train.py]", line);
    for text in [text.clone(), format!("{text}  maxRestarts: 2\n")] {
        repository.put("a.yaml", &text);
        let desired = repository.load().unwrap();
        assert_eq!(codes(desired.findings()), [Code::ShellWord]);
        let unit = desired.unit(&id("Experiment/vision/a")).unwrap();
        assert_eq!(unit.applied.blob, fixture::blob(&text));
        assert!(unit.held.is_none() && repository.validate().is_valid());
    }
}
