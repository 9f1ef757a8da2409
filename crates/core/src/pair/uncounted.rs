//! Messages that have stopped counting as unread: they were withdrawn, or their receiver has deleted them.
//!
//! Each side numbers its messages that count, from 1 ([`SideRow::counted`]), and the other side has read
//! all up to a number. Both only rise, so a message that stops counting changes neither; it is written down
//! beside them, and taken off by whoever counts from the reader's number on. A row holds 256 of them, so
//! that what is read for it is bounded by what is unread.
//!
//! [`SideRow::counted`]: crate::rows::SideRow::counted

use std::collections::BTreeMap;

use teahouse_proto::ids::SdkAppId;
use teahouse_store::Direction;

use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::rows::{Home, PairKey, UncountedRow, key};

/// Messages of a row.
const CHUNK: u64 = 256;
const WORDS: usize = 4;

/// Numbers of one side's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Uncounted {
    chunks: BTreeMap<u64, [u64; WORDS]>,
}

impl Uncounted {
    /// The row that a message belongs to.
    pub(crate) fn chunk_of(number: u64) -> u64 {
        number / CHUNK
    }

    pub(crate) fn insert(&mut self, number: u64) {
        let (word, bit) = place(number);
        self.chunks.entry(Self::chunk_of(number)).or_default()[word] |= bit;
    }

    pub(crate) fn insert_row(&mut self, chunk: u64, row: &UncountedRow) {
        let mut words = [0; WORDS];
        words.iter_mut().zip(&row.bits).for_each(|(word, bits)| *word = *bits);
        self.chunks.insert(chunk, words);
    }

    pub(crate) fn row(&self, chunk: u64) -> UncountedRow {
        UncountedRow { bits: self.chunks.get(&chunk).copied().unwrap_or_default().to_vec() }
    }

    /// How many there are above `read`, up to `last`.
    pub(crate) fn between(&self, read: u64, last: u64) -> u64 {
        if last <= read {
            return 0;
        }
        let within = self.chunks.range(Self::chunk_of(read)..=Self::chunk_of(last));
        let count = |(chunk, words): (&u64, &[u64; WORDS])| {
            (words.iter().zip(0..))
                .map(|(word, index)| {
                    let first = chunk * CHUNK + index * 64;
                    (word & from_bit(read + 1, first) & !from_bit(last + 1, first)).count_ones()
                })
                .sum::<u32>()
        };
        within.map(|chunk| u64::from(count(chunk))).sum()
    }
}

fn place(number: u64) -> (usize, u64) {
    let within = usize::try_from(number % CHUNK).expect("below 256");
    (within / 64, 1 << (within % 64))
}

/// The bits of the word that begins with `first` which stand for `number` and later ones.
fn from_bit(number: u64, first: u64) -> u64 {
    match number.saturating_sub(first) {
        bits @ 0..64 => u64::MAX << bits,
        _ => 0,
    }
}

/// What of one side does not count between two numbers.
pub(crate) async fn load(
    node: &Node,
    app: SdkAppId,
    pair: PairKey,
    from_high: bool,
    (read, last): (u64, u64),
) -> Outcome<Uncounted> {
    let partition = Home::Pair(app, pair).partition();
    let from = key::uncounted(from_high, Uncounted::chunk_of(read));
    let to = key::uncounted(from_high, Uncounted::chunk_of(last) + 1);
    let rows = node.store().scan(&partition, &from..&to, Direction::Ascending, usize::MAX).await?;
    let mut uncounted = Uncounted::default();
    for row in &rows {
        if let Some(chunk) = key::uncounted_chunk(&row.key) {
            uncounted.insert_row(chunk, &decode_row(&row.value)?);
        }
    }
    Ok(uncounted)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Numbers at the edges of words and chunks, and some between.
    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![1..700_u64, Just(63), Just(64), Just(255), Just(256), Just(511), Just(512)]
    }

    proptest! {
        #[test]
        fn counts_as_a_set_of_numbers_does(
            numbers in prop::collection::vec(number(), 0..60),
            read in 0..700_u64,
            last in 0..700_u64,
        ) {
            let set: BTreeSet<u64> = numbers.iter().copied().collect();
            let mut uncounted = Uncounted::default();
            numbers.iter().for_each(|number| uncounted.insert(*number));
            let expected = set.iter().filter(|n| (read + 1..=last).contains(n)).count() as u64;
            prop_assert_eq!(uncounted.between(read, last), expected);
            // Stored by chunk, and read back.
            let mut copy = Uncounted::default();
            for chunk in set.iter().map(|number| Uncounted::chunk_of(*number)) {
                copy.insert_row(chunk, &uncounted.row(chunk));
            }
            prop_assert_eq!(copy, uncounted);
        }
    }
}
