//! When status commits are made, and pushes whose answer is lost.

use std::time::Duration;

use super::*;
use crate::desired::fixture::experiment;
use crate::ids::ResourceVersion;
use crate::reconciler::testing::{SMALL, World, commit};
use crate::reconciler::{EffectId, Input, Options, Unusable};

/// One whose branch is at commit 1, and that has something to push.
fn recording(options: impl Fn(Options) -> Options) -> World {
    let mut world = World::with(options).pushed();
    world.put("a.yaml", &experiment("a", SMALL));
    world.begin();
    world.step();
    world.wait(Duration::from_secs(30));
    world
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
    let mut world = recording(|options| options);
    let (first, _) = pushes(&world.step()).unwrap();
    let lost = Outcome::Unknown("the connection broke".into());
    world.input(Input::Done(first, lost));
    world.wait(Duration::from_mins(1));
    let (second, _) = pushes(&world.step()).unwrap();
    world.input(Input::Done(second, Outcome::Outpaced));
    let read = reads(&world.step()).unwrap();
    let away = Outcome::Unreachable("no route".into());
    world.input(Input::Done(read, away));
    world.listed();
    let effects = world.step();
    assert!(works(&effects), "{effects:?}");
    // Nothing is pushed before it is known what is there.
    world.wait(Duration::from_mins(1));
    let effects = world.step();
    assert_eq!(pushes(&effects), None);
    assert!(reads(&effects).is_some());
    (world.commits, world.anchored) = (2, Some(1));
    world.read_outside();
    let (_, base) = pushes(&world.step()).unwrap();
    assert_eq!(base, Some(commit(2)));
}

/// The API server's answer is lost while Git is away: the anchor, as it is kept in the cluster, can be
/// read all the same.
#[test]
fn while_git_is_away_an_anchor_that_was_written_unheard_stops_nothing() {
    for arrived in [false, true] {
        let mut world = recording(|options| options);
        let (push, _) = pushes(&world.step()).unwrap();
        world.input(Input::Done(push, Outcome::Recorded(commit(2))));
        let (keep, _) = keeps(&world.step()).unwrap();
        let lost = Outcome::Unknown("the connection broke".into());
        world.input(Input::Done(keep, lost));
        let read = reads(&world.step()).unwrap();
        let away = || Outcome::Unreachable("no route".into());
        world.input(Input::Done(read, away()));
        world.listed();
        let effects = world.step();
        assert!(works(&effects), "{effects:?}");
        assert_eq!(keeps(&effects), None, "it is read first");
        world.wait(Duration::from_mins(1));
        let read = reads(&world.step()).unwrap();
        (world.commits, world.anchored) = (2, Some(1 + u8::from(arrived)));
        world.read_kept();
        world.input(Input::Done(read, away()));
        assert_eq!(world.reconciler.is_anchored(), arrived);
        let again = keeps(&world.step()).map(|(_, version)| version);
        assert_eq!(again, (!arrived).then_some(Some(ResourceVersion(1))));
        assert_eq!(pushes(&world.step()), None, "the branch is read first");
    }
}

fn keeps(effects: &[Effect]) -> Option<(EffectId, Option<ResourceVersion>)> {
    effects.iter().find_map(|effect| match &effect.what {
        What::Keep { version, .. } => Some((effect.id, *version)),
        _ => None,
    })
}

#[test]
fn what_is_kept_outside_is_not_read_again_before_the_server_wants_it() {
    let mut world = recording(|options| options);
    world.reconciler.outside.stale = true;
    let read = reads(&world.step()).unwrap();
    let wait = Duration::from_secs(20);
    world.input(Input::Done(read, Outcome::Throttled(wait)));
    world.wait(wait);
    assert_eq!(reads(&world.step()), None);
    let then = world.reconciler.due().unwrap();
    assert!(then > world.now, "{}", then.millis());
    world.now = then;
    assert!(reads(&world.step()).is_some());
}

#[test]
fn what_somebody_else_pushed_is_read_before_anything_is_done() {
    let mut world = recording(|options| options);
    let (push, _) = pushes(&world.step()).unwrap();
    world.input(Input::Done(push, Outcome::Outpaced));
    world.listed();
    let effects = world.step();
    assert!(reads(&effects).is_some() && !works(&effects), "{effects:?}");
}

#[test]
fn a_commit_that_makes_no_snapshot_is_recorded() {
    let mut world = recording(|options| options);
    let (push, _) = pushes(&world.step()).unwrap();
    world.input(Input::Done(push, Outcome::Recorded(commit(2))));
    world.wait(Duration::from_mins(1));
    assert_eq!(pushes(&world.step()), None);
    world.input(Input::Unusable(Unusable {
        commit: commit(7),
        errors: vec!["B0502: there is nothing".into()],
    }));
    let effects = world.step();
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
            let tip = commit(u8::try_from(times.len()).unwrap());
            reconciler.input(now, Input::Done(push, Outcome::Recorded(tip)));
        }
        now = now.plus(Duration::from_millis(10));
    }
    times
}

#[test]
fn commits_of_a_burst_come_ever_less_often_and_what_is_alone_comes_at_once() {
    let interval = Duration::from_millis(500);
    let world = recording(|options| Options {
        status_interval: Some(interval),
        ..options
    });
    let (now, mut reconciler) = (world.now, world.reconciler);
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
