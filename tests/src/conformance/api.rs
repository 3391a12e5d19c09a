//! Requests to the server under test, from one case and mostly in its own namespace.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header;
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};

use super::{Answer, Server, Transcript, Watch};

/// How long a case waits for what controllers, schedulers or kubelets do.
const PATIENCE: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(50);
/// The client's name, and so the field manager of who names none.
const AGENT: &str = "conformance/1";

const JSON: &str = "application/json";
/// The media types of patches.
pub const JSON_PATCH: &str = "application/json-patch+json";
/// See [`JSON_PATCH`].
pub const MERGE: &str = "application/merge-patch+json";
/// See [`JSON_PATCH`].
pub const STRATEGIC: &str = "application/strategic-merge-patch+json";
/// See [`JSON_PATCH`].
pub const APPLY: &str = "application/apply-patch+yaml";
/// Asks for a table.
pub const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// One case's way to the server.
#[derive(Clone, Debug)]
pub struct Api {
    server: Arc<Server>,
    namespace: String,
    transcript: Arc<Mutex<Transcript>>,
}

impl Api {
    /// Makes the namespace of a case.
    pub async fn begin(server: Arc<Server>, namespace: &str) -> Self {
        let api = Self {
            server,
            namespace: namespace.to_owned(),
            transcript: Arc::new(Mutex::new(Transcript::new(namespace))),
        };
        let object = json!({"metadata": {"name": namespace}});
        api.silent("POST", "/api/v1/namespaces", JSON, Some(&object))
            .await
            .expect(201);
        api
    }

