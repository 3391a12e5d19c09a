//! Tokens of Berth's account that end before their time: each is bound to a Secret, and is accepted as
//! long as that is there.

use std::time::Duration;

use serde_json::json;

use super::access::token;
use super::real::Admin;
use crate::e2e::names::Names;

/// Those that were issued: name and token.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens(Vec<(String, String)>);

impl Tokens {
    /// A new one.
    pub(super) async fn issue(&mut self, admin: &Admin, names: &Names, name: &str) -> String {
        let body = json!({"metadata": {"name": name}});
        let secret = admin.must("POST", &secrets(names), &body).await;
        let bound = json!({"boundObjectRef": {
            "apiVersion": "v1", "kind": "Secret", "name": name, "uid": secret["metadata"]["uid"],
        }});
        let token = token(admin, names, bound).await;
        self.0.push((name.to_owned(), token.clone()));
        token
    }

    /// From now on no other one of them is accepted.
    pub(super) async fn only(&mut self, admin: &Admin, names: &Names, name: &str) {
        for (other, token) in self.0.extract_if(.., |(other, _)| other != name) {
            let path = format!("{}/{other}", secrets(names));
            admin.must("DELETE", &path, &json!({})).await;
            // The server remembers for some seconds whom it let in.
            let review = json!({"spec": {"token": token}});
            let path = "/apis/authentication.k8s.io/v1/tokenreviews";
            while admin.must("POST", path, &review).await["status"]["authenticated"] == true {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn secrets(names: &Names) -> String {
    format!("/api/v1/namespaces/{}/secrets", names.own())
}
