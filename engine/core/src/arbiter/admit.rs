//! Admission: which attempts may start.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Supply;
use super::forecast::forecast;
use super::supply::Never;
use crate::diagnostic::{Code, counted};
use crate::ids::{Name, UnitId};
use crate::kinds::{Ask, Grant};

/// What a queue allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueRules {
    /// The most slots in use at once.
    pub quota: u32,
    /// What is free on nodes counts; otherwise the quota alone decides.
    pub observed: bool,
}

/// One request, and how far it is.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Who asks.
    pub unit: &'a UnitId,
    /// For what.
    pub ask: &'a Ask,
    /// It holds its slots: it has started, or was granted before.
    pub holds: bool,
    /// Pods of it that are not bound to a node yet (nor ended).
    pub unbound: u32,
    /// The nodes of the pods of it that are bound and have not ended, one each.
    pub on: Vec<&'a str>,
}

/// Answers every request, in the order of `asks`. `used` are the slots of all that holds, by queue,
/// also of what is not among them: who holds and is not here has all its pods on nodes.
///
/// What holds keeps its slots: nothing is preempted. The others go by priority, larger first, then
/// by order of arrival; one that does not fit does not stop smaller ones after it. What waits is
/// told for what, and when it may start, as far as that can be told from the same inputs: no answer
/// depends on what time it is.
pub fn admit(
    asks: &[Asked<'_>],
    mut used: BTreeMap<Name, u64>,
    queues: &BTreeMap<Name, QueueRules>,
    mut supply: Supply<'_>,
) -> Vec<Grant> {
    let mut answers = vec![Grant::Granted; asks.len()];
    for asked in asks.iter().filter(|asked| asked.holds) {
        // Its pods are on their way; what they find no room for, they take later.
        supply.place_some(asked.ask, asked.unbound);
    }
    let mut waiting: Vec<usize> = (0..asks.len())
        .filter(|index| !asks[*index].holds)
        .collect();
    waiting.sort_by_key(|index| {
        let ask = asks[*index].ask;
        (Reverse(ask.priority), ask.sequence, &ask.attempt)
    });
    for index in waiting.iter().copied() {
        let ask = asks[index].ask;
        let used = used.entry(ask.queue.clone()).or_default();
        answers[index] = decide(ask, queues.get(&ask.queue), *used, &mut supply);
        if answers[index] == Grant::Granted {
            *used += u64::from(ask.slots);
        }
    }
    waiting.retain(|index| answers[*index] != Grant::Granted);
    for (index, prospect) in forecast(asks, &waiting, queues, supply, used) {
        if let Grant::Waiting(words) = &mut answers[index] {
            words.push_str(&prospect);
        }
    }
    answers
}

fn decide(ask: &Ask, rules: Option<&QueueRules>, used: u64, supply: &mut Supply<'_>) -> Grant {
    let wait = |words: String| Grant::Waiting(words);
    let Some(rules) = rules else {
        return wait(format!("there is no queue `{}` in force", ask.queue));
    };
    let (quota, slots) = (u64::from(rules.quota), u64::from(ask.slots));
    let needs = || {
        format!(
            "needs {}, and queue `{}`",
            counted(slots, "slot"),
            ask.queue
        )
    };
    if slots > quota {
        return wait(format!(
            "{} allows {quota}: ask for fewer, or raise its `quota` ({})",
            needs(),
            Code::OverQuota
        ));
    }
    if used + slots > quota {
        return wait(format!("{} has {used} of {quota} in use", needs()));
    }
    if !rules.observed || ask.each.is_none() {
        return Grant::Granted;
    }
    if let Some(words) = supply.unknown() {
        return wait(format!("it is not known what is free: {words}"));
    }
    if supply.place(ask, ask.pods).is_some() {
        return Grant::Granted;
    }
    wait(match supply.never(ask) {
        Some(never) => never_words(never, ask),
        None => format!("no room on the nodes{} for {}", selected(ask), pods_of(ask)),
    })
}

/// `2 pods of 8 slots (nvidia.com/gpu)`
fn pods_of(ask: &Ask) -> String {
    format!("{} of {}", counted(ask.pods, "pod"), slots_of_pod(ask))
}

/// `8 slots (nvidia.com/gpu)`
fn slots_of_pod(ask: &Ask) -> String {
    let resource = ask.each.as_ref().map_or("", |each| &*each.resource);
    format!("{} ({resource})", counted(per_pod(ask), "slot"))
}

fn per_pod(ask: &Ask) -> u64 {
    u64::from(ask.slots) / u64::from(ask.pods.max(1))
}

fn never_words(never: Never<'_>, ask: &Ask) -> String {
    let (selected, code) = (selected(ask), Code::UnusableMaximum);
    match never {
        Never::Labels => {
            format!("there is no node{selected}: label some so, or mend `nodeSelector`")
        }
        Never::Taint(taint) => {
            let value = match &*taint.value {
                "" => String::new(),
                value => format!("={value}"),
            };
            format!(
                "all nodes{selected} have a taint that its pods do not tolerate, such as `{}{value}:{}`: add to \
                 `tolerations`",
                taint.key, taint.effect
            )
        }
        Never::Large(most) => {
            let slot = ask.each.as_ref().map_or(1, |each| each.millis) / per_pod(ask).max(1);
            format!(
                "no node{selected} can hold a pod of {}, the most is {}: lower `maxSlotsPerPod` or add such nodes \
                 ({code})",
                slots_of_pod(ask),
                most / slot.max(1)
            )
        }
        Never::Many(pods) => format!(
            "needs {}, and the nodes{selected} hold only {pods} even when nothing runs: lower `slotsPerTrial` or \
             `maxSlotsPerPod`, or add such nodes ({code})",
            pods_of(ask)
        ),
    }
}

/// Which nodes the pods select, as it is the usual reason why idle ones do not count.
fn selected(ask: &Ask) -> String {
    if ask.node_selector.is_empty() {
        return String::new();
    }
    let labels = ask
        .node_selector
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    format!(" with {}", labels.collect::<Vec<_>>().join(", "))
}
