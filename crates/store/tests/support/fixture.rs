//! The content of the data fixtures, the same for all time: what is checked in must hold just this.

use bytes::Bytes;
use teahouse_store::{Commit, Partition, Version, Write, family};

/// Commits the fixture to an empty store, one by one.
///
/// Some 700 rows in six partitions: log rows, rewritten and deleted rows, an emptied partition,
/// outbox rows come and gone, values from nothing to 20,000 bytes, names and keys with zeros.
pub(crate) fn commits() -> Vec<Commit> {
    let mut commits = Vec::new();
    let mut add = |name: &[u8], version: u64, writes: Vec<Write>| {
        let partition = Partition::new(name.to_vec()).expect("a valid name");
        commits.push(Commit::synced(partition, Version(version), writes));
    };
    for version in 0..300 {
        let text = format!("message {version} of the fixture, {}", "tea ".repeat(40));
        let head = format!("head {}", version + 1);
        add(b"room", version, vec![put(log_key(version), &text), put(key(2, b"head"), &head)]);
    }
    for version in 0..40_u64 {
        let outbox = key(family::OUTBOX, &version.to_be_bytes());
        let done = key(family::OUTBOX, &version.saturating_sub(3).to_be_bytes());
        add(b"user\x00alice", version, vec![put(outbox, "job"), Write::Delete { key: done }]);
    }
    add(b"user\x00", 0, vec![put(key(family::OUTBOX, b""), ""), put(key(0x7f, b"\x00\x00"), "")]);
    add(b"\x00", 0, vec![put(key(2, b"large"), "kettle ".repeat(3000))]);
    let keys = || (0..=255_u8).map(|byte| key(5, &[byte]));
    add(b"bytes", 0, keys().map(|key| put(key, "old")).collect());
    add(b"bytes", 1, keys().step_by(2).map(|key| put(key, "new")).collect());
    let middle = Write::DeleteRange { from: key(5, &[100]), to: key(5, &[200]) };
    add(b"bytes", 2, vec![middle]);
    add(b"gone", 0, vec![put(key(2, b"k"), "v"), put(key(0xff, b"k"), "v")]);
    add(
        b"gone",
        1,
        vec![Write::Delete { key: key(2, b"k") }, Write::Delete { key: key(0xff, b"k") }],
    );
    commits
}

fn key(first: u8, rest: &[u8]) -> Bytes {
    Bytes::from([&[first], rest].concat())
}

fn log_key(number: u64) -> Bytes {
    key(family::LOG, &number.to_be_bytes())
}

fn put(key: Bytes, value: impl AsRef<[u8]>) -> Write {
    Write::Put { key, value: Bytes::copy_from_slice(value.as_ref()) }
}
