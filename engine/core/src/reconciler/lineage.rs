//! Whether a commit of the state repository comes after what was applied before.

use std::collections::BTreeSet;
use std::time::Duration;

use super::CommitFacts;
use crate::ids::{CommitId, Timestamp};
use crate::ledger::Rewrite;

/// The trailer that allows a tip that does not descend from the last applied one.
const TRAILER: &str = "Berth-Allow-Rewrite";
/// The server's clock, which dates objects, and ours may differ by so much.
const SKEW: Duration = Duration::from_mins(10);

/// The history of the snapshot in force.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    ancestors: BTreeSet<CommitId>,
    /// There are older ones.
    cut: bool,
    tip: Option<CommitId>,
    /// Why deletions and replacements are held.
    broken: Option<String>,
    /// The rewrite that was allowed last: objects of the history before it are ours to delete.
    pub(super) rewrite: Option<Rewrite>,
}

impl Lineage {
    /// Takes in a commit. What comes after the last one adds to its history; anything else brings
    /// a history of its own.
    pub(super) fn tell(&mut self, commit: &CommitFacts) {
        if commit.after.is_none() || commit.after != self.tip {
            self.ancestors.clear();
            self.cut = false;
        }
        self.cut |= commit.older_left_out;
        self.ancestors.extend(&commit.new_ancestors);
        self.ancestors.insert(commit.id);
        self.tip = Some(commit.id);
    }

    /// Whether the tip is this commit or comes after it, as far as its history was told.
    pub(super) fn has(&self, commit: CommitId) -> bool {
        self.ancestors.contains(&commit)
    }

    /// Compares with the last applied commit; true if this tip may now count as applied.
    pub(super) fn follow(
        &mut self,
        applied: Option<CommitId>,
        commit: &CommitFacts,
        now: Timestamp,
    ) -> bool {
        let follows = applied.is_none_or(|applied| self.ancestors.contains(&applied));
        let allowed = commit.trailers.iter().any(|(key, value)| {
            key.eq_ignore_ascii_case(TRAILER) && value.trim().eq_ignore_ascii_case("yes")
        });
        if allowed && self.rewrite.is_none_or(|known| known.commit != commit.id) {
            self.rewrite = Some(Rewrite {
                commit: commit.id,
                at: now,
                early: true,
            });
        }
        self.broken = match applied {
            Some(applied) if !follows && !allowed => Some(format!(
                "commit {} {} {}, which was applied last, so nothing is deleted or replaced: \
                 push a commit with the trailer `{TRAILER}: yes` if the history was rewritten on purpose",
                commit.id.short(),
                self.is_no_descendant(),
                applied.short()
            )),
            _ => None,
        };
        self.broken.is_none()
    }

    /// Whether a rewrite was allowed, and not all that was there is seen yet.
    pub(super) fn is_early(&self) -> bool {
        self.rewrite.is_some_and(|rewrite| rewrite.early)
    }

    /// All that lives is seen. An early rewrite covers what was made up to then, whatever our clock
    /// said when it was allowed: the server's clock dates objects.
    pub(super) fn cover(&mut self, newest: Option<Timestamp>) {
        if let Some(rewrite) = self.rewrite.as_mut().filter(|rewrite| rewrite.early) {
            rewrite.at = newest.map_or(rewrite.at, |newest| rewrite.at.max(newest));
            rewrite.early = false;
        }
    }

    /// Whether what was made for `commit` may be deleted as this snapshot does not want it.
    pub(super) fn allows(
        &self,
        commit: Option<CommitId>,
        created: Timestamp,
    ) -> Result<(), String> {
        if let Some(words) = &self.broken {
            return Err(words.clone());
        }
        match commit {
            _ if self.forgives(created) => Ok(()),
            Some(commit) if self.ancestors.contains(&commit) => Ok(()),
            Some(commit) => Err(format!(
                "the snapshot in force {} commit {}, for which it was made: \
                 push a commit with the trailer `{TRAILER}: yes` to delete it",
                self.is_no_descendant(),
                commit.short()
            )),
            None => Err("it does not say for which commit it was made".into()),
        }
    }

    /// What is known of the tip and a commit that is not among its ancestors.
    fn is_no_descendant(&self) -> String {
        if self.cut {
            format!(
                "is not known to descend, as only the newest {} commits of its history are looked at, from",
                self.ancestors.len()
            )
        } else {
            "does not descend from".to_owned()
        }
    }

