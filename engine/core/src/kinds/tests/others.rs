//! Names, other kinds, and what is no document.

use super::{findings, shown};
use crate::desired::fixture::{CLUSTER, QUEUE, experiment};

#[test]
fn queues_and_clusters_are_checked_too() {
    let of = |path: &str, text: String| shown(&findings(path, &text));
    assert_eq!(
        of(
            "queue.yaml",
            QUEUE.replace("namespace: vision", "namespace: berth")
        ),
        [
            "B0410 4:33 `berth` is the namespace that Berth itself lives in | give the queue a namespace of its own"
        ]
    );
    assert!(
        of(
            "queue.yaml",
            QUEUE.replace("namespace: vision", "namespace: kube-system")
        )[0]
        .starts_with("B0410")
    );
    assert!(
        of("queue.yaml", QUEUE.replace("cluster: lab", "cluster: lap"))[0]
            .ends_with("did you mean `lab`?")
    );
    assert!(
        of(
            "cluster.yaml",
            CLUSTER.replace("maxSlotsPerPod: 8", "maxSlotsPerPod: 0")
        )[0]
        .starts_with("B0207 6:19")
    );
    assert!(
        of(
            "cluster.yaml",
            CLUSTER.replace("podDefaults: standard", "podDefaults: standart")
        )[0]
        .ends_with("did you mean `standard`?")
    );
    assert!(
        of("cluster.yaml", CLUSTER.to_owned() + "  slotType: cpu\n")[0]
            .starts_with("B0205 9:13 `slotType: cpu` needs")
    );
    let none = CLUSTER.to_owned() + "  slotType: cpu\n  slotResourceRequests: {cpu: 0}\n";
    assert_eq!(
        of("cluster.yaml", none),
        [
            "B0207 10:31 a slot has more than 0 CPUs | say how many CPUs a slot has, such as `4` or `500m`"
        ]
    );
    for version in ["berth.dev/v1", "berth.dev/v1beta1", "berth.dv/v1alpha1"] {
        let other = CLUSTER.replace("berth.dev/v1alpha1", version);
        let found = of("cluster.yaml", other);
        let told = |it: &String| it.ends_with("| write `apiVersion: berth.dev/v1alpha1`");
        assert!(found.iter().any(told), "{found:?}");
    }
    assert_eq!(
        of(
            "cluster.yaml",
            CLUSTER.to_owned() + "  slotResource: nvidia.com/mig-1g.5gb\n"
        ),
        [] as [&str; 0]
    );
    assert!(
        of(
            "cluster.yaml",
            CLUSTER.to_owned() + "  checkpointStorage: {uri: \"s3://a/../b\"}\n"
        )[0]
        .starts_with("B0207 9:28")
    );
    let defaults = crate::desired::fixture::DEFAULTS.replace(
        "name: task, resources",
        "name: task, command: [x], resources",
    );
    assert!(
        of("defaults.yaml", defaults)[0]
            .starts_with("B0402 5:42 `spec.gpu.spec.containers.command`")
    );
}

#[test]
fn names_are_those_of_kubernetes() {
    let of = |name: &str| shown(&findings("a.yaml", &experiment(name, "")));
    assert_eq!(
        of("7up"),
        [
            "B0208 3:18 `7up` is no name for `metadata.name`: a name begins with a lower-case letter, as a Service's must | write it as `x7up`, or take another name"
        ]
    );
    assert_eq!(
        of("Res_net"),
        [
            "B0208 3:18 `Res_net` is no name for `metadata.name`: a name holds lower-case letters, digits and `-`, not `R` | write it as `res-net`, or take another name"
        ]
    );
    let long = "a".repeat(64);
    assert!(
        of(&long)[0].contains("a name has at most 63 characters, this one has 64 | write it as")
    );
}

#[test]
fn other_texts_are_not_documents() {
    let of = |text: &str| shown(&findings("x.yaml", text));
    assert!(of("a: 1\n")[0].starts_with("B0201 1:1 this is not a Berth document"));
    assert!(of("apiVersion: v1\nkind: Pod\n")[0].starts_with("B0201 1:13 `apiVersion` is not"));
    assert_eq!(
        of("apiVersion: berth.dev/v1alpha1\nkind: Experimnt\n"),
        ["B0202 2:7 there is no kind `Experimnt` | did you mean `Experiment`?"]
    );
    assert!(of("[1, 2]")[0].starts_with("B0201 1:1"));
}
