use serde_json::{Value, json};

use super::{config, idle_pod};
use crate::conformance::Api;
use crate::conformance::api::TABLE;

fn names(table: &Value) -> Vec<&str> {
    let columns = table["columnDefinitions"].as_array().into_iter().flatten();
    columns.filter_map(|column| column["name"].as_str()).collect()
}

/// The columns without what is for people, and the cells.
fn shape(table: &Value) -> Value {
    let columns = table["columnDefinitions"].as_array().into_iter().flatten();
    let columns: Vec<Value> = columns
        .map(|column| json!([column["name"], column["type"], column["format"], column["priority"]]))
        .collect();
    json!(columns)
}

pub async fn of_pods(api: Api) {
    api.post("pods", &idle_pod("one")).await.expect(201);
    let table = api.silent("GET", "pods", TABLE, None).await.expect(200);
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["apiVersion"], "meta.k8s.io/v1");
    assert_eq!(shape(&table), json!([
        ["Name", "string", "name", 0], ["Ready", "string", "", 0], ["Status", "string", "", 0],
        ["Restarts", "string", "", 0], ["Age", "string", "", 0], ["IP", "string", "", 1],
        ["Node", "string", "", 1], ["Nominated Node", "string", "", 1], ["Readiness Gates", "string", "", 1],
    ]));
    let row = &table["rows"][0];
    assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(row["object"]["metadata"]["name"], "one");
    let mut cells = row["cells"].clone();
    cells[4].take();
    assert_eq!(cells, json!(["one", "0/1", "Pending", "0", null, "<none>", "<none>", "<none>", "<none>"]));
    let one = api.silent("GET", "pods/one?includeObject=Object", TABLE, None).await.expect(200);
    assert_eq!(one["rows"][0]["object"]["spec"]["schedulerName"], "nobody");
    let bare = api.silent("GET", "pods?includeObject=None", TABLE, None).await.expect(200);
    assert_eq!(bare["rows"][0]["object"], Value::Null);
}

pub async fn of_others(api: Api) {
    let columns: &[(&str, &[&str])] = &[
        ("configmaps", &["Name", "Data", "Age"]),
        ("secrets", &["Name", "Type", "Data", "Age"]),
        ("services", &["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector"]),
        ("/api/v1/nodes", &["Name", "Status", "Roles", "Age", "Version", "Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"]),
        ("/api/v1/namespaces", &["Name", "Status", "Age"]),
        ("events", &["Last Seen", "Type", "Reason", "Object", "Subobject", "Source", "Message", "First Seen", "Count", "Name"]),
        ("persistentvolumeclaims", &["Name", "Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass", "Age", "VolumeMode"]),
        ("coordination.k8s.io/v1/leases", &["Name", "Holder", "Age"]),
        ("/apis/scheduling.k8s.io/v1/priorityclasses", &["Name", "Value", "Global-Default", "Age", "PreemptionPolicy"]),
    ];
    api.post("configmaps", &config("one")).await.expect(201);
    for (resource, wanted) in columns {
        let table = api.silent("GET", resource, TABLE, None).await.expect(200);
        assert_eq!(names(&table), *wanted, "{resource}");
    }
    let table = api.silent("GET", "configmaps/one", TABLE, None).await.expect(200);
    assert_eq!(table["rows"][0]["cells"][0], "one");
    assert_eq!(table["rows"][0]["cells"][1], 1);
}

pub async fn of_nothing(api: Api) {
    let table = api.silent("GET", "pods", TABLE, None).await.expect(200);
    assert_eq!(table["rows"], json!([]));
    api.table("pods/none").await.refused(404, "NotFound", "pods \"none\" not found");
}

pub async fn watched(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    let mut watch = api.watch_as("configmaps?fieldSelector=metadata.name%3Done", TABLE).await;
    let first = watch.expect("ADDED").await;
    assert_eq!(first["kind"], "Table");
    assert_eq!(names(&first), ["Name", "Data", "Age"]);
    api.delete("configmaps/one", &Value::Null).await.expect(200);
    let second = watch.expect("DELETED").await;
    assert_eq!(second["columnDefinitions"], Value::Null, "only the first has columns");
}
