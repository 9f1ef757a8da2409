//! What becomes of one-to-one messages after they were sent: withdrawn, modified, confirmed as read, deleted
//! by one side.
//!
//! A message's row is never rewritten. What changes lies in an overlay under the same place and is merged by
//! whoever reads ([`history`]). The head counts changes, so that pairs without any pay nothing for them. A
//! log names the messages that were changed last, each once, for devices that come back.
//!
//! The rows that a change depends on are not in memory. They are read first, and under the lock they are
//! true if no message of the pair was changed since; else both is done again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::MsgKey;
use teahouse_proto::message::MessageBody;
use teahouse_proto::time::{UnixMillis, UnixSeconds};
use teahouse_store::{Direction, Partition};

use super::history::{self, Budget, Range, Stored};
use super::{Ends, PairState};
use crate::app::App;
use crate::conversation::View;
use crate::entity::{Change, in_parallel};
use crate::error::Outcome;
use crate::event::{
    Event, MessageModified, MessageName, MessageWithdrawn, MessagesConfirmed, Origin,
};
use crate::node::{Node, decode_row};
use crate::numbers::Numbers;
use crate::rows::{
    ChangeRow, ConversationRow, Home, MessageFlags, MessagePlace, ModifiedRow, NumbersRow,
    OverlayRow, PairRow, WithdrawnRow, key,
};

/// Messages in a conversation's log of changes. A device that has missed more changes learns the others from the
/// history.
pub(crate) const LOG_MAX: u64 = 200;
const AT_ONCE: usize = 16;

/// Changes a pair from rows that are not in memory: `load` reads them, `apply` runs under the lock. It
/// returns nothing if what was loaded does not do, and is then repeated with what is there now.
pub(super) async fn edit<T, R, L>(
    node: &Arc<Node>,
    app: &App,
    ends: &Ends,
    load: impl Fn() -> L,
    apply: impl Fn(&T, &mut PairState, &mut Change) -> Outcome<Option<R>>,
) -> Outcome<R>
where
    L: Future<Output = Outcome<T>>,
{
    let pair = ends.pair();
    let home = || Home::Pair(app.id(), pair);
    loop {
        let entity = app.pairs.get(node, &pair, home).await?;
        let seen = entity.read(|state| state.head.changes);
        // What was changed up to here is read by `load`.
        entity.settled_version().await?;
        let loaded = load().await?;
        let apply = |state: &mut PairState, change: &mut Change| {
            if state.head.changes == seen { apply(&loaded, state, change) } else { Ok(None) }
        };
        if let Some(result) = app.pairs.change(node, &pair, home, apply).await? {
            return Ok(result);
        }
    }
}

/// Messages as they are now, and what a change of them needs beside.
pub(super) struct Loaded {
    /// In the order in which they were named; one that is not there is missing.
    messages: Vec<Option<Stored>>,
    uncounted: [Numbers; 2],
}

impl Loaded {
    pub(super) fn first(&self) -> Option<&Stored> {
        self.messages.iter().flatten().next()
    }
}

/// Who has sent the messages that are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SentBy {
    Own,
    Either,
}

