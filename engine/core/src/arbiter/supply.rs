//! What nodes have left for slots.

use std::collections::BTreeMap;

use crate::kinds::Ask;
use crate::observed::{Coverage, NodeFact, Observed, PodFact, SlotRequest, Taint};
use crate::reconciler::WatchKey;

/// So many pods in each of these rooms.
pub type Seats = Vec<(usize, u64)>;

#[derive(Clone)]
struct Room {
    node: Box<str>,
    labels: Vec<(Box<str>, Box<str>)>,
    taints: Vec<Taint>,
    free: BTreeMap<Box<str>, u64>,
}

/// What every usable node has left, or why that is not known; and what all nodes have when nothing
/// runs.
#[derive(Clone)]
pub struct Supply {
    /// In the order of the nodes' names.
    left: Result<Vec<Room>, String>,
    whole: Vec<Room>,
}

impl Supply {
    /// Allocatable less all bound pods that have not ended: ours and everybody's. Nodes that are
    /// cordoned or not ready have nothing to give.
    pub fn of(observed: &Observed) -> Self {
        for (watch, what) in [
            (WatchKey::Nodes, "nodes"),
            (WatchKey::Occupants, "pods of others"),
        ] {
            match observed.coverage(&watch) {
                Coverage::Complete => {}
                Coverage::Incomplete => {
                    return Self::unread(format!("the list of {what} is being read"));
                }
                Coverage::Unreadable(words) => {
                    return Self::unread(format!("{what} cannot be read: {words}"));
                }
            }
        }
        let mut rooms: BTreeMap<&str, Room> = observed
            .nodes()
            .filter(|node| node.ready && node.schedulable)
            .map(|node| (&*node.name, room(node)))
            .collect();
        let ours = observed
            .facts()
            .filter_map(|fact| live(fact.pod.as_deref()?));
        let others = observed
            .occupants()
            .filter_map(|one| Some((one.node.as_deref()?, one.requests.as_slice())));
        for (node, requests) in ours.chain(others) {
            if let Some(room) = rooms.get_mut(node) {
                room.take(requests);
            }
        }
        Self {
            left: Ok(rooms.into_values().collect()),
            whole: observed.nodes().map(room).collect(),
        }
    }

    fn unread(words: String) -> Self {
        Self {
            left: Err(words),
            whole: Vec::new(),
        }
    }

    /// The most of this ask's resource that a node has, of the nodes that its pods may go to, if
    /// that is too little for one pod even when nothing runs there: such a pod would wait for ever.
    /// In thousandths, as the ask has it.
    pub fn too_little(&self, ask: &Ask) -> Option<u64> {
        let each = ask.each.as_ref()?;
        let suited = self.whole.iter().filter(|room| room.suits(ask));
        let amounts = suited.map(|room| room.free.get(&each.resource).copied().unwrap_or(0));
        let most = amounts.max().filter(|_| !self.whole.is_empty())?;
        (most < each.millis).then_some(most)
    }

    /// Why it is not known what is free.
    pub fn unknown(&self) -> Option<&str> {
        self.left.as_ref().err().map(String::as_str)
    }

    /// Places so many pods of this ask, as tightly as they go; what was placed is taken. Nothing
    /// is taken unless all found room. Pods without slots need none.
    pub fn place(&mut self, ask: &Ask, pods: u32) -> Option<Seats> {
        if ask.each.is_none() {
            return Some(Seats::new());
        }
        let Some((chosen, 0)) = self.choose(ask, pods) else {
            return None;
        };
        self.take(ask, &chosen);
        Some(chosen)
    }

    /// What the pods of this ask on these nodes take up.
    pub fn seats_on(&self, nodes: &[&str]) -> Seats {
        let rooms = self.left.as_deref().unwrap_or_default();
        let room = |node: &&str| rooms.binary_search_by(|room| (*room.node).cmp(*node)).ok();
        nodes.iter().filter_map(room).map(|at| (at, 1)).collect()
    }

