//! Attributes of a group: some keys with values that every member reads and writes.
//!
//! Clients keep a copy. Each write has a number, one more than the write before, and each attribute the
//! number of the write that it is from. A client that wants race control says what it has seen, and is
//! refused if somebody else was faster: who replaces or removes all attributes must have seen the last
//! write, who writes or removes some of them their last values.

use std::collections::BTreeMap;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::push::{AttributeChange, GroupAttribute};
use teahouse_proto::time::UnixSeconds;

use super::GroupState;
use crate::entity::Change;
use crate::rows::{AttributeRow, AttributesRow, key};

const KEYS_MAX: usize = 16;
const KEY_BYTES_MAX: usize = 32;
const VALUE_BYTES_MAX: usize = 4_000;
const VALUES_BYTES_MAX: usize = 16_000;

/// What somebody wants to write.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) change: AttributeChange,
    /// In [`GroupAttribute::seq`] what the writer has seen of each: 0 if it was not there.
    pub(crate) attributes: Vec<GroupAttribute>,
    /// The last write that he has seen; nothing if he does not care.
    pub(crate) seen: Option<u64>,
}

impl Write {
    /// Checks what can be checked without the group.
    ///
    /// # Errors
    /// `AttributeKeyTooLong`, `AttributeValueTooLong`, `AttributesFull`; `GroupBadParameter` for a key without
    /// a name, and when no attribute is named.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let names_some = matches!(self.change, AttributeChange::Modify | AttributeChange::Delete);
        if names_some && self.attributes.is_empty() {
            return Err(Error::with(ErrorCode::GroupBadParameter, "GroupAttr is empty"));
        }
        if self.attributes.len() > KEYS_MAX {
            let info =
                format!("{} attributes are written, at most {KEYS_MAX}", self.attributes.len());
            return Err(Error::with(ErrorCode::AttributesFull, info));
        }
        for GroupAttribute { key, value, .. } in &self.attributes {
            if key.is_empty() {
                return Err(Error::with(ErrorCode::GroupBadParameter, "GroupAttr.key is empty"));
            }
            if key.len() > KEY_BYTES_MAX {
                let info = format!("the key {key} is {} bytes, at most {KEY_BYTES_MAX}", key.len());
                return Err(Error::with(ErrorCode::AttributeKeyTooLong, info));
            }
            if value.len() > VALUE_BYTES_MAX {
                let bytes = value.len();
                let info =
                    format!("the value of {key} is {bytes} bytes, at most {VALUE_BYTES_MAX}");
                return Err(Error::with(ErrorCode::AttributeValueTooLong, info));
            }
        }
        Ok(())
    }
}

impl AttributesRow {
    /// The attributes after `write`.
    ///
    /// # Errors
    /// `AttributeConflict` if the writer has not seen what he changes; `AttributeUnknown` for one that is to
    /// be removed and is not there; `AttributesFull` and `AttributesTooLong` for what would be there then.
    pub(crate) fn after(&self, write: &Write) -> Result<Self, Error> {
        self.check_race(write)?;
        let main_seq = self.main_seq + 1;
        let mut by_key = match write.change {
            AttributeChange::Set | AttributeChange::Clear => BTreeMap::new(),
            AttributeChange::Modify | AttributeChange::Delete => self.by_key.clone(),
        };
        for GroupAttribute { key, value, .. } in &write.attributes {
            if write.change != AttributeChange::Delete {
                by_key.insert(key.clone(), AttributeRow { value: value.clone(), seq: main_seq });
            } else if by_key.remove(key).is_none() {
                let info = format!("there is no attribute {key}");
                return Err(Error::with(ErrorCode::AttributeUnknown, info));
            }
        }
        if by_key.len() > KEYS_MAX {
            let info = format!("there would be {} attributes, at most {KEYS_MAX}", by_key.len());
            return Err(Error::with(ErrorCode::AttributesFull, info));
        }
        let bytes: usize = by_key.values().map(|attribute| attribute.value.len()).sum();
        if bytes > VALUES_BYTES_MAX {
            let info = format!("the values would be {bytes} bytes, at most {VALUES_BYTES_MAX}");
            return Err(Error::with(ErrorCode::AttributesTooLong, info));
        }
        Ok(Self { main_seq, by_key })
    }

    fn check_race(&self, write: &Write) -> Result<(), Error> {
        let Some(seen) = write.seen else { return Ok(()) };
        let seq_of = |key: &str| self.by_key.get(key).map_or(0, |attribute| attribute.seq);
        let is_seen = match write.change {
            AttributeChange::Set | AttributeChange::Clear => seen == self.main_seq,
            AttributeChange::Modify | AttributeChange::Delete => {
                write.attributes.iter().all(|named| named.seq == seq_of(&named.key))
            }
        };
        if is_seen { Ok(()) } else { Err(ErrorCode::AttributeConflict.into()) }
    }

    /// All attributes, as lists show them.
    pub(crate) fn list(&self) -> Vec<GroupAttribute> {
        let attribute = |(key, row): (&String, &AttributeRow)| GroupAttribute {
            key: key.clone(),
            value: row.value.clone(),
            seq: row.seq,
        };
        self.by_key.iter().map(attribute).collect()
    }
}