pub(super) async fn load(
    node: &Node,
    app: &App,
    ends: &Ends,
    keys: &[MsgKey],
    sent_by: SentBy,
) -> Outcome<Loaded> {
    let places = in_parallel(keys.to_vec(), AT_ONCE, |key| async move {
        match sent_by {
            SentBy::Own => history::place_of_own(node, app.id(), ends, &key).await,
            SentBy::Either => history::place_of(node, app.id(), ends, &key).await,
        }
    });
    let places: Vec<Option<MessagePlace>> = places.await.into_iter().collect::<Outcome<_>>()?;
    let view =
        View { own_is_high: ends.own_is_high(), cleared: Default::default(), is_changed: true };
    let known: Vec<_> = places.iter().flatten().map(|place| (ends, view, *place)).collect();
    let mut found = history::all_at_places(node, app.id(), &known).await?.into_iter();
    let messages = places.iter().map(|place| place.and_then(|_| found.next().flatten()));
    let messages: Vec<Option<Stored>> = messages.collect();
    let counted: BTreeSet<(bool, u64)> = messages
        .iter()
        .flatten()
        .filter_map(|m| Some((m.row.from_high, Numbers::chunk_of(m.counted_as()?))))
        .collect();
    let partition = Home::Pair(app.id(), ends.pair()).partition();
    let keys: Vec<(Partition, Bytes)> = counted
        .iter()
        .map(|(high, chunk)| (partition.clone(), key::uncounted(*high, *chunk)))
        .collect();
    let mut uncounted = [Numbers::default(), Numbers::default()];
    for ((high, chunk), row) in counted.iter().zip(node.store().get_many(&keys).await?) {
        let row: Option<NumbersRow> = row.map(|row| decode_row(&row)).transpose()?;
        if let Some(row) = row {
            uncounted[usize::from(*high)].add(*chunk, &row.bits);
        }
    }
    Ok(Loaded { messages, uncounted })
}

/// Changes of messages under the lock of their pair. Nothing is changed before [`Edit::finish`].
pub(super) struct Edit {
    pub(super) head: PairRow,
    now: UnixSeconds,
    uncounted: [Numbers; 2],
    writes: Change,
    chunks: BTreeSet<(bool, u64)>,
}

impl Edit {
    pub(super) fn new(state: &PairState, loaded: &Loaded, now: UnixMillis) -> Self {
        let mut head = state.head.clone();
        head.changes += 1;
        Self {
            head,
            now: now.seconds(),
            uncounted: loaded.uncounted.clone(),
            writes: Change::default(),
            chunks: BTreeSet::new(),
        }
    }

    /// The messages that are there and stay.
    fn messages<'a>(&self, loaded: &'a Loaded) -> impl Iterator<Item = &'a Stored> + use<'a> {
        let kept_from = self.head.kept_from;
        loaded.messages.iter().flatten().filter(move |stored| stored.time.0 >= kept_from)
    }

    /// The one message that is meant.
    ///
    /// # Errors
    /// `unknown`: it is not there.
    pub(super) fn message<'a>(
        &self,
        loaded: &'a Loaded,
        unknown: ErrorCode,
    ) -> Result<&'a Stored, Error> {
        self.messages(loaded).next().ok_or_else(|| unknown.into())
    }

    /// Lays `overlay` over a message; with `is_told`, devices that come back learn of it.
    fn lay_over(&mut self, stored: &Stored, mut overlay: OverlayRow, is_told: bool) {
        if is_told {
            let number = self.head.logged + 1;
            if overlay.logged_as > 0 {
                self.writes.delete(key::logged(overlay.logged_as));
            }
            if let Some(forgotten) = number.checked_sub(LOG_MAX).filter(|number| *number > 0) {
                self.writes.delete(key::logged(forgotten));
            }
            let at = self.now.0.max(self.head.logged_at);
            let row = ChangeRow { at, time: stored.time.0, ordinal: stored.ordinal };
            self.writes.put(key::logged(number), &row);
            (self.head.logged, self.head.logged_at) = (number, at);
            overlay.logged_as = number;
        }
        self.writes.put(key::overlay(stored.place()), &overlay);
    }

    /// The message does not count as unread any more.
    fn stop_counting(&mut self, stored: &Stored) {
        let Some(number) = stored.counted_as() else { return };
        let high = stored.row.from_high;
        self.uncounted[usize::from(high)].insert(number);
        self.chunks.insert((high, Numbers::chunk_of(number)));
        let side = self.head.side_mut(high);
        side.uncounted_through = side.uncounted_through.max(number);
    }

    /// Number of the change.
    pub(super) fn number(&self) -> u64 {
        self.head.changes
    }

    pub(super) fn finish(mut self, state: &mut PairState, change: &mut Change) {
        for (high, chunk) in self.chunks {
            let row = self.uncounted[usize::from(high)].row(chunk);
            self.writes.put(key::uncounted(high, chunk), &row);
        }
        self.writes.put(key::head(), &self.head);
        change.take(self.writes);
        state.head = self.head;
    }
}

