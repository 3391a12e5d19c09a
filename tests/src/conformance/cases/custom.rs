use serde_json::{Value, json};

use crate::conformance::Api;
use crate::conformance::api::{APPLY, MERGE, STRATEGIC, TABLE};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn definition(plural: &str) -> Value {
    let kind = plural.trim_end_matches('s');
    let kind = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": plural, "kind": kind},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "required": ["size"], "properties": {
                        "size": {"type": "integer", "minimum": 1},
                        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                        "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {
                            "type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "count": {"type": "integer"}}}},
                    }},
                    "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
                }}},
            }],
        },
    })
}

async fn define(api: &Api, plural: &str) {
    api.silent("POST", DEFINITIONS, "application/json", Some(&definition(plural))).await.expect(201);
    let established = |conditions: &Value| {
        let conditions = conditions.as_array().into_iter().flatten();
        conditions.into_iter().any(|each| each["type"] == "Established" && each["status"] == "True")
    };
    api.until(&format!("{DEFINITIONS}/{plural}.example.com"), |answer| established(&answer.body["status"]["conditions"])).await;
    // Established is said before every request is served.
    api.until(&format!("example.com/v1/{plural}"), |answer| answer.status == 200).await;
    let path = format!("example.com/v1/{plural}?watch=true&timeoutSeconds=1");
    api.silent("GET", &path, "application/json", None).await;
}

