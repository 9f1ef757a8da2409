//! Extensions: key-values of a message which was sent for it.
//!
//! Each write of a message's extensions has a number. A key keeps the number of its last write, so that a
//! client that names the number it has seen notices when somebody else was faster, and asks for what is newer
//! than it has. A deleted key stays, empty, for those who have not heard of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::push::ExtensionChange;
use teahouse_proto::time::UnixSeconds;
use teahouse_store::{Direction, Partition};

use crate::entity::Change;
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::rows::{ExtensionRow, ExtensionsRow};

/// Keys of a message.
const KEYS_MAX: u32 = 300;
/// Writes of a message's extensions in a minute.
const WRITES_A_MINUTE: u32 = 200;
/// Keys in one answer.
const PAGE: usize = 200;

/// Where the extensions of one message lie.
pub(crate) struct Shelf {
    pub(crate) partition: Partition,
    /// What is known of all of them.
    pub(crate) together: Bytes,
    /// What the keys of the single rows begin with; the names follow.
    pub(crate) single: Bytes,
}

impl Shelf {
    fn row(&self, name: &str) -> Bytes {
        [&self.single[..], name.as_bytes()].concat().into()
    }

    /// The range of all single rows: no name has this byte.
    fn rows(&self) -> (Bytes, Bytes) {
        (self.single.clone(), [&self.single[..], &[0xff]].concat().into())
    }

    fn name_of<'a>(&self, key: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(key.get(self.single.len()..)?).ok()
    }
}

/// A key as a caller writes it.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) key: String,
    pub(crate) value: String,
    /// The number of its last write that the caller has seen; nothing: any will do.
    pub(crate) seen: Option<u64>,
}

/// What became of one key.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) key: String,
    pub(crate) row: ExtensionRow,
    /// Why it is not what was written.
    pub(crate) refused: Option<ErrorCode>,
}

/// What became of a write.
#[derive(Debug, Clone)]
pub(crate) struct Outcomes {
    /// In the order of the write.
    pub(crate) keys: Vec<Written>,
    /// Number of the message's last write.
    pub(crate) last: u64,
}

/// What others are told of a write.
#[derive(Debug, Clone)]
pub struct Told {
    /// How.
    pub change: ExtensionChange,
    /// Keys, values and the numbers of their writes.
    pub values: Vec<(String, String, u64)>,
    /// Number of the message's last write.
    pub last: u64,
    /// Number of the last write that removed all.
    pub cleared: u64,
}

/// The extensions of one message as they are stored: all, or those that a write is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extensions {
    together: ExtensionsRow,
    rows: BTreeMap<String, ExtensionRow>,
}

/// Reads all extensions of a message, at most [`KEYS_MAX`].
pub(crate) async fn load_all(node: &Node, shelf: &Shelf) -> Outcome<Extensions> {
    let (from, to) = shelf.rows();
    let store = node.store();
    let rows = store.scan(&shelf.partition, &from..&to, Direction::Ascending, usize::MAX).await?;
    let mut all = load(node, shelf, &[]).await?;
    for row in &rows {
        if let Some(name) = shelf.name_of(&row.key) {
            all.rows.insert(name.to_owned(), decode_row(&row.value)?);
        }
    }
    Ok(all)
}

/// Reads the extensions that are to be written.
pub(crate) async fn load(node: &Node, shelf: &Shelf, writes: &[Write]) -> Outcome<Extensions> {
    let keys = std::iter::once(shelf.together.clone())
        .chain(writes.iter().map(|write| shelf.row(&write.key)))
        .map(|key| (shelf.partition.clone(), key));
    let keys: Vec<(Partition, Bytes)> = keys.collect();
    let mut found = node.store().get_many(&keys).await?.into_iter();
    let together = found.next().flatten().map(|row| decode_row(&row)).transpose()?;
    let mut rows = BTreeMap::new();
    for (write, row) in writes.iter().zip(found) {
        if let Some(row) = row {
            rows.insert(write.key.clone(), decode_row(&row)?);
        }
    }
    Ok(Extensions { together: together.unwrap_or_default(), rows })
}

