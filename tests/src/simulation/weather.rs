//! What may go wrong.

use std::sync::Arc;

use berth_core::ids::ObjectKind;
use berth_core::reconciler::WatchKey;
use berth_sandbox::Denial;
use serde_json::{Value, json};

use super::branch::Damage;
use super::daemon::Daemon;
use super::pending::anchor;
use super::random::Random;
use super::rules::QUEUE_NAMESPACES;
use super::stage::Stage;
use super::world::{NODES, World, label, name_of};

/// So many nodes are never missed: the experiments fit on the others.
const SPARE_NODES: usize = 2;
/// More evictions than this keep a story from coming to an end.
const EVICTIONS: u32 = 8;

impl Stage {
    /// Something goes wrong, or somebody does something.
    pub(super) fn disturb(&mut self, random: &mut Random) {
        match random.below(30) {
            0..3 => self.evict(random),
            3 | 4 => self.lose_node(random),
            5 | 6 => self.bring_nodes_back(),
            7 => self.delete_node(random),
            8 => self.taint_lost_node(),
            9 | 10 => self.block(random),
            11 => self.unblock(),
            12..14 => self.meddle(random),
            14 => {
                if random.chance(500) {
                    self.world.server.compact();
                }
                self.world.server.cut_watches();
                self.world.say(|| "all watches break".into());
            }
            15 | 16 => self.shift_clock(random),
            17 if random.chance(500) => self.free_pod(random),
            17 => self.unmark_pod(random),
            18 => self.toggle_garbage_collection(),
            19 => self.toggle_admission(),
            20 => self.toggle_quota(),
            21 => self.toggle_rights(random),
            22 | 23 => {
                self.world.git_away = !self.world.git_away;
                let away = self.world.git_away;
                self.world.say(|| format!("git away: {away}"));
            }
            24 => self.damage_branch(random),
            25..28 => self.replace_node(random),
            28 => self.delay_nodes(random),
            _ => self.lose_history(random),
        }
    }

    fn own(&self, resource: &str) -> Vec<Arc<Value>> {
        let mut objects = self.world.server.objects(resource);
        objects.retain(|object| !label(object, "berth.dev/instance").is_empty());
        objects
    }

