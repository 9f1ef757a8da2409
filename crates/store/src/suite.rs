//! The conformance suite: one named test for each sentence of the contract.
//!
//! An engine joins with a [`Subject`] and one line, [`store_suite!`](crate::store_suite). The tests
//! use nothing but the [`Store`] trait, so an engine that passes can take the place of any other.

#![expect(clippy::unwrap_used, reason = "this is test code that other crates instantiate, too")]
#![expect(missing_docs, reason = "the names of the tests are sentences")]

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use bytes::Bytes;

use crate::{
    Commit, CommitError, Direction, Partition, ReadError, Row, Store, Version, Write,
    family::{self, Family},
    limits,
    memory::Memory,
    stream::{Element, StreamReader},
};

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

// Short hands. They live here and not in the contract because only tests can afford them.

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

// Commits.

pub fn a_commit_answers_the_next_version(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    for expected in 0..3 {
        let outcome = commit(&*store, &p, expected, vec![put(key("k"), "v")]);
        assert_eq!(outcome, Ok(Version(expected + 1)));
        assert_eq!(version(&*store, &p), Version(expected + 1));
    }
}

pub fn what_was_never_written_is_empty_and_not_an_error(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    assert_eq!(version(&*store, &p), Version::NONE);
    assert_eq!(get(&*store, &p, &key("k")), None);
    assert_eq!(get(&*store, &p, b"\x00reserved"), None);
    assert_eq!(get(&*store, &p, b""), None);
    assert_eq!(everything(&*store, &p), []);
    assert_eq!(pending(&*store, None, 10), []);
    assert_eq!(wait(store.get_many(&[])), Ok(vec![]));
    // One that exists does not lend its rows to keys beside them.
    commit(&*store, &p, 0, vec![put(key("k"), "v")]).unwrap();
    assert_eq!(get(&*store, &p, &key("")), None);
    assert_eq!(get(&*store, &p, &key("k\x00")), None);
}

pub fn keys_order_as_bytes(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let keys = [&b"\x02"[..], b"\x02\x00", b"\x02\x00\x01", b"\x02\x01", b"\x02\xff", b"\x03"];
    let writes = keys.iter().rev().map(|key| put(Bytes::from_static(key), "v")).collect();
    commit(&*store, &p, 0, writes).unwrap();
    let range = Family::Mutable.range();
    assert_eq!(scan(&*store, &p, range.clone(), Direction::Ascending, 10), keys);
    let mut backwards = scan(&*store, &p, range, Direction::Descending, 10);
    backwards.reverse();
    assert_eq!(backwards, keys);
}

pub fn partitions_share_nothing(subject: impl Subject) {
    let store = subject.store();
    // Names that are prefixes of each other, or look like what an engine may put around a name.
    let names =
        [&b"a"[..], b"a\x00", b"a\x00\x01", b"a\x00\xff", b"a\x01", b"a\x02", b"\x00", b"\x01a"];
    for name in names {
        let writes = vec![put(key("k"), name), put(log_key(1), name), put(outbox_key("o"), name)];
        commit(&*store, &partition(name), 0, writes).unwrap();
    }
    for name in names {
        let p = partition(name);
        let rows = everything(&*store, &p);
        assert_eq!(rows.len(), 3, "partition {p}");
        assert!(rows.iter().all(|row| row.value == name), "partition {p}");
    }
    let emptied = partition(names[1]);
    commit(&*store, &emptied, 1, Family::ALL.map(|f| delete_range(f.range())).to_vec()).unwrap();
    for name in names {
        let expected = if name == names[1] { 0 } else { 3 };
        assert_eq!(everything(&*store, &partition(name)).len(), expected);
    }
}

pub fn a_partition_keeps_its_version_when_it_is_emptied(mut subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    commit(&*store, &p, 0, vec![put(key("k"), "v")]).unwrap();
    commit(&*store, &p, 1, vec![Write::Delete { key: key("k") }]).unwrap();
    assert_eq!(everything(&*store, &p), []);
    drop(store);
    subject.reopen();
    let store = subject.store();
    assert_eq!(version(&*store, &p), Version(2));
    let again = commit(&*store, &p, 0, vec![put(key("k"), "v")]);
    assert_eq!(again, Err(CommitError::Conflict { current: Version(2) }));
}

