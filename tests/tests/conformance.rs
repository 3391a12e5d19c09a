//! The conformance suite: the same cases on the sandbox and on a real control plane.
//!
//! It always runs on the sandbox, and on the real one if `make controlplane` built it; under
//! `BERTH_CONTROLPLANE=required` it fails without. Arguments are parts of the names of the cases
//! to run; `BERTH_CONFORMANCE=sandbox` or `=real` picks one server.

use std::collections::BTreeSet;
use std::process::ExitCode;

use berth_tests::conformance::{Report, Server, any_matches, run};
use berth_tests::controlplane::Programs;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = std::env::args().skip(1);
    let filters: Vec<String> = arguments
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    if !any_matches(&filters) {
        eprintln!("conformance: no case matches {filters:?}");
        return ExitCode::FAILURE;
    }
    match all(&filters).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn all(filters: &[String]) -> Result<bool, berth_tests::controlplane::StartError> {
    let only = std::env::var("BERTH_CONFORMANCE").unwrap_or_default();
    let mut reports = Vec::new();
    if only != "real" {
        reports.push(run(Server::sandbox().await?, filters).await);
    }
    match Programs::if_built()? {
        Some(programs) if only != "sandbox" => {
            reports.push(run(Server::real(&programs).await?, filters).await);
        }
        Some(_) => println!("NOT RUN on kube-apiserver: BERTH_CONFORMANCE=sandbox"),
        None => println!("NOT RUN on kube-apiserver: it is not built (`make controlplane`)"),
    }
    let mut faults: BTreeSet<&str> = BTreeSet::new();
    for report in &reports {
        report.failed.iter().for_each(|(case, why)| {
            println!("FAILED on {}: {case}\n  {why}", report.server);
        });
        faults.extend(report.failed.keys());
    }
    if let [sandbox, real] = reports.as_slice() {
        faults.extend(compare(sandbox, real));
    }
    println!();
    for report in &reports {
        println!(
            "conformance on {}: {} passed, {} failed, {:.1} s",
            report.server,
            report.passed.len(),
            report.failed.len(),
            report.took.as_secs_f64(),
        );
    }
    for case in &faults {
        println!("FAULT: {case}");
    }
    Ok(faults.is_empty())
}

/// Prints where the answers differ; gives the cases.
fn compare(sandbox: &Report, real: &Report) -> Vec<&'static str> {
    let mut differing = Vec::new();
    for (case, ours) in &sandbox.passed {
        let Some(theirs) = real.passed.get(case) else {
            continue;
        };
        let mut found = Vec::new();
        for (ours, theirs) in ours.iter().zip(theirs) {
            let mut differences = Vec::new();
            let (ours, theirs) = (outline(ours, theirs), outline(theirs, ours));
            differ("", &ours, &theirs, &mut differences);
            if !differences.is_empty() {
                found.push(format!(
                    "  {}",
                    theirs["request"].as_str().unwrap_or("event")
                ));
                found.append(&mut differences);
            }
        }
        if ours.len() != theirs.len() {
            found.push(format!(
                "  {} answers, {} of the real server",
                ours.len(),
                theirs.len()
            ));
        }
        if !found.is_empty() {
            differing.push(*case);
            println!("DIFFERS: {case}\n{}", found.join("\n"));
        }
    }
    differing
}

/// Of answers of different kinds only what they are: their fields have nothing in common.
fn outline(answer: &Value, other: &Value) -> Value {
    if answer["status"] == other["status"] && answer["body"]["kind"] == other["body"]["kind"] {
        return answer.clone();
    }
    let mut outline = answer.clone();
    outline["body"] = json!({"kind": answer["body"]["kind"], "message": answer["body"]["message"]});
    outline
}

fn differ(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(one), Value::Object(other)) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let absent = Value::String("<absent>".to_owned());
                let of = |fields: &serde_json::Map<String, Value>| fields.get(key).cloned();
                let (ours, theirs) = (of(one), of(other));
                let path = format!("{path}/{key}");
                differ(
                    &path,
                    &ours.unwrap_or(absent.clone()),
                    &theirs.unwrap_or(absent),
                    found,
                );
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (ours, theirs)) in one.iter().zip(other).enumerate() {
                differ(&format!("{path}/{at}"), ours, theirs, found);
            }
        }
        _ if ours == theirs => {}
        _ => found.push(format!(
            "    {path}\n      sandbox {ours}\n      real    {theirs}"
        )),
    }
}
