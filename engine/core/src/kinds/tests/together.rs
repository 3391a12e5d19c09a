//! No fault hides another.

use super::shown;
use crate::desired::fixture::{CLUSTER, QUEUE, Repository, experiment};
use crate::diagnostic::Code;

/// `path code` of all findings of a repository.
fn found(repository: &Repository) -> Vec<String> {
    let validation = repository.validate();
    let path = |place: crate::object::Place| {
        let source = validation.sources.get(place.source);
        source.map_or("", |it| &*it.path).to_owned()
    };
    let line = |it: &crate::diagnostic::Diagnostic| {
        format!("{} {}", it.place.map(path).unwrap_or_default(), it.code)
    };
    validation.findings.iter().map(line).collect()
}

/// The findings of one more experiment, with its queue's name and these lines in its spec.
fn of(queue: &str, rest: &str) -> Vec<String> {
    let mut repository = Repository::new();
    let text = experiment("a", rest).replace("queue: vision", &format!("queue: {queue}"));
    repository.put("a.yaml", &text);
    shown(&repository.validate().findings)
}

#[test]
fn all_faults_of_all_documents_come_in_one_pass() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", "  maxRestart: 1\n  image: 1\n"));
    repository.put(
        "b.yaml",
        &experiment("b", "  resources: {slotsPerTrial: 9}\n"),
    );
    repository.put("c.yaml", "a: yes\nb: 017\n");
    repository.put(
        "d.yaml",
        &experiment("d", "").replace("queue: vision", "queue: visio"),
    );
    assert_eq!(
        found(&repository),
        [
            "a.yaml B0204",
            "a.yaml B0206",
            "b.yaml B0401",
            "c.yaml B0201",
            "c.yaml B0104",
            "c.yaml B0104",
            "d.yaml B0302"
        ]
    );
}

#[test]
fn an_ambiguous_scalar_hides_nothing_of_its_document() {
    let rest = "  maxRestart: 1\n  run: 017\n  resources: {slotsPerTrial: 9}\n  hyperparameters: {lr: 1e-4}\n  \
                pod: {spec: {hostNetwork: true, nodeName: x}}\n";
    let found = of("visoin", rest);
    let codes: Vec<&str> = found.iter().map(|line| &line[..5]).collect();
    assert_eq!(
        codes,
        [
            "B0302", "B0204", "B0104", "B0401", "B0104", "B0404", "B0402"
        ],
        "{found:?}"
    );
    let found = of("zebra", rest);
    let codes: Vec<&str> = found.iter().map(|line| &line[..5]).collect();
    assert_eq!(
        codes,
        ["B0302", "B0204", "B0104", "B0104", "B0402"],
        "{found:?}"
    );
    let found = of("vision", rest);
    let codes: Vec<&str> = found.iter().map(|line| &line[..5]).collect();
    assert_eq!(
        codes,
        ["B0204", "B0104", "B0401", "B0104", "B0404", "B0402"],
        "{found:?}"
    );
}

/// A fault of one pass is not told again by the next, in other words or as something else.
#[test]
fn a_fault_of_a_value_is_told_once() {
    let lines = [
        ("run: 017", "B0104"),
        ("maxRuntime: 12:30", "B0104"),
        ("image: yes", "B0104"),
        ("yes: 1", "B0104"),
        ("resources: !!map {slotsPerTrial: 1}", "B0105"),
        ("state: stopped", "B0207"),
        ("image: \"\"", "B0207"),
        ("imag: x", "B0204"),
        ("resources: {slotsPerTrial: many}", "B0206"),
        ("environment: {variables: {A: {valueFrom: {}}}}", "B0207"),
    ];
    let mut repository = Repository::new();
    let imageless = CLUSTER.replace(", gpu: train:gpu", "");
    for (line, code) in lines {
        // Without its image the document would be at fault once more.
        let told = line.contains("imag") || line.contains("many");
        repository.put("cluster.yaml", if told { &imageless } else { CLUSTER });
        let rest = format!("  {line}\n  hyperparameters: {{lr: 1e-4}}\n");
        repository.put(
            "a.yaml",
            &experiment("a", &rest).replace("train.py", "$(hp.lr)"),
        );
        let found = shown(&repository.validate().findings);
        let codes: Vec<&str> = found.iter().map(|it| &it[..5]).collect();
        assert_eq!(codes, [code, "B0104"], "{line}: {found:?}");
    }
    let rest = "  hyperparameters: []\n";
    repository.put("cluster.yaml", CLUSTER);
    repository.put(
        "a.yaml",
        &experiment("a", rest).replace("train.py", "$(hp.lr)"),
    );
    assert_eq!(found(&repository), ["a.yaml B0206"]);
}

