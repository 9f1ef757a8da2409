//! Messages that have stopped counting as unread: they were withdrawn, or their receiver has deleted them.
//!
//! Each side numbers its messages that count, from 1 ([`SideRow::counted`]), and the other side has read
//! all up to a number. Both only rise, so a message that stops counting changes neither; it is written down
//! beside them, and taken off by whoever counts from the reader's number on. What is read
//! for it is bounded by what is unread.
//!
//! [`SideRow::counted`]: crate::rows::SideRow::counted

use teahouse_proto::ids::SdkAppId;
use teahouse_store::Direction;

use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::numbers::Numbers;
use crate::rows::{Home, NumbersRow, PairKey, key};

/// What of one side does not count between two numbers.
pub(crate) async fn load(
    node: &Node,
    app: SdkAppId,
    pair: PairKey,
    from_high: bool,
    (read, last): (u64, u64),
) -> Outcome<Numbers> {
    let partition = Home::Pair(app, pair).partition();
    let from = key::uncounted(from_high, Numbers::chunk_of(read));
    let to = key::uncounted(from_high, Numbers::chunk_of(last) + 1);
    let rows = node.store().scan(&partition, &from..&to, Direction::Ascending, usize::MAX).await?;
    let mut uncounted = Numbers::default();
    for row in &rows {
        if let Some(chunk) = key::uncounted_chunk(&row.key) {
            uncounted.add(chunk, &decode_row::<NumbersRow>(&row.value)?.bits);
        }
    }
    Ok(uncounted)
}
