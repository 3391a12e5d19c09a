//! `berth status`

use serde_json::Value;
use std::fmt::Write as _;

use super::branch::{self, BranchArgs};
use crate::error::{CommandResult, Exit};
use crate::output::{self, BOLD, CYAN, DIM, Format, GREEN, RED, YELLOW};

/// Show what runs, what waits and for what, from the status branch
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth status
  berth status --repo https://git.example.com/lab/state.git --cluster lab
  berth status -o json | jq '.units[] | select(.state == \"Waiting\")'")]
pub struct Args {
    #[command(flatten)]
    branch: BranchArgs,
    /// Also what is finished and withdrawn
    #[arg(long)]
    all: bool,
    /// How the status is written
    #[arg(short, long, default_value = "text", value_parser = output::among(output::DATA))]
    output: Format,
}

/// The whole status.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    cluster: String,
    status_commit: String,
    commit: Value,
    units: Vec<Row>,
    errors: Vec<String>,
}

/// One document.
#[derive(serde::Serialize)]
struct Row {
    unit: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outdated: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pods: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<String>,
    withdrawn: bool,
}

/// Reads and prints.
pub fn run(args: &Args) -> CommandResult {
    let cluster = args.branch.cluster()?;
    let files = args.branch.files(&cluster)?;
    let parsed = branch::parsed(&files);
    let summary = parsed.get("summary.yaml").cloned().unwrap_or_default();
    let mut all: Vec<Row> = parsed.values().filter_map(unit).collect();
    all.sort_by(|a, b| a.unit.cmp(&b.unit));
    let report = Report {
        cluster: cluster.to_string(),
        status_commit: files.tip.to_string(),
        commit: summary["commit"].clone(),
        units: all
            .into_iter()
            .filter(|unit| args.all || is_present(unit))
            .collect(),
        errors: texts(&summary["errors"]),
    };
    args.output.print(&report, |_| Ok(text(&report)))?;
    Ok(Exit::Fine)
}

fn is_present(unit: &Row) -> bool {
    // A unit that was withdrawn and is held runs on.
    !matches!(
        unit.state.as_str(),
        "" | "Completed" | "Failed" | "Canceled" | "InForce" | "Withdrawn"
    )
}

fn unit(file: &Value) -> Option<Row> {
    let (status, ledger) = (&file["status"], &file["ledger"]);
    let run = ledger["runs"].as_array().and_then(|runs| runs.last());
    let attempts = run.and_then(|run| run["trials"][0]["attempts"].as_array());
    Some(Row {
        unit: file["unit"].as_str()?.to_owned(),
        state: status["state"].as_str().unwrap_or_default().to_owned(),
        message: status["message"].as_str().map(str::to_owned),
        run: run.and_then(|run| Some(run["identity"].as_str()?.get(..8)?.to_owned())),
        attempt: attempts.and_then(|attempts| attempts.last()?["number"].as_u64()),
        outdated: texts(&status["outdated"]),
        pods: texts(&status["pods"]),
        findings: texts(&status["findings"]),
        withdrawn: ledger["withdrawn"].as_bool().unwrap_or_default(),
    })
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn text(report: &Report) -> String {
    let commit = report
        .commit
        .as_str()
        .unwrap_or("none")
        .get(..8)
        .unwrap_or("none");
    let mut text = format!(
        "{BOLD}{}{BOLD:#} at {CYAN}{commit}{CYAN:#}\n",
        report.cluster
    );
    for unit in &report.units {
        text.push_str(&lines(unit));
    }
    if report.units.is_empty() {
        text.push_str("nothing runs and nothing waits; --all shows what is finished\n");
    }
    for error in &report.errors {
        let _ = writeln!(text, "{RED}invalid{RED:#} {error}");
    }
    text
}

fn lines(unit: &Row) -> String {
    let colour = match unit.state.as_str() {
        "Running" | "Completed" => GREEN,
        "Failed" | "Invalid" => RED,
        _ => YELLOW,
    };
    let run = match (&unit.run, unit.attempt) {
        (Some(run), Some(attempt)) => format!("run {run}, attempt {attempt}"),
        (Some(run), None) => format!("run {run}"),
        _ => String::new(),
    };
    let mut text = format!(
        "{colour}{:<10}{colour:#} {:<44} {DIM}{run}{DIM:#}\n",
        unit.state, unit.unit
    );
    let message = unit.message.iter().cloned();
    let outdated =
        (!unit.outdated.is_empty()).then(|| format!("outdated: {}", unit.outdated.join(", ")));
    for line in message.chain(outdated).chain(unit.findings.iter().cloned()) {
        let _ = writeln!(text, "           {line}");
    }
    text
}
