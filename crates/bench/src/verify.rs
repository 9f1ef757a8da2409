//! Was every acknowledged message kept, once and in order? Pure: compares what a pair sent with
//! the history that a server returned.

use std::collections::HashMap;

use crate::mark::Mark;

/// What one pair sent in one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentRun {
    /// The run.
    pub(crate) epoch: u32,
    /// Intended time of each message, by index.
    pub(crate) sent_ns: Vec<u64>,
    /// Whether the server acknowledged each, by index.
    pub(crate) acked: Vec<bool>,
}

/// What is wrong with a history; all zero when it is right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Verdict {
    /// Messages that were acknowledged.
    pub(crate) acked: u64,
    /// Messages found.
    pub(crate) found: u64,
    /// Acknowledged, but not in the history.
    pub(crate) lost: u64,
    /// Copies beyond the first.
    pub(crate) doubled: u64,
    /// Never acknowledged and absent although a later message of the same run is there.
    pub(crate) gaps: u64,
    /// Messages that stand before one which was sent earlier.
    pub(crate) disordered: u64,
    /// Messages of this pair that it never sent.
    pub(crate) unknown: u64,
}

impl Verdict {
    /// Adds the counts of another pair.
    pub(crate) fn add(&mut self, other: &Self) {
        self.acked += other.acked;
        self.found += other.found;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.gaps += other.gaps;
        self.disordered += other.disordered;
        self.unknown += other.unknown;
    }

    /// Whether the server kept its promise: nothing acknowledged is lost or doubled, and the order
    /// of the pair stands.
    pub(crate) fn holds(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.disordered == 0 && self.unknown == 0
    }
}

/// Compares the `runs` of one pair (ascending by epoch) with its `history` (oldest first).
pub(crate) fn verify(runs: &[SentRun], history: &[Mark]) -> Verdict {
    let mut found: HashMap<(u32, u32), u32> = HashMap::with_capacity(history.len());
    let mut verdict = Verdict { found: history.len() as u64, ..Verdict::default() };
    let mut latest = None;
    for mark in history {
        let id = (mark.epoch, mark.index);
        let copies = found.entry(id).or_default();
        *copies += 1;
        if *copies > 1 {
            verdict.doubled += 1;
            continue;
        }
        if latest.is_some_and(|latest| id < latest) {
            verdict.disordered += 1;
        }
        latest = latest.max(Some(id));
    }
    let mut known = 0;
    for run in runs {
        let present = |index: usize| found.contains_key(&(run.epoch, index as u32));
        let last = (0..run.acked.len()).rev().find(|index| present(*index));
        for (index, acked) in run.acked.iter().enumerate() {
            verdict.acked += u64::from(*acked);
            if present(index) {
                known += 1;
            } else if *acked {
                verdict.lost += 1;
            } else if last.is_some_and(|last| index < last) {
                verdict.gaps += 1;
            }
        }
    }
    verdict.unknown = found.len() as u64 - known;
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(epoch: u32, acked: &[bool]) -> SentRun {
        SentRun { epoch, sent_ns: vec![0; acked.len()], acked: acked.to_vec() }
    }

    fn history(ids: &[(u32, u32)]) -> Vec<Mark> {
        ids.iter().map(|(epoch, index)| mark(*epoch, *index)).collect()
    }

    fn mark(epoch: u32, index: u32) -> Mark {
        Mark { epoch, pair: 0, index, sent_ns: 0 }
    }

    fn check(runs: &[SentRun], ids: &[(u32, u32)], expected: Verdict) {
        assert_eq!(verify(runs, &history(ids)), expected, "{ids:?}");
    }

    #[test]
    fn a_whole_history_holds_with_or_without_the_unacknowledged_tail() {
        let runs = [run(1, &[true, true]), run(2, &[true, true, false])];
        let four = Verdict { acked: 4, found: 4, ..Verdict::default() };
        check(&runs, &[(1, 0), (1, 1), (2, 0), (2, 1)], four);
        let all = [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)];
        check(&runs, &all, Verdict { found: 5, ..four });
        assert!(four.holds());
    }

    #[test]
    fn a_hole_is_lost_when_acknowledged_and_a_gap_when_not() {
        let runs = [run(1, &[true, true, false, true])];
        let verdict = Verdict { acked: 3, found: 2, lost: 1, gaps: 1, ..Verdict::default() };
        check(&runs, &[(1, 0), (1, 3)], verdict);
        assert!(!verdict.holds());
        // The last one is lost too: it has no successor, but it was acknowledged.
        check(
            &runs,
            &[(1, 0), (1, 1), (1, 2)],
            Verdict { acked: 3, found: 3, lost: 1, ..Verdict::default() },
        );
        check(&runs, &[], Verdict { acked: 3, lost: 3, ..Verdict::default() });
    }

    #[test]
    fn copies_disorder_and_strangers_are_counted() {
        let runs = [run(1, &[true, true, true])];
        let base = Verdict { acked: 3, found: 4, ..Verdict::default() };
        check(&runs, &[(1, 0), (1, 1), (1, 1), (1, 2)], Verdict { doubled: 1, ..base });
        check(&runs, &[(1, 0), (1, 1), (1, 2), (1, 0)], Verdict { doubled: 1, ..base });
        check(&runs, &[(1, 0), (1, 1), (1, 2), (1, 3)], Verdict { unknown: 1, ..base });
        check(&runs, &[(0, 0), (1, 0), (1, 1), (1, 2)], Verdict { unknown: 1, ..base });
        let three = Verdict { found: 3, ..base };
        check(&runs, &[(1, 1), (1, 0), (1, 2)], Verdict { disordered: 1, ..three });
        check(&runs, &[(1, 2), (1, 0), (1, 1)], Verdict { disordered: 2, ..three });
    }
}
