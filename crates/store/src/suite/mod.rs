//! The conformance suite: one named test for each sentence of the contract.
//!
//! An engine joins with a [`Subject`] and one line, [`store_suite!`](crate::store_suite). The tests
//! use nothing but the [`Store`] trait, so an engine that passes can take the place of any other.

#![expect(clippy::unwrap_used, reason = "this is test code that other crates instantiate, too")]
#![expect(missing_docs, reason = "the names of the tests are sentences")]

mod commits;
mod outbox;
mod pipelines;
mod reads;
mod sizes;
mod surroundings;

use std::{ops::Range, sync::Arc, thread};

use bytes::Bytes;

use crate::{
    Commit, CommitError, Direction, Partition, ReadError, Row, Store, Version, Write,
    family::{self, Family},
    limits,
    memory::Memory,
    stream::{Element, StreamReader},
};

pub use self::{commits::*, outbox::*, pipelines::*, reads::*, sizes::*, surroundings::*};

/// An engine under test.
pub trait Subject {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;
    /// Stops the engine after everything was acknowledged and starts it on the same data.
    fn reopen(&mut self);
}

impl Subject for Arc<Memory> {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<Memory>::clone(self)
    }

    fn reopen(&mut self) {
        self.crash();
    }
}

/// Instantiates the suite as a module of tests: `store_suite!(name, make)`, where `make()` gives an
/// empty [`Subject`](crate::suite::Subject).
#[macro_export]
macro_rules! store_suite {
    ($name:ident, $make:expr) => {
        $crate::store_suite!(@tests $name, $make,
            a_commit_answers_the_next_version,
            what_was_never_written_is_empty_and_not_an_error,
            keys_order_as_bytes,
            partitions_share_nothing,
            a_partition_keeps_its_version_when_it_is_emptied,
            a_conflict_names_the_version_and_writes_nothing,
            an_invalid_commit_writes_nothing,
            writes_apply_in_their_order,
            values_may_be_empty_or_as_large_as_the_limit,
            pipelined_commits_apply_in_order,
            what_builds_on_a_failed_commit_fails,
            a_broken_chain_stays_broken_though_the_version_fits,
            an_invalid_commit_breaks_its_chain,
            reading_the_version_ends_a_broken_chain,
            a_commit_is_queued_when_the_call_returns,
            an_acknowledged_commit_is_visible_to_every_read,
            racers_for_one_version_have_one_winner,
            partitions_do_not_disturb_each_other,
            a_scan_is_half_open_in_both_directions,
            a_scan_gives_less_than_its_limit_only_at_the_end,
            a_scan_of_an_empty_range_is_empty,
            a_scan_stays_in_one_family,
            the_ranges_of_the_families_hold_all_their_rows,
            get_many_keeps_the_order_asked_for,
            rows_of_one_partition_are_of_one_moment,
            limits_hold_and_what_exceeds_them_is_invalid,
            delete_range_removes_the_rows_of_the_range,
            delete_range_sees_what_is_queued_before_it,
            delete_range_stays_in_one_family,
            delete_range_is_bounded,
            pending_lists_the_partitions_with_outbox_rows,
            pending_pages_upwards,
            what_was_acknowledged_survives_a_reopen,
            any_runtime_will_do,
            an_export_is_of_one_moment_while_commits_go_on,
            an_export_holds_everything,
            stats_count_what_happened,
        );
    };
    (@tests $name:ident, $make:expr, $($test:ident,)*) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $test() {
                    $crate::suite::$test($make());
                }
            )*
        }
    };
}

// Short hands. They panic where a test would, so they are no part of the contract.

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn partition(name: impl AsRef<[u8]>) -> Partition {
    Partition::new(name.as_ref().to_vec()).unwrap()
}

/// A mutable row's key.
fn key(name: impl AsRef<[u8]>) -> Bytes {
    Bytes::from([&[family::MUTABLE], name.as_ref()].concat())
}

/// A log row's key.
fn log_key(number: u32) -> Bytes {
    Bytes::from([&[family::LOG][..], &number.to_be_bytes()].concat())
}

fn outbox_key(name: impl AsRef<[u8]>) -> Bytes {
    Bytes::from([&[family::OUTBOX], name.as_ref()].concat())
}

fn put(key: Bytes, value: impl AsRef<[u8]>) -> Write {
    Write::Put { key, value: Bytes::copy_from_slice(value.as_ref()) }
}

fn delete_range(range: Range<&[u8]>) -> Write {
    Write::DeleteRange {
        from: Bytes::copy_from_slice(range.start),
        to: Bytes::copy_from_slice(range.end),
    }
}

fn commit(
    store: &dyn Store,
    partition: &Partition,
    expected: u64,
    writes: Vec<Write>,
) -> Result<Version, CommitError> {
    wait(store.commit(Commit::synced(partition.clone(), Version(expected), writes)))
}

fn get(store: &dyn Store, partition: &Partition, key: &[u8]) -> Option<Bytes> {
    wait(store.get(partition, key)).unwrap()
}

fn version(store: &dyn Store, partition: &Partition) -> Version {
    wait(store.version(partition)).unwrap()
}

fn scan(
    store: &dyn Store,
    partition: &Partition,
    range: Range<&[u8]>,
    direction: Direction,
    limit: usize,
) -> Vec<Bytes> {
    let rows = wait(store.scan(partition, range, direction, limit)).unwrap();
    rows.into_iter().map(|row| row.key).collect()
}

fn everything(store: &dyn Store, partition: &Partition) -> Vec<Row> {
    let of = |family: Family| {
        wait(store.scan(partition, family.range(), Direction::Ascending, usize::MAX)).unwrap()
    };
    Family::ALL.into_iter().flat_map(of).collect()
}

fn pending(store: &dyn Store, after: Option<&Partition>, limit: usize) -> Vec<Partition> {
    wait(store.pending(after, limit)).unwrap()
}

/// Fills `rows` log rows into a partition, with as few commits as the limits allow; answers the
/// version.
fn fill(store: &dyn Store, partition: &Partition, rows: u32) -> u64 {
    let numbers: Vec<u32> = (0..rows).collect();
    let chunks = numbers.chunks(limits::COMMIT_WRITES_MAX);
    let commits: Vec<_> = chunks
        .zip(0..)
        .map(|(chunk, expected)| {
            let writes = chunk.iter().map(|&number| put(log_key(number), "x")).collect();
            store.commit(Commit::relaxed(partition.clone(), Version(expected), writes))
        })
        .collect();
    let count = commits.len() as u64;
    for outcome in commits {
        wait(outcome).unwrap();
    }
    count
}
