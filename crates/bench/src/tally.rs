//! The books of a crowd: what was said to a group, who has got it, and how late.
//!
//! Pure. Frames are scanned for marks, never parsed; a frame that many receivers get is scanned once
//! and then only compared, byte by byte, which costs a tenth of it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::histogram::Latencies;
use crate::mark::{Mark, marks_at};
use crate::program::Level;
use crate::wire::number_after;

/// Frames that the scanner remembers: those of one delivery are few.
const FRAMES_REMEMBERED: usize = 8;
/// Shorter frames are not remembered: they are answers, or one short push.
const REMEMBERED_FROM_BYTES: usize = 512;

/// One message in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Its `MsgSeq`: the place in the group.
    pub(crate) seq: u64,
    /// What its text says of itself.
    pub(crate) mark: Mark,
}

/// Finds the messages in frames.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    recent: VecDeque<(Vec<u8>, Arc<[Heard]>)>,
}

impl Scanner {
    /// The messages in `frame`, in their order.
    pub(crate) fn scan(&mut self, frame: &[u8]) -> Arc<[Heard]> {
        if let Some((_, heard)) = self.recent.iter().find(|(known, _)| known == frame) {
            return Arc::clone(heard);
        }
        let heard = messages(frame);
        if frame.len() >= REMEMBERED_FROM_BYTES {
            let mut kept = match self.recent.len() {
                FRAMES_REMEMBERED.. => self.recent.pop_back().map_or_else(Vec::new, |old| old.0),
                _ => Vec::new(),
            };
            kept.clear();
            kept.extend_from_slice(frame);
            self.recent.push_front((kept, Arc::clone(&heard)));
        }
        heard
    }
}

/// Each mark with the last `MsgSeq` before it, which is that of the message it is in.
fn messages(frame: &[u8]) -> Arc<[Heard]> {
    const SEQ: &[u8] = b"\"MsgSeq\":";
    let mut from = 0;
    let heard = marks_at(frame).map(|(at, mark)| {
        let before = &frame[from..at];
        from = at;
        let last = before.windows(SEQ.len()).rposition(|window| window == SEQ);
        let seq = last.and_then(|at| number_after(&before[at..], SEQ)).unwrap_or(0);
        Heard { seq, mark }
    });
    heard.collect()
}

/// What one receiver remembers.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    /// The last place heard, by level: a room may let important messages overtake others.
    latest: [u64; Level::ALL.len()],
}

/// A message and what became of it.
#[derive(Debug, Clone, Copy)]
struct Said {
    at_ns: u64,
    level: Level,
    accepted: Option<bool>,
    heard_by: u32,
}

/// What became of the messages of one level that were sent in the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct LevelCount {
    /// Sent.
    pub(crate) offered: u64,
    /// Answered with success.
    pub(crate) accepted: u64,
    /// Answered with an error code.
    pub(crate) refused: u64,
    /// Accepted, and heard by somebody.
    pub(crate) heard: u64,
    /// Arrivals, over all receivers, of accepted ones.
    pub(crate) deliveries: u64,
    /// Arrivals if every accepted one had reached all who did not send it.
    pub(crate) expected: u64,
}

impl LevelCount {
    /// Adds those of another level.
    pub(crate) fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.heard += other.heard;
        self.deliveries += other.deliveries;
        self.expected += other.expected;
    }
}

/// The books of one run.
#[derive(Debug)]
pub(crate) struct Tally {
    epoch: u32,
    /// Who gets a message: all but its sender.
    receivers: u32,
    /// Messages sent and deliveries received in this time are measured.
    window: Range<u64>,
    said: VecDeque<Said>,
    /// The index of the first of `said`; older ones are settled and forgotten.
    first: u32,
    /// Deliveries later than this are stale.
    stale_ns: u64,
    /// When the last stale one came.
    pub(crate) last_stale_ns: u64,
    /// Answered, over the whole run.
    pub(crate) answered: u64,
    /// Deliveries of this run.
    pub(crate) deliveries: u64,
    /// Deliveries in the window.
    pub(crate) deliveries_in_window: u64,
    /// Frames with messages in the window.
    pub(crate) frames_in_window: u64,
    /// Their bytes.
    pub(crate) bytes_in_window: u64,
    /// Deliveries whose `MsgSeq` was not above the last one of their level: out of order, or twice.
    pub(crate) disordered: u64,
    /// From the intended time of sending to each arrival.
    pub(crate) delivery: Latencies,
    /// From the intended time of sending to the answer.
    pub(crate) ack: Latencies,
}

