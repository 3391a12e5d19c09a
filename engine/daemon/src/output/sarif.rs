//! Findings as SARIF 2.1.0 (OASIS), which forges show on the lines of a pull request.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use berth_core::diagnostic::Severity;
use serde_json::{Value, json};

use super::finding::{Finding, Spot};

/// One SARIF log with one run.
pub fn sarif(findings: &[Finding]) -> Value {
    let codes: BTreeSet<_> = findings.iter().map(|finding| finding.code).collect();
    let rules: Vec<Value> = codes
        .iter()
        .map(|code| json!({"id": code.as_str(), "shortDescription": {"text": code.title()}}))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "berth",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let text = match &finding.help {
        Some(help) => format!("{}\nhelp: {help}", finding.message),
        None => finding.message.clone(),
    };
    let related = finding.related.iter().enumerate().map(|(id, related)| {
        let mut place = location(&related.spot);
        place["id"] = json!(id);
        place["message"] = json!({"text": related.message});
        place
    });
    json!({
        "ruleId": finding.code.as_str(),
        "level": level,
        "message": {"text": text},
        "locations": finding.spot.iter().map(location).collect::<Vec<_>>(),
        "relatedLocations": related.collect::<Vec<_>>(),
    })
}

fn location(spot: &Spot) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(&spot.path)},
        "region": {"startLine": spot.line, "startColumn": spot.column},
    }})
}

/// A relative reference of RFC 3986: what is not unreserved or `/` is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("experiments/a b.yaml"), "experiments/a%20b.yaml");
        assert_eq!(uri("ö.yaml"), "%C3%B6.yaml");
    }
}
