use serde_json::{Value, json};

use super::idle_pod;
use crate::conformance::Api;

async fn pods(api: &Api) {
    for (name, labels) in [("one", json!({"a": "1", "b": "x"})), ("two", json!({"a": "2"})), ("three", json!({}))] {
        let mut pod = idle_pod(name);
        pod["metadata"]["labels"] = labels;
        api.post("pods", &pod).await.expect(201);
    }
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["metadata"]["name"].as_str()).collect()
}

pub async fn labels(api: Api) {
    pods(&api).await;
    for (selector, wanted) in [
        ("a%3D1", vec!["one"]),
        ("a%3D%3D1", vec!["one"]),
        ("a!%3D1", vec!["three", "two"]),
        ("a", vec!["one", "two"]),
        ("!a", vec!["three"]),
        ("a%20in%20(1,2)", vec!["one", "two"]),
        ("a%20notin%20(1)", vec!["three", "two"]),
        ("a,b%3Dx", vec!["one"]),
        ("a%3E1", vec!["two"]),
        ("", vec!["one", "three", "two"]),
    ] {
        let list = api.get(&format!("pods?labelSelector={selector}")).await.expect(200);
        assert_eq!(names(&list), wanted, "{selector}");
    }
    let answer = api.silent("GET", "pods?labelSelector=a%3D%3D%3D1", "application/json", None).await;
    answer.refused_with(400, "BadRequest", "");
}

pub async fn fields(api: Api) {
    pods(&api).await;
    for (selector, wanted) in [
        ("metadata.name%3Done", vec!["one"]),
        ("metadata.name!%3Done", vec!["three", "two"]),
        ("status.phase%3DPending", vec!["one", "three", "two"]),
        ("status.phase%3DRunning", vec![]),
        ("spec.nodeName%3D", vec!["one", "three", "two"]),
        ("spec.schedulerName%3Dnobody,metadata.name%3Dtwo", vec!["two"]),
        ("spec.restartPolicy%3DNever", vec!["one", "three", "two"]),
    ] {
        let list = api.get(&format!("pods?fieldSelector={selector}")).await.expect(200);
        assert_eq!(names(&list), wanted, "{selector}");
    }
}

pub async fn unsupported(api: Api) {
    api.get("pods?fieldSelector=spec.priority%3D1").await.refused(400, "BadRequest", "field label not supported: spec.priority");
    api.get("configmaps?fieldSelector=data.a%3D1").await;
    api.get("pods?fieldSelector=status.phase").await;
}

pub async fn deletion(api: Api) {
    pods(&api).await;
    api.silent("DELETE", "pods?labelSelector=a", "application/json", None).await.expect(200);
    let list = api.get("pods").await.expect(200);
    assert_eq!(names(&list), ["three"]);
}
