//! Row families: the first byte of a key says how its row is used.
//!
//! | first byte | family | use |
//! | --- | --- | --- |
//! | `0x00` | none | reserved, refused |
//! | `0x01` | outbox | work still to carry out elsewhere; [`Store::pending`] lists its partitions |
//! | `0x02..=0x7f` | mutable | rows that are rewritten: heads, indexes, settings |
//! | `0x80..=0xff` | log | written once under a unique key, never overwritten, only deleted |
//!
//! An engine may keep each family in its own place, so a scanned or deleted range stays within
//! one of them.
//!
//! [`Store::pending`]: crate::Store::pending

use std::ops::Range;

use bytes::Bytes;

use crate::contract::limits;

/// The first byte of every outbox row.
pub const OUTBOX: u8 = 0x01;
/// The smallest first byte of a mutable row.
pub const MUTABLE: u8 = 0x02;
/// The smallest first byte of a log row.
pub const LOG: u8 = 0x80;

/// An exclusive bound above every valid key.
static ABOVE_ALL: [u8; limits::KEY_BYTES_MAX + 1] = [0xff; limits::KEY_BYTES_MAX + 1];

/// One of the three uses of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Work still to carry out elsewhere.
    Outbox,
    /// Rows that are rewritten.
    Mutable,
    /// Rows that are written once.
    Log,
}

impl Family {
    /// All families, in key order.
    pub const ALL: [Family; 3] = [Family::Outbox, Family::Mutable, Family::Log];

    /// The family of `key`; `None` when it is empty or starts with the reserved byte `0x00`.
    #[must_use]
    pub fn of(key: &[u8]) -> Option<Family> {
        match *key.first()? {
            0 => None,
            OUTBOX => Some(Family::Outbox),
            MUTABLE..LOG => Some(Family::Mutable),
            LOG.. => Some(Family::Log),
        }
    }

    /// The range of all keys of this family, ready for a scan or a range delete.
    #[must_use]
    pub fn range(self) -> Range<&'static [u8]> {
        match self {
            Family::Outbox => &[OUTBOX]..&[MUTABLE],
            Family::Mutable => &[MUTABLE]..&[LOG],
            Family::Log => &[LOG]..&ABOVE_ALL,
        }
    }
}

/// The smallest bound above every key that starts with `prefix`: the exclusive end of a scan
/// over a prefix.
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    match prefix.iter().rposition(|&byte| byte != 0xff) {
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            Bytes::from(end)
        }
        None => Bytes::from_static(&ABOVE_ALL),
    }
}

/// Checks the bounds of a scan or a range delete: both in one family, of a sane length.
///
/// An empty or inverted range is fine, it holds nothing.
pub(crate) fn check_range(from: &[u8], to: &[u8]) -> Result<(), String> {
    let longest = from.len().max(to.len());
    if longest > limits::KEY_BYTES_MAX + 1 {
        return Err(format!("a range bound of {longest} bytes is longer than any key"));
    }
    let Some(family) = Family::of(from) else {
        return Err("a range must start in a row family (first byte 0x01 or above)".to_owned());
    };
    if from < to && to > family.range().end {
        return Err(format!("the range leaves the {family:?} family it starts in"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_decides() {
        let check = |first: u8, family| assert_eq!(Family::of(&[first, 9]), family, "{first:#x}");
        check(0x00, None);
        check(0x01, Some(Family::Outbox));
        check(0x02, Some(Family::Mutable));
        check(0x7f, Some(Family::Mutable));
        check(0x80, Some(Family::Log));
        check(0xff, Some(Family::Log));
        assert_eq!(Family::of(&[]), None);
    }

    #[test]
    fn a_prefix_ends_just_above_its_last_key() {
        let check = |prefix: &[u8], end: &[u8]| assert_eq!(&prefix_end(prefix)[..], end);
        check(&[0x80, 5], &[0x80, 6]);
        check(&[0x80, 0xff], &[0x81]);
        check(&[0xff, 0xff], &ABOVE_ALL);
        check(&[], &ABOVE_ALL);
    }

    #[test]
    fn a_range_stays_in_its_family() {
        let ok = |from: &[u8], to: &[u8]| check_range(from, to).is_ok();
        assert!(ok(&[1], &[2]));
        assert!(!ok(&[1], &[2, 0]));
        assert!(ok(&[2], &[0x80]));
        assert!(!ok(&[0x7f], &[0x80, 0]));
        assert!(ok(&[0x80], &ABOVE_ALL));
        assert!(ok(&[9], &[3]), "an inverted range is empty, not wrong");
        assert!(!ok(&[0], &[2]));
        assert!(!ok(&[], &[2]));
        assert!(!ok(&[0x80], &[0xff; limits::KEY_BYTES_MAX + 2]));
        for family in Family::ALL {
            assert!(ok(family.range().start, family.range().end));
        }
    }
}