pub fn a_conflict_names_the_version_and_writes_nothing(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let ahead = commit(&*store, &p, 5, vec![put(key("new"), "v")]);
    assert_eq!(ahead, Err(CommitError::Conflict { current: Version(0) }));
    commit(&*store, &p, 0, vec![put(key("k"), "v")]).unwrap();
    let writes =
        vec![put(key("k"), "other"), put(key("new"), "v"), delete_range(Family::Mutable.range())];
    let behind = commit(&*store, &p, 0, writes);
    assert_eq!(behind, Err(CommitError::Conflict { current: Version(1) }));
    assert_eq!(get(&*store, &p, &key("k")), Some("v".into()));
    assert_eq!(get(&*store, &p, &key("new")), None);
    assert_eq!(version(&*store, &p), Version(1));
}

pub fn an_invalid_commit_writes_nothing(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let writes = vec![put(key("k"), "v"), put(Bytes::new(), "v")];
    let outcome = commit(&*store, &p, 0, writes);
    assert!(matches!(outcome, Err(CommitError::Invalid(_))), "{outcome:?}");
    assert_eq!(version(&*store, &p), Version(0));
    assert_eq!(get(&*store, &p, &key("k")), None);
}

pub fn writes_apply_in_their_order(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let all = || delete_range(Family::Mutable.range());
    commit(&*store, &p, 0, vec![put(key("old"), "1")]).unwrap();
    let writes = vec![
        put(key("twice"), "1"),
        put(key("twice"), "2"),
        put(key("gone"), "1"),
        Write::Delete { key: key("gone") },
    ];
    commit(&*store, &p, 1, writes).unwrap();
    assert_eq!(get(&*store, &p, &key("twice")), Some("2".into()));
    assert_eq!(get(&*store, &p, &key("gone")), None);
    let writes = vec![put(key("before"), "1"), all(), put(key("after"), "1")];
    commit(&*store, &p, 2, writes).unwrap();
    let left = scan(&*store, &p, Family::Mutable.range(), Direction::Ascending, 10);
    assert_eq!(left, [key("after")]);
    let writes = vec![Write::Delete { key: key("after") }, put(key("after"), "2")];
    commit(&*store, &p, 3, writes).unwrap();
    assert_eq!(get(&*store, &p, &key("after")), Some("2".into()));
}

pub fn values_may_be_empty_or_as_large_as_the_limit(mut subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    // Not compressible, so that an engine cannot make it small.
    let mut seed = 7_u32;
    let large: Vec<u8> = (0..limits::VALUE_BYTES_MAX)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .collect();
    let writes = (0..15).map(|number| put(log_key(number), &large)).collect();
    commit(&*store, &p, 0, writes).unwrap();
    commit(&*store, &p, 1, vec![put(key("empty"), "")]).unwrap();
    drop(store);
    subject.reopen();
    let store = subject.store();
    assert_eq!(get(&*store, &p, &key("empty")), Some(Bytes::new()));
    for number in 0..15 {
        assert!(get(&*store, &p, &log_key(number)).is_some_and(|value| value == large));
    }
}

// Pipelines.

pub fn pipelined_commits_apply_in_order(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let outcomes: Vec<_> = (0..2000_u64)
        .map(|expected| {
            let writes = vec![
                put(key("head"), expected.to_be_bytes()),
                put(log_key(u32::try_from(expected).unwrap()), expected.to_be_bytes()),
            ];
            store.commit(Commit::synced(p.clone(), Version(expected), writes))
        })
        .collect();
    for (expected, outcome) in (0..).zip(outcomes) {
        assert_eq!(wait(outcome), Ok(Version(expected + 1)));
    }
    assert_eq!(
        get(&*store, &p, &key("head")),
        Some(Bytes::copy_from_slice(&1999_u64.to_be_bytes()))
    );
    let rows = wait(store.scan(&p, Family::Log.range(), Direction::Ascending, 5000)).unwrap();
    assert_eq!(rows.len(), 2000);
    assert!((0_u64..).zip(rows).all(|(number, row)| row.value[..] == number.to_be_bytes()));
}

