//! The lines of a watch, and the items of a list.

use berth_core::ids::{ObjectKey, ResourceVersion};
use berth_core::observed::{self, Unreadable};
use berth_core::reconciler::{WatchEvent, WatchKey};
use serde_json::Value;

use super::lean::{self, Lean};
use super::status::Status;

/// What a line of a watch says.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// Something changed; the version is what the watch has reached.
    Change(Box<WatchEvent>, ResourceVersion),
    /// The watch has reached this version.
    Bookmark(ResourceVersion),
    /// Everything that was there has been told (`k8s.io/initial-events-end`).
    InitialEnd(ResourceVersion),
    /// The version from which we want to watch is gone: list again.
    Expired,
    /// The server gives up on this watch, for a reason of its own.
    Failed(String),
}

#[derive(serde::Deserialize)]
struct Raw {
    r#type: String,
    object: Lean,
}

/// Reads a line. An error means that it cannot be known what is there.
pub(super) fn line(bytes: &[u8], key: &WatchKey, instance: &str) -> Result<Line, String> {
    let raw: Raw = lean::read(bytes)?;
    let Lean(object) = raw.object;
    match raw.r#type.as_str() {
        "ADDED" | "MODIFIED" => {
            let version = version(&object)?;
            Ok(Line::Change(
                Box::new(seen(&object, key, instance)?),
                version,
            ))
        }
        "DELETED" => {
            let version = version(&object)?;
            Ok(Line::Change(
                Box::new(gone(&object, key, version)?),
                version,
            ))
        }
        "BOOKMARK" => {
            let version = version(&object)?;
            let end = object
                .pointer("/metadata/annotations/k8s.io~1initial-events-end")
                .and_then(Value::as_str);
            Ok(match end {
                Some("true") => Line::InitialEnd(version),
                _ => Line::Bookmark(version),
            })
        }
        "ERROR" => Ok(failure(&object)),
        other => Err(format!("the server sent a watch event `{other}`")),
    }
}

/// One page of a list.
pub(super) struct Page {
    /// Its items.
    pub(super) events: Vec<WatchEvent>,
    /// The version of the whole list.
    pub(super) version: ResourceVersion,
    /// The token of the next page.
    pub(super) next: Option<String>,
}

/// Reads a page. Items of a list do not name their kind: it follows from what was asked for.
pub(super) fn page(bytes: &[u8], key: &WatchKey, instance: &str) -> Result<Page, String> {
    let mut list: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let version = version(&list)?;
    let next = list
        .pointer("/metadata/continue")
        .and_then(Value::as_str)
        .filter(|token| !token.is_empty())
        .map(str::to_owned);
    let items = match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        Some(Value::Null) => Vec::new(),
        _ => return Err("the server's list has no items".into()),
    };
    let events = items.into_iter().map(|mut item| {
        if let (WatchKey::Ours(kind, _), Value::Object(item)) = (key, &mut item) {
            item.insert("apiVersion".into(), kind.api_version().into());
            item.insert("kind".into(), kind.kind().into());
        }
        seen(&item, key, instance)
    });
    Ok(Page {
        events: events.collect::<Result<_, _>>()?,
        version,
        next,
    })
}

fn seen(object: &Value, key: &WatchKey, instance: &str) -> Result<WatchEvent, String> {
    Ok(match key {
        WatchKey::Ours(..) => {
            let fact = observed::fact(object, instance).map_err(said)?;
            WatchEvent::Object(Box::new(fact))
        }
        WatchKey::Nodes => {
            let node = observed::node(object).map_err(said)?;
            WatchEvent::Node(node, version(object)?)
        }
        WatchKey::Occupants => match (place(object)?, observed::occupant(object)) {
            (place, Some(occupant)) => WatchEvent::Occupant(place, occupant),
            (place, None) => WatchEvent::OccupantGone(place),
        },
    })
}

fn gone(object: &Value, key: &WatchKey, version: ResourceVersion) -> Result<WatchEvent, String> {
    Ok(match key {
        WatchKey::Ours(kind, _) => {
            let (namespace, name) = place(object)?;
            WatchEvent::ObjectGone(ObjectKey::new(*kind, &namespace, &name), version)
        }
        WatchKey::Nodes => WatchEvent::NodeGone(text(object, "/metadata/name")?.into(), version),
        WatchKey::Occupants => WatchEvent::OccupantGone(place(object)?),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn said(why: Unreadable) -> String {
    why.to_string()
}

fn failure(object: &Value) -> Line {
    let status = Status::read(object.to_string().as_bytes());
    match status {
        Some(status) if status.code == 410 || status.reason == "Expired" => Line::Expired,
        Some(status) => Line::Failed(super::redact(&status.message)),
        None => Line::Failed("the server ended the watch without a reason".into()),
    }
}

fn place(object: &Value) -> Result<(Box<str>, Box<str>), String> {
    Ok((
        text(object, "/metadata/namespace")?.into(),
        text(object, "/metadata/name")?.into(),
    ))
}

fn version(object: &Value) -> Result<ResourceVersion, String> {
    text(object, "/metadata/resourceVersion")?
        .parse()
        .map_err(|error| format!("{error}"))
}

fn text<'a>(object: &'a Value, at: &str) -> Result<&'a str, String> {
    object
        .pointer(at)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("the server sent an object without {at}"))
}
