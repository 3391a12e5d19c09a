//! What truly became of pods, as the server has it: nothing of it may be missing in the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use berth_core::ledger::{Run, RunState, UnitLedger};
use berth_sandbox::Server;
use serde_json::Value;

use super::check::unit;
use super::experiment::Experiment;
use super::repository::Repository;
use super::world::{World, label};

/// How one pod's program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    experiment: String,
    run: String,
    attempt: u32,
    rank: u32,
    code: i64,
}

/// What is known.
#[derive(Debug, Default)]
pub struct Truth {
    seen: u64,
    ended: BTreeMap<String, Ended>,
    /// Pods whose finalizer somebody took off, by uid, with their name: what became of them may be
    /// lost.
    pub freed: BTreeMap<String, String>,
}

impl Truth {
    /// Looks at what changed.
    pub fn follow(&mut self, server: &Server) {
        if self.seen == server.revision() {
            return;
        }
        let changes = server.changes(self.seen);
        self.seen = server.revision();
        match changes {
            Some(changes) => changes
                .iter()
                .filter(|change| &*change.resource == "pods")
                .for_each(|change| self.note(&change.object)),
            None => server.objects("pods").iter().for_each(|pod| self.note(pod)),
        }
    }

    fn note(&mut self, pod: &Value) {
        let over = matches!(
            pod["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed")
        );
        let code = &pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"];
        let (Some(code), true, Some(uid)) = (code.as_i64(), over, pod["metadata"]["uid"].as_str())
        else {
            return;
        };
        let number = |name: &str| label(pod, name).parse().ok();
        if let (Some(attempt), Some(rank)) = (number("berth.dev/attempt"), number("berth.dev/rank"))
        {
            let ended = Ended {
                experiment: label(pod, "berth.dev/experiment").to_owned(),
                run: label(pod, "berth.dev/run").to_owned(),
                attempt,
                rank,
                code,
            };
            self.ended.entry(uid.to_owned()).or_insert(ended);
        }
    }

    /// Whether somebody took the finalizer off a pod of this experiment.
    pub fn freed_of(&self, experiment: &str) -> bool {
        let start = format!("{experiment}-");
        self.freed.values().any(|name| name.starts_with(&start))
    }

    /// The history was lost for good: what came before can be proven by nobody.
    pub fn forget(&mut self) {
        let ended = std::mem::take(&mut self.ended).into_keys();
        self.freed.extend(ended.map(|uid| (uid, String::new())));
    }
}

impl World {
    /// Every end of a program is in the ledger, unless it was dropped for its age.
    pub(super) fn judge_outcomes(&mut self) {
        let mut missing = Vec::new();
        for (uid, ended) in &self.truth.ended {
            if self.truth.freed.contains_key(uid) {
                continue;
            }
            let ledger = unit(&ended.experiment).and_then(|unit| self.branch.ledger(&unit));
            if !ledger.as_ref().is_some_and(|it| tells(it, uid, ended)) {
                let runs = ledger.iter().flat_map(|ledger| &ledger.runs);
                let runs: Vec<_> = runs
                    .filter(|run| run.identity.short() == ended.run)
                    .collect();
                missing.push(format!(
                    "the ledger lacks the end of {ended:?} ({uid}); it has {runs:?}"
                ));
            }
        }
        for words in missing {
            self.accuse(words);
        }
    }
}

impl World {
    /// The runs that pods or the status branch tell of, by experiment and identity.
    pub(super) fn told(&self) -> BTreeSet<(String, (u32, u32))> {
        let of_pod = |pod: &Arc<Value>| {
            let name = label(pod, "berth.dev/experiment").to_owned();
            Some((name, Experiment::identity_of(pod)?))
        };
        let of_pods = self.pods().iter().filter_map(of_pod).collect::<Vec<_>>();
        let in_branch = self.runs.iter().filter(|((name, _), run)| {
            let ledger = unit(name).and_then(|unit| self.branch.ledger(&unit));
            let mut runs = ledger.iter().flat_map(|ledger| &ledger.runs);
            runs.any(|known| known.identity.short() == **run)
        });
        let in_branch = in_branch.map(|(run, _)| run.clone());
        in_branch.chain(of_pods).collect()
    }