/// As events name a message; `ends.own` has sent it.
pub(super) fn name_of(app: &App, ends: &Ends, stored: &Stored, number: u64) -> MessageName {
    MessageName {
        app: app.id(),
        from: ends.own.clone(),
        from_tiny_id: ends.own_tiny,
        to: ends.peer.clone(),
        pair: ends.pair(),
        seq: stored.row.seq,
        random: stored.row.random,
        time: stored.time,
        client_time: UnixSeconds(stored.row.client_time),
        change: number,
    }
}

/// Withdraws a message that `ends.own` has sent: it keeps its place, and its content is gone.
///
/// # Errors
/// `MessageUnknown`, `AlreadyRecalled`; `RecallTooLate` when it was sent more than `within_s` ago.
pub(crate) async fn withdraw(
    node: &Arc<Node>,
    app: &App,
    ends: &Ends,
    key: MsgKey,
    by: &str,
    within_s: Option<u32>,
    origin: Option<Origin>,
) -> Outcome<()> {
    let load = || load(node, app, ends, std::slice::from_ref(&key), SentBy::Own);
    edit(node, app, ends, load, |loaded, state, change| {
        let now = node.now();
        let mut edit = Edit::new(state, loaded, now);
        let stored = edit.message(loaded, ErrorCode::MessageUnknown)?;
        if stored.is_withdrawn() {
            return Err(ErrorCode::AlreadyRecalled.into());
        }
        if let Some(within_s) = within_s
            && now.seconds() > stored.time.plus_seconds(within_s.into())
        {
            let age_s = now.seconds().since(stored.time).as_secs();
            let info = format!("the message is {age_s} s old, at most {within_s} s are allowed");
            return Err(Error::with(ErrorCode::RecallTooLate, info).into());
        }
        let (by_whom, at) = (by.to_owned(), now.seconds().0);
        let withdrawn = WithdrawnRow { by: by_whom, at, reason: String::new() };
        let overlay =
            OverlayRow { withdrawn: Some(withdrawn), modified: None, ..stored.overlay.clone() };
        edit.lay_over(stored, overlay, true);
        edit.stop_counting(stored);
        change.event(Event::MessageWithdrawn(Arc::new(MessageWithdrawn {
            message: name_of(app, ends, stored, edit.number()),
            by: by.to_owned(),
            origin: origin.clone(),
        })));
        edit.finish(state, change);
        Ok(Some(()))
    })
    .await
}

/// What is to become of a message.
pub(crate) struct Modification {
    /// Nothing: it stays.
    pub(crate) body: Option<MessageBody>,
    pub(crate) cloud_custom_data: Option<String>,
    /// The version that whoever modifies has seen; nothing: any.
    pub(crate) seen: Option<u32>,
    /// The largest body and custom data together, and the code of a larger one.
    pub(crate) bytes_max: (usize, ErrorCode),
}

/// What a message says now.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Content {
    /// The elements.
    pub(crate) msg_body: MessageBody,
    /// Rises with each modification.
    pub(crate) msg_version: u32,
    /// Goes along with the message.
    pub(crate) cloud_custom_data: String,
}

/// Replaces what a message of `ends.own` says.
///
/// # Errors
/// `ModifiedMessageUnknown`, `AlreadyRecalled`; `ModifyConflict`, with the present [`Content`], when it has
/// another version than was seen; too long.
pub(crate) async fn modify(
    node: &Arc<Node>,
    app: &App,
    ends: &Ends,
    key: MsgKey,
    modification: &Modification,
    origin: Option<Origin>,
) -> Outcome<Content> {
    let load = || load(node, app, ends, std::slice::from_ref(&key), SentBy::Own);
    edit(node, app, ends, load, |loaded, state, change| {
        let mut edit = Edit::new(state, loaded, node.now());
        let stored = edit.message(loaded, ErrorCode::ModifiedMessageUnknown)?;
        if stored.is_withdrawn() {
            return Err(ErrorCode::AlreadyRecalled.into());
        }
        let present = Content {
            msg_body: stored.body.clone(),
            msg_version: stored.version(),
            cloud_custom_data: stored.row.cloud_custom_data.clone(),
        };
        let content = modification.apply(present)?;
        let overlay = OverlayRow { modified: Some(content.row()), ..stored.overlay.clone() };
        edit.lay_over(stored, overlay, true);
        change.event(Event::MessageModified(Arc::new(MessageModified {
            message: name_of(app, ends, stored, edit.number()),
            body: content.msg_body.clone(),
            version: content.msg_version,
            cloud_custom_data: content.cloud_custom_data.clone(),
            origin: origin.clone(),
        })));
        edit.finish(state, change);
        Ok(Some(content))
    })
    .await
}

