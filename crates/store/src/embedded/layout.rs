//! How partitions, rows and versions lie in the keyspaces.
//!
//! Few keyspaces, because each is an LSM tree of its own; partitions are key prefixes. One keyspace
//! per row family: log rows are never rewritten, mutable rows are, and the outbox keyspace is by
//! itself the index of the partitions with pending work. A fourth one holds, for each partition,
//! its version, and for the whole store the id of the last batch.
//!
//! A partition name becomes a prefix by escaping: each `00` byte becomes `00 FF`, and `00 01` ends
//! it. So no name is a prefix of another one, and keys order by partition first, as bytes, which a
//! length in front would not give.
//!
//! Every value is sealed with the partition's version at its commit and a CRC32C over key, version
//! and value: a value that rotted, or that belongs to another key, is noticed on each read.

use crate::contract::{Partition, Version};

/// The key of the id of the last batch, in the meta keyspace.
pub(super) const COMMIT_ID_KEY: &[u8] = b"c";
/// What the keys of partition versions start with, in the meta keyspace.
pub(super) const VERSION_PREFIX: u8 = b'v';

const ESCAPED: u8 = 0x00;
const ESCAPE_ZERO: u8 = 0xff;
const ESCAPE_END: u8 = 0x01;
const ESCAPE_ABOVE: u8 = 0x02;

/// Bytes that sealing adds: checksum and version.
const SEAL_BYTES: usize = 4 + 8;

/// The stored key of a row, or of a bound of a range.
pub(super) fn row_key(partition: &Partition, key: &[u8]) -> Vec<u8> {
    let mut stored = escaped(partition, key.len());
    stored.extend([ESCAPED, ESCAPE_END]);
    stored.extend_from_slice(key);
    stored
}

/// The smallest stored key above all keys of the partition.
pub(super) fn partition_end(partition: &Partition) -> Vec<u8> {
    let mut stored = escaped(partition, 0);
    stored.extend([ESCAPED, ESCAPE_ABOVE]);
    stored
}

fn escaped(partition: &Partition, more: usize) -> Vec<u8> {
    let mut stored = Vec::with_capacity(partition.len() + 8 + more);
    for &byte in partition.as_bytes() {
        stored.push(byte);
        if byte == ESCAPED {
            stored.push(ESCAPE_ZERO);
        }
    }
    stored
}

/// Takes a stored key apart; `None` when it is none.
pub(super) fn split_row_key(stored: &[u8]) -> Option<(Partition, &[u8])> {
    let mut name = Vec::with_capacity(stored.len());
    let mut rest = stored;
    loop {
        match *rest {
            [ESCAPED, ESCAPE_END, ref key @ ..] => {
                return Some((Partition::new(name).ok()?, key));
            }
            [ESCAPED, ESCAPE_ZERO, ref more @ ..] => {
                name.push(ESCAPED);
                rest = more;
            }
            [ESCAPED, ..] | [] => return None,
            [byte, ref more @ ..] => {
                name.push(byte);
                rest = more;
            }
        }
    }
}

/// The key of a partition's version, in the meta keyspace.
pub(super) fn version_key(partition: &Partition) -> Vec<u8> {
    [&[VERSION_PREFIX], partition.as_bytes()].concat()
}

/// A value as it is stored under `stored_key`.
pub(super) fn seal(stored_key: &[u8], version: Version, value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(SEAL_BYTES + value.len());
    sealed.extend([0; 4]);
    sealed.extend(version.0.to_le_bytes());
    sealed.extend_from_slice(value);
    let crc = checksum(stored_key, &sealed[4..]);
    sealed[..4].copy_from_slice(&crc.to_le_bytes());
    sealed
}

/// Version and value of what was stored under `stored_key`; `None` when it is damaged.
pub(super) fn unseal<'a>(stored_key: &[u8], sealed: &'a [u8]) -> Option<(Version, &'a [u8])> {
    let (crc, checked) = sealed.split_first_chunk::<4>()?;
    let (version, value) = checked.split_first_chunk::<8>()?;
    let intact = checksum(stored_key, checked) == u32::from_le_bytes(*crc);
    intact.then_some((Version(u64::from_le_bytes(*version)), value))
}

fn checksum(stored_key: &[u8], checked: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(stored_key), checked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partition(name: &[u8]) -> Partition {
        Partition::new(name.to_vec()).expect("a valid name")
    }

    /// Names made of the bytes that the escaping treats specially, and a few others.
    fn names() -> impl Strategy<Value = Vec<u8>> {
        let bytes = prop::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0xfe, 0xff]);
        prop::collection::vec(bytes, 1..6)
    }

    proptest! {
        #[test]
        fn stored_keys_order_by_partition_then_key(
            a in names(), b in names(), x in names(), y in names()
        ) {
            let order = row_key(&partition(&a), &x).cmp(&row_key(&partition(&b), &y));
            prop_assert_eq!(order, (a, x).cmp(&(b, y)));
        }

        #[test]
        fn the_end_of_a_partition_is_above_its_keys_and_below_the_next(
            a in names(), b in names(), key in names()
        ) {
            let end = partition_end(&partition(&a));
            let other = row_key(&partition(&b), &key);
            prop_assert_eq!(other < end, b <= a);
        }

        #[test]
        fn a_stored_key_comes_apart_again(name in names(), key in names()) {
            let stored = row_key(&partition(&name), &key);
            prop_assert_eq!(split_row_key(&stored), Some((partition(&name), &key[..])));
        }
    }

    #[test]
    fn what_is_no_stored_key_does_not_come_apart() {
        for stored in [&b""[..], b"abc", b"abc\x00", b"abc\x00\x02", b"\x00\x01key"] {
            assert_eq!(split_row_key(stored), None, "{}", stored.escape_ascii());
        }
    }

    #[test]
    fn a_sealed_value_shows_any_change() {
        let sealed = seal(b"key", Version(7), b"value");
        assert_eq!(unseal(b"key", &sealed), Some((Version(7), &b"value"[..])));
        assert_eq!(unseal(b"kez", &sealed), None, "it belongs to another key");
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(unseal(b"key", &altered), None, "byte {at}");
        }
        for length in 0..sealed.len() {
            assert_eq!(unseal(b"key", &sealed[..length]), None, "cut to {length}");
        }
    }
}