impl Tally {
    /// Empty books of the run `epoch`.
    pub(crate) fn new(epoch: u32, receivers: u32, window: Range<u64>, stale_ns: u64) -> Self {
        Self {
            epoch,
            receivers,
            window,
            said: VecDeque::new(),
            first: 0,
            stale_ns,
            last_stale_ns: 0,
            answered: 0,
            deliveries: 0,
            deliveries_in_window: 0,
            frames_in_window: 0,
            bytes_in_window: 0,
            disordered: 0,
            delivery: Latencies::default(),
            ack: Latencies::default(),
        }
    }

    /// Books a message that is about to be sent.
    pub(crate) fn say(&mut self, sender: u32, level: Level, at_ns: u64) -> Mark {
        let index = self.first + self.said.len() as u32;
        self.said.push_back(Said { at_ns, level, accepted: None, heard_by: 0 });
        Mark { epoch: self.epoch, pair: sender, index, sent_ns: at_ns }
    }

    /// Messages sent in this run.
    pub(crate) fn sent(&self) -> u64 {
        u64::from(self.first) + self.said.len() as u64
    }

    /// Books an answer.
    pub(crate) fn answer(&mut self, index: u32, accepted: bool, now: u64) {
        let place = index.checked_sub(self.first).map(|place| place as usize);
        let Some(said) = place.and_then(|place| self.said.get_mut(place)) else { return };
        if said.accepted.replace(accepted).is_some() {
            return;
        }
        self.answered += 1;
        if accepted && self.window.contains(&said.at_ns) {
            self.ack.record(now.saturating_sub(said.at_ns));
        }
    }

    /// Books the arrival of a frame with `heard` at the receiver with `ear`. Returns the sending
    /// time of the newest message in it, if it is of this run.
    pub(crate) fn hear(
        &mut self,
        ear: &mut Ear,
        heard: &[Heard],
        bytes: usize,
        now: u64,
    ) -> Option<u64> {
        let in_window = self.window.contains(&now);
        let mut newest = None;
        for Heard { seq, mark } in heard {
            if mark.epoch != self.epoch {
                continue;
            }
            self.deliveries += 1;
            self.deliveries_in_window += u64::from(in_window);
            newest = newest.max(Some(mark.sent_ns));
            // Of a broadcast, nothing was entered here; of what is settled, nothing is left.
            let place = mark.index.checked_sub(self.first).map(|place| place as usize);
            let Some(said) = place.and_then(|place| self.said.get_mut(place)) else { continue };
            let latest = &mut ear.latest[said.level.number()];
            self.disordered += u64::from(*seq <= *latest);
            *latest = (*latest).max(*seq);
            said.heard_by += 1;
            let age = now.saturating_sub(said.at_ns);
            if self.window.contains(&said.at_ns) {
                self.delivery.record(age);
            }
            if age > self.stale_ns {
                self.last_stale_ns = now;
            }
        }
        if in_window && newest.is_some() {
            self.frames_in_window += 1;
            self.bytes_in_window += bytes as u64;
        }
        newest
    }

    /// What became of the messages of `level` that were sent in the window.
    pub(crate) fn level(&self, level: Level) -> LevelCount {
        let mut count = LevelCount::default();
        for said in self.said.iter().filter(|said| said.level == level) {
            if !self.window.contains(&said.at_ns) {
                continue;
            }
            count.offered += 1;
            match said.accepted {
                Some(true) => {
                    count.accepted += 1;
                    count.heard += u64::from(said.heard_by > 0);
                    count.deliveries += u64::from(said.heard_by);
                    count.expected += u64::from(self.receivers);
                }
                Some(false) => count.refused += 1,
                None => {}
            }
        }
        count
    }

