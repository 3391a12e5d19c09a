//! What validation says of values in a layer of a pod, beside what a real server says.

use std::collections::BTreeSet;

use berth_tests::e2e::{On, Setting, Stage, built, command};
use serde_json::{Value, json};

/// Parts of a pod's spec that the server of this version does not take.
fn refused() -> Vec<Value> {
    let mut all = lists(
        "tolerations",
        json!([
            {},
            {"operator": "Equal"},
            {"value": "x"},
            {"key": "a", "operator": "Exists", "value": "b"},
            {"key": "a b", "operator": "Exists"},
            {"key": "a", "value": "x y"},
            {"key": "a", "operator": "Exists", "tolerationSeconds": 3},
            {"key": "a", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 3},
            {"key": "a", "operator": "Exists", "effect": "Never"},
            {"key": "a", "operator": "Exist"},
            {"key": "a", "operator": "Lt", "value": "many"},
        ]),
    );
    all.extend(required(json!([
        {"key": "a", "operator": "In"},
        {"key": "a", "operator": "In", "values": []},
        {"key": "a", "operator": "Exists", "values": ["b"]},
        {"key": "a", "operator": "Gt", "values": ["1", "2"]},
        {"key": "a", "operator": "Gt"},
        {"key": "a", "operator": "Is", "values": ["b"]},
        {"operator": "Exists"},
        {"key": "a"},
        {"key": "a b", "operator": "Exists"},
        {"key": "a", "operator": "In", "values": ["x y"]},
    ])));
    all.extend(fields(json!([
        {"key": "spec.x", "operator": "In", "values": ["a"]},
        {"key": "metadata.name", "operator": "Exists"},
        {"key": "metadata.name", "operator": "In", "values": ["a", "b"]},
    ])));
    all.push(json!({"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}}));
    all.extend(preferred(json!([0, 101, -1, null])));
    all.extend(weighted(json!([0, 101, null])));
    all.extend(near(json!([
        {},
        {"topologyKey": ""},
        {"topologyKey": "a b"},
        {"topologyKey": "k", "labelSelector": {"matchLabels": {"a": "x y"}}},
        {"topologyKey": "k", "labelSelector": {"matchLabels": {"a b": "x"}}},
        {"topologyKey": "k", "labelSelector": {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}},
        {"topologyKey": "k", "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
        {"topologyKey": "k", "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["x y"]}]}},
    ])));
    all.extend(lists("topologySpreadConstraints", json!([
        {"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
        {"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
        {"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"},
        {"maxSkew": 1, "topologyKey": "zone"},
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "Never"},
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2},
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 0},
    ])));
    all.extend(each(json!([
        {"dnsPolicy": "Nobody"},
        {"dnsPolicy": "None"},
        {"dnsPolicy": "None", "dnsConfig": {"searches": ["a"]}},
        {"dnsConfig": {"nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"]}},
        {"dnsConfig": {"nameservers": ["one.example.com"]}},
        {"hostAliases": [{"ip": "x", "hostnames": ["a"]}]},
        {"hostAliases": [{"ip": "1.2.3.256", "hostnames": ["a"]}]},
        {"hostAliases": [{"ip": "010.0.0.1", "hostnames": ["a"]}]},
        {"hostAliases": [{"ip": "::ffff:1.2.3.4", "hostnames": ["a"]}]},
        {"securityContext": {"runAsUser": -1}},
        {"securityContext": {"runAsGroup": 2_147_483_648_u32}},
        {"securityContext": {"fsGroup": -1}},
        {"securityContext": {"supplementalGroups": [1, -1]}},
        {"runtimeClassName": "G_visor"},
        {"priorityClassName": "Hi_gh"},
        {"readinessGates": [{"conditionType": "a b"}]},
    ])));
    all.extend(beside(json!([
        {"securityContext": {"runAsUser": -1}},
        {"ports": [{"containerPort": 0}]},
        {"ports": [{"containerPort": 65536}]},
        {"ports": [{"containerPort": 1, "hostPort": 65536}]},
        {"ports": [{"containerPort": 1, "name": "WEB"}]},
        {"ports": [{"containerPort": 1, "name": "a--b"}]},
        {"ports": [{"containerPort": 1, "name": "123"}]},
        {"ports": [{"containerPort": 1, "name": "abcdefghijklmnop"}]},
        {"ports": [{"containerPort": 1, "name": "-a"}]},
        {"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]},
        {"ports": [{"containerPort": 1, "protocol": "HTTP"}]},
        {"env": [{"name": "A=B", "value": "c"}]},
        {"env": [{"name": "\u{c4}", "value": "c"}]},
        {"envFrom": [{"prefix": "A=", "configMapRef": {"name": "c"}}]},
    ])));
    all
}

/// Their neighbours, which it takes.
fn taken() -> Vec<Value> {
    let mut all = lists(
        "tolerations",
        json!([
            {"operator": "Exists"},
            {"key": "a"},
            {"key": "a", "value": ""},
            {"key": "a.b/c", "operator": "Equal", "value": "d", "effect": "NoExecute", "tolerationSeconds": -1},
            {"key": "a", "operator": "Exists", "value": ""},
        ]),
    );
    all.extend(required(json!([
        {"key": "a", "operator": "In", "values": ["b", ""]},
        {"key": "a.b/c", "operator": "Exists"},
        {"key": "a", "operator": "DoesNotExist", "values": []},
        {"key": "a", "operator": "Gt", "values": ["1"]},
    ])));
    all.extend(fields(
        json!([{"key": "metadata.name", "operator": "NotIn", "values": ["a"]}]),
    ));
    all.push(json!({"affinity": {"nodeAffinity": {PREFERRED: [
        {"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["x y"]}]}},
    ]}}}));
    all.extend(preferred(json!([1, 100])));
    all.extend(weighted(json!([1, 100])));
    all.extend(near(json!([
        {"topologyKey": "kubernetes.io/hostname"},
        {"topologyKey": "k", "labelSelector": {"matchLabels": {"a": "x"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}},
    ])));
    all.extend(lists("topologySpreadConstraints", json!([
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 1},
        {"maxSkew": 9, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"},
    ])));
    all.extend(each(json!([
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["fd00::1"]}},
        {"dnsPolicy": "Default", "dnsConfig": {"nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3"]}},
            {"hostAliases": [{"ip": "fd00::2", "hostnames": ["a"]}]},
        {"securityContext": {"runAsUser": 0, "runAsGroup": 2_147_483_647, "fsGroup": 0, "supplementalGroups": [0]}},
        {"schedulerName": "No Name"},
        {"terminationGracePeriodSeconds": -1},
        {"readinessGates": [{"conditionType": "a/b"}]},
    ])));
    all.extend(beside(json!([
        {"securityContext": {"runAsUser": 2_147_483_647}},
        {"ports": [{"containerPort": 65535, "name": "a-1", "hostPort": 0}, {"containerPort": 1, "name": "b"}]},
        {"ports": [{"containerPort": 1}, {"containerPort": 1, "protocol": "UDP"}]},
        {"env": [{"name": "A B", "value": "c"}, {"name": "1-a.b", "value": "c"}]},
        {"envFrom": [{"prefix": "1-", "configMapRef": {"name": "c"}}, {"configMapRef": {"name": "c"}}]},
    ])));
    all
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

fn each(values: Value) -> Vec<Value> {
    let Value::Array(values) = values else {
        panic!("no list");
    };
    values
}

fn of(values: Value, make: impl Fn(Value) -> Value) -> Vec<Value> {
    each(values).into_iter().map(make).collect()
}

fn lists(field: &str, items: Value) -> Vec<Value> {
    of(items, |item| json!({ field: [item] }))
}

fn required(expressions: Value) -> Vec<Value> {
    let terms = |it| json!({"nodeSelectorTerms": [{"matchExpressions": [it]}]});
    of(
        expressions,
        |it| json!({"affinity": {"nodeAffinity": {REQUIRED: terms(it)}}}),
    )
}

fn fields(expressions: Value) -> Vec<Value> {
    let terms = |it| json!({"nodeSelectorTerms": [{"matchFields": [it]}]});
    of(
        expressions,
        |it| json!({"affinity": {"nodeAffinity": {REQUIRED: terms(it)}}}),
    )
}

/// Terms of these weights; none for null.
fn preferred(weights: Value) -> Vec<Value> {
    let term = json!({"preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}});
    of(
        weights,
        |it| json!({"affinity": {"nodeAffinity": {PREFERRED: [heavy(&term, it)]}}}),
    )
}

fn weighted(weights: Value) -> Vec<Value> {
    let term = json!({"podAffinityTerm": {"topologyKey": "k"}});
    of(
        weights,
        |it| json!({"affinity": {"podAntiAffinity": {PREFERRED: [heavy(&term, it)]}}}),
    )
}

fn heavy(term: &Value, weight: Value) -> Value {
    let mut term = term.clone();
    if !weight.is_null() {
        term["weight"] = weight;
    }
    term
}

fn near(terms: Value) -> Vec<Value> {
    of(
        terms,
        |it| json!({"affinity": {"podAffinity": {REQUIRED: [it]}}}),
    )
}

/// Containers beside the task.
fn beside(containers: Value) -> Vec<Value> {
    of(containers, |mut it| {
        it["name"] = "side".into();
        it["image"] = "i".into();
        json!({"containers": [it]})
    })
}

/// The pod that this part makes, as far as the server needs to know it.
fn pod(name: &str, part: &Value) -> Value {
    let mut spec = part.clone();
    let task = json!({"name": "task", "image": "registry.example.com/train:1"});
    let others = part["containers"].as_array().into_iter().flatten().cloned();
    spec["containers"] = std::iter::once(task).chain(others).collect();
    // Named, as the control plane of the tests has no admission that would.
    spec["serviceAccountName"] = "default".into();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}

fn document(name: &str, part: &Value) -> Value {
    json!({
        "apiVersion": "berth.dev/v1alpha1", "kind": "Experiment", "metadata": {"name": name},
        "spec": {"queue": "vision", "image": "i", "entrypoint": ["train"], "pod": {"spec": part}},
    })
}

/// The names of the documents in which `berth validate` finds an error.
fn refused_by_berth(stage: &Stage, parts: &[(String, &Value)]) -> BTreeSet<String> {
    let root = stage.folder().join("values");
    std::fs::create_dir(&root).unwrap();
    let meta = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "berth.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let allow = json!({"hostNetwork": true, "priorityClasses": ["Hi_gh"]});
    let first = [
        meta(
            "Cluster",
            "lab",
            json!({"namespace": "berth", "maxSlotsPerPod": 8}),
        ),
        meta(
            "Queue",
            "vision",
            json!({"cluster": "lab", "namespace": "vision", "quota": 64, "allow": allow}),
        ),
    ];
    let experiments = parts.iter().map(|(name, part)| document(name, part));
    for document in first.into_iter().chain(experiments) {
        let path = root.join(format!(
            "{}.yaml",
            document["metadata"]["name"].as_str().unwrap()
        ));
        std::fs::write(path, document.to_string()).unwrap();
    }
    let root = root.to_str().unwrap();
    let output = command()
        .args(["validate", root, "-o", "json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let errors = findings.filter(|it| it["severity"] == "error");
    errors
        .map(|it| {
            it["path"]
                .as_str()
                .unwrap_or_default()
                .trim_end_matches(".yaml")
                .to_owned()
        })
        .collect()
}

/// The names of the pods that the server does not take, and all that kubectl says.
fn refused_by_server(
    stage: &Stage,
    parts: &[(String, &Value)],
) -> Option<(BTreeSet<String>, String)> {
    let file = stage.folder().join("pods.json");
    let pods: Vec<Value> = parts.iter().map(|(name, part)| pod(name, part)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": pods});
    std::fs::write(&file, list.to_string()).unwrap();
    let output = std::process::Command::new(built("kubectl")?.kubectl())
        .arg("--kubeconfig")
        .arg(stage.cluster.admin_kubeconfig())
        .args([
            "--namespace",
            &stage.names().queue(),
            "create",
            "--dry-run=server",
            // The server shall judge, not kubectl.
            "--validate=false",
            "-f",
        ])
        .arg(&file)
        .env("HOME", stage.folder())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let made = |name: &str| said.contains(&format!("pod/{name} created"));
    let refused = parts
        .iter()
        .map(|(name, _)| name)
        .filter(|it| !made(it))
        .cloned();
    let words = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    Some((refused.collect(), words))
}

async fn validation_and_the_server_agree() {
    let stage = Stage::build(Setting {
        documents: false,
        daemon: false,
        ..Setting::usual(On::Real)
    })
    .await;
    let named = |prefix: &str, parts: Vec<Value>| -> Vec<(String, Value)> {
        let parts = parts.into_iter().enumerate();
        parts
            .map(|(number, part)| (format!("{prefix}-{number}"), part))
            .collect()
    };
    let all = [named("refused", refused()), named("taken", taken())].concat();
    let all: Vec<(String, &Value)> = all
        .iter()
        .map(|(name, part)| (name.clone(), part))
        .collect();
    let Some((by_server, words)) = refused_by_server(&stage, &all) else {
        return;
    };
    let by_berth = refused_by_berth(&stage, &all);
    let mut wrong = Vec::new();
    for (name, part) in &all {
        let (server, berth) = (by_server.contains(name), by_berth.contains(name));
        let wanted = name.starts_with("refused");
        if server != wanted || berth != wanted {
            wrong.push(format!(
                "{name}: refused by the server {server}, by Berth {berth}: {part}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\n{words}", wrong.join("\n"));
}

on_kube_apiserver! {
    validation_and_the_server_agree,
}
