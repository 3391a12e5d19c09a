//! Findings as SARIF 2.1.0 (OASIS), which forges show on the lines of a pull request.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use berth_core::diagnostic::Severity;
use serde_json::{Value, json};

use super::finding::{Finding, Spot};

/// Something worth a look that is no fault.
#[derive(Debug)]
pub struct Remark {
    /// The stable name of its kind.
    pub rule: &'static str,
    /// What that kind means.
    pub title: &'static str,
    /// Whether something is lost by it.
    pub warning: bool,
    /// What is to be said.
    pub text: String,
    /// `path:line`, or a path alone.
    pub place: Option<String>,
}

/// One SARIF log with one run.
pub fn sarif(findings: &[Finding], remarks: &[Remark]) -> Value {
    let codes = findings
        .iter()
        .map(|it| (it.code.as_str(), it.code.title()));
    let rules: BTreeSet<_> = codes
        .chain(remarks.iter().map(|it| (it.rule, it.title)))
        .collect();
    let rules: Vec<Value> = rules
        .into_iter()
        .map(|(id, title)| json!({"id": id, "shortDescription": {"text": title}}))
        .collect();
    let results = findings.iter().map(result).chain(remarks.iter().map(noted));
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
            "results": results.collect::<Vec<_>>(),
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

fn noted(remark: &Remark) -> Value {
    let place = remark.place.iter().map(|place| {
        let numbered = place.rsplit_once(':');
        let line = numbered.and_then(|(path, line)| Some((path, line.parse::<u32>().ok()?)));
        match line {
            Some((path, line)) => json!({"physicalLocation": {
                "artifactLocation": {"uri": uri(path)},
                "region": {"startLine": line},
            }}),
            None => json!({"physicalLocation": {"artifactLocation": {"uri": uri(place)}}}),
        }
    });
    json!({
        "ruleId": remark.rule,
        "level": if remark.warning { "warning" } else { "note" },
        "message": {"text": remark.text},
        "locations": place.collect::<Vec<_>>(),
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
