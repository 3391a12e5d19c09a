//! Effects on their way to the world, and what becomes of them.

use std::collections::BTreeMap;

use berth_cluster::wire::{Call, Caller, Next};
use berth_core::ids::{ObjectKey, ResourceVersion, Timestamp, Uid};
use berth_core::observed::Ownership;
use berth_core::reconciler::{Anchor, Effect, Input, Outcome, What, anchor_name, spill_name};
use berth_sandbox::{Body, Response};

use super::daemon::{Daemon, Losses, cluster};
use super::planted::{Planted, misread};
use super::random::Random;
use super::wire::answer;
use super::world::World;

/// A call that is under way: the answers that it has got so far.
#[derive(Debug)]
pub struct Pending {
    effect: Effect,
    answers: Vec<Response>,
    /// Carried out; the outcome is on its way back.
    outcome: Option<Outcome>,
}

impl Pending {
    /// One that was not sent.
    pub fn new(effect: Effect) -> Self {
        Self {
            effect,
            answers: Vec::new(),
            outcome: None,
        }
    }

    /// What it creates, if it was not sent.
    pub fn about_to_create(&self) -> Option<ObjectKey> {
        match &self.effect.what {
            What::Create { key, .. } if self.is_unanswered() => Some(key.clone()),
            _ => None,
        }
    }

    /// The effect, if no answer to it came.
    pub fn unanswered(self) -> Option<Effect> {
        self.is_unanswered().then_some(self.effect)
    }

    fn is_unanswered(&self) -> bool {
        self.answers.is_empty() && self.outcome.is_none()
    }
}

impl Daemon {
    /// Moves one call a step on its way.
    pub fn advance(
        &mut self,
        index: usize,
        world: &mut World,
        random: &mut Random,
        losses: Losses,
    ) {
        let now = self.now(world);
        let mut pending = self.pending.swap_remove(index);
        if let Some(outcome) = pending.outcome.take() {
            return self.deliver(&pending.effect, outcome, world, random, losses);
        }
        if matches!(pending.effect.what, What::Reload) {
            return self.reload(&pending.effect, world, now);
        }
        pending.outcome = self.carry(&mut pending, world, random, losses, now);
        self.pending.push(pending);
    }

    fn deliver(
        &mut self,
        effect: &Effect,
        mut outcome: Outcome,
        world: &mut World,
        random: &mut Random,
        losses: Losses,
    ) {
        let now = self.now(world);
        world.say(|| {
            let number = self.birth.number;
            format!("berth {number} hears: {}: {}", effect.why, brief(&outcome))
        });
        if self.birth.planted == Some(Planted::AdoptedForeigner) {
            adopt(effect, &mut outcome);
        }
        if random.chance(losses.twice) {
            if random.chance(500) {
                self.echoes.push((effect.id, outcome.clone()));
            } else {
                let again = Input::Done(effect.id, outcome.clone());
                self.reconciler.input(now, again);
            }
        }
        self.reconciler.input(now, Input::Done(effect.id, outcome));
    }

    /// An answer that was given before comes once more.
    pub fn echo(&mut self, world: &World) {
        let now = self.now(world);
        if let Some((id, outcome)) = self.echoes.pop() {
            self.reconciler.input(now, Input::Done(id, outcome));
        }
    }

    fn carry(
        &self,
        pending: &mut Pending,
        world: &mut World,
        random: &mut Random,
        losses: Losses,
        now: Timestamp,
    ) -> Option<Outcome> {
        // The daemon lets nothing go that waited until its time as the writer ran out.
        if !self.leads(world) {
            return Some(Outcome::Unreachable("the Lease ran out".into()));
        }
        if let What::Record { base, files, .. } = &pending.effect.what {
            if world.git_away {
                return Some(Outcome::Unreachable("no route".into()));
            }
            if random.chance(losses.git) {
                return Some(Outcome::Unknown("the connection broke".into()));
            }
            let pushed = world.push(self.birth.number, *base, files);
            if random.chance(losses.git) {
                return Some(Outcome::Unknown("the connection broke".into()));
            }
            return Some(pushed.map_or(Outcome::Outpaced, Outcome::Recorded));
        }
        let caller = self.caller();
        match replay(&caller, now, &pending.effect, &pending.answers) {
            Ok(outcome) => Some(outcome),
            Err(waits) => {
                let response = world.berth(self.birth.number, &waits.request);
                if matches!(response.body, Body::Lost) {
                    return Some(waits.lost);
                }
                pending.answers.push(response);
                replay(&caller, now, &pending.effect, &pending.answers).ok()
            }
        }
    }