    /// Gives back what pods of this ask took up.
    pub fn give(&mut self, ask: &Ask, seats: &Seats) {
        let (Some(each), Ok(rooms)) = (&ask.each, &mut self.left) else {
            return;
        };
        for (index, count) in seats {
            let free = rooms.get_mut(*index).map(|room| &mut room.free);
            if let Some(free) = free.and_then(|free| free.get_mut(&each.resource)) {
                *free = free.saturating_add(each.millis.saturating_mul(*count));
            }
        }
    }

    /// Places as many of so many pods as find room, as [`place`](Self::place) one by one would.
    pub fn place_some(&mut self, ask: &Ask, pods: u32) {
        if let Some((chosen, _)) = self.choose(ask, pods) {
            self.take(ask, &chosen);
        }
    }

    /// Rooms for so many pods, with how many go into each, and how many find none. `None` if
    /// nothing is known, or nothing is needed.
    fn choose(&self, ask: &Ask, pods: u32) -> Option<(Seats, u64)> {
        let (Some(each), Ok(rooms)) = (&ask.each, &self.left) else {
            return None;
        };
        let mut left = u64::from(pods);
        let mut chosen = Seats::new();
        let mut fitting: Vec<(u64, usize)> = rooms
            .iter()
            .enumerate()
            .filter(|(_, room)| room.suits(ask))
            .map(|(index, room)| (room.pods_of(each), index))
            .filter(|(count, _)| *count > 0)
            .collect();
        // The fullest nodes first, so that whole nodes stay free for large pods.
        fitting.sort_unstable();
        for (count, index) in fitting {
            let here = count.min(left);
            if here == 0 {
                break;
            }
            left -= here;
            chosen.push((index, here));
        }
        Some((chosen, left))
    }

    fn take(&mut self, ask: &Ask, chosen: &Seats) {
        let (Some(each), Ok(rooms)) = (&ask.each, &mut self.left) else {
            return;
        };
        for (index, count) in chosen {
            let millis = each.millis.saturating_mul(*count);
            rooms[*index].take(&[SlotRequest {
                resource: each.resource.clone(),
                millis,
            }]);
        }
    }
}

/// The node and the requests of a pod that is bound and has not ended.
fn live(pod: &PodFact) -> Option<(&str, &[SlotRequest])> {
    let node = pod.node.as_deref()?;
    pod.end.is_none().then_some((node, pod.requests.as_slice()))
}

fn room(node: &NodeFact) -> Room {
    let free = node.allocatable.iter();
    Room {
        node: node.name.clone(),
        labels: node.labels.clone(),
        taints: node.taints.clone(),
        free: free.map(|one| (one.resource.clone(), one.millis)).collect(),
    }
}

impl Room {
    fn take(&mut self, requests: &[SlotRequest]) {
        for one in requests {
            if let Some(free) = self.free.get_mut(&one.resource) {
                *free = free.saturating_sub(one.millis);
            }
        }
    }

    fn pods_of(&self, each: &SlotRequest) -> u64 {
        let free = self.free.get(&each.resource).copied().unwrap_or(0);
        free.checked_div(each.millis).unwrap_or(u64::from(u32::MAX))
    }

    fn suits(&self, ask: &Ask) -> bool {
        let labelled = |wanted: &(Box<str>, Box<str>)| self.labels.binary_search(wanted).is_ok();
        let tolerated = |taint: &Taint| ask.tolerations.iter().any(|one| tolerates(one, taint));
        ask.node_selector.iter().all(labelled) && self.taints.iter().all(tolerated)
    }
}

/// As Kubernetes matches them: an empty key tolerates everything, an empty effect all effects; an
/// empty value is the operator Exists.
fn tolerates(toleration: &Taint, taint: &Taint) -> bool {
    let fits = |own: &str, theirs: &str| own.is_empty() || own == theirs;
    fits(&toleration.key, &taint.key)
        && fits(&toleration.value, &taint.value)
        && fits(&toleration.effect, &taint.effect)
}
