//! A cluster of pods and nodes, small enough to see through: it does what a want says, at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::ids::{Digest, Name, ObjectKey, ObjectKind, ResourceVersion, Timestamp, Uid, UnitId};
use crate::kinds::experiment::testing::{Repository, with};
use crate::kinds::{AttemptKey, Grant, NodeState, View, Want, want, want_withdrawn};
use crate::ledger::{Attempt, Run, Trial, UnitLedger};
use crate::observed::{Fact, Ownership, PodEnd, PodFact, PodPhase, PodRole, SlotRequest};

pub struct World {
    pub repository: Repository,
    pub withdrawn: bool,
    pub now: Timestamp,
    pub ledger: Option<UnitLedger>,
    /// What a killed daemon would find.
    pub durable: Option<UnitLedger>,
    pub pods: BTreeMap<ObjectKey, Fact>,
    pub objects: BTreeSet<ObjectKey>,
    /// What the server shows of them.
    pub services: Vec<Fact>,
    pub nodes: BTreeMap<String, NodeState>,
    /// Every pod that was ever made.
    pub made: Vec<String>,
    pub complete: bool,
    pub unreadable: Option<String>,
    pub granted: bool,
    pub refused: Option<String>,
    pub unheard: Option<ObjectKey>,
    pub last: Want,
    /// Pods that went away though nobody had kept how they ended.
    pub lost: Vec<String>,
    name: Name,
    next: u64,
}

impl World {
    pub fn new(experiment: &Json) -> Self {
        let base = Repository::default();
        Self {
            repository: Repository {
                experiment: with(&base.experiment, experiment),
                ..base
            },
            withdrawn: false,
            now: Timestamp::from_millis(1_000_000_000),
            ledger: None,
            durable: None,
            pods: BTreeMap::new(),
            objects: BTreeSet::new(),
            services: Vec::new(),
            nodes: BTreeMap::new(),
            made: Vec::new(),
            complete: true,
            unreadable: None,
            granted: true,
            refused: None,
            unheard: None,
            last: Want::default(),
            lost: Vec::new(),
            name: Name::new("lab").unwrap(),
            next: 1,
        }
    }

    /// Two pods of 8 slots.
    pub fn gang(experiment: &Json) -> Self {
        Self::new(&with(
            &json!({"resources": {"slotsPerTrial": 16}}),
            experiment,
        ))
    }

    pub fn edit(&mut self, experiment: &Json) {
        self.repository.experiment = with(&self.repository.experiment, experiment);
    }

    /// What is wanted now, without doing it.
    pub fn look(&self) -> Want {
        let objects: Vec<&Fact> = self.pods.values().chain(&self.services).collect();
        let grant = |_: &AttemptKey| {
            let waits = Grant::Waiting("8 of 64 slots are free".into());
            Some(if self.granted { Grant::Granted } else { waits })
        };
        let node = |pod: &PodFact| {
            let state = self.nodes.get(pod.node.as_deref()?).copied();
            Some(state.unwrap_or(NodeState::Live))
        };
        let refused = |_: &ObjectKey| self.refused.clone();
        let view = View {
            instance: "i",
            cluster_name: &self.name,
            ledger: self.ledger.as_ref(),
            sequence: 7,
            objects: &objects,
            complete: self.complete,
            unreadable: self.unreadable.clone(),
            grant: &grant,
            node: &node,
            unheard: self.unheard.as_ref(),
            gone: &|key: &ObjectKey, uid: &Uid| {
                self.pods.get(key).is_none_or(|fact| fact.uid != *uid)
            },
            moved_from: &|| None,
            unproven: false,
            refused: &refused,
            made: &|_| None,
        };
        if self.withdrawn {
            let (queue, name) = (Name::new("vision").unwrap(), Name::new("resnet").unwrap());
            return want_withdrawn(&UnitId::experiment(queue, name), &view, self.now);
        }
        want(&self.repository.unit(), &view, self.now)
    }