impl Content {
    /// As it is stored.
    pub(crate) fn row(&self) -> ModifiedRow {
        ModifiedRow {
            version: self.msg_version,
            body: self.msg_body.as_json().to_owned(),
            cloud_custom_data: self.cloud_custom_data.clone(),
        }
    }
}

impl Modification {
    /// What a message says afterwards that says `present` now.
    ///
    /// # Errors
    /// `ModifyConflict`, with `present`, when it has another version than was seen; too long.
    pub(crate) fn apply(&self, present: Content) -> Result<Content, Error> {
        if let Some(seen) = self.seen.filter(|seen| *seen != present.msg_version) {
            let info = format!("the message has version {}, not {seen}", present.msg_version);
            let present = serde_json::value::to_raw_value(&present).expect("a message is JSON");
            return Err(Error::with(ErrorCode::ModifyConflict, info).with_extra(present));
        }
        let content = Content {
            msg_body: self.body.clone().unwrap_or(present.msg_body),
            msg_version: present.msg_version + 1,
            cloud_custom_data: self.cloud_custom_data.clone().unwrap_or(present.cloud_custom_data),
        };
        let bytes = content.msg_body.bytes() + content.cloud_custom_data.len();
        let (max, too_long) = self.bytes_max;
        if bytes > max {
            let info = format!("the message is {bytes} bytes, at most {max}");
            return Err(Error::with(too_long, info));
        }
        Ok(content)
    }
}

/// Tells the sender `ends.own` that the receiver has read these messages. Those that did not ask for it, or
/// are not there any more, are left out.
pub(crate) async fn confirm(
    node: &Arc<Node>,
    app: &App,
    ends: &Ends,
    keys: &[MsgKey],
) -> Outcome<()> {
    let load = || load(node, app, ends, keys, SentBy::Own);
    edit(node, app, ends, load, |loaded, state, change| {
        let now = node.now();
        let mut edit = Edit::new(state, loaded, now);
        let mut messages = Vec::new();
        for stored in edit.messages(loaded) {
            let asks = MessageFlags(stored.row.flags).has(MessageFlags::WANTS_RECEIPT);
            if asks && stored.overlay.receipt_at == 0 && !stored.is_withdrawn() {
                let receipt_at = now.seconds().0;
                let overlay = OverlayRow { receipt_at, ..stored.overlay.clone() };
                edit.lay_over(stored, overlay, true);
                messages.push(name_of(app, ends, stored, edit.number()));
            }
        }
        if !messages.is_empty() {
            let time = now.seconds();
            change.event(Event::MessagesConfirmed(Arc::new(MessagesConfirmed { messages, time })));
            edit.finish(state, change);
        }
        Ok(Some(()))
    })
    .await
}

