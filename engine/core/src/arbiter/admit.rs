//! Admission: which attempts may start.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Supply;
use super::forecast::forecast;
use super::supply::Barred;
use crate::diagnostic::Code;
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
    if used + slots > quota {
        return wait(format!(
            "needs {slots} slots, and queue `{}` has {used} of {quota} in use",
            ask.queue
        ));
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
    let resource = ask.each.as_ref().map_or("", |each| &*each.resource);
    let per_pod = slots / u64::from(ask.pods.max(1));
    let selected = selected(ask);
    if let Some(barred) = supply.barred(ask) {
        return wait(barred_words(barred, &selected));
    }
    if let Some(most) = supply.too_little(ask) {
        let slot = ask.each.as_ref().map_or(1, |each| each.millis) / per_pod.max(1);
        let most = most / slot.max(1);
        return wait(format!(
            "no node{selected} can hold a pod of {per_pod} slots ({resource}), the most is {most}: \
             lower `maxSlotsPerPod` or add such nodes ({})",
            Code::UnusableMaximum
        ));
    }
    wait(format!(
        "no room on the nodes{selected} for {} pods of {per_pod} slots ({resource})",
        ask.pods
    ))
}

fn barred_words(barred: Barred, selected: &str) -> String {
    match barred {
        Barred::Labels => {
            format!("there is no node{selected}: label some so, or mend `nodeSelector`")
        }
        Barred::Taint(taint) => {
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
