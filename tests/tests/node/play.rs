//! What the scenarios play on: a stage with a real node, and the folder that its containers share
//! with the test.

use std::path::PathBuf;
use std::time::Duration;

use berth_tests::e2e::{On, Setting, Stage, Wish};
use berth_tests::node::{Node, Tools};

use crate::documents;

/// Files ring no bell; somebody looks.
const LOOK: Duration = Duration::from_millis(50);

pub struct Play {
    // Before the stage, whose control plane it belongs to.
    pub node: Node,
    pub stage: Stage,
    folder: PathBuf,
}

impl Play {
    /// A node, a daemon, the first documents.
    pub async fn begin(tools: &Tools) -> Self {
        let mut stage = Stage::build(Setting {
            on: On::Real,
            cluster: Wish {
                nodes: 0,
                alone: true,
                simulated: false,
                ..Wish::default()
            },
            documents: false,
            proxy: None,
            daemon: false,
        })
        .await;
        let node = Node::join(tools, stage.cluster.plane()).await;
        let node = node.unwrap_or_else(|error| panic!("{error}"));
        let folder = stage.folder().join("data");
        std::fs::create_dir_all(folder.join("holds")).unwrap();
        for (path, text) in documents::first(stage.names(), &folder) {
            stage.repository.write(path, &text);
        }
        stage.repository.commit("Describe the cluster");
        stage.start();
        let wake = stage.wake.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                wake.ring();
            }
        });
        Self {
            node,
            stage,
            folder,
        }
    }

    /// Commits an experiment that trains.
    pub fn train(&self, name: &str, slots: u32, steps: u32) {
        self.commit(name, &documents::trains(name, slots, steps, &self.folder));
    }

    /// Commits an experiment.
    pub fn commit(&self, name: &str, text: &str) {
        let path = berth_tests::e2e::documents::path(name);
        self.stage.repository.write(&path, text);
        self.stage.repository.commit(&format!("Add {name}"));
    }

    fn sign(&self, sign: &str) -> PathBuf {
        self.folder.join("holds").join(sign)
    }

    /// The program will see this sign: to wait at a step (`name-3`), that it is done.
    pub fn put(&self, sign: &str) {
        std::fs::write(self.sign(sign), "").unwrap();
    }

    /// It goes on.
    pub fn take(&self, sign: &str) {
        std::fs::remove_file(self.sign(sign)).unwrap();
    }

    /// What a rank of an attempt of the only run noted down; empty if it did not.
    pub fn note(&self, name: &str, attempt: u64, rank: u64, note: &str) -> String {
        noted(
            &self.stage,
            &self.folder,
            name,
            &format!("attempt-{attempt}.rank-{rank}.{note}"),
        )
    }

    /// Waits until both ranks of an attempt are at a step.
    pub async fn at(&mut self, name: &str, attempt: u64, step: u32) {
        let what = format!("attempt {attempt} of {name} is at step {step}");
        let step = step.to_string();
        self.until_noted(&what, name, attempt, "at", &step).await;
    }

    /// Waits until all ranks of an attempt noted this.
    pub async fn until_noted(
        &mut self,
        what: &str,
        name: &str,
        attempt: u64,
        note: &str,
        is: &str,
    ) {
        let folder = self.folder.clone();
        let found = |stage: &Stage| {
            let pods = stage.scene.attempt(name, attempt);
            let mut notes = pods.iter().map(|pod| {
                let file = format!("attempt-{attempt}.rank-{}.{note}", pod.rank);
                noted(stage, &folder, name, &file)
            });
            (!pods.is_empty() && notes.all(|note| note == is)).then_some(())
        };
        self.stage.wait(what, found).await;
    }

    /// kill -9 of daemon and kubelet; containers run on.
    pub async fn kill_both(&mut self) {
        self.stage.kill().await;
        self.node.kill_kubelet();
    }

    /// Both again.
    pub async fn revive_both(&mut self) {
        self.stage.start();
        let revived = self.node.revive_kubelet().await;
        revived.unwrap_or_else(|error| panic!("{error}\n{}", self.node.last_words()));
    }
}

fn noted(stage: &Stage, folder: &std::path::Path, name: &str, file: &str) -> String {
    let Some(run) = stage.scene.runs(name).first().cloned() else {
        return String::new();
    };
    let trial = format!("vision/{name}/{run}/1");
    let text = std::fs::read_to_string(folder.join(trial).join(file));
    text.unwrap_or_default().trim_end().to_owned()
}
