//! What several test programs of this crate share.

#![allow(dead_code, reason = "each program uses a part")]

use std::{fs, path::Path};

use bytes::Bytes;
use teahouse_store::{
    Commit, CommitError, Direction, Embedded, Partition, Row, Store, Version, Write,
    embedded::Options,
    family::{self, Family},
};

/// Runs a future to its end.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(future)
}

/// Opens a store that must open.
pub(crate) fn open(path: &Path) -> Embedded {
    Embedded::open(path, &small()).expect("the store opens")
}

/// So small that a test reaches tables, compactions and evictions.
pub(crate) fn small() -> Options {
    Options {
        memtable_bytes_max: 64 * 1024,
        cache_bytes: 256 * 1024,
        versions_max: 4,
        reader_threads: 1,
        ..Options::default()
    }
}

/// A partition by name.
pub(crate) fn partition(name: impl AsRef<[u8]>) -> Partition {
    Partition::new(name.as_ref().to_vec()).expect("a valid name")
}

/// The key of a mutable row.
pub(crate) fn key(name: impl AsRef<[u8]>) -> Bytes {
    Bytes::from([&[family::MUTABLE], name.as_ref()].concat())
}

/// The key of a log row.
pub(crate) fn log_key(number: u64) -> Bytes {
    Bytes::from([&[family::LOG][..], &number.to_be_bytes()].concat())
}

/// The key of an outbox row.
pub(crate) fn outbox_key(name: impl AsRef<[u8]>) -> Bytes {
    Bytes::from([&[family::OUTBOX], name.as_ref()].concat())
}

/// A write of a row.
pub(crate) fn put(key: Bytes, value: impl AsRef<[u8]>) -> Write {
    Write::Put { key, value: Bytes::copy_from_slice(value.as_ref()) }
}

/// A synced commit, awaited.
pub(crate) fn commit(
    store: &dyn Store,
    partition: &Partition,
    expected: u64,
    writes: Vec<Write>,
) -> Result<Version, CommitError> {
    wait(store.commit(Commit::synced(partition.clone(), Version(expected), writes)))
}

/// All rows of a partition.
pub(crate) fn everything(store: &dyn Store, partition: &Partition) -> Vec<Row> {
    let of = |family: Family| {
        let all = store.scan(partition, family.range(), Direction::Ascending, usize::MAX);
        wait(all).expect("a readable partition")
    };
    Family::ALL.into_iter().flat_map(of).collect()
}

/// Copies a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new directory");
    for entry in fs::read_dir(from).expect("a readable directory") {
        let entry = entry.expect("a readable entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a known type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copied file");
        }
    }
}

/// Random enough for tests, and the same on every machine (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
