//! The requests of watches.

use std::time::Duration;

use berth_core::ids::{ObjectKind, ResourceVersion};
use berth_core::observed::marks::INSTANCE;
use berth_core::reconciler::WatchKey;
use http::Request;
use http::header::{ACCEPT, HeaderValue};

use super::NotACall;
use super::request::read;
use super::url::{Url, encode};

/// The server ends a watch after this time; it is told so by `timeoutSeconds`. A connection that
/// outlives it by far is dead.
pub const WATCH_LASTS: Duration = Duration::from_secs(290);

/// Objects in one page of a list.
const PAGE: u32 = 500;

/// A list of nothing but the metadata of objects.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchFrom {
    /// With everything that is there, then a bookmark that says so, then what changes
    /// (KEP-3157, streaming lists).
    Streaming,
    /// With what changed after this version.
    Version(ResourceVersion),
}

/// The request of a watch.
pub fn watch_request(
    key: &WatchKey,
    instance: &str,
    from: WatchFrom,
) -> Result<Request<Vec<u8>>, NotACall> {
    let url = selected(key, instance)
        .with("watch", "true")
        .with("allowWatchBookmarks", "true")
        .with("timeoutSeconds", &WATCH_LASTS.as_secs().to_string());
    read(match from {
        WatchFrom::Streaming => url
            .with("sendInitialEvents", "true")
            .with("resourceVersionMatch", "NotOlderThan"),
        WatchFrom::Version(version) => url.with("resourceVersion", &version.to_string()),
    })
}

/// The request of one page of a list, for servers without streaming lists. The list is of the
/// present, read from the store itself: what it does not hold is gone.
pub fn list_request(
    key: &WatchKey,
    instance: &str,
    following: Option<&str>,
) -> Result<Request<Vec<u8>>, NotACall> {
    let url = selected(key, instance).with("limit", &PAGE.to_string());
    read(match following {
        Some(token) => url.with("continue", token),
        None => url,
    })
}

/// The request of one page of the metadata of all objects of a kind in a namespace that do not carry
/// our label.
pub fn strangers_request(
    kind: ObjectKind,
    namespace: &str,
    instance: &str,
    following: Option<&str>,
) -> Result<Request<Vec<u8>>, NotACall> {
    let url = Url::collection(kind, namespace)
        .with("labelSelector", &format!("{INSTANCE}!={instance}"))
        .with("limit", &PAGE.to_string());
    let url = match following {
        Some(token) => url.with("continue", token),
        None => url,
    };
    let mut request = read(url)?;
    let media = HeaderValue::from_static(METADATA);
    request.headers_mut().insert(ACCEPT, media);
    Ok(request)
}

fn selected(key: &WatchKey, instance: &str) -> Url {
    match key {
        WatchKey::Ours(kind, namespace) => Url::at(format!(
            "/api/v1/namespaces/{}/{}",
            encode(namespace),
            kind.plural()
        ))
        .with("labelSelector", &format!("{INSTANCE}={instance}")),
        WatchKey::Nodes => Url::at("/api/v1/nodes"),
        WatchKey::Occupants => Url::at("/api/v1/pods")
            .with("labelSelector", &format!("{INSTANCE}!={instance}"))
            .with(
                "fieldSelector",
                "status.phase!=Succeeded,status.phase!=Failed",
            ),
    }
}
