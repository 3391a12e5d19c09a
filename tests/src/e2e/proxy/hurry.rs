//! Who was told when to come back, and came back earlier.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::request::Parts;
use serde_json::Value;
use tokio::time::Instant;

/// What tells one request from another one to the same path.
const TELLING: [&str; 3] = ["dryRun", "labelSelector", "fieldSelector"];

/// The requests that were told to wait, and those that did not.
#[derive(Debug, Default)]
pub(super) struct Hurry {
    until: BTreeMap<String, Instant>,
    /// One line each.
    pub(super) found: Vec<String>,
}

impl Hurry {
    /// A request comes, as [`named`] names it.
    pub(super) fn came(&mut self, now: Instant, request: &str) {
        let Some(until) = self.until.remove(request) else {
            return;
        };
        let early = until.saturating_duration_since(now);
        if !early.is_zero() {
            self.found.push(format!("{request}, {early:?} too early"));
        }
    }

    /// It is told to come back after this.
    pub(super) fn told(&mut self, now: Instant, request: String, wait: Duration) {
        self.until.insert(request, now + wait);
    }
}

/// Its method and path, what it selects, whether it is dry, and the object that it makes: alike in
/// each try of the same request, also of a watch that goes on from another version.
pub(super) fn named(parts: &Parts, body: &Bytes) -> String {
    let query = parts.uri.query().unwrap_or_default().split('&');
    let telling = query.filter(|pair| TELLING.iter().any(|name| pair.starts_with(name)));
    let telling: String = telling.map(|pair| format!(" {pair}")).collect();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let name = body["metadata"]["name"].as_str().unwrap_or_default();
    format!("{} {}{telling} {name}", parts.method, parts.uri.path())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::json;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn request(method: &str, uri: &str, name: &str) -> String {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        let body = json!({"metadata": {"name": name}}).to_string();
        named(&request.into_parts().0, &Bytes::from(body))
    }

    #[test]
    fn whoever_comes_back_too_early_is_found() {
        let (mut hurry, start) = (Hurry::default(), Instant::now());
        let pod = || request("POST", "/pods", "a-1");
        hurry.came(start, &pod());
        hurry.told(start, pod(), SECOND);
        hurry.came(start + SECOND, &pod());
        assert_eq!(hurry.found, [""; 0]);
        hurry.told(start + SECOND, pod(), SECOND);
        hurry.came(start + SECOND * 3 / 2, &pod());
        assert_eq!(hurry.found, ["POST /pods a-1, 500ms too early"]);
    }

    #[test]
    fn another_request_is_not_the_one_that_was_told() {
        let told = request("POST", "/pods?fieldValidation=Strict", "a-1");
        let others = [
            request("POST", "/pods", "a-2"),
            request("GET", "/pods", "a-1"),
            request("POST", "/services", "a-1"),
            request("POST", "/pods?dryRun=All", "a-1"),
            request("POST", "/pods?labelSelector=a", "a-1"),
        ];
        assert!(!others.contains(&told), "{others:?}");
        let watch = |version: u8| {
            let uri = format!("/pods?watch=true&resourceVersion={version}&labelSelector=a");
            request("GET", &uri, "")
        };
        assert_eq!(watch(1), watch(2));
    }
}
