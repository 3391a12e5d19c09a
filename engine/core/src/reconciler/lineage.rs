//! Whether a commit of the state repository comes after what was applied before.

use std::collections::BTreeSet;

use super::CommitFacts;
use crate::ids::CommitId;

/// The trailer that allows a tip that does not descend from the last applied one.
const TRAILER: &str = "Berth-Allow-Rewrite";

/// The history of the snapshot in force.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    ancestors: BTreeSet<CommitId>,
    tip: Option<CommitId>,
    /// Why deletions and replacements are held.
    broken: Option<String>,
    /// A rewrite was allowed: objects of the old history are ours to delete.
    forgiven: bool,
}

impl Lineage {
    /// Takes in a commit. What comes after the last one adds to its history; anything else brings
    /// a history of its own.
    pub(super) fn tell(&mut self, commit: &CommitFacts) {
        if commit.after.is_none() || commit.after != self.tip {
            self.ancestors.clear();
        }
        self.ancestors.extend(&commit.new_ancestors);
        self.ancestors.insert(commit.id);
        self.tip = Some(commit.id);
    }

    /// Compares with the last applied commit; true if this tip may now count as applied.
    pub(super) fn follow(&mut self, applied: Option<CommitId>, commit: &CommitFacts) -> bool {
        let follows = applied.is_none_or(|applied| self.ancestors.contains(&applied));
        let allowed = commit.trailers.iter().any(|(key, value)| {
            key.eq_ignore_ascii_case(TRAILER) && value.trim().eq_ignore_ascii_case("yes")
        });
        self.forgiven |= allowed;
        self.broken = match applied {
            Some(applied) if !follows && !allowed => Some(format!(
                "commit {} does not descend from {}, which was applied last, so nothing is deleted or replaced: \
                 push a commit with the trailer `{TRAILER}: yes` if the history was rewritten on purpose",
                commit.id.short(),
                applied.short()
            )),
            _ => None,
        };
        self.broken.is_none()
    }

    /// Whether what was made for `commit` may be deleted as this snapshot does not want it.
    pub(super) fn allows(&self, commit: Option<CommitId>) -> Result<(), String> {
        if let Some(words) = &self.broken {
            return Err(words.clone());
        }
        match commit {
            _ if self.forgiven => Ok(()),
            Some(commit) if self.ancestors.contains(&commit) => Ok(()),
            Some(commit) => Err(format!(
                "it was made for commit {}, which the snapshot in force does not descend from: \
                 push a commit with the trailer `{TRAILER}: yes` to delete it",
                commit.short()
            )),
            None => Err("it does not say for which commit it was made".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> CommitId {
        CommitId::from_bytes([number; 20])
    }

    fn commit(number: u8, after: Option<u8>, ancestors: &[u8], allowed: bool) -> CommitFacts {
        let trailers = allowed.then(|| (TRAILER.to_owned(), "yes".to_owned()));
        CommitFacts {
            id: id(number),
            author: String::new(),
            subject: String::new(),
            trailers: trailers.into_iter().collect(),
            after: after.map(id),
            new_ancestors: ancestors.iter().map(|number| id(*number)).collect(),
        }
    }

    #[test]
    fn what_came_before_may_be_deleted_and_nothing_else() {
        let mut lineage = Lineage::default();
        let second = commit(2, None, &[1, 2], false);
        lineage.tell(&second);
        assert!(lineage.follow(Some(id(1)), &second));
        assert!(lineage.allows(Some(id(1))).is_ok());
        assert!(lineage.allows(Some(id(9))).is_err());
        assert!(lineage.allows(None).is_err());
        let third = commit(3, Some(2), &[3], false);
        lineage.tell(&third);
        assert!(lineage.follow(Some(id(2)), &third));
        assert!(lineage.allows(Some(id(1))).is_ok());
    }

    #[test]
    fn a_rewritten_branch_holds_until_it_is_allowed() {
        let mut lineage = Lineage::default();
        let third = commit(3, None, &[1, 2, 3], false);
        lineage.tell(&third);
        assert!(lineage.follow(Some(id(2)), &third));
        let other = commit(4, None, &[1, 4], false);
        lineage.tell(&other);
        assert!(!lineage.follow(Some(id(3)), &other));
        let words = lineage.allows(Some(id(1))).unwrap_err();
        assert!(words.contains(TRAILER), "{words}");
        let allowed = commit(5, Some(4), &[5], true);
        lineage.tell(&allowed);
        assert!(lineage.follow(Some(id(3)), &allowed));
        assert!(lineage.allows(Some(id(3))).is_ok());
    }
}
