//! What nodes have left for slots.

use crate::kinds::Ask;
use crate::observed::{Coverage, NodeFact, Observed, SlotRequest, Taint};
use crate::reconciler::WatchKey;

/// So many pods in each of these rooms.
pub type Seats = Vec<(usize, u64)>;

#[derive(Clone)]
struct Room<'a> {
    node: &'a NodeFact,
    /// What is left of each amount of `node.allocatable`.
    free: Vec<u64>,
}

/// Why pods can never have places, whatever ends on the nodes that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never<'a> {
    /// No node has the labels that they select by.
    Labels,
    /// Those that have them have taints that they do not tolerate, such as this one.
    Taint(&'a Taint),
    /// One pod is larger than any node that it may go to, which have at most so much of its
    /// resource, in thousandths.
    Large(u64),
    /// All these nodes together hold only so many of the pods.
    Many(u64),
}

/// What every usable node has left, or why that is not known; and what all nodes have when nothing
/// runs.
#[derive(Clone)]
pub struct Supply<'a> {
    /// In the order of the nodes' names.
    left: Result<Vec<Room<'a>>, String>,
    whole: Vec<Room<'a>>,
}

impl<'a> Supply<'a> {
    /// Allocatable less all bound pods that have not ended: ours and everybody's. Nodes that are
    /// cordoned or not ready have nothing to give.
    pub fn of(observed: &'a Observed) -> Self {
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
        let usable = observed
            .nodes()
            .filter(|node| node.ready && node.schedulable);
        let taken = observed.taken();
        Self {
            left: Ok(usable
                .map(|node| Room::of(node, |resource| taken.of(&node.name, resource)))
                .collect()),
            whole: observed.nodes().map(|node| Room::of(node, |_| 0)).collect(),
        }
    }

    fn unread(words: String) -> Self {
        Self {
            left: Err(words),
            whole: Vec::new(),
        }
    }

    /// Why the pods of this ask would wait for ever, if so: the nodes could not hold them all even
    /// when nothing ran there. Nothing is said while no node is known.
    pub fn never(&self, ask: &Ask) -> Option<Never<'a>> {
        let each = ask.each.as_ref().filter(|_| !self.whole.is_empty())?;
        let suited = || self.whole.iter().filter(|room| room.suits(ask));
        let Some(most) = suited().map(|room| room.free(&each.resource)).max() else {
            return Some(self.barred(ask));
        };
        if most < each.millis {
            return Some(Never::Large(most));
        }
        let pods = suited().map(|room| room.pods_of(each));
        let pods = pods.fold(0, u64::saturating_add);
        (pods < u64::from(ask.pods)).then_some(Never::Many(pods))
    }

    /// What keeps the pods of this ask away from all nodes.
    fn barred(&self, ask: &Ask) -> Never<'a> {
        let selected = self.whole.iter().filter(|room| room.selected(ask));
        let taint = selected.filter_map(|room| room.taint(ask)).next_back();
        taint.map_or(Never::Labels, Never::Taint)
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
        let room = |node: &&str| {
            rooms
                .binary_search_by(|room| (*room.node.name).cmp(*node))
                .ok()
        };
        nodes.iter().filter_map(room).map(|at| (at, 1)).collect()
    }

    /// Gives back what pods of this ask took up.
    pub fn give(&mut self, ask: &Ask, seats: &Seats) {
        let (Some(each), Ok(rooms)) = (&ask.each, &mut self.left) else {
            return;
        };
        for (index, count) in seats {
            let room = rooms.get_mut(*index);
            if let Some(free) = room.and_then(|room| room.free_mut(&each.resource)) {
                *free = free.saturating_add(each.millis.saturating_mul(*count));
            }
        }
    }

    /// Places as many of so many pods as find room, as [`place`](Self::place) one by one would.
    pub fn place_some(&mut self, ask: &Ask, pods: u32) {
        // Most of what holds has all its pods on nodes: it costs no look at them.
        if pods > 0
            && let Some((chosen, _)) = self.choose(ask, pods)
        {
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
            let room = rooms.get_mut(*index);
            if let Some(free) = room.and_then(|room| room.free_mut(&each.resource)) {
                *free = free.saturating_sub(each.millis.saturating_mul(*count));
            }
        }
    }
}

impl<'a> Room<'a> {
    fn of(node: &'a NodeFact, taken: impl Fn(&str) -> u64) -> Self {
        let left = |one: &SlotRequest| one.millis.saturating_sub(taken(&one.resource));
        Self {
            node,
            free: node.allocatable.iter().map(left).collect(),
        }
    }

    fn free(&self, resource: &str) -> u64 {
        let amounts = self.node.allocatable.iter().zip(&self.free);
        let mut own = amounts.filter(|(one, _)| *one.resource == *resource);
        own.next().map_or(0, |(_, free)| *free)
    }

    /// What is left of a resource, if the node has it at all.
    fn free_mut(&mut self, resource: &str) -> Option<&mut u64> {
        let mut amounts = self.node.allocatable.iter();
        let at = amounts.position(|one| *one.resource == *resource)?;
        self.free.get_mut(at)
    }

    fn pods_of(&self, each: &SlotRequest) -> u64 {
        let free = self.free(&each.resource);
        free.checked_div(each.millis).unwrap_or(u64::from(u32::MAX))
    }

    fn suits(&self, ask: &Ask) -> bool {
        self.selected(ask) && self.taint(ask).is_none()
    }

    /// A taint that keeps the pods away.
    fn taint(&self, ask: &Ask) -> Option<&'a Taint> {
        let tolerated = |taint: &&Taint| ask.tolerations.iter().any(|one| one.covers(taint));
        self.node.taints.iter().find(|taint| !tolerated(taint))
    }

    fn selected(&self, ask: &Ask) -> bool {
        let labels = &self.node.labels;
        let labelled = |wanted: &(Box<str>, Box<str>)| labels.binary_search(wanted).is_ok();
        ask.node_selector.iter().all(labelled)
    }
}
