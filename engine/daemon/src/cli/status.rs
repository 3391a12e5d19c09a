//! `berth status`

use std::fmt::Write as _;

use berth_core::diagnostic::one_line;
use berth_core::ids::Name;
use berth_core::ledger::UnitLedger;
use berth_git::StatusFiles;
use serde::Deserialize as _;
use serde_json::Value;

use super::branch::{self, BranchArgs};
use super::runs;
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
    /// Also what is finished, canceled (even before it ran) or withdrawn, and has no pods any more
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
    #[serde(skip_serializing_if = "Option::is_none")]
    not_in_force: Option<NotInForce>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    suspended: bool,
    units: Vec<Row>,
    errors: Vec<String>,
}

/// A newer commit that the daemon could not use.
#[derive(serde::Serialize)]
struct NotInForce {
    commit: String,
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
    attempt: Option<u32>,
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
    let report = report(&cluster, &files, args.all);
    args.output.print(&report, |_| Ok(text(&report)))?;
    Ok(Exit::Fine)
}

fn report(cluster: &Name, files: &StatusFiles, all: bool) -> Report {
    let parsed = branch::parsed(files);
    let summary = parsed.get("summary.yaml").cloned().unwrap_or_default();
    let mut units: Vec<Row> = parsed.values().filter_map(unit).collect();
    units.retain(|unit| all || is_present(unit));
    units.sort_by(|a, b| a.unit.cmp(&b.unit));
    let newer = &summary["notInForce"];
    Report {
        cluster: cluster.to_string(),
        status_commit: files.tip.to_string(),
        commit: summary["commit"].clone(),
        not_in_force: newer["commit"].as_str().map(|commit| NotInForce {
            commit: commit.to_owned(),
            errors: texts(&newer["errors"]),
        }),
        suspended: summary["suspended"] == true,
        units,
        errors: texts(&summary["errors"]),
    }
}

fn is_present(unit: &Row) -> bool {
    // What is finished or withdrawn can still have pods: held ones, or of a suspended cluster.
    !unit.pods.is_empty() || !is_over(&unit.state)
}

fn is_over(state: &str) -> bool {
    matches!(
        state,
        "" | "Completed" | "Failed" | "Canceled" | "InForce" | "Withdrawn"
    )
}

