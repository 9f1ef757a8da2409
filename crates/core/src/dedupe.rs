//! The duplicate window: a send that is repeated (a lost reply, an impatient client) is answered with the
//! first result and neither stored nor delivered again.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use teahouse_proto::time::UnixSeconds;

/// Recent sends of one conversation by what makes two of them the same; bounded, the oldest is forgotten
/// first.
#[derive(Debug)]
pub(crate) struct Dedupe<K, V> {
    sent: HashMap<K, (UnixSeconds, V)>,
    by_age: VecDeque<(UnixSeconds, K)>,
}

/// Sends remembered for one conversation.
pub(crate) const SENDS_MAX: usize = 4_096;

impl<K, V> Default for Dedupe<K, V> {
    fn default() -> Self {
        Self { sent: HashMap::new(), by_age: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash, V: Copy> Dedupe<K, V> {
    /// The result of the same send, if it was accepted at `since` or later.
    pub(crate) fn find(&mut self, key: &K, since: UnixSeconds) -> Option<(UnixSeconds, V)> {
        while self.by_age.front().is_some_and(|(time, _)| *time < since) {
            self.forget_oldest();
        }
        self.sent.get(key).copied()
    }

    pub(crate) fn insert(&mut self, key: K, time: UnixSeconds, result: V) {
        if self.by_age.len() >= SENDS_MAX {
            self.forget_oldest();
        }
        self.sent.insert(key.clone(), (time, result));
        self.by_age.push_back((time, key));
    }

    fn forget_oldest(&mut self) {
        if let Some((time, key)) = self.by_age.pop_front()
            && self.sent.get(&key).is_some_and(|(known, _)| *known == time)
        {
            self.sent.remove(&key);
        }
        if self.by_age.is_empty() {
            // Most conversations are silent most of the time: give the memory back.
            *self = Self::default();
        }
    }
}

/// What two sends of the same content have in common.
pub(crate) fn content_crc(body: &str, cloud_custom_data: &str) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(body.as_bytes());
    crc.update(cloud_custom_data.as_bytes());
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_is_found_within_the_window_and_not_after_it() {
        let mut dedupe = Dedupe::default();
        dedupe.insert(1, UnixSeconds(100), 'a');
        assert_eq!(dedupe.find(&1, UnixSeconds(100)), Some((UnixSeconds(100), 'a')));
        assert_eq!(dedupe.find(&2, UnixSeconds(100)), None);
        assert_eq!(dedupe.find(&1, UnixSeconds(101)), None);
    }

    #[test]
    fn it_is_bounded_and_forgets_the_oldest_first() {
        let mut dedupe = Dedupe::default();
        for key in 0..=SENDS_MAX {
            dedupe.insert(key, UnixSeconds(5), ());
        }
        assert_eq!(dedupe.find(&0, UnixSeconds(0)), None);
        assert!(dedupe.find(&1, UnixSeconds(0)).is_some());
        assert_eq!((dedupe.sent.len(), dedupe.by_age.len()), (SENDS_MAX, SENDS_MAX));
    }

    #[test]
    fn a_key_sent_again_after_its_window_is_remembered_by_its_last_time() {
        let mut dedupe = Dedupe::default();
        dedupe.insert(1, UnixSeconds(10), 'a');
        dedupe.insert(1, UnixSeconds(20), 'b');
        assert_eq!(dedupe.find(&1, UnixSeconds(15)), Some((UnixSeconds(20), 'b')));
    }
}
