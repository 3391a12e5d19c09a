//! What must never happen, judged by what the server holds before and after each call.

use std::collections::BTreeMap;

use berth_core::ids::{CommitId, Name, ObjectKey, ObjectKind, UnitId};
use berth_core::ledger::{Attempt, Run, Stop, UnitFile, UnitLedger};
use berth_core::reconciler::What;
use serde_json::Value;

use super::experiment::{Experiment, Script};
use super::wire::Target;
use super::world::{World, label};

const FINALIZER: &str = "berth.dev/outcome";

impl World {
    /// Judges one call of Berth's by what it changed.
    pub(super) fn judge(
        &mut self,
        method: &str,
        target: &Target,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        if let Some(before) = before
            && method != "POST"
        {
            self.judge_foreign(method, target, before, after);
        }
        if target.resource != "pods" {
            return;
        }
        match (before, after) {
            (None, Some(pod)) => self.judge_birth(target, pod),
            (Some(pod), after) => self.judge_release(target, pod, after),
            (None, None) => {}
        }
    }

    fn judge_foreign(
        &mut self,
        method: &str,
        target: &Target,
        before: &Value,
        after: Option<&Value>,
    ) {
        let own = target.namespace == "berth";
        let uid = before["metadata"]["uid"].as_str().unwrap_or_default();
        let ours =
            !label(before, "berth.dev/instance").is_empty() || self.truth.unmarked.contains(uid);
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        if !own && !ours && after.map(version) != Some(version(before)) {
            self.accuse(format!("{method} on {}, which is not Berth's", target.name));
        }
    }

    fn judge_birth(&mut self, target: &Target, pod: &Value) {
        let unseen = || self.went_unseen(label(pod, "berth.dev/experiment"), &target.name);
        if self.made.contains(&target.name) && !unseen() {
            self.accuse(format!("the pod name {} was used twice", target.name));
        }
        self.made.insert(target.name.clone());
        let (experiment, run) = (
            label(pod, "berth.dev/experiment"),
            label(pod, "berth.dev/run"),
        );
        let attempt = label(pod, "berth.dev/attempt");
        let others: Vec<String> = self
            .pods()
            .iter()
            .filter(|other| label(other, "berth.dev/experiment") == experiment)
            .filter(|other| {
                (
                    label(other, "berth.dev/run"),
                    label(other, "berth.dev/attempt"),
                ) != (run, attempt)
            })
            .filter(|other| self.may_run(other))
            .filter_map(|other| Some(other["metadata"]["name"].as_str()?.to_owned()))
            .collect();
        if !others.is_empty() {
            self.accuse(format!("{} lives beside {others:?}", target.name));
        }
    }

    /// Judges what was decided, before it is carried out: what holds then may hold no more when a
    /// late request arrives.
    pub(super) fn judge_effect(
        &mut self,
        what: &What,
        wanted: &BTreeMap<String, Experiment>,
        history: &[(CommitId, BTreeMap<String, Experiment>)],
    ) {
        match what {
            What::Create { key, body, .. } if key.kind == ObjectKind::Pod => {
                let name = label(body, "berth.dev/experiment").to_owned();
                let run = label(body, "berth.dev/run");
                if let Some(one) = wanted.get(&name) {
                    self.made_for.insert(key.name.to_string(), one.clone());
                }
                if let Some(identity) = Experiment::identity_of(body) {
                    self.runs.insert((name.clone(), identity), run.to_owned());
                }
                let was_over = unit(&name).is_some_and(|unit| self.branch.was_over(&unit, run));
                if was_over {
                    self.accuse(format!("{key}: its run was finished before"));
                }
            }
            What::Delete { key, .. } if key.kind == ObjectKind::Pod => {
                self.judge_delete(key, wanted);
                self.judge_delete_of_held(key, history);
            }
            _ => {}
        }
    }

