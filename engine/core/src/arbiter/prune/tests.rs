//! What stops a commit that takes too much away.

use super::{Allowance, Guard};
use crate::ids::{Name, UnitId};

fn unit(text: &str) -> UnitId {
    let name = |text| Name::new(text).unwrap();
    UnitId::experiment(name("vision"), name(text))
}

#[test]
fn a_commit_takes_away_all_of_what_it_may_or_nothing() {
    let trailer = |value: &str| [("Berth-Allow-Prune".to_owned(), value.to_owned())];
    let cases = [
        (Allowance::of(2, &[]), 2, true),
        (Allowance::of(2, &[]), 3, false),
        (Allowance::of(2, &trailer("3")), 3, true),
        (Allowance::of(2, &trailer("3")), 4, false),
        (Allowance::of(2, &trailer("all")), 400, true),
        (Allowance::of(2, &trailer("many")), 3, false),
    ];
    for (allowance, count, goes) in cases {
        let mut guard = Guard::new(allowance);
        for number in 0..count {
            guard.count(&unit(&format!("e{number}")), true);
        }
        assert_eq!(
            guard.check(&unit("e0")).is_ok(),
            goes,
            "{allowance:?} {count}"
        );
    }
}

#[test]
fn what_was_allowed_goes_on_and_does_not_allow_more() {
    let mut guard = Guard::new(Allowance::Most(1));
    guard.count(&unit("e0"), true);
    let mut guard = guard.next(Allowance::Most(0), |_| true);
    guard.count(&unit("e0"), true);
    guard.count(&unit("e1"), true);
    assert!(guard.check(&unit("e0")).is_ok());
    let words = guard.check(&unit("e1")).unwrap_err();
    assert!(words.contains("Berth-Allow-Prune: 1"), "{words}");
    assert!(words.contains("live work of 1 document,"), "{words}");
    assert!(words.ends_with("or take the change back"), "{words}");
}

#[test]
fn what_was_not_allowed_counts_on_though_a_part_of_it_is_over() {
    let mut guard = Guard::new(Allowance::Most(1));
    guard.count(&unit("e0"), true);
    guard.count(&unit("e1"), true);
    guard.count(&unit("e0"), false);
    let kept: Vec<_> = guard.kept().cloned().collect();
    assert_eq!(kept, [unit("e0"), unit("e1")]);
    // Another commit, and another daemon.
    let next = guard.next(Allowance::Most(1), |_| true);
    assert!(next.check(&unit("e1")).is_err());
    let mut new = Guard::new(Allowance::Most(1));
    new.recall(kept);
    assert!(new.check(&unit("e1")).is_err());
    // Brought back, or allowed.
    let next = guard.next(Allowance::Most(1), |it| *it == unit("e1"));
    assert!(next.check(&unit("e1")).is_ok());
    let next = guard.next(Allowance::Most(2), |_| true);
    assert!(next.check(&unit("e1")).is_ok());
    assert_eq!(next.kept().count(), 0);
}
