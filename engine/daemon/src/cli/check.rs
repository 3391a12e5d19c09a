//! `berth check`

use berth_core::report::Plan;

use super::documents::DocumentArgs;
use super::plan::{self, Format, TargetArgs};
use super::validate;
use crate::error::{CommandError, CommandResult, Exit};
use crate::output;

/// Validate and plan in one, for a pull request's checks
///
/// Ends with 1 if a document is not valid; what would change is told and is no fault.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth check --offline
  berth check --repo . --ref \"$COMMIT\" -o markdown >> \"$SUMMARY\"")]
pub struct Args {
    #[command(flatten)]
    documents: DocumentArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// How the findings and the plan are written
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// Validates, then plans what is valid.
pub fn run(args: &Args) -> CommandResult {
    let mut documents = args.documents.read()?;
    let validation = validate::report(&mut documents);
    let plan = if validation.valid {
        Some(plan::plan(&mut documents, &args.target)?)
    } else {
        None
    };
    let exit = Exit::findings(!validation.valid);
    output::print(&match args.output {
        Format::Json => output::json(&Checked { validation, plan })?,
        format => text(&validation, plan.as_ref(), format)?,
    })?;
    Ok(exit)
}

/// What a check found, as JSON.
#[derive(serde::Serialize)]
struct Checked {
    validation: validate::Report,
    /// Absent if a document is not valid.
    plan: Option<Plan>,
}

fn text(
    validation: &validate::Report,
    plan: Option<&Plan>,
    format: Format,
) -> Result<String, CommandError> {
    let findings = validate::text(validation);
    Ok(match plan {
        Some(plan) => format!("{findings}\n{}", plan::written(plan, format)?),
        None => findings,
    })
}
