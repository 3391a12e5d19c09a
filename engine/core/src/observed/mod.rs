//! What the watches say of the cluster, lean: facts instead of bodies, and whether a view is complete.

mod coverage;
mod creates;
mod fact;
pub mod marks;
mod pod;
mod read;
mod room;
mod store;
mod taken;
#[cfg(test)]
mod tests;

pub use coverage::Coverage;
pub use fact::{
    Fact, NodeFact, Occupant, Ownership, PodEnd, PodFact, PodPhase, PodRole, SlotRequest, Taint,
};
pub use pod::{is_of_berth, is_of_system};
pub use read::{Unreadable, fact, node, occupant, state_of};
pub use store::{Absent, Observed, Touched};
pub use taken::Taken;