impl GroupState {
    /// Makes `write`. Returns the attributes as it has written them.
    ///
    /// # Errors
    /// Those of [`AttributesRow::after`]; `AttributesTooFrequent` beyond so many writes in this second.
    pub(crate) fn write_attributes(
        &mut self,
        write: &Write,
        (now, most): (UnixSeconds, u32),
        change: &mut Change,
    ) -> Result<Vec<GroupAttribute>, Error> {
        let after = self.attributes.after(write)?;
        if !self.attribute_writes.take(now, most) {
            return Err(ErrorCode::AttributesTooFrequent.into());
        }
        self.attributes = after;
        change.put(key::attributes(self.head.incarnation), &self.attributes);
        let seq = self.attributes.main_seq;
        Ok(write.attributes.iter().map(|named| GroupAttribute { seq, ..named.clone() }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AttributeChange::{Clear, Delete, Modify, Set};

    fn write(change: AttributeChange, seen: Option<u64>, named: &[(&str, &str, u64)]) -> Write {
        let attribute = |(key, value, seq): &(&str, &str, u64)| GroupAttribute {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
            seq: *seq,
        };
        Write { change, attributes: named.iter().map(attribute).collect(), seen }
    }

    /// The attributes after these writes without race control.
    fn after(writes: &[Write]) -> AttributesRow {
        let step = |row: AttributesRow, write: &Write| row.after(write).expect("allowed");
        writes.iter().fold(AttributesRow::default(), step)
    }

    fn code(row: &AttributesRow, write: &Write) -> Result<u64, ErrorCode> {
        row.after(write).map(|row| row.main_seq).map_err(|error| error.code)
    }

    #[test]
    fn each_write_has_the_next_number_and_marks_what_it_wrote() {
        let row = after(&[
            write(Set, None, &[("a", "1", 0), ("b", "1", 0)]),
            write(Modify, None, &[("b", "2", 0), ("c", "2", 0)]),
            write(Delete, None, &[("a", "", 0)]),
        ]);
        let list: Vec<_> = row.list().into_iter().map(|a| (a.key, a.value, a.seq)).collect();
        let expected = [("b", "2", 2), ("c", "2", 2)].map(|(k, v, s)| (k.into(), v.into(), s));
        assert_eq!((row.main_seq, list), (3, expected.to_vec()));
        assert_eq!(
            after(&[write(Set, None, &[("a", "1", 0)]), write(Clear, None, &[])]).by_key.len(),
            0
        );
    }

    #[test]
    fn whoever_has_not_seen_what_he_changes_is_refused() {
        let row =
            after(&[write(Set, None, &[("a", "1", 0)]), write(Modify, None, &[("b", "2", 0)])]);
        let conflict = Err(ErrorCode::AttributeConflict);
        for (change, seen, expected) in [
            (Set, Some(2), Ok(3)),
            (Set, Some(1), conflict),
            (Set, None, Ok(3)),
            (Clear, Some(2), Ok(3)),
            (Clear, Some(0), conflict),
        ] {
            assert_eq!(code(&row, &write(change, seen, &[])), expected, "{change:?} {seen:?}");
        }
        for (change, key, seq, expected) in [
            (Modify, "a", 1, Ok(3)),
            (Modify, "a", 2, conflict),
            (Modify, "a", 0, conflict),
            (Modify, "new", 0, Ok(3)),
            (Modify, "new", 1, conflict),
            (Delete, "b", 2, Ok(3)),
            (Delete, "b", 0, conflict),
            (Delete, "gone", 1, conflict),
            (Delete, "gone", 0, Err(ErrorCode::AttributeUnknown)),
        ] {
            // Of all attributes together he need not have seen the last write.
            let named = write(change, Some(0), &[(key, "", seq)]);
            assert_eq!(code(&row, &named), expected, "{change:?} {key} {seq}");
        }
    }

    #[test]
    fn a_key_that_was_removed_and_made_again_is_another() {
        let row = after(&[
            write(Set, None, &[("a", "1", 0)]),
            write(Delete, None, &[("a", "", 0)]),
            write(Modify, None, &[("a", "1", 0)]),
        ]);
        let stale = write(Modify, Some(3), &[("a", "2", 1)]);
        assert_eq!(code(&row, &stale), Err(ErrorCode::AttributeConflict));
    }

    #[test]
    fn what_would_be_there_has_limits() {
        let keys: Vec<String> = (0..17).map(|n| format!("k{n}")).collect();
        let named: Vec<_> = keys.iter().map(|key| (key.as_str(), "v", 0)).collect();
        let full = after(&[write(Set, None, &named[..16])]);
        assert_eq!(code(&full, &write(Modify, None, &named[16..])), Err(ErrorCode::AttributesFull));
        assert_eq!(code(&full, &write(Modify, None, &named[..1])), Ok(2), "one of them");

        let long = "v".repeat(4_000);
        let named: Vec<_> = keys.iter().map(|key| (key.as_str(), long.as_str(), 0)).collect();
        let full = after(&[write(Set, None, &named[..4])]);
        let one_more = write(Modify, None, &[("more", "v", 0)]);
        assert_eq!(code(&full, &one_more), Err(ErrorCode::AttributesTooLong));
    }

    #[test]
    fn what_is_written_has_limits() {
        let check = |key: &str, value: &str| {
            write(Modify, None, &[(key, value, 0)]).check().map_err(|error| error.code)
        };
        let (key, value) = ("k".repeat(32), "v".repeat(4_000));
        assert_eq!(check(&key, &value), Ok(()));
        assert_eq!(check(&format!("{key}k"), ""), Err(ErrorCode::AttributeKeyTooLong));
        assert_eq!(check("k", &format!("{value}v")), Err(ErrorCode::AttributeValueTooLong));
        assert_eq!(check("", ""), Err(ErrorCode::GroupBadParameter));
    }
}
