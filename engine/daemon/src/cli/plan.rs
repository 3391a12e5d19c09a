//! `berth plan`

use berth_core::desired::Desired;
use berth_core::report::Plan;

use super::cluster::LiveArgs;
use super::documents::{DocumentArgs, Documents};
use crate::error::{CommandError, CommandResult, Exit};
use crate::look::{self, Past};
use crate::run::clock::Clock;
use crate::{cli, output};

/// Say what the cluster would get, and why; change nothing
///
/// The documents are compared with the status branch and the live cluster, as the daemon would.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth plan                                  # the present folder, the current kubeconfig
  berth plan --repo . --ref main --exit-code  # exit code 1 if anything would change
  berth plan --offline -o markdown            # against an empty cluster, for a pull request")]
pub struct Args {
    #[command(flatten)]
    documents: DocumentArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// End with 1 if anything would change
    #[arg(long)]
    exit_code: bool,
    /// How the plan is written
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// What the documents are compared with.
#[derive(Debug, Clone, clap::Args)]
pub struct TargetArgs {
    #[command(flatten)]
    live: LiveArgs,
    /// Ask no API server: the cluster is taken for empty and large enough
    #[arg(long)]
    offline: bool,
}

/// The formats of `plan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A line a change
    Text,
    /// One JSON object
    Json,
    /// A table, for a pull request
    Markdown,
}

/// Plans and prints.
pub fn run(args: &Args) -> CommandResult {
    let mut documents = args.documents.read()?;
    let plan = plan(&mut documents, &args.target)?;
    output::print(&written(&plan, args.output)?)?;
    Ok(Exit::findings(args.exit_code && !plan.is_empty()))
}

/// What would be done.
pub fn plan(documents: &mut Documents, target: &TargetArgs) -> Result<Plan, CommandError> {
    let cluster = target.live.name()?;
    let desired = documents.load(cluster.as_ref())?;
    let findings = documents.resolve(desired.findings(), desired.sources());
    output::complain(&output::findings_text(&findings, output::columns()));
    let past = documents.past(desired.cluster().name())?;
    let mut reconciler = reconciler(desired, past, target)?;
    let plan = Plan::of(&mut reconciler, Clock::start().now());
    match reconciler.halted() {
        Some(_) => Err(look::halted(&reconciler)),
        None => Ok(plan),
    }
}

fn reconciler(
    desired: Desired,
    past: Past,
    target: &TargetArgs,
) -> Result<berth_core::reconciler::Reconciler, CommandError> {
    if target.offline {
        return look::offline(desired, past);
    }
    cli::runtime()?.block_on(async {
        let client = target.live.connect().await;
        let client = client.map_err(|error| error.hint("--offline plans without a cluster"))?;
        look::live(desired, past, &client).await
    })
}

/// The plan in a format.
pub fn written(plan: &Plan, format: Format) -> Result<String, CommandError> {
    Ok(match format {
        Format::Text => plan.to_text(),
        Format::Json => output::json(plan)?,
        Format::Markdown => plan.to_markdown(),
    })
}
