//! Who lately came into a user's friend list or left it: for a device that was away.
//!
//! The packages keep their list over a lost connection. One asks for it again, but then misses only who is new;
//! the other does not ask at all. So a device that comes back is told what it has missed. In memory only: a client
//! that logs in anew begins with an empty list.

use std::collections::{BTreeMap, VecDeque};

use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixMillis;

/// Changes that are remembered; of more, the oldest are forgotten.
const CHANGES_MAX: usize = 64;

/// The last changes of a friend list, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<(UnixMillis, UserId, bool)>);

/// What a device has missed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) added: Vec<UserId>,
    pub(crate) removed: Vec<UserId>,
}

impl Recent {
    /// Somebody came (or, with `added` false, left).
    pub(super) fn note(&mut self, at: UnixMillis, friend: UserId, added: bool) {
        if self.0.len() == CHANGES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((at, friend, added));
    }

    /// How the list differs from what it was at `since`. Who came and left meanwhile is not mentioned: a client
    /// cannot remove a friend that it does not have.
    pub(crate) fn missed(&self, since: UnixMillis) -> Missed {
        // Whether each was a friend then, and is one now.
        let mut friends: BTreeMap<&UserId, (bool, bool)> = BTreeMap::new();
        for (_, friend, added) in self.0.iter().filter(|(at, ..)| *at > since) {
            friends.entry(friend).or_insert((!added, *added)).1 = *added;
        }
        let mut missed = Missed::default();
        for (friend, (was, is)) in friends {
            match (was, is) {
                (false, true) => missed.added.push(friend.clone()),
                (true, false) => missed.removed.push(friend.clone()),
                (true, true) | (false, false) => {}
            }
        }
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).expect("valid")
    }

    #[test]
    fn only_what_is_different_now_is_missed() {
        let mut recent = Recent::default();
        for (at, friend, added) in [
            (1, "before", true),
            (5, "new", true),
            (5, "gone", false),
            (6, "guest", true),
            (7, "guest", false),
            (8, "back", false),
            (9, "back", true),
        ] {
            recent.note(UnixMillis(at), user(friend), added);
        }
        let missed = recent.missed(UnixMillis(4));
        assert_eq!(missed, Missed { added: vec![user("new")], removed: vec![user("gone")] });
        assert_eq!(recent.missed(UnixMillis(9)), Missed::default());
    }

    #[test]
    fn the_oldest_changes_are_forgotten() {
        let mut recent = Recent::default();
        for n in 0..=CHANGES_MAX {
            recent.note(UnixMillis(1), user(&format!("u{n}")), true);
        }
        let missed = recent.missed(UnixMillis(0)).added;
        assert_eq!((missed.len(), missed.contains(&user("u0"))), (CHANGES_MAX, false));
    }
}