    /// A whole and healthy attempt of what its document still says is never stopped.
    fn judge_delete(&mut self, key: &ObjectKey, wanted: &BTreeMap<String, Experiment>) {
        let name = &*key.name;
        let Some(pod) = self.server.object("pods", &key.namespace, name) else {
            return;
        };
        let of = |pod: &Value, what: &str| label(pod, what).to_owned();
        let experiment = of(&pod, "berth.dev/experiment");
        let (Some(one), Some(made_for)) = (wanted.get(&experiment), self.made_for.get(name)) else {
            return;
        };
        let same = one.identity() == made_for.identity();
        let is_over = one.state != "active" || one.script() == Script::Overstays;
        if self.excuse.is_some() || !same || is_over || one.broken || made_for.broken {
            return;
        }
        if self.healthy(&pod) == one.pods() {
            self.accuse(format!(
                "{name} is deleted without a reason: {one}, made for {made_for}"
            ));
        }
    }

    /// Nor is one of the form that is in force, as the status branch says, while its document is broken
    /// and no commit since then said anything else: whoever leads, and whatever it read itself.
    fn judge_delete_of_held(
        &mut self,
        key: &ObjectKey,
        history: &[(CommitId, BTreeMap<String, Experiment>)],
    ) {
        let Some(pod) = self.server.object("pods", &key.namespace, &key.name) else {
            return;
        };
        let name = label(&pod, "berth.dev/experiment");
        let ledger = unit(name).and_then(|unit| self.branch.ledger(&unit));
        let in_force = ledger.filter(|ledger| !ledger.withdrawn);
        let Some(applied) = in_force.map(|ledger| ledger.applied.commit) else {
            return;
        };
        let since = history.iter().position(|(commit, _)| *commit == applied);
        let Some(since) = since.and_then(|since| history.get(..=since)) else {
            return;
        };
        let says = |(_, all): &(CommitId, BTreeMap<String, Experiment>)| all.get(name).cloned();
        let Some(said) = since.iter().map(says).collect::<Option<Vec<_>>>() else {
            return;
        };
        let is_held = said.first().is_some_and(|tip| tip.broken);
        let Some(form) = said.last().filter(|form| is_held && !form.broken) else {
            return;
        };
        let is_its = |one: &Experiment| {
            let same = Some(one.identity()) == Experiment::identity_of(&pod);
            same && one.state == "active" && one.script() != Script::Overstays
        };
        let always = said.iter().all(|one| one.broken || is_its(one));
        if self.excuse.is_none() && always && self.healthy(&pod) == form.pods() {
            self.accuse(format!(
                "{} is deleted, and the form in force wants it: {form}",
                key.name
            ));
        }
    }

    /// How many pods of this one's attempt run and are to stay.
    fn healthy(&self, pod: &Value) -> usize {
        let role = |pod: &Value| {
            let names = ["berth.dev/experiment", "berth.dev/run", "berth.dev/attempt"];
            names.map(|name| label(pod, name).to_owned())
        };
        let pods = self.pods();
        let its = pods.iter().filter(|other| role(other) == role(pod));
        its.filter(|other| other["status"]["phase"] == "Running" && self.may_run(other))
            .filter(|other| other["metadata"]["deletionTimestamp"].is_null())
            .count()
    }

    /// Whether the program of a pod may still do something.
    fn may_run(&self, pod: &Value) -> bool {
        let ended = matches!(
            pod["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed")
        );
        let Some(node) = pod["spec"]["nodeName"].as_str() else {
            // Without a node and deleted: it never will.
            return !ended && pod["metadata"]["deletionTimestamp"].is_null();
        };
        let node = self.server.object("nodes", "", node);
        !ended && node.is_some_and(|node| !Self::is_out_of_service(&node))
    }

    /// Whether somebody has said that nothing runs on a node any more.
    pub(super) fn is_out_of_service(node: &Value) -> bool {
        let taints = node["spec"]["taints"].as_array();
        let mut taints = taints.into_iter().flatten();
        taints.any(|taint| taint["key"] == "node.kubernetes.io/out-of-service")
    }

