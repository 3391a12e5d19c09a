use serde_json::{Value, json};

use super::{idle_pod, pod};
use crate::conformance::Api;
use crate::conformance::api::{JSON_PATCH, MERGE, STRATEGIC};

pub async fn defaults(api: Api) {
    let mut object = idle_pod("one");
    object["spec"]["containers"][0]["resources"] = json!({"limits": {"nvidia.com/gpu": 2, "cpu": "1500m", "memory": "0.5Gi"}});
    object["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80}]);
    object["spec"]["containers"][0]["env"] = json!([{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    object["spec"]["volumes"] = json!([
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
        {"name": "files", "configMap": {"name": "files"}},
        {"name": "secret", "secret": {"secretName": "secret"}},
        {"name": "fields", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]);
    object["spec"]["initContainers"] = json!([{"name": "side", "image": "x", "restartPolicy": "Always"}]);
    let made = api.post("pods", &object).await.expect(201);
    let container = &made["spec"]["containers"][0];
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    assert_eq!(container["resources"]["requests"], json!({"cpu": "1500m", "memory": "512Mi", "nvidia.com/gpu": "2"}));
    assert_eq!(made["spec"]["initContainers"][0]["imagePullPolicy"], "Always");
    assert_eq!(made["status"]["phase"], "Pending");
    assert_eq!(made["status"]["qosClass"], "Burstable");
}

/// Faults of a pod, in the server's words.
pub async fn invalid(api: Api) {
    let faults: &[(&str, Value)] = &[
        ("/spec/containers", json!([])),
        ("/spec/containers/0/image", json!("")),
        ("/spec/containers/0/name", json!("Not_A_Name")),
        ("/spec/restartPolicy", json!("Sometimes")),
        ("/spec/containers/0/volumeMounts", json!([{"name": "none", "mountPath": "/a"}])),
        ("/spec/containers/0/resources", json!({"limits": {"nvidia.com/gpu": "1.5"}})),
        ("/spec/containers/0/resources", json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})),
        ("/spec/containers/0/resources", json!({"requests": {"nvidia.com/gpu": "1"}})),
        ("/spec/containers/0/env", json!([{"name": ""}])),
        ("/spec/priorityClassName", json!("absent")),
        ("/spec/terminationGracePeriodSeconds", json!(-1)),
        ("/spec/activeDeadlineSeconds", json!(0)),
    ];
    for (at, value) in faults {
        let mut object = idle_pod("one");
        for field in ["volumeMounts", "resources", "env"] {
            object["spec"]["containers"][0][field] = Value::Null;
        }
        object["spec"]["priorityClassName"] = Value::Null;
        object["spec"]["terminationGracePeriodSeconds"] = Value::Null;
        object["spec"]["activeDeadlineSeconds"] = Value::Null;
        if let Some(place) = object.pointer_mut(at) {
            *place = value.clone();
        }
        let answer = api.post("pods?dryRun=All", &object).await;
        let refused = answer.status >= 400 || *at == "/spec/terminationGracePeriodSeconds";
        assert!(refused, "{at} {value}: {}", answer.body);
    }
}

pub async fn binding(api: Api) {
    let made = api.post("pods", &idle_pod("one")).await.expect(201);
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "one"}, "target": {"kind": "Node", "name": "node-0"}});
    let mut other = binding.clone();
    other["metadata"]["uid"] = "01234567-89ab-cdef-0123-456789abcdef".into();
    api.post("pods/one/binding", &other).await.refused_with(409, "Conflict", "Precondition failed: UID in precondition: 01234567-89ab-cdef-0123-456789abcdef, UID in object meta: ");
    let bound = api.post("pods/one/binding", &binding).await.expect(201);
    assert_eq!((&bound["kind"], &bound["status"]), (&"Status".into(), &"Success".into()));
    let pod = api.until("pods/one", |answer| answer.body["spec"]["nodeName"] == "node-0").await;
    assert_eq!(pod["metadata"]["uid"], made["metadata"]["uid"]);
    let scheduled = pod["status"]["conditions"].as_array().into_iter().flatten().any(|each| each["type"] == "PodScheduled" && each["status"] == "True");
    assert!(scheduled, "{pod}");
    api.post("pods/none/binding", &json!({"metadata": {"name": "none"}, "target": {"name": "node-0"}})).await.refused(404, "NotFound", "pods \"none\" not found");
    api.post("pods/one/binding", &binding).await.refused(409, "Conflict", "Operation cannot be fulfilled on pods/binding \"one\": pod one is already assigned to node \"node-0\"");
}

