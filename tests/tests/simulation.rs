//! Thousands of stories. `BERTH_SEED=17 cargo test --test simulation one_story` plays one again.
#![allow(clippy::panic, reason = "a test fails by panicking")]

use berth_tests::simulation::{Planted, Report, Story, play};

fn story(seed: u64) -> Story {
    Story {
        seed,
        length: 600,
        planted: None,
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
fn one_story() {
    if let Err(broken) = play(story(number("BERTH_SEED", 1))) {
        panic!("{broken}");
    }
}

#[test]
fn nothing_is_lost_and_nothing_done_twice() {
    let first = number("BERTH_FIRST_SEED", 0);
    let count = number("BERTH_SEEDS", 60);
    let mut sum = Report::default();
    let mut failed = Vec::new();
    for seed in first..first + count {
        match play(story(seed)) {
            Ok(report) => {
                sum.calls += report.calls;
                sum.pods += report.pods;
                sum.commits += report.commits;
                sum.lives += report.lives;
                sum.spills += report.spills;
                sum.rolled_back += report.rolled_back;
            }
            Err(broken) => failed.push(broken),
        }
    }
    println!("{count} stories: {sum:?}");
    assert!(sum.pods > 0 || !failed.is_empty(), "the stories are empty");
    if let Some(broken) = failed.first() {
        for broken in &failed {
            println!("{}: {}", broken.seed, broken.wrong.join("; "));
        }
        panic!(
            "{} of {count} stories fail; the first:\n{broken}",
            failed.len()
        );
    }
}

/// A simulation that finds nothing may be blind: it must find what was planted.
#[test]
fn planted_faults_are_found() {
    for (planted, words) in [
        (Planted::SkippedRecord, "its outcome is nowhere"),
        (Planted::ReusedAttempt, "was used twice"),
    ] {
        let found = (0..60).any(|seed| {
            let story = Story {
                planted: Some(planted),
                ..story(seed)
            };
            play(story).is_err_and(|broken| broken.wrong.iter().any(|line| line.contains(words)))
        });
        assert!(found, "{planted:?} was not found");
    }
}
