//! A fault of a Cluster, a Queue or a `PodDefaults` hides nothing of other documents that does not hang
//! on it, and nothing that does is guessed at.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::desired::fixture::{CLUSTER, Repository, experiment};
use crate::diagnostic::Code;

const DEFAULTS: &str = "apiVersion: berth.dev/v1alpha1
kind: PodDefaults
metadata: {name: standard}
spec:
  cpu: {spec: {tolerations: [{key: cpu, operator: Exists}]}}
  gpu:
    spec:
      terminationGracePeriodSeconds: 60
      volumes: [{name: data, emptyDir: {}}]
      containers: [{name: side, image: side}, {name: task, resources: {limits: {memory: 64Gi}}}]
";
const QUEUE: &str = "apiVersion: berth.dev/v1alpha1
kind: Queue
metadata: {name: vision}
spec:
  cluster: lab
  namespace: vision
  quota: 64
  allow: {secrets: [other], claims: [other], volumes: [iscsi]}
  pod: {spec: {volumes: [{name: cache, emptyDir: {}}]}}
";

/// Experiments by their names, each with one fault; those of the last rows have none, as other
/// documents give what they need.
const EXPERIMENTS: [(&str, &str); 13] = [
    ("a-size", "  resources: {slotsPerTrial: 12}\n"),
    (
        "b-secret",
        "  pod: {spec: {volumes: [{name: k, secret: {secretName: key}}]}}\n",
    ),
    (
        "c-claim",
        "  pod: {spec: {volumes: [{name: k, persistentVolumeClaim: {claimName: data}}]}}\n",
    ),
    (
        "d-memory",
        "  resources: {shmSize: 8Gi}\n  pod: {spec: {containers: [{name: task, resources: {limits: {memory: 4Gi}}}]}}\n",
    ),
    ("e-below", "  resources: {shmSize: 80Gi}\n"),
    (
        "f-mount",
        "  pod: {spec: {containers: [{name: task, volumeMounts: [{name: none, mountPath: /data}]}]}}\n",
    ),
    ("g-image", "  pod: {spec: {containers: [{name: log}]}}\n"),
    (
        "h-pull",
        "  pod: {spec: {containers: [{name: log, image: 'A B'}]}}\n",
    ),
    (
        "i-kind",
        "  pod: {spec: {volumes: [{name: k, nfs: {server: s, path: /p}}]}}\n",
    ),
    ("j-quota", "  resources: {slotsPerTrial: 128}\n"),
    ("k-server", "  pod: {spec: {dnsPolicy: None}}\n"),
    (
        "x-fine",
        "  pod: {spec: {containers: [{name: side}, {name: task, volumeMounts: [{name: data, mountPath: /data}]}]}}\n",
    ),
    (
        "y-fine",
        "  pod: {spec: {containers: [{name: task, volumeMounts: [{name: cache, mountPath: /cache}]}]}}\n",
    ),
];

const ALL: [&str; 11] = [
    "a-size.yaml B0401",
    "b-secret.yaml B0404",
    "c-claim.yaml B0404",
    "d-memory.yaml B0405",
    "e-below.yaml B0405",
    "f-mount.yaml B0302",
    "g-image.yaml B0205",
    "h-pull.yaml B0207",
    "i-kind.yaml B0404",
    "j-quota.yaml B0409",
    "k-server.yaml B0205",
];

/// What may come from a layer.
const OF_LAYERS: &str = "efgk";

fn with(cluster: &str, defaults: &str, queue: &str) -> Repository {
    let mut repository = Repository::new();
    repository.put("cluster.yaml", cluster);
    repository.put("defaults.yaml", defaults);
    repository.put("queue.yaml", queue);
    for (name, rest) in EXPERIMENTS {
        repository.put(&format!("{name}.yaml"), &experiment(name, rest));
    }
    repository
}

/// `path code` of what is told of experiments, and the other paths of which something is told.
fn told(repository: &Repository) -> (Vec<String>, BTreeSet<String>) {
    let validation = repository.validate();
    let (mut told, mut others) = (Vec::new(), BTreeSet::new());
    for finding in &validation.findings {
        let source = finding.place.map(|it| validation.sources.get(it.source));
        let path = source.flatten().map_or("", |it| &*it.path).to_owned();
        if path.contains('-') {
            told.push(format!("{path} {}", finding.code));
        } else {
            others.insert(path);
        }
    }
    (told, others)
}

