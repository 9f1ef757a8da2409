//! Messages of a group that have stopped counting as unread: they were recalled, or a member has taken them out of his
//! history.
//!
//! A group numbers its messages that count, from 1, and a member has read all up to a number, without what he has sent
//! himself. All three only rise, so a message that stops counting changes none of them; it is written down beside
//! them, once for everybody or for one account, and taken off by whoever counts from the member's number on. A
//! sender's own message never counted for him: for him its recall is written down, too, and changes nothing.

use std::collections::BTreeMap;

use teahouse_proto::ids::TinyId;
use teahouse_store::{Direction, Partition};

use crate::entity::Change;
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::numbers::Numbers;
use crate::rows::{GroupUncountedRow, key};

/// Rows that a change may write: for everybody (nobody is named) or for one account.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunks {
    rows: BTreeMap<(Option<TinyId>, u64), Chunk>,
}

#[derive(Debug, Clone, Default)]
struct Chunk {
    off: Numbers,
    own: Numbers,
    is_changed: bool,
}

impl Chunks {
    /// Reads the rows that numbers belong to.
    pub(super) async fn load(
        node: &Node,
        partition: &Partition,
        incarnation: u64,
        numbers: impl Iterator<Item = (Option<TinyId>, u64)>,
    ) -> Outcome<Self> {
        let places = numbers.map(|(of, number)| (of, Numbers::chunk_of(number)));
        let mut rows: BTreeMap<_, Chunk> = places.map(|place| (place, Chunk::default())).collect();
        let key = |(of, chunk): &(Option<TinyId>, u64)| {
            (partition.clone(), key::group_uncounted(incarnation, *of, *chunk))
        };
        let keys: Vec<_> = rows.keys().map(key).collect();
        for (((_, number), chunk), row) in rows.iter_mut().zip(node.store().get_many(&keys).await?)
        {
            if let Some(row) = row {
                let row: GroupUncountedRow = decode_row(&row)?;
                chunk.off.add(*number, &row.bits);
                chunk.own.add(*number, &row.own);
            }
        }
        Ok(Self { rows })
    }

    fn chunk(&mut self, of: Option<TinyId>, number: u64) -> &mut Chunk {
        let chunk = self.rows.entry((of, Numbers::chunk_of(number))).or_default();
        chunk.is_changed = true;
        chunk
    }

    /// A message of `from` counts for nobody any more.
    pub(super) fn recall(&mut self, from: TinyId, number: u64) {
        self.chunk(None, number).off.insert(number);
        self.chunk(Some(from), number).own.insert(number);
    }

    /// A message of somebody else does not count for `reader` any more.
    pub(super) fn delete(&mut self, reader: TinyId, number: u64) {
        self.chunk(Some(reader), number).off.insert(number);
    }

    pub(super) fn write(&self, incarnation: u64, change: &mut Change) {
        for ((of, number), chunk) in self.rows.iter().filter(|(_, chunk)| chunk.is_changed) {
            let (bits, own) = (chunk.off.bits(*number), chunk.own.bits(*number));
            let row = GroupUncountedRow { bits, own };
            change.put(key::group_uncounted(incarnation, *of, *number), &row);
        }
    }
}

/// What of others does not count for `reader` between two numbers.
pub(crate) async fn load(
    node: &Node,
    partition: &Partition,
    incarnation: u64,
    reader: TinyId,
    (read, last): (u64, u64),
) -> Outcome<Numbers> {
    let mut uncounted = Numbers::default();
    for of in [None, Some(reader)] {
        let at = |chunk| key::group_uncounted(incarnation, of, chunk);
        let (from, to) = (at(Numbers::chunk_of(read)), at(Numbers::chunk_of(last) + 1));
        let rows = node.store().scan(partition, &from..&to, Direction::Ascending, usize::MAX);
        for row in &rows.await? {
            let Some(chunk) = key::group_uncounted_chunk(&row.key) else { continue };
            let row: GroupUncountedRow = decode_row(&row.value)?;
            uncounted.add(chunk, &row.bits);
            uncounted.take_out(chunk, &row.own);
        }
    }
    Ok(uncounted)
}