    fn reload(&mut self, effect: &Effect, world: &mut World, now: Timestamp) {
        let Some(cluster) = cluster() else { return };
        let mut anchor = anchor(world);
        let forgets = self.birth.planted == Some(Planted::ForgottenPast);
        if let Some(anchor) = anchor.as_mut().filter(|_| forgets && self.birth.reanchor) {
            anchor.status = None;
        }
        let contained = anchor
            .as_ref()
            .is_none_or(|anchor| anchor.is_in(|commit| world.branch.contains(commit)));
        let ignores = self.birth.planted == Some(Planted::IgnoredHalt);
        let (data, version) = match kept(world, &spill_name(&cluster)) {
            Some((data, _, version)) => (data, Some(version)),
            None => (BTreeMap::new(), None),
        };
        let identity = Input::Identity {
            cluster_uid: "the-cluster".into(),
            anchor,
            anchor_in_branch: contained || ignores,
            others: Vec::new(),
            fresh_instance: format!("instance{}", self.birth.number),
        };
        let number = self.birth.number;
        world.say(|| format!("berth {number} reads the branch, the anchor and the spill"));
        self.reconciler.input(now, Input::Spill { data, version });
        self.reconciler.input(now, identity);
        if world.git_away {
            let away = Outcome::Unreachable("no route".into());
            return self.reconciler.input(now, Input::Done(effect.id, away));
        }
        self.misled = world.branch.is_damaged() && !self.birth.reanchor;
        let mut ledger = world.branch.read();
        if self.birth.planted == Some(Planted::OwnForms)
            && let (Ok(ledger), Some(desired)) = (&mut ledger, self.reconciler.desired())
        {
            misread(ledger, desired);
        }
        self.reconciler.input(now, Input::Ledger(ledger));
    }
}

/// What the cluster's anchor says.
pub fn anchor(world: &World) -> Option<Anchor> {
    let (data, uid, version) = kept(world, &anchor_name(&cluster()?))?;
    Anchor::read(&data, uid, version).ok()
}

/// A request of a daemon that is gone arrives.
pub fn ghost(world: &mut World, daemon: u64, caller: &Caller, effect: &Effect) {
    if let What::Record { base, files, .. } = &effect.what {
        if !world.git_away {
            world.push(daemon, *base, files);
        }
        return;
    }
    let now = Timestamp::from_millis(world.now);
    if let Ok((_, request)) = Call::new(caller, now, effect) {
        world.say(|| "what it had sent arrives:".into());
        world.berth(daemon, &request);
    }
}

/// The request that a call waits for, and what to say if it is lost.
struct Waits {
    request: http::Request<Vec<u8>>,
    lost: Outcome,
}

/// Plays a call up to where it stands: its outcome, or what it waits for.
fn replay(
    caller: &Caller,
    now: Timestamp,
    effect: &Effect,
    answers: &[Response],
) -> Result<Outcome, Box<Waits>> {
    let Ok((mut call, mut request)) = Call::new(caller, now, effect) else {
        return Ok(Outcome::Conflict);
    };
    for response in answers {
        match call.answered(&answer(response)) {
            Next::Outcome(outcome) => return Ok(outcome),
            Next::Ask(next, again) => (call, request) = (next, again),
        }
    }
    let lost = call.lost("the connection broke");
    Err(Box::new(Waits { request, lost }))
}

/// A planted fault: whoever has the name, it is taken for ours.
fn adopt(effect: &Effect, outcome: &mut Outcome) {
    if let (Outcome::Exists(fact), Some(unit)) = (outcome, &effect.unit) {
        fact.ownership = Ownership::Ours(unit.clone());
    }
}

fn kept(world: &World, name: &str) -> Option<(BTreeMap<String, String>, Uid, ResourceVersion)> {
    let object = world.server.object("configmaps", "berth", name)?;
    let data = serde_json::from_value(object["data"].clone()).unwrap_or_default();
    let uid = Uid(object["metadata"]["uid"].as_str()?.into());
    let version = object["metadata"]["resourceVersion"]
        .as_str()?
        .parse()
        .ok()?;
    Some((data, uid, version))
}

fn brief(outcome: &Outcome) -> String {
    let words = format!("{outcome:?}");
    let end = words.find(['(', ' ']).unwrap_or(words.len());
    match outcome {
        Outcome::Refused(words) => format!("refused: {}", words.message),
        Outcome::Unknown(_) | Outcome::Unreachable(_) => words,
        _ => words[..end].to_owned(),
    }
}