/// Queues commits at these versions without awaiting any, then awaits all.
fn pipeline(
    store: &dyn Store,
    partition: &Partition,
    versions: Range<u64>,
    value: &str,
) -> Vec<Result<Version, CommitError>> {
    let queued: Vec<_> = versions
        .map(|expected| {
            let writes = vec![put(key("k"), value)];
            store.commit(Commit::synced(partition.clone(), Version(expected), writes))
        })
        .collect();
    queued.into_iter().map(wait).collect()
}

fn conflict(current: u64) -> Result<Version, CommitError> {
    Err(CommitError::Conflict { current: Version(current) })
}

pub fn what_builds_on_a_failed_commit_fails(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    commit(&*store, &p, 0, vec![put(key("k"), "rival")]).unwrap();
    let outcomes = pipeline(&*store, &p, 5..9, "mine");
    assert_eq!(outcomes, [conflict(1), conflict(1), conflict(1), conflict(1)]);
    assert_eq!(get(&*store, &p, &key("k")), Some("rival".into()));
}

pub fn a_broken_chain_stays_broken_though_the_version_fits(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let other = partition("other");
    pipeline(&*store, &p, 0..2, "rival");
    // An outdated owner: its second commit expects just what the rival has made of the partition.
    let outcomes = pipeline(&*store, &p, 1..4, "mine");
    assert_eq!(outcomes, [conflict(2), conflict(2), conflict(2)]);
    // It goes on, not knowing yet. Other partitions are not concerned.
    let mine = commit(&*store, &p, 4, vec![put(key("k"), "mine")]);
    assert_eq!(mine, conflict(2));
    assert_eq!(commit(&*store, &other, 0, vec![put(key("k"), "v")]), Ok(Version(1)));
    assert_eq!(get(&*store, &p, &key("k")), Some("rival".into()));
    assert_eq!(version(&*store, &p), Version(2));
}

pub fn an_invalid_commit_breaks_its_chain(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let queue =
        |expected, writes| store.commit(Commit::synced(p.clone(), Version(expected), writes));
    let first = queue(0, vec![]);
    // A rival takes the place of the refused commit.
    let rival = queue(0, vec![put(key("k"), "rival")]);
    let second = queue(1, vec![put(key("k"), "mine")]);
    assert!(matches!(wait(first), Err(CommitError::Invalid(_))));
    assert_eq!(wait(rival), Ok(Version(1)));
    assert_eq!(wait(second), conflict(1));
    assert_eq!(get(&*store, &p, &key("k")), Some("rival".into()));
}

pub fn reading_the_version_ends_a_broken_chain(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    pipeline(&*store, &p, 0..2, "rival");
    assert_eq!(pipeline(&*store, &p, 1..2, "mine"), [conflict(2)]);
    assert_eq!(version(&*store, &p), Version(2));
    assert_eq!(
        pipeline(&*store, &p, 2..5, "mine"),
        [Ok(Version(3)), Ok(Version(4)), Ok(Version(5))]
    );
}

pub fn a_commit_is_queued_when_the_call_returns(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let first = store.commit(Commit::synced(p.clone(), Version(0), vec![put(key("a"), "1")]));
    drop(first);
    // Never polled; the later one is awaited first.
    let second = store.commit(Commit::synced(p.clone(), Version(1), vec![put(key("b"), "2")]));
    let third = store.commit(Commit::synced(p.clone(), Version(2), vec![put(key("c"), "3")]));
    assert_eq!(wait(third), Ok(Version(3)));
    assert_eq!(wait(second), Ok(Version(2)));
    assert_eq!(everything(&*store, &p).len(), 3);
}

