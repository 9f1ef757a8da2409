//! The ceiling of the store: group commit of the rows of a one-to-one message, without a server.
//!
//! As many commits are outstanding as the load has messages outstanding, on as many partitions as
//! it has pairs, pipelined within a partition as the server pipelines them. It runs in the process
//! of the bench, so the processor time includes the loop that queues the commits.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::{BoxFuture, try_join_all};
use futures_util::stream::{FuturesOrdered, StreamExt};
use teahouse_store::embedded::{Embedded, Options};
use teahouse_store::{Commit, CommitError, Partition, Store, Version, Write};

use crate::clock::{Clock, unix_seconds};
use crate::error::BenchError;
use crate::histogram::{Latencies, Percentiles};
use crate::mark::Mark;
use crate::process::Observed;

/// Bytes of a stored head of a pair.
const HEAD_BYTES: usize = 40;

/// Bytes of a stored message beside its elements: numbers, times, counts.
const MESSAGE_EXTRA_BYTES: usize = 40;

/// How much is outstanding, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StorePlan {
    /// Partitions.
    pub(crate) pairs: u32,
    /// Commits outstanding in each.
    pub(crate) window: u32,
    /// Committing before the measurement begins.
    pub(crate) warmup: Duration,
    /// Length of the measurement.
    pub(crate) measure: Duration,
}

/// What the store did.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct StoreFigures {
    /// Commits acknowledged per second.
    pub(crate) per_second: f64,
    /// From queueing a commit to its acknowledgement.
    pub(crate) commit: Percentiles,
    /// Processor time per commit, in microseconds, loop included.
    pub(crate) cpu_us: Option<f64>,
    /// Syncs per second.
    pub(crate) syncs_per_second: f64,
    /// Bytes allocated on disk per commit.
    pub(crate) disk_bytes: Option<f64>,
}

/// Runs `plan` on a fresh embedded store in `data`.
pub(crate) fn embedded(data: &Path, plan: StorePlan) -> Result<StoreFigures, BenchError> {
    let store = Embedded::open(data, &Options::default())
        .map_err(|error| BenchError::Store(error.to_string()))?;
    let observed = Observed {
        pid: Some(std::process::id()),
        data: Some(data.to_owned()),
        ..Observed::default()
    };
    drive(&store, plan, &observed)
}

fn drive(
    store: &dyn Store,
    plan: StorePlan,
    observed: &Observed,
) -> Result<StoreFigures, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(BenchError::io("start a runtime"))?;
    let clock = Clock::start();
    let measure_ns = plan.warmup.as_nanos() as u64;
    let end_ns = measure_ns + plan.measure.as_nanos() as u64;
    let seen = RefCell::new((0_u64, Latencies::default()));
    let pairs = (0..plan.pairs).map(|pair| {
        let seen = &seen;
        Committer { pair, store, clock, version: Version::NONE }.run(
            plan.window,
            end_ns,
            move |at, now| {
                if (measure_ns..end_ns).contains(&now) {
                    let mut seen = seen.borrow_mut();
                    seen.0 += 1;
                    seen.1.record(now - at);
                }
            },
        )
    });
    let at = |ns: u64| {
        let wait = Duration::from_nanos(ns.saturating_sub(clock.now_ns()));
        async move {
            tokio::time::sleep(wait).await;
            (observed.account(), store.stats())
        }
    };
    let (before, after) = runtime.block_on(async {
        let (done, before, after) = tokio::join!(try_join_all(pairs), at(measure_ns), at(end_ns));
        done.map(|_| (before, after))
    })?;
    let (commits, latencies) = seen.into_inner();
    let each = commits.max(1) as f64;
    let seconds = plan.measure.as_secs_f64();
    let disk = before.0.disk_bytes.zip(after.0.disk_bytes);
    Ok(StoreFigures {
        per_second: commits as f64 / seconds,
        commit: latencies.percentiles(),
        cpu_us: after.0.cpu_us_each(&before.0, each),
        syncs_per_second: (after.1.syncs - before.1.syncs) as f64 / seconds,
        disk_bytes: disk.map(|(from, to)| to.saturating_sub(from) as f64 / each),
    })
}

/// Commits messages to one partition.
struct Committer<'a> {
    pair: u32,
    store: &'a dyn Store,
    clock: Clock,
    version: Version,
}

impl Committer<'_> {
    /// Keeps `window` commits outstanding until `end_ns`, and calls `done(queued, acknowledged)`
    /// with the times of each.
    async fn run(
        mut self,
        window: u32,
        end_ns: u64,
        done: impl Fn(u64, u64),
    ) -> Result<(), BenchError> {
        let mut outstanding = FuturesOrdered::new();
        for _ in 0..window {
            outstanding.push_back(self.next());
        }
        while let Some((at, outcome)) = outstanding.next().await {
            outcome.map_err(|error| BenchError::Store(error.to_string()))?;
            let now = self.clock.now_ns();
            done(at, now);
            if now < end_ns {
                outstanding.push_back(self.next());
            }
        }
        Ok(())
    }

    /// Queues one more commit, behind all earlier ones.
    fn next(&mut self) -> BoxFuture<'static, (u64, Result<Version, CommitError>)> {
        let at = self.clock.now_ns();
        let index = self.version.0;
        let commit = self.store.commit(message(self.pair, index, at));
        self.version = self.version.next();
        Box::pin(async move { (at, commit.await) })
    }
}

/// The commit of a pair's `index`th message: one message row and the rewritten head, with names,
/// keys and values of the lengths that the server stores.
fn message(pair: u32, index: u64, sent_ns: u64) -> Commit {
    let mut name = BytesMut::with_capacity(21);
    name.put_u8(b'p');
    name.put_u32(1_400_000_000);
    name.put_u64(u64::from(pair) << 32);
    name.put_u64(u64::from(pair) << 32 | 1);
    let mut key = BytesMut::with_capacity(13);
    key.put_u8(0x80);
    key.put_u32(unix_seconds());
    key.put_u64(index);
    let mut value = Vec::with_capacity(256);
    value.resize(MESSAGE_EXTRA_BYTES, index as u8);
    value.extend_from_slice(b"[{\"MsgType\":\"TIMTextElem\",\"MsgContent\":{\"Text\":\"");
    Mark { epoch: 0, pair, index: index as u32, sent_ns }.put_text(&mut value);
    value.extend_from_slice(b"\"}}]");
    let head = vec![index as u8; HEAD_BYTES];
    let partition = Partition::new(name.freeze()).expect("21 bytes are a valid name");
    let writes = vec![
        Write::Put { key: key.freeze(), value: value.into() },
        Write::Put { key: Bytes::from_static(&[0x10]), value: head.into() },
    ];
    Commit::synced(partition, Version(index), writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_commits_of_a_run_are_acknowledged_and_measured() {
        let store = teahouse_store::Memory::new();
        let plan = StorePlan {
            pairs: 3,
            window: 4,
            warmup: Duration::ZERO,
            measure: Duration::from_millis(200),
        };
        let figures = drive(&store, plan, &Observed::default()).unwrap();
        assert!(figures.commit.count > 12, "{figures:?}");
        assert_eq!(figures.cpu_us, None);
    }

    #[test]
    fn a_message_has_the_rows_of_the_server() {
        let commit = message(1, 0, 0);
        assert_eq!(commit.partition.as_bytes().len(), 21);
        let sizes = commit.writes.iter().map(|write| match write {
            Write::Put { key, value } => (key.len(), value.len()),
            Write::Delete { .. } | Write::DeleteRange { .. } => (0, 0),
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [(13, 220), (1, 40)]);
    }
}
