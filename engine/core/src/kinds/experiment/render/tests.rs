use serde_json::{Value as Json, json};

use super::*;
use crate::kinds::experiment::testing::{Repository, with};

fn role(pods: u32, slots: u32, rank: u32) -> PodRole {
    PodRole {
        attempt: 2,
        rank,
        pods,
        slots,
    }
}

fn subject<'a>(document: &'a Experiment, scope: &'a Scope) -> Subject<'a> {
    Subject {
        document,
        scope,
        namespace: scope.namespace(),
        run: "1a2b3c4d",
        trial: 1,
        checkpoints: None,
    }
}

fn pod(repository: &Repository, role: &PodRole) -> Json {
    let (document, scope) = (repository.document(), repository.scope());
    let subject = subject(&document, &scope);
    subject.pod(role).to_json()
}

fn changed(experiment: &Json) -> Repository {
    let base = Repository::default();
    Repository {
        experiment: with(&base.experiment, experiment),
        ..base
    }
}

fn env(pod: &Json, name: &str) -> Json {
    let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let mut found = env.iter().filter(|it| it["name"] == name);
    let value = found.next().map_or(Json::Null, |it| it["value"].clone());
    assert!(found.next().is_none(), "{name} is there twice");
    value
}

#[test]
fn a_gang_pod_has_what_its_program_needs() {
    let repository = changed(&json!({"resources": {"slotsPerTrial": 16, "shmSize": "8Gi"}}));
    let pod = pod(&repository, &role(2, 8, 1));
    assert_eq!(pod["metadata"]["name"], "resnet-1a2b3c4d-1-2-1");
    assert_eq!(pod["metadata"]["namespace"], "vision-ns");
    assert_eq!(pod["metadata"]["finalizers"], json!(["berth.dev/outcome"]));
    let labels = json!({"team": "vision", "berth.dev/kind": "Experiment", "berth.dev/queue": "vision",
        "berth.dev/experiment": "resnet", "berth.dev/run": "1a2b3c4d", "berth.dev/trial": "1",
        "berth.dev/attempt": "2", "berth.dev/rank": "1",
        "berth.dev/service": "resnet-1a2b3c4d-1-2", "app.kubernetes.io/name": "experiment",
        "app.kubernetes.io/instance": "resnet", "app.kubernetes.io/component": "trial",
        "app.kubernetes.io/part-of": "vision", "app.kubernetes.io/managed-by": "berth"});
    assert_eq!(pod["metadata"]["labels"], labels);
    let spec = &pod["spec"];
    assert_eq!(spec["restartPolicy"], "Never");
    assert_eq!(spec["automountServiceAccountToken"], false);
    assert_eq!(
        (&spec["hostname"], &spec["subdomain"]),
        (&json!("rank-1"), &json!("resnet-1a2b3c4d-1-2"))
    );
    assert_eq!(spec["tolerations"][0]["key"], "nvidia.com/gpu");
    let task = &spec["containers"][0];
    assert_eq!(task["image"], "train:1");
    assert_eq!(task["command"], json!(["train", "--lr=0.1"]));
    assert_eq!(task["workingDir"], "/run/berth/work");
    assert_eq!(task["terminationMessagePolicy"], "FallbackToLogsOnError");
    assert_eq!(
        task["resources"],
        json!({"requests": {"nvidia.com/gpu": "8"}, "limits": {"nvidia.com/gpu": "8"}})
    );
    let shm = json!({"name": "berth-shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}});
    assert!(spec["volumes"].as_array().unwrap().contains(&shm));
    for (name, value) in [
        ("PET_NNODES", "2"),
        ("PET_NPROC_PER_NODE", "8"),
        ("PET_NODE_RANK", "1"),
        ("PET_MASTER_ADDR", "rank-0.resnet-1a2b3c4d-1-2"),
        ("PET_MASTER_PORT", "29500"),
        ("BERTH_RANK", "1"),
        ("BERTH_ATTEMPT", "2"),
        ("BERTH_TRIAL", "1"),
        ("BERTH_RUN", "1a2b3c4d"),
        ("BERTH_EXPERIMENT", "resnet"),
        ("BERTH_HPARAMS_FILE", "/run/berth/hparams/hparams.json"),
        ("BERTH_HP_lr", "0.1"),
        (
            "BERTH_CHECKPOINT_URI",
            "s3://checkpoints/lab/vision/resnet/1a2b3c4d/1",
        ),
    ] {
        assert_eq!(env(&pod, name), value, "{name}");
    }
    assert_eq!(env(&pod, "NVIDIA_VISIBLE_DEVICES"), Json::Null);
}

#[test]
fn ranks_differ_only_in_what_is_set() {
    let sidecar = json!({"pod": {"spec": {"containers": [
        {"name": "log", "image": "log", "env": [{"name": "BERTH_RANK", "value": "own"}]}]}}});
    let gang = json!({"resources": {"slotsPerTrial": 32, "shmSize": "8Gi"}});
    for (repository, pods) in [
        (Repository::default(), 1),
        (changed(&gang), 4),
        (changed(&with(&gang, &sidecar)), 4),
    ] {
        let (document, scope) = (repository.document(), repository.scope());
        let subject = subject(&document, &scope);
        for from in 0..pods {
            for to in 0..pods {
                let mut body = pod(&repository, &role(pods, 8, from));
                subject.set_rank(&mut body, &role(pods, 8, to));
                assert_eq!(body, pod(&repository, &role(pods, 8, to)), "{from} to {to}");
            }
        }
    }
}

#[test]
fn a_pod_is_what_the_server_accepts() {
    // Every field is one that Kubernetes knows: strict validation would refuse anything else.
    fn check(node: &Node, shape: &berth_openapi::Shape, path: &str) {
        for (key, below) in node.entries() {
            let path = format!("{path}.{}", key.name);
            let shape = berth_openapi::facts().step(shape, &key.name);
            check(below, shape.unwrap_or_else(|| panic!("{path}")), &path);
        }
        for item in node.items() {
            let shape = berth_openapi::facts().step(shape, "[]").unwrap();
            check(item, shape, path);
        }
    }
    let repository = changed(&json!({"resources": {"slotsPerTrial": 16, "shmSize": "8Gi"}}));
    let (document, scope) = (repository.document(), repository.scope());
    let subject = subject(&document, &scope);
    check(&subject.pod(&role(2, 8, 0)), pod_shape(), "pod");
    let service = berth_openapi::facts().type_named("io.k8s.api.core.v1.Service");
    let body = Node::engine(&subject.service(1));
    check(&body, service.unwrap(), "service");
}

#[test]
fn slots_take_the_resource_of_the_cluster() {
    let cases = [
        (
            json!({"slotType": "rocm"}),
            4,
            json!({"amd.com/gpu": "4"}),
            "base-gpu:1",
        ),
        (
            json!({"slotResource": "nvidia.com/mig-1g.5gb"}),
            1,
            json!({"nvidia.com/mig-1g.5gb": "1"}),
            "base-gpu:1",
        ),
        (
            json!({"slotType": "cpu", "slotResourceRequests": {"cpu": "1500m"}}),
            3,
            json!({"cpu": "4500m"}),
            "base-cpu:1",
        ),
        (
            json!({"slotType": "cpu", "slotResourceRequests": {"cpu": 2}}),
            3,
            json!({"cpu": "6"}),
            "base-cpu:1",
        ),
        (json!({}), 0, Json::Null, "base-cpu:1"),
    ];
    for (cluster, slots, expected, image) in cases {
        let mut repository =
            changed(&json!({"image": null, "resources": {"slotsPerTrial": slots}}));
        repository.cluster = with(&repository.cluster, &cluster);
        let pod = pod(&repository, &role(1, slots, 0));
        let task = &pod["spec"]["containers"][0];
        assert_eq!(task["resources"]["limits"], expected, "{cluster}");
        assert_eq!(task["resources"]["requests"], expected, "{cluster}");
        assert_eq!(task["image"], image, "{cluster}");
        assert_eq!(env(&pod, "NVIDIA_VISIBLE_DEVICES") == "void", slots == 0);
        assert_eq!(
            pod["spec"]["tolerations"].is_array(),
            image == "base-gpu:1",
            "{cluster}"
        );
        assert_eq!(
            (&pod["spec"]["subdomain"], env(&pod, "PET_MASTER_ADDR")),
            (&Json::Null, json!("127.0.0.1"))
        );
    }
}

#[test]
fn layers_go_over_each_other() {
    let mut repository = changed(&json!({
        "entrypoint": "train $(hp.lr)",
        "environment": {"variables": {"A": "document", "S": {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}}},
        "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"annotations": {"sandbox.dev/runs": "5s"}},
            "spec": {"nodeSelector": {"disk": "ssd"}, "containers": [
                {"name": "task", "volumeMounts": [{"mountPath": "/data", "name": "data"}]},
                {"name": "proxy", "image": "ubuntu"}]}},
    }));
    repository.defaults = json!({"gpu": {"metadata": {"annotations": {"a": "1"}}, "spec": {
        "nodeSelector": {"disk": "hdd", "zone": "a"}, "volumes": [{"name": "data", "image": {"reference": "quay.io/data:3"}}],
        "initContainers": [{"name": "fetch", "image": "quay.io/fetch"}],
        "containers": [{"name": "task", "env": [{"name": "A", "value": "defaults"}, {"name": "B", "value": "defaults"}]}]}}});
    repository.queue = with(
        &repository.queue,
        &json!({"pod": {"spec": {"nodeSelector": {"zone": "b", "pool": "p"}}}}),
    );
    repository.cluster = with(
        &repository.cluster,
        &json!({"imagePullSecrets": ["pull"],
        "registryRewrites": [{"from": "docker.io/", "to": "mirror.lan/"}, {"from": "quay.io/", "to": "q.lan/"}]}),
    );
    let pod = pod(&repository, &role(1, 1, 0));
    let spec = &pod["spec"];
    assert_eq!(
        spec["nodeSelector"],
        json!({"disk": "ssd", "zone": "b", "pool": "p"})
    );
    assert_eq!(
        pod["metadata"]["annotations"],
        json!({"a": "1", "sandbox.dev/runs": "5s", "berth.dev/hyperparameters": "{\"lr\":0.1}"})
    );
    assert_eq!(
        (env(&pod, "A"), env(&pod, "B")),
        (json!("document"), json!("defaults"))
    );
    let from = spec["containers"][0]["env"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "S")
        .unwrap();
    assert_eq!(
        from["valueFrom"],
        json!({"secretKeyRef": {"name": "s", "key": "k"}})
    );
    assert_eq!(spec["containers"].as_array().unwrap().len(), 1);
    assert_eq!(spec["containers"][0]["image"], "mirror.lan/library/train:1");
    assert_eq!(
        spec["containers"][0]["command"],
        json!(["/bin/sh", "-c", "train 0.1"])
    );
    assert_eq!(
        spec["initContainers"],
        json!([
        {"name": "fetch", "image": "q.lan/fetch"},
        {"name": "proxy", "image": "mirror.lan/library/ubuntu", "restartPolicy": "Always"}])
    );
    assert_eq!(
        spec["volumes"][0],
        json!({"name": "data", "image": {"reference": "q.lan/data:3"}})
    );
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "pull"}]));
    let mounts: Vec<&str> = spec["containers"][0]["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["mountPath"].as_str().unwrap())
        .collect();
    assert_eq!(mounts, ["/data", "/run/berth/work", "/run/berth/hparams"]);
}