/// Breaks one document (a text of it, and what stands there instead); what of [`ALL`] is hidden then.
type Break = (&'static str, &'static str, &'static str);

const OF_QUEUE: [Break; 24] = [
    ("quota: 64", "quota: 64\n  colour: red", ""),
    ("quota: 64", "quota: 64\n  gangTimeout: soon", ""),
    ("quota: 64", "quotta: 64", "j"),
    ("quota: 64", "quota: many", "j"),
    ("quota: 64", "quota: -1", "j"),
    ("quota: 64", "quota: 64\n  quota: 640", "j"),
    ("  quota: 64\n", "", "j"),
    ("namespace: vision", "namespace: berth", ""),
    ("namespace: vision", "namespace: kube-system", ""),
    ("namespace: vision", "namespace: A b", ""),
    ("cluster: lab", "cluster: lap", ""),
    ("cluster: lab", "clutser: lab", ""),
    ("secrets: [other]", "secret: [other]", "b"),
    ("secrets: [other]", "secrets: other", "b"),
    ("secrets: [other]", "secrets: [5]", "b"),
    ("secrets: [other]", "keys: [other]", "b"),
    ("volumes: [iscsi]", "volumes: [iscsy]", "i"),
    ("allow:", "alow:", "bci"),
    ("allow:", "permissions:", "bci"),
    ("quota: 64", "quota: 64\n  maxSlotsPerPod: 0", "a"),
    ("quota: 64", "quota: 64\n  maxSlotPerPod: 4", "a"),
    ("spec: {volumes", "spec: {hostname: x, volumes", OF_LAYERS),
    ("spec: {volumes", "spec: {volumez", OF_LAYERS),
    ("emptyDir: {}", "emptyDir: {sizeLimit: [1]}", OF_LAYERS),
];
const OF_DEFAULTS: [Break; 11] = [
    ("spec:\n  cpu", "spec:\n  colour: red\n  cpu", ""),
    ("tolerations", "toleration", ""),
    ("key: cpu, operator: Exists", "operator: Equal", ""),
    ("PeriodSeconds: 60", "PeriodSecond: 60", OF_LAYERS),
    ("PeriodSeconds: 60", "PeriodSeconds: soon", OF_LAYERS),
    ("volumes", "volumez", OF_LAYERS),
    ("64Gi", "[64Gi]", OF_LAYERS),
    ("  gpu:", "  gpus:", OF_LAYERS),
    ("  gpu:", "  accelerated:", OF_LAYERS),
    ("name: data", "name: data, name: date", OF_LAYERS),
    ("kind: PodDefaults", "kind: PodDefaultz", OF_LAYERS),
];
const OF_CLUSTER: [Break; 7] = [
    (
        "maxSlotsPerPod: 8",
        "maxSlotsPerPod: 8\n  keepFinishedPods: 15x",
        "",
    ),
    (
        "maxSlotsPerPod: 8",
        "maxSlotsPerPod: 8\n  imagePullSecrets: [5]",
        "b",
    ),
    ("maxSlotsPerPod: 8", "maxSlotsPerPod: many", "a"),
    ("podDefaults: standard", "podDefaults: zebra", OF_LAYERS),
    ("podDefaults: standard", "podDefault: standard", OF_LAYERS),
    (
        "podDefaults: standard",
        "podDefaults: [standard]",
        OF_LAYERS,
    ),
    ("  maxSlots", "  slotType: gpu\n  maxSlots", OF_LAYERS),
];

fn broken(text: &str, (from, to, _): &Break) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

fn without(hidden: &str) -> Vec<&'static str> {
    let shown = |line: &&&str| !hidden.contains(&line[..1]);
    ALL.iter().filter(shown).copied().collect()
}

#[test]
fn a_fault_hides_only_what_hangs_on_it() {
    assert_eq!(told(&with(CLUSTER, DEFAULTS, QUEUE)).0, ALL);
    for one in &OF_QUEUE {
        let (found, others) = told(&with(CLUSTER, DEFAULTS, &broken(QUEUE, one)));
        assert_eq!(found, without(one.2), "{one:?}");
        assert!(others.contains("queue.yaml"), "{one:?}");
    }
    for one in &OF_DEFAULTS {
        let (found, others) = told(&with(CLUSTER, &broken(DEFAULTS, one), QUEUE));
        assert_eq!(found, without(one.2), "{one:?}");
        assert!(others.contains("defaults.yaml"), "{one:?}");
    }
    for one in &OF_CLUSTER {
        let (found, others) = told(&with(&broken(CLUSTER, one), DEFAULTS, QUEUE));
        assert_eq!(found, without(one.2), "{one:?}");
        assert!(others.contains("cluster.yaml"), "{one:?}");
    }
}

