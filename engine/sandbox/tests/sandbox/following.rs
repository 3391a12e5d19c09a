//! A client that lists and watches, whatever the weather, knows what there is.

use std::collections::BTreeMap;

use berth_sandbox::{Body, Faults, Options, Request, WatchId, WatchPoll};
use serde_json::{Value, json};

use crate::{Cluster, PODS, scripted};

/// What a client knows: names and revisions.
#[derive(Default)]
struct Client {
    known: BTreeMap<String, String>,
    revision: Option<String>,
    watch: Option<WatchId>,
}

fn entry(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
    (text("name"), text("resourceVersion"))
}

impl Client {
    /// Lists if it must, opens a watch if it has none, and reads it.
    fn step(&mut self, cluster: &mut Cluster) {
        if self.revision.is_none() {
            let answer = cluster.send(&Request::new("GET", &format!("{PODS}?labelSelector=odd=1")));
            if answer.status != 200 {
                return;
            }
            let list = answer.value();
            self.known = list["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(entry)
                .collect();
            self.revision = list["metadata"]["resourceVersion"]
                .as_str()
                .map(str::to_owned);
        }
        let from = self.revision.clone().unwrap_or_default();
        let Some(id) = self.watch else {
            let query = format!("watch=1&labelSelector=odd=1&resourceVersion={from}");
            let answer = cluster.send(&Request::new("GET", &format!("{PODS}?{query}")));
            if let Body::Watch(id) = answer.body {
                self.watch = Some(id);
            }
            return;
        };
        match cluster.server.poll_watch(cluster.now, id) {
            WatchPoll::Idle => {}
            WatchPoll::Closed => self.watch = None,
            WatchPoll::Lines(lines) => lines.iter().for_each(|line| self.hear(line)),
        }
    }

    fn hear(&mut self, line: &[u8]) {
        let event: Value = serde_json::from_slice(line).unwrap();
        if event["type"] == "ERROR" {
            assert_eq!(event["object"]["code"], 410);
            self.revision = None;
            return;
        }
        let (name, revision) = entry(&event["object"]);
        self.revision = Some(revision.clone());
        match event["type"].as_str() {
            Some("DELETED") => self.known.remove(&name),
            _ => self.known.insert(name, revision),
        };
    }
}

/// Something that happens, by number.
fn act(cluster: &mut Cluster, dice: u64) {
    let name = format!("p{}", dice / 7 % 12);
    let path = format!("{PODS}/{name}");
    match dice % 7 {
        0..=2 => {
            let mut pod = scripted(&name, &[("run", "300ms")]);
            pod["metadata"]["labels"] = json!({"odd": (dice / 84 % 2).to_string()});
            cluster.post(PODS, &pod);
        }
        3 => drop(cluster.delete(&path)),
        4 => {
            let labels = json!({"metadata": {"labels": {"odd": (dice / 84 % 2).to_string()}}});
            cluster.patch(&path, "merge-patch+json", &labels);
        }
        5 if dice.is_multiple_of(5) => cluster.server.compact(),
        _ => cluster.pass(150),
    }
}

#[test]
fn a_client_that_follows_knows_what_there_is() {
    for seed in 0..30 {
        let faults = Faults {
            throttled: 30,
            failed: 30,
            conflict: 30,
            lost_before: 30,
            lost_after: 30,
            cut_watch: 50,
            compacted: 20,
            ..Faults::default()
        };
        let mut cluster = Cluster::with(Options {
            seed,
            faults,
            ..Options::default()
        });
        let mut client = Client::default();
        let mut dice = seed;
        for _ in 0..150 {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            act(&mut cluster, dice >> 33);
            client.step(&mut cluster);
        }
        cluster.server.options_mut().faults = Faults::default();
        for _ in 0..6 {
            client.step(&mut cluster);
        }
        let odd = |pod: &&std::sync::Arc<Value>| pod["metadata"]["labels"]["odd"] == "1";
        let pods = cluster.server.objects("pods");
        let truth: BTreeMap<_, _> = pods.iter().filter(odd).map(|pod| entry(pod)).collect();
        assert_eq!(client.known, truth, "seed {seed}");
    }
}
