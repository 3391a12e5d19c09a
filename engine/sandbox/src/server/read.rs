//! Getting and listing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::options::number;
use super::render::Rendering;
use super::{Call, Server};
use crate::base64;
use crate::failure::Failure;
use crate::request::Response;
use crate::selector::Selector;
use crate::store::{Key, Snapshot};

const TOO_OLD: &str = "The resourceVersion for the provided list is too old.";
const INCONSISTENT: &str = "The provided continue parameter is too old to display a consistent list result. You can \
    start a new list without the continue parameter, or use the continue token in this response to retrieve the \
    remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were \
    created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// Where a list that was cut short goes on.
#[derive(Clone)]
struct Continue {
    /// What the list shows; the newest, where that is forgotten.
    revision: Option<u64>,
    namespace: String,
    name: String,
}

impl Server {
    pub(super) fn get(&mut self, call: &Call) -> Result<Response, Failure> {
        let object = self.existing(call)?;
        let shown = Rendering::of(call.request).object(&call.kind, &object, self.now_ms, false);
        Ok(Response::text(200, shown))
    }

    /// The object that the call names.
    pub(super) fn existing(&self, call: &Call) -> Result<Arc<Value>, Failure> {
        let key = call.key();
        let object = self.store.get(&key).cloned();
        object.ok_or_else(|| Failure::not_found(&call.kind, &key.name))
    }

    pub(super) fn list(&mut self, call: &Call) -> Result<Response, Failure> {
        let selector = selector(call)?;
        let from = call
            .request
            .param("continue")
            .filter(|token| !token.is_empty());
        let from = from.map(Continue::read).transpose()?;
        let revision = self.list_revision(call, from.as_ref())?;
        let objects = self.at_revision(call, revision, from.as_ref())?;
        let start = from.map(|from| Key::new(&call.kind.storage, &from.namespace, &from.name));
        let after = |key: &Key| start.as_ref().is_none_or(|start| key > start);
        let mut matching = objects
            .iter()
            .filter(|(key, object)| after(key) && selector.matches(object));
        let limit = number(call, "limit")?.and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let page: Vec<_> = matching.by_ref().take(limit).collect();
        let left = matching.count();
        let mut meta = json!({"resourceVersion": revision.to_string()});
        if let (Some((last, _)), true) = (page.last(), left > 0) {
            meta["continue"] = Continue::after(Some(revision), last).write().into();
            if selector.is_empty() {
                meta["remainingItemCount"] = left.into();
            }
        }
        let objects = page.into_iter().map(|(_, object)| &**object);
        let list = Rendering::of(call.request).list(&call.kind, objects, meta, self.now_ms);
        Ok(Response::text(200, list))
    }

    /// The revision at which a list is read: the newest, unless the client wants another.
    fn list_revision(&self, call: &Call, from: Option<&Continue>) -> Result<u64, Failure> {
        if let Some(from) = from {
            return Ok(from.revision.unwrap_or_else(|| self.store.revision()));
        }
        let wanted = call.request.param("resourceVersion").unwrap_or_default();
        let exact = call.request.param("resourceVersionMatch") == Some("Exact");
        let newest = self.store.revision();
        let prefixed = |words| Failure::bad_request(format!("invalid resource version: {words}"));
        match revision(wanted).map_err(prefixed)? {
            wanted if wanted > newest => Err(too_large(wanted, newest)),
            wanted if exact => Ok(wanted),
            _ => Ok(newest),
        }
    }

    fn at_revision(
        &self,
        call: &Call,
        revision: u64,
        from: Option<&Continue>,
    ) -> Result<Snapshot, Failure> {
        let namespace = call.namespace.as_deref();
        let snapshot = self.store.snapshot(&call.kind.storage, namespace, revision);
        snapshot.map_err(|_| match from {
            None => Failure::expired(TOO_OLD),
            Some(from) => from.expired(),
        })
    }
}

/// The selectors of a call; a name in the path selects too.
pub(super) fn selector(call: &Call) -> Result<Selector, Failure> {
    let param = |name| call.request.param(name).unwrap_or_default();
    let mut fields = param("fieldSelector").to_owned();
    if let Some(name) = &call.name {
        fields = format!("metadata.name={name}");
    }
    Selector::parse(&call.kind, param("labelSelector"), &fields)
}

/// A resource version; none is zero.
pub(super) fn revision(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let words = |_| {
        format!(
            "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
        )
    };
    text.parse().map_err(words)
}

fn too_large(wanted: u64, newest: u64) -> Failure {
    let message = format!("Timeout: Too large resource version: {wanted}, current: {newest}");
    let mut failure = Failure::new(504, "Timeout", message);
    failure.details = json!({
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    });
    failure.retry_after = Some(1);
    failure
}

impl Continue {
    fn after(revision: Option<u64>, last: &Key) -> Self {
        Self {
            revision,
            namespace: last.namespace.clone(),
            name: last.name.clone(),
        }
    }

    fn write(&self) -> String {
        let token =
            json!({"v": "berth", "rv": self.revision, "ns": self.namespace, "name": self.name});
        base64::encode(token.to_string().as_bytes())
    }

    /// What the list showed is forgotten; the same place in the newest state is there to go on.
    fn expired(&self) -> Failure {
        let newest = Self {
            revision: None,
            ..self.clone()
        };
        let mut failure = Failure::expired(INCONSISTENT);
        failure.continues = Some(newest.write());
        failure
    }

    fn read(token: &str) -> Result<Self, Failure> {
        let bytes = base64::decode(token);
        let value = bytes.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let read = |value: Value| {
            Some(Self {
                revision: value["rv"].as_u64(),
                namespace: value["ns"].as_str()?.to_owned(),
                name: value["name"].as_str()?.to_owned(),
            })
        };
        value.and_then(read).ok_or_else(|| {
            Failure::bad_request("invalid continue token: continue key is not valid")
        })
    }
}
