//! `berth reanchor`

use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use super::run::Args as RunArgs;
use crate::error::{CommandError, CommandResult, Exit};
use crate::logging::{self, LogFormat};
use crate::{output, run};

/// Accept that ledger and cluster do not know each other, and go on
///
/// For when the daemon stopped every write because the status branch, the anchor and the cluster
/// are not those that they were. Put back what was lost first, if you can: after this, open runs
/// whose history cannot be proven are Unknown and held until their `run` is raised.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  berth reanchor --repo . --cluster lab --yes")]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// It is as it should be
    #[arg(long)]
    yes: bool,
}

/// Runs until the new identity is recorded.
pub fn run(args: &Args) -> CommandResult {
    if !args.yes {
        return Err(CommandError::usage("this gives up what the ledger knew")
            .hint("if nothing can be put back any more, say --yes"));
    }
    logging::start(LogFormat::Text, LevelFilter::WARN);
    let settings = run::Settings {
        reanchor: true,
        ..super::run::settings(&args.run)?
    };
    super::runtime()?.block_on(run::run(settings, CancellationToken::new()))?;
    output::print("ledger and cluster know each other again; start the daemon\n")?;
    Ok(Exit::Fine)
}
