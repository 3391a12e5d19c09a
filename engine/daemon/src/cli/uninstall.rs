//! `berth uninstall`

use std::collections::BTreeSet;
use std::fmt::Write as _;

use berth_cluster::client::Client;
use berth_cluster::wire::Caller;
use berth_core::ids::{ObjectKey, ObjectKind};
use berth_core::observed::marks::FINALIZER;
use berth_core::observed::{Fact, Ownership};
use berth_core::reconciler::{
    Effect, EffectId, Outcome, Reconciler, What, anchor_name, spill_name,
};

use super::cluster::LiveArgs;
use super::documents::PastArgs;
use crate::error::{CommandError, CommandResult, Exit};
use crate::look::{self, Spill};
use crate::output;
use crate::run::clock::Clock;
use crate::run::{Lead, leadership};

/// Take Berth's finalizers off its pods, and say what stays
///
/// Nothing is deleted: what runs goes on. The daemon must have been stopped: the Lease is taken
/// first. Outcomes that are not on the status branch yet are lost with the finalizers.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth uninstall --repo . --cluster lab         # say what would be done
  berth uninstall --repo . --cluster lab --yes   # do it")]
pub struct Args {
    #[command(flatten)]
    documents: PastArgs,
    #[command(flatten)]
    live: LiveArgs,
    /// Do it
    #[arg(long)]
    yes: bool,
}

/// Looks, releases, lists.
pub fn run(args: &Args) -> CommandResult {
    let mut documents = args.documents.read()?;
    let cluster = args.live.name()?;
    let read = documents.load_with_past(cluster.as_ref(), &Spill::new())?;
    let again = |spill: &Spill| args.documents.read_with_past(cluster.as_ref(), spill);
    let (name, namespace) = {
        let cluster = read.0.cluster();
        (cluster.name().clone(), cluster.spec.namespace.clone())
    };
    let lifelines = args.documents.access().lifelines();
    super::runtime()?.block_on(async {
        let client = args.live.connect().await?;
        let mut reconciler = look::live(read, again, &client).await?;
        let facts = reconciler.observed().facts();
        let ours = facts.filter(|it| it.finalizer && is_ours(it));
        let mut held: Vec<Fact> = ours.cloned().collect();
        let unseen = reconciler.find_unmarked(Clock::start().now());
        if args.yes {
            let lead = leadership(&client, &name, &namespace, lifelines).await?;
            let caller = caller(&reconciler, namespace.as_str());
            for effect in &unseen {
                held.extend(find(&client, &caller, effect, &lead).await?);
            }
            for fact in &held {
                release(&client, &caller, fact, &lead).await?;
            }
            lead.give_up().await;
        }
        let verb = if args.yes {
            "released"
        } else {
            "would be released"
        };
        output::print(&format!("{} {verb}\n", output::count(held.len(), "pod")))?;
        if !args.yes && !unseen.is_empty() {
            let pods = output::count(unseen.len(), "pod");
            output::print(&format!(
                "{pods} without all of Berth's marks, which the ledger knows, would be looked for too\n"
            ))?;
        }
        output::print(&staying(&reconciler, &unseen, namespace.as_str()))?;
        let names = [
            anchor_name(&name),
            spill_name(&name),
            format!("berth-{name} (Lease)"),
        ];
        output::print(&format!(
            "In the namespace {namespace}, if they are there: {}\n\
             In Git: the branch berth/status/{name}\n",
            names.join(", ")
        ))?;
        Ok(Exit::Fine)
    })
}

fn caller(reconciler: &Reconciler, namespace: &str) -> Caller {
    let instance = reconciler
        .identity()
        .map(|it| it.instance.clone())
        .unwrap_or_default();
    Caller {
        instance,
        namespace: namespace.to_owned(),
    }
}

/// One of them, if it is there and carries the finalizer.
async fn find(
    client: &Client,
    caller: &Caller,
    effect: &Effect,
    lead: &Lead,
) -> Result<Option<Fact>, CommandError> {
    let may_send = || lead.may_send();
    match client.carry(caller, lead.now(), effect, may_send).await {
        Outcome::Done(fact) => Ok(fact.map(|it| *it).filter(|fact| fact.finalizer)),
        Outcome::Absent => Ok(None),
        other => Err(failed(&format!("{}: {other:?}", effect.why), "find a pod")),
    }
}

fn failed(cause: &str, doing: &str) -> CommandError {
    CommandError::environment(cause)
        .while_doing(doing)
        .hint("run it again: what is released stays so")
}

async fn release(
    client: &Client,
    caller: &Caller,
    fact: &Fact,
    lead: &Lead,
) -> Result<(), CommandError> {
    let effect = Effect {
        id: EffectId(0),
        unit: None,
        why: "Berth is uninstalled".into(),
        what: What::Release {
            key: fact.key.clone(),
            uid: fact.uid.clone(),
            version: fact.version,
        },
    };
    let may_send = || lead.may_send();
    match client.carry(caller, lead.now(), &effect, may_send).await {
        Outcome::Done(_) | Outcome::Absent => Ok(()),
        other => Err(failed(
            &format!("{}: {other:?}", fact.key),
            "take a finalizer off",
        )),
    }
}

/// As the daemon decides it: by name, marks and owner, not by the label alone, which a copy has too.
fn is_ours(fact: &Fact) -> bool {
    matches!(fact.ownership, Ownership::Ours(_))
}

/// What Berth made and leaves behind, and what only looks so.
fn staying(reconciler: &Reconciler, unseen: &[Effect], own: &str) -> String {
    let known: BTreeSet<&ObjectKey> = unseen.iter().filter_map(marked).collect();
    let facts = reconciler.observed().facts();
    let (ours, others): (Vec<&Fact>, Vec<&Fact>) =
        facts.partition(|fact| is_ours(fact) || known.contains(&fact.key));
    let keys: BTreeSet<&ObjectKey> = ours.into_iter().map(|fact| &fact.key).collect();
    let mut text = String::from("What stays:\n");
    for kind in ObjectKind::ALL {
        for key in keys
            .iter()
            .filter(|key| key.kind == kind && &*key.namespace != own)
        {
            let _ = writeln!(text, "  {key}");
        }
    }
    if !others.is_empty() {
        text.push_str("Not Berth's, though it carries its label, and left as it is:\n");
    }
    for fact in others {
        let why = match &fact.ownership {
            Ownership::Foreign(why) => &**why,
            Ownership::Ours(_) => continue,
        };
        let finalizer = if fact.finalizer {
            format!("; it cannot go before somebody takes its finalizer {FINALIZER} off")
        } else {
            String::new()
        };
        let _ = writeln!(text, "  {}: {why}{finalizer}", fact.key);
    }
    text
}

/// The pod that an effect puts the marks back on.
fn marked(effect: &Effect) -> Option<&ObjectKey> {
    match &effect.what {
        What::Mark { key, .. } => Some(key),
        _ => None,
    }
}