/// Also if several of them are at fault.
#[test]
fn faults_at_once_hide_what_each_of_them_hides() {
    for of_queue in &OF_QUEUE {
        for of_defaults in &OF_DEFAULTS {
            for of_cluster in [None, Some(&OF_CLUSTER[0]), Some(&OF_CLUSTER[2])] {
                let cluster = of_cluster.map_or(CLUSTER.to_owned(), |one| broken(CLUSTER, one));
                let defaults = broken(DEFAULTS, of_defaults);
                let repository = with(&cluster, &defaults, &broken(QUEUE, of_queue));
                let of_cluster = of_cluster.map_or("", |it| it.2);
                let hidden = [of_queue.2, of_defaults.2, of_cluster].concat();
                let at = format!("{of_queue:?} {of_defaults:?} {of_cluster:?}");
                assert_eq!(told(&repository).0, without(&hidden), "{at}");
            }
        }
    }
}

/// Nothing of it comes into force: what is told is told of documents that wait, or are invalid.
#[test]
fn what_is_judged_by_a_faulty_document_is_not_in_force() {
    for one in &OF_QUEUE {
        let mut repository = with(CLUSTER, DEFAULTS, &broken(QUEUE, one));
        let desired = repository.load().unwrap();
        let ids: Vec<String> = desired.units().map(|it| it.id.to_string()).collect();
        assert_eq!(ids, ["Cluster/lab", "PodDefaults/standard"], "{one:?}");
        let waits = |it: &&crate::diagnostic::Diagnostic| it.code == Code::HeldByReference;
        let waiting = desired.findings().iter().filter(waits).count();
        assert!(waiting >= 2, "{one:?}: {waiting}");
    }
}

