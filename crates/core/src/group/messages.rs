//! What is said in a group: one commit for the message, the head, and the sender's count.

use std::sync::Arc;

use teahouse_proto::error::Error;
use teahouse_proto::group::Priority;
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::message::{CallbackControl, MessageBody};
use teahouse_proto::push::GroupAt;
use teahouse_proto::time::{UnixMillis, UnixSeconds};

use super::membership::Act;
use super::message::{Faces, GroupRef, GroupSaid, mention_rows};
use super::rules::Standing;
use super::{GroupState, change_group, room};
use crate::app::App;
use crate::dedupe::content_crc;
use crate::entity::Change;
use crate::error::Outcome;
use crate::event::Event;
use crate::node::Node;
use crate::retention::day_of;
use crate::rows::{
    GroupMessageRow, Job, ListDayJob, MentionedRow, MessageFlags, OverlayRow, TipRow, key,
};

/// A message that has passed admission.
#[derive(Debug, Clone)]
pub(crate) struct NewGroupMessage {
    pub(crate) from: UserId,
    pub(crate) from_tiny_id: TinyId,
    /// A backend sends for whom it likes.
    pub(crate) by_backend: bool,
    pub(crate) random: u32,
    pub(crate) client_seq: u32,
    pub(crate) client_time: Option<UnixSeconds>,
    pub(crate) priority: Priority,
    pub(crate) body: MessageBody,
    pub(crate) cloud_custom_data: String,
    pub(crate) flags: MessageFlags,
    pub(crate) online_only: bool,
    pub(crate) mentions: Vec<GroupAt>,
    /// Those who are to see it; everybody if nobody is named.
    pub(crate) to: Vec<UserId>,
    pub(crate) faces: Arc<Faces>,
    pub(crate) origin: Option<u32>,
    /// Of what was sent, if a webhook has made something else of it.
    pub(crate) asked_crc: Option<u32>,
    /// Webhooks that are not called.
    pub(crate) forbids: CallbackControl,
}

impl NewGroupMessage {
    pub(super) fn row(&self, time: UnixSeconds, client_time: UnixSeconds) -> GroupMessageRow {
        GroupMessageRow {
            from: self.from.to_string(),
            from_tiny_id: self.from_tiny_id.0,
            random: self.random,
            client_seq: self.client_seq,
            time: time.0,
            client_time: client_time.0,
            body: self.body.as_json().to_owned(),
            cloud_custom_data: self.cloud_custom_data.clone(),
            priority: self.priority.number(),
            flags: self.flags.0,
            counted: 0,
            mentions: mention_rows(&self.mentions),
            tip: None,
            only_for: Vec::new(),
            joins: 0,
            asked_crc: self.asked_crc,
        }
    }

    pub(crate) fn content_crc(&self) -> u32 {
        content_crc(self.body.as_json(), &self.cloud_custom_data)
    }
}

impl MentionedRow {
    fn of(message: &GroupMessageRow) -> Self {
        Self {
            from: message.from.clone(),
            random: message.random,
            client_seq: message.client_seq,
            time: message.time,
            mentions: message.mentions.clone(),
        }
    }
}

/// What makes two sends to one group the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SendKey {
    from_tiny_id: u64,
    random: u32,
    content_crc: u32,
}

impl SendKey {
    pub(crate) fn of_row(row: &GroupMessageRow) -> Self {
        Self {
            from_tiny_id: row.from_tiny_id,
            random: row.random,
            content_crc: row
                .asked_crc
                .unwrap_or_else(|| content_crc(&row.body, &row.cloud_custom_data)),
        }
    }
}

/// What a sender gets back, the first time and each time it repeats the send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) time: UnixSeconds,
    pub(crate) seq: u64,
}

/// Stores and delivers `message`; a repetition within the duplicate window gets the first result.
/// `placed` is called under the group's lock: whoever sends to it later comes after this message.
pub(crate) async fn send(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    message: &NewGroupMessage,
    placed: impl Fn(),
) -> Outcome<Sent> {
    let dedupe_s = app.facts().settings.group_dedupe_s;
    change_group(node, app, group, |state, change| {
        placed();
        let now = node.now();
        // Checked before, but a mute or removal may have come since.
        state.may_send(message, now)?;
        let time = state.time_of(now);
        let mut row = message.row(time, message.client_time.unwrap_or(time));
        let only_for = state.audience(message, &mut row);
        if message.flags.has(MessageFlags::WANTS_RECEIPT) {
            row.joins = state.head.joins;
        }
        let key = SendKey::of_row(&row);
        let since = now.seconds().minus_seconds(dedupe_s.into());
        if let Some((time, seq)) = state.dedupe.find(&key, since) {
            return Ok(Sent { time, seq });
        }
        let mut said = GroupSaid {
            group: state.reference(app.id(), group)?,
            seq: state.head.last,
            online_only: message.online_only,
            origin: message.origin,
            row,
            overlay: OverlayRow::default(),
            body: Some(message.body.clone()),
            faces: message.faces.clone(),
            name_card: state
                .members
                .get(&message.from)
                .map(|m| m.name_card.clone())
                .unwrap_or_default(),
            only_for,
        };
        if !message.online_only {
            state.store(node, &mut said, change);
            state.count_sent(&message.from, &said, change);
        }
        state.dedupe.insert(key, time, said.seq);
        let seq = said.seq;
        change.event(Event::GroupMessage(Arc::new(said)));
        Ok(Sent { time, seq })
    })
    .await
}

