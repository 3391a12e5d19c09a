//! What Berth keeps in its own namespace: the anchor and the Lease.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_cluster::lease::{Candidate, Standing};
use berth_cluster::start::{kept, start};
use berth_cluster::wire::{Elector, LASTS, UNKNOWN};
use berth_core::ids::{Name, Timestamp};
use berth_core::reconciler::{Outcome, Role, What, anchor_name};
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

/// Somebody deletes the Lease while one leads: neither its renewal nor anybody else gets round it,
/// until it had run out.
pub async fn a_lease_that_was_deleted_has_to_run_out(edge: &Edge) {
    let own = &edge.caller.namespace;
    let mut elector = Elector::new("deleted", own, "me");
    let mut at = now();
    campaign(edge, &mut elector, at).await;
    assert!(leads(&elector, at), "nobody ever wrote");
    let anchor = What::Keep {
        name: anchor_name(&Name::new("deleted").unwrap()),
        data: Some(BTreeMap::new()),
        version: None,
    };
    assert!(matches!(edge.carry(anchor).await, Outcome::Kept(_)));
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{own}/leases/berth-deleted");
    edge.raw("DELETE", &path, "application/json", &Value::Null)
        .await;
    at = elector.due();
    campaign(edge, &mut elector, at).await;
    let read = async || {
        edge.raw("GET", &path, "application/json", &Value::Null)
            .await
    };
    assert_eq!(read().await["spec"]["holderIdentity"], UNKNOWN);
    assert!(!leads(&elector, at));
    let free = at.plus(LASTS);
    while at < free {
        assert!(!leads(&elector, at), "at {at}, free at {free}");
        at = elector.due();
        campaign(edge, &mut elector, at).await;
    }
    assert!(leads(&elector, at));
    assert_eq!(read().await["spec"]["holderIdentity"], "me");
}

fn leads(elector: &Elector, at: Timestamp) -> bool {
    matches!(elector.role(at), Role::Leader { .. })
}

/// All that an election has to say at this time.
async fn campaign(edge: &Edge, elector: &mut Elector, at: Timestamp) {
    while let Some(request) = elector.next_request(at).unwrap() {
        let reply = edge.client.send(request).await.unwrap();
        elector.answered(at, &reply.answer());
    }
}
