//! Pushes whose answer is lost.

use std::time::Duration;

use super::*;
use crate::reconciler::testing::{commit, outside, see_all, started};
use crate::reconciler::{EffectId, Input};

/// One whose branch is at commit 1, and that has something to push.
fn recording(start: Timestamp) -> (Reconciler, Timestamp) {
    let mut reconciler = started(start, |options| options);
    outside(&mut reconciler, start, commit(1), Some(commit(1)));
    reconciler.step(start);
    (reconciler, start.plus(Duration::from_secs(30)))
}

fn pushes(effects: &[Effect]) -> Option<(EffectId, Option<CommitId>)> {
    effects.iter().find_map(|effect| match &effect.what {
        What::Record { base, .. } => Some((effect.id, *base)),
        _ => None,
    })
}

fn reads(effects: &[Effect]) -> Option<EffectId> {
    let reload = |effect: &&Effect| matches!(effect.what, What::Reload);
    effects.iter().find(reload).map(|effect| effect.id)
}

fn works(effects: &[Effect]) -> bool {
    let create = |effect: &Effect| matches!(effect.what, What::Create { .. });
    effects.iter().any(create)
}

#[test]
fn while_git_is_away_a_push_that_arrived_unheard_stops_nothing() {
    let (mut reconciler, now) = recording(Timestamp::from_millis(1_000_000));
    let (first, _) = pushes(&reconciler.step(now)).unwrap();
    let lost = Outcome::Unknown("the connection broke".into());
    reconciler.input(now, Input::Done(first, lost));
    let now = now.plus(Duration::from_mins(1));
    let (second, _) = pushes(&reconciler.step(now)).unwrap();
    reconciler.input(now, Input::Done(second, Outcome::Outpaced));
    let read = reads(&reconciler.step(now)).unwrap();
    let away = Outcome::Unreachable("no route".into());
    reconciler.input(now, Input::Done(read, away));
    see_all(&mut reconciler, now);
    let effects = reconciler.step(now);
    assert!(works(&effects), "{effects:?}");
    // Nothing is pushed before it is known what is there.
    let now = now.plus(Duration::from_mins(1));
    let effects = reconciler.step(now);
    assert_eq!(pushes(&effects), None);
    assert!(reads(&effects).is_some());
    outside(&mut reconciler, now, commit(2), Some(commit(1)));
    let (_, base) = pushes(&reconciler.step(now)).unwrap();
    assert_eq!(base, Some(commit(2)));
}

#[test]
fn what_somebody_else_pushed_is_read_before_anything_is_done() {
    let (mut reconciler, now) = recording(Timestamp::from_millis(1_000_000));
    let (push, _) = pushes(&reconciler.step(now)).unwrap();
    reconciler.input(now, Input::Done(push, Outcome::Outpaced));
    see_all(&mut reconciler, now);
    let effects = reconciler.step(now);
    assert!(reads(&effects).is_some() && !works(&effects), "{effects:?}");
}
