//! What pods take of the nodes.

use super::{Fact, Occupant, Ownership, PodRole, SlotRequest};

/// What the arbiter looks at of a pod that is bound or has ended.
#[derive(PartialEq)]
pub(super) struct Placed<'a> {
    owner: &'a Ownership,
    role: Option<&'a PodRole>,
    node: Option<&'a str>,
    ended: bool,
    requests: &'a [SlotRequest],
}

/// `None` for a pod that takes nothing yet, and for what is no pod.
pub(super) fn placed(fact: &Fact) -> Option<Placed<'_>> {
    let pod = fact.pod.as_ref()?;
    let ended = pod.end.is_some();
    (pod.node.is_some() || ended).then_some(Placed {
        owner: &fact.ownership,
        role: pod.role.as_ref(),
        node: pod.node.as_deref(),
        ended,
        requests: &pod.requests,
    })
}

/// The node of a pod that is bound and has not ended, and what it takes there.
pub(super) fn occupies(fact: &Fact) -> Option<(&str, &[SlotRequest])> {
    let pod = fact.pod.as_ref()?;
    let node = pod.node.as_deref()?;
    pod.end.is_none().then_some((node, &*pod.requests))
}

pub(super) fn takes(occupant: &Occupant) -> Option<(&str, &[SlotRequest])> {
    Some((occupant.node.as_deref()?, &*occupant.requests))
}

pub(super) fn node_of(fact: &Fact) -> Option<&str> {
    fact.pod.as_ref()?.node.as_deref()
}
