//! Keeps a broken chain of pipelined commits broken.
//!
//! An owner with an outdated view queues commits at versions 4, 5, 6. Somebody else has already
//! raised the partition to 5. The first commit conflicts; the second one *expects just what is
//! there* and would be applied on top of rows its author never saw. So each failure is remembered
//! together with the version at which the next commit of the same chain will come.

use std::collections::BTreeMap;

use crate::contract::{Partition, Version};

/// The place of a commit in the order of calls, from 1.
pub(crate) type Ticket = u64;

/// Partitions remembered at most. Beyond, the smallest name is forgotten: its chain is then only
/// protected by the versions themselves.
const PARTITIONS_MAX: usize = 65_536;

/// Broken chains remembered for one partition. More than one needs rivals in the same process.
const BREAKS_MAX: usize = 8;

/// The chains that broke and that nobody has reloaded yet.
#[derive(Debug, Default)]
pub(crate) struct BrokenChains {
    by_partition: BTreeMap<Partition, Vec<Break>>,
}

#[derive(Debug)]
struct Break {
    /// What the next commit of the chain will expect.
    next: Version,
    /// The failed commit; only later ones can build on it.
    after: Ticket,
    /// The first ticket handed out after a reload; it and all later ones are innocent.
    until: Option<Ticket>,
}

impl BrokenChains {
    /// Remembers that the commit `ticket` at `expected` failed.
    pub(crate) fn fail(&mut self, partition: &Partition, expected: Version, ticket: Ticket) {
        let breaks = self.by_partition.entry(partition.clone()).or_default();
        let next = expected.next();
        if breaks.iter().any(|known| known.next == next && known.until.is_none()) {
            return;
        }
        if breaks.len() == BREAKS_MAX {
            breaks.remove(0);
        }
        breaks.push(Break { next, after: ticket, until: None });
        if self.by_partition.len() > PARTITIONS_MAX {
            self.by_partition.pop_first();
        }
    }

    /// Whether the commit builds on one that failed. If so it has failed, too, and what builds on
    /// it in turn will be recognised. Must be asked in ticket order.
    pub(crate) fn refuses(
        &mut self,
        partition: &Partition,
        expected: Version,
        ticket: Ticket,
    ) -> bool {
        // Nearly always: nothing ever failed.
        if self.by_partition.is_empty() {
            return false;
        }
        let Some(breaks) = self.by_partition.get_mut(partition) else { return false };
        breaks.retain(|known| known.until.is_none_or(|until| ticket < until));
        let found = breaks.iter_mut().find(|known| known.next == expected && known.after < ticket);
        let refused = found.is_some();
        if let Some(known) = found {
            known.next = known.next.next();
        }
        if breaks.is_empty() {
            self.by_partition.remove(partition);
        }
        refused
    }

    /// Somebody read the version: commits from `next_ticket` on know what is stored. `judged` is
    /// the last ticket for which [`refuses`](Self::refuses) was asked.
    pub(crate) fn reload(&mut self, partition: &Partition, next_ticket: Ticket, judged: Ticket) {
        if self.by_partition.is_empty() {
            return;
        }
        if judged + 1 == next_ticket {
            self.by_partition.remove(partition);
        } else if let Some(breaks) = self.by_partition.get_mut(partition) {
            for known in breaks {
                known.until.get_or_insert(next_ticket);
            }
        }
    }

    /// Forgets everything: no caller from before is left.
    pub(crate) fn clear(&mut self) {
        self.by_partition.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> Partition {
        Partition::new("p").expect("a valid name")
    }

    #[test]
    fn what_builds_on_a_failure_fails() {
        let mut chains = BrokenChains::default();
        chains.fail(&partition(), Version(4), 10);
        assert!(!chains.refuses(&partition(), Version(5), 9), "queued before the failure");
        assert!(!chains.refuses(&partition(), Version(4), 11), "does not build on it");
        assert!(chains.refuses(&partition(), Version(5), 12));
        assert!(chains.refuses(&partition(), Version(6), 13));
        assert!(!chains.refuses(&partition(), Version(6), 14), "the chain has moved on");
    }

    #[test]
    fn a_reload_frees_only_what_is_queued_after_it() {
        let mut chains = BrokenChains::default();
        chains.fail(&partition(), Version(4), 10);
        chains.reload(&partition(), 13, 10);
        assert!(chains.refuses(&partition(), Version(5), 12));
        assert!(!chains.refuses(&partition(), Version(6), 13));
        assert!(chains.by_partition.is_empty(), "nothing is kept");
    }

    #[test]
    fn a_reload_of_a_drained_queue_forgets_at_once() {
        let mut chains = BrokenChains::default();
        chains.fail(&partition(), Version(4), 10);
        chains.reload(&partition(), 11, 10);
        assert!(chains.by_partition.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut chains = BrokenChains::default();
        for version in 0..100 {
            chains.fail(&partition(), Version(version * 2), version);
        }
        assert_eq!(chains.by_partition[&partition()].len(), BREAKS_MAX);
        for number in 0..PARTITIONS_MAX + 10 {
            let name = format!("{number:06}");
            chains.fail(&Partition::new(name).expect("a valid name"), Version(0), 1);
        }
        assert_eq!(chains.by_partition.len(), PARTITIONS_MAX);
    }
}
