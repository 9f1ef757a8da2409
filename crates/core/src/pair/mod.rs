//! One-to-one conversations: the pair of two accounts, its messages, and its head.
//!
//! A message is one commit to the pair's partition: the message row and the head. Unread counts are
//! derived: each side's head counts the messages it has sent that count, and the reader's index row
//! knows how many of them are read. What becomes of a message later lies beside it (`changes`).

pub(crate) mod changes;
pub(crate) mod commands;
pub(crate) mod dedupe;
pub(crate) mod draft;
pub(crate) mod extensions;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod reactions;
pub(crate) mod rules;
pub(crate) mod uncounted;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use teahouse_proto::ids::{SdkAppId, TinyId, UserId};
use teahouse_proto::message::{CallbackControl, MessageBody};
use teahouse_proto::time::{UnixMillis, UnixSeconds};
use teahouse_store::{Direction, Partition, ReadError, Row};

use crate::app::App;
use crate::dedupe::{Dedupe, SENDS_MAX};
use crate::entity::{Change, State};
use crate::error::{Failure, Outcome};
use crate::event::{Event, MessageSent};
use crate::hub::{Place, Placed};
use crate::node::{Node, decode_row};
use crate::retention::day_of;
use crate::rows::{
    Home, IndexPairJob, Job, ListDayJob, MessageFlags, MessageRow, PairKey, PairRow, SideRow, key,
};
use dedupe::SendKey;

/// The state of one pair: its head, and the sends that a repetition would still be recognised by.
pub(crate) struct PairState {
    pub(crate) head: PairRow,
    dedupe: Dedupe<SendKey, ()>,
    /// The day that an import into the past has last listed the pair under, as far as is known.
    imported_day: u32,
}

impl State for PairState {
    fn load<'a>(
        node: &'a Node,
        home: &'a Home,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Self, ReadError>> {
        async move {
            let window_s = match home {
                Home::Pair(app, _) => node.app(*app).map(|app| app.facts().settings.c2c_dedupe_s),
                Home::Cluster
                | Home::App(_)
                | Home::User(..)
                | Home::Group(..)
                | Home::Directory(..)
                | Home::Merged(..)
                | Home::Hooks(_) => None,
            };
            // The head last: a commit of an earlier owner that is still on its way makes the head newer than
            // the version that was read before, which our first commit notices, and never older than a row.
            let recent = recent_rows(node, partition, window_s.unwrap_or_default()).await?;
            let mut state = Self {
                head: node.head_row(partition).await?.unwrap_or_default(),
                dedupe: Dedupe::default(),
                imported_day: 0,
            };
            state.know_again(&recent)?;
            Ok(state)
        }
        .boxed()
    }
}

/// The rows of the duplicate window, oldest first.
async fn recent_rows(
    node: &Node,
    partition: &Partition,
    window_s: u32,
) -> Result<Vec<Row>, ReadError> {
    let since = node.now().seconds().minus_seconds(window_s.into());
    let (from, to) = (key::message(since, 0), key::messages_end());
    let rows = node.store().scan(partition, &from..&to, Direction::Descending, SENDS_MAX);
    let mut rows = rows.await?;
    rows.reverse();
    Ok(rows)
}

impl PairState {
    fn know_again(&mut self, recent: &[Row]) -> Result<(), ReadError> {
        for row in recent {
            let Some((time, ordinal)) = key::message_place(&row.key) else { continue };
            let message: MessageRow = decode_row(&row.value)?;
            if ordinal > self.head.last {
                return Err(ReadError::Corrupt(format!(
                    "message {ordinal} is newer than its conversation's head, {}",
                    self.head.last
                )));
            }
            if !MessageFlags(message.flags).has(MessageFlags::IMPORTED) {
                self.dedupe.insert(SendKey::of_row(&message), time, ());
            }
        }
        Ok(())
    }
}

/// The two accounts of a pair, seen from one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) own: UserId,
    pub(crate) own_tiny: TinyId,
    pub(crate) peer: UserId,
    pub(crate) peer_tiny: TinyId,
}

impl Ends {
    pub(crate) fn pair(&self) -> PairKey {
        PairKey::new(self.own_tiny, self.peer_tiny)
    }

    /// Whether `own` is the pair's high side. Somebody who writes to himself is its low one.
    pub(crate) fn own_is_high(&self) -> bool {
        self.own_tiny > self.peer_tiny
    }

    /// The same two, seen from the other.
    pub(crate) fn flipped(self) -> Self {
        let Self { own, own_tiny, peer, peer_tiny } = self;
        Self { own: peer, own_tiny: peer_tiny, peer: own, peer_tiny: own_tiny }
    }

    fn index_job(&self) -> IndexPairJob {
        let (own, peer) = (self.own.to_string(), self.peer.to_string());
        let (low_user, high_user) = if self.own_is_high() { (peer, own) } else { (own, peer) };
        IndexPairJob { low_user, high_user }
    }
}

