//! `berth drift`

use berth_cluster::client::Client;
use berth_cluster::wire::Caller;
use berth_core::reconciler::{Input, Reconciler, What};
use berth_core::report;

use super::cluster::LiveArgs;
use super::documents::DocumentArgs;
use crate::error::{CommandError, CommandResult, Exit};
use crate::run::clock::Clock;
use crate::{look, output};

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
    documents: DocumentArgs,
    #[command(flatten)]
    live: LiveArgs,
    /// How drift is written
    #[arg(short, long, value_enum, default_value_t = Format::Markdown)]
    output: Format,
}

/// The formats of `drift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Markdown,
    /// A JSON list
    Json,
}

/// Looks, asks, prints.
pub fn run(args: &Args) -> CommandResult {
    let mut documents = args.documents.read()?;
    let cluster = args.live.name()?;
    let desired = documents.load(cluster.as_ref())?;
    let past = documents.past(desired.cluster().name())?;
    let namespace = desired.cluster().spec.namespace.to_string();
    let reconciler = super::runtime()?.block_on(async {
        let client = args.live.connect().await?;
        let mut reconciler = look::live(desired, past, &client).await?;
        compare(&mut reconciler, &client, namespace).await;
        Ok::<_, CommandError>(reconciler)
    })?;
    let found = reconciler.drift().next().is_some();
    output::print(&match (args.output, found) {
        (Format::Json, _) => report::drift_json(reconciler.drift()),
        (Format::Markdown, true) => report::drift_markdown(reconciler.drift()),
        (Format::Markdown, false) => "no drift\n".to_owned(),
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
            let outcome = client.carry(&caller, clock.now(), &ask).await;
            reconciler.input(clock.now(), Input::Done(ask.id, outcome));
        }
    }
}
