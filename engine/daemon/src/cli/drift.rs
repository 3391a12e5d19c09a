//! `berth drift`

use berth_cluster::client::Client;
use berth_cluster::wire::Caller;
use berth_core::reconciler::{DriftEntry, Input, Reconciler, What};
use berth_core::report;

use super::cluster::LiveArgs;
use super::documents::PastArgs;
use crate::error::{CommandError, CommandResult, Exit};
use crate::look::{self, Spill};
use crate::output::{self, Format};
use crate::run::clock::Clock;

/// Say what in the cluster differs from what Berth applied; change nothing
///
/// The server is asked by dry-run, and only about what looks different. A pod is compared with what
/// the server made of it at its creation. Ends with 1 if anything differs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth drift --repo . --ref main
  berth drift --repo . -o json | jq '.[].object'")]
pub struct Args {
    #[command(flatten)]
    documents: PastArgs,
    #[command(flatten)]
    live: LiveArgs,
    /// How drift is written
    #[arg(short, long, default_value = "text", value_parser = output::among(output::TABLES))]
    output: Format,
}

/// Looks, asks, prints.
pub fn run(args: &Args) -> CommandResult {
    let mut documents = args.documents.read()?;
    let cluster = args.live.name()?;
    let read = documents.load_with_past(cluster.as_ref(), &Spill::new())?;
    let again = |spill: &Spill| args.documents.read_with_past(cluster.as_ref(), spill);
    let namespace = read.0.cluster().spec.namespace.to_string();
    let reconciler = super::runtime()?.block_on(async {
        let client = args.live.connect().await?;
        let mut reconciler = look::live(read, again, &client).await?;
        compare(&mut reconciler, &client, namespace).await;
        Ok::<_, CommandError>(reconciler)
    })?;
    let found = reconciler.drift().next().is_some();
    let entries: Vec<&DriftEntry> = reconciler.drift().collect();
    args.output.print(&entries, |format| {
        Ok(match format {
            _ if entries.is_empty() => "no drift\n".to_owned(),
            Format::Markdown => report::drift_markdown(entries.iter().copied()),
            _ => report::drift_text(entries.iter().copied()),
        })
    })?;
    Ok(Exit::findings(found))
}

/// Carries out what only asks, until nothing more is to be asked.
async fn compare(reconciler: &mut Reconciler, client: &Client, namespace: String) {
    let clock = Clock::start();
    let instance = reconciler
        .identity()
        .map(|it| it.instance.clone())
        .unwrap_or_default();
    let caller = Caller {
        instance,
        namespace,
    };
    loop {
        let effects = reconciler.step(clock.now());
        let asks: Vec<_> = effects
            .into_iter()
            .filter(|effect| {
                matches!(
                    effect.what,
                    What::Apply { dry_run: true, .. } | What::Inspect { .. }
                )
            })
            .collect();
        if asks.is_empty() {
            return;
        }
        for ask in asks {
            // A dry run and a reading need no Lease.
            let outcome = client.carry(&caller, clock.now(), &ask, || true).await;
            reconciler.input(clock.now(), Input::Done(ask.id, outcome));
        }
    }
}
