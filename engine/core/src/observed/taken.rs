//! What bound pods that have not ended take of the nodes.

use std::collections::BTreeMap;

use super::SlotRequest;

/// Sums by node and resource, in thousandths. They are exact: what was added can be taken off.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken(BTreeMap<Box<str>, BTreeMap<Box<str>, u128>>);

impl Taken {
    /// How much of a resource of this node is taken.
    pub fn of(&self, node: &str, resource: &str) -> u64 {
        let sum = self.0.get(node).and_then(|all| all.get(resource));
        u64::try_from(sum.copied().unwrap_or(0)).unwrap_or(u64::MAX)
    }

    pub(super) fn add(&mut self, node: &str, requests: &[SlotRequest]) {
        for one in requests.iter().filter(|one| one.millis > 0) {
            let all = self.0.entry(node.into()).or_default();
            *all.entry(one.resource.clone()).or_default() += u128::from(one.millis);
        }
    }

    pub(super) fn take_off(&mut self, node: &str, requests: &[SlotRequest]) {
        let Some(all) = self.0.get_mut(node) else {
            return;
        };
        for one in requests {
            if let Some(sum) = all.get_mut(&one.resource) {
                *sum = sum.saturating_sub(u128::from(one.millis));
            }
        }
        all.retain(|_, sum| *sum > 0);
        if all.is_empty() {
            self.0.remove(node);
        }
    }
}