impl PairRow {
    pub(crate) fn side(&self, high: bool) -> &SideRow {
        if high { &self.high } else { &self.low }
    }

    fn side_mut(&mut self, high: bool) -> &mut SideRow {
        if high { &mut self.high } else { &mut self.low }
    }
}

/// A message that has passed admission.
#[derive(Debug, Clone)]
pub(crate) struct NewMessage {
    pub(crate) ends: Ends,
    pub(crate) seq: u32,
    pub(crate) random: u32,
    pub(crate) client_time: Option<UnixSeconds>,
    pub(crate) body: MessageBody,
    pub(crate) cloud_custom_data: String,
    pub(crate) flags: MessageFlags,
    /// How long it is an offline message, seconds; 0: for connected devices only.
    pub(crate) life_s: u32,
    pub(crate) sync_to_sender: bool,
    /// The receiver wants nothing of the sender delivered.
    pub(crate) discarded: bool,
    pub(crate) unchecked: bool,
    pub(crate) forbids: CallbackControl,
    pub(crate) face: (String, String),
    pub(crate) origin: Option<u32>,
    /// Of what was sent, if a webhook has made something else of it.
    pub(crate) asked_crc: Option<u32>,
}

/// What a sender gets back, the first time and each time it repeats the send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) time: UnixSeconds,
}

/// Stores and delivers `message`; a repetition within the duplicate window gets the first result.
/// `placed` is called under the pair's lock: whoever sends to it later comes after this message.
pub(crate) async fn send(
    node: &Arc<Node>,
    app: &App,
    message: &NewMessage,
    placed: impl Fn(),
) -> Outcome<Sent> {
    let dedupe_s = app.facts().settings.c2c_dedupe_s;
    change_pair(node, app, &message.ends, |state, change| {
        placed();
        let now = node.now();
        let key = SendKey::of_message(message);
        let since = now.seconds().minus_seconds(dedupe_s.into());
        Ok(if let Some((time, ())) = state.dedupe.find(&key, since) {
            Sent { time }
        } else if message.life_s == 0 {
            deliver_online(state, app.id(), message, key, now, change)
        } else {
            store(state, node, app.id(), message, key, now, change)
        })
    })
    .await
}

/// Whether `message` repeats a send within the duplicate window.
pub(crate) async fn is_repeated(node: &Node, app: &App, message: &NewMessage) -> Outcome<bool> {
    let (pair, key) = (message.ends.pair(), SendKey::of_message(message));
    let since = node.now().seconds().minus_seconds(app.facts().settings.c2c_dedupe_s.into());
    let entity = app.pairs.get(node, &pair, || Home::Pair(app.id(), pair)).await?;
    Ok(entity.touch(|state| state.dedupe.find(&key, since).is_some()))
}

/// Changes a pair. After its first message both users find it in their lists when this returns.
async fn change_pair<R>(
    node: &Arc<Node>,
    app: &App,
    ends: &Ends,
    mut change: impl FnMut(&mut PairState, &mut Change) -> Outcome<R>,
) -> Outcome<R> {
    let pair = ends.pair();
    let home = || Home::Pair(app.id(), pair);
    let users = [&ends.own, &ends.peer];
    let outcome = app
        .pairs
        .change(node, &pair, home, |state, wanted| {
            let was_indexed = state.head.indexed;
            let result = change(state, wanted)?;
            let is_first = state.head.indexed && !was_indexed;
            if is_first {
                app.begin_indexing(pair, users);
            }
            Ok((result, is_first))
        })
        .await;
    if let Err(Failure::Commit(_)) = outcome {
        app.end_indexing(pair, users);
    }
    let (result, is_first) = outcome?;
    if is_first {
        // The sender finds the conversation in its list as soon as it has the reply.
        node.run_jobs(home()).await?;
    }
    Ok(result)
}

/// Seconds never go back within a conversation, so that history order is arrival order.
fn time_of(head: &PairRow, now: UnixMillis) -> UnixSeconds {
    now.seconds().max(UnixSeconds(head.last_time))
}

fn deliver_online(
    state: &mut PairState,
    app: SdkAppId,
    message: &NewMessage,
    key: SendKey,
    now: UnixMillis,
    change: &mut Change,
) -> Sent {
    let time = time_of(&state.head, now);
    state.dedupe.insert(key, time, ());
    change.event(Event::MessageSent(Arc::new(sent_event(app, message, time, 0))));
    Sent { time }
}

