//! `berth schema`

use berth_core::ids::DocumentKind;
use berth_core::kinds::schema;

use crate::error::{CommandError, CommandResult, Exit};
use crate::output;

/// Print the JSON Schema of a kind of document, or of any document
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth schema Experiment > schema/experiment.json
  berth schema                 # any document, chosen by its kind

An editor reads it from a comment on a document's first line:
  # yaml-language-server: $schema=../../schema/experiment.json")]
pub struct Args {
    /// The kind, such as Experiment; any kind if left out
    kind: Option<String>,
}

/// Prints the schema.
pub fn run(args: &Args) -> CommandResult {
    let wanted = file_of(args.kind.as_deref().unwrap_or("document"));
    let all = schema::all();
    match all
        .iter()
        .find(|(name, _)| file_of(name.trim_end_matches(".json")) == wanted)
    {
        Some((_, schema)) => output::print(&output::json(schema)?).map(|()| Exit::Fine),
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

fn unknown(kind: &str) -> CommandError {
    let built = DocumentKind::BUILT.map(DocumentKind::as_str);
    CommandError::usage(format!("there is no kind `{kind}`"))
        .hint(format!("there are: {}", built.join(", ")))
}
