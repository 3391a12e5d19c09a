//! When what waits may start, as far as what holds slots says when it ends.

use std::collections::BTreeMap;

use super::supply::Seats;
use super::{Asked, QueueRules, Supply};
use crate::diagnostic::counted;
use crate::ids::{Name, Timestamp};
use crate::kinds::Ask;

/// For so many of what waits, the first ones, it is worked out.
const MOST: usize = 16;

/// What to add to the words on what waits, by its index in `asks`. `waiting` is in the order in
/// which it starts; `supply` and `used` are what is left once all that holds has its place.
///
/// What holds ends at the latest when its `maxRuntime` is over. At each such end, in the order of
/// time, what then fits starts, those ahead first, and holds in turn for its own `maxRuntime`. It is
/// no promise: nothing is kept free, so what arrives later and is smaller may start before, and
/// move it.
pub(super) fn forecast(
    asks: &[Asked<'_>],
    waiting: &[usize],
    queues: &BTreeMap<Name, QueueRules>,
    supply: Supply<'_>,
    used: BTreeMap<Name, u64>,
) -> Vec<(usize, String)> {
    let hopeful = |index: &usize| {
        let ask = asks[*index].ask;
        let rules = queues.get(&ask.queue);
        rules.is_some_and(|rules| {
            ask.slots <= rules.quota && !(rules.observed && supply.never(ask).is_some())
        })
    };
    let first = waiting.iter().copied().take(MOST);
    let told: Vec<usize> = first.filter(hopeful).collect();
    if told.is_empty() || supply.unknown().is_some() {
        return Vec::new();
    }
    let blocked = |ask: &Ask| {
        let rules = queues.get(&ask.queue);
        let used = used.get(&ask.queue).copied().unwrap_or(0);
        rules.is_some_and(|rules| used + u64::from(ask.slots) > u64::from(rules.quota))
    };
    let by_quota: Vec<bool> = told.iter().map(|index| blocked(asks[*index].ask)).collect();
    let starts = Course::new(asks, queues, supply, used).starts(told.clone());
    let mut waits = vec![false; asks.len()];
    for index in waiting {
        waits[*index] = true;
    }
    let holding = (0..asks.len()).filter(|index| !waits[*index]);
    let words = told
        .iter()
        .copied()
        .zip(by_quota)
        .filter_map(|(index, quota)| {
            if let Some(at) = starts.get(&index) {
                let words = format!("; may start at {at} unless smaller work passes it");
                return Some((index, words));
            }
            let before = told.iter().copied().take_while(|it| *it != index);
            let ahead: Vec<&Ask> = holding
                .clone()
                .chain(before)
                .map(|it| asks[it].ask)
                .collect();
            let own = ahead.iter().filter(|it| it.queue == asks[index].ask.queue);
            let own: Vec<&Ask> = own.filter(|_| quota).copied().collect();
            let words = unknown(&own).or_else(|| unknown(&ahead))?;
            Some((index, words))
        });
    words.collect()
}

/// Why these keep it from being told when something may start.
fn unknown(ahead: &[&Ask]) -> Option<String> {
    let slots = |of: &dyn Fn(&Ask) -> bool| -> u64 {
        let ahead = ahead.iter().filter(|ask| of(ask));
        ahead.map(|ask| u64::from(ask.slots)).sum()
    };
    let endless = slots(&|ask| ask.length.is_none());
    let unstarted = slots(&|ask| ask.length.is_some() && ask.started.is_none());
    match (endless, unstarted) {
        (0, 0) => None,
        (0, slots) => Some(format!(
            "; when it may start is told once the {} ahead of it {} at work",
            counted(slots, "slot"),
            if slots == 1 { "is" } else { "are" }
        )),
        (slots, _) => Some(format!(
            "; when it may start cannot be told: {} ahead of it {} no `maxRuntime`",
            counted(slots, "slot"),
            if slots == 1 { "has" } else { "have" }
        )),
    }
}

/// What would happen.
struct Course<'a> {
    asks: &'a [Asked<'a>],
    queues: &'a BTreeMap<Name, QueueRules>,
    supply: Supply<'a>,
    used: BTreeMap<Name, u64>,
    /// What holds, by its latest end.
    ends: BTreeMap<(Timestamp, usize), Seats>,
}

impl<'a> Course<'a> {
    fn new(
        asks: &'a [Asked<'a>],
        queues: &'a BTreeMap<Name, QueueRules>,
        supply: Supply<'a>,
        used: BTreeMap<Name, u64>,
    ) -> Self {
        let end = |(index, asked): (usize, &Asked<'_>)| {
            let at = asked.ask.started?.plus(asked.ask.length?);
            Some(((at, index), supply.seats_on(&asked.on)))
        };
        let ends = asks.iter().enumerate().filter_map(end).collect();
        Self {
            asks,
            queues,
            supply,
            used,
            ends,
        }
    }

    /// When each of these starts, those that start at all.
    fn starts(mut self, mut waiting: Vec<usize>) -> BTreeMap<usize, Timestamp> {
        let mut starts = BTreeMap::new();
        while let Some(((at, index), seats)) = self.ends.pop_first() {
            let ask = self.asks[index].ask;
            self.supply.give(ask, &seats);
            let used = self.used.entry(ask.queue.clone()).or_default();
            *used = used.saturating_sub(u64::from(ask.slots));
            let next = self.ends.first_key_value().map(|((next, _), _)| *next);
            if next == Some(at) {
                continue;
            }
            waiting.retain(|index| {
                let started = self.start(*index, at);
                if started {
                    starts.insert(*index, at);
                }
                !started
            });
            if waiting.is_empty() {
                break;
            }
        }
        starts
    }

    /// Starts this one, if it fits.
    fn start(&mut self, index: usize, at: Timestamp) -> bool {
        let ask = self.asks[index].ask;
        let Some(rules) = self.queues.get(&ask.queue) else {
            return false;
        };
        let used = self.used.entry(ask.queue.clone()).or_default();
        if *used + u64::from(ask.slots) > u64::from(rules.quota) {
            return false;
        }
        let seats = if rules.observed {
            self.supply.place(ask, ask.pods)
        } else {
            Some(Seats::new())
        };
        let Some(seats) = seats else {
            return false;
        };
        *used += u64::from(ask.slots);
        if let Some(length) = ask.length {
            self.ends.insert((at.plus(length), index), seats);
        }
        true
    }
}
