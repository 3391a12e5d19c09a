//! One step: what can be done now, bounded.

use std::ops::Bound;
use std::time::Duration;

use super::flight::Flight;
use super::identity::Overtaken;
use super::spill::SPILL_AFTER;
use super::state::Reconciler;
use super::{Effect, Role, retry};
use crate::ids::Timestamp;

/// A halted reconciler looks at least this often whether it may go on: soon after the halt, as
/// whoever mends it waits for it, then ever less often.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

impl Reconciler {
    /// The effects that can be carried out now, all independent of each other. Nothing without
    /// unexpired Lease time, and nothing when halted.
    pub fn step(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut out = Vec::new();
        if !self.may_write(now) {
            // Only reading may lift a halt: somebody may have brought back what was lost. It needs no
            // Lease, which whoever mends it may hold.
            if self.halt.is_some() && now >= self.outside.not_before {
                self.outside.stale = true;
                out.extend(self.ask_outside(now));
                self.outside.looks = self.outside.looks.saturating_add(1);
                let wait = retry::delay(self.options.seed, "halt", self.outside.looks);
                self.outside.not_before = now.plus(wait.min(LOOK_AGAIN));
            }
            return out;
        }
        out.extend(self.ask_outside(now));
        if !self.outside.accepted || self.outside.stale || !self.is_judged() {
            return out;
        }
        if self.identity.is_none() && self.options.plan {
            self.first_identity();
        }
        if self.identity.is_none() {
            out.extend(self.found(now));
            return out;
        }
        self.awake(now);
        self.evaluate(now);
        self.look_whether_seen(now);
        self.leave_namespaces();
        let throttled = self.throttled.is_some_and(|until| now < until);
        if !throttled {
            self.throttled = None;
            self.act(now, &mut out);
        }
        out.extend(self.record(now));
        // What is being read is not written meanwhile, nor what may be another version.
        if !throttled && !self.reading() && self.outside.overtaken != Overtaken::Kept {
            out.extend(self.spill(now));
            out.extend(self.anchor(now));
        }
        out
    }

    /// What a step gives may be sent before this time, and not any more from then on: the process
    /// may be paused between the step and the sending, and another one writes meanwhile.
    pub fn may_send_until(&self) -> Timestamp {
        match self.role {
            Some(Role::Leader { until }) => until,
            _ => Timestamp::default(),
        }
    }

    /// When to step again though nothing was fed.
    pub fn due(&self) -> Option<Timestamp> {
        if self.halt.is_some() {
            return Some(self.outside.not_before);
        }
        // Whoever may not write is woken by the Lease, or by a commit.
        if self.moved.is_some() || !matches!(self.role, Some(Role::Leader { .. })) {
            return None;
        }
        // Until all that is kept outside is read again, nothing else is done.
        if !self.outside.accepted {
            return (!self.reading()).then_some(self.outside.not_before);
        }
        let reread = self.reread_due();
        // The snapshot that is waited for wakes it.
        if !self.is_judged() {
            return reread;
        }
        let woken = self.wakes.first().map(|(at, _)| *at);
        let record = self.record_due();
        let behind =
            self.book.is_behind() && !self.flights.any(|one| matches!(one, Flight::Anchor { .. }));
        let anchor = behind.then_some(self.book.anchor_not_before);
        let (anchor, spill) = if self.reading() || self.outside.overtaken == Overtaken::Kept {
            (None, None)
        } else {
            (anchor, self.spill_at())
        };
        // What calls the cluster waits as long as the cluster says.
        let told = self.throttled.unwrap_or_default();
        let (anchor, spill) = (anchor.map(|at| at.max(told)), spill.map(|at| at.max(told)));
        let all = [woken, record, anchor, spill, reread, self.throttled];
        all.into_iter().flatten().min()
    }

    /// When outcomes that wait for Git are kept in the cluster.
    fn spill_at(&self) -> Option<Timestamp> {
        let since = self.book.failing?;
        (!self.losable.is_empty()).then(|| since.plus(SPILL_AFTER).max(self.book.spill_not_before))
    }

    pub(super) fn leads(&self, now: Timestamp) -> bool {
        matches!(self.role, Some(Role::Leader { until }) if now < until)
    }

    fn awake(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.wakes.first() {
            if *at > now {
                break;
            }
            if let Some((_, unit)) = self.wakes.pop_first() {
                self.dirty.insert(unit);
            }
        }
        self.dirty.extend(self.observed.settle(now));
    }

    /// Calls to the cluster, as many as may be under way.
    fn act(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let mut next = self.todo.first().cloned();
        while let Some(unit) = next {
            let room = self.options.in_flight.saturating_sub(self.flights.count());
            if room == 0 {
                return;
            }
            if self.diff(&unit, now, room, out) {
                self.todo.remove(&unit);
            }
            let after = (Bound::Excluded(unit), Bound::Unbounded);
            next = self.todo.range(after).next().cloned();
        }
        while self.flights.count() < self.options.in_flight && !self.suspended() {
            let Some((unit, what)) = self.tells.pop_front() else {
                return;
            };
            let id = self.flights.start(Flight::Tell);
            out.push(Effect {
                id,
                unit: Some(unit),
                why: "people are told".into(),
                what,
            });
        }
    }
}
