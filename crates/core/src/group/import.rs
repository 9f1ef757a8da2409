//! What was said and done in a group of another system, written with its own times.
//!
//! Messages come behind all that is stored: sequence numbers and seconds of a group rise together. They count
//! as unread for nobody. How many of them somebody has not read is therefore no difference of two counts, but a
//! number of its own in his index row, which ends with his next mark, or with the next import.

use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{Priority, ReceiveOption, Role};
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::message::MessageBody;
use teahouse_proto::time::UnixSeconds;
use teahouse_store::{Direction, Partition};

use super::membership::{self, Newcomer};
use super::messages::{SendKey, Sent};
use super::{GroupState, change_group};
use crate::app::App;
use crate::entity::{Change, in_parallel};
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::pair::commands::importmsg::AHEAD_S_MAX;
use crate::retention::{self, Cut};
use crate::rows::{GroupHeadRow, GroupMessageRow, Home, MemberRow, MessageFlags, MuteRow, key};

/// Messages of one second that an import finds again. A group takes no more into one second.
const SECOND_MAX: usize = 4_096;

/// A message to import, of an account that exists.
#[derive(Debug, Clone)]
pub(crate) struct Imported {
    pub(crate) from: UserId,
    pub(crate) from_tiny_id: TinyId,
    pub(crate) random: u32,
    pub(crate) time: UnixSeconds,
    pub(crate) priority: Priority,
    pub(crate) body: MessageBody,
    pub(crate) cloud_custom_data: String,
}

/// Whether something may have happened at `time`, in a group that was made at `created`.
pub(crate) fn is_possible(time: UnixSeconds, created: u32, now: UnixSeconds) -> bool {
    time.0 >= created && time <= now.plus_seconds(AHEAD_S_MAX)
}

/// Writes messages behind those that are stored, in their order. One with the sender, second, random number and
/// content of a stored one is there already, and has that one's result. With `shown` they are what conversation
/// lists show.
///
/// # Errors
/// `GroupNotFound`. Each message has its own result: `GroupBadParameter` for one from before the group was made,
/// before the last message, or from the future.
pub(crate) async fn messages(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    messages: &[Imported],
    shown: bool,
) -> Outcome<Vec<Result<Sent, Error>>> {
    // One call at a time, so that of two with the same message the second finds the first.
    app.group_imports.run(group, write(node, app, group, messages, shown)).await
}

async fn write(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    messages: &[Imported],
    shown: bool,
) -> Outcome<Vec<Result<Sent, Error>>> {
    let partition = Home::Group(app.id(), group.clone()).partition();
    let mut days = Vec::new();
    for message in messages {
        days.push(retention::listed_day(node, app, Cut::Groups, message.time).await?);
    }
    loop {
        let head = super::group(node, app, group).await?.read(|state| state.head);
        let mut there = Vec::new();
        for message in messages {
            there.push(find(node, &partition, &head, message).await?);
        }
        let written = change_group(node, app, group, |state, change| {
            let created = state.info()?.created;
            if (state.head.incarnation, state.head.last) != (head.incarnation, head.last) {
                // Somebody has written since. Not to be answered before that is durable, and seen above.
                return Ok(None);
            }
            let mut results: Vec<Result<Sent, Error>> = Vec::new();
            for (index, message) in messages.iter().enumerate() {
                let same = |other: &Imported| other.key() == message.key();
                let said_before = messages[..index].iter().position(same);
                results.push(match (&there[index], said_before) {
                    (Found::There(sent), _) => Ok(*sent),
                    (Found::New | Found::Full, Some(before)) => results[before].clone(),
                    (Found::Full, None) => Err(refused(message, "its second is full")),
                    (Found::New, None) => message.check_time(state, created, node).map(|()| {
                        let row = message.row(shown);
                        let seq = state.import(node, message, row, days[index], change);
                        Sent { time: message.time, seq }
                    }),
                });
            }
            Ok(Some(results))
        });
        if let Some(results) = written.await? {
            return Ok(results);
        }
    }
}

/// What the store knows of a message.
enum Found {
    There(Sent),
    New,
    /// More messages in its second than are looked through.
    Full,
}