fn unit(file: &Value) -> Option<Row> {
    let status = &file["status"];
    let unit = file["unit"].as_str()?;
    // What this version cannot read is told without its past.
    let ledger = UnitLedger::deserialize(&file["ledger"]).ok();
    let named = status["run"].as_str();
    let run = ledger.as_ref().and_then(|it| runs::current(it, named));
    let attempts = run.and_then(|run| Some(&run.trials.first()?.attempts));
    let mut pods = texts(&status["pods"]);
    if let (Ok(id), Some(ledger)) = (unit.parse(), &ledger) {
        let more = runs::living(&id, ledger);
        pods.extend(
            more.into_iter()
                .filter(|pod| !pods.contains(pod))
                .collect::<Vec<_>>(),
        );
    }
    Some(Row {
        unit: unit.to_owned(),
        state: status["state"].as_str().unwrap_or_default().to_owned(),
        message: status["message"].as_str().map(str::to_owned),
        run: named
            .map(str::to_owned)
            .or_else(|| Some(run?.identity.short())),
        attempt: attempts.and_then(|attempts| Some(attempts.last()?.number)),
        outdated: texts(&status["outdated"]),
        pods,
        findings: texts(&status["findings"]),
        withdrawn: ledger.is_some_and(|it| it.withdrawn),
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
    let commit = short(report.commit.as_str().unwrap_or_default());
    let mut text = format!(
        "{BOLD}{}{BOLD:#} at {CYAN}{commit}{CYAN:#}\n",
        report.cluster
    );
    if report.suspended {
        let _ = writeln!(
            text,
            "{YELLOW}suspended{YELLOW:#} by the Cluster's `state`: nothing begins, nothing is deleted, and no deadline \
             ends anything, until it is `active`"
        );
    }
    if let Some(newer) = &report.not_in_force {
        let commit = short(&newer.commit);
        let _ = writeln!(
            text,
            "{RED}not in force{RED:#} is the newest commit, {CYAN}{commit}{CYAN:#}:"
        );
        for error in &newer.errors {
            let _ = writeln!(text, "           {}", one_line(error));
        }
    }
    for unit in &report.units {
        text.push_str(&lines(unit));
    }
    if report.units.is_empty() {
        text.push_str("nothing runs and nothing waits; --all shows what is finished or canceled\n");
    }
    for error in &report.errors {
        let _ = writeln!(text, "{RED}invalid{RED:#} {}", one_line(error));
    }
    text
}

fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or("none")
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
        "{colour}{:<10}{colour:#} {:<44} {DIM}{}{DIM:#}\n",
        one_line(&unit.state),
        one_line(&unit.unit),
        one_line(&run)
    );
    let message = unit.message.iter().cloned();
    let outdated =
        (!unit.outdated.is_empty()).then(|| format!("outdated: {}", unit.outdated.join(", ")));
    let lives = is_over(&unit.state) && !unit.pods.is_empty();
    let lives = lives.then(|| format!("still there: {}", unit.pods.join(", ")));
    let findings = unit.findings.iter().cloned();
    for line in message.chain(outdated).chain(lives).chain(findings) {
        let _ = writeln!(text, "           {}", one_line(&line));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use berth_core::ids::{CommitId, Name};
    use berth_git::StatusFiles;

    use super::{is_present, report, text, unit};

    fn run(letter: char, attempts: &Value) -> Value {
        json!({
            "identity": letter.to_string().repeat(64), "commit": "1".repeat(40),
            "began": "2026-01-01T00:00:00Z", "state": "open",
            "trials": [{"number": 1, "restarts": 0, "attempts": attempts}],
        })
    }

    fn attempt(number: u32, began: &str, rank: &Value) -> Value {
        json!({"number": number, "pods": 1, "slots": 1, "began": began, "ranks": [rank]})
    }

    /// The run `a`, then `b`, then `a` again.
    fn file(status: &Value) -> Value {
        let ended = json!({"rank": 0, "uid": "x", "vanished": true});
        let lives = json!({"rank": 0, "uid": "y"});
        let first = attempt(1, "2026-01-01T00:00:00Z", &ended);
        let again = attempt(2, "2026-01-03T00:00:00Z", &lives);
        let between = attempt(1, "2026-01-02T00:00:00Z", &ended);
        json!({
            "unit": "Experiment/vision/bert",
            "status": status,
            "ledger": {
                "sequence": 1, "firstSeen": "2026-01-01T00:00:00Z",
                "applied": {"commit": "1".repeat(40), "path": "a.yaml", "blob": "1".repeat(40)},
                "runs": [run('a', &json!([first, again])), run('b', &json!([between]))],
            },
        })
    }

    #[test]
    fn the_run_is_the_one_that_the_document_asks_for() {
        let row = |status: Value| {
            let row = unit(&file(&status)).unwrap();
            (row.run.unwrap(), row.attempt)
        };
        let of = |run: &str, attempt| (run.repeat(8), attempt);
        assert_eq!(
            row(json!({"state": "Running", "run": "aaaaaaaa"})),
            of("a", Some(2))
        );
        assert_eq!(
            row(json!({"state": "Waiting", "run": "bbbbbbbb"})),
            of("b", Some(1))
        );
        assert_eq!(
            row(json!({"state": "Waiting", "run": "cccccccc"})),
            of("c", None)
        );
        // The document is gone.
        assert_eq!(row(json!({"state": "Withdrawn"})), of("a", Some(2)));
    }

    fn told(summary: &Value) -> (String, Value) {
        let files = StatusFiles {
            tip: CommitId::from_bytes([9; 20]),
            files: vec![("summary.yaml".into(), summary.to_string().into_bytes())],
        };
        let report = report(&Name::new("lab").unwrap(), &files, false);
        let text = anstream::adapter::strip_str(&text(&report)).to_string();
        (text, serde_json::to_value(&report).unwrap())
    }

    #[test]
    fn why_all_stands_still_is_said_first() {
        let commit = "1".repeat(40);
        let (text, json) = told(&json!({"commit": commit, "errors": []}));
        assert!(text.starts_with("lab at 11111111\nnothing runs"), "{text}");
        assert!(json.get("suspended").is_none() && json.get("notInForce").is_none());
        let errors = ["B0502: the repository holds no documents; add documents"];
        let newer = json!({"commit": "2".repeat(40), "errors": errors});
        let (text, json) =
            told(&json!({"commit": commit, "suspended": true, "notInForce": newer.clone()}));
        let head = "lab at 11111111\n\
            suspended by the Cluster's `state`: nothing begins, nothing is deleted, and no deadline ends anything, until \
            it is `active`\n\
            not in force is the newest commit, 22222222:\n           \
            B0502: the repository holds no documents; add documents\n";
        assert!(text.starts_with(head), "{text}");
        assert_eq!(
            (&json["suspended"], &json["notInForce"]),
            (&json!(true), &newer)
        );
    }

    #[test]
    fn what_still_has_pods_is_present() {
        for state in ["Withdrawn", "Completed", "Failed", "Canceled"] {
            let mut file = file(&json!({"state": state, "run": "bbbbbbbb"}));
            let row = unit(&file).unwrap();
            assert_eq!(row.pods, ["bert-aaaaaaaa-1-2-0"], "{state}");
            assert!(is_present(&row), "{state}");
            let rank = &mut file["ledger"]["runs"][0]["trials"][0]["attempts"][1]["ranks"][0];
            rank["vanished"] = json!(true);
            let row = unit(&file).unwrap();
            assert!(row.pods.is_empty() && !is_present(&row), "{state}");
        }
    }
}