    /// The case's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What was asked and answered so far.
    pub fn transcript(&self) -> Vec<Value> {
        self.noted().lines().to_vec()
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Transcript> {
        self.transcript
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A path in the case's namespace: of `configmaps`, `configmaps/name?dryRun=All`,
    /// `coordination.k8s.io/v1/leases`; what begins with a slash is a path already.
    pub fn path(&self, resource: &str) -> String {
        if resource.starts_with('/') {
            return resource.to_owned();
        }
        let first = resource.split('/').next().unwrap_or_default();
        let grouped = first.contains('.') || first == "policy";
        let mut parts = resource.splitn(3, '/');
        let (root, rest) = match (grouped, parts.next(), parts.next(), parts.next()) {
            (true, Some(group), Some(version), Some(rest)) => {
                (format!("/apis/{group}/{version}"), rest)
            }
            _ => ("/api/v1".to_owned(), resource),
        };
        format!("{root}/namespaces/{}/{rest}", self.namespace)
    }

    /// Reads an object or a list.
    pub async fn get(&self, resource: &str) -> Answer {
        self.send("GET", resource, JSON, None).await
    }

    /// Reads as a table.
    pub async fn table(&self, resource: &str) -> Answer {
        self.send("GET", resource, TABLE, None).await
    }

    /// Creates.
    pub async fn post(&self, resource: &str, object: &Value) -> Answer {
        self.send("POST", resource, JSON, Some(object)).await
    }

    /// Replaces.
    pub async fn put(&self, resource: &str, object: &Value) -> Answer {
        self.send("PUT", resource, JSON, Some(object)).await
    }

    /// Changes by a patch of the media type.
    pub async fn patch(&self, resource: &str, media: &str, patch: &Value) -> Answer {
        self.send("PATCH", resource, media, Some(patch)).await
    }

    /// Applies server-side; the manager and more stand in the query of `resource`.
    pub async fn apply(&self, resource: &str, object: &Value) -> Answer {
        self.patch(resource, APPLY, object).await
    }

    /// Deletes, with `DeleteOptions` unless they are null.
    pub async fn delete(&self, resource: &str, options: &Value) -> Answer {
        let options = Some(options).filter(|options| !options.is_null());
        self.send("DELETE", resource, JSON, options).await
    }

    /// Sends a request and notes it with its answer. `media` is the body's type, or, where there
    /// is no body, the wanted type.
    pub async fn send(
        &self,
        method: &str,
        resource: &str,
        media: &str,
        body: Option<&Value>,
    ) -> Answer {
        let answer = self.silent(method, resource, media, body).await;
        self.noted().note(method, resource, media, &answer);
        answer
    }

    /// As [`Api::send`], without a note: for what differs between servers by nature.
    pub async fn silent(
        &self,
        method: &str,
        resource: &str,
        media: &str,
        body: Option<&Value>,
    ) -> Answer {
        let bytes = body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default();
        self.raw(method, resource, media, bytes).await
    }

    /// Sends a request with a token that nobody issued, and notes it with its answer.
    pub async fn as_stranger(&self, method: &str, resource: &str, body: Option<&Value>) -> Answer {
        let bytes = body.map(|body| body.to_string().into_bytes());
        let (client, bytes) = (&self.server.stranger, bytes.unwrap_or_default());
        let answer = self.through(client, method, resource, JSON, bytes).await;
        self.noted().note(method, resource, JSON, &answer);
        answer
    }

    /// Sends bytes as they are, without a note.
    pub async fn raw(&self, method: &str, resource: &str, media: &str, body: Vec<u8>) -> Answer {
        let client = &self.server.client;
        self.through(client, method, resource, media, body).await
    }

    async fn through(
        &self,
        client: &kube::Client,
        method: &str,
        resource: &str,
        media: &str,
        body: Vec<u8>,
    ) -> Answer {
        let accept = if body.is_empty() { media } else { JSON };
        let request = http::Request::builder()
            .method(method)
            .uri(self.path(resource))
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, media)
            .header(header::USER_AGENT, AGENT)
            .body(Body::from(body))
            .unwrap_or_else(|error| panic!("{resource}: {error}"));
        let response = client.send(request).await;
        let response = response.unwrap_or_else(|error| panic!("{method} {resource}: {error}"));
        read(response).await
    }

    /// Opens a watch: `resource` carries the query, without `watch=true`.
    pub async fn watch(&self, resource: &str) -> Watch {
        self.watch_as(resource, JSON).await
    }

    /// Opens a watch of another form.
    pub async fn watch_as(&self, resource: &str, accept: &str) -> Watch {
        let joint = if resource.contains('?') { '&' } else { '?' };
        let request = http::Request::get(format!("{}{joint}watch=true", self.path(resource)))
            .header(header::ACCEPT, accept)
            .body(Body::empty())
            .unwrap_or_else(|error| panic!("{resource}: {error}"));
        let response = self.server.client.send(request).await;
        let response = response.unwrap_or_else(|error| panic!("watch {resource}: {error}"));
        Watch::new(response, Arc::clone(&self.transcript))
    }

    /// Waits until an object or a list is as wanted, and gives it. The last look is not noted, as
    /// it depends on who was faster.
    pub async fn until(&self, resource: &str, wanted: impl Fn(&Answer) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.silent("GET", resource, JSON, None).await;
            if wanted(&answer) {
                return answer.body;
            }
            assert!(Instant::now() < end, "{resource} stays {}", answer.body);
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until this would be forbidden; nothing is made meanwhile.
    pub async fn until_forbidden(&self, resource: &str, object: &Value) {
        let (end, dry) = (Instant::now() + PATIENCE, format!("{resource}?dryRun=All"));
        while self.silent("POST", &dry, JSON, Some(object)).await.status != 403 {
            assert!(Instant::now() < end, "{resource} may still be made");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until an object is gone.
    pub async fn until_gone(&self, resource: &str) {
        self.until(resource, |answer| answer.status == 404).await;
    }

    /// Makes the server forget its history.
    pub async fn compact(&self) {
        let newest = self.silent("GET", "events", JSON, None).await;
        let newest = newest.body["metadata"]["resourceVersion"].clone();
        self.server.compact(&newest).await;
    }
}

async fn read(response: http::Response<Body>) -> Answer {
    let status = response.status().as_u16();
    let warnings = response.headers().get_all(header::WARNING);
    let warnings = warnings
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let warnings = warnings.collect();
    let body = response.into_body().collect().await;
    let bytes = body
        .unwrap_or_else(|error| panic!("a broken answer: {error}"))
        .to_bytes();
    let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
    Answer {
        status,
        body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
        warnings,
    }
}
