//! No fault of a document hides another: of two faults, and of all of them, each is told as when it
//! is alone.

mod tables;

use serde_json::{Value as Json, json};

use super::shown;
use crate::desired::Desired;
use crate::desired::fixture::Repository;

/// Faults of one kind of document.
struct Table {
    file: &'static str,
    /// The document without them.
    sound: Json,
    /// What each changes in it, and the parts without which it cannot be judged.
    faults: Vec<(Json, &'static [&'static str])>,
}

fn table<const N: usize>(
    kind: &str,
    file: &'static str,
    sound: &Json,
    faults: Vec<Json>,
    hanging: [(Json, &'static [&'static str]); N],
) -> Table {
    let mut document = json!({"apiVersion": "berth.dev/v1alpha1", "kind": kind});
    document = changed(&document, sound);
    let alone = faults.into_iter().map(|fault| (fault, &[][..]));
    Table {
        file,
        sound: document,
        faults: alone.chain(hanging).collect(),
    }
}

/// Two changes in one; `None` if both change the same.
fn both(one: &Json, other: &Json) -> Option<Json> {
    let (Json::Object(one), Json::Object(other)) = (one, other) else {
        return None;
    };
    let mut all = one.clone();
    for (key, value) in other {
        let value = match one.get(key) {
            Some(before) => both(before, value)?,
            None => value.clone(),
        };
        all.insert(key.clone(), value);
    }
    Some(Json::Object(all))
}

/// The document with a change.
fn changed(document: &Json, change: &Json) -> Json {
    let (Json::Object(document), Json::Object(change)) = (document, change) else {
        return change.clone();
    };
    let mut all = document.clone();
    for (key, value) in change {
        let before = document.get(key).unwrap_or(&Json::Null);
        all.insert(key.clone(), changed(before, value));
    }
    Json::Object(all)
}

