//! `berth validate`

use std::path::PathBuf;

use super::documents::{DocumentArgs, Documents};
use super::repository::RepositoryArgs;
use crate::error::{CommandResult, Exit};
use crate::output::{self, Finding, Format};

/// Check every document of a folder or of a commit
///
/// All faults of all documents are reported, each with file, line and what to do. Neither the
/// cluster nor the ledger is asked: whether a commit is valid does not depend on them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth validate                               # the present folder
  berth validate state-example -o json
  berth validate --repo https://git.example.com/lab/state.git --ref main
  berth validate -o sarif > berth.sarif        # for a forge to show on the lines")]
pub struct Args {
    /// The folder; the present one if left out
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    repository: RepositoryArgs,
    /// How findings are written
    #[arg(short, long, default_value = "text", value_parser = output::among(output::FINDINGS))]
    output: Format,
}

/// What was found.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    /// Whether nothing is an error.
    pub valid: bool,
    /// How many documents were read.
    pub documents: usize,
    /// How many documents refer to one that is invalid: there may be more to find in them.
    pub unchecked: usize,
    /// Everything that is to be said.
    pub findings: Vec<Finding>,
}

/// Reads, checks, prints.
pub fn run(args: Args) -> CommandResult {
    let from = DocumentArgs {
        dir: args.dir,
        repository: args.repository,
    };
    let report = report(&mut from.read()?);
    match args.output {
        Format::Text => output::print_as_is(&text(&report))?,
        format => format.print(&report, |_| {
            output::json(&output::sarif(&report.findings, &[]))
        })?,
    }
    Ok(Exit::findings(!report.valid))
}

/// Checks documents.
pub fn report(documents: &mut Documents) -> Report {
    let validation = documents.validate();
    Report {
        valid: validation.is_valid(),
        documents: validation.documents,
        unchecked: validation.unchecked,
        findings: documents.resolve(&validation.findings, &validation.sources),
    }
}

/// The report for people.
pub fn text(report: &Report) -> String {
    let findings = output::findings_text(&report.findings);
    findings + &output::summary(report.documents, report.unchecked, &report.findings)
}
