//! When status commits are made, and pushes whose answer is lost.

use std::time::Duration;

use super::*;
use crate::reconciler::testing::{commit, outside, see_all, started};
use crate::reconciler::{EffectId, Input, Options, Unusable};

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
fn what_is_kept_outside_is_not_read_again_before_the_server_wants_it() {
    let (mut reconciler, now) = recording(Timestamp::from_millis(1_000_000));
    reconciler.outside.stale = true;
    let read = reads(&reconciler.step(now)).unwrap();
    let wait = Duration::from_secs(20);
    reconciler.input(now, Input::Done(read, Outcome::Throttled(wait)));
    assert_eq!(reads(&reconciler.step(now.plus(wait))), None);
    let then = reconciler.due().unwrap();
    assert!(then > now.plus(wait), "{}", then.millis());
    assert!(reads(&reconciler.step(then)).is_some());
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

#[test]
fn a_commit_that_makes_no_snapshot_is_recorded() {
    let (mut reconciler, now) = recording(Timestamp::from_millis(1_000_000));
    let (push, _) = pushes(&reconciler.step(now)).unwrap();
    reconciler.input(now, Input::Done(push, Outcome::Recorded(commit(2))));
    let now = now.plus(Duration::from_mins(1));
    assert_eq!(pushes(&reconciler.step(now)), None);
    let unusable = Unusable {
        commit: commit(7),
        errors: vec!["B0502: there is nothing".into()],
    };
    reconciler.input(now, Input::Unusable(unusable));
    let effects = reconciler.step(now);
    let text = effects.iter().find_map(|effect| match &effect.what {
        What::Record { files, .. } => files.get("summary.yaml")?.clone(),
        _ => None,
    });
    assert!(text.unwrap().contains("B0502: there is nothing"));
}

/// When commits are made, in ms from `from` on, while there is something new every 10 ms until
/// `until`.
fn commits(reconciler: &mut Reconciler, from: Timestamp, until: Timestamp) -> Vec<u128> {
    let (mut times, mut now) = (Vec::new(), from);
    while now <= until {
        reconciler.book.content.clear();
        reconciler.book.general = true;
        if let Some((push, _)) = pushes(&reconciler.step(now)) {
            times.push(now.since(from).as_millis());
            let tip = Outcome::Recorded(CommitId::from_bytes(
                [u8::try_from(times.len()).unwrap(); 20],
            ));
            reconciler.input(now, Input::Done(push, tip));
        }
        now = now.plus(Duration::from_millis(10));
    }
    times
}

#[test]
fn commits_of_a_burst_come_ever_less_often_and_what_is_alone_comes_at_once() {
    let start = Timestamp::from_millis(1_000_000);
    let interval = Duration::from_millis(500);
    let mut reconciler = started(start, |options| Options {
        status_interval: Some(interval),
        ..options
    });
    outside(&mut reconciler, start, commit(1), Some(commit(1)));
    reconciler.step(start);
    let now = start.plus(Duration::from_secs(30));
    let end = now.plus(Duration::from_secs(8));
    let burst = [0, 500, 1500, 3500, 5500, 7500];
    assert_eq!(commits(&mut reconciler, now, end), burst);
    // The last of it waits no longer than the longest pause, and then it is quiet.
    let now = end.plus(Duration::from_secs(1));
    let late = commits(&mut reconciler, now, now.plus(Duration::from_secs(1)));
    assert_eq!(late, [500]);
    let now = now.plus(Duration::from_secs(6));
    let end = now.plus(Duration::from_secs(1));
    assert_eq!(commits(&mut reconciler, now, end), [0, 500]);
    // A daemon that ends waits for nothing.
    reconciler.hurry();
    let now = end.plus(Duration::from_millis(10));
    assert_eq!(commits(&mut reconciler, now, now), [0]);
}