#[test]
fn variables_come_after_what_they_name() {
    let variables = json!({"DATA": "$(ROOT)/$(BERTH_HP_set)", "LOG": "$(OUT)/$(BERTH_RANK).log",
        "OUT": "$(BERTH_CHECKPOINT_URI)/$$(DATA)", "ROOT": {"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}});
    let mut repository = changed(&json!({"environment": {"variables": variables},
        "hyperparameters": {"set": "$(LOG)"}}));
    repository.defaults = json!({"gpu": {"spec": {
        "containers": [{"name": "task", "env": [{"name": "BASE", "value": "$(DATA)/base"}]}]}}});
    let pod = pod(&repository, &role(1, 1, 0));
    let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let at = |name: &str| env.iter().position(|it| it["name"] == name).unwrap();
    for (first, then) in [
        ("ROOT", "DATA"),
        ("BERTH_HP_set", "DATA"),
        ("DATA", "BASE"),
        ("BERTH_RANK", "LOG"),
        ("OUT", "LOG"),
        ("BERTH_CHECKPOINT_URI", "OUT"),
    ] {
        assert!(at(first) < at(then), "{first} and {then} in {env:?}");
    }
    assert_eq!(env[at("BERTH_HP_set")]["value"], "$$(LOG)");
    assert_eq!(env[at("DATA")]["value"], "$(ROOT)/$(BERTH_HP_set)");
}

#[test]
fn every_field_is_explained() {
    let repository = changed(&json!({"environment": {"variables": {"A": "document"}}}));
    let (document, scope) = (repository.document(), repository.scope());
    let subject = subject(&document, &scope);
    let layer = |under: &str| subject.explain(&role(1, 1, 0), under)[0].layer.clone();
    assert_eq!(layer("spec.tolerations"), "PodDefaults/default gpu");
    assert_eq!(
        layer("spec.containers[name=task].image"),
        "Experiment/resnet"
    );
    assert_eq!(
        layer("spec.containers[name=task].env[name=A].value"),
        "Experiment/resnet"
    );
    assert_eq!(layer("spec.restartPolicy"), "engine");
}

/// Slots and shared memory are the document's where it says so; a slot by default stands nowhere.
#[test]
fn what_the_document_says_of_resources_is_its_own() {
    let limit = "spec.containers.task.resources.limits";
    let shm = "spec.volumes.berth-shm.emptyDir.sizeLimit";
    let own = json!({"resources": {"slotsPerTrial": 1, "shmSize": "8Gi"}});
    for (resources, under, layer) in [
        (&json!({}), limit, "engine"),
        (&own, limit, "Experiment/resnet"),
        (&own, shm, "Experiment/resnet"),
    ] {
        let repository = changed(resources);
        let (document, scope) = (repository.document(), repository.scope());
        let found = subject(&document, &scope).explain(&role(1, 1, 0), under);
        let layers: Vec<&str> = found.iter().map(|it| &*it.layer).collect();
        assert_eq!(layers, [layer], "{under}");
    }
}

#[test]
fn digests_name_the_layer_that_changed() {
    let before = Repository::default();
    let digests = |it: &Repository| layer_digests(&it.document(), &it.scope());
    let outdated = |after: &Repository| -> Vec<String> {
        let (old, new) = (digests(&before), digests(after));
        new.into_iter()
            .filter(|(name, digest)| old.get(name) != Some(digest))
            .map(|(name, _)| name)
            .collect()
    };
    let toleration = json!({"gpu": {"spec": {"tolerations": [{"key": "x"}]}}});
    assert_eq!(
        outdated(&Repository {
            defaults: toleration,
            ..before.clone()
        }),
        ["PodDefaults"]
    );
    let only_cpu = with(
        &before.defaults,
        &json!({"cpu": {"spec": {"nodeSelector": {"a": "b"}}}}),
    );
    assert_eq!(
        outdated(&Repository {
            defaults: only_cpu,
            ..before.clone()
        }),
        [] as [&str; 0]
    );
    let mut labelled = before.document();
    labelled.source =
        crate::object::Node::engine(&json!({"metadata": {"labels": {"team": "audio"}}}));
    let labels = layer_digests(&labelled, &before.scope());
    let old = digests(&before);
    let differs =
        |(name, digest): (&String, &String)| (old.get(name) != Some(digest)).then(|| name.clone());
    assert_eq!(
        labels.iter().filter_map(differs).collect::<Vec<_>>(),
        ["labels"]
    );
    let pod = json!({"pod": {"spec": {"nodeSelector": {"a": "b"}}}});
    assert_eq!(outdated(&changed(&pod)), ["Experiment"]);
    let queue = with(&before.queue, &pod);
    assert_eq!(
        outdated(&Repository {
            queue,
            ..before.clone()
        }),
        ["Queue"]
    );
    let rule = json!({"registryRewrites": [{"from": "a/", "to": "b/"}]});
    let cluster = with(&before.cluster, &rule);
    assert_eq!(
        outdated(&Repository {
            cluster,
            ..before.clone()
        }),
        ["Cluster"]
    );
    let quota = with(&before.queue, &json!({"quota": 1, "priority": 3}));
    assert_eq!(
        outdated(&Repository {
            queue: quota,
            ..before.clone()
        }),
        [] as [&str; 0]
    );
}

#[test]
fn a_gang_is_spread_only_if_somebody_asks() {
    let spread = |pods, layer: &Json| {
        let pod = pod(&changed(layer), &role(pods, 8, 0));
        pod["spec"]["topologySpreadConstraints"].clone()
    };
    let none = json!([{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway"}]);
    let gang = json!({"resources": {"slotsPerTrial": 16}});
    assert_eq!(spread(2, &gang), none);
    assert_eq!(spread(1, &json!({})), Json::Null);
    let zones = json!([{"maxSkew": 2, "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway"}]);
    for own in [zones, json!([])] {
        let asked = json!({"pod": {"spec": {"topologySpreadConstraints": own}}});
        assert_eq!(spread(2, &with(&gang, &asked)), own);
    }
}

#[test]
fn the_service_selects_one_attempt() {
    let repository = Repository::default();
    let (document, scope) = (repository.document(), repository.scope());
    let subject = subject(&document, &scope);
    let service = subject.service(2);
    let labels = pod(&repository, &role(2, 1, 0))["metadata"]["labels"].clone();
    for (name, value) in service["spec"]["selector"].as_object().unwrap() {
        assert_eq!(&labels[name], value);
    }
    let selector = json!({"berth.dev/service": "resnet-1a2b3c4d-1-2"});
    assert_eq!(service["spec"]["selector"], selector);
    assert_eq!(
        (
            &service["spec"]["clusterIP"],
            &service["spec"]["publishNotReadyAddresses"]
        ),
        (&json!("None"), &json!(true))
    );
}

#[test]
fn a_pod_carries_its_file_of_hyperparameters() {
    let values = json!({"lr": 0.1, "model": {"depth": 50, "n a": "\u{e4}\n'\""}});
    let repository = changed(&json!({"hyperparameters": values}));
    let pod = pod(&repository, &role(1, 1, 0));
    let spec = &pod["spec"];
    let named = |list: &Json| {
        let items = list.as_array().unwrap();
        let found = items.iter().find(|it| it["name"] == "berth-hparams");
        found.unwrap().clone()
    };
    let mount = named(&spec["containers"][0]["volumeMounts"]);
    let shown = &named(&spec["volumes"])["downwardAPI"]["items"][0];
    let file = format!(
        "{}/{}",
        mount["mountPath"].as_str().unwrap(),
        shown["path"].as_str().unwrap()
    );
    assert_eq!(env(&pod, "BERTH_HPARAMS_FILE"), file);
    assert_eq!(mount["readOnly"], true);
    let path = shown["fieldRef"]["fieldPath"].as_str().unwrap();
    let key = path
        .strip_prefix("metadata.annotations['")
        .and_then(|path| path.strip_suffix("']"));
    let text = pod["metadata"]["annotations"][key.unwrap()].as_str();
    let read: Json = serde_json::from_str(text.unwrap()).unwrap();
    assert_eq!(read, repository.experiment["hyperparameters"]);
    // What it comes from is the line that they stand in; without any there is a file, too.
    let none = changed(&json!({"hyperparameters": null}));
    let none = super::tests::pod(&none, &role(1, 1, 0));
    assert_eq!(none["metadata"]["annotations"][key.unwrap()], "{}");
}
