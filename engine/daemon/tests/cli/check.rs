//! `berth check` without a cluster.

use super::{berth_in, folder, valid};

#[test]
fn a_check_fails_for_an_invalid_document_only() {
    assert_eq!(
        berth_in(valid().path(), &["check", "--offline"]).code,
        Some(0)
    );
    let root = folder(|text| text.replace("slotsPerTrial: 16", "slotsPerTrial: 12"));
    let run = berth_in(root.path(), &["check", "--offline"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.out.contains("B0401") && run.out.contains("8 and 16"),
        "{}",
        run.out
    );
    let good = valid();
    for (dir, valid) in [(good.path(), true), (root.path(), false)] {
        let run = berth_in(dir, &["check", "--offline", "-o", "json"]);
        let told: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(told["validation"]["valid"], valid);
        assert_eq!(told["plan"].is_object(), valid);
    }
}

/// What SARIF 2.1.0 requires of a log, and forges of its results.
fn sound_sarif(text: &str) -> Vec<serde_json::Value> {
    let log: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "berth");
    let rules = driver["rules"].as_array().unwrap();
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let results = run["results"].as_array().unwrap();
    for result in results {
        assert!(
            rules.contains(&result["ruleId"].as_str().unwrap()),
            "{result}"
        );
        assert!(
            !result["message"]["text"].as_str().unwrap().is_empty(),
            "{result}"
        );
        let level = result["level"].as_str().unwrap();
        assert!(["error", "warning", "note"].contains(&level), "{result}");
    }
    results.clone()
}

#[test]
fn a_check_writes_sarif_and_ends_as_it_does_otherwise() {
    let good = berth_in(valid().path(), &["check", "--offline", "-o", "sarif"]);
    assert_eq!(good.code, Some(0), "{}", good.err);
    assert!(sound_sarif(&good.out).is_empty(), "{}", good.out);
    let root = folder(|text| text.replace("slotsPerTrial: 16", "slotsPerTrial: 12"));
    let run = berth_in(root.path(), &["check", "--offline", "-o", "sarif"]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    let results = sound_sarif(&run.out);
    assert_eq!(results.len(), 1, "{}", run.out);
    assert_eq!(
        (&results[0]["ruleId"], &results[0]["level"]),
        (&"B0401".into(), &"error".into())
    );
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"]["uri"],
        "experiments/resnet50.yaml"
    );
    assert_eq!(place["region"]["startLine"], 7);
    // A link is told once, though both the validation and the plan find it.
    let linked = valid();
    std::os::unix::fs::symlink("/etc", linked.path().join("etc")).unwrap();
    let run = berth_in(linked.path(), &["check", "--offline", "-o", "sarif"]);
    assert_eq!(sound_sarif(&run.out).len(), 1, "{}", run.out);
}