/// The document as it is written: named items are lists, and `"RAW yes"` is `yes`.
fn text(document: &Json) -> String {
    let text = listed(document.clone()).to_string();
    let mut parts = text.split("\"RAW ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + &part.replacen('"', "", 1))
}

fn listed(mut json: Json) -> Json {
    let Json::Object(map) = &mut json else {
        return json;
    };
    for (key, value) in map.iter_mut() {
        *value = listed(value.take());
        if let (true, Json::Object(named)) = (is_list(key), &*value) {
            let item = |(name, item): (&String, &Json)| changed(item, &json!({ "name": name }));
            *value = named.iter().map(item).collect();
        }
    }
    json
}

fn is_list(key: &str) -> bool {
    ["containers", "initContainers", "volumes"].contains(&key)
}

/// `code cause` of each finding, sorted; without the numbers of items, which change with others.
fn told(file: &str, document: &Json) -> Vec<String> {
    let mut repository = Repository::new();
    repository.put(file, &text(document));
    let words = |line: String| {
        let (code, rest) = line.split_once(' ').unwrap();
        let (_, rest) = rest.split_once(' ').unwrap();
        let (cause, _) = rest.split_once(" | ").unwrap();
        let digits = |c: char| c.is_ascii_digit();
        let parts = cause.split('[').map(|it| it.trim_start_matches(digits));
        format!("{code} {}", parts.collect::<Vec<_>>().join("["))
    };
    let found = shown(&repository.validate().findings).into_iter();
    let mut found: Vec<String> = found.map(words).collect();
    found.sort();
    found.dedup();
    found
}

/// Whether a fault changes this part of a document.
fn changes(change: &Json, part: &str) -> bool {
    let mut names = part.split('.');
    names.try_fold(change, |at, name| at.get(name)).is_some()
}

impl Table {
    /// The two faults in one document, unless one cannot be told beside the other.
    fn pair(&self, one: usize, other: usize) -> Option<Json> {
        let ((one, on), (other, on_other)) = (&self.faults[one], &self.faults[other]);
        let apart = |change: &Json, on: &[&str]| !on.iter().any(|part| changes(change, part));
        (apart(other, on) && apart(one, on_other)).then(|| both(one, other))?
    }

    /// All pairs of faults that can stand in one document, and the largest of documents with many.
    fn check(&self) -> usize {
        let told = |change: &Json| told(self.file, &changed(&self.sound, change));
        assert_eq!(told(&json!({})), [] as [&str; 0], "{}", self.file);
        let alone: Vec<_> = self.faults.iter().map(|(change, _)| told(change)).collect();
        let mut hidden = Vec::new();
        let mut pairs = 0;
        for one in 0..self.faults.len() {
            assert!(!alone[one].is_empty(), "{}", self.faults[one].0);
            let mut many = (self.faults[one].0.clone(), vec![one]);
            for other in 0..self.faults.len() {
                let Some(change) = self.pair(one, other) else {
                    continue;
                };
                if one < other {
                    pairs += 1;
                    hidden.extend(differing(&change, &told(&change), &alone, &[one, other]));
                }
                let fits = many.1.iter().all(|it| self.pair(*it, other).is_some());
                if let (true, Some(more)) = (fits, both(&many.0, &self.faults[other].0)) {
                    many.0 = more;
                    many.1.push(other);
                }
            }
            hidden.extend(differing(&many.0, &told(&many.0), &alone, &many.1));
        }
        hidden.truncate(9);
        assert!(hidden.is_empty(), "{}", hidden.join("\n"));
        pairs
    }
}

/// What is told more or less than of each fault alone.
fn differing(
    change: &Json,
    found: &[String],
    alone: &[Vec<String>],
    of: &[usize],
) -> Option<String> {
    let mut wanted: Vec<String> = of.iter().flat_map(|it| alone[*it].clone()).collect();
    wanted.sort();
    wanted.dedup();
    let less: Vec<_> = wanted.iter().filter(|it| !found.contains(it)).collect();
    let more: Vec<_> = found.iter().filter(|it| !wanted.contains(it)).collect();
    let differs = !less.is_empty() || !more.is_empty();
    differs.then(|| format!("{change}\n  not told: {less:?}\n  told too: {more:?}"))
}

/// What an author reads who made several mistakes at once; and none of it comes into force.
#[test]
fn all_faults_of_a_document_come_at_once() {
    let cases: [(&str, &str, &[&str]); 5] = [
        (
            "a.yaml",
            "kind: Experiment\nmetadata: {name: A_1, labels: {a b: c}}\nspec:\n  queue: visoin\n  entrypoint: [a, 1]\n  \
             pod: {spec: {nodeName: x, hostNetwork: true}}\n",
            &[
                "B0208 3", "B0208 3", "B0302 5", "B0206 6", "B0402 7", "B0404 7",
            ],
        ),
        (
            "a.yaml",
            "kind: Experiment\nmetadata: {name: a}\nspec:\n  queue: vision\n  entrypoint: [\"$(hp.lr)\"]\n  run: 017\n  \
             environment: {variables: {A: {valueFrom: {}}, PET_A: x}}\n  resources: {slotsPerTrial: 12}\n",
            &["B0407 6", "B0104 7", "B0207 8", "B0402 8", "B0401 9"],
        ),
        (
            "queue.yaml",
            "kind: Queue\nmetadata: {name: 1, labels: 2}\nspec:\n  cluster: lap\n  namespace: kube-system\n  quota: -1\n  \
             allow: {volumes: [nsf], secrets: x}\n  pod: {spec: {nodeName: x}}\n",
            &[
                "B0206 3", "B0206 3", "B0302 5", "B0207 7", "B0207 8", "B0206 8", "B0402 9",
            ],
        ),
        (
            "cluster.yaml",
            "kind: Cluster\nmetadata: {name: lab}\nspec:\n  namespace: berth\n  maxSlotsPerPod: 0\n  podDefaults: standart\n  \
             checkpointStorage: {uri: \"s3://../b\"}\n  images: {cpu: 1, tpu: x}\n",
            &["B0207 6", "B0302 7", "B0207 8", "B0206 9", "B0204 9"],
        ),
        (
            "defaults.yaml",
            "kind: PodDefaults\nmetadata: {name: standard, namespace: x}\nspec:\n  cpu: {spec: {nodeSelector: 1, nodeName: x}}\n  \
             gpu: {spec: {volumes: [{name: W_}]}, status: {}}\n",
            &["B0204 3", "B0206 5", "B0402 5", "B0208 6", "B0204 6"],
        ),
    ];
    for (file, text, wanted) in cases {
        let mut repository = Repository::new();
        repository.put(file, &format!("apiVersion: berth.dev/v1alpha1\n{text}"));
        let found = shown(&repository.validate().findings);
        let codes: Vec<&str> = found.iter().filter_map(|it| it.split(':').next()).collect();
        assert_eq!(codes, wanted, "{text}{found:#?}");
        let of_file = |it: Desired| it.units().any(|unit| unit.applied.path == file);
        assert!(!repository.load().is_ok_and(of_file), "{file}");
    }
}

#[test]
fn no_fault_of_an_experiment_hides_another() {
    let pairs = tables::experiments().check();
    assert!(pairs > 2000, "{pairs}");
}

#[test]
fn no_fault_of_a_queue_hides_another() {
    let pairs = tables::queues().check();
    assert!(pairs > 400, "{pairs}");
}

#[test]
fn no_fault_of_a_cluster_or_of_defaults_hides_another() {
    let pairs = tables::clusters().check() + tables::defaults().check();
    assert!(pairs > 400, "{pairs}");
}