/// Documents of which nothing is at fault, as each has what it needs from another one.
fn fine() -> [(&'static str, Json); 3] {
    let document = |kind: &str, name: &str, spec: Json| json!({"apiVersion": "berth.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let task = |limits: &str| json!({"name": "task", "resources": {"limits": {"memory": limits}}});
    [
        (
            "cluster.yaml",
            document(
                "Cluster",
                "lab",
                json!({"namespace": "berth", "maxSlotsPerPod": 8, "onUneven": "shrink",
                    "podDefaults": "standard", "images": {"cpu": "c", "gpu": "g"}, "slotType": "cuda",
                    "imagePullSecrets": ["pull"], "keepFinishedPods": "5m"}),
            ),
        ),
        (
            "defaults.yaml",
            document(
                "PodDefaults",
                "standard",
                json!({
                    "cpu": {"spec": {"volumes": [{"name": "disk", "emptyDir": {}}]}},
                    "gpu": {"spec": {
                        "terminationGracePeriodSeconds": 60,
                        "dnsConfig": {"nameservers": ["10.0.0.1"]},
                        "volumes": [{"name": "data", "emptyDir": {}}],
                        "containers": [task("4Gi"), {"name": "side", "image": "side"}],
                    }},
                }),
            ),
        ),
        (
            "queue.yaml",
            document(
                "Queue",
                "vision",
                json!({"cluster": "lab", "namespace": "vision", "quota": 64, "maxSlotsPerPod": 6,
                "allow": {"secrets": ["key"], "claims": ["data"], "hostPaths": ["/data"],
                    "serviceAccounts": ["ada"], "priorityClasses": ["high"], "hostNetwork": true,
                    "privileged": true, "volumes": ["nfs"]},
                "pod": {"spec": {
                    "volumes": [{"name": "cache", "emptyDir": {}}],
                    "containers": [task("64Gi"), {"name": "log", "image": "log"}],
                }}}),
            ),
        ),
    ]
}

/// What those give, used.
const USES: [(&str, &str); 9] = [
    ("a-size", "  resources: {slotsPerTrial: 12, shmSize: 8Gi}\n"),
    ("b-odd", "  resources: {slotsPerTrial: 7}\n"),
    (
        "c-allowed",
        "  pod: {spec: {serviceAccountName: ada, priorityClassName: high, hostNetwork: true, hostPID: true}}\n",
    ),
    (
        "d-volumes",
        "  pod: {spec: {volumes: [{name: a, secret: {secretName: key}}, {name: b, secret: {secretName: pull}}, \
         {name: c, persistentVolumeClaim: {claimName: data}}, {name: d, hostPath: {path: /data/x}}, \
         {name: e, nfs: {server: s, path: /p}}]}}\n",
    ),
    (
        "e-privileged",
        "  pod: {spec: {containers: [{name: task, securityContext: {privileged: true}}]}}\n",
    ),
    (
        "f-mounts",
        "  pod: {spec: {containers: [{name: side}, {name: log}, {name: task, volumeMounts: \
         [{name: data, mountPath: /data}, {name: cache, mountPath: /cache}]}]}}\n",
    ),
    ("g-servers", "  pod: {spec: {dnsPolicy: None}}\n"),
    (
        "h-cpu",
        "  resources: {slotsPerTrial: 0}\n  pod: {spec: {containers: [{name: task, volumeMounts: \
         [{name: disk, mountPath: /disk}]}]}}\n",
    ),
    ("i-full", "  resources: {slotsPerTrial: 60}\n"),
];

/// Every way to break one field of a document.
fn breaks(document: &Json) -> Vec<Json> {
    let mut all = Vec::new();
    let values = [
        json!(null),
        json!(5),
        json!(-1),
        json!("A b"),
        json!(true),
        json!([]),
        json!([5]),
    ];
    all.extend(values);
    if !document.is_object() {
        // (Another map would be many fields at once.)
        all.extend([json!({}), json!({"zebra": {}})]);
    }
    if let Json::Object(map) = document {
        for (name, value) in map {
            let mut rest = map.clone();
            rest.remove(name);
            all.push(Json::Object(rest.clone()));
            // (A single value whose key resembles nothing is taken for nothing.)
            let is_single = !value.is_object() && !value.is_array();
            let unlike = (!is_single).then(|| "zebra".to_owned());
            for other in unlike.into_iter().chain([format!("{name}x")]) {
                let mut renamed = rest.clone();
                renamed.insert(other, value.clone());
                all.push(Json::Object(renamed));
            }
            for below in breaks(value) {
                let mut changed = map.clone();
                changed.insert(name.clone(), below);
                all.push(Json::Object(changed));
            }
        }
        for value in [json!(1), json!({"name": "x"})] {
            let mut more = map.clone();
            more.insert("zebra".to_owned(), value);
            all.push(Json::Object(more));
        }
    }
    if let Json::Array(items) = document {
        for (index, item) in items.iter().enumerate() {
            for below in breaks(item) {
                let mut changed = items.clone();
                changed[index] = below;
                all.push(Json::Array(changed));
            }
        }
    }
    all
}

#[test]
fn no_fault_of_what_is_referred_to_makes_another_one() {
    let mut repository = Repository::default();
    for (path, document) in fine() {
        repository.put(path, &document.to_string());
    }
    for (name, rest) in USES {
        repository.put(&format!("{name}.yaml"), &experiment(name, rest));
    }
    assert_eq!(repository.validate().findings, []);
    let mut faulty = 0;
    for (path, document) in fine() {
        for change in breaks(&document) {
            repository.put(path, &change.to_string());
            let validation = repository.validate();
            let path_of = |place: crate::object::Place| {
                let source = validation.sources.get(place.source);
                source.map_or("", |it| &*it.path)
            };
            let of = |it: &&crate::diagnostic::Diagnostic| it.place.map(path_of) == Some(path);
            // Another word may be as good.
            if !validation.findings.iter().any(|it| of(&it)) {
                continue;
            }
            faulty += 1;
            let others = validation.findings.iter().filter(|it| !of(it));
            let is_news = |it: &&crate::diagnostic::Diagnostic| {
                let lost =
                    it.code == Code::UnresolvedReference && it.cause.starts_with("there is no");
                !lost && it.code != Code::NoCluster
            };
            let news: Vec<_> = others.filter(is_news).collect();
            assert!(news.is_empty(), "{change}: {news:?}");
        }
        repository.put(path, &document.to_string());
    }
    assert!(faulty > 500, "{faulty}");
}
