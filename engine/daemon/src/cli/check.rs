//! `berth check`

use std::collections::BTreeMap;

use berth_core::diagnostic::one_line;
use berth_core::ids::UnitId;
use berth_core::report::{Action, Change, Plan};

use super::documents::PastArgs;
use super::plan::{self, Planned, TargetArgs};
use super::validate;
use crate::error::{CommandResult, Exit};
use crate::output::{self, Finding, Format, Remark};

/// Validate and plan in one, for a pull request's checks
///
/// Ends with 1 if a document is not valid, or was in force and stands now where nothing is read; what
/// would change is told and is no fault.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth check --offline
  berth check --repo . --ref \"$COMMIT\" -o markdown >> \"$SUMMARY\"
  berth check --repo . --ref \"$COMMIT\" -o sarif > berth.sarif")]
pub struct Args {
    #[command(flatten)]
    documents: PastArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// How the findings and the plan are written
    #[arg(short, long, default_value = "text", value_parser = output::among(output::ALL))]
    output: Format,
}

/// Validates, then plans what is valid.
pub fn run(args: &Args) -> CommandResult {
    let mut documents = args.documents.read()?;
    let validation = validate::report(&mut documents);
    // What is missed is known only beside what was in force.
    let (plan, valid, beside) = if validation.valid {
        let planned = plan::plan(&mut documents, &args.documents, &args.target)?;
        let Planned {
            plan,
            valid,
            findings,
        } = planned;
        (Some(plan), valid, findings)
    } else {
        (None, false, Vec::new())
    };
    let checked = Checked { validation, plan };
    match args.output {
        Format::Text => output::print_as_is(&text(&checked, Format::Text))?,
        Format::Sarif => output::print_as_is(&output::json(&sarif(&checked, beside))?)?,
        format => format.print(&checked, |format| Ok(text(&checked, format)))?,
    }
    Ok(Exit::findings(!valid))
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

/// All findings, each once, and what the plan takes from what is there.
fn sarif(checked: &Checked, beside: Vec<Finding>) -> serde_json::Value {
    let mut findings = beside;
    for finding in &checked.validation.findings {
        let same = |it: &Finding| {
            (it.code, &it.spot, &it.message) == (finding.code, &finding.spot, &finding.message)
        };
        if !findings.iter().any(same) {
            findings.push(finding.clone());
        }
    }
    let remarks = checked.plan.as_ref().map(remarks).unwrap_or_default();
    output::sarif(&findings, &remarks)
}

/// One for each document whose runs become something else, or whose objects would be deleted.
fn remarks(plan: &Plan) -> Vec<Remark> {
    let mut deleted: BTreeMap<Option<&UnitId>, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        if change.action == Action::Delete {
            deleted
                .entry(change.unit.as_ref())
                .or_default()
                .push(change);
        }
    }
    let waits = |unit: &UnitId| {
        let words = plan.waiting.get(unit);
        words.map(|words| format!("it waits: {words}"))
    };
    let runs = plan.runs.iter().map(|run| {
        let gone = deleted.remove(&Some(&run.unit)).unwrap_or_default();
        let mut lines = vec![format!("{}: {}", run.unit, run.what)];
        lines.extend(run.fields.iter().map(ToString::to_string));
        lines.extend(gone.iter().map(|it| taken(it)));
        lines.extend(waits(&run.unit));
        let of_gone = || gone.first()?.place.clone();
        Remark {
            rule: "plan-run",
            title: "What becomes of a run whose document changed",
            warning: !gone.is_empty(),
            text: in_lines(lines),
            place: run.place.clone().or_else(of_gone),
        }
    });
    let mut remarks: Vec<Remark> = runs.collect();
    remarks.extend(deleted.into_values().map(|gone| Remark {
        rule: "plan-delete",
        title: "Objects that would be deleted",
        warning: true,
        text: in_lines(gone.iter().map(|it| taken(it))),
        place: gone.first().and_then(|it| it.place.clone()),
    }));
    remarks
}

/// Each on a line of its own: what others named breaks none.
fn in_lines(texts: impl IntoIterator<Item = String>) -> String {
    let texts = texts.into_iter();
    let lines: Vec<String> = texts.map(|it| one_line(&it).into_owned()).collect();
    lines.join("\n")
}

fn taken(change: &Change) -> String {
    format!("would be deleted: {}: {}", change.object, change.why)
}
