use serde_json::json;

use super::{config, idle_pod};
use crate::conformance::Api;
use crate::conformance::api::{APPLY, JSON_PATCH, MERGE, STRATEGIC};

pub async fn unknown_fields(api: Api) {
    let mut object = config("one");
    object["extra"] = json!(1);
    object["metadata"]["color"] = json!("red");
    api.post("configmaps?fieldValidation=Strict", &object).await.refused(
        400, "BadRequest",
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"extra\", unknown field \"metadata.color\"");
    let mut pod = idle_pod("one");
    pod["spec"]["containers"][0]["comand"] = json!(["x"]);
    pod["spec"]["nodeSelecter"] = json!({});
    let answer = api.post("pods?fieldValidation=Strict", &pod).await;
    answer.refused_with(400, "BadRequest", "unknown field \"spec.containers[0].comand\"");
    answer.refused_with(400, "BadRequest", "unknown field \"spec.nodeSelecter\"");
    api.get("pods/one").await.expect(404);
}

pub async fn duplicates(api: Api) {
    let text = r#"{"metadata": {"name": "one"}, "data": {"a": "1", "a": "2"}, "data": {"b": "1"}}"#;
    let answer = api.raw("POST", "configmaps?fieldValidation=Strict", "application/json", text.into()).await;
    answer.refused_with(400, "BadRequest", "strict decoding error: duplicate field \"data.a\"");
    let answer = api.raw("POST", "configmaps", "application/json", text.into()).await;
    assert_eq!(answer.status, 201);
    assert!(answer.warnings.iter().any(|warning| warning.contains("duplicate field")), "{:?}", answer.warnings);
}

pub async fn warned(api: Api) {
    let mut pod = idle_pod("one");
    pod["spec"]["nodeSelecter"] = json!({});
    let answer = api.post("pods?fieldValidation=Warn", &pod).await;
    assert_eq!(answer.warnings, ["299 - \"unknown field \\\"spec.nodeSelecter\\\"\""]);
    assert_eq!(answer.expect(201)["spec"].get("nodeSelecter"), None);
}

pub async fn ignored(api: Api) {
    let mut object = config("one");
    object["extra"] = json!(1);
    let answer = api.post("configmaps?fieldValidation=Ignore", &object).await;
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    answer.expect(201);
    let answer = api.post("configmaps?fieldValidation=Sometimes", &config("two")).await;
    assert!(answer.status >= 400, "{}", answer.body);
}

pub async fn wrong_types(api: Api) {
    for (at, value) in [
        ("/data", json!("text")),
        ("/data", json!({"a": 1})),
        ("/metadata/labels", json!({"a": true})),
        ("/immutable", json!("yes")),
        ("/metadata/name", json!(7)),
        ("/metadata", json!([])),
    ] {
        let mut object = config("one");
        object["immutable"] = json!(false);
        object["metadata"]["labels"] = json!({});
        if let Some(place) = object.pointer_mut(at) {
            *place = value;
        }
        let answer = api.post("configmaps?fieldValidation=Strict", &object).await;
        answer.refused_with(400, "BadRequest", "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal");
    }
    let mut pod = idle_pod("one");
    pod["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "much"}});
    api.post("pods?fieldValidation=Strict", &pod).await.refused_with(400, "BadRequest", "quantities must match the regular expression");
    pod["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": 1}});
    pod["spec"]["terminationGracePeriodSeconds"] = json!("30");
    api.post("pods?fieldValidation=Strict", &pod).await.refused_with(400, "BadRequest", "cannot unmarshal string into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64");
}

pub async fn patches(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    let strict = "configmaps/one?fieldValidation=Strict";
    // The real server's words hold the whole object, its fields in the order of its source.
    let patch = json!({"extra": 1});
    api.silent("PATCH", strict, MERGE, Some(&patch)).await.refused_with(422, "Invalid", "strict decoding error: unknown field \"extra\"");
    api.patch(strict, STRATEGIC, &json!({"extra": 1})).await.refused_with(422, "Invalid", "strict decoding error: unknown field \"extra\"");
    let patch = json!([{"op": "add", "path": "/extra", "value": 1}]);
    api.silent("PATCH", strict, JSON_PATCH, Some(&patch)).await.refused_with(422, "Invalid", "strict decoding error: unknown field \"extra\"");
    let mut object = config("one");
    object["extra"] = json!(1);
    api.put(strict, &object).await.refused_with(400, "BadRequest", "strict decoding error: unknown field \"extra\"");
    let answer = api.patch("configmaps/one", MERGE, &json!({"extra": 1})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.warnings, ["299 - \"unknown field \\\"extra\\\"\""]);
}

/// Server-side apply knows every field's type: an unknown one is refused in any mode.
pub async fn applied(api: Api) {
    let mut object = config("one");
    object["extra"] = json!(1);
    for mode in ["Strict", "Warn", "Ignore"] {
        let path = format!("configmaps/one?fieldManager=m&fieldValidation={mode}");
        let answer = api.patch(&path, APPLY, &object).await;
        assert!(answer.status >= 400, "{mode}: {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap_or_default().contains("field not declared in schema"), "{}", answer.body);
    }
    let mut pod = idle_pod("one");
    pod["spec"]["restartPolicy"] = json!(3);
    api.patch("pods/one?fieldManager=m", APPLY, &pod).await;
    let text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\ndata: {a: '1', a: '2'}\n".to_vec();
    let answer = api.raw("PATCH", "configmaps/two?fieldManager=m&fieldValidation=Strict", APPLY, text).await;
    assert!(answer.status >= 400, "{}", answer.body);
}