async fn find(
    node: &Node,
    partition: &Partition,
    head: &GroupHeadRow,
    message: &Imported,
) -> Outcome<Found> {
    if message.time.0 > head.last_time {
        return Ok(Found::New);
    }
    let (_, sought) = message.key();
    let first = first_at(node, partition, head, message.time).await?;
    let end = first_at(node, partition, head, message.time.plus_seconds(1)).await?;
    let range = [first, end].map(|seq| key::group_message(head.incarnation, seq));
    let range = &range[0][..]..&range[1][..];
    let rows = node.store().scan(partition, range, Direction::Ascending, SECOND_MAX).await?;
    let is_full = rows.len() == SECOND_MAX;
    for row in rows {
        let stored: GroupMessageRow = decode_row(&row.value)?;
        let seq = key::group_message_seq(&row.key).unwrap_or_default();
        if stored.tip.is_none() && SendKey::of_row(&stored) == sought {
            return Ok(Found::There(Sent { time: message.time, seq }));
        }
    }
    Ok(if is_full { Found::Full } else { Found::New })
}

/// The first stored message of this second or a later one; one above the last if there is none.
async fn first_at(
    node: &Node,
    partition: &Partition,
    head: &GroupHeadRow,
    time: UnixSeconds,
) -> Outcome<u64> {
    let (mut low, mut high) = (head.first_live.max(1), head.last + 1);
    if time.0 > head.last_time {
        return Ok(high);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        let range = [middle, high].map(|seq| key::group_message(head.incarnation, seq));
        let range = &range[0][..]..&range[1][..];
        let next = node.store().scan(partition, range, Direction::Ascending, 1).await?;
        let earlier = match next.first() {
            Some(row) => {
                let stored: GroupMessageRow = decode_row(&row.value)?;
                key::group_message_seq(&row.key).filter(|_| stored.time < time.0)
            }
            None => None,
        };
        match earlier {
            Some(seq) => low = seq + 1,
            None => high = middle,
        }
    }
    Ok(low)
}

fn refused(message: &Imported, why: &str) -> Error {
    let info = format!("SendTime is {}: {why}", message.time);
    Error::with(ErrorCode::GroupBadParameter, info)
}

impl Imported {
    /// What makes two of them the same.
    fn key(&self) -> (UnixSeconds, SendKey) {
        (self.time, SendKey::of_row(&self.row(false)))
    }

    fn check_time(&self, state: &GroupState, created: u32, node: &Node) -> Result<(), Error> {
        let now = node.now().seconds();
        if !is_possible(self.time, created, now) {
            let why = format!("the group was made at {created}, and now is {now}");
            return Err(refused(self, &why));
        }
        if self.time.0 < state.head.last_time {
            let why = format!("the last message is of {}", state.head.last_time);
            return Err(refused(self, &why));
        }
        Ok(())
    }

    fn row(&self, shown: bool) -> GroupMessageRow {
        let flags = MessageFlags::default()
            .with(MessageFlags::IMPORTED, true)
            .with(MessageFlags::NEVER_UNREAD, true)
            .with(MessageFlags::NO_LAST, !shown);
        GroupMessageRow {
            from: self.from.to_string(),
            from_tiny_id: self.from_tiny_id.0,
            random: self.random,
            time: self.time.0,
            client_time: self.time.0,
            body: self.body.as_json().to_owned(),
            cloud_custom_data: self.cloud_custom_data.clone(),
            priority: self.priority.number(),
            flags: flags.0,
            ..GroupMessageRow::default()
        }
    }
}

impl GroupState {
    fn keep_mute(&mut self, user: &UserId, until: u32, change: &mut Change) {
        self.mutes.insert(user.clone(), until);
        change.put(key::mute(self.head.incarnation, user), &MuteRow { until });
    }

    fn import(
        &mut self,
        node: &Node,
        message: &Imported,
        mut row: GroupMessageRow,
        day: u32,
        change: &mut Change,
    ) -> u64 {
        // One more than there is now, so that the head is written with it.
        self.head.imported = self.head.last + 1;
        let seq = self.place(node, &mut row, day, change);
        let incarnation = self.head.incarnation;
        if let Some(member) = self.members.get_mut(&message.from) {
            member.last_sent = row.time;
            change.put(key::member(incarnation, &message.from), member);
        }
        seq
    }
}

/// Messages that a member may see.
pub(crate) fn seen_by(head: &GroupHeadRow, member: &MemberRow) -> u64 {
    seen_since(head, member.first_seq)
}