pub async fn gates(api: Api) {
    let mut object = pod("one", &[]);
    object["spec"]["schedulingGates"] = json!([{"name": "berth.dev/wait"}]);
    let made = api.post("pods", &object).await.expect(201);
    assert_eq!(made["status"]["conditions"][0]["reason"], "SchedulingGated", "{made}");
    let more = json!({"spec": {"schedulingGates": [{"name": "berth.dev/wait"}, {"name": "berth.dev/more"}]}});
    api.patch("pods/one", MERGE, &more).await.refused(422, "Invalid", "Pod \"one\" is invalid: spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'berth.dev/more'");
    let binding = json!({"metadata": {"name": "one"}, "target": {"name": "node-0"}});
    api.post("pods/one/binding", &binding).await.refused_with(409, "Conflict", "pod one has non-empty .spec.schedulingGates");
    api.patch("pods/one", JSON_PATCH, &json!([{"op": "remove", "path": "/spec/schedulingGates"}])).await.expect(200);
    api.until("pods/one", |answer| answer.body["spec"]["nodeName"].is_string()).await;
}

pub async fn immutable(api: Api) {
    api.post("pods", &idle_pod("one")).await.expect(201);
    let words = "Pod \"one\" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    for patch in [
        json!({"spec": {"restartPolicy": "Always"}}),
        json!({"spec": {"containers": [{"name": "task", "command": ["sh"]}]}}),
        json!({"spec": {"nodeSelector": {"a": "b"}}}),
    ] {
        let answer = api.silent("PATCH", "pods/one", STRATEGIC, Some(&patch)).await;
        answer.refused_with(422, "Invalid", words);
    }
    api.patch("pods/one", STRATEGIC, &json!({"spec": {"containers": [{"name": "task", "image": "x:2"}]}})).await.expect(200);
    api.patch("pods/one", MERGE, &json!({"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}})).await;
    let same = api.patch("pods/one", MERGE, &json!({"status": {"phase": "Running"}})).await.expect(200);
    assert_eq!(same["status"]["phase"], "Pending", "the status is written apart");
}

pub async fn priority(api: Api) {
    let class = json!({"metadata": {"name": "conformance-high"}, "value": 1000, "preemptionPolicy": "Never"});
    api.post("/apis/scheduling.k8s.io/v1/priorityclasses", &class).await.expect(201);
    let mut object = idle_pod("one");
    object["spec"]["priorityClassName"] = "conformance-high".into();
    // The real server's admission learns of a class by a watch.
    let mut made = api.silent("POST", "pods", "application/json", Some(&object)).await;
    for _ in 0..50 {
        if made.status == 201 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        made = api.silent("POST", "pods", "application/json", Some(&object)).await;
    }
    let made = made.expect(201);
    assert_eq!((&made["spec"]["priority"], &made["spec"]["preemptionPolicy"]), (&1000.into(), &"Never".into()));
    object["metadata"]["name"] = "two".into();
    object["spec"]["priorityClassName"] = "absent".into();
    api.post("pods", &object).await.refused(403, "Forbidden", "pods \"two\" is forbidden: no PriorityClass with name absent was found");
    object["spec"]["priorityClassName"] = "conformance-high".into();
    object["spec"]["priority"] = json!(5);
    api.post("pods", &object).await.refused(403, "Forbidden", "pods \"two\" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name");
    let broken = json!({"spec": {"containers": Value::Null}});
    api.patch("pods/one", MERGE, &broken).await;
}