pub fn an_acknowledged_commit_is_visible_to_every_read(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    for number in 0..50_u64 {
        let value = number.to_string();
        let writes = vec![put(key("k"), &value), put(outbox_key(&value), "")];
        let commit = Commit {
            durability: crate::Durability::Relaxed,
            ..Commit::synced(p.clone(), Version(number), writes)
        };
        let commit = if number % 2 == 0 {
            Commit { durability: crate::Durability::Synced, ..commit }
        } else {
            commit
        };
        assert_eq!(wait(store.commit(commit)), Ok(Version(number + 1)));
        assert_eq!(version(&*store, &p), Version(number + 1));
        assert_eq!(get(&*store, &p, &key("k")), Some(value.clone().into()));
        let many = wait(store.get_many(&[(p.clone(), key("k"))]));
        assert_eq!(many, Ok(vec![Some(value.into())]));
        let range = Family::Outbox.range();
        let rows = scan(&*store, &p, range, Direction::Ascending, 100);
        assert_eq!(rows.len() as u64, number + 1);
        assert_eq!(pending(&*store, None, 10), [p.clone()]);
    }
}

pub fn racers_for_one_version_have_one_winner(subject: impl Subject) {
    const RACERS: u64 = 4;
    const ROUNDS: u64 = 25;
    let store = subject.store();
    let p = partition("p");
    let barrier = std::sync::Barrier::new(usize::try_from(RACERS).unwrap());
    let race = |racer: u64| {
        let mut won = vec![];
        for round in 0..ROUNDS {
            barrier.wait();
            let writes = vec![put(key("winner"), racer.to_be_bytes())];
            // Reading the version ends the chain that losing the round before has broken.
            assert_eq!(version(&*store, &p), Version(round));
            barrier.wait();
            match commit(&*store, &p, round, writes) {
                Ok(version) => {
                    assert_eq!(version, Version(round + 1));
                    won.push(round);
                }
                Err(lost) => assert_eq!(Err(lost), conflict(round + 1)),
            }
        }
        won
    };
    let mut won: Vec<u64> = thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS).map(|racer| scope.spawn(move || race(racer))).collect();
        racers.into_iter().flat_map(|racer| racer.join().unwrap()).collect()
    });
    won.sort_unstable();
    assert_eq!(won, Vec::from_iter(0..ROUNDS), "each round has one winner");
}

pub fn partitions_do_not_disturb_each_other(subject: impl Subject) {
    let store = subject.store();
    thread::scope(|scope| {
        for owner in 0..4_u64 {
            let store = &store;
            scope.spawn(move || {
                let p = partition(owner.to_be_bytes());
                let outcomes = pipeline(&**store, &p, 0..200, &owner.to_string());
                assert!(outcomes.iter().all(Result::is_ok));
            });
        }
    });
    for owner in 0..4_u64 {
        let p = partition(owner.to_be_bytes());
        assert_eq!(version(&*store, &p), Version(200));
        assert_eq!(get(&*store, &p, &key("k")), Some(owner.to_string().into()));
    }
}

// Reads.

pub fn a_scan_is_half_open_in_both_directions(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    fill(&*store, &p, 10);
    let check = |from: u32, to: u32, expected: &[u32]| {
        let (from, to) = (log_key(from), log_key(to));
        let expected: Vec<Bytes> = expected.iter().map(|&number| log_key(number)).collect();
        assert_eq!(scan(&*store, &p, &from..&to, Direction::Ascending, 100), expected);
        let mut backwards = scan(&*store, &p, &from..&to, Direction::Descending, 100);
        backwards.reverse();
        assert_eq!(backwards, expected);
    };
    check(3, 6, &[3, 4, 5]);
    check(0, 1, &[0]);
    check(8, 50, &[8, 9]);
    check(10, 50, &[]);
}

pub fn a_scan_gives_less_than_its_limit_only_at_the_end(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    fill(&*store, &p, 1300);
    let check = |direction, limit: usize, first: u32| {
        let rows = scan(&*store, &p, Family::Log.range(), direction, limit);
        assert_eq!(rows.len(), limit.min(1300));
        assert_eq!(rows.first(), (limit > 0).then(|| log_key(first)).as_ref());
    };
    for limit in [0, 1, 2, 512, 1299, 1300, 1301, usize::MAX] {
        check(Direction::Ascending, limit, 0);
        check(Direction::Descending, limit, 1299);
    }
}