fn seen_since(head: &GroupHeadRow, first_seq: u64) -> u64 {
    (head.last + 1).saturating_sub(first_seq.max(head.first_live).max(head.cleared + 1))
}

/// An account to write into a group.
#[derive(Debug, Clone)]
pub(crate) struct ImportedMember {
    pub(crate) user: UserId,
    pub(crate) tiny_id: TinyId,
    pub(crate) role: Role,
    pub(crate) joined: UnixSeconds,
    /// Last messages that it has not read; more than there are means all of them.
    pub(crate) unread: u64,
    pub(crate) name_card: String,
    pub(crate) receive_option: ReceiveOption,
    /// Until when it is muted; 0: not.
    pub(crate) muted_until: u32,
}

/// What became of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entered {
    In,
    /// It was a member already, and stays what it was.
    Already,
    /// The group was made later, or it is in the future.
    TimeImpossible,
}

/// Makes members of accounts; nobody is told. Who came later than a message does not see it, in groups whose
/// newcomers do not see what was said before.
///
/// # Errors
/// `GroupNotFound`, `GroupFull`: then nobody came in.
pub(crate) async fn members(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    members: &[ImportedMember],
) -> Outcome<Vec<Entered>> {
    const AT_ONCE: usize = 16;
    let partition = &Home::Group(app.id(), group.clone()).partition();
    loop {
        let head = super::group(node, app, group).await?.read(|state| state.head);
        let times: Vec<UnixSeconds> = members.iter().map(|member| member.joined).collect();
        let first = in_parallel(times, AT_ONCE, |joined| async move {
            first_at(node, partition, &head, joined).await
        });
        let first: Vec<u64> = first.await.into_iter().collect::<Outcome<_>>()?;
        let entered = change_group(node, app, group, |state, change| {
            let rules = state.rules()?;
            let created = state.info()?.created;
            let now = node.now().seconds();
            if (state.head.incarnation, state.head.last) != (head.incarnation, head.last) {
                return Ok(None);
            }
            let (mut results, mut newcomers) = (Vec::new(), Vec::new());
            for (member, first) in members.iter().zip(&first) {
                let is_in = state.member(&member.user, member.tiny_id).is_some();
                if is_in || !is_possible(member.joined, created, now) {
                    results.push(if is_in { Entered::Already } else { Entered::TimeImpossible });
                    continue;
                }
                let first_seq = if rules.newcomers_see_history { 1 } else { *first };
                newcomers.push(Newcomer {
                    user: member.user.clone(),
                    tiny_id: member.tiny_id,
                    role: member.role,
                    joined: member.joined,
                    first_seq,
                    unread: match rules.unread {
                        true => member.unread.min(seen_since(&state.head, first_seq)),
                        false => 0,
                    },
                    name_card: member.name_card.clone(),
                    receive_option: member.receive_option,
                });
                if member.muted_until > now.0 {
                    state.keep_mute(&member.user, member.muted_until, change);
                }
                results.push(Entered::In);
            }
            if !newcomers.is_empty() {
                membership::check_room(state, newcomers.len())?;
                state.let_in(node, newcomers, change);
            }
            Ok(Some(results))
        });
        if let Some(results) = entered.await? {
            return Ok(results);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_possible_from_the_making_of_the_group_until_a_moment_from_now() {
        let possible = |time| is_possible(UnixSeconds(time), 100, UnixSeconds(200));
        assert!(!possible(99) && possible(100) && possible(200));
        let ahead = u32::try_from(AHEAD_S_MAX).expect("seconds");
        assert!(possible(200 + ahead) && !possible(201 + ahead));
    }

    #[test]
    fn a_member_sees_what_is_left_since_he_came() {
        let head = GroupHeadRow { last: 10, ..GroupHeadRow::default() };
        for (first_seq, first_live, seen) in
            [(1, 0, 10), (1, 4, 7), (6, 4, 5), (10, 0, 1), (11, 0, 0), (1, 11, 0)]
        {
            let head = GroupHeadRow { first_live, ..head };
            let member = MemberRow { first_seq, ..MemberRow::default() };
            assert_eq!(seen_by(&head, &member), seen, "{first_seq} {first_live}");
        }
        let head = GroupHeadRow { cleared: 7, ..head };
        assert_eq!(seen_by(&head, &MemberRow { first_seq: 2, ..MemberRow::default() }), 3);
    }
}
