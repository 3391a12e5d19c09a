//! `berth reanchor`

use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use super::documents::Documents;
use super::run::Args as RunArgs;
use crate::error::{CommandError, CommandResult, Exit};
use crate::logging::{self, LogFormat};
use crate::{output, run};

/// Accept that ledger and cluster do not know each other, and go on
///
/// For when the daemon stopped every write because the status branch, the anchor and the cluster
/// are not those that they were. Put back what was lost first, if you can: after this, open runs
/// whose history cannot be proven are Unknown and held until their `run` is raised. A daemon that
/// stopped every write need not be ended: it has given the Lease up, and goes on by itself.
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
    // A daemon would wait for the document.
    let mut documents = Documents::of_repository(args.run.repository())?;
    if let Some(error) = settings.cluster.as_ref().and_then(|it| documents.lack(it)) {
        return Err(error);
    }
    let runtime = super::runtime()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let ended = run::run(settings, stop.clone());
        tokio::select! {
            ended = ended => ended,
            () = super::interrupted() => Err(CommandError::environment("asked to end")
                .hint("run it again: what is not recorded was not accepted")),
        }
    })?;
    output::print(
        "ledger and cluster know each other again; a daemon that waits goes on within a minute\n",
    )?;
    Ok(Exit::Fine)
}