    fn judge_release(&mut self, target: &Target, pod: &Value, after: Option<&Value>) {
        let holds = |pod: &Value| {
            let list = pod["metadata"]["finalizers"].as_array();
            list.is_some_and(|list| list.iter().any(|one| one == FINALIZER))
        };
        if !holds(pod) || after.is_some_and(holds) {
            return;
        }
        if self.may_run(pod) {
            return self.accuse(format!("{} was released while it lives", target.name));
        }
        let ended = matches!(
            pod["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed")
        );
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        if ended && !self.outcome_is_safe(label(pod, "berth.dev/experiment"), uid) {
            self.accuse(format!(
                "{} was released and its outcome is nowhere",
                target.name
            ));
        }
    }

    /// Nothing is told to have ended in times to come, and no attempt to have stopped that runs on.
    pub(super) fn judge_ends(&mut self, files: &BTreeMap<String, Option<String>>) {
        let mut wrong = Vec::new();
        for (path, text) in files {
            let file = text
                .as_ref()
                .map(|text| UnitFile::read(path, text.as_bytes()));
            let Some(Ok(file)) = file else { continue };
            for (run, _, attempt) in file.ledger.attempts() {
                let ends = attempt.ranks.iter().filter_map(|rank| rank.end.as_ref());
                let future = ends
                    .filter_map(|end| end.finished)
                    .find(|at| at.millis() > self.now);
                wrong.extend(future.map(|at| format!("{path} tells an end of {at}")));
                let stopped = attempt
                    .end
                    .as_ref()
                    .is_some_and(|end| Stop::read(&end.reason).is_some());
                let runs_on = stopped
                    .then(|| self.runs_on(&file.unit, run, attempt))
                    .flatten();
                wrong.extend(runs_on.map(|pod| format!("{path} tells that {pod} stopped")));
            }
        }
        for words in wrong {
            self.accuse(words);
        }
    }

    /// A pod of the attempt that runs, and that nobody asked to go.
    fn runs_on(&self, unit: &UnitId, run: &Run, attempt: &Attempt) -> Option<String> {
        let number = attempt.number.to_string();
        let its = |pod: &&Value| {
            label(pod, "berth.dev/experiment") == unit.name.as_str()
                && label(pod, "berth.dev/run") == run.identity.short()
                && label(pod, "berth.dev/attempt") == number
        };
        let alive =
            |pod: &&Value| self.may_run(pod) && pod["metadata"]["deletionTimestamp"].is_null();
        let pods = self.pods();
        let pod = pods.iter().map(|pod| &**pod).filter(its).find(alive)?;
        Some(pod["metadata"]["name"].as_str()?.to_owned())
    }

    fn outcome_is_safe(&self, experiment: &str, uid: &str) -> bool {
        let told = |ledger: &UnitLedger| {
            let trials = ledger.runs.iter().flat_map(|run| &run.trials);
            let mut ranks = trials
                .flat_map(|trial| &trial.attempts)
                .flat_map(|attempt| &attempt.ranks);
            ranks.any(|rank| rank.uid.as_deref() == Some(uid) && rank.end.is_some())
        };
        let ledger = unit(experiment).and_then(|unit| self.branch.ledger(&unit));
        ledger.is_some_and(|ledger| told(&ledger))
            || self.spilled(experiment).is_some_and(|ledger| told(&ledger))
    }

    fn spilled(&self, experiment: &str) -> Option<UnitLedger> {
        let unit = unit(experiment)?;
        let spill = self
            .server
            .object("configmaps", "berth", "berth-lab.spill")?;
        let texts = spill["data"].as_object()?.values();
        texts
            .filter_map(|text| UnitFile::read("spill", text.as_str()?.as_bytes()).ok())
            .find(|file| file.unit == unit)
            .map(|file| file.ledger)
    }
}

/// The unit of an experiment of the one queue.
pub(super) fn unit(experiment: &str) -> Option<UnitId> {
    let queue = Name::new("vision").ok()?;
    Some(UnitId::experiment(queue, Name::new(experiment).ok()?))
}