#[test]
fn a_hyperparameter_s_fault_hides_no_reference() {
    let text = experiment("a", "").replace("train.py", "$(hp.lr)");
    let mut repository = Repository::new();
    repository.put("a.yaml", &text.replace("queue: vision", "queue: visoin"));
    assert_eq!(found(&repository), ["a.yaml B0302", "a.yaml B0407"]);
    repository.put("a.yaml", &text);
    repository.put("b.yaml", &experiment("a", "  run: 0\n"));
    assert_eq!(
        found(&repository),
        ["a.yaml B0407", "b.yaml B0301", "b.yaml B0207"]
    );
}

#[test]
fn reserved_and_unknown_pod_fields_hide_no_use() {
    let found = of(
        "vision",
        "  pod: {spec: {hostname: x, nodeSelectors: {}, volumes: [{name: k, secret: {secretName: key}}]}}\n",
    );
    let codes: Vec<&str> = found.iter().map(|line| &line[..5]).collect();
    assert_eq!(codes, ["B0402", "B0403", "B0404"], "{found:?}");
}

#[test]
fn a_number_that_should_be_whole_hides_nothing() {
    let mut repository = Repository::new();
    let text = experiment("a", "  run: 1.0\n  maxRestarts: 1.5\n  colour: red\n");
    repository.put("a.yaml", &text);
    let found = repository.validate().findings;
    let found: Vec<(Code, &str)> = found
        .iter()
        .map(|it| (it.code, it.help.as_deref().unwrap_or_default()))
        .collect();
    let whole = "write a whole number, without a point or an exponent";
    assert_eq!(found[0], (Code::WrongType, "write `1`"));
    assert_eq!(found[1], (Code::WrongType, whole));
    assert_eq!(found[2].0, Code::UnknownField);
}

#[test]
fn a_faulty_queue_or_cluster_hides_no_reference() {
    let mut repository = Repository::new();
    repository.put(
        "queue.yaml",
        &QUEUE.replace("cluster: lab", "cluster: lap, priority: 0"),
    );
    repository.put(
        "cluster.yaml",
        &CLUSTER.replace("standard", "standart").replace('8', "0"),
    );
    repository.put("a.yaml", &experiment("a", "").replace("vision", "visio"));
    repository.put("b.yaml", &experiment("b", ""));
    assert_eq!(
        found(&repository),
        [
            "a.yaml B0302",
            "cluster.yaml B0207",
            "cluster.yaml B0302",
            "queue.yaml B0302",
            "queue.yaml B0207"
        ]
    );
    // What waits for them is counted: there may be more to find in it.
    assert_eq!(repository.validate().unchecked, 1);
}

#[test]
fn a_broken_end_hides_nothing_of_the_documents_before() {
    let mut repository = Repository::new();
    let text = format!(
        "{}---\nspec: [\n",
        experiment("a", "  maxRestart: 1\n  run: 0\n")
    );
    repository.put("a.yaml", &text);
    assert_eq!(
        found(&repository),
        ["a.yaml B0204", "a.yaml B0207", "a.yaml B0101"]
    );
}

#[test]
fn what_may_stand_in_a_file_that_cannot_be_read_is_not_sought_elsewhere() {
    let mut repository = Repository::new();
    repository.put("queue.yaml", "spec: [\n");
    repository.put("a.yaml", &experiment("a", ""));
    let found = shown(&repository.validate().findings);
    assert_eq!(
        found[0],
        "B0302 5:10 there is no Queue `vision` | mend queue.yaml first, which may hold it and cannot be read"
    );
    repository.put("cluster.yaml", "spec: [\n");
    let found = repository.validate().findings;
    let codes: Vec<Code> = found.iter().map(|it| it.code).collect();
    let reference = Code::UnresolvedReference;
    assert_eq!(
        codes,
        [Code::NoCluster, reference, Code::Syntax, Code::Syntax]
    );
    assert!(
        found[0]
            .help
            .as_ref()
            .unwrap()
            .starts_with("mend cluster.yaml")
    );
}