fn store(
    state: &mut PairState,
    node: &Node,
    app: SdkAppId,
    message: &NewMessage,
    send_key: SendKey,
    now: UnixMillis,
    change: &mut Change,
) -> Sent {
    let from_high = message.ends.own_is_high();
    let time = time_of(&state.head, now);
    let head = &mut state.head;
    head.last += 1;
    head.last_time = time.0;
    let ordinal = head.last;
    if !message.flags.has(MessageFlags::NO_UNREAD) {
        head.side_mut(from_high).counted += 1;
    }
    if !message.flags.has(MessageFlags::NO_LAST) {
        for high in [false, true] {
            if high == from_high && message.flags.has(MessageFlags::HIDDEN_FROM_SENDER) {
                continue;
            }
            let side = head.side_mut(high);
            (side.shown, side.shown_time) = (ordinal, time.0);
        }
    }
    if !head.indexed {
        head.indexed = true;
        change.job(node, Job::IndexPair(message.ends.index_job()));
    }
    let day = day_of(time);
    if head.last_day < day {
        head.last_day = day;
        change.job(node, Job::ListDay(ListDayJob { day }));
    }
    change.put(key::message(time, ordinal), &row(message, head, from_high, time));
    change.put(key::head(), head);
    state.dedupe.insert(send_key, time, ());
    change.event(Event::MessageSent(Arc::new(sent_event(app, message, time, ordinal))));
    Sent { time }
}

fn row(message: &NewMessage, head: &PairRow, from_high: bool, time: UnixSeconds) -> MessageRow {
    MessageRow {
        from_high,
        seq: message.seq,
        random: message.random,
        client_time: message.client_time.unwrap_or(time).0,
        body: message.body.as_json().to_owned(),
        cloud_custom_data: message.cloud_custom_data.clone(),
        flags: message.flags.0,
        counted_low: head.low.counted,
        counted_high: head.high.counted,
        offline_until: time.plus_seconds(message.life_s.into()).0,
        origin: message.origin.unwrap_or_default(),
        asked_crc: message.asked_crc,
    }
}

fn sent_event(app: SdkAppId, message: &NewMessage, time: UnixSeconds, ordinal: u64) -> MessageSent {
    MessageSent {
        app,
        from: message.ends.own.clone(),
        from_tiny_id: message.ends.own_tiny,
        from_nick: message.face.0.clone(),
        from_image: message.face.1.clone(),
        to: message.ends.peer.clone(),
        pair: message.ends.pair(),
        seq: message.seq,
        random: message.random,
        time,
        client_time: message.client_time.unwrap_or(time),
        body: message.body.clone(),
        cloud_custom_data: message.cloud_custom_data.clone(),
        no_unread: message.flags.has(MessageFlags::NO_UNREAD),
        no_last: message.flags.has(MessageFlags::NO_LAST),
        wants_receipt: message.flags.has(MessageFlags::WANTS_RECEIPT),
        extensible: message.flags.has(MessageFlags::EXTENSIBLE),
        online_only: message.life_s == 0,
        discarded: message.discarded,
        unchecked: message.unchecked,
        forbids: message.forbids,
        sync_to_sender: message.sync_to_sender,
        ordinal,
        origin: message.origin,
        rewritten: message.asked_crc.is_some(),
    }
}

impl MessageSent {
    /// Its place in the conversation; online-only messages have none.
    pub(crate) fn place(&self, what: Placed) -> Option<Place> {
        (!self.online_only).then_some(Place { pair: self.pair, what })
    }
}

/// The head of a pair: from memory if it is there.
pub(crate) async fn head(node: &Node, app: &App, pair: PairKey) -> Outcome<PairRow> {
    if let Some(entity) = app.pairs.peek(&pair) {
        return Ok(entity.read(|state| state.head.clone()));
    }
    Ok(heads(node, app.id(), &[pair]).await?.pop().unwrap_or_default())
}

/// How many counted messages of each side, the low one first, there had been at `time`: what the last message
/// of that second, or before it, has written down.
pub(crate) async fn counted_at(
    node: &Node,
    app: SdkAppId,
    pair: PairKey,
    time: UnixSeconds,
) -> Outcome<[u64; 2]> {
    let partition = Home::Pair(app, pair).partition();
    let (from, to) = (key::message(UnixSeconds(0), 0), key::message(time.plus_seconds(1), 0));
    let rows = node.store().scan(&partition, &from..&to, Direction::Descending, 1).await?;
    let Some(row) = rows.first() else { return Ok([0, 0]) };
    let row: MessageRow = decode_row(&row.value)?;
    Ok([row.counted_low, row.counted_high])
}

/// The heads of many pairs, in the same order; a pair without messages has the empty one.
pub(crate) async fn heads(node: &Node, app: SdkAppId, pairs: &[PairKey]) -> Outcome<Vec<PairRow>> {
    let keys: Vec<(Partition, Bytes)> =
        pairs.iter().map(|pair| (Home::Pair(app, *pair).partition(), key::head())).collect();
    let rows = node.store().get_many(&keys).await?;
    let decode = |row: Option<Bytes>| match row {
        Some(row) => decode_row(&row),
        None => Ok(PairRow::default()),
    };
    Ok(rows.into_iter().map(decode).collect::<Result<_, _>>()?)
}