pub fn a_scan_of_an_empty_range_is_empty(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    fill(&*store, &p, 10);
    for (from, to) in [(3, 3), (7, 3)] {
        let (from, to) = (log_key(from), log_key(to));
        assert_eq!(scan(&*store, &p, &from..&to, Direction::Ascending, 10), [] as [Bytes; 0]);
        assert_eq!(scan(&*store, &p, &from..&to, Direction::Descending, 10), [] as [Bytes; 0]);
    }
}

pub fn a_scan_stays_in_one_family(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let check = |from: &[u8], to: &[u8]| {
        let outcome = wait(store.scan(&p, from..to, Direction::Ascending, 10));
        assert!(matches!(outcome, Err(ReadError::Invalid(_))), "{outcome:?}");
    };
    check(&[family::OUTBOX], &[family::LOG]);
    check(&[family::MUTABLE, 9], &[family::LOG, 0]);
    check(&[], &[family::OUTBOX]);
    check(&[0], &[family::OUTBOX]);
}

pub fn the_ranges_of_the_families_hold_all_their_rows(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let largest = |first: u8| {
        let mut key = vec![0xff; limits::KEY_BYTES_MAX];
        key[0] = first;
        Bytes::from(key)
    };
    let of = |family: Family| match family {
        Family::Outbox => vec![Bytes::from_static(&[1]), Bytes::from_static(&[1, 0]), largest(1)],
        Family::Mutable => vec![Bytes::from_static(&[2]), largest(0x7f)],
        Family::Log => vec![Bytes::from_static(&[0x80]), largest(0xff)],
    };
    let writes = Family::ALL.into_iter().flat_map(of).map(|key| put(key, "v")).collect();
    commit(&*store, &p, 0, writes).unwrap();
    for family in Family::ALL {
        let found = scan(&*store, &p, family.range(), Direction::Ascending, 10);
        assert_eq!(found, of(family), "{family:?}");
    }
}

pub fn get_many_keeps_the_order_asked_for(subject: impl Subject) {
    let store = subject.store();
    for name in ["a", "b", "c"] {
        commit(&*store, &partition(name), 0, vec![put(key(name), name)]).unwrap();
    }
    let row = |p: &str, k: &str| (partition(p), key(k));
    let asked = [row("c", "c"), row("a", "b"), row("a", "a"), row("c", "c"), row("no", "no")];
    let found = wait(store.get_many(&asked)).unwrap();
    let expected = [Some("c".into()), None, Some("a".into()), Some("c".into()), None];
    assert_eq!(found, expected);
}

pub fn rows_of_one_partition_are_of_one_moment(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let both = |number: u64| {
        // One row in each family, so that an engine that splits them is caught.
        vec![
            put(outbox_key("a"), number.to_be_bytes()),
            put(key("a"), number.to_be_bytes()),
            put(key("z"), number.to_be_bytes()),
        ]
    };
    commit(&*store, &p, 0, both(0)).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..400 {
                let next = Commit::relaxed(p.clone(), Version(number), both(number));
                wait(store.commit(next)).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        let asked = [outbox_key("a"), key("a"), key("z")].map(|key| (p.clone(), key));
        while !done.load(Ordering::Relaxed) {
            let found = wait(store.get_many(&asked)).unwrap();
            assert!(found.iter().all(|value| *value == found[0]), "{found:?}");
            let range = Family::Mutable.range();
            let rows = wait(store.scan(&p, range, Direction::Descending, 10)).unwrap();
            assert_eq!(rows.len(), 2);
            assert_eq!(rows[0].value, rows[1].value);
        }
    });
}

// Limits.

