use serde_json::{Value, json};

use super::config;
use crate::conformance::Api;

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["metadata"]["name"].as_str()).collect()
}

async fn five(api: &Api) {
    for name in ["a", "b", "c", "d", "e"] {
        let mut object = config(name);
        object["metadata"]["labels"] = json!({"case": "pages"});
        api.silent("POST", "configmaps", "application/json", Some(&object)).await.expect(201);
    }
}

pub async fn pages(api: Api) {
    five(&api).await;
    let path = "configmaps?labelSelector=case%3Dpages&limit=2";
    let first = api.silent("GET", path, "application/json", None).await.expect(200);
    assert_eq!(names(&first), ["a", "b"]);
    let token = first["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
    assert!(!token.is_empty());
    // What comes later is not in a list that has begun.
    let mut late = config("bb");
    late["metadata"]["labels"] = json!({"case": "pages"});
    api.silent("POST", "configmaps", "application/json", Some(&late)).await.expect(201);
    let second = api.silent("GET", &format!("{path}&continue={token}"), "application/json", None).await.expect(200);
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let token = second["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
    let third = api.silent("GET", &format!("{path}&continue={token}"), "application/json", None).await.expect(200);
    assert_eq!(names(&third), ["e"]);
    assert!(third["metadata"].get("continue").is_none(), "{}", third["metadata"]);
    let broken = api.silent("GET", &format!("{path}&continue=!!"), "application/json", None).await;
    assert_eq!(broken.status, 400, "{}", broken.body);
}

pub async fn metadata(api: Api) {
    five(&api).await;
    let partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let list = api.silent("GET", "configmaps?labelSelector=case", partial, None).await.expect(200);
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0]["metadata"]["name"], "a");
    assert_eq!(list["items"][0].get("data"), None);
    let partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let one = api.silent("GET", "configmaps/a", partial, None).await.expect(200);
    assert_eq!((&one["kind"], &one["apiVersion"]), (&"PartialObjectMetadata".into(), &"meta.k8s.io/v1".into()));
    let list = api.get("configmaps?labelSelector=case").await.expect(200);
    assert_eq!((&list["kind"], &list["apiVersion"]), (&"ConfigMapList".into(), &"v1".into()));
    assert_eq!(list["items"][0].get("kind"), None, "items of a list do not repeat their kind");
}

pub async fn missing(api: Api) {
    api.get("configmaps/none").await.refused(404, "NotFound", "configmaps \"none\" not found");
    api.get("coordination.k8s.io/v1/leases/none").await.refused(404, "NotFound", "leases.coordination.k8s.io \"none\" not found");
    let list = api.get("/api/v1/namespaces/absent/pods").await.expect(200);
    assert_eq!(list["items"], json!([]), "a list in a namespace that is not there is empty");
}

pub async fn versions_of_lists(api: Api) {
    five(&api).await;
    let list = api.silent("GET", "configmaps?labelSelector=case", "application/json", None).await.expect(200);
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    api.delete("configmaps/a", &Value::Null).await.expect(200);
    let exact = format!("configmaps?labelSelector=case&resourceVersion={version}&resourceVersionMatch=Exact");
    let before = api.silent("GET", &exact, "application/json", None).await.expect(200);
    assert_eq!(names(&before), ["a", "b", "c", "d", "e"]);
    // Not older than before the deletion may be of before or after it; not older than after is after.
    let newer = |version: &str| format!("configmaps?labelSelector=case&resourceVersion={version}&resourceVersionMatch=NotOlderThan");
    let either = api.silent("GET", &newer(&version), "application/json", None).await.expect(200);
    assert!(matches!(*names(&either), ["a", "b", "c", "d", "e"] | ["b", "c", "d", "e"]), "{either}");
    let newest = api.silent("GET", "configmaps?labelSelector=case", "application/json", None).await.expect(200);
    let newest = newest["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let after = api.silent("GET", &newer(newest), "application/json", None).await.expect(200);
    assert_eq!(names(&after), ["b", "c", "d", "e"]);
    api.get("configmaps?resourceVersion=abc").await;
    api.get("configmaps?resourceVersionMatch=Exact").await;
    api.get("configmaps?resourceVersion=0&resourceVersionMatch=Exact").await;
    api.get("configmaps?resourceVersion=1&resourceVersionMatch=Maybe").await;
}

/// A list of all namespaces in pages.
pub async fn everywhere(api: Api) {
    let other = format!("{}-too", api.namespace());
    let namespace = json!({"metadata": {"name": other}});
    api.silent("POST", "/api/v1/namespaces", "application/json", Some(&namespace)).await.expect(201);
    let mut object = config("one");
    object["metadata"]["labels"] = json!({"case": "everywhere"});
    for namespace in [api.namespace(), &other] {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        api.silent("POST", &path, "application/json", Some(&object)).await.expect(201);
    }
    let path = "/api/v1/configmaps?labelSelector=case%3Deverywhere&limit=1";
    let first = api.silent("GET", path, "application/json", None).await.expect(200);
    // In the order of paths: a dash comes before the slash that ends a namespace's name.
    assert_eq!(first["items"][0]["metadata"]["namespace"], other.as_str());
    assert_eq!(first["metadata"].get("remainingItemCount"), None, "nobody counts what a selector leaves");
    let token = first["metadata"]["continue"].as_str().unwrap_or_default();
    let second = api.silent("GET", &format!("{path}&continue={token}"), "application/json", None).await.expect(200);
    assert_eq!((names(&second), &second["items"][0]["metadata"]["namespace"]), (vec!["one"], &api.namespace().into()));
    api.silent("GET", &format!("{path}&continue={token}&resourceVersionMatch=Exact&resourceVersion=1"), "application/json", None)
        .await.refused_with(422, "Invalid", "resourceVersionMatch is forbidden when continue is provided");
}
