//! The duplicate window: a send that is repeated (a lost reply, an impatient client) is answered with the
//! first result and neither stored nor delivered again.

use std::collections::{HashMap, VecDeque};

use teahouse_proto::time::UnixSeconds;

use super::NewMessage;
use crate::rows::MessageRow;

/// What makes two sends of one pair the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SendKey {
    from_high: bool,
    seq: u32,
    random: u32,
    content_crc: u32,
}

impl SendKey {
    pub(crate) fn of_message(message: &NewMessage) -> Self {
        Self {
            from_high: message.ends.own_is_high(),
            seq: message.seq,
            random: message.random,
            content_crc: content_crc(message.body.as_json(), &message.cloud_custom_data),
        }
    }

    pub(crate) fn of_row(row: &MessageRow) -> Self {
        Self {
            from_high: row.from_high,
            seq: row.seq,
            random: row.random,
            content_crc: content_crc(&row.body, &row.cloud_custom_data),
        }
    }
}

fn content_crc(body: &str, cloud_custom_data: &str) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(body.as_bytes());
    crc.update(cloud_custom_data.as_bytes());
    crc.finalize()
}

/// Recent sends of one pair by key; bounded, the oldest is forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Dedupe {
    sent: HashMap<SendKey, UnixSeconds>,
    by_age: VecDeque<(UnixSeconds, SendKey)>,
}

/// Sends remembered for one pair: more than two people can type in the longest window.
const SENDS_MAX: usize = 4_096;

impl Dedupe {
    /// When the same send was accepted, if that was at `since` or later.
    pub(crate) fn find(&mut self, key: &SendKey, since: UnixSeconds) -> Option<UnixSeconds> {
        while self.by_age.front().is_some_and(|(time, _)| *time < since) {
            self.forget_oldest();
        }
        self.sent.get(key).copied()
    }

    pub(crate) fn insert(&mut self, key: SendKey, time: UnixSeconds) {
        if self.by_age.len() >= SENDS_MAX {
            self.forget_oldest();
        }
        self.sent.insert(key.clone(), time);
        self.by_age.push_back((time, key));
    }

    fn forget_oldest(&mut self) {
        if let Some((time, key)) = self.by_age.pop_front()
            && self.sent.get(&key) == Some(&time)
        {
            self.sent.remove(&key);
        }
        if self.by_age.is_empty() {
            // Most pairs are silent most of the time: give the memory back.
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(random: u32) -> SendKey {
        SendKey { from_high: false, seq: 1, random, content_crc: 9 }
    }

    #[test]
    fn a_repetition_is_found_within_the_window_and_not_after_it() {
        let mut dedupe = Dedupe::default();
        dedupe.insert(key(1), UnixSeconds(100));
        assert_eq!(dedupe.find(&key(1), UnixSeconds(100)), Some(UnixSeconds(100)));
        assert_eq!(dedupe.find(&key(2), UnixSeconds(100)), None);
        assert_eq!(dedupe.find(&key(1), UnixSeconds(101)), None);
    }

    #[test]
    fn it_is_bounded_and_forgets_the_oldest_first() {
        let mut dedupe = Dedupe::default();
        for random in 0..=SENDS_MAX as u32 {
            dedupe.insert(key(random), UnixSeconds(5));
        }
        assert_eq!(dedupe.find(&key(0), UnixSeconds(0)), None);
        assert!(dedupe.find(&key(1), UnixSeconds(0)).is_some());
        assert_eq!((dedupe.sent.len(), dedupe.by_age.len()), (SENDS_MAX, SENDS_MAX));
    }

    #[test]
    fn a_key_sent_again_after_its_window_is_remembered_by_its_last_time() {
        let mut dedupe = Dedupe::default();
        dedupe.insert(key(1), UnixSeconds(10));
        dedupe.insert(key(1), UnixSeconds(20));
        assert_eq!(dedupe.find(&key(1), UnixSeconds(15)), Some(UnixSeconds(20)));
    }
}