pub fn limits_hold_and_what_exceeds_them_is_invalid(subject: impl Subject) {
    let store = subject.store();
    let check = |name: &str, writes: Vec<Write>, valid: bool| {
        let p = partition(name);
        let outcome = commit(&*store, &p, 0, writes);
        match &outcome {
            Ok(version) => assert!(valid && *version == Version(1), "{name}: {outcome:?}"),
            Err(CommitError::Invalid(_)) => assert!(!valid, "{name}: {outcome:?}"),
            Err(_) => panic!("{name}: {outcome:?}"),
        }
    };
    let long_key = |bytes| Bytes::from(vec![family::LOG; bytes]);
    check("key of 512 bytes", vec![put(long_key(512), "v")], true);
    check("key of 513 bytes", vec![put(long_key(513), "v")], false);
    check("key of 513 bytes deleted", vec![Write::Delete { key: long_key(513) }], false);
    check("no key", vec![put(Bytes::new(), "v")], false);
    check("reserved family", vec![put(Bytes::from_static(b"\x00"), "v")], false);
    check("reserved family deleted", vec![Write::Delete { key: Bytes::from_static(&[0]) }], false);
    let value = |bytes| vec![7; bytes];
    check("value of 64 KiB", vec![put(key("k"), value(65_536))], true);
    check("value above 64 KiB", vec![put(key("k"), value(65_537))], false);
    let writes = |count: u32| (0..count).map(|number| put(log_key(number), "v")).collect();
    check("no writes", vec![], false);
    check("512 writes", writes(512), true);
    check("513 writes", writes(513), false);
    // 16 keys of 5 bytes, 15 full values, and one that fills up the megabyte.
    let fill_up = |last| {
        let sizes = (0..16).map(|number| if number < 15 { 65_536 } else { last });
        (0..).zip(sizes).map(|(number, size)| put(log_key(number), value(size))).collect()
    };
    check("1 MiB", fill_up(65_536 - 80), true);
    check("above 1 MiB", fill_up(65_536 - 79), false);
    let p = Partition::new(vec![0; 128]).unwrap();
    assert_eq!(commit(&*store, &p, 0, vec![put(key("k"), "v")]), Ok(Version(1)));
    assert_eq!(get(&*store, &p, &key("k")), Some("v".into()));
    let last = commit(&*store, &partition("p"), u64::MAX, vec![put(key("k"), "v")]);
    assert!(matches!(last, Err(CommitError::Invalid(_))), "{last:?}");
}

pub fn delete_range_removes_the_rows_of_the_range(mut subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let version = fill(&*store, &p, 20);
    commit(
        &*store,
        &p,
        version,
        vec![
            delete_range(&log_key(5)..&log_key(10)),
            delete_range(&log_key(8)..&log_key(12)),
            delete_range(&log_key(18)..Family::Log.range().end),
            delete_range(&log_key(15)..&log_key(15)),
            delete_range(&log_key(15)..&log_key(2)),
            delete_range(Family::Outbox.range()),
        ],
    )
    .unwrap();
    let left: Vec<Bytes> = (0..5).chain(12..18).map(log_key).collect();
    let all = || Family::Log.range();
    assert_eq!(scan(&*store, &p, all(), Direction::Ascending, 100), left);
    drop(store);
    subject.reopen();
    assert_eq!(scan(&*subject.store(), &p, all(), Direction::Ascending, 100), left);
}

pub fn delete_range_sees_what_is_queued_before_it(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    commit(&*store, &p, 0, vec![put(log_key(0), "stored")]).unwrap();
    let steps = [
        vec![put(log_key(1), "queued"), put(log_key(9), "kept")],
        vec![Write::Delete { key: log_key(0) }],
        vec![delete_range(&log_key(0)..&log_key(5))],
        vec![put(log_key(2), "after")],
    ];
    let queued: Vec<_> = (1..)
        .zip(steps)
        .map(|(expected, writes)| {
            store.commit(Commit::synced(p.clone(), Version(expected), writes))
        })
        .collect();
    for outcome in queued {
        wait(outcome).unwrap();
    }
    let left = scan(&*store, &p, Family::Log.range(), Direction::Ascending, 10);
    assert_eq!(left, [log_key(2), log_key(9)]);
}

pub fn delete_range_stays_in_one_family(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    for (from, to) in [(&[1_u8][..], &[3_u8][..]), (&[2], &[0x80, 0]), (&[], &[1]), (&[0], &[1])] {
        let outcome = commit(&*store, &p, 0, vec![delete_range(from..to)]);
        assert!(matches!(outcome, Err(CommitError::Invalid(_))), "{outcome:?}");
    }
    assert_eq!(version(&*store, &p), Version(0));
}

