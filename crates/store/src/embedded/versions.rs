//! The versions of the partitions that were committed to lately.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::contract::{Partition, Version};

/// A bounded table of partition versions, as published.
///
/// Only the commit thread writes, so an entry is never older than what is stored. A reader that
/// would add what it found on disk could put back a version that was overtaken meanwhile.
#[derive(Debug)]
pub(super) struct VersionTable {
    generations: Mutex<Generations>,
    /// Entries of one generation; twice as many are held at most.
    generation_max: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Partition, Version>,
    old: HashMap<Partition, Version>,
}

impl VersionTable {
    pub(super) fn new(generation_max: usize) -> VersionTable {
        VersionTable { generations: Mutex::default(), generation_max }
    }

    /// The version, when the table knows it.
    pub(super) fn get(&self, partition: &Partition) -> Option<Version> {
        let generations = self.lock();
        generations.young.get(partition).or_else(|| generations.old.get(partition)).copied()
    }

    /// Enters versions that are now stored and visible.
    pub(super) fn publish(&self, versions: impl IntoIterator<Item = (Partition, Version)>) {
        let mut generations = self.lock();
        for (partition, version) in versions {
            if generations.young.len() >= self.generation_max {
                generations.old = mem::take(&mut generations.young);
            }
            generations.old.remove(&partition);
            generations.young.insert(partition, version);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: u64) -> Partition {
        Partition::new(number.to_be_bytes().to_vec()).expect("a valid name")
    }

    #[test]
    fn the_newest_are_known_and_the_table_is_bounded() {
        let table = VersionTable::new(10);
        for number in 0..1000 {
            table.publish([(partition(number), Version(number))]);
        }
        assert_eq!(table.get(&partition(999)), Some(Version(999)));
        assert_eq!(table.get(&partition(0)), None);
        let generations = table.lock();
        assert!(generations.young.len() + generations.old.len() <= 20);
    }

    #[test]
    fn an_old_entry_never_shadows_a_new_one() {
        let table = VersionTable::new(2);
        table.publish([(partition(1), Version(1)), (partition(2), Version(1))]);
        table.publish([(partition(3), Version(1)), (partition(1), Version(2))]);
        assert_eq!(table.get(&partition(1)), Some(Version(2)));
        table.publish([(partition(4), Version(1))]);
        assert_eq!(table.get(&partition(1)), Some(Version(2)));
    }
}