/// An experiment of 12 slots, one that mounts a Secret, one that mounts a claim, one without an
/// image, one that names a queue that is not there, and one that asks for devices itself.
fn with_faults(cluster: Option<&str>, queue: &str) -> Repository {
    let mut repository = Repository::new();
    repository.files.remove("cluster.yaml");
    if let Some(text) = cluster {
        repository.put("cluster.yaml", text);
    }
    repository.put("queue.yaml", queue);
    let faults = [
        ("a-size", "  image: x\n  resources: {slotsPerTrial: 12}\n"),
        (
            "b-secret",
            "  image: x\n  pod: {spec: {volumes: [{name: k, secret: {secretName: key}}]}}\n",
        ),
        ("c-image", ""),
        (
            "f-claim",
            "  image: x\n  pod: {spec: {volumes: [{name: k, persistentVolumeClaim: {claimName: data}}]}}\n",
        ),
        (
            "e-device",
            "  image: x\n  pod: {spec: {containers: [{name: task, resources: {limits: {nvidia.com/gpu: 1}}}]}}\n",
        ),
    ];
    for (name, rest) in faults {
        repository.put(&format!("{name}.yaml"), &experiment(name, rest));
    }
    let lost = experiment("d", "  image: x\n").replace("vision", "visio");
    repository.put("d-queue.yaml", &lost);
    repository
}

/// A wrong name of a queue is judged by the closest one; of one that resembles none, what no queue
/// could allow is told.
#[test]
fn a_queue_that_is_not_there_hides_no_other_fault() {
    let faults = "  image: x\n  resources: {slotsPerTrial: 12, shmSize: 8Gi}\n  pod:\n    spec:\n      \
                  volumes: [{name: k, secret: {secretName: key}}]\n      \
                  containers: [{name: task, resources: {limits: {memory: 4Gi}}}]\n";
    let own_size = faults.replace("{slots", "{maxSlotsPerPod: 8, slots");
    let cases = [
        ("vision", faults, vec!["B0401", "B0404", "B0405"]),
        ("visio", faults, vec!["B0302", "B0401", "B0404", "B0405"]),
        ("zebra", faults, vec!["B0302", "B0405"]),
        ("zebra", own_size.as_str(), vec!["B0302", "B0401", "B0405"]),
    ];
    for broken in ["", "  colour: red\n"] {
        for (queue, rest, expected) in &cases {
            let mut repository = Repository::new();
            repository.put("cluster.yaml", &format!("{CLUSTER}{broken}"));
            let text = experiment("a", rest).replace("vision", queue);
            repository.put("a.yaml", &text);
            let found = found(&repository).into_iter();
            let mut codes: Vec<String> = found
                .filter_map(|line| Some(line.strip_prefix("a.yaml ")?.to_owned()))
                .collect();
            codes.sort();
            assert_eq!(codes, *expected, "{queue} {rest} {broken}");
        }
    }
}

