//! Incremental equals from scratch; where a document stands changes nothing.

use proptest::prelude::*;

use super::super::fixture::{Repository, experiment};
use super::super::{Desired, Loader};
use super::{codes, file, whole};

/// One change of one document: none, a broken one, an invalid one that says its name, a valid
/// one with other words, or with other layout, one of a queue that is not there, one without a kind;
/// and whether it moves to another file.
fn change() -> impl Strategy<Value = (usize, u8, usize)> {
    (0usize..6, 0u8..8, 0usize..3)
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
        5 => text.replace("queue: vision", "queue: vison"),
        6 => text.replace("kind:", "kimd:"),
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
    /// A loader that goes on, also one that began with a ledger that is old by now, says what one
    /// that starts from the ledger says.
    #[test]
    fn incremental_equals_from_scratch(changes in prop::collection::vec((change(), prop::bool::weighted(0.2)), 1..16)) {
        let mut repository = Repository::default();
        let mut layout = layout();
        apply(&mut layout, (3, 7, 0));
        write(&mut repository, &layout);
        let mut last = repository.load().unwrap();
        let mut ledger = std::sync::Arc::<crate::ledger::Forms>::default();
        for (step, restarts) in changes {
            apply(&mut layout, step);
            write(&mut repository, &layout);
            let mut fresh = Repository { files: repository.files.clone(), objects: repository.objects.clone(), commits: repository.commits, ledger: ledger.clone(), ..Repository::default() };
            fresh.restart(&last);
            ledger.clone_from(&fresh.ledger);
            if restarts {
                repository.ledger.clone_from(&ledger);
                repository.loader = Loader::new();
            }
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