/// Whether `message` repeats a send within the duplicate window.
pub(crate) async fn is_repeated(
    node: &Node,
    app: &App,
    group: &GroupRef,
    message: &NewGroupMessage,
) -> Outcome<bool> {
    let key = SendKey::of_row(&message.row(UnixSeconds(0), UnixSeconds(0)));
    let since = node.now().seconds().minus_seconds(app.facts().settings.group_dedupe_s.into());
    if room::is_room(group.kind) {
        return Ok(app.rooms.find(&group.id).is_some_and(|room| room.has_sent(&key, since)));
    }
    let entity = super::group(node, app, &group.id).await?;
    Ok(entity.touch(|state| state.dedupe.find(&key, since).is_some()))
}

impl GroupState {
    /// Whether `message` may be sent now.
    pub(crate) fn may_send(&self, message: &NewGroupMessage, now: UnixMillis) -> Result<(), Error> {
        let standing = if message.by_backend {
            Standing::Backend
        } else {
            let member = self.member(&message.from, message.from_tiny_id);
            Standing::of(member.and_then(|member| member.role()))
        };
        self.rules()?.may_send(standing, self.mute(&message.from), now.seconds())
    }

    /// Who is told of a message that is not for everybody. Receivers who are no members are passed over.
    fn audience(&self, message: &NewGroupMessage, row: &mut GroupMessageRow) -> Vec<UserId> {
        if message.to.is_empty() {
            return Vec::new();
        }
        let receivers = message.to.iter().filter_map(|user| {
            let member = self.members.get(user)?;
            Some((user.clone(), member.tiny_id))
        });
        let sender = (message.from.clone(), message.from_tiny_id.0);
        let (users, accounts): (Vec<_>, Vec<_>) = std::iter::once(sender).chain(receivers).unzip();
        row.only_for = accounts;
        users
    }

    /// Seconds never go back within a group.
    fn time_of(&self, now: UnixMillis) -> UnixSeconds {
        now.seconds().max(UnixSeconds(self.head.last_time))
    }

    /// Gives `said` its place and queues its rows.
    fn store(&mut self, node: &Node, said: &mut GroupSaid, change: &mut Change) {
        let day = day_of(UnixSeconds(said.row.time));
        said.seq = self.place(node, &mut said.row, day, change);
    }

    /// Gives a message its place behind all others, which it returns, and queues its rows. Retention finds it
    /// under `day`.
    pub(super) fn place(
        &mut self,
        node: &Node,
        row: &mut GroupMessageRow,
        day: u32,
        change: &mut Change,
    ) -> u64 {
        let head = &mut self.head;
        head.last += 1;
        head.last_time = row.time;
        head.counted += u64::from(row.is_counted());
        row.counted = head.counted;
        if !MessageFlags(row.flags).has(MessageFlags::NO_LAST) {
            if row.only_for.is_empty() {
                (head.shown, head.shown_time) = (head.last, row.time);
            } else {
                head.targeted = head.last;
            }
        }
        if head.last_day < day {
            head.last_day = day;
            change.job(node, Job::ListDay(ListDayJob { day }));
        }
        if !row.mentions.is_empty() {
            head.mentioned = head.last;
            change.put(key::mentioned(head.incarnation, head.last), &MentionedRow::of(row));
        }
        change.put(key::group_message(head.incarnation, head.last), row);
        change.put(key::head(), head);
        head.last
    }

    /// A member's own messages are not unread for himself, so they are counted.
    fn count_sent(&mut self, from: &UserId, said: &GroupSaid, change: &mut Change) {
        let incarnation = self.head.incarnation;
        if let Some(member) = self.members.get_mut(from) {
            member.last_sent = said.row.time;
            member.sent += u64::from(said.row.is_counted());
            change.put(key::member(incarnation, from), member);
        }
    }

    /// Stores a tip and tells it, if the group has any for what happened. A group that nobody sees yet
    /// has none.
    pub(crate) fn tip(&mut self, act: &Act<'_>, tip: TipRow, change: &mut Change) {
        if self.is_inactive() {
            return;
        }
        let time = self.time_of(act.node.now());
        let random = u32::try_from(act.node.random() >> 32).expect("32 bits");
        let mut said = GroupSaid {
            group: act.group.clone(),
            seq: self.head.last,
            online_only: false,
            origin: None,
            row: GroupMessageRow {
                random,
                time: time.0,
                client_time: time.0,
                priority: Priority::Normal.number(),
                tip: Some(tip),
                ..GroupMessageRow::default()
            },
            overlay: OverlayRow::default(),
            body: None,
            faces: act.faces.clone(),
            name_card: String::new(),
            only_for: Vec::new(),
        };
        // What is told in a live room gets its place when it is told.
        if super::rules::of(said.group.kind).stored {
            self.store(act.node, &mut said, change);
        }
        change.event(Event::GroupMessage(Arc::new(said)));
    }
}