impl Extensions {
    /// Queues a write, and says what others are told of it: nothing if nothing is different. With
    /// [`ExtensionChange::Clear`] all keys go.
    ///
    /// # Errors
    /// `ExtensionsTooFrequent`. Single keys are refused in the outcome: `ExtensionConflict`,
    /// `ExtensionTargetUnknown` for a key to delete, `GroupBadParameter` for one too many.
    pub(crate) fn write(
        &self,
        shelf: &Shelf,
        change: ExtensionChange,
        writes: &[Write],
        now: UnixSeconds,
        commit: &mut Change,
    ) -> Result<(Outcomes, Option<Told>), Error> {
        let minute = now.0 / 60;
        let mut together = self.together;
        if together.minute != minute {
            (together.minute, together.writes) = (minute, 0);
        }
        if together.writes >= WRITES_A_MINUTE {
            let info = format!("{WRITES_A_MINUTE} writes a minute are allowed");
            return Err(Error::with(ErrorCode::ExtensionsTooFrequent, info));
        }
        let keys = match change {
            ExtensionChange::Set => self.set(writes, &mut together),
            ExtensionChange::Delete => self.delete(writes, &mut together),
            ExtensionChange::Clear => clear(&mut together),
        };
        let outcomes = Outcomes { keys, last: together.last };
        if together.last == self.together.last {
            return Ok((outcomes, None));
        }
        together.writes += 1;
        if change == ExtensionChange::Clear {
            commit.delete_range(shelf.rows());
        }
        let done = || outcomes.keys.iter().filter(|written| written.refused.is_none());
        for written in done() {
            commit.put(shelf.row(&written.key), &written.row);
        }
        commit.put(shelf.together.clone(), &together);
        let values = done().map(|w| (w.key.clone(), w.row.value.clone(), w.row.seq)).collect();
        let ExtensionsRow { last, cleared, .. } = together;
        Ok((outcomes, Some(Told { change, values, last, cleared })))
    }

    fn set(&self, writes: &[Write], together: &mut ExtensionsRow) -> Vec<Written> {
        let write = |write: &Write| {
            let known = self.rows.get(&write.key);
            let present = known.cloned().unwrap_or_default();
            let written = |row, refused| Written { key: write.key.clone(), row, refused };
            if write.seen.is_some_and(|seen| seen != present.seq) {
                return written(present, Some(ErrorCode::ExtensionConflict));
            }
            if known.is_none() {
                if together.keys >= KEYS_MAX {
                    return written(present, Some(ErrorCode::GroupBadParameter));
                }
                together.keys += 1;
            }
            together.last += 1;
            written(ExtensionRow { value: write.value.clone(), seq: together.last }, None)
        };
        writes.iter().map(write).collect()
    }

    fn delete(&self, writes: &[Write], together: &mut ExtensionsRow) -> Vec<Written> {
        let delete = |write: &Write| {
            let present = self.rows.get(&write.key).cloned().unwrap_or_default();
            let (row, refused) = if present.value.is_empty() {
                (present, Some(ErrorCode::ExtensionTargetUnknown))
            } else {
                together.last += 1;
                (ExtensionRow { value: String::new(), seq: together.last }, None)
            };
            Written { key: write.key.clone(), row, refused }
        };
        writes.iter().map(delete).collect()
    }

    /// Those that were written with this number or later.
    pub(crate) fn page(self, from: u64) -> Page {
        let mut keys: Vec<(String, ExtensionRow)> =
            self.rows.into_iter().filter(|(_, row)| row.seq >= from).collect();
        keys.sort_by_key(|(_, row)| row.seq);
        let complete = keys.len() <= PAGE;
        keys.truncate(PAGE);
        let ExtensionsRow { last, cleared, .. } = self.together;
        Page { keys, complete, last, cleared }
    }
}

fn clear(together: &mut ExtensionsRow) -> Vec<Written> {
    together.last += 1;
    (together.cleared, together.keys) = (together.last, 0);
    Vec::new()
}

/// Extensions of a message, by the number of their last write.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) keys: Vec<(String, ExtensionRow)>,
    pub(crate) complete: bool,
    pub(crate) last: u64,
    pub(crate) cleared: u64,
}
