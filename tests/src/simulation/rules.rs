//! What the documents beside the experiments say: the cluster, its defaults, and the queue.

use std::fmt;

use super::random::Random;

/// Where the pods of the queue may be.
pub const QUEUE_NAMESPACES: [&str; 2] = ["vision", "vision-2"];

/// Whether a document can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Health {
    #[default]
    Sound,
    /// It has a fault.
    Broken,
    /// It is not there.
    Absent,
}

/// What they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The cluster is `suspended`.
    pub suspended: bool,
    cluster: Health,
    queue: Health,
    queue_state: &'static str,
    namespace: &'static str,
    quota: u32,
    gang_timeout: &'static str,
    layer: u32,
}

impl Rules {
    /// Whether experiments can be judged by them; if not, they keep their last form.
    pub fn are_sound(&self) -> bool {
        self.cluster == Health::Sound && self.queue == Health::Sound
    }

    /// Whether gangs have little time to find their places.
    pub fn hurries(&self) -> bool {
        self.gang_timeout != Self::default().gang_timeout
    }

    /// Somebody changes one of them.
    pub fn change(&mut self, random: &mut Random) {
        match random.below(11) {
            0..3 => self.layer += 1,
            3 => self.suspended = !self.suspended,
            4 => self.cluster = Self::next(self.cluster, random),
            5 => self.queue = Self::next(self.queue, random),
            6 | 7 => self.queue_state = ["active", "hold", "drain"][random.below(3)],
            8 => self.namespace = QUEUE_NAMESPACES[random.below(2)],
            9 => self.quota = [16, 24, 96][random.below(3)],
            _ => self.gang_timeout = ["5s", "1m", "10m"][random.below(3)],
        }
    }

    fn next(health: Health, random: &mut Random) -> Health {
        match health {
            Health::Sound if random.chance(300) => Health::Absent,
            Health::Sound => Health::Broken,
            Health::Broken | Health::Absent => Health::Sound,
        }
    }

    /// All is sound, and everything may run.
    pub fn settle(&mut self) {
        *self = Self {
            layer: self.layer,
            namespace: self.namespace,
            ..Self::default()
        };
    }

    /// The documents that are there, by file.
    pub fn files(&self) -> Vec<(String, String)> {
        let defaults = ("defaults.yaml".to_owned(), self.defaults());
        let written = [
            ("cluster.yaml", self.cluster, self.cluster_document()),
            ("queue.yaml", self.queue, self.queue_document()),
        ];
        let there = written.into_iter().filter_map(|(file, health, text)| {
            let fault = match health {
                Health::Sound => "",
                Health::Broken => "  nonsense: 1\n",
                Health::Absent => return None,
            };
            Some((file.to_owned(), format!("{text}{fault}")))
        });
        there.chain([defaults]).collect()
    }

    fn cluster_document(&self) -> String {
        let state = if self.suspended {
            "suspended"
        } else {
            "active"
        };
        format!(
            "apiVersion: berth.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: lab}}\nspec:\n  \
             namespace: berth\n  state: {state}\n  maxSlotsPerPod: 8\n  podDefaults: standard\n  \
             images: {{cpu: train:cpu, gpu: train:gpu}}\n  keepFinishedPods: 1m\n  \
             prune: {{maxDeletions: 2}}\n"
        )
    }

    fn queue_document(&self) -> String {
        format!(
            "apiVersion: berth.dev/v1alpha1\nkind: Queue\nmetadata: {{name: vision}}\nspec:\n  \
             cluster: lab\n  namespace: {}\n  quota: {}\n  state: {}\n  gangTimeout: {}\n",
            self.namespace, self.quota, self.queue_state, self.gang_timeout
        )
    }

    fn defaults(&self) -> String {
        let layer = self.layer;
        format!(
            "apiVersion: berth.dev/v1alpha1\nkind: PodDefaults\nmetadata: {{name: standard}}\n\
             spec:\n  gpu: {{metadata: {{labels: {{layer: l{layer}}}}}}}\n  \
             cpu: {{metadata: {{labels: {{layer: l{layer}}}}}}}\n"
        )
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            suspended: false,
            cluster: Health::Sound,
            queue: Health::Sound,
            queue_state: "active",
            namespace: QUEUE_NAMESPACES[0],
            quota: 96,
            gang_timeout: "10m",
            layer: 0,
        }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.suspended { ", suspended" } else { "" };
        write!(
            f,
            "cluster {:?}{state}; queue {:?} in {}, {}, quota {}, gangTimeout {}; layer {}",
            self.cluster,
            self.queue,
            self.namespace,
            self.queue_state,
            self.quota,
            self.gang_timeout,
            self.layer
        )
    }
}
