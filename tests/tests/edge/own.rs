//! What Berth keeps in its own namespace: the anchor and the Lease.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_cluster::lease::{Candidate, Standing};
use berth_cluster::start::{kept, start};
use berth_cluster::wire::Elector;
use berth_core::ids::Name;
use berth_core::reconciler::{Outcome, What, anchor_name};
use serde_json::Value;
use tokio::time::timeout;

use super::edge::{Edge, now};

pub async fn the_anchor_is_compare_and_swap(edge: &Edge) {
    let cluster = Name::new("main").unwrap();
    let name = anchor_name(&cluster);
    let seen = start(&edge.client, &edge.caller.namespace, &cluster)
        .await
        .unwrap();
    assert!(!seen.cluster_uid.is_empty());
    assert_eq!((seen.anchor, seen.spill), (None, None));
    let keep = |data: Option<&str>, version| What::Keep {
        name: name.clone(),
        data: data.map(|text| BTreeMap::from([("k".to_owned(), text.to_owned())])),
        version,
    };
    let Outcome::Kept(first) = edge.carry(keep(Some("1"), None)).await else {
        panic!("not kept");
    };
    assert_eq!(edge.carry(keep(Some("2"), None)).await, Outcome::Conflict);
    let Outcome::Kept(second) = edge.carry(keep(Some("2"), Some(first))).await else {
        panic!("not kept");
    };
    assert_eq!(
        edge.carry(keep(Some("3"), Some(first))).await,
        Outcome::Conflict
    );
    let live = kept(&edge.client, &edge.caller.namespace, &name)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((live.data["k"].as_str(), live.version), ("2", second));
    assert_eq!(edge.carry(keep(None, Some(first))).await, Outcome::Conflict);
    assert_eq!(
        edge.carry(keep(None, Some(second))).await,
        Outcome::Done(None)
    );
    assert_eq!(
        edge.carry(keep(None, Some(second))).await,
        Outcome::Done(None)
    );
}

pub async fn one_leads(edge: &Edge) {
    let (says, mut standing) = tokio::sync::watch::channel(Standing::unknown());
    let (_part, takes_part) = tokio::sync::watch::channel(true);
    let stop = tokio_util::sync::CancellationToken::new();
    let candidate = Candidate {
        client: edge.client.clone(),
        elector: Elector::new("main", &edge.caller.namespace, "me"),
        clock: now,
        dead: |_: &str| false,
        says,
        takes_part,
        stop: stop.clone(),
    };
    let task = tokio::spawn(candidate.run());
    timeout(Duration::from_secs(10), standing.wait_for(Standing::leads))
        .await
        .unwrap()
        .unwrap();
    stop.cancel();
    task.await.unwrap();
    let path = format!(
        "/apis/coordination.k8s.io/v1/namespaces/{}/leases/berth-main",
        edge.caller.namespace
    );
    let live = edge
        .raw("GET", &path, "application/json", &Value::Null)
        .await;
    assert_eq!(live["spec"]["holderIdentity"], "", "given up");
}