/// Takes messages out of the history of `ends.own`, whose index row is `row`. The other side keeps them.
pub(crate) async fn delete(
    node: &Arc<Node>,
    app: &App,
    ends: &Ends,
    row: &ConversationRow,
    keys: &[MsgKey],
) -> Outcome<()> {
    let high = ends.own_is_high();
    let load = || async {
        let loaded = load(node, app, ends, keys, SentBy::Either).await?;
        let head = super::head(node, app, ends.pair()).await?;
        let shown = (UnixSeconds(head.side(high).shown_time), head.side(high).shown);
        let is_gone = |place| loaded.messages.iter().flatten().any(|m| m.place() == place);
        let before = match is_gone(shown) {
            true => shown_before(node, app, ends, row, shown, is_gone).await?,
            false => None,
        };
        Ok((loaded, shown, before))
    };
    edit(node, app, ends, load, |(loaded, shown, before), state, change| {
        let mut edit = Edit::new(state, loaded, node.now());
        let side = edit.head.side_mut(high);
        let present = (UnixSeconds(side.shown_time), side.shown);
        let is_shown = loaded.messages.iter().flatten().any(|m| m.place() == present);
        match before {
            // Another one than when it was looked for.
            _ if is_shown && present != *shown => return Ok(None),
            Some((time, ordinal)) if is_shown => {
                (side.shown, side.shown_time) = (*ordinal, time.0);
            }
            Some(_) | None => {}
        }
        let there = edit.messages(loaded).filter(|stored| !stored.is_deleted_by(high));
        let there: BTreeMap<MessagePlace, &Stored> = there.map(|m| (m.place(), m)).collect();
        for stored in there.values() {
            let mut overlay = stored.overlay.clone();
            match high {
                true => overlay.deleted_by_high = true,
                false => overlay.deleted_by_low = true,
            }
            edit.lay_over(stored, overlay, false);
            if !stored.is_own(ends) {
                edit.stop_counting(stored);
            }
        }
        if !there.is_empty() {
            edit.finish(state, change);
        }
        Ok(Some(()))
    })
    .await
}

/// Messages that are looked through at most for one that a list can show.
const LOOKED_THROUGH_MAX: usize = 1_000;

/// The last message before `shown` that the list of `ends.own` can show. Nothing if there is none, or none
/// near: then the list goes on with the conversation and no message of it.
async fn shown_before(
    node: &Node,
    app: &App,
    ends: &Ends,
    row: &ConversationRow,
    shown: MessagePlace,
    is_gone: impl Fn(MessagePlace) -> bool,
) -> Outcome<Option<MessagePlace>> {
    let view = View { is_changed: true, ..ends.view(row, &PairRow::default()) };
    let range = Range { beyond: Some(shown), ..Range::ALL };
    let budget = Budget { messages: LOOKED_THROUGH_MAX, bytes: usize::MAX, whole_seconds: false };
    let page = history::page(node, app, ends, &view, range, budget).await?;
    let can_be_shown = |stored: &&Stored| {
        !MessageFlags(stored.row.flags).has(MessageFlags::NO_LAST)
            && stored.ordinal > row.hidden_through
            && !is_gone(stored.place())
    };
    Ok(page.messages.iter().find(can_be_shown).map(Stored::place))
}

/// Messages of `view` that were changed at `since` or later, as they are now; of the last ones that the log
/// has. Changes after the moment of `head` are told by their pushes: a withdrawal among them is left out here,
/// since it may be told once only, and what such a change has overtaken in the log is not.
pub(crate) async fn changed_since(
    node: &Node,
    app: &App,
    ends: &Ends,
    view: View,
    head: &PairRow,
    since: UnixSeconds,
) -> Outcome<Vec<Stored>> {
    if head.logged == 0 || head.logged_at < since.0 {
        return Ok(Vec::new());
    }
    let partition = Home::Pair(app.id(), ends.pair()).partition();
    let (from, to) = (key::logged(0), key::logged(u64::MAX));
    let limit = usize::try_from(LOG_MAX).expect("small");
    let rows = node.store().scan(&partition, &from..&to, Direction::Descending, limit).await?;
    let mut places = Vec::new();
    for row in &rows {
        let change: ChangeRow = decode_row(&row.value)?;
        if change.at < since.0 {
            break;
        }
        places.push((ends, view, (UnixSeconds(change.time), change.ordinal)));
    }
    let found = history::at_places(node, app.id(), &places).await?;
    let is_later =
        |stored: &Stored| stored.is_withdrawn() && stored.overlay.logged_as > head.logged;
    // Oldest change first.
    Ok(found.into_iter().rev().flatten().filter(|stored| !is_later(stored)).collect())
}
