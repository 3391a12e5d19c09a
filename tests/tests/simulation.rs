//! Thousands of stories. `BERTH_SEED=17 cargo test -p berth-tests --test simulation one_story` plays
//! one again and, if it fails, finds a short one that fails in the same way and tells it.
#![allow(clippy::panic, reason = "a test fails by panicking")]

use berth_tests::simulation::{Planted, Story, play, play_many, shortest};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
fn one_story() {
    let story = Story::new(number("BERTH_SEED", 1));
    if play(&story).is_err()
        && let Some(broken) = shortest(&story)
    {
        panic!("the shortest story that fails like this:\n{broken}");
    }
}

#[test]
fn nothing_is_lost_and_nothing_done_twice() {
    let first = number("BERTH_FIRST_SEED", 0);
    let count = number("BERTH_SEEDS", 1500);
    let (sum, failed) = play_many(first..first + count, Story::new);
    println!("{sum:?}");
    let Some(broken) = failed.first() else {
        assert!(sum.pods > 0, "the stories are empty");
        return;
    };
    for broken in &failed {
        println!("{}: {}", broken.seed, broken.wrong.join("; "));
    }
    let told = shortest(&Story::new(broken.seed)).unwrap_or_else(|| broken.clone());
    panic!(
        "{} of {count} stories fail; the shortest that fails like the first:\n{told}",
        failed.len()
    );
}

/// A simulation that finds nothing may be blind: it must find what was planted, and soon.
#[test]
fn planted_faults_are_found() {
    for (planted, seeds, words) in [
        (Planted::SkippedRecord, 60, "its outcome is nowhere"),
        (Planted::ReusedAttempt, 60, "was used twice"),
        (Planted::SkippedFinalizer, 60, "the ledger lacks the end"),
        (Planted::WritesWithoutLease, 60, "without the Lease"),
        (Planted::IgnoredHalt, 60, "is not its own"),
        (Planted::HastyListing, 60, "and not all was seen"),
        (Planted::HastyNodes, 600, "lives beside"),
        (Planted::ForgottenPast, 60, "its run was finished before"),
        (Planted::AdoptedForeigner, 600, "which is not Berth's"),
        (Planted::BelievedGone, 600, "lives beside"),
        (Planted::OwnForms, 600, "the form in force wants it"),
    ] {
        let found = (0..seeds).find(|seed| {
            let story = Story::new(*seed).with(planted);
            play(&story).is_err_and(|broken| broken.wrong.iter().any(|line| line.contains(words)))
        });
        println!("{planted:?}: found by seed {found:?}");
        assert!(
            found.is_some(),
            "{planted:?} was not found in {seeds} stories by `{words}`"
        );
    }
}
