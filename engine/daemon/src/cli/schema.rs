//! `berth schema`

use std::fmt::Write as _;

use berth_core::ids::DocumentKind;
use berth_core::kinds::schema;
use serde_json::Value;

use crate::error::{CommandError, CommandResult, Exit};
use crate::output::{self, BOLD, DIM, Format};

/// Print the JSON Schema of a kind of document, or of any document
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth schema Experiment > schema/experiment.json
  berth schema Queue -o text   # the fields, a line each
  berth schema                 # any document, chosen by its kind

An editor reads it from a comment on a document's first line:
  # yaml-language-server: $schema=../../schema/experiment.json")]
pub struct Args {
    /// The kind, such as Experiment; any kind if left out
    kind: Option<String>,
    /// How it is written; text is a line a field
    #[arg(short, long, default_value = "json", value_parser = output::among(output::DATA))]
    output: Format,
}

/// Prints the schema.
pub fn run(args: &Args) -> CommandResult {
    let wanted = file_of(args.kind.as_deref().unwrap_or("document"));
    let all = schema::all();
    match all
        .iter()
        .find(|(name, _)| file_of(name.trim_end_matches(".json")) == wanted)
    {
        Some((_, schema)) => {
            args.output.print(schema, |_| Ok(fields(schema)))?;
            Ok(Exit::Fine)
        }
        None => Err(unknown(args.kind.as_deref().unwrap_or_default())),
    }
}

/// `PodDefaults`, `pod-defaults` and `pod_defaults` are one.
fn file_of(kind: &str) -> String {
    kind.chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase()
}

/// The fields of a schema, a line each.
fn fields(schema: &Value) -> String {
    let mut text = String::new();
    below("", schema, schema, &mut text);
    text
}

fn below(path: &str, owner: &Value, schema: &Value, into: &mut String) {
    let owner = resolved(owner, schema);
    let required = |name: &str| {
        let names = owner["required"].as_array().into_iter().flatten();
        names.into_iter().any(|it| it == name)
    };
    for (name, field) in owner["properties"].as_object().into_iter().flatten() {
        if field.get("not").is_some() {
            continue;
        }
        let path = format!("{path}{name}");
        let target = resolved(field, schema);
        let words = field["description"]
            .as_str()
            .or(target["description"].as_str());
        let mark = if required(name) { " (required)" } else { "" };
        let words = words.unwrap_or_default().replace('\n', " ");
        let _ = writeln!(into, "{BOLD}{path}{BOLD:#}{DIM}{mark}{DIM:#}: {words}");
        below(&format!("{path}."), target, schema, into);
    }
    if let Some(items) = owner.get("items") {
        let path = path.trim_end_matches('.');
        below(&format!("{path}[]."), items, schema, into);
    }
}

/// What `$ref` names.
fn resolved<'a>(node: &'a Value, schema: &'a Value) -> &'a Value {
    let name = node["$ref"]
        .as_str()
        .and_then(|name| name.strip_prefix('#'));
    name.and_then(|name| schema.pointer(name)).unwrap_or(node)
}

fn unknown(kind: &str) -> CommandError {
    let built = DocumentKind::BUILT.map(DocumentKind::as_str);
    CommandError::usage(format!("there is no kind `{kind}`"))
        .hint(format!("there are: {}", built.join(", ")))
}