pub fn delete_range_is_bounded(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let most = u32::try_from(limits::RANGE_ROWS_MAX).unwrap();
    let version_now = fill(&*store, &p, most + 1);
    let all = || delete_range(Family::Log.range());
    let outcome = commit(&*store, &p, version_now, vec![all()]);
    assert!(matches!(outcome, Err(CommitError::Invalid(_))), "{outcome:?}");
    // Two ranges count together, and the refused commits have changed nothing.
    let halves = || {
        vec![
            delete_range(&log_key(0)..&log_key(1000)),
            delete_range(&log_key(1000)..&log_key(most + 1)),
        ]
    };
    let outcome = commit(&*store, &p, version_now, halves());
    assert!(matches!(outcome, Err(CommitError::Invalid(_))), "{outcome:?}");
    assert_eq!(version(&*store, &p), Version(version_now));
    commit(&*store, &p, version_now, vec![Write::Delete { key: log_key(7) }]).unwrap();
    commit(&*store, &p, version_now + 1, halves()).unwrap();
    assert_eq!(everything(&*store, &p), []);
}

// The outbox.

pub fn pending_lists_the_partitions_with_outbox_rows(mut subject: impl Subject) {
    let store = subject.store();
    let (a, b) = (partition("a"), partition("b"));
    let put_two = vec![put(outbox_key("1"), ""), put(outbox_key("2"), "")];
    commit(&*store, &a, 0, put_two).unwrap();
    commit(&*store, &b, 0, vec![put(key("k"), ""), put(log_key(1), "")]).unwrap();
    assert_eq!(pending(&*store, None, 10), [a.clone()]);
    commit(&*store, &a, 1, vec![Write::Delete { key: outbox_key("1") }]).unwrap();
    assert_eq!(pending(&*store, None, 10), [a.clone()], "one row is left");
    commit(&*store, &b, 1, vec![put(outbox_key("1"), "")]).unwrap();
    drop(store);
    subject.reopen();
    let store = subject.store();
    assert_eq!(pending(&*store, None, 10), [a.clone(), b.clone()]);
    commit(&*store, &a, 2, vec![delete_range(Family::Outbox.range())]).unwrap();
    assert_eq!(pending(&*store, None, 10), [b]);
}

pub fn pending_pages_upwards(subject: impl Subject) {
    let store = subject.store();
    let mut names: Vec<Vec<u8>> = (0..30_u8).map(|n| vec![n / 3, n % 3][..].to_vec()).collect();
    names.extend([vec![0], vec![0, 0, 0], vec![1], vec![0xff; 128], b"longer".to_vec()]);
    for name in &names {
        commit(&*store, &partition(name), 0, vec![put(outbox_key("1"), "")]).unwrap();
    }
    names.sort();
    let expected: Vec<Partition> = names.iter().map(partition).collect();
    assert_eq!(pending(&*store, None, 100), expected);
    assert_eq!(pending(&*store, None, 0), []);
    let mut paged: Vec<Partition> = vec![];
    loop {
        let page = pending(&*store, paged.last(), 4);
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, expected);
    // A partition that is not itself in the list is a bound all the same.
    assert_eq!(pending(&*store, Some(&partition([5, 1, 0])), 1), [partition([5, 2])]);
}

// Durability, surroundings.

pub fn what_was_acknowledged_survives_a_reopen(mut subject: impl Subject) {
    let p = |number: u64| partition(number.to_be_bytes());
    for round in 0..3_u64 {
        let store = subject.store();
        for number in 0..50 {
            let writes = vec![put(key("k"), round.to_string()), put(outbox_key("o"), "")];
            let commit = if number % 2 == 0 {
                Commit::synced(p(number), Version(round), writes)
            } else {
                Commit::relaxed(p(number), Version(round), writes)
            };
            wait(store.commit(commit)).unwrap();
        }
        drop(store);
        subject.reopen();
        let store = subject.store();
        assert_eq!(pending(&*store, None, 100).len(), 50);
        for number in 0..50 {
            assert_eq!(version(&*store, &p(number)), Version(round + 1));
            assert_eq!(get(&*store, &p(number), &key("k")), Some(round.to_string().into()));
        }
    }
}

