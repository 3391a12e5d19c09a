//! `berth compact`

use super::branch::BranchArgs;
use super::cluster::ClusterArgs;
use super::documents::Documents;
use super::repository::git_failed;
use crate::error::{CommandError, CommandResult, Exit};
use crate::output;
use crate::run::compact::Compactor;
use crate::run::{leadership, not_connected};
use berth_cluster::client::Client;

/// Replace the history of the status branch by one commit
///
/// The files, and so the ledger, stay as they are; only who reads `git log` misses something. The
/// daemon must have been stopped: the Lease is taken first. The new commit says which one it
/// compacts; keep that one under another name if you want to read the old history later.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth compact --repo . --cluster lab         # say what would be done
  berth compact --repo . --cluster lab --yes   # do it")]
pub struct Args {
    #[command(flatten)]
    branch: BranchArgs,
    #[command(flatten)]
    client: ClusterArgs,
    /// Do it
    #[arg(long)]
    yes: bool,
}

/// Looks, and replaces.
pub fn run(args: &Args) -> CommandResult {
    let name = args.branch.name.name()?;
    let mut documents = Documents::of_repository(&args.branch.repository)?;
    let desired = documents.load(name.as_ref())?;
    let cluster = desired.cluster().name().clone();
    let namespace = desired.cluster().spec.namespace.clone();
    // That there is none says what to do.
    args.branch.files(&cluster)?;
    let branch = args.branch.open(&cluster)?;
    super::runtime()?.block_on(async {
        let client = Client::connect(&args.client.options()).await;
        let compactor = Compactor {
            client: client.map_err(|error| not_connected(&error))?,
            namespace,
            cluster,
            branch,
        };
        if !args.yes {
            let base = compactor.look().await?.base();
            let commits = compactor.branch.length(base).map_err(git_failed)?;
            output::print(&format!(
                "{commits} commits up to {base} would become one; --yes does it\n"
            ))?;
            return Ok(Exit::Fine);
        }
        let lifelines = args.branch.repository.access.lifelines();
        let (client, cluster) = (&compactor.client, &compactor.cluster);
        let lead = leadership(client, cluster, &compactor.namespace, lifelines).await?;
        let done = tokio::select! {
            done = compact(&compactor, &lead) => done,
            () = super::interrupted() => Err(CommandError::environment("asked to end")
                .hint("run it again: nothing is lost, and a daemon goes on from here, too")),
        };
        lead.give_up().await;
        output::print(&done?)?;
        Ok(Exit::Fine)
    })
}

/// Does it, once nobody else writes; gives what to say.
async fn compact(compactor: &Compactor, lead: &crate::run::Lead) -> Result<String, CommandError> {
    let compaction = compactor.look().await?;
    let base = compaction.base();
    let commits = compactor.branch.length(base).map_err(git_failed)?;
    if commits == 1 {
        return Ok(format!("the branch is one commit already: {base}\n"));
    }
    let root = compactor.compact(&compaction, lead).await?;
    let (reference, short) = (compactor.branch.reference(), &base.to_string()[..8]);
    Ok(format!(
        "{reference} is the one commit {root} now, in place of {commits}\n\
         To keep the old history, name it before Git collects it, such as:\n  \
         git branch status-{short} {base}\n"
    ))
}
