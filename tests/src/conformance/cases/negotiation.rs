//! Which forms of answers and bodies a server takes.

use serde_json::{Value, json};

use super::config;
use crate::conformance::Api;
use crate::conformance::api::TABLE;

const JSON: &str = "application/json";

pub async fn accepts(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    for wanted in [
        "*/*",
        "text/plain, application/json;q=0.5",
        "application/json;as=Unknown;g=meta.k8s.io;v=v1,application/json",
    ] {
        let one = api.silent("GET", "configmaps/one", wanted, None).await.expect(200);
        assert_eq!(one["kind"], "ConfigMap", "{wanted}");
    }
    // The first one that the server knows counts.
    let wanted = format!("text/html,{TABLE},{JSON}");
    let table = api.silent("GET", "configmaps/one", &wanted, None).await.expect(200);
    assert_eq!(table["kind"], "Table");
}

pub async fn unacceptable(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    for (wanted, words) in [
        ("text/html", "Available representations: application/json"),
        ("application/*", "Available representations: application/json"),
        ("application/json;as=Unknown;g=meta.k8s.io;v=v1", "only the following media types are accepted: application/json"),
    ] {
        for path in ["configmaps/one", "configmaps"] {
            let answer = api.silent("GET", path, wanted, None).await;
            answer.refused_with(406, "NotAcceptable", words);
        }
    }
    api.get("configmaps/one").await.expect(200);
}

/// A body of another type than the method takes.
pub async fn unsupported(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    for (method, path) in [("POST", "configmaps"), ("PUT", "configmaps/one")] {
        let answer = api.send(method, path, "application/xml", Some(&config("one"))).await;
        assert_eq!(answer.status, 415, "{}", answer.body);
    }
    for media in ["application/yaml", "application/strategic+json", ""] {
        let answer = api.send("PATCH", "configmaps/one", media, Some(&json!({}))).await;
        assert_eq!(answer.status, 415, "{media}: {}", answer.body);
    }
    // Without a type a body is JSON.
    api.send("POST", "configmaps", "", Some(&config("two"))).await.expect(201);
    let charset = "application/json; charset=utf-8";
    api.send("POST", "configmaps", charset, Some(&config("three"))).await.expect(201);
}

/// Metadata alone, as controllers that only count watch it.
pub async fn metadata_watch(api: Api) {
    let partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let mut watch = api.watch_as("configmaps?fieldSelector=metadata.name%3Done", partial).await;
    api.post("configmaps", &config("one")).await.expect(201);
    let added = watch.expect("ADDED").await;
    assert_eq!((&added["kind"], &added["apiVersion"]), (&"PartialObjectMetadata".into(), &"meta.k8s.io/v1".into()));
    assert_eq!(added.get("data"), None);
    api.delete("configmaps/one", &Value::Null).await.expect(200);
    assert_eq!(watch.expect("DELETED").await["metadata"]["name"], "one");
}
