//! What is read of a cluster before anything else: which cluster it is, and what Berth left in it.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_core::ids::{Name, ResourceVersion, Uid};
use berth_core::reconciler::{Anchor, anchor_name, spill_name};
use http::Request;
use serde_json::Value;

use crate::client::{Client, ConnectError, Reply};
use crate::wire::{NotACall, Status, config_map_request, config_maps_request, words};

/// What a cluster says of itself at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The server's version, such as `v1.36.3`.
    pub version: String,
    /// The uid of the namespace kube-system, which names the cluster.
    pub cluster_uid: String,
    /// The anchor; `None` if there certainly is none.
    pub anchor: Option<Anchor>,
    /// Without an anchor: the names under which this cluster was worked on from this namespace.
    pub others: Vec<Name>,
    /// The spill; `None` if there certainly is none.
    pub spill: Option<Kept>,
}

/// One of Berth's own `ConfigMap`s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its data.
    pub data: BTreeMap<String, String>,
    /// Its uid.
    pub uid: Uid,
    /// Its version, for `What::Keep`.
    pub version: ResourceVersion,
}

/// Why the start cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// No answer, or no right.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// An answer that makes no sense.
    #[error("cannot read {what}: {cause}")]
    Unreadable {
        /// What was read.
        what: String,
        /// Why it is not understood.
        cause: String,
    },
}

impl StartError {
    /// A stable word for metrics and status.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Connect(error) => error.reason(),
            Self::Unreadable { .. } => "Unreadable",
        }
    }

    /// How long the server wants us to wait, if it says so.
    pub const fn wait(&self) -> Option<Duration> {
        match self {
            Self::Connect(error) => error.wait(),
            Self::Unreadable { .. } => None,
        }
    }

    /// The next thing to do.
    pub fn help(&self) -> String {
        match self {
            Self::Connect(error) => error.help(),
            Self::Unreadable { .. } => {
                "somebody changed it by hand: put it right, or give the cluster a new anchor by \
                 `berth reanchor`"
                    .into()
            }
        }
    }
}

/// Reads all of it, with plain GETs: no access reviews, so it needs no rights but those that Berth
/// needs anyway. Absence is believed only if the server names the very object as not found.
pub async fn start(client: &Client, namespace: &str, cluster: &Name) -> Result<Start, StartError> {
    let anchor = kept(client, namespace, &anchor_name(cluster)).await?;
    let cluster_uid = cluster_uid(client).await?;
    let others = match anchor {
        Some(_) => Vec::new(),
        None => others(client, namespace, &cluster_uid).await?,
    };
    Ok(Start {
        version: client.version().await?,
        cluster_uid,
        anchor: anchor.map(|kept| read_anchor(&kept)).transpose()?,
        others,
        spill: kept(client, namespace, &spill_name(cluster)).await?,
    })
}

/// The uid of the namespace kube-system.
pub async fn cluster_uid(client: &Client) -> Result<String, StartError> {
    const PATH: &str = "/api/v1/namespaces/kube-system";
    let reply = client.get(PATH).await.map_err(|lost| client.said(lost))?;
    let what = "the namespace kube-system";
    match reply.status {
        200 => read::<Value>(&reply.body, what)?
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| unreadable(what, "it has no uid")),
        _ => Err(refused(client, what, &reply)),
    }
}

/// One of Berth's own `ConfigMap`s.
pub async fn kept(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Kept>, StartError> {
    let what = format!("the ConfigMap {namespace}/{name}");
    let reply = asked(client, &what, config_map_request(namespace, name)).await?;
    let absent = || Status::read(&reply.body).is_some_and(|status| status.is_absence_of(name));
    match reply.status {
        200 => read::<ConfigMap>(&reply.body, &what)?.kept(&what).map(Some),
        404 if absent() => Ok(None),
        _ => Err(refused(client, &what, &reply)),
    }
}

/// The names in all anchors of the namespace that are of this cluster.
async fn others(
    client: &Client,
    namespace: &str,
    cluster_uid: &str,
) -> Result<Vec<Name>, StartError> {
    #[derive(serde::Deserialize)]
    struct List {
        items: Vec<ConfigMap>,
    }
    let what = format!("the ConfigMaps in {namespace}");
    let reply = asked(client, &what, config_maps_request(namespace)).await?;
    if reply.status != 200 {
        return Err(refused(client, &what, &reply));
    }
    let list: List = read(&reply.body, &what)?;
    let names = list.items.into_iter().filter_map(|map| {
        let kept = map.kept(&what).ok()?;
        let identity = read_anchor(&kept).ok()?.identity;
        (identity.cluster_uid == cluster_uid).then_some(identity.cluster)
    });
    Ok(names.collect())
}

#[derive(serde::Deserialize)]
struct ConfigMap {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    resource_version: String,
}

impl ConfigMap {
    fn kept(self, what: &str) -> Result<Kept, StartError> {
        let version = self.metadata.resource_version.parse();
        Ok(Kept {
            data: self.data,
            uid: Uid(self.metadata.uid.into()),
            version: version.map_err(|error| unreadable(what, &format!("{error}")))?,
        })
    }
}

fn read_anchor(kept: &Kept) -> Result<Anchor, StartError> {
    Anchor::read(&kept.data, kept.uid.clone(), kept.version)
        .map_err(|error| unreadable("the anchor", &error.to_string()))
}

/// The answer to a request about `what`.
pub(crate) async fn asked(
    client: &Client,
    what: &str,
    request: Result<Request<Vec<u8>>, NotACall>,
) -> Result<Reply, StartError> {
    let request = request.map_err(|error| unreadable(what, &error.to_string()))?;
    let reply = client.send(request).await;
    Ok(reply.map_err(|lost| client.said(lost))?)
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8], what: &str) -> Result<T, StartError> {
    serde_json::from_slice(body).map_err(|error| unreadable(what, &error.to_string()))
}

fn unreadable(what: &str, cause: &str) -> StartError {
    StartError::Unreadable {
        what: what.to_owned(),
        cause: cause.to_owned(),
    }
}

pub(crate) fn refused(client: &Client, what: &str, reply: &Reply) -> StartError {
    let server = client.server().to_owned();
    let said = words(&reply.answer()).message;
    StartError::Connect(match reply.status {
        401 => ConnectError::Unauthorized { server },
        403 => ConnectError::Forbidden { server, said },
        _ => client.not_ready(what, reply),
    })
}
