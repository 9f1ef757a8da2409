//! History of a one-to-one conversation, read by page.

use bytes::Bytes;
use teahouse_proto::ids::{MsgKey, SdkAppId};
use teahouse_proto::message::{MessageBody, SendControl};
use teahouse_proto::push::C2cMessage;
use teahouse_proto::time::UnixSeconds;
use teahouse_store::{Direction, Partition, ReadError};

use super::Ends;
use crate::app::App;
use crate::conversation::View;
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::rows::{Home, MessageFlags, MessageRow, key};

/// More than this is never answered at once, whatever the budget.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Rows read at once while hidden ones are skipped.
const ROWS_A_STEP: usize = 64;

/// A message as stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) time: UnixSeconds,
    pub(crate) ordinal: u64,
    pub(crate) row: MessageRow,
    body: MessageBody,
}

impl Stored {
    fn decode(key: &[u8], value: &[u8]) -> Result<Option<Self>, ReadError> {
        let Some((time, ordinal)) = key::message_place(key) else { return Ok(None) };
        let mut row: MessageRow = decode_row(value)?;
        let body = MessageBody::from_stored(std::mem::take(&mut row.body))
            .map_err(|problem| ReadError::Corrupt(format!("a stored message: {problem}")))?;
        Ok(Some(Self { time, ordinal, row, body }))
    }

    pub(crate) fn key(&self) -> MsgKey {
        MsgKey { seq: self.row.seq, random: self.row.random, time: self.time }
    }

    /// Whether one side of the pair may see it.
    fn is_visible(&self, view: &View) -> bool {
        let own = self.row.from_high == view.own_is_high;
        !(own && MessageFlags(self.row.flags).has(MessageFlags::HIDDEN_FROM_SENDER))
    }

    /// Whether `ends.own` has sent it.
    pub(crate) fn is_own(&self, ends: &Ends) -> bool {
        self.row.from_high == ends.own_is_high()
    }

    /// Bytes it will take in an answer, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.body.bytes() + self.row.cloud_custom_data.len() + 400
    }

    /// As clients read it.
    pub(crate) fn message<'a>(&'a self, ends: &'a Ends) -> C2cMessage<'a> {
        let flags = MessageFlags(self.row.flags);
        let (from, to, tiny_id) = if self.is_own(ends) {
            (&ends.own, &ends.peer, ends.own_tiny)
        } else {
            (&ends.peer, &ends.own, ends.peer_tiny)
        };
        C2cMessage {
            from,
            to,
            msg_seq: self.row.seq,
            msg_random: self.row.random,
            msg_time_stamp: self.time,
            msg_client_time: UnixSeconds(self.row.client_time),
            tiny_id,
            msg_body: &self.body,
            from_nick: "",
            from_avatar: "",
            cloud_custom_data: &self.row.cloud_custom_data,
            is_need_read_receipt: flags.has(MessageFlags::WANTS_RECEIPT),
            is_peer_read: false,
            msg_version: 0,
            support_message_extension: flags.has(MessageFlags::EXTENSIBLE),
            msg_flag_bits: 0,
            msg_life_time: None,
            send_msg_control: SendControl {
                no_unread: flags.has(MessageFlags::NO_UNREAD),
                no_last_msg: flags.has(MessageFlags::NO_LAST),
                ..SendControl::default()
            },
            is_sync: false,
            revoker_info: None,
            msg_key: Some(self.key()),
        }
    }
}

/// Which messages of a conversation, and in which direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    /// First second.
    pub(crate) from: UnixSeconds,
    /// Last second.
    pub(crate) through: UnixSeconds,
    /// Only beyond this place, in the direction of reading.
    pub(crate) beyond: Option<(UnixSeconds, u64)>,
    pub(crate) direction: Direction,
}

impl Range {
    /// The whole history.
    pub(crate) const ALL: Self = Self {
        from: UnixSeconds(0),
        through: UnixSeconds(u32::MAX),
        beyond: None,
        direction: Direction::Descending,
    };
}

/// How much one answer holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    /// Goes over `messages` to end with a whole second: a client that continues from a second (and not
    /// from a message) would otherwise never get past a busy one.
    pub(crate) whole_seconds: bool,
}