    /// `berth reanchor` begins, and the history is lost: that a run was over can be told only if it is
    /// still asked for, by a document whose name can be read.
    pub(super) fn forget_all_but(&mut self, repository: &Repository) {
        let asked = repository.asked().into_iter();
        let asked = asked.filter_map(|(name, identity)| {
            let pods = Experiment::new(identity.0).pods();
            let unit = unit(&name)?;
            let run = self.runs.get(&(name, identity))?;
            Some(((unit, run.clone()), pods))
        });
        let asked: BTreeMap<_, _> = asked.collect();
        let over = asked
            .iter()
            .filter(|((unit, run), pods)| !self.goes_on(unit.name.as_str(), run, **pods));
        let over = over.map(|(run, _)| run.clone()).collect();
        self.branch.forget_all_but(&over);
        // A run that is asked for again later counts as new, and begins with its first name.
        let starts = asked
            .keys()
            .map(|(unit, run)| format!("{}-{run}-", unit.name));
        let starts: Vec<String> = starts.collect();
        let kept = |name: &String| starts.iter().any(|start| name.starts_with(start));
        self.made.retain(kept);
    }

    /// Whether the last attempt of a run is whole, lives, and was not asked to go, as one whose end was
    /// recorded and lost before its pods were told: nothing tells it from one that goes on.
    fn goes_on(&self, experiment: &str, run: &str, pods: usize) -> bool {
        let all = self.pods();
        let of_run = |pod: &&Arc<Value>| {
            label(pod, "berth.dev/experiment") == experiment && label(pod, "berth.dev/run") == run
        };
        let number = |pod: &Arc<Value>| label(pod, "berth.dev/attempt").parse::<u32>().ok();
        let last = all.iter().filter(of_run).filter_map(number).max();
        let of_last = all.iter().filter(of_run);
        let of_last: Vec<_> = of_last.filter(|pod| number(pod) == last).collect();
        let ended = |pod: &Value| {
            let phase = pod["status"]["phase"].as_str();
            matches!(phase, Some("Succeeded" | "Failed"))
        };
        let asked = |pod: &Value| !pod["metadata"]["deletionTimestamp"].is_null();
        of_last.len() == pods
            && !of_last.iter().any(|pod| asked(pod))
            && !of_last.iter().all(|pod| ended(pod))
    }

    /// Whether a pod of this name could go without a trace: somebody took its finalizer off before
    /// anything of it was recorded.
    pub(super) fn went_unseen(&self, experiment: &str, name: &str) -> bool {
        let ledger = unit(experiment).and_then(|unit| self.branch.ledger(&unit));
        let known = |uid: &String| {
            let runs = ledger.iter().flat_map(|ledger| &ledger.runs);
            let trials = runs.flat_map(|run| &run.trials);
            let mut ranks = trials
                .flat_map(|trial| &trial.attempts)
                .flat_map(|attempt| &attempt.ranks);
            ranks.any(|rank| rank.uid.as_ref() == Some(uid))
        };
        let freed = self.truth.freed.iter();
        freed
            .filter(|(_, freed)| *freed == name)
            .any(|(uid, _)| !known(uid))
    }
}

fn tells(ledger: &UnitLedger, uid: &str, ended: &Ended) -> bool {
    let run = ledger
        .runs
        .iter()
        .find(|run| run.identity.short() == ended.run);
    run.is_some_and(|run| {
        let attempts = run.trials.iter().flat_map(|trial| &trial.attempts);
        let of_attempt = attempts.filter(|attempt| attempt.number == ended.attempt);
        let mut ranks = of_attempt.flat_map(|attempt| &attempt.ranks);
        let told = ranks.any(|rank| {
            let code = rank.end.as_ref().and_then(|end| end.exit_code);
            rank.uid.as_deref() == Some(uid)
                && rank.rank == ended.rank
                && code.map(i64::from) == Some(ended.code)
        });
        told || is_trimmed(run, ended.attempt)
    })
}

/// Whether an attempt may have been dropped: only older ones are.
fn is_trimmed(run: &Run, attempt: u32) -> bool {
    let mut kept = run.trials.iter().flat_map(|trial| &trial.attempts);
    match kept.next() {
        Some(first) => attempt < first.number,
        None => run.state != RunState::Open,
    }
}