pub fn any_runtime_will_do(subject: impl Subject) {
    let store = subject.store();
    let run = async |name: &str| {
        let p = partition(name);
        let writes = vec![put(key("k"), "v")];
        let commit = Commit::synced(p.clone(), Version(0), writes);
        assert_eq!(store.commit(commit).await, Ok(Version(1)));
        assert_eq!(store.get(&p, &key("k")).await, Ok(Some("v".into())));
    };
    // None at all, one on this thread, one on each of several threads, a multi-threaded one.
    wait_without_runtime(run("none"));
    wait(run("one"));
    thread::scope(|scope| {
        for name in ["first", "second"] {
            let run = &run;
            scope.spawn(move || wait(run(name)));
        }
    });
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    many.block_on(run("many"));
}

/// Polls a future to its end without any runtime.
fn wait_without_runtime<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => thread::park(),
        }
    }
}

pub fn an_export_is_of_one_moment_while_commits_go_on(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let all_families = |number: u64| {
        let value = number.to_be_bytes();
        let log = log_key(u32::try_from(number).unwrap());
        vec![put(outbox_key("o"), value), put(key("k"), value), put(log, value)]
    };
    commit(&*store, &p, 0, all_families(0)).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..300 {
                let next = Commit::relaxed(p.clone(), Version(number), all_families(number));
                wait(store.commit(next)).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            let mut stream = vec![];
            let exported = store.export(&mut stream).unwrap();
            assert_eq!(exported.partitions, 1);
            check_moment(&stream, &p);
        }
    });
}

/// The version of the partition, its rewritten rows and the number of its log rows must agree.
fn check_moment(stream: &[u8], expected: &Partition) {
    let mut input = stream;
    let mut reader = StreamReader::new(&mut input).unwrap();
    let Some(Element::Partition(partition, version)) = reader.next().unwrap() else {
        panic!("a partition comes first");
    };
    assert_eq!(partition, *expected);
    let newest = (version.0 - 1).to_be_bytes();
    let mut log_rows = 0;
    while let Some(element) = reader.next().unwrap() {
        let Element::Row(row) = element else { panic!("there is only one partition") };
        if Family::of(&row.key) == Some(Family::Log) {
            log_rows += 1;
        } else {
            assert_eq!(row.value[..], newest);
        }
    }
    assert_eq!(log_rows, version.0);
}

pub fn an_export_holds_everything(subject: impl Subject) {
    let store = subject.store();
    let names = ["a", "b\x00", "b\x00\x00", "c"];
    for (number, name) in (1_u32..).zip(names) {
        let p = partition(name);
        for expected in 0..u64::from(number) {
            let writes =
                vec![put(key("k"), name), put(log_key(number), name), put(outbox_key(name), "")];
            commit(&*store, &p, expected, writes).unwrap();
        }
    }
    commit(&*store, &partition("empty"), 0, vec![Write::Delete { key: key("k") }]).unwrap();
    let mut stream = vec![];
    let exported = store.export(&mut stream).unwrap();
    assert_eq!((exported.partitions, exported.rows), (5, 12));
    assert_eq!(exported.bytes, stream.len() as u64);
    let copy = Memory::import(&mut &stream[..]).unwrap();
    for name in names.into_iter().chain(["empty"]) {
        let p = partition(name);
        assert_eq!(everything(&copy, &p), everything(&*store, &p));
        assert_eq!(version(&copy, &p), version(&*store, &p));
    }
    assert_eq!(pending(&copy, None, 10), pending(&*store, None, 10));
}

pub fn stats_count_what_happened(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    commit(&*store, &p, 0, vec![put(key("k"), "value")]).unwrap();
    commit(&*store, &p, 0, vec![put(key("k"), "value")]).unwrap_err();
    get(&*store, &p, &key("k"));
    let stats = store.stats();
    assert_eq!((stats.commits, stats.conflicts, stats.refused), (1, 1, 0));
    assert_eq!((stats.batches, stats.syncs, stats.bytes), (1, 1, 7));
    assert_eq!((stats.queued_commits, stats.queued_bytes, stats.queued_reads), (0, 0, 0));
    assert_eq!(stats.latency.count(), 1);
    assert_eq!(stats.reads, 1);
}
