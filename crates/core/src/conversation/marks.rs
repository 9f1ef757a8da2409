//! Read marks that are not saved yet.
//!
//! A client marks as read at every glance, so marks are gathered here and written by the next tick, at
//! most a second later. They are kept beside the entities: one that leaves the memory (its commit failed,
//! the cache is full) takes no mark with it, and one that is loaded gets them back.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use teahouse_proto::ids::{TinyId, UserId};

use crate::rows::{ConversationRow, GroupIndexRow};

/// How far somebody has read in one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) own_tiny_id: u64,
    pub(crate) peer_tiny_id: u64,
    pub(crate) time: u32,
    pub(crate) count: u64,
    pub(crate) at: u32,
}

impl Mark {
    /// Moves the mark forward in a row of the account `own`; says whether it moved. A row of or about
    /// another account (one of the two was deleted and made again) stays as it is.
    pub(crate) fn apply(&self, own: Option<TinyId>, row: &mut ConversationRow) -> bool {
        let further = (self.time, self.count) > (row.read_time, row.read_count);
        let same = own == Some(TinyId(self.own_tiny_id)) && row.peer_tiny_id == self.peer_tiny_id;
        let moved = same && self.time >= row.read_time && further;
        if moved {
            row.read_time = self.time;
            row.read_count = row.read_count.max(self.count);
            row.read_at = self.at;
        }
        moved
    }
}

/// How far somebody has read in one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupMark {
    pub(crate) incarnation: u64,
    pub(crate) joined_as: u64,
    pub(crate) seq: u64,
    pub(crate) count: u64,
    pub(crate) sent: u64,
}

impl GroupMark {
    /// Moves the mark forward in a row of the same membership; says whether it moved.
    pub(crate) fn apply(&self, row: &mut GroupIndexRow) -> bool {
        let same = (self.incarnation, self.joined_as) == (row.incarnation, row.joined_as);
        let moved = same && self.seq > row.read_seq;
        if moved {
            row.read_seq = self.seq;
            // What an import has said to be unread is not counted a second time: its row has the counts of its end.
            row.read_count = row.read_count.max(self.count);
            row.read_sent = row.read_sent.max(self.sent);
            let behind = row.unread_through.saturating_sub(self.seq);
            row.unread_imported = row.unread_imported.min(behind);
        }
        moved
    }
}

/// The unsaved marks of an app: by reader, then by peer or group.
pub(crate) struct Marks<K, M> {
    by_reader: Mutex<BTreeMap<UserId, BTreeMap<K, M>>>,
}

impl<K, M> Default for Marks<K, M> {
    fn default() -> Self {
        Self { by_reader: Mutex::default() }
    }
}

impl<K: Ord + Clone, M: Copy + PartialEq> Marks<K, M> {
    pub(crate) fn remember(&self, reader: &UserId, of: &K, mark: M) {
        self.lock().entry(reader.clone()).or_default().insert(of.clone(), mark);
    }

    /// There is no unsaved mark any more.
    pub(crate) fn forget(&self, reader: &UserId, of: &K) {
        let mut by_reader = self.lock();
        if let Some(marks) = by_reader.get_mut(reader) {
            marks.remove(of);
            if marks.is_empty() {
                by_reader.remove(reader);
            }
        }
    }

    /// Who has unsaved marks.
    pub(crate) fn readers(&self) -> Vec<UserId> {
        self.lock().keys().cloned().collect()
    }

    pub(crate) fn of(&self, reader: &UserId) -> BTreeMap<K, M> {
        self.lock().get(reader).cloned().unwrap_or_default()
    }

    /// These are saved. One that has moved on meanwhile stays for the next time.
    pub(crate) fn saved(&self, reader: &UserId, saved: &BTreeMap<K, M>) {
        let mut by_reader = self.lock();
        if let Some(marks) = by_reader.get_mut(reader) {
            marks.retain(|of, mark| saved.get(of) != Some(mark));
            if marks.is_empty() {
                by_reader.remove(reader);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<UserId, BTreeMap<K, M>>> {
        self.by_reader.lock().expect("bookkeeping of marks does not panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(time: u32, count: u64) -> Mark {
        Mark { own_tiny_id: 5, peer_tiny_id: 7, time, count, at: 100 }
    }

    #[test]
    fn marks_only_move_forward_and_only_in_the_conversation_they_were_made_in() {
        let own = Some(TinyId(5));
        let mut row = ConversationRow { peer_tiny_id: 7, ..ConversationRow::default() };
        assert!(mark(10, 3).apply(own, &mut row));
        assert!(!mark(10, 3).apply(own, &mut row) && !mark(9, 9).apply(own, &mut row));
        assert!(mark(10, 4).apply(own, &mut row), "more of the same second");
        assert!(mark(11, 2).apply(own, &mut row));
        assert_eq!((row.read_time, row.read_count), (11, 4));
        let mut other = ConversationRow { peer_tiny_id: 8, ..ConversationRow::default() };
        assert!(!mark(20, 9).apply(own, &mut other));
        assert!(!mark(20, 9).apply(Some(TinyId(6)), &mut row), "the reader was made again");
    }

    #[test]
    fn a_mark_that_moved_while_it_was_saved_stays() {
        let (marks, reader, peer) = (Marks::<UserId, Mark>::default(), id("r"), id("p"));
        marks.remember(&reader, &peer, mark(1, 1));
        let saved = marks.of(&reader);
        marks.remember(&reader, &peer, mark(2, 2));
        marks.saved(&reader, &saved);
        assert_eq!(marks.of(&reader).get(&peer), Some(&mark(2, 2)));
        marks.saved(&reader, &marks.of(&reader));
        assert!(marks.readers().is_empty());
    }

    fn id(text: &str) -> UserId {
        UserId::parse(text).expect("valid")
    }
}
