//! Runs and their pods, as the ledger tells of them.

use berth_core::ids::UnitId;
use berth_core::kinds::experiment::names::TrialName;
use berth_core::ledger::{Attempt, RankRecord, Run, Trial, UnitLedger};

/// The run that the status names: the one that the document asks for. Of a status that names none,
/// the run that had an attempt last.
pub fn current<'a>(ledger: &'a UnitLedger, named: Option<&str>) -> Option<&'a Run> {
    match named {
        Some(short) => ledger.runs.iter().find(|run| run.identity.short() == short),
        None => ledger.runs.iter().max_by_key(|run| last_began(run)),
    }
}

fn last_began(run: &Run) -> berth_core::ids::Timestamp {
    let attempts = run.trials.iter().flat_map(|trial| &trial.attempts);
    let began = attempts.map(|attempt| attempt.began);
    began.max().unwrap_or(run.began)
}

/// The pods that were seen and have not ended, of all runs.
pub fn living(unit: &UnitId, ledger: &UnitLedger) -> Vec<String> {
    let lives = |record: &&RankRecord| record.may_live();
    let of = |(run, trial, attempt): (&Run, &Trial, &Attempt)| {
        let ranks = attempt.ranks.iter().filter(lives);
        let names = ranks.map(|it| pod_name(unit, run, trial.number, attempt.number, it.rank));
        names.collect::<Vec<_>>()
    };
    ledger.attempts().flat_map(of).collect()
}

/// The name alone: the namespace has no part in it.
pub fn pod_name(unit: &UnitId, run: &Run, trial: u32, attempt: u32, rank: u32) -> String {
    let run = run.identity.short();
    let names = TrialName {
        namespace: &unit.name,
        experiment: &unit.name,
        run: &run,
        trial,
    };
    names.pod(attempt, rank).name.into()
}
