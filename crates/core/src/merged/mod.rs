//! Lists of merged messages that are too long for one message: the message carries a key, and whoever it
//! reaches fetches the list by it.
//!
//! The key names the day on which the list was saved and what is in it, so that a list that is saved again is
//! the same one, and that only who was given the key, or the list, can know it. A day's lists are a partition
//! of their own, cut as a whole when no message of that day is kept any more.

pub(crate) mod commands;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use sha2::{Digest, Sha256};
use teahouse_proto::message::MergedList;
use teahouse_store::{Direction, Partition, ReadError};

use crate::app::App;
use crate::entity::State;
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::retention::day_of;
use crate::rows::{Home, MergedPartRow, key};

/// A row holds this much of a list: below the store's limit for one value.
const PART_BYTES: usize = 48 * 1024;
/// Parts of the longest list that a setting allows.
const PARTS_MAX: usize = 32;
/// Rows looked at, or removed, in one step of a cut.
const ROWS_A_STEP: usize = 64;

/// Days whose lists are in use at the same time: today's, and yesterday's just after midnight.
pub(crate) const DAYS_IN_MEMORY: usize = 4;

/// The lists of one day: nothing has to be known of them to add one.
pub(crate) struct DayState;

impl State for DayState {
    fn load<'a>(
        _: &'a Node,
        _: &'a Home,
        _: &'a Partition,
    ) -> BoxFuture<'a, Result<Self, ReadError>> {
        async { Ok(Self) }.boxed()
    }
}

/// `JsonMsgKey`: `day_digest`, the digest as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MergedKey {
    day: u32,
    digest: u128,
}

impl fmt::Display for MergedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{:032x}", self.day, self.digest)
    }
}

impl FromStr for MergedKey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (day, digest) = text.split_once('_').ok_or(())?;
        let all = |text: &str, is: fn(&u8) -> bool| text.bytes().all(|byte| is(&byte));
        if !all(day, u8::is_ascii_digit)
            || !all(digest, u8::is_ascii_hexdigit)
            || digest.len() != 32
        {
            return Err(());
        }
        let digest = u128::from_str_radix(digest, 16).map_err(|_| ())?;
        Ok(Self { day: day.parse().map_err(|_| ())?, digest })
    }
}

fn digest(list: &str) -> u128 {
    let hash = Sha256::digest(list);
    let first = hash.first_chunk::<16>().expect("a hash has 32 bytes");
    u128::from_be_bytes(*first)
}

/// Stores a list and answers with its key.
pub(crate) async fn save(node: &Arc<Node>, app: &App, list: &MergedList) -> Outcome<MergedKey> {
    let list = list.as_json();
    let merged = MergedKey { day: day_of(node.now().seconds()), digest: digest(list) };
    let home = Home::Merged(app.id(), merged.day);
    let first = key::merged_part(merged.digest, 0);
    if node.store().get(&home.partition(), &first).await?.is_some() {
        return Ok(merged);
    }
    let parts = list.as_bytes().chunks(PART_BYTES);
    app.merged
        .change(
            node,
            &merged.day,
            || home.clone(),
            |_, change| {
                for (number, part) in (0_u16..).zip(parts.clone()) {
                    let row = MergedPartRow { part: Bytes::copy_from_slice(part) };
                    change.put(key::merged_part(merged.digest, number), &row);
                }
                Ok(())
            },
        )
        .await?;
    Ok(merged)
}

/// The list under `key` as JSON, if it is kept.
pub(crate) async fn load(node: &Node, app: &App, merged: MergedKey) -> Outcome<Option<String>> {
    let partition = Home::Merged(app.id(), merged.day).partition();
    let (from, to) = key::merged_parts(merged.digest);
    let rows = node.store().scan(&partition, &from..&to, Direction::Ascending, PARTS_MAX).await?;
    let mut list = Vec::new();
    for row in &rows {
        list.extend_from_slice(&decode_row::<MergedPartRow>(&row.value)?.part);
    }
    let text = String::from_utf8(list);
    let text = text.map_err(|_| ReadError::Corrupt("a merged list is not text".to_owned()))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Removes the lists of a day, in bounded steps.
pub(crate) async fn cut(node: &Arc<Node>, app: &App, day: u32) -> Outcome<()> {
    let home = Home::Merged(app.id(), day);
    let (from, to) = key::all_merged();
    loop {
        let rows = node
            .store()
            .scan(&home.partition(), &from..&to, Direction::Ascending, ROWS_A_STEP)
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        app.merged
            .change(
                node,
                &day,
                || home.clone(),
                |_, change| {
                    rows.iter().for_each(|row| change.delete(row.key.clone()));
                    Ok(())
                },
            )
            .await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_back_to_its_list_and_nothing_else_is_a_key() {
        let key = MergedKey { day: 20_784, digest: digest("[{}]") };
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_ne!(digest("[{}]"), digest("[{} ]"));
        let hex = "0".repeat(32);
        for bad in [
            "".to_owned(),
            hex.clone(),
            format!("_{hex}"),
            format!("1_{hex}0"),
            format!("1_{}", &hex[1..]),
            format!("+1_{hex}"),
            format!("1_+{}", &hex[1..]),
            format!("4294967296_{hex}"),
            format!("1_{hex}_"),
        ] {
            assert!(bad.parse::<MergedKey>().is_err(), "{bad}");
        }
    }
}
