//! Watches.

use std::collections::BTreeSet;
use std::time::Duration;

use berth_cluster::watch::{Told, Watches};
use berth_core::ids::ObjectKind;
use berth_core::reconciler::{WatchEvent, WatchKey};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::edge::{Edge, delete, done};

async fn next(told: &mut Receiver<Told>) -> WatchEvent {
    timeout(Duration::from_secs(20), told.recv())
        .await
        .unwrap()
        .unwrap()
        .1
}

pub async fn a_watch_tells_what_is_there_and_what_changes(edge: &Edge) {
    let before = edge.settled("before", &[]).await;
    let (mut watches, mut told) = Watches::new(edge.client.clone(), &edge.caller.instance, 7);
    let key = WatchKey::Ours(ObjectKind::Pod, edge.queue.as_str().into());
    watches.want(&BTreeSet::from([key]));
    assert_eq!(next(&mut told).await, WatchEvent::Started);
    let mut there = BTreeSet::new();
    loop {
        match next(&mut told).await {
            WatchEvent::Object(fact) => there.insert(fact.key.name.to_string()),
            WatchEvent::Complete(_) => break,
            other => panic!("{other:?}"),
        };
    }
    assert!(there.contains(&*before.key.name));
    let after = done(edge.carry(edge.pod("after", &[])).await);
    edge.carry(delete(&before)).await;
    let (mut made, mut gone) = (false, false);
    while !(made && gone) {
        match next(&mut told).await {
            WatchEvent::Object(fact) => made |= fact.uid == after.uid,
            WatchEvent::ObjectGone(key, version) => {
                gone |= key == before.key && version > before.version;
            }
            WatchEvent::Passed(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let others = BTreeSet::from([WatchKey::Nodes, WatchKey::Occupants]);
    watches.want(&others);
    let mut complete = BTreeSet::new();
    while complete != others {
        let (key, event) = timeout(Duration::from_secs(20), told.recv())
            .await
            .unwrap()
            .unwrap();
        match event {
            WatchEvent::Complete(_) if others.contains(&key) => drop(complete.insert(key)),
            WatchEvent::Unreadable(words) => panic!("{words}"),
            _ => {}
        }
    }
}