fn thing(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

pub async fn defined(api: Api) {
    define(&api, "widgets").await;
    let list = api.silent("GET", "/apis/example.com/v1", "application/json", None).await.expect(200);
    let names: Vec<&str> = list["resources"].as_array().into_iter().flatten().filter_map(|each| each["name"].as_str()).collect();
    assert!(names.contains(&"widgets") && names.contains(&"widgets/status"), "{names:?}");
    let mut bad = definition("gadgets");
    bad["metadata"]["name"] = "wrong.example.com".into();
    api.post(DEFINITIONS, &bad).await.refused_with(422, "Invalid", "metadata.name: Invalid value: \"wrong.example.com\": must be spec.names.plural+\".\"+spec.group");
}

pub async fn instances(api: Api) {
    define(&api, "engines").await;
    let path = "example.com/v1/engines";
    let made = api.post(path, &thing("Engine", "one", json!({"size": 1}))).await.expect(201);
    assert_eq!(made["spec"]["color"], "red", "the default");
    assert_eq!(made["metadata"]["generation"], 1);
    api.post(path, &thing("Engine", "two", json!({}))).await.refused(422, "Invalid", "Engine.example.com \"two\" is invalid: spec.size: Required value");
    api.post(path, &thing("Engine", "two", json!({"size": 0}))).await.refused(422, "Invalid", "Engine.example.com \"two\" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1");
    api.post(path, &thing("Engine", "two", json!({"size": "big"}))).await;
    api.post(path, &thing("Engine", "two", json!({"size": 1, "color": "green"}))).await.refused(422, "Invalid", "Engine.example.com \"two\" is invalid: spec.color: Unsupported value: \"green\": supported values: \"red\", \"blue\"");
    api.post(&format!("{path}?fieldValidation=Strict"), &thing("Engine", "two", json!({"size": 1, "weight": 1}))).await.refused_with(400, "BadRequest", "strict decoding error: unknown field \"spec.weight\"");
    let pruned = api.post(path, &thing("Engine", "two", json!({"size": 1, "weight": 1}))).await.expect(201);
    assert_eq!(pruned["spec"].get("weight"), None);
    let status = json!({"status": {"ready": true}});
    let same = api.patch(&format!("{path}/one"), MERGE, &status).await.expect(200);
    assert_eq!(same.get("status"), None, "the status is written apart");
    let ready = api.patch(&format!("{path}/one/status"), MERGE, &status).await.expect(200);
    assert_eq!((&ready["status"]["ready"], &ready["metadata"]["generation"]), (&true.into(), &1.into()));
    api.patch(&format!("{path}/one"), STRATEGIC, &json!({})).await.refused_with(415, "UnsupportedMediaType", "accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
    let parts = |name: &str| thing("Engine", "one", json!({"size": 1, "parts": [{"name": name, "count": 1}]}));
    api.patch(&format!("{path}/one?fieldManager=a"), APPLY, &parts("x")).await.expect(200);
    let both = api.patch(&format!("{path}/one?fieldManager=b"), APPLY, &parts("y")).await.expect(200);
    assert_eq!(both["spec"]["parts"].as_array().map(Vec::len), Some(2), "{both}");
    let mut update = both.clone();
    update["metadata"].as_object_mut().map(|meta| meta.remove("resourceVersion"));
    api.put(&format!("{path}/one"), &update).await.refused_with(422, "Invalid", "metadata.resourceVersion: Invalid value");
}

pub async fn removed(api: Api) {
    define(&api, "relics").await;
    api.silent("POST", "example.com/v1/relics", "application/json", Some(&thing("Relic", "one", json!({"size": 1})))).await.expect(201);
    api.silent("DELETE", &format!("{DEFINITIONS}/relics.example.com"), "application/json", None).await.expect(200);
    api.until_gone(&format!("{DEFINITIONS}/relics.example.com")).await;
    api.until_gone("example.com/v1/relics").await;
}

pub async fn columns(api: Api) {
    define(&api, "charts").await;
    api.post("example.com/v1/charts", &thing("Chart", "one", json!({"size": 7}))).await.expect(201);
    let table = api.silent("GET", "example.com/v1/charts", TABLE, None).await.expect(200);
    let names: Vec<&str> = table["columnDefinitions"].as_array().into_iter().flatten().filter_map(|each| each["name"].as_str()).collect();
    assert_eq!(names, ["Name", "Size"]);
    assert_eq!(table["rows"][0]["cells"], json!(["one", 7]));
}

/// Finalizers, deletion and watches of users' kinds are those of all kinds.
pub async fn held(api: Api) {
    define(&api, "anchors").await;
    let path = "example.com/v1/anchors";
    let mut object = thing("Anchor", "one", json!({"size": 1}));
    object["metadata"]["finalizers"] = json!(["example.com/held"]);
    let made = api.post(path, &object).await.expect(201);
    let from = made["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let mut watch = api.watch(&format!("{path}?resourceVersion={from}")).await;
    let going = api.delete(&format!("{path}/one"), &Value::Null).await.expect(200);
    assert_eq!((&going["metadata"]["deletionGracePeriodSeconds"], &going["metadata"]["generation"]), (&0.into(), &2.into()));
    assert!(watch.expect("MODIFIED").await["metadata"]["deletionTimestamp"].is_string());
    api.patch(&format!("{path}/one"), MERGE, &json!({"metadata": {"finalizers": null}})).await.expect(200);
    assert_eq!(watch.expect("DELETED").await["metadata"]["name"], "one");
    api.get(&format!("{path}/one")).await.refused(404, "NotFound", "anchors.example.com \"one\" not found");
}

pub async fn status(api: Api) {
    define(&api, "pumps").await;
    let path = "example.com/v1/pumps";
    let made = api.post(path, &thing("Pump", "one", json!({"size": 1}))).await.expect(201);
    let mut ready = made.clone();
    ready["status"] = json!({"ready": true});
    ready["spec"]["size"] = json!(2);
    ready["metadata"]["labels"] = json!({"a": "b"});
    let shown = api.put(&format!("{path}/one/status"), &ready).await.expect(200);
    assert_eq!((&shown["status"]["ready"], &shown["spec"]["size"]), (&true.into(), &1.into()));
    assert_eq!(shown["metadata"].get("labels"), None, "only the status is written");
    api.put(&format!("{path}/one/status"), &ready).await.refused_with(409, "Conflict", "the object has been modified");
    api.patch(&format!("{path}/one/status"), MERGE, &json!({"status": {"ready": "yes"}})).await.refused_with(422, "Invalid", "status.ready: Invalid value: \"string\": ready in body must be of type boolean");
    let applied = json!({"apiVersion": "example.com/v1", "kind": "Pump", "metadata": {"name": "one"}, "status": {"ready": false}});
    api.patch(&format!("{path}/one/status?fieldManager=a&force=true"), APPLY, &applied).await.expect(200);
    let grown = api.patch(&format!("{path}/one"), MERGE, &json!({"spec": {"size": 3}})).await.expect(200);
    assert_eq!((&grown["metadata"]["generation"], &grown["status"]["ready"]), (&2.into(), &false.into()));
}
