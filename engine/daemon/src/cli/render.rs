//! `berth render`

use serde_json::Value;

use super::documents::DocumentArgs;
use super::experiment;
use crate::error::{CommandError, CommandResult, Exit};
use crate::output;

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
    /// The cluster, if the documents hold several
    #[arg(long, env = "BERTH_CLUSTER", value_name = "NAME")]
    cluster: Option<String>,
    /// The attempt
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    attempt: u32,
    /// Only the pod of this rank
    #[arg(long)]
    rank: Option<u32>,
    /// How objects are written
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    output: Format,
}

/// The formats of `render`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// YAML documents
    Yaml,
    /// One JSON list
    Json,
}

/// Renders and prints.
pub fn run(args: &Args) -> CommandResult {
    let cluster = super::name(args.cluster.as_deref())?;
    let desired = args.documents.read()?.load(cluster.as_ref())?;
    let chosen = experiment::choose(&desired, &args.experiment)?;
    let subject = chosen.subject();
    let roles = chosen.roles(args.attempt)?;
    let pods = roles
        .iter()
        .filter(|role| args.rank.is_none_or(|rank| rank == role.rank));
    let mut objects: Vec<Value> = pods.map(|role| subject.pod(role).to_json()).collect();
    match args.rank {
        Some(rank) if objects.is_empty() => return Err(no_rank(rank, roles.len())),
        Some(_) => {}
        None => objects
            .splice(0..0, [subject.config_map(), subject.service(args.attempt)])
            .for_each(drop),
    }
    output::print(&match args.output {
        Format::Yaml => yaml(&objects)?,
        Format::Json => output::json(&objects)?,
    })?;
    Ok(Exit::Fine)
}

fn yaml(objects: &[Value]) -> Result<String, CommandError> {
    let texts: Result<Vec<_>, _> = objects.iter().map(output::yaml).collect();
    Ok(texts?.join("---\n"))
}

fn no_rank(rank: u32, pods: usize) -> CommandError {
    CommandError::usage(format!("there is no rank {rank}"))
        .hint(format!("the attempt has {pods} pods, ranked from 0"))
}