/// A page, in the order of its direction.
pub(crate) struct Page {
    pub(crate) messages: Vec<Stored>,
    /// Nothing is left in the range.
    pub(crate) complete: bool,
}

/// Reads one page of what `view` shows of a pair.
pub(crate) async fn page(
    node: &Node,
    app: &App,
    ends: &Ends,
    view: &View,
    range: Range,
    budget: Budget,
) -> Outcome<Page> {
    let partition = Home::Pair(app.id(), ends.pair()).partition();
    let (mut from, mut to) = bounds(view, &range);
    let mut messages: Vec<Stored> = Vec::new();
    let mut bytes = 0;
    while from < to {
        let rows = node.store().scan(&partition, &from..&to, range.direction, ROWS_A_STEP).await?;
        for row in &rows {
            let Some(stored) = Stored::decode(&row.key, &row.value)? else { continue };
            if !stored.is_visible(view) {
                continue;
            }
            let full = messages.len() >= budget.messages
                || (bytes + stored.bytes() > budget.bytes && !messages.is_empty());
            // A page that ended in the second it began with would lead to itself.
            let begins = match range.direction {
                Direction::Ascending => range.from,
                Direction::Descending => range.through,
            };
            let goes_on = |last: &Stored| last.time == stored.time || last.time == begins;
            let goes_on = budget.whole_seconds && messages.last().is_some_and(goes_on);
            if full && !goes_on {
                return Ok(Page { messages, complete: false });
            }
            if bytes > ANSWER_BYTES_MAX {
                // Only a flood within a second or two gets here: the client is told that this is all.
                return Ok(Page { messages, complete: true });
            }
            bytes += stored.bytes();
            messages.push(stored);
        }
        let Some(last) = rows.last().filter(|_| rows.len() == ROWS_A_STEP) else { break };
        match range.direction {
            Direction::Descending => to = last.key.clone(),
            Direction::Ascending => from = after(&last.key),
        }
    }
    Ok(Page { messages, complete: true })
}

fn bounds(view: &View, range: &Range) -> (Bytes, Bytes) {
    let (cleared_time, cleared) = view.cleared;
    let from = key::message(range.from, 0).max(key::message(cleared_time, cleared + 1));
    let through = match range.through {
        UnixSeconds(u32::MAX) => key::messages_end(),
        through => key::message(through.plus_seconds(1), 0),
    };
    let Some((time, ordinal)) = range.beyond else { return (from, through) };
    match range.direction {
        Direction::Ascending => (from.max(key::message(time, ordinal + 1)), through),
        Direction::Descending => (from, through.min(key::message(time, ordinal))),
    }
}

fn after(key: &[u8]) -> Bytes {
    let mut next = key.to_vec();
    next.push(0);
    next.into()
}

/// Where the message with this key is, if it is stored.
pub(crate) async fn place_of(
    node: &Node,
    app: SdkAppId,
    ends: &Ends,
    wanted: &MsgKey,
) -> Outcome<Option<(UnixSeconds, u64)>> {
    let partition = Home::Pair(app, ends.pair()).partition();
    let (from, to) = (key::message(wanted.time, 0), key::message(wanted.time.plus_seconds(1), 0));
    let rows = node.store().scan(&partition, &from..&to, Direction::Ascending, usize::MAX).await?;
    for row in &rows {
        let message: MessageRow = decode_row(&row.value)?;
        if (message.seq, message.random) == (wanted.seq, wanted.random) {
            return Ok(key::message_place(&row.key));
        }
    }
    Ok(None)
}

/// Messages at these places, in the same order; one that retention has removed is missing.
pub(crate) async fn at_places(
    node: &Node,
    app: SdkAppId,
    places: &[(&Ends, (u64, UnixSeconds))],
) -> Outcome<Vec<Option<Stored>>> {
    let keys: Vec<(Partition, Bytes)> = places
        .iter()
        .map(|(ends, (ordinal, time))| {
            (Home::Pair(app, ends.pair()).partition(), key::message(*time, *ordinal))
        })
        .collect();
    let rows = node.store().get_many(&keys).await?;
    let decode = |(key, row): (&(Partition, Bytes), Option<Bytes>)| match row {
        Some(row) => Stored::decode(&key.1, &row),
        None => Ok(None),
    };
    Ok(keys.iter().zip(rows).map(decode).collect::<Result<_, _>>()?)
}
