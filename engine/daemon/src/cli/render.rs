//! `berth render`

use berth_core::diagnostic::counted;
use serde_json::Value;

use super::cluster::NameArgs;
use super::documents::DocumentArgs;
use super::experiment;
use crate::error::{CommandError, CommandResult, Exit};
use crate::output::{self, Format};

/// Print the objects that an experiment becomes
///
/// As Berth would send them, but for the labels and annotations by which it knows its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth render resnet50
  berth render vision/resnet50 --rank 0 -o json
  berth render resnet50 | kubectl apply --dry-run=server -f -")]
pub struct Args {
    /// The experiment, as NAME or QUEUE/NAME
    experiment: String,
    #[command(flatten)]
    documents: DocumentArgs,
    #[command(flatten)]
    name: NameArgs,
    /// The attempt
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    attempt: u32,
    /// Only the pod of this rank
    #[arg(long)]
    rank: Option<u32>,
    /// How objects are written; text is YAML documents, as yaml
    #[arg(short, long, default_value = "yaml", value_parser = output::among(output::DATA))]
    output: Format,
}

/// Renders and prints.
pub fn run(args: &Args) -> CommandResult {
    let cluster = args.name.name()?;
    let mut documents = args.documents.read()?;
    let desired = documents.load(cluster.as_ref())?;
    let chosen = experiment::choose(&documents, &desired, &args.experiment)?;
    let subject = chosen.subject();
    let roles = chosen.roles(args.attempt)?;
    let pods = roles
        .iter()
        .filter(|role| args.rank.is_none_or(|rank| rank == role.rank));
    let mut objects: Vec<Value> = pods.map(|role| subject.pod(role).to_json()).collect();
    match args.rank {
        Some(rank) if objects.is_empty() => return Err(no_rank(rank, roles.len() as u64)),
        Some(_) => {}
        None => {
            // A single pod has no peers to find.
            let service = (roles.len() > 1).then(|| subject.service(args.attempt));
            objects.splice(0..0, service).for_each(drop);
        }
    }
    match args.output {
        Format::Json => output::print_as_is(&output::json(&objects)?)?,
        _ => output::print_data(&yaml(&objects)?)?,
    }
    Ok(Exit::Fine)
}

fn yaml(objects: &[Value]) -> Result<String, CommandError> {
    let texts: Result<Vec<_>, _> = objects.iter().map(output::yaml).collect();
    Ok(texts?.join("---\n"))
}

fn no_rank(rank: u32, pods: u64) -> CommandError {
    CommandError::usage(format!("there is no rank {rank}")).hint(format!(
        "the attempt has {}, ranked from 0",
        counted(pods, "pod")
    ))
}