    /// Whether it was made before a rewrite was allowed, by a commit that this history contains.
    fn forgives(&self, created: Timestamp) -> bool {
        self.rewrite.is_some_and(|rewrite| {
            created <= rewrite.at.plus(SKEW) && self.ancestors.contains(&rewrite.commit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn id(number: u8) -> CommitId {
        CommitId::from_bytes([number; 20])
    }

    fn commit(number: u8, after: Option<u8>, ancestors: &[u8], allowed: bool) -> CommitFacts {
        let trailers = allowed.then(|| (TRAILER.to_owned(), "yes".to_owned()));
        CommitFacts {
            id: id(number),
            subject: String::new(),
            trailers: trailers.into_iter().collect(),
            after: after.map(id),
            new_ancestors: ancestors.iter().map(|number| id(*number)).collect(),
            older_left_out: false,
        }
    }

    #[test]
    fn what_came_before_may_be_deleted_and_nothing_else() {
        let mut lineage = Lineage::default();
        let second = commit(2, None, &[1, 2], false);
        lineage.tell(&second);
        assert!(lineage.follow(Some(id(1)), &second, at(0)));
        assert!(lineage.allows(Some(id(1)), at(0)).is_ok());
        assert!(lineage.allows(Some(id(9)), at(0)).is_err());
        assert!(lineage.allows(None, at(0)).is_err());
        let third = commit(3, Some(2), &[3], false);
        lineage.tell(&third);
        assert!(lineage.follow(Some(id(2)), &third, at(0)));
        assert!(lineage.allows(Some(id(1)), at(0)).is_ok());
    }

    #[test]
    fn what_is_older_than_the_history_that_is_told_is_not_said_to_be_another_one() {
        let mut lineage = Lineage::default();
        let mut cut = commit(3, None, &[2, 3], false);
        cut.older_left_out = true;
        lineage.tell(&cut);
        assert!(!lineage.follow(Some(id(1)), &cut, at(0)));
        let words = lineage.allows(Some(id(1)), at(0)).unwrap_err();
        assert!(words.contains("only the newest 2 commits"), "{words}");
        assert!(lineage.follow(Some(id(2)), &cut, at(0)));
        let next = commit(4, Some(3), &[4], false);
        lineage.tell(&next);
        let words = lineage.allows(Some(id(1)), at(0)).unwrap_err();
        assert!(words.contains("only the newest 3 commits"), "{words}");
        assert!(
            words.contains(TRAILER) && !words.contains("does not"),
            "{words}"
        );
        let all = commit(5, None, &[4, 5], false);
        lineage.tell(&all);
        let words = lineage.allows(Some(id(1)), at(0)).unwrap_err();
        assert!(words.contains("does not descend from commit"), "{words}");
    }

    #[test]
    fn a_rewritten_branch_holds_until_it_is_allowed() {
        let mut lineage = Lineage::default();
        let third = commit(3, None, &[1, 2, 3], false);
        lineage.tell(&third);
        assert!(lineage.follow(Some(id(2)), &third, at(0)));
        let other = commit(4, None, &[1, 4], false);
        lineage.tell(&other);
        assert!(!lineage.follow(Some(id(3)), &other, at(10)));
        let words = lineage.allows(Some(id(1)), at(5)).unwrap_err();
        assert!(words.contains(TRAILER), "{words}");
        let allowed = commit(5, Some(4), &[5], true);
        lineage.tell(&allowed);
        assert!(lineage.follow(Some(id(3)), &allowed, at(20)));
        assert!(lineage.allows(Some(id(3)), at(5)).is_ok());
    }

    #[test]
    fn an_allowed_rewrite_covers_what_was_there_by_the_clock_of_the_server() {
        let hour = 3600;
        let mut lineage = Lineage::default();
        let allowed = commit(5, None, &[1, 4], true);
        lineage.tell(&allowed);
        assert!(lineage.follow(Some(id(3)), &allowed, at(20)));
        assert!(lineage.allows(Some(id(3)), at(hour)).is_err());
        lineage.cover(Some(at(hour)));
        assert!(lineage.allows(Some(id(3)), at(hour)).is_ok());
        assert!(!lineage.is_early());
        lineage.cover(Some(at(3 * hour)));
        assert!(lineage.allows(Some(id(3)), at(hour)).is_ok());
        assert!(lineage.allows(Some(id(3)), at(hour + 601)).is_err());
    }

    #[test]
    fn an_allowed_rewrite_outlives_its_daemon_and_covers_only_what_was_there() {
        let mut first = Lineage::default();
        let allowed = commit(5, None, &[1, 4], true);
        first.tell(&allowed);
        assert!(first.follow(Some(id(3)), &allowed, at(20)));
        // The trailer is not on the tip any more when the next daemon starts.
        let mut next = Lineage {
            rewrite: first.rewrite,
            ..Lineage::default()
        };
        let later = commit(6, None, &[1, 4, 5], false);
        next.tell(&later);
        assert!(next.follow(Some(id(5)), &later, at(900)));
        assert!(next.allows(Some(id(3)), at(20)).is_ok());
        assert!(
            next.allows(Some(id(9)), at(20 + 601)).is_err(),
            "it came later"
        );
        // Back before the commit that allowed it.
        let before = commit(7, None, &[1, 4], false);
        next.tell(&before);
        assert!(!next.follow(Some(id(6)), &before, at(950)));
        assert!(next.allows(Some(id(3)), at(20)).is_err());
    }
}
