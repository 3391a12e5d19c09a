//! What carries no label of ours, which no watch shows: whoever wants a name asks here whether it is
//! free.

use berth_core::ids::ObjectKind;
use berth_core::observed::{self, Fact};
use serde_json::Value;

use crate::client::Client;
use crate::start::{StartError, asked, refused};
use crate::wire::strangers_request;

#[derive(serde::Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    /// A server writes an empty list as null.
    items: Option<Vec<Item>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct PageMetadata {
    #[serde(rename = "continue")]
    next: String,
}

#[derive(serde::Deserialize)]
struct Item {
    metadata: Value,
}

/// All objects of this kind in this namespace that do not carry the label of this instance. Only their
/// metadata is asked for: a pod's fact says nothing of its life.
pub async fn strangers(
    client: &Client,
    kind: ObjectKind,
    namespace: &str,
    instance: &str,
) -> Result<Vec<Fact>, StartError> {
    let what = format!("the {} of the namespace {namespace}", kind.plural());
    let mut found = Vec::new();
    let mut next = String::new();
    loop {
        let following = (!next.is_empty()).then_some(&*next);
        let request = strangers_request(kind, namespace, instance, following);
        let reply = asked(client, &what, request).await?;
        if reply.status != 200 {
            return Err(refused(client, &what, &reply));
        }
        let no_list = || client.not_ready(&what, &reply);
        let page: Page = serde_json::from_slice(&reply.body).map_err(|_| no_list())?;
        for Item { metadata } in page.items.unwrap_or_default() {
            let object = serde_json::json!({
                "apiVersion": kind.api_version(), "kind": kind.kind(), "metadata": metadata,
            });
            found.push(observed::fact(&object, instance).map_err(|_| no_list())?);
        }
        next = page.metadata.next;
        if next.is_empty() {
            return Ok(found);
        }
    }
}