    /// One round: looks, keeps the ledger, makes and deletes objects.
    pub fn step(&mut self) -> &mut Self {
        let want = self.look();
        if let Some(ledger) = &want.ledger {
            self.ledger = Some(ledger.clone());
        }
        let wanted: BTreeSet<ObjectKey> = want.objects.iter().map(|it| it.key.clone()).collect();
        self.objects = wanted
            .iter()
            .filter(|it| it.kind != ObjectKind::Pod)
            .cloned()
            .collect();
        let now = self.now;
        for (key, fact) in &mut self.pods {
            if !wanted.contains(key) && fact.deleting.is_none() {
                fact.deleting = Some(now);
            }
        }
        for recipe in &want.objects {
            if recipe.key.kind == ObjectKind::Pod && !self.pods.contains_key(&recipe.key) {
                assert!(recipe.after.iter().all(|key| self.objects.contains(key)));
                self.make(recipe.key.clone(), recipe.digest, &(recipe.body)());
            }
        }
        self.last = want;
        self.collect();
        self
    }

    /// Rounds until nothing changes; the ledger is kept after each.
    pub fn settle(&mut self) -> &mut Self {
        for _ in 0..10 {
            self.step().keep();
        }
        self
    }

    /// The ledger is pushed: recorded pods are released.
    pub fn keep(&mut self) -> &mut Self {
        self.durable = self.ledger.clone();
        for key in &self.last.release {
            if let Some(fact) = self.pods.get_mut(key) {
                fact.finalizer = false;
            }
        }
        self.collect();
        self
    }

    /// The daemon is killed, and starts again with what was pushed.
    pub fn crash(&mut self) -> &mut Self {
        self.ledger = self.durable.clone();
        self.unheard = None;
        self
    }

    /// Pods that go and have ended go away once nothing holds them.
    fn collect(&mut self) {
        let goes = |fact: &Fact| {
            let pod = fact.pod.as_ref().unwrap();
            let over = pod.end.is_some() || pod.node.is_none();
            fact.deleting.is_some() && !fact.finalizer && over
        };
        let kept = |fact: &Fact| {
            let runs = self.durable.iter().flat_map(|it| &it.runs);
            let attempts = runs.flat_map(|it| &it.trials).flat_map(|it| &it.attempts);
            attempts
                .flat_map(|it| &it.ranks)
                .any(|it| it.end.is_some() && it.uid.as_deref() == Some(&*fact.uid.0))
        };
        let gone = self.pods.values().filter(|fact| goes(fact));
        let lost = gone.filter(|fact| !kept(fact));
        self.lost.extend(lost.map(|fact| fact.key.to_string()));
        self.pods.retain(|_, fact| !goes(fact));
    }

    fn make(&mut self, key: ObjectKey, digest: Digest, body: &Json) {
        let label = |name: &str| body["metadata"]["labels"][name].as_str().unwrap();
        let number = |name: &str| label(name).parse().unwrap();
        let slots = body["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"].as_str();
        let request = slots.map(|it| SlotRequest {
            resource: "nvidia.com/gpu".into(),
            millis: it.parse::<u64>().unwrap() * 1000,
        });
        let role = PodRole {
            run: label("berth.dev/run").into(),
            trial: number("berth.dev/trial"),
            attempt: number("berth.dev/attempt"),
            rank: number("berth.dev/rank"),
        };
        self.made.push(key.name.to_string());
        let fact = Fact {
            uid: Uid(format!("uid-{}", self.next).into()),
            version: ResourceVersion(self.next),
            ownership: Ownership::Ours(self.repository.unit().id),
            digest: Some(digest),
            commit: Some(self.repository.unit().applied.commit),
            deleting: None,
            finalizer: true,
            hold: false,
            created: self.now,
            leaves: None,
            pod: Some(Box::new(PodFact {
                role: Some(role),
                phase: PodPhase::Pending,
                node: None,
                bound: None,
                requests: request.into_iter().collect(),
                started: None,
                end: None,
                waiting: None,
                unschedulable: None,
                changeable: 0,
            })),
            key: key.clone(),
        };
        self.next += 1;
        self.pods.insert(key, fact);
    }