    /// Forgets messages sent before `before_ns`; returns how many of them nobody has heard.
    pub(crate) fn settle(&mut self, before_ns: u64) -> u64 {
        let mut unheard = 0;
        while let Some(said) = self.said.front().filter(|said| said.at_ns < before_ns) {
            unheard += u64::from(said.heard_by == 0);
            self.said.pop_front();
            self.first += 1;
        }
        unheard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(messages: &[(u64, Mark)]) -> Vec<u8> {
        let mut frame = b"{\"EventArray\":[{\"MsgSeq\":9,\"Tip\":\"#tb1:none\"},".to_vec();
        for (seq, mark) in messages {
            frame.extend_from_slice(format!("{{\"MsgSeq\":{seq},\"Text\":\"").as_bytes());
            mark.put_text(&mut frame);
            frame.extend_from_slice(b"\"},");
        }
        frame.resize(frame.len().max(REMEMBERED_FROM_BYTES), b' ');
        frame
    }

    fn mark(index: u32) -> Mark {
        Mark { epoch: 1, pair: 0, index, sent_ns: u64::from(index) }
    }

    #[test]
    fn a_mark_has_the_number_before_it_and_a_known_frame_is_only_compared() {
        let mut scanner = Scanner::default();
        let first = frame(&[(10, mark(0)), (11, mark(1))]);
        let expected = [Heard { seq: 10, mark: mark(0) }, Heard { seq: 11, mark: mark(1) }];
        let found = scanner.scan(&first);
        assert_eq!(found[..], expected);
        assert!(Arc::ptr_eq(&found, &scanner.scan(&first)));
        for index in 2..20 {
            let other = scanner.scan(&frame(&[(10, mark(index))]));
            assert_eq!(other[..], [Heard { seq: 10, mark: mark(index) }]);
        }
        assert_eq!(scanner.recent.len(), FRAMES_REMEMBERED);
        assert_eq!(scanner.scan(&first)[..], expected);
        assert!(scanner.scan(b"{}").is_empty());
    }

    #[test]
    fn deliveries_are_counted_by_message_and_disorder_by_receiver() {
        let mut tally = Tally::new(1, 2, 1..100, 50);
        let said: Vec<Mark> = (0..4).map(|at| tally.say(0, Level::Normal, at)).collect();
        assert_eq!(said[3], Mark { epoch: 1, pair: 0, index: 3, sent_ns: 3 });
        for index in 0..3 {
            tally.answer(index, true, 9);
            tally.answer(index, true, 9);
        }
        tally.answer(3, false, 9);
        let heard = |seq, index| [Heard { seq, mark: mark(index) }];
        let (mut one, mut two) = (Ear::default(), Ear::default());
        assert_eq!(tally.hear(&mut one, &heard(5, 1), 700, 40), Some(1));
        tally.hear(&mut one, &heard(6, 2), 700, 60);
        tally.hear(&mut two, &heard(6, 2), 700, 120);
        assert_eq!((tally.disordered, tally.deliveries, tally.last_stale_ns), (0, 3, 120));
        tally.hear(&mut two, &heard(5, 1), 700, 130);
        tally.hear(&mut two, &heard(5, 1), 700, 131);
        assert_eq!(tally.disordered, 2, "out of order, and twice");
        let other = Mark { epoch: 2, ..mark(1) };
        assert_eq!(tally.hear(&mut two, &[Heard { seq: 7, mark: other }], 700, 40), None);
        assert_eq!((tally.deliveries_in_window, tally.frames_in_window), (2, 2));
        let count = tally.level(Level::Normal);
        let expected = LevelCount {
            offered: 3,
            accepted: 2,
            refused: 1,
            heard: 2,
            deliveries: 5,
            expected: 4,
        };
        assert_eq!(count, expected, "the first message was sent before the window");
    }

    #[test]
    fn levels_may_overtake_each_other() {
        let mut tally = Tally::new(1, 1, 0..100, 50);
        tally.say(0, Level::Low, 0);
        tally.say(0, Level::High, 1);
        let mut ear = Ear::default();
        tally.hear(&mut ear, &[Heard { seq: 2, mark: mark(1) }], 1, 5);
        tally.hear(&mut ear, &[Heard { seq: 1, mark: mark(0) }], 1, 5);
        assert_eq!((tally.disordered, tally.deliveries), (0, 2));
    }

    #[test]
    fn what_is_settled_is_forgotten_and_what_nobody_heard_is_counted() {
        let mut tally = Tally::new(1, 1, 0..100, 50);
        for at in 0..4 {
            tally.say(0, Level::Normal, at);
        }
        let heard = |index| [Heard { seq: u64::from(index) + 1, mark: mark(index) }];
        tally.hear(&mut Ear::default(), &heard(1), 1, 5);
        assert_eq!(tally.settle(3), 2);
        assert_eq!((tally.sent(), tally.said.len()), (4, 1));
        tally.hear(&mut Ear::default(), &heard(1), 1, 5);
        tally.hear(&mut Ear::default(), &heard(3), 1, 6);
        assert_eq!((tally.deliveries, tally.settle(9)), (3, 0));
        assert_eq!(tally.say(0, Level::Normal, 9).index, 4);
    }
}
