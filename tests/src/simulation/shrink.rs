//! From a story that fails to a short one that fails in the same way.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::story::{Broken, Story, play};

/// So many stories are played to find it, and for so long.
const TRIES: usize = 400;
const PATIENCE: Duration = Duration::from_secs(20);

/// Leaves out events, in ever smaller groups, as long as the story fails with the same words; then
/// plays it once more and writes down what happens. `None` if it does not fail.
pub fn shortest(story: &Story) -> Option<Broken> {
    let first = play(story).err()?;
    let sort = sort_of(&first);
    let mut best = Story {
        length: first.events.min(story.length),
        ..story.clone()
    };
    if !fails(&best, &sort) {
        best = story.clone();
    }
    let (mut tries, began) = (TRIES, Instant::now());
    let mut group = best.length.div_ceil(2);
    while group > 0 && tries > 0 && began.elapsed() < PATIENCE {
        let shorter = without_groups(&mut best, group, &sort, &mut tries);
        group = if shorter && group > 1 {
            group
        } else {
            group / 2
        };
    }
    best.traced = true;
    play(&best).err()
}

/// Tries to leave out each group of so many events; true if one could be.
fn without_groups(best: &mut Story, group: usize, sort: &str, tries: &mut usize) -> bool {
    let left: Vec<usize> = (0..best.length)
        .filter(|event| !best.without.contains(event))
        .collect();
    let mut shorter = false;
    // From the end: what comes late rarely matters to what comes before.
    for group in left.chunks(group).rev() {
        if *tries == 0 {
            break;
        }
        *tries -= 1;
        let without: BTreeSet<usize> = best.without.iter().chain(group).copied().collect();
        let candidate = Story {
            without: Rc::new(without),
            ..best.clone()
        };
        if fails(&candidate, sort) {
            *best = candidate;
            shorter = true;
        }
    }
    shorter
}

fn fails(story: &Story, sort: &str) -> bool {
    play(story).is_err_and(|broken| sort_of(&broken) == sort)
}

/// What is wrong without the names in it.
fn sort_of(broken: &Broken) -> String {
    let words = broken.wrong.first().map_or("", String::as_str);
    words
        .split_whitespace()
        .filter(|word| word.chars().all(|letter| letter.is_ascii_alphabetic()))
        .take(6)
        .collect::<Vec<_>>()
        .join(" ")
}
