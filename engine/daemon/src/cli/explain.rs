//! `berth explain`

use std::collections::BTreeSet;

use berth_core::diagnostic::{SourceTable, closest, one_line};
use berth_core::object::Explained;
use serde_json::Value;

use super::cluster::NameArgs;
use super::documents::DocumentArgs;
use super::experiment;
use crate::error::{CommandError, CommandResult, Exit};
use crate::output::{self, Format};

/// Say of each field of an experiment's pod which layer, file and line it came from
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth explain resnet50
  berth explain resnet50 spec.nodeSelector
  berth explain resnet50 spec.containers.task.image
  berth explain resnet50 'spec.containers[0].env[DATA].value'
  berth explain vision/resnet50 spec.containers -o json")]
pub struct Args {
    /// The experiment, as NAME or QUEUE/NAME
    experiment: String,
    /// The field; all fields if left out. An item of a list is written by its key (`[task]`,
    /// `[name=task]`, `.task`), by its number from 0, or left out, which means all items. Paths
    /// that `berth drift` prints are taken too
    #[arg(value_name = "FIELD.PATH", default_value = "")]
    field: String,
    #[command(flatten)]
    documents: DocumentArgs,
    #[command(flatten)]
    name: NameArgs,
    /// How fields are written
    #[arg(short, long, default_value = "text", value_parser = output::among(output::DATA))]
    output: Format,
}

/// One field, for programs.
#[derive(serde::Serialize)]
struct Row<'a> {
    field: &'a str,
    value: Value,
    layer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

/// Explains and prints.
pub fn run(args: &Args) -> CommandResult {
    let cluster = args.name.name()?;
    let mut documents = args.documents.read()?;
    let desired = documents.load(cluster.as_ref())?;
    let chosen = experiment::choose(&documents, &desired, &args.experiment)?;
    let roles = chosen.roles(1)?;
    let look = |field: &str| {
        let role = roles.first();
        role.map(|role| chosen.subject().explain(role, field))
            .unwrap_or_default()
    };
    let explained = look(&args.field);
    if explained.is_empty() {
        let close = meant(&args.field, &look("")).or_else(|| below(&args.field, look));
        let hint = match close {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("`berth explain {}` lists all fields", args.experiment),
        };
        let error = CommandError::usage(format!("the pod has no field `{}`", args.field));
        return Err(error.hint(hint));
    }
    let fields: Vec<_> = explained
        .iter()
        .map(|it| field(it, desired.sources()))
        .collect();
    args.output.print(&fields, |_| Ok(text(&fields)))?;
    Ok(Exit::Fine)
}

/// The field, or the part of the pod above one, that is closest to what was asked for.
fn meant(field: &str, all: &[Explained]) -> Option<String> {
    let paths = all.iter().flat_map(|it| up(&it.path));
    let paths: BTreeSet<String> = paths.flat_map(|path| [dotted(&path), path]).collect();
    closest(field, paths.iter().map(String::as_str)).map(str::to_owned)
}

/// As [`meant`], where the first part of what was asked for is there, however it is written.
fn below(field: &str, look: impl Fn(&str) -> Vec<Explained>) -> Option<String> {
    let mut parts: Vec<String> = up(field).filter(|it| it != field).collect();
    parts.reverse();
    let there = parts.into_iter().map(|part| (look(&part), part));
    let (found, part) = there.into_iter().find(|(found, _)| !found.is_empty())?;
    let rest = field.strip_prefix(&*part)?;
    let paths = found
        .iter()
        .flat_map(|it| [it.path.clone(), keyed(&it.path), dotted(&it.path)]);
    let tails: BTreeSet<String> = paths.flat_map(|path| tails(&path)).collect();
    let close = closest(rest, tails.iter().map(String::as_str))?;
    Some(format!("{part}{close}"))
}

/// The path with the keys of items alone: `containers[task]` for `containers[name=task]`.
fn keyed(path: &str) -> String {
    let mut parts = path.split('[');
    let head = parts.next().unwrap_or_default().to_owned();
    parts.fold(head, |path, item| {
        let item = item.split_once('=').map_or(item, |(_, item)| item);
        format!("{path}[{item}")
    })
}

/// All ends of a path, and what is above them: `.env[A].value` of `spec.env[A].value`, and `.env[A]`.
fn tails(path: &str) -> Vec<String> {
    let starts = path.match_indices(['.', '[']).map(|(at, _)| &path[at..]);
    let ends = starts.flat_map(|tail| up(tail).collect::<Vec<_>>());
    ends.filter(|it| !it.is_empty()).collect()
}

/// The path as people write it: `containers.task` for `containers[name=task]`.
fn dotted(path: &str) -> String {
    let mut parts = path.split('[');
    let head = parts.next().unwrap_or_default().to_owned();
    parts.fold(head, |path, item| {
        let (item, rest) = item.split_once(']').unwrap_or((item, ""));
        let item = item.split_once('=').map_or(item, |(_, item)| item);
        format!("{path}.{item}{rest}")
    })
}

/// A path and those above it.
fn up(path: &str) -> impl Iterator<Item = String> {
    let ends = path.match_indices(['.', '[']).map(|(at, _)| at);
    ends.chain([path.len()]).map(|end| path[..end].to_owned())
}

fn field<'a>(explained: &'a Explained, sources: &SourceTable) -> Row<'a> {
    let place = explained.place.and_then(|place| {
        let source = sources.get(place.source)?;
        Some(format!(
            "{}:{}:{}",
            source.path, place.span.line, place.span.column
        ))
    });
    Row {
        field: &explained.path,
        value: value(&explained.value),
        layer: &explained.layer,
        place,
    }
}

/// The value that this JSON says.
fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json.into())
}

/// Two lines a field: what it is, and where it came from. What others named breaks none of them.
fn text(fields: &[Row]) -> String {
    use crate::output::{CYAN, DIM};
    let line = |it: &Row| {
        let place = it
            .place
            .as_deref()
            .map(|place| format!("  {}", one_line(place)))
            .unwrap_or_default();
        let said = format!("{}: {}", it.field, it.value);
        let (said, layer) = (one_line(&said), one_line(it.layer));
        format!("{said}\n    {CYAN}{layer}{CYAN:#}{DIM}{place}{DIM:#}\n")
    };
    fields.iter().map(line).collect()
}
