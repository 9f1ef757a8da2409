//! Messages of another system, written at the second at which they were said there.
//!
//! A conversation's seconds never go back for what is sent; an import may write behind them. The key of such a
//! message puts it where it belongs in the history, its ordinal says that it came last. It leaves alone what
//! belongs to newer messages: their second, the last message of both lists, and the counts, which rows keep in
//! the order of the history. So it is never unread, and clients take it the same way: a message older than the
//! last one of its conversation changes neither count nor last message.

use std::sync::Arc;

use teahouse_proto::ids::MsgKey;
use teahouse_proto::message::{CallbackControl, MessageBody};
use teahouse_proto::time::UnixSeconds;

use super::{
    Ends, NewMessage, PairState, change_pair, counted_at, heads, history, row, sent_event,
};
use crate::app::App;
use crate::entity::Change;
use crate::error::Outcome;
use crate::event::Event;
use crate::node::Node;
use crate::retention::{self, Cut};
use crate::rows::{Job, ListDayJob, MessageFlags, key};

/// A message to import, with both accounts known to exist.
#[derive(Debug, Clone)]
pub(crate) struct Imported {
    pub(crate) ends: Ends,
    pub(crate) seq: u32,
    pub(crate) random: u32,
    pub(crate) time: UnixSeconds,
    pub(crate) body: MessageBody,
    pub(crate) cloud_custom_data: String,
    /// Said now, by a user who is still in the other system: delivered and counted like a sent one.
    pub(crate) live: bool,
    pub(crate) face: (String, String),
}

/// Writes a message into the history of both users, unless one with its sequence, random and second is there,
/// whoever of the two has said it.
pub(crate) async fn import(node: &Arc<Node>, app: &App, imported: &Imported) -> Outcome<()> {
    // One at a time, so that of two with the same key the second finds the first.
    app.imports.run(&imported.ends.pair(), write(node, app, imported)).await
}

async fn write(node: &Arc<Node>, app: &App, imported: &Imported) -> Outcome<()> {
    let Imported { ends, seq, random, time, .. } = imported;
    let key = MsgKey { seq: *seq, random: *random, time: *time };
    if history::place_of(node, app.id(), ends, &key).await?.is_some() {
        return Ok(());
    }
    let day = retention::listed_day(node, app, Cut::Pairs, *time).await?;
    let message = imported.as_message(app);
    loop {
        let head = heads(node, app.id(), &[ends.pair()]).await?.pop().unwrap_or_default();
        // Behind the newest message the counts are what they are for ever: no sent message comes there.
        let counted = match time.0 < head.last_time {
            true => Some(counted_at(node, app.id(), ends.pair(), *time).await?),
            false => None,
        };
        let written = change_pair(node, app, ends, |state, change| {
            if time.0 < state.head.last_time && counted.is_none() {
                // Somebody has written since. Not to be answered before that is durable, and seen above.
                return Ok(false);
            }
            state.import(node, app, &message, *time, (imported.live, counted, day), change);
            Ok(true)
        });
        if written.await? {
            return Ok(());
        }
    }
}

impl Imported {
    fn as_message(&self, app: &App) -> NewMessage {
        let settings = &app.facts().settings;
        NewMessage {
            ends: self.ends.clone(),
            seq: self.seq,
            random: self.random,
            client_time: Some(self.time),
            body: self.body.clone(),
            cloud_custom_data: self.cloud_custom_data.clone(),
            flags: MessageFlags::default().with(MessageFlags::IMPORTED, true),
            life_s: if self.live { settings.c2c_offline_s_max } else { 0 },
            sync_to_sender: true,
            discarded: false,
            unchecked: true,
            forbids: CallbackControl::ALL,
            face: self.face.clone(),
            origin: None,
            asked_crc: None,
        }
    }
}

impl PairState {
    /// `counted` are the counts of both sides at `time` when newer messages are there already.
    fn import(
        &mut self,
        node: &Node,
        app: &App,
        message: &NewMessage,
        time: UnixSeconds,
        (live, counted, day): (bool, Option<[u64; 2]>, u32),
        change: &mut Change,
    ) {
        let from_high = message.ends.own_is_high();
        let head = &mut self.head;
        head.last += 1;
        let ordinal = head.last;
        let counts = live && counted.is_none();
        if counts {
            head.side_mut(from_high).counted += 1;
        }
        for high in [false, true] {
            let side = head.side_mut(high);
            if time.0 >= side.shown_time {
                (side.shown, side.shown_time) = (ordinal, time.0);
            }
        }
        if !head.indexed {
            head.indexed = true;
            change.job(node, Job::IndexPair(message.ends.index_job()));
        }
        let is_listed = day == head.last_day || day == self.imported_day;
        if counted.is_none() {
            head.last_time = time.0;
            head.last_day = head.last_day.max(day);
        } else {
            self.imported_day = day;
        }
        if !is_listed {
            change.job(node, Job::ListDay(ListDayJob { day }));
        }
        let mut row = row(message, head, from_high, time);
        row.flags = MessageFlags(row.flags).with(MessageFlags::NEVER_UNREAD, !counts).0;
        if let Some([low, high]) = counted {
            (row.counted_low, row.counted_high) = (low, high);
        }
        change.put(key::message(time, ordinal), &row);
        change.put(key::head(), head);
        if live {
            let told = sent_event(app.id(), message, time, ordinal);
            let told = crate::event::MessageSent { no_unread: !counts, online_only: false, ..told };
            change.event(Event::MessageSent(Arc::new(told)));
        }
    }
}