    pub fn pod(&mut self, rank: u32) -> &mut PodFact {
        self.fact(rank).pod.as_mut().unwrap()
    }

    /// The newest pod of this rank.
    pub fn fact(&mut self, rank: u32) -> &mut Fact {
        let of_rank =
            |fact: &&mut Fact| fact.pod.as_ref().unwrap().role.as_ref().unwrap().rank == rank;
        let newest = self.pods.values_mut().filter(of_rank);
        newest.max_by_key(|fact| fact.version).unwrap()
    }

    pub fn bind(&mut self) -> &mut Self {
        for fact in self.pods.values_mut().filter(|it| it.deleting.is_none()) {
            let pod = fact.pod.as_mut().unwrap();
            let rank = pod.role.as_ref().unwrap().rank;
            pod.node.get_or_insert(format!("node-{rank}").into());
        }
        self
    }

    /// Every pod is bound and runs.
    pub fn run(&mut self) -> &mut Self {
        self.bind();
        let now = self.now;
        for fact in self.pods.values_mut() {
            let pod = fact.pod.as_mut().unwrap();
            if pod.phase == PodPhase::Pending && pod.node.is_some() {
                pod.phase = PodPhase::Running;
                pod.started = Some(now);
            }
        }
        self
    }

    pub fn exit(&mut self, rank: u32, code: i32) -> &mut Self {
        let now = self.now;
        let asked = self.fact(rank).deleting.is_some();
        end(self.pod(rank), code, asked, now);
        self.collect();
        self
    }

    /// Kubelets stop the pods that are going.
    pub fn obey(&mut self) -> &mut Self {
        let now = self.now;
        for fact in self.pods.values_mut().filter(|it| it.deleting.is_some()) {
            let pod = fact.pod.as_mut().unwrap();
            if pod.end.is_none() && pod.node.is_some() {
                end(pod, 143, true, now);
            }
        }
        self.collect();
        self
    }

    pub fn wait(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self
    }

    /// Stops what goes, waits out the backoff, starts and runs what is next.
    pub fn go_on(&mut self) -> &mut Self {
        self.settle()
            .obey()
            .settle()
            .wait(400)
            .settle()
            .run()
            .settle()
    }

    pub fn runs(&self) -> &[Run] {
        &self.ledger.as_ref().unwrap().runs
    }

    pub fn trial(&self) -> &Trial {
        &self.runs().last().unwrap().trials[0]
    }

    pub fn attempt(&self) -> &Attempt {
        self.trial().attempts.last().unwrap()
    }

    /// The ranks and attempts of live pods, `attempt.rank`.
    pub fn live(&self) -> Vec<String> {
        let pods = self
            .pods
            .values()
            .map(|it| it.pod.as_ref().unwrap().role.as_ref().unwrap());
        pods.map(|role| format!("{}.{}", role.attempt, role.rank))
            .collect()
    }

    pub fn status(&self) -> (String, String) {
        let status = self.look().status;
        (status.state, status.message.unwrap_or_default())
    }
}

pub fn end(pod: &mut PodFact, code: i32, asked: bool, now: Timestamp) {
    pod.phase = if code == 0 {
        PodPhase::Succeeded
    } else {
        PodPhase::Failed
    };
    pod.end = Some(PodEnd {
        exit_code: Some(code),
        reason: if code == 0 { "Completed" } else { "Error" }.into(),
        asked,
        last_words: None,
        marker: false,
        succeeded: code == 0,
        finished: Some(now),
    });
}

impl World {
    /// The newest pod of all ends.
    pub fn exit_newest(&mut self, code: i32) -> &mut Self {
        let now = self.now;
        let newest = self
            .pods
            .values_mut()
            .max_by_key(|fact| fact.version)
            .unwrap();
        let asked = newest.deleting.is_some();
        end(newest.pod.as_mut().unwrap(), code, asked, now);
        self
    }
}