    fn evict(&mut self, random: &mut Random) {
        let pods = self.own("pods");
        let Some(pod) = random.one_of(&pods).filter(|_| self.evictions < EVICTIONS) else {
            return;
        };
        self.evictions += 1;
        let path = path_of("pods", pod);
        if random.chance(500) {
            self.world.admin("DELETE", &path, &Value::Null);
        } else {
            let body = json!({
                "apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": name_of(pod), "namespace": pod["metadata"]["namespace"]},
            });
            self.world.admin("POST", &format!("{path}/eviction"), &body);
        }
    }

    fn lose_node(&mut self, random: &mut Random) {
        let node = format!("/api/v1/nodes/node-{}", random.below(NODES));
        let lost = json!({"metadata": {"annotations": {"sandbox.berth.dev/state": "lost"}}});
        self.world.admin("PATCH", &node, &lost);
    }

    /// All nodes answer again, and those that were deleted are made again, as a cloud does.
    pub(super) fn bring_nodes_back(&mut self) {
        let fine = json!({
            "metadata": {"annotations": {"sandbox.berth.dev/state": null}},
            "spec": {"taints": null},
        });
        for node in self.world.server.objects("nodes") {
            let lost = node["metadata"]["annotations"]["sandbox.berth.dev/state"] == "lost";
            if lost || !node["spec"]["taints"].is_null() {
                let path = format!("/api/v1/nodes/{}", name_of(&node));
                self.world.admin("PATCH", &path, &fine);
            }
        }
        for (_, node) in std::mem::take(&mut self.deleted_nodes) {
            self.world.admin("POST", "/api/v1/nodes", &node);
        }
    }

    fn delete_node(&mut self, random: &mut Random) {
        self.delete_node_named(&format!("node-{}", random.below(NODES)));
    }

    fn delete_node_named(&mut self, name: &str) {
        if self.deleted_nodes.len() >= SPARE_NODES {
            return;
        }
        let Some(node) = self.world.server.object("nodes", "", name) else {
            return;
        };
        let mut body = Value::clone(&node);
        if let Some(meta) = body["metadata"].as_object_mut() {
            meta.retain(|key, _| matches!(key.as_str(), "name" | "labels"));
        }
        body["spec"] = json!({});
        self.deleted_nodes.insert(name.to_owned(), body);
        let path = format!("/api/v1/nodes/{name}");
        self.world.admin("DELETE", &path, &Value::Null);
    }

    /// A node goes, and once its pods are collected another one of its name comes. Who has heard of
    /// the one hears late of the other. It is an early one: among equals the scheduler takes the
    /// first.
    fn replace_node(&mut self, random: &mut Random) {
        let name = format!("node-{}", random.below(3));
        self.delete_node_named(&name);
        self.world.server.tick(self.world.now);
        for daemon in self.daemons.iter_mut().filter(|daemon| !daemon.asleep) {
            daemon.listen(&mut self.world, random, true);
            daemon.late = Some(WatchKey::Nodes);
        }
        if let Some(node) = self.deleted_nodes.remove(&name) {
            self.world.admin("POST", "/api/v1/nodes", &node);
        }
    }

    /// What a daemon hears of the nodes is late, or comes in time again.
    fn delay_nodes(&mut self, random: &mut Random) {
        if self.daemons.is_empty() {
            return;
        }
        let index = random.below(self.daemons.len());
        let daemon = &mut self.daemons[index];
        daemon.late = match daemon.late {
            Some(_) => None,
            None => Some(WatchKey::Nodes),
        };
        let (number, late) = (daemon.birth.number, daemon.late.clone());
        self.world
            .say(|| format!("berth {number} hears late of {late:?}"));
    }

    /// Somebody says that a node that does not answer is out of service.
    pub(super) fn taint_lost_node(&mut self) {
        let nodes = self.world.server.objects("nodes");
        let lost = nodes.iter().find(|node| {
            node["metadata"]["annotations"]["sandbox.berth.dev/state"] == "lost"
                && !World::is_out_of_service(node)
        });
        let Some(node) = lost else { return };
        let mut taints = node["spec"]["taints"].clone();
        if taints.is_null() {
            taints = json!([]);
        }
        if let Some(taints) = taints.as_array_mut() {
            let key = "node.kubernetes.io/out-of-service";
            taints.push(json!({"key": key, "value": "nodeshutdown", "effect": "NoExecute"}));
        }
        let path = format!("/api/v1/nodes/{}", name_of(node));
        let patch = json!({"spec": {"taints": taints}});
        self.world.admin("PATCH", &path, &patch);
    }

    /// Somebody takes a name that Berth is about to use.
    fn block(&mut self, random: &mut Random) {
        let keys: Vec<_> = self
            .daemons
            .iter()
            .filter_map(super::daemon::Daemon::about_to_create)
            .collect();
        let Some(key) = random.one_of(&keys) else {
            return;
        };
        let mut body = json!({
            "apiVersion": "v1", "kind": key.kind.kind(),
            "metadata": {"name": key.name, "namespace": key.namespace},
        });
        match key.kind {
            ObjectKind::Pod => {
                body["spec"] = json!({"containers": [{"name": "main", "image": "other"}]});
            }
            ObjectKind::Service => {
                body["spec"] = json!({"clusterIP": "None", "ports": [{"port": 80}]});
            }
        }
        let path = format!("/api/v1/namespaces/{}/{}", key.namespace, key.kind.plural());
        if self.world.admin("POST", &path, &body).status == 201 {
            self.blockers.push(format!("{path}/{}", key.name));
        }
    }

    pub(super) fn unblock(&mut self) {
        while let Some(path) = self.blockers.pop() {
            self.world.admin("DELETE", &path, &Value::Null);
        }
    }

    /// Somebody changes or deletes what is Berth's.
    fn meddle(&mut self, random: &mut Random) {
        let ours = |resource: &str| Some(path_of(resource, self.own(resource).first()?));
        let (pod, service) = (ours("pods"), ours("services"));
        if let Some(pod) = pod {
            let annotations = json!({"meddled": "yes", "berth.dev/hyperparameters": "{}"});
            let patch = json!({"metadata": {"annotations": annotations}});
            self.world.admin("PATCH", &pod, &patch);
        }
        let Some(service) = service else { return };
        if random.chance(500) {
            let patch = json!({"spec": {"publishNotReadyAddresses": false}});
            self.world.admin("PATCH", &service, &patch);
        } else {
            self.world.admin("DELETE", &service, &Value::Null);
        }
    }

    /// A clock jumps. With a Lease it does so only between two lives: what measures the Lease does
    /// not jump while a process lives.
    fn shift_clock(&mut self, random: &mut Random) {
        if self.world.elects {
            return;
        }
        let skew = [-20_000, 0, 0, 20_000][random.below(4)];
        for daemon in &mut self.daemons {
            daemon.skew = skew;
        }
        self.world.say(|| format!("the clock is {skew} ms ahead"));
    }

    /// Somebody takes the finalizer off a pod.
    fn free_pod(&mut self, random: &mut Random) {
        let pods = self.own("pods");
        let Some(pod) = random.one_of(&pods) else {
            return;
        };
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        let freed = &mut self.world.truth.freed;
        freed.insert(uid.to_owned(), name_of(pod).to_owned());
        let none = json!({"metadata": {"finalizers": null}});
        self.world.admin("PATCH", &path_of("pods", pod), &none);
    }

    /// Somebody takes off a pod what Berth knows it by. Only of one that the branch tells of: another
    /// one is not Berth's any more, and its name is taken. Nor of one that has ended: nothing can run
    /// twice for it, and who does that has to put it away.
    fn unmark_pod(&mut self, random: &mut Random) {
        let pods = self.own("pods");
        let Some(pod) = random.one_of(&pods) else {
            return;
        };
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        let phase = pod["status"]["phase"].as_str().unwrap_or_default();
        let has_ended = matches!(phase, "Succeeded" | "Failed");
        if has_ended || self.world.branch.is_damaged() || !self.world.branch.tells(uid) {
            return;
        }
        self.world.truth.unmarked.insert(uid.to_owned());
        let none = Value::Null;
        let change = match random.below(3) {
            0 => json!({"labels": {"berth.dev/instance": none}}),
            1 => json!({"annotations": {"berth.dev/id": none, "berth.dev/commit": none}}),
            _ => {
                json!({"labels": {"berth.dev/rank": none}, "annotations": {"berth.dev/unit": none}})
            }
        };
        self.world.admin(
            "PATCH",
            &path_of("pods", pod),
            &json!({ "metadata": change }),
        );
    }

    /// Whether a pod lacks what Berth knows it by.
    fn is_any_unmarked(&self) -> bool {
        let unmarked = |pod: &Arc<Value>| {
            let meta = &pod["metadata"];
            let all = [
                &meta["labels"]["berth.dev/instance"],
                &meta["labels"]["berth.dev/rank"],
                &meta["annotations"]["berth.dev/id"],
                &meta["annotations"]["berth.dev/unit"],
                &meta["annotations"]["berth.dev/commit"],
            ];
            let uid = meta["uid"].as_str().unwrap_or_default();
            self.world.truth.unmarked.contains(uid) && all.iter().any(|mark| mark.is_null())
        };
        self.world.server.objects("pods").iter().any(unmarked)
    }

    fn toggle_garbage_collection(&mut self) {
        let options = self.world.server.options_mut();
        options.terminal_pods = options.terminal_pods.is_none().then_some(0);
        let collects = options.terminal_pods.is_some();
        self.world
            .say(|| format!("finished pods are collected: {collects}"));
    }

    fn toggle_admission(&mut self) {
        let options = self.world.server.options_mut();
        options.image_rewrite = match options.image_rewrite {
            Some(_) => None,
            None => Some(("train:".into(), "mirror.example/train:".into())),
        };
        let rewrites = options.image_rewrite.is_some();
        self.world
            .say(|| format!("admission changes images: {rewrites}"));
    }

    fn toggle_quota(&mut self) {
        let path = "/api/v1/namespaces/vision/resourcequotas";
        let there = self
            .world
            .server
            .object("resourcequotas", "vision", "tight");
        if there.is_some() {
            return self.lift_quota();
        }
        let body = json!({
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": "tight", "namespace": "vision"},
            "spec": {"hard": {"pods": "1"}},
        });
        self.world.admin("POST", path, &body);
    }

    pub(super) fn lift_quota(&mut self) {
        let path = "/api/v1/namespaces/vision/resourcequotas/tight";
        self.world.admin("DELETE", path, &Value::Null);
    }

    /// Some right is taken away, or all are given back.
    fn toggle_rights(&mut self, random: &mut Random) {
        let denied = &mut self.world.server.options_mut().denied;
        if denied.is_empty() {
            let verbs = ["create", "watch", "delete", "patch"];
            denied.push(Denial {
                verb: verbs[random.below(4)].into(),
                resource: ["pods", "services"][random.below(2)].into(),
                namespace: Some(QUEUE_NAMESPACES[random.below(2)].into()),
            });
        } else {
            denied.clear();
        }
        let denied = denied.clone();
        self.world.say(|| format!("rights taken away: {denied:?}"));
    }

    /// The status branch is deleted, rewritten or rolled back, or put back again.
    fn damage_branch(&mut self, random: &mut Random) {
        // `berth reanchor` takes what it finds.
        if self.reanchors {
            return;
        }
        if self.world.branch.is_damaged() {
            self.world.branch.put_back();
            return self.world.say(|| "the status branch is put back".into());
        }
        let Some(anchored) = anchor(&self.world).and_then(|anchor| anchor.status) else {
            return;
        };
        let how = [Damage::Deleted, Damage::Rewritten, Damage::RolledBack][random.below(3)];
        if self.world.branch.damage(how, anchored) {
            self.world.say(|| format!("the status branch is {how:?}"));
        }
    }

    /// The status branch is lost for good, and `berth reanchor` is all that is left. Once a story.
    fn lose_history(&mut self, random: &mut Random) {
        let anchored = anchor(&self.world).and_then(|anchor| anchor.status);
        let Some(anchored) = anchored.filter(|_| self.unproven.is_none() && random.chance(500))
        else {
            return;
        };
        // Nothing would tell whose those are.
        if self.is_any_unmarked() {
            return;
        }
        let before = self.world.branch.before(anchored);
        let kept = random.one_of(&before).filter(|_| random.chance(500));
        self.world.branch.lose(kept.copied());
        self.world.truth.forget();
        self.world.say(|| {
            let words = kept.map_or("all of it", |_| "the newer part");
            format!("the status branch is lost for good: {words}")
        });
        self.unproven = Some(self.repository.asked());
        (self.reanchors, self.doubts) = (true, true);
        for daemon in std::mem::take(&mut self.daemons) {
            daemon.stop(&mut self.world);
        }
    }

    /// An experiment is run anew, and then broken. If one daemon leads, a second one begins, and reads
    /// nothing of that while the first one applies both and is gone; it reads it all at once and takes
    /// over.
    pub(super) fn hand_over(&mut self, random: &mut Random) {
        let (name, pods) = (format!("e{}", random.below(5)), 1 + random.below(2));
        let leads = |daemon: &Daemon| daemon.is_elected(&self.world) && !daemon.asleep;
        let one_leads = self.daemons.len() == 1 && self.daemons.iter().all(leads);
        let hands_over = one_leads && !self.reanchors;
        if hands_over {
            self.start();
        }
        self.repository.run_anew(&name, pods);
        self.world.say(|| format!("commit: {name} runs anew"));
        if hands_over {
            self.turn_first(random);
        }
        self.repository.break_one(&name);
        self.world.say(|| format!("commit: {name} is broken"));
        if !hands_over {
            return;
        }
        self.turn_first(random);
        let first = self.daemons.swap_remove(0);
        let number = first.birth.number;
        self.world.say(|| format!("berth {number} is killed"));
        first.stop(&mut self.world);
        // Its Lease runs out.
        self.pass(16_000);
        if !self.daemons.is_empty() {
            self.turn_first(random);
        }
    }

    /// The first daemon reads what is there and works for a while.
    fn turn_first(&mut self, random: &mut Random) {
        self.daemons[0].fetch(&self.world, &self.repository);
        for _ in 0..20 {
            self.pass(1_000);
            self.step();
            let daemon = &mut self.daemons[0];
            daemon.judge_anew(&self.world, &self.repository);
            daemon.listen(&mut self.world, random, true);
            while !daemon.pending.is_empty() {
                daemon.advance(0, &mut self.world, random, self.losses);
            }
            self.world.truth.follow(&self.world.server);
        }
    }

    /// A second daemon begins; one sleeps or wakes; the Lease is out of reach, or deleted.
    pub(super) fn shake_lease(&mut self, random: &mut Random) {
        if !self.world.elects {
            return;
        }
        let index = random.below(self.daemons.len());
        match (random.below(6), self.daemons.len()) {
            (0 | 1, 0 | 1) if !self.reanchors => self.start(),
            (_, 0) => {}
            (0..4, _) => {
                let daemon = &mut self.daemons[index];
                daemon.asleep = !daemon.asleep;
                let (number, asleep) = (daemon.birth.number, daemon.asleep);
                self.world
                    .say(|| format!("berth {number} sleeps: {asleep}"));
            }
            (4, _) => {
                let daemon = &mut self.daemons[index];
                daemon.cut_off = !daemon.cut_off;
                let (number, off) = (daemon.birth.number, daemon.cut_off);
                self.world
                    .say(|| format!("berth {number} does not reach the Lease: {off}"));
            }
            // Before there is an anchor nobody can tell that anybody led.
            _ if anchor(&self.world).is_some() => {
                let path = "/apis/coordination.k8s.io/v1/namespaces/berth/leases/berth-lab";
                self.world.admin("DELETE", path, &Value::Null);
                self.world.lease_deleted = self.world.now;
            }
            _ => {}
        }
    }
}

fn path_of(resource: &str, object: &Value) -> String {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let name = name_of(object);
    format!("/api/v1/namespaces/{namespace}/{resource}/{name}")
}