/// What is told of other documents in the same pass as the fault of their cluster; what hangs on
/// what is at fault is not guessed at.
#[test]
fn a_faulty_cluster_hides_nothing_that_does_not_hang_on_the_fault() {
    let bare = CLUSTER.replace("  images: {cpu: train:cpu, gpu: train:gpu}\n", "");
    let with = |more: &str| format!("{bare}{more}");
    let all = [
        "a-size.yaml B0401",
        "b-secret.yaml B0404",
        "c-image.yaml B0205",
        "d-queue.yaml B0302",
        "e-device.yaml B0402",
        "f-claim.yaml B0404",
    ];
    let without = |file: &str| -> Vec<&str> {
        let of = |line: &&&str| !line.starts_with(file);
        all.iter().filter(of).copied().collect()
    };
    let cases: [(&str, String, Vec<&str>); 9] = [
        ("a valid one", bare.clone(), all.to_vec()),
        ("an unknown field", with("  colour: red\n"), all.to_vec()),
        (
            "a lost reference",
            bare.replace("standard", "standart"),
            all.to_vec(),
        ),
        (
            "the size",
            bare.replace("maxSlotsPerPod: 8", "maxSlotsPerPod: 0"),
            without("a-"),
        ),
        (
            "the size's key",
            bare.replace("maxSlotsPerPod", "maxSlotPerPod"),
            without("a-"),
        ),
        ("what is uneven", with("  onUneven: maybe\n"), without("a-")),
        (
            "the secrets",
            with("  imagePullSecrets: key\n"),
            without("b-"),
        ),
        (
            "the images",
            with("  images: {cpu: 1, gpu: x}\n"),
            without("c-"),
        ),
        // A known accelerator is told whatever the slot is.
        ("the slot", with("  slotResource: gpu\n"), without("none")),
    ];
    for (what, cluster, expected) in cases {
        let found = self::found(&with_faults(Some(&cluster), QUEUE));
        let others = found.iter().filter(|it| !it.starts_with("cluster.yaml"));
        let others: Vec<&str> = others.map(String::as_str).collect();
        assert_eq!(others, expected, "{what}");
        assert_eq!(found.len() > others.len(), what != "a valid one", "{what}");
    }
}

/// Without any cluster, what the queue and the document themselves say is still told.
#[test]
fn no_cluster_hides_nothing_that_needs_none() {
    let strict = QUEUE.replace("quota: 64", "quota: 64, maxSlotsPerPod: 8");
    for cluster in [None, Some("spec: [\n")] {
        let repository = with_faults(cluster, QUEUE);
        let found = self::found(&repository);
        assert_eq!(found[0], " B0503");
        // The cluster may pull images with the Secret, so it may be allowed.
        let own = [
            "d-queue.yaml B0302",
            "e-device.yaml B0402",
            "f-claim.yaml B0404",
        ];
        let read = found[1..].iter();
        let read: Vec<&String> = read.filter(|it| !it.starts_with("cluster.yaml")).collect();
        assert_eq!(read, own);
        // A size that the queue and the document alone make wrong.
        let mut repository = with_faults(cluster, &strict);
        let uneven = "  image: x\n  onUneven: refuse\n  resources: {slotsPerTrial: 12}\n";
        repository.put("a-size.yaml", &experiment("a-size", uneven));
        let found = self::found(&repository);
        assert!(found.contains(&"a-size.yaml B0401".to_owned()), "{found:?}");
        let told = repository.load().unwrap_err();
        let codes: Vec<Code> = told.iter().map(|it| it.code).collect();
        assert!(codes.contains(&Code::NoCluster), "{codes:?}");
        assert!(codes.contains(&Code::NotAllowedByQueue), "{codes:?}");
    }
}

/// No accelerator goes past the slots, whatever the slots of the cluster are.
#[test]
fn accelerators_are_had_by_slots_alone() {
    let kinds = [
        "slotType: cuda",
        "slotType: rocm",
        "slotType: cpu, slotResourceRequests: {cpu: 1}",
        "slotType: cuda, slotResource: nvidia.com/mig-1g.5gb",
    ];
    for slots in kinds {
        let mut repository = Repository::new();
        let cluster = format!(
            "apiVersion: berth.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: lab}}\nspec: {{namespace: berth, \
             podDefaults: standard, maxSlotsPerPod: 8, images: {{cpu: c, gpu: g}}, {slots}}}\n"
        );
        repository.put("cluster.yaml", &cluster);
        let side = |resource: &str| {
            let side =
                format!("{{name: side, image: i, resources: {{limits: {{{resource}: 1}}}}}}");
            format!("  image: x\n  pod: {{spec: {{initContainers: [{side}]}}}}\n")
        };
        repository.put("fine.yaml", &experiment("fine", &side("rdma/hca")));
        assert_eq!(
            shown(&repository.validate().findings),
            [] as [&str; 0],
            "{slots}"
        );
        for resource in ["nvidia.com/gpu", "nvidia.com/mig-2g.10gb", "amd.com/gpu"] {
            repository.put("past.yaml", &experiment("past", &side(resource)));
            let found = shown(&repository.validate().findings);
            assert!(
                found.len() == 1 && found[0].contains("B0402") && found[0].contains(resource),
                "{slots}: {found:?}"
            );
        }
    }
}
