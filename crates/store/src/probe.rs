//! How many commits a store acknowledges when nothing but the store is at work.
//!
//! The figure is a ceiling for everything above: a server that stores the same rows with the same
//! number of commits outstanding cannot be faster, and is measured against it in the same run.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{
    contract::{Commit, CommitError, Durability, Partition, Store, Version, Write, limits},
    family,
    stats::CommitLatency,
};

/// What to commit.
#[derive(Clone, Debug)]
pub struct Load {
    /// Commits that are outstanding at any time; at least 1.
    pub outstanding: usize,
    /// Partitions, taken in turn, pipelined when there are fewer than commits; at least 1.
    pub partitions: u64,
    /// Bytes of the value of the log row that each commit adds.
    pub log_bytes: usize,
    /// Bytes of the value of the row that each commit rewrites; `None`: it rewrites none.
    pub head_bytes: Option<usize>,
    /// How safe each commit is.
    pub durability: Durability,
    /// For how long commits are queued.
    pub time: Duration,
}

/// What was reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    /// Commits acknowledged.
    pub commits: u64,
    /// Batches that they went into.
    pub batches: u64,
    /// Syncs of the device.
    pub syncs: u64,
    /// From the first call to the last acknowledgement.
    pub elapsed: Duration,
    /// Their latencies.
    pub latency: CommitLatency,
}

impl Reached {
    /// Commits acknowledged in a second.
    #[must_use]
    pub fn commits_per_s(&self) -> f64 {
        self.commits as f64 / self.elapsed.as_secs_f64()
    }
}

/// Commits as fast as the store acknowledges, with a fixed number outstanding.
///
/// The partitions get names of their own from `run`, so that several runs on one store do not
/// conflict. Nobody else may commit meanwhile, or they are counted, too.
///
/// # Errors
/// When a commit is refused.
///
/// # Panics
/// When a row of the load exceeds the limits of the contract.
pub async fn group_commit(
    store: &dyn Store,
    run: u32,
    load: &Load,
) -> Result<Reached, CommitError> {
    assert!(load.log_bytes.max(load.head_bytes.unwrap_or(0)) <= limits::VALUE_BYTES_MAX);
    let before = store.stats();
    let started = Instant::now();
    let mut waiting: VecDeque<BoxFuture<'static, Result<Version, CommitError>>> = VecDeque::new();
    let (mut queued, mut acknowledged) = (0, 0);
    loop {
        if started.elapsed() < load.time {
            while waiting.len() < load.outstanding.max(1) {
                waiting.push_back(store.commit(commit(run, queued, load)));
                queued += 1;
            }
        }
        let Some(oldest) = waiting.pop_front() else { break };
        oldest.await?;
        acknowledged += 1;
    }
    let elapsed = started.elapsed();
    let after = store.stats();
    Ok(Reached {
        commits: acknowledged,
        batches: after.batches - before.batches,
        syncs: after.syncs - before.syncs,
        elapsed,
        latency: after.latency.since(&before.latency),
    })
}

/// The commit with this number: a log row and the head of its partition.
fn commit(run: u32, number: u64, load: &Load) -> Commit {
    let partitions = load.partitions.max(1);
    let (partition, version) = (number % partitions, number / partitions);
    let name = [&b"probe"[..], &run.to_be_bytes(), &partition.to_be_bytes()].concat();
    let key = |first: u8, rest: &[u8]| Bytes::from([&[first], rest].concat());
    let put = |key, bytes| Write::Put { key, value: noise(number, bytes) };
    let mut writes = vec![put(key(family::LOG, &version.to_be_bytes()), load.log_bytes)];
    writes.extend(load.head_bytes.map(|bytes| put(key(family::MUTABLE, b"head"), bytes)));
    Commit {
        partition: Partition::new(name).expect("17 bytes are a valid name"),
        expected: Version(version),
        writes,
        durability: load.durability,
    }
}

/// Bytes that do not compress away.
fn noise(seed: u64, bytes: usize) -> Bytes {
    let mut word = seed;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.extend((word ^ (word >> 29)).to_le_bytes());
    }
    noise.truncate(bytes);
    Bytes::from(noise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    #[test]
    fn every_commit_of_a_run_is_counted() {
        let memory = Memory::new();
        let load = Load {
            outstanding: 16,
            partitions: 5,
            log_bytes: 300,
            head_bytes: Some(100),
            durability: Durability::Synced,
            time: Duration::from_millis(20),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for run in 0..2 {
            let reached = runtime.block_on(group_commit(&memory, run, &load)).expect("no conflict");
            assert!(reached.commits >= 16, "{reached:?}");
            assert_eq!((reached.batches, reached.syncs), (reached.commits, reached.commits));
            assert_eq!(reached.latency.count(), reached.commits);
            assert!(reached.commits_per_s() > 0.0);
        }
    }

    #[test]
    fn a_probe_commit_has_the_rows_it_is_told() {
        let load = Load {
            outstanding: 1,
            partitions: 2,
            log_bytes: 300,
            head_bytes: Some(100),
            durability: Durability::Relaxed,
            time: Duration::ZERO,
        };
        let commit = commit(7, 5, &load);
        assert_eq!((commit.expected, commit.writes.len()), (Version(2), 2));
        assert_eq!(commit.bytes(), 300 + 9 + 100 + 5);
        let one = Load { head_bytes: None, ..load };
        assert_eq!(super::commit(7, 5, &one).writes.len(), 1);
    }
}
