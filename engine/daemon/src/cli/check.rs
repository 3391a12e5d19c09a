//! `berth check`

use berth_core::report::Plan;

use super::documents::PastArgs;
use super::plan::{self, TargetArgs};
use super::validate;
use crate::error::{CommandResult, Exit};
use crate::output::{self, Format};

/// Validate and plan in one, for a pull request's checks
///
/// Ends with 1 if a document is not valid, or was in force and stands now where nothing is read; what
/// would change is told and is no fault.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth check --offline
  berth check --repo . --ref \"$COMMIT\" -o markdown >> \"$SUMMARY\"")]
pub struct Args {
    #[command(flatten)]
    documents: PastArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// How the findings and the plan are written
    #[arg(short, long, default_value = "text", value_parser = output::among(output::TABLES))]
    output: Format,
}

/// Validates, then plans what is valid.
pub fn run(args: &Args) -> CommandResult {
    let mut documents = args.documents.read()?;
    let validation = validate::report(&mut documents);
    // What is missed is known only beside what was in force.
    let (plan, valid) = if validation.valid {
        let (plan, valid) = plan::plan(&mut documents, &args.documents, &args.target)?;
        (Some(plan), valid)
    } else {
        (None, false)
    };
    let exit = Exit::findings(!valid);
    let checked = Checked { validation, plan };
    match args.output {
        Format::Text => output::print_as_is(&text(&checked, Format::Text))?,
        format => format.print(&checked, |format| Ok(text(&checked, format)))?,
    }
    Ok(exit)
}

/// What a check found, as JSON.
#[derive(serde::Serialize)]
struct Checked {
    validation: validate::Report,
    /// Absent if a document is not valid.
    plan: Option<Plan>,
}

fn text(checked: &Checked, format: Format) -> String {
    let findings = validate::text(&checked.validation);
    match &checked.plan {
        Some(plan) => format!("{findings}\n{}", plan::words(plan, format)),
        None => findings,
    }
}
