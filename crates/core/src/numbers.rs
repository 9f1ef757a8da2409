//! Sets of numbers that are stored by 256: messages that do not count as unread any more, or that somebody has taken
//! out of his history. What is read of a set is bounded by the range that is asked for.

use std::collections::BTreeMap;

use crate::rows::NumbersRow;

/// Numbers of a row.
const CHUNK: u64 = 256;
const WORDS: usize = 4;

/// A set of numbers, or the part of it that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    chunks: BTreeMap<u64, [u64; WORDS]>,
}

impl Numbers {
    /// The row that a number belongs to.
    pub(crate) fn chunk_of(number: u64) -> u64 {
        number / CHUNK
    }

    pub(crate) fn insert(&mut self, number: u64) {
        let (word, bit) = place(number);
        self.chunks.entry(Self::chunk_of(number)).or_default()[word] |= bit;
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.chunks.get(&Self::chunk_of(number)).is_some_and(|words| words[word] & bit != 0)
    }

    /// Adds the numbers of a row.
    pub(crate) fn add(&mut self, chunk: u64, bits: &[u64]) {
        let words = self.chunks.entry(chunk).or_default();
        words.iter_mut().zip(bits).for_each(|(word, bits)| *word |= bits);
    }

    /// Takes out the numbers of a row.
    pub(crate) fn take_out(&mut self, chunk: u64, bits: &[u64]) {
        let words = self.chunks.entry(chunk).or_default();
        words.iter_mut().zip(bits).for_each(|(word, bits)| *word &= !bits);
    }

    /// The bits of a row.
    pub(crate) fn bits(&self, chunk: u64) -> Vec<u64> {
        self.chunks.get(&chunk).copied().unwrap_or_default().to_vec()
    }

    pub(crate) fn row(&self, chunk: u64) -> NumbersRow {
        NumbersRow { bits: self.bits(chunk) }
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
            let mut made = Numbers::default();
            numbers.iter().for_each(|number| made.insert(*number));
            let expected = set.iter().filter(|n| (read + 1..=last).contains(n)).count() as u64;
            prop_assert_eq!(made.between(read, last), expected);
            prop_assert_eq!(made.contains(read), set.contains(&read));
            // Stored by chunk, and read back.
            let mut copy = Numbers::default();
            for chunk in set.iter().map(|number| Numbers::chunk_of(*number)) {
                copy.add(chunk, &made.row(chunk).bits);
            }
            prop_assert_eq!(&copy, &made);
            // The one without the other.
            made.insert(read);
            for chunk in set.iter().map(|number| Numbers::chunk_of(*number)) {
                made.take_out(chunk, &copy.bits(chunk));
            }
            let is_left = u64::from(!set.contains(&read));
            prop_assert_eq!(made.between(read.saturating_sub(1), read), is_left.min(read));
        }
    }
}
