//! History of a one-to-one conversation, read by page, with what has become of each message.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use teahouse_proto::ids::{MsgKey, SdkAppId, TinyId, UserId};
use teahouse_proto::message::{MessageBody, SendControl};
use teahouse_proto::push::{C2cMessage, MSG_FLAG_RECALLED, MessageRef, RevokerInfo};
use teahouse_proto::time::UnixSeconds;
use teahouse_store::{Direction, Partition, ReadError, Row};

use super::Ends;
use crate::app::App;
use crate::conversation::View;
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::rows::{Home, MessageFlags, MessagePlace, MessageRow, OverlayRow, key};

/// More than this is never answered at once, whatever the budget.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Rows read at once while hidden ones are skipped.
const ROWS_A_STEP: usize = 64;

/// What stands in the place of a withdrawn message's body: clients leave out a message without elements.
pub(crate) static WITHDRAWN_BODY: LazyLock<MessageBody> = LazyLock::new(|| {
    let empty = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":""}}]"#;
    MessageBody::from_stored(empty.to_owned()).expect("JSON")
});

/// A message as stored, and as it is now.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) time: UnixSeconds,
    pub(crate) ordinal: u64,
    /// As sent, but for body and custom data.
    pub(crate) row: MessageRow,
    pub(crate) body: MessageBody,
    pub(crate) overlay: OverlayRow,
}

impl Stored {
    fn decode(key: &[u8], value: &[u8]) -> Result<Option<Self>, ReadError> {
        let Some((time, ordinal)) = key::message_place(key) else { return Ok(None) };
        let mut row: MessageRow = decode_row(value)?;
        let body = MessageBody::from_stored(std::mem::take(&mut row.body))
            .map_err(|problem| ReadError::Corrupt(format!("a stored message: {problem}")))?;
        Ok(Some(Self { time, ordinal, row, body, overlay: OverlayRow::default() }))
    }

    /// Makes it what it is now.
    fn lay_over(&mut self, overlay: OverlayRow) -> Result<(), ReadError> {
        if overlay.withdrawn.is_some() {
            self.body = WITHDRAWN_BODY.clone();
            self.row.cloud_custom_data.clear();
        } else if let Some(modified) = &overlay.modified {
            self.body = MessageBody::from_stored(modified.body.clone())
                .map_err(|problem| ReadError::Corrupt(format!("a modified message: {problem}")))?;
            self.row.cloud_custom_data.clone_from(&modified.cloud_custom_data);
        }
        self.overlay = overlay;
        Ok(())
    }

    pub(crate) fn place(&self) -> MessagePlace {
        (self.time, self.ordinal)
    }

    pub(crate) fn is_withdrawn(&self) -> bool {
        self.overlay.withdrawn.is_some()
    }

    /// How often it was modified.
    pub(crate) fn version(&self) -> u32 {
        self.overlay.modified.as_ref().map_or(0, |modified| modified.version)
    }

    pub(crate) fn is_deleted_by(&self, high: bool) -> bool {
        if high { self.overlay.deleted_by_high } else { self.overlay.deleted_by_low }
    }

    /// Its number among the counted messages of its sender; nothing if it did not count when it was sent.
    pub(crate) fn counted_as(&self) -> Option<u64> {
        let row = &self.row;
        let number = if row.from_high { row.counted_high } else { row.counted_low };
        let flags = MessageFlags(row.flags);
        let counted = !flags.has(MessageFlags::NO_UNREAD) && !flags.has(MessageFlags::NEVER_UNREAD);
        counted.then_some(number)
    }

    pub(crate) fn key(&self) -> MsgKey {
        MsgKey { seq: self.row.seq, random: self.row.random, time: self.time }
    }

