//! Counters of a store, for the metrics page and for benchmarks.

use std::time::Duration;

/// Counters since the store was opened, and the present length of its queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits acknowledged with `Ok`.
    pub commits: u64,
    /// Commits refused with `Conflict`.
    pub conflicts: u64,
    /// Commits refused with `Unavailable` because the queue was full.
    pub refused: u64,
    /// Batches written; `commits / batches` is the mean batch.
    pub batches: u64,
    /// Times the device was told to make data durable for commits.
    pub syncs: u64,
    /// Bytes of keys and values in acknowledged commits.
    pub bytes: u64,
    /// Read jobs answered.
    pub reads: u64,
    /// Commits waiting now.
    pub queued_commits: u64,
    /// Bytes of the commits waiting now.
    pub queued_bytes: u64,
    /// Read jobs waiting now.
    pub queued_reads: u64,
    /// Time from call to acknowledgement of the commits that succeeded.
    pub latency: CommitLatency,
}

/// A histogram of commit latencies with fixed buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitLatency {
    /// Commits in each bucket (not cumulative): up to the bound of the same index in
    /// [`CommitLatency::BOUNDS_US`], the last one: above all bounds.
    pub counts: [u64; CommitLatency::BOUNDS_US.len() + 1],
    /// Sum of all latencies, in microseconds.
    pub sum_us: u64,
}

impl CommitLatency {
    /// Upper bounds of the buckets, in microseconds, inclusive.
    pub const BOUNDS_US: [u64; 14] = [
        100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
        1_000_000, 5_000_000,
    ];

    /// Counts one commit.
    pub(crate) fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = Self::BOUNDS_US.partition_point(|&bound| bound < us);
        self.counts[bucket] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// The commits since an earlier state of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &CommitLatency) -> CommitLatency {
        let mut since = self.clone();
        for (count, before) in since.counts.iter_mut().zip(earlier.counts) {
            *count -= before;
        }
        since.sum_us -= earlier.sum_us;
        since
    }

    /// Commits in all buckets.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_falls_into_the_bucket_that_bounds_it() {
        let check = |us, bucket: usize| {
            let mut latency = CommitLatency::default();
            latency.record(Duration::from_micros(us));
            assert_eq!(latency.counts[bucket], 1, "{us} us");
            assert_eq!((latency.count(), latency.sum_us), (1, us));
        };
        check(0, 0);
        check(100, 0);
        check(101, 1);
        check(5_000_000, 13);
        check(5_000_001, 14);
    }
}
