//! `berth plan`

use std::cell::RefCell;
use std::collections::BTreeMap;

use berth_core::desired::Desired;
use berth_core::diagnostic::Diagnostic;
use berth_core::ids::UnitId;
use berth_core::ledger::Applied;
use berth_core::reconciler::Reconciler;
use berth_core::report::{Draft, Plan, unusable_maxima};

use super::cluster::LiveArgs;
use super::documents::{Documents, PastArgs};
use crate::error::{CommandError, CommandResult, Exit};
use crate::look::{self, Past, Spill};
use crate::output::{Finding, Format};
use crate::run::clock::Clock;
use crate::{cli, output};

/// Say what the cluster would get, and why; change nothing
///
/// The documents are compared with the status branch and the live cluster, as the daemon would.
/// Those that are not valid keep their last form; they are told, and `berth validate` ends with 1
/// for them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth plan                                  # the present folder, the current kubeconfig
  berth plan --repo . --ref main --exit-code  # exit code 1 if anything would change
  berth plan --offline -o markdown            # by the status branch alone, for a pull request")]
pub struct Args {
    #[command(flatten)]
    documents: PastArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// End with 1 if anything would change
    #[arg(long)]
    exit_code: bool,
    /// How the plan is written
    #[arg(short, long, default_value = "text", value_parser = output::among(output::TABLES))]
    output: Format,
}

/// What the documents are compared with.
#[derive(Debug, Clone, clap::Args)]
pub struct TargetArgs {
    #[command(flatten)]
    live: LiveArgs,
    /// Ask no API server: what the status branch knows to run is taken for there, nothing else for in
    /// the way, and the nodes for large enough
    #[arg(long)]
    offline: bool,
}

/// Plans and prints.
pub fn run(args: &Args) -> CommandResult {
    let mut documents = args.documents.read()?;
    let Planned { plan, .. } = plan(&mut documents, &args.documents, &args.target)?;
    args.output
        .print(&plan, |format| Ok(words(&plan, format)))?;
    Ok(Exit::findings(args.exit_code && !plan.is_empty()))
}

/// What would be done, and what is wrong with the documents beside what was in force and what the
/// cluster has.
pub struct Planned {
    /// What would be done.
    pub plan: Plan,
    /// Whether none of the findings is an error.
    pub valid: bool,
    /// All of them; they were told.
    pub findings: Vec<Finding>,
}

/// What would be done for these documents, as the arguments name them: they are read again if they
/// were read too early.
pub fn plan(
    documents: &mut Documents,
    args: &PastArgs,
    target: &TargetArgs,
) -> Result<Planned, CommandError> {
    let cluster = target.live.name()?;
    let read = documents.load_with_past(cluster.as_ref(), &Spill::new())?;
    let mut found = Found::of(documents, &read.0);
    let again = |spill: &Spill| {
        *documents = args.read()?;
        // What makes no model tells its findings itself.
        found = Found::default();
        let read = documents.load_with_past(cluster.as_ref(), spill)?;
        found = Found::of(documents, &read.0);
        Ok(read)
    };
    let drafted = drafted(read, again, target);
    // Only now is it known which reading counts; it is told whatever came of the rest.
    let Found {
        mut findings,
        errors,
    } = found;
    output::complain_of(&findings);
    let (reconciler, draft) = drafted?;
    if !target.offline
        && let Some(desired) = reconciler.desired()
    {
        let maxima = unusable_maxima(desired, reconciler.observed());
        let maxima = documents.resolve(&maxima, desired.sources());
        output::complain_of(&maxima);
        findings.extend(maxima);
    }
    let files = RefCell::new(BTreeMap::new());
    let earlier = |id: &UnitId, applied: &Applied| {
        let mut files = files.borrow_mut();
        let file = files.entry(applied.blob);
        let file: &BTreeMap<_, _> = file.or_insert_with(|| documents.earlier(applied));
        file.get(id).cloned()
    };
    match reconciler.halted() {
        Some(_) => Err(look::halted(&reconciler)),
        None => Ok(Planned {
            plan: draft.plan(&reconciler, &earlier),
            valid: !errors,
            findings,
        }),
    }
}

/// What is wrong with the documents, as they were read last.
#[derive(Default)]
struct Found {
    findings: Vec<Finding>,
    /// Whether one of them is an error.
    errors: bool,
}

impl Found {
    fn of(documents: &Documents, desired: &Desired) -> Self {
        let findings = desired.findings();
        Self {
            findings: documents.resolve(findings, desired.sources()),
            errors: findings.iter().any(Diagnostic::is_error),
        }
    }
}

fn drafted(
    read: (Desired, Past),
    again: impl FnOnce(&Spill) -> Result<(Desired, Past), CommandError>,
    target: &TargetArgs,
) -> Result<(Reconciler, Draft), CommandError> {
    if target.offline {
        let mut reconciler = look::offline(read.0, read.1)?;
        let draft = Draft::of(&mut reconciler, Clock::start().now());
        return Ok((reconciler, draft));
    }
    cli::runtime()?.block_on(async {
        let client = target.live.connect().await;
        let client = client.map_err(|error| error.hint("--offline plans without a cluster"))?;
        let mut reconciler = look::live(read, again, &client).await?;
        let mut draft = Draft::of(&mut reconciler, Clock::start().now());
        look::for_names(&mut reconciler, &mut draft, &client).await?;
        Ok((reconciler, draft))
    })
}

/// The plan for people.
pub fn words(plan: &Plan, format: Format) -> String {
    match format {
        Format::Markdown => plan.to_markdown(),
        _ => plan.to_text(),
    }
}