    /// Whether one side of the pair may see it.
    pub(crate) fn is_visible(&self, view: &View) -> bool {
        let own = self.row.from_high == view.own_is_high;
        let is_hidden = own && MessageFlags(self.row.flags).has(MessageFlags::HIDDEN_FROM_SENDER);
        let is_gone = self.is_deleted_by(view.own_is_high) || self.place() <= view.cleared;
        !is_hidden && !is_gone
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
        let (from, to, tiny_id) = self.ends(ends);
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
            is_peer_read: self.overlay.receipt_at > 0,
            msg_version: self.version(),
            support_message_extension: flags.has(MessageFlags::EXTENSIBLE),
            msg_flag_bits: if self.is_withdrawn() { MSG_FLAG_RECALLED } else { 0 },
            msg_life_time: None,
            send_msg_control: SendControl {
                no_unread: flags.has(MessageFlags::NO_UNREAD) || self.is_withdrawn(),
                no_last_msg: flags.has(MessageFlags::NO_LAST),
                ..SendControl::default()
            },
            is_sync: false,
            is_rewritten: false,
            revoker_info: self.revoker_info(),
            msg_key: Some(self.key()),
        }
    }

    /// As notices name it.
    pub(crate) fn reference<'a>(&'a self, ends: &'a Ends) -> MessageRef<'a> {
        let (from, to, tiny_id) = self.ends(ends);
        MessageRef {
            from,
            to,
            msg_seq: self.row.seq,
            msg_random: self.row.random,
            msg_time: self.time,
            msg_client_time: UnixSeconds(self.row.client_time),
            tiny_id,
        }
    }

    /// Sender, receiver, and the sender's number.
    fn ends<'a>(&self, ends: &'a Ends) -> (&'a UserId, &'a UserId, TinyId) {
        if self.is_own(ends) {
            (&ends.own, &ends.peer, ends.own_tiny)
        } else {
            (&ends.peer, &ends.own, ends.peer_tiny)
        }
    }

    pub(crate) fn revoker_info(&self) -> Option<RevokerInfo<'_>> {
        let withdrawn = self.overlay.withdrawn.as_ref()?;
        Some(RevokerInfo { revoker: &withdrawn.by, reason: "" })
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
        let mut overlays = match view.is_changed {
            true => overlays_of(node, &partition, &rows).await?,
            false => BTreeMap::new(),
        };
        for row in &rows {
            let Some(mut stored) = Stored::decode(&row.key, &row.value)? else { continue };
            if let Some(overlay) = overlays.remove(&stored.place()) {
                stored.lay_over(overlay)?;
            }
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

/// What has become of the messages in `rows`, which follow each other: at most as many rows.
async fn overlays_of(
    node: &Node,
    partition: &Partition,
    rows: &[Row],
) -> Outcome<BTreeMap<MessagePlace, OverlayRow>> {
    let places = [rows.first(), rows.last()].map(|row| key::message_place(&row?.key));
    let [Some(one), Some(other)] = places else { return Ok(BTreeMap::new()) };
    let (from, to) = (key::overlay(one.min(other)), after(&key::overlay(one.max(other))));
    let found = node.store().scan(partition, &from..&to, Direction::Ascending, ROWS_A_STEP).await?;
    let decode = |row: &Row| {
        let place = key::overlay_place(&row.key)?;
        Some(decode_row(&row.value).map(|overlay| (place, overlay)))
    };
    Ok(found.iter().filter_map(decode).collect::<Result<_, _>>()?)
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
) -> Outcome<Option<MessagePlace>> {
    place_where(node, app, ends, wanted, |_| true).await
}

/// The same for a message that `ends.own` has sent.
pub(crate) async fn place_of_own(
    node: &Node,
    app: SdkAppId,
    ends: &Ends,
    wanted: &MsgKey,
) -> Outcome<Option<MessagePlace>> {
    place_where(node, app, ends, wanted, |row| row.from_high == ends.own_is_high()).await
}

async fn place_where(
    node: &Node,
    app: SdkAppId,
    ends: &Ends,
    wanted: &MsgKey,
    is_it: impl Fn(&MessageRow) -> bool,
) -> Outcome<Option<MessagePlace>> {
    let partition = Home::Pair(app, ends.pair()).partition();
    let (from, to) = (key::message(wanted.time, 0), key::message(wanted.time.plus_seconds(1), 0));
    let rows = node.store().scan(&partition, &from..&to, Direction::Ascending, usize::MAX).await?;
    for row in &rows {
        let message: MessageRow = decode_row(&row.value)?;
        if (message.seq, message.random) == (wanted.seq, wanted.random) && is_it(&message) {
            return Ok(key::message_place(&row.key));
        }
    }
    Ok(None)
}

/// Messages at these places, in the same order; one that retention has removed, or that `view` does not
/// show, is missing.
pub(crate) async fn at_places(
    node: &Node,
    app: SdkAppId,
    places: &[(&Ends, View, MessagePlace)],
) -> Outcome<Vec<Option<Stored>>> {
    let mut found = all_at_places(node, app, places).await?;
    for (stored, (_, view, _)) in found.iter_mut().zip(places) {
        stored.take_if(|stored| !stored.is_visible(view));
    }
    Ok(found)
}

/// The same, whoever may see them.
pub(crate) async fn all_at_places(
    node: &Node,
    app: SdkAppId,
    places: &[(&Ends, View, MessagePlace)],
) -> Outcome<Vec<Option<Stored>>> {
    let row = |(ends, _, place): &(&Ends, View, MessagePlace)| {
        (Home::Pair(app, ends.pair()).partition(), key::message(place.0, place.1))
    };
    let overlay = |(ends, _, place): &(&Ends, View, MessagePlace)| {
        (Home::Pair(app, ends.pair()).partition(), key::overlay(*place))
    };
    let changed = || places.iter().filter(|(_, view, _)| view.is_changed);
    // Messages first: what is read of their changes is then not older than they are.
    let keys: Vec<(Partition, Bytes)> =
        places.iter().map(row).chain(changed().map(overlay)).collect();
    let mut rows = node.store().get_many(&keys).await?;
    let mut overlays = rows.split_off(places.len()).into_iter();
    let mut found = Vec::with_capacity(places.len());
    for ((_, view, _), (key, row)) in places.iter().zip(keys.iter().zip(rows)) {
        let overlay = if view.is_changed { overlays.next().flatten() } else { None };
        let mut stored = match row {
            Some(row) => Stored::decode(&key.1, &row)?,
            None => None,
        };
        if let (Some(stored), Some(overlay)) = (&mut stored, overlay) {
            stored.lay_over(decode_row(&overlay)?)?;
        }
        found.push(stored);
    }
    Ok(found)
}
