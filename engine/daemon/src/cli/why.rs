//! `berth why`

use berth_core::desired::place_of;
use berth_core::diagnostic::one_line;
use berth_core::ids::UnitId;
use berth_core::ledger::{Attempt, Ledger, Run, UnitLedger};
use berth_git::Repository;

use super::branch::BranchArgs;
use super::runs;
use crate::error::{CommandError, CommandResult, Exit};
use crate::output::{self, BOLD, Format};

/// Say for a pod which commit, author, file, run and attempt it comes from
///
/// Also for pods that are long gone: the ledger on the status branch knows them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth why resnet50-1a2b3c4d-1-2-0
  berth why vision/resnet50-1a2b3c4d-1-2-0 -o json")]
pub struct Args {
    /// The pod, as NAME or NAMESPACE/NAME
    pod: String,
    #[command(flatten)]
    branch: BranchArgs,
    /// How the answer is written
    #[arg(short, long, default_value = "text", value_parser = output::among(output::DATA))]
    output: Format,
}

/// All that is known of one pod.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    pod: String,
    namespace: Option<String>,
    unit: UnitId,
    run: String,
    run_state: String,
    trial: u32,
    attempt: u32,
    rank: u32,
    began: String,
    node: Option<String>,
    end: Option<String>,
    commit: String,
    author: Option<String>,
    subject: Option<String>,
    file: String,
    line: Option<u32>,
}

/// Which pod of which attempt.
struct Found<'a> {
    unit: &'a UnitId,
    ledger: &'a UnitLedger,
    run: &'a Run,
    trial: u32,
    attempt: &'a Attempt,
    rank: u32,
}

/// Looks the pod up and prints.
pub fn run(args: &Args) -> CommandResult {
    let cluster = args.branch.cluster()?;
    let files = args.branch.files(&cluster)?;
    let ledger = Ledger::read(Some(files.tip), &files.files).map_err(CommandError::environment)?;
    let (namespace, name) = match args.pod.rsplit_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, &*args.pod),
    };
    let found = find(&ledger, name).ok_or_else(|| {
        CommandError::usage(format!("no run in the ledger has a pod `{name}`")).hint(
            "`berth status --all` lists what there was; only the last attempts of a run are kept",
        )
    })?;
    if let Some(namespace) = namespace {
        found.must_be_in(namespace, name)?;
    }
    let answer = answer(name, &found, &args.branch.repository()?);
    args.output.print(&answer, |_| Ok(text(&answer)))?;
    Ok(Exit::Fine)
}

/// The pod of this name: a run's digest is that of its queue and experiment, too, so there is one.
fn find<'a>(ledger: &'a Ledger, pod: &str) -> Option<Found<'a>> {
    let mut attempts = ledger.units.iter().flat_map(|(unit, known)| {
        let attempts = known.ledger.attempts();
        attempts.map(move |it| (unit, &known.ledger, it))
    });
    attempts.find_map(|(unit, ledger, (run, trial, attempt))| {
        let trial = trial.number;
        let named = |rank: &u32| runs::pod_name(unit, run, trial, attempt.number, *rank) == pod;
        Some(Found {
            unit,
            ledger,
            run,
            trial,
            attempt,
            rank: (0..attempt.pods).find(named)?,
        })
    })
}

impl Found<'_> {
    /// That it is where the user says. An attempt whose namespace was never recorded can be in any.
    fn must_be_in(&self, namespace: &str, pod: &str) -> Result<(), CommandError> {
        match &self.attempt.namespace {
            Some(own) if own.as_str() != namespace => Err(CommandError::usage(format!(
                "no run in the ledger has a pod `{pod}` in the namespace `{namespace}`"
            ))
            .hint(format!("there is `{own}/{pod}`"))),
            _ => Ok(()),
        }
    }
}

fn answer(pod: &str, found: &Found<'_>, repository: &Repository) -> Answer {
    let record = found
        .attempt
        .ranks
        .iter()
        .find(|record| record.rank == found.rank);
    let commit = found.run.commit_of(found.attempt);
    // The commit may be gone from the repository: then only its id is known.
    let info = repository.info(commit).ok();
    let applied = &found.ledger.applied;
    Answer {
        pod: pod.to_owned(),
        namespace: found.attempt.namespace.as_ref().map(ToString::to_string),
        unit: found.unit.clone(),
        run: found.run.identity.short(),
        run_state: format!("{:?}", found.run.state).to_lowercase(),
        trial: found.trial,
        attempt: found.attempt.number,
        rank: found.rank,
        began: found.attempt.began.to_string(),
        node: record.and_then(|record| record.node.clone()),
        end: found.attempt.end.as_ref().map(|end| end.reason.clone()),
        commit: commit.to_string(),
        author: info
            .as_ref()
            .map(|info| format!("{} <{}>", info.author_name, info.author_email)),
        subject: info.map(|info| info.subject),
        file: applied.path.clone(),
        line: repository
            .blob(applied.blob)
            .ok()
            .and_then(|bytes| place_of(&bytes, found.unit))
            .map(|place| place.span.line),
    }
}

/// A line for each thing that is known. What others wrote breaks none of them.
fn text(answer: &Answer) -> String {
    let line = answer
        .line
        .map(|line| format!(":{line}"))
        .unwrap_or_default();
    let subject = answer
        .subject
        .as_deref()
        .unwrap_or("(not in the repository any more)");
    let mut rows = vec![
        (
            "document",
            format!("{} in {}{line}", answer.unit, answer.file),
        ),
        ("commit", format!("{} {subject}", &answer.commit[..8])),
        ("run", format!("{} ({})", answer.run, answer.run_state)),
        (
            "attempt",
            format!(
                "{} of trial {}, rank {}, began {}",
                answer.attempt, answer.trial, answer.rank, answer.began
            ),
        ),
    ];
    rows.splice(
        2..2,
        answer
            .author
            .iter()
            .map(|author| ("author", author.clone())),
    );
    rows.extend(answer.node.iter().map(|node| ("node", node.clone())));
    rows.extend(answer.end.iter().map(|end| ("ended", end.clone())));
    let head = format!("{BOLD}{}{BOLD:#}\n", one_line(&answer.pod));
    rows.iter().fold(head, |text, (what, words)| {
        format!("{text}  {what:<9} {}\n", one_line(words))
    })
}
