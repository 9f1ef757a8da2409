//! Group conversations of one user: the index rows, and the list that is derived from them on read.
//!
//! A row begins with a membership and ends with it. Unread messages are derived: what the group has
//! counted since the member's mark, without what he has sent himself since.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::ReceiveOption;
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::time::UnixSeconds;
use teahouse_store::{Direction, Partition};

use super::contacts::Contact;
use super::marks::GroupMark;
use super::{AT_ONCE, change_index, indexed, unpin_deleted};
use crate::app::App;
use crate::entity::{Change, in_parallel};
use crate::error::Outcome;
use crate::event::{ConversationsDeleted, Event, GroupRead};
use crate::group::history::{self, Recalled, Wanted};
use crate::group::message::GroupRef;
use crate::group::{self, import, rules, uncounted};
use crate::hub::Channel;
use crate::node::{Node, decode_row};
use crate::numbers::Numbers;
use crate::rows::{
    ContactRow, GroupHeadRow, GroupIndexRow, GroupInfoRow, GroupMessageRow, Home, JoinedRow,
    LeftRow, MemberRow, MessageFlags, key,
};

/// One group conversation as its owner sees it now.
#[derive(Debug, Clone)]
pub(crate) struct GroupSummary {
    pub(crate) group: GroupId,
    pub(crate) row: GroupIndexRow,
    pub(crate) attached: ContactRow,
    pub(crate) head: GroupHeadRow,
    pub(crate) info: GroupInfoRow,
    pub(crate) member: MemberRow,
    /// The last message to be shown that is for him and not for everybody, if it came after the last of those.
    targeted: Option<(u64, UnixSeconds)>,
    /// Messages of others that have stopped counting before they were read.
    uncounted: Numbers,
}

impl GroupSummary {
    /// Counted messages of others that are not read.
    pub(crate) fn unread(&self) -> u64 {
        if !rules::of(self.info.kind()).unread {
            return 0;
        }
        let (read, counted) = (self.row.read_count, self.head.counted);
        let own = self.member.sent.saturating_sub(self.row.read_sent);
        let off = own + self.uncounted.between(read, counted);
        counted.saturating_sub(read).saturating_sub(off) + self.unread_imported()
    }

    /// Imported messages that are unread. What is imported later ends that.
    fn unread_imported(&self) -> u64 {
        if self.row.is_before_import(&self.head) { 0 } else { self.row.unread_imported }
    }

    /// Some message that counts by its number has stopped to.
    fn overcounts(&self) -> bool {
        self.head.uncounted_through.max(self.member.uncounted_through) > self.row.read_count
    }

    /// Sequence number and second of the last message that the list shows; 0 if there is none, or none since
    /// the conversation was deleted.
    pub(crate) fn shown(&self) -> (u64, UnixSeconds) {
        let last = self.targeted.unwrap_or_else(|| self.member.shown_of(&self.head));
        if last.0 > self.row.hidden_through { last } else { (0, UnixSeconds(0)) }
    }

    /// The newest `count` messages of what the member sees.
    pub(crate) fn wanted(&self, app: &App, count: u64) -> Wanted {
        let first = self.member.first_seq.max(self.row.cleared_through + 1);
        Wanted {
            group: self.reference(app),
            incarnation: self.row.incarnation,
            first: first.max(self.head.first_live).max(self.head.cleared + 1),
            last: self.head.last,
            count,
            viewer: Some(TinyId(self.member.tiny_id)),
            is_changed: self.head.changes > 0,
            recalled: Recalled::Place,
        }
    }

    /// Whether the list has it: not deleted since its last message, or pinned.
    pub(crate) fn is_listed(&self) -> bool {
        self.shown().0 > 0 || self.attached.is_pinned()
    }

    /// Nobody but its owner sees a group that waits for its first message.
    pub(crate) fn is_visible_to(&self, user: &UserId) -> bool {
        !self.info.is_inactive(&self.head) || self.info.owner == user.as_str()
    }

    /// The row of the same membership.
    fn row_in<'a>(
        &self,
        groups: &'a mut BTreeMap<GroupId, GroupIndexRow>,
    ) -> Option<&'a mut GroupIndexRow> {
        let membership = (self.row.incarnation, self.row.joined_as);
        let row = groups.get_mut(&self.group)?;
        ((row.incarnation, row.joined_as) == membership).then_some(row)
    }

    /// As messages name it.
    pub(crate) fn reference(&self, app: &App) -> GroupRef {
        let (name, kind) = (Arc::from(&*self.info.name), self.info.kind());
        GroupRef { app: app.id(), id: self.group.clone(), name, kind }
    }
}

impl GroupIndexRow {
    /// Messages were imported since it was said what is unread of the earlier ones.
    fn is_before_import(&self, head: &GroupHeadRow) -> bool {
        head.imported > self.unread_through
    }

    /// Up to where its owner has read: an import has been read when it is there.
    pub(crate) fn read_through(&self, head: &GroupHeadRow) -> u64 {
        if self.is_before_import(head) { self.read_seq.max(head.imported) } else { self.read_seq }
    }
}

/// All groups of a user, in the order of their ids: one scan of the index and one batched read, and for a group with
/// unread messages that have stopped to count one more.
pub(crate) async fn summaries(node: &Node, app: &App, user: &UserId) -> Outcome<Vec<GroupSummary>> {
    chosen_summaries(node, app, user, None).await
}

/// Those of them that are chosen, in that order, or all.
pub(crate) async fn chosen_summaries(
    node: &Node,
    app: &App,
    user: &UserId,
    chosen: Option<&[GroupId]>,
) -> Outcome<Vec<GroupSummary>> {
    let entity = indexed(node, app, user).await?;
    let rows: Vec<(GroupId, GroupIndexRow, ContactRow)> = entity.read(|state| {
        let Some(index) = &state.conversations else { return Vec::new() };
        let row = |(group, row): (&GroupId, &GroupIndexRow)| {
            (group.clone(), row.clone(), index.attached(&Contact::Group(group.clone())))
        };
        match chosen {
            None => index.groups.iter().map(row).collect(),
            Some(chosen) => {
                let found = chosen.iter().filter_map(|group| index.groups.get_key_value(group));
                found.map(row).collect()
            }
        }
    });
    let keys: Vec<(Partition, Bytes)> =
        rows.iter().flat_map(|(group, row, _)| keys_of(app, user, group, row)).collect();
    let found = node.store().get_many(&keys).await?;
    let mut summaries = Vec::new();
    for ((group, row, attached), found) in rows.into_iter().zip(found.chunks_exact(3)) {
        let Some((head, info, member)) = decode(&row, found)? else { continue };
        let (targeted, uncounted) = (None, Numbers::default());
        let summary =
            GroupSummary { group, row, attached, head, info, member, targeted, uncounted };
        summaries.push(summary);
    }
    let complete = in_parallel(summaries, AT_ONCE, |mut summary| async move {
        if summary.head.cleared > summary.row.read_seq {
            read_cleared(node, app, user, &mut summary).await?;
        }
        if summary.overcounts() {
            count(node, app, user, &mut summary).await?;
        }
        summary.targeted = last_targeted(node, app, &summary).await?;
        Ok(summary)
    });
    complete.await.into_iter().collect()
}

/// One group of a user, also when he came in a moment ago and his list is about to have it; nothing if he is not in.
pub(crate) async fn summary_now(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    group: &GroupId,
) -> Outcome<Option<GroupSummary>> {
    let chosen = Some(std::slice::from_ref(group));
    let found = chosen_summaries(node, app, user, chosen).await?.pop();
    if found.is_some() {
        return Ok(found);
    }
    node.run_jobs(Home::Group(app.id(), group.clone())).await?;
    Ok(chosen_summaries(node, app, user, chosen).await?.pop())
}

fn keys_of(
    app: &App,
    user: &UserId,
    group: &GroupId,
    row: &GroupIndexRow,
) -> [(Partition, Bytes); 3] {
    let partition = Home::Group(app.id(), group.clone()).partition();
    let member = key::member(row.incarnation, user);
    [key::head(), key::group_info(row.incarnation), member].map(|k| (partition.clone(), k))
}

/// The rows of [`keys_of`]; nothing if the group was dismissed, or left, and the index is about to be told so.
fn decode(
    row: &GroupIndexRow,
    found: &[Option<Bytes>],
) -> Outcome<Option<(GroupHeadRow, GroupInfoRow, MemberRow)>> {
    let [Some(head), Some(info), Some(member)] = found else { return Ok(None) };
    let head: GroupHeadRow = decode_row(head)?;
    let is_it = head.incarnation == row.incarnation && head.dismissed_ms == 0;
    if is_it { Ok(Some((head, decode_row(info)?, decode_row(member)?))) } else { Ok(None) }
}

/// What members do not see any more counts as read.
async fn read_cleared(
    node: &Node,
    app: &App,
    user: &UserId,
    summary: &mut GroupSummary,
) -> Outcome<()> {
    let partition = Home::Group(app.id(), summary.group.clone()).partition();
    let GroupSummary { row, head, member, .. } = summary;
    let seq = head.cleared.min(head.last);
    let counts = counts_at(node, &partition, head, member, user, seq).await?;
    (row.read_seq, row.read_count, row.read_sent) = (seq, counts.0, counts.1);
    Ok(())
}

/// Takes off what has stopped to count. Head and numbers are of the same moment: a message that stops to count
/// between the two reads is seen by both.
async fn count(node: &Node, app: &App, user: &UserId, summary: &mut GroupSummary) -> Outcome<()> {
    const ATTEMPTS: usize = 4;
    let partition = Home::Group(app.id(), summary.group.clone()).partition();
    let keys = keys_of(app, user, &summary.group, &summary.row);
    for _ in 0..ATTEMPTS {
        let (numbers, reader) =
            ((summary.row.read_count, summary.head.counted), TinyId(summary.member.tiny_id));
        let incarnation = summary.row.incarnation;
        summary.uncounted = uncounted::load(node, &partition, incarnation, reader, numbers).await?;
        let found = node.store().get_many(&keys).await?;
        let Some((head, info, member)) = decode(&summary.row, &found)? else { break };
        let is_same = head.changes == summary.head.changes;
        (summary.head, summary.info, summary.member) = (head, info, member);
        if is_same {
            break;
        }
    }
    Ok(())
}

/// Messages that are looked through for the last one to show.
const TARGETED_LOOKED_THROUGH_MAX: usize = 100;

/// The last message to be shown that is for this member and not for everybody, if nothing that is for everybody
/// came after it.
async fn last_targeted(
    node: &Node,
    app: &App,
    summary: &GroupSummary,
) -> Outcome<Option<(u64, UnixSeconds)>> {
    let GroupSummary { group, head, member, .. } = summary;
    let first = member.first_seq.max(head.shown + 1).max(head.cleared + 1);
    if head.targeted < first {
        return Ok(None);
    }
    let partition = Home::Group(app.id(), group.clone()).partition();
    let [from, to] =
        [first, head.targeted + 1].map(|seq| key::group_message(head.incarnation, seq));
    let rows = node.store().scan(
        &partition,
        &from..&to,
        Direction::Descending,
        TARGETED_LOOKED_THROUGH_MAX,
    );
    let rows = rows.await?;
    let viewer = TinyId(member.tiny_id);
    let deleted = if head.changes > 0 {
        let seqs = rows.iter().filter_map(|row| key::group_message_seq(&row.key));
        history::deleted(node, &partition, head.incarnation, viewer, seqs).await?
    } else {
        Numbers::default()
    };
    for row in rows {
        let message: GroupMessageRow = decode_row(&row.value)?;
        let Some(seq) = key::group_message_seq(&row.key) else { continue };
        let is_shown = !MessageFlags(message.flags).has(MessageFlags::NO_LAST);
        if is_shown && message.is_for(Some(viewer)) && !deleted.contains(seq) {
            return Ok(Some((seq, UnixSeconds(message.time))));
        }
    }
    Ok(None)
}

/// The groups that a user is in.
pub(crate) async fn all(node: &Node, app: &App, user: &UserId) -> Outcome<Vec<GroupId>> {
    chosen(node, app, user, |_| true).await
}

/// The groups that a user's devices listen to.
pub(crate) async fn listened(node: &Node, app: &App, user: &UserId) -> Outcome<Vec<GroupId>> {
    chosen(node, app, user, listens).await
}

async fn chosen(
    node: &Node,
    app: &App,
    user: &UserId,
    choose: impl Fn(&GroupIndexRow) -> bool,
) -> Outcome<Vec<GroupId>> {
    let entity = indexed(node, app, user).await?;
    Ok(entity.read(|state| {
        let groups = state.conversations.iter().flat_map(|index| index.groups.iter());
        groups.filter(|(_, row)| choose(row)).map(|(group, _)| group.clone()).collect()
    }))
}

/// Whether the user gets the group's messages.
pub(super) fn listens(row: &GroupIndexRow) -> bool {
    row.receive_option != ReceiveOption::Discard.number()
}

/// The index rows that many users have of one group, in the same order.
pub(crate) async fn rows_of(
    node: &Node,
    app: &App,
    group: &GroupId,
    users: &[UserId],
) -> Outcome<Vec<Option<GroupIndexRow>>> {
    let keys: Vec<(Partition, Bytes)> = users
        .iter()
        .map(|user| {
            let partition = Home::User(app.id(), user.clone()).partition();
            (partition, key::group_conversation(group))
        })
        .collect();
    let stored = node.store().get_many(&keys).await?;
    users
        .iter()
        .zip(stored)
        .map(|(user, stored)| {
            // A user in memory may be ahead of the store by marks that are not saved yet.
            let known = app.users.peek(user).and_then(|entity| {
                entity.read(|state| state.conversations.as_ref()?.groups.get(group).cloned())
            });
            match known {
                Some(row) => Ok(Some(row)),
                None => Ok(stored.map(|row| decode_row(&row)).transpose()?),
            }
        })
        .collect()
}

/// Changes the index row of one group, if the user is in it; says whether he is.
pub(crate) async fn change_row(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    group: &GroupId,
    mut apply: impl FnMut(&mut GroupIndexRow, &mut Change),
) -> Outcome<bool> {
    change_index(node, app, user, None, |index, change| {
        let Some(row) = index.groups.get_mut(group) else { return false };
        apply(row, change);
        change.put(key::group_conversation(group), row);
        true
    })
    .await
}

/// Puts a group into a new member's index; carried out by the outbox. Says whether the account that came
/// in is still there.
pub(crate) async fn index(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    incarnation: u64,
    joined: &JoinedRow,
) -> Outcome<bool> {
    let Ok(user) = UserId::parse(&joined.user) else { return Ok(true) };
    let membership = (incarnation, joined.joined_as);
    let account = Some(TinyId(joined.tiny_id));
    let listens = change_index(node, app, &user, account, |index, change| {
        let row = index.groups.get(group);
        // Numbers rise: a job that comes late does not bring back what has ended since.
        if let Some(row) = row.filter(|row| (row.incarnation, row.joined_as) >= membership) {
            return Some((row.incarnation, row.joined_as) == membership && listens(row));
        }
        let row = GroupIndexRow {
            incarnation,
            joined_as: joined.joined_as,
            read_seq: joined.read_seq,
            read_count: joined.read_count,
            hidden_through: joined.hidden_through,
            unread_imported: joined.unread_imported,
            unread_through: joined.read_seq + joined.unread_imported,
            receive_option: joined.receive_option,
            ..GroupIndexRow::default()
        };
        let listens = listens(&row);
        change.put(key::group_conversation(group), &row);
        index.groups.insert(group.clone(), row);
        Some(listens)
    })
    .await?;
    let Some(listens) = listens else { return Ok(false) };
    // A device that logged in since the member came did not find the row, and has not been found then.
    if listens && is_member(node, app, group, &user, membership).await? {
        let key = (app.id(), Channel::Group(group.clone()));
        for connection in node.hub().connections(app.id(), &user) {
            node.hub().listen(&key, &connection, &user);
        }
    }
    Ok(true)
}

/// Takes a group out of the index of somebody who has left; carried out by the outbox.
pub(crate) async fn unindex(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    incarnation: u64,
    left: &LeftRow,
) -> Outcome<()> {
    let Ok(user) = UserId::parse(&left.user) else { return Ok(()) };
    let membership = (incarnation, left.joined_as);
    let removed = change_index(node, app, &user, None, |index, change| {
        let is_old = |row: &GroupIndexRow| (row.incarnation, row.joined_as) <= membership;
        let removed = index.groups.get(group).is_some_and(is_old);
        if removed {
            index.groups.remove(group);
            change.delete(key::group_conversation(group));
            // Nobody could unpin it any more.
            index.contacts.unpin(&Contact::Group(group.clone()), node.now(), change);
        }
        removed
    })
    .await?;
    // A device that logged in since has found the row; one that is a member again is left alone.
    let is_in =
        group::group(node, app, group).await?.read(|state| state.members.contains_key(&user));
    if removed && !is_in {
        let key = (app.id(), Channel::Group(group.clone()));
        for connection in node.hub().connections(app.id(), &user) {
            node.hub().unlisten(&key, &connection);
        }
    }
    Ok(())
}

async fn is_member(
    node: &Node,
    app: &App,
    group: &GroupId,
    user: &UserId,
    (incarnation, joined_as): (u64, u64),
) -> Outcome<bool> {
    let entity = group::group(node, app, group).await?;
    Ok(entity.read(|state| {
        let is_it = |member: &MemberRow| member.joined_as == joined_as;
        state.head.incarnation == incarnation && state.members.get(user).is_some_and(is_it)
    }))
}

/// A mark that is to be set, and of which group.
pub(super) type ToMark = (GroupRef, Option<GroupMark>);

/// Marks everything up to `seq` as read.
///
/// # Errors
/// `GroupNotFound` or `GroupPermissionDenied` for somebody who is not a member.
pub(crate) async fn mark_read(
    node: &Arc<Node>,
    app: &App,
    reader: &UserId,
    group: &GroupId,
    seq: u64,
    origin: Option<u32>,
) -> Outcome<()> {
    let (reference, Some(mark)) = to_mark(node, app, reader, group, seq).await? else {
        return Ok(());
    };
    indexed(node, app, reader).await?.touch(|state| {
        let row = state.conversations.as_mut().and_then(|index| index.groups.get_mut(group));
        if row.is_some_and(|row| mark.apply(row)) {
            app.group_marks.remember(reader, group, mark);
            // Under the lock: marks of two devices are told in the order in which they were made.
            let (group, reader, seq) = (reference, reader.clone(), mark.seq);
            node.publish(&Event::GroupRead(GroupRead { group, reader, seq, origin }));
        }
    });
    Ok(())
}

/// The mark that says that everything up to `seq` is read; none if it is already.
///
/// # Errors
/// As [`mark_read`].
pub(super) async fn to_mark(
    node: &Arc<Node>,
    app: &App,
    reader: &UserId,
    group: &GroupId,
    seq: u64,
) -> Outcome<ToMark> {
    let (reference, mark) = try_to_mark(node, app, reader, group, seq).await?;
    if mark != Place::Unlisted {
        return Ok((reference, mark.to_set()));
    }
    // The reader came a moment ago: his list has the group once the jobs of the group have run.
    node.run_jobs(Home::Group(app.id(), group.clone())).await?;
    let (reference, mark) = try_to_mark(node, app, reader, group, seq).await?;
    Ok((reference, mark.to_set()))
}

/// Where the read mark of a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The reader's list does not have the group.
    Unlisted,
    /// So far, or further.
    There,
    /// Behind.
    Behind(GroupMark),
}

impl Place {
    fn to_set(self) -> Option<GroupMark> {
        match self {
            Self::Behind(mark) => Some(mark),
            Self::Unlisted | Self::There => None,
        }
    }
}

async fn try_to_mark(
    node: &Node,
    app: &App,
    reader: &UserId,
    group: &GroupId,
    seq: u64,
) -> Outcome<(GroupRef, Place)> {
    let partition = Home::Group(app.id(), group.clone()).partition();
    let entity = group::group(node, app, group).await?;
    let (reference, membership) = entity.read(|state| -> Result<_, Error> {
        let reference = state.reference(app.id(), group)?;
        let member = state.members.get(reader).map(|member| member.joined_as);
        Ok((reference, member.map(|joined_as| (state.head.incarnation, joined_as))))
    })?;
    let Some((incarnation, joined_as)) = membership else {
        return Err(ErrorCode::GroupPermissionDenied.into());
    };
    let Some((head, member)) = stored(node, &partition, incarnation, reader).await? else {
        return Ok((reference, Place::Unlisted));
    };
    let seq = seq.min(head.last);
    let read_seq = indexed(node, app, reader).await?.read(|state| {
        let row = state.conversations.as_ref().and_then(|index| index.groups.get(group))?;
        let is_same = (row.incarnation, row.joined_as) == (incarnation, joined_as);
        is_same.then_some(row.read_seq)
    });
    let Some(read_seq) = read_seq else { return Ok((reference, Place::Unlisted)) };
    if read_seq >= seq {
        return Ok((reference, Place::There));
    }
    let (count, sent) = if seq == head.last {
        (head.counted, member.sent)
    } else {
        counts_at(node, &partition, &head, &member, reader, seq).await?
    };
    Ok((reference, Place::Behind(GroupMark { incarnation, joined_as, seq, count, sent })))
}

/// Head and member as the store has them, not as they are on their way to it: nobody has read that.
async fn stored(
    node: &Node,
    partition: &Partition,
    incarnation: u64,
    member: &UserId,
) -> Outcome<Option<(GroupHeadRow, MemberRow)>> {
    let keys = [key::head(), key::member(incarnation, member)].map(|k| (partition.clone(), k));
    let rows = node.store().get_many(&keys).await?;
    let [Some(head), Some(member)] = &rows[..] else { return Ok(None) };
    Ok(Some((decode_row(head)?, decode_row(member)?)))
}

/// Says how many of the last messages somebody has not read, his own among them. More than he may see are all
/// of those. Nobody is told.
///
/// # Errors
/// `GroupNotFound` or `GroupPermissionDenied` for somebody who is not a member.
pub(crate) async fn set_unread(
    node: &Arc<Node>,
    app: &App,
    reader: &UserId,
    group: &GroupId,
    unread: u64,
) -> Outcome<()> {
    // Whose list does not have the group yet, gets it now.
    node.run_jobs(Home::Group(app.id(), group.clone())).await?;
    let entity = group::group(node, app, group).await?;
    let incarnation = entity.read(|state| -> Result<u64, Error> {
        state.info()?;
        Ok(state.head.incarnation)
    })?;
    let partition = Home::Group(app.id(), group.clone()).partition();
    let found = stored(node, &partition, incarnation, reader).await?;
    let (head, member) = found.ok_or(ErrorCode::GroupPermissionDenied)?;
    let unread = unread.min(import::seen_by(&head, &member));
    change_row(node, app, reader, group, |row, _| {
        if (row.incarnation, row.joined_as) != (incarnation, member.joined_as) {
            return;
        }
        // The mark moves back: one that is not saved yet would undo that.
        app.group_marks.forget(reader, group);
        row.read_seq = head.last - unread;
        (row.read_count, row.read_sent) = (head.counted, member.sent);
        (row.unread_imported, row.unread_through) = (unread, head.last);
    })
    .await?;
    Ok(())
}

/// Rows that are looked through at most for a mark that is not at the end.
const LOOKED_THROUGH_MAX: usize = 10_000;

/// What the group had counted at `seq`, and what the reader had sent of it.
async fn counts_at(
    node: &Node,
    partition: &Partition,
    head: &GroupHeadRow,
    member: &MemberRow,
    reader: &UserId,
    seq: u64,
) -> Outcome<(u64, u64)> {
    let at = |seq| key::group_message(head.incarnation, seq);
    let (from, to) = (at(seq), at(head.last + 1));
    let rows = node.store().scan(partition, &from..&to, Direction::Ascending, LOOKED_THROUGH_MAX);
    let (mut count, mut own) = (None, 0);
    for row in rows.await? {
        let message: GroupMessageRow = decode_row(&row.value)?;
        let is_counted = message.is_counted();
        if key::group_message_seq(&row.key) == Some(seq) {
            count = Some(message.counted);
            continue;
        }
        // Of a message that is gone, the next one tells what came before it.
        count = count.or(Some(message.counted - u64::from(is_counted)));
        own += u64::from(is_counted && message.from == reader.as_str());
    }
    Ok((count.unwrap_or(head.counted), member.sent.saturating_sub(own)))
}

/// Takes groups out of a user's list until they have a new message; with `clear`, their history is gone
/// for this user too. Those that he is not in are skipped.
pub(crate) async fn delete(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    groups: &[GroupId],
    clear: bool,
    origin: Option<u32>,
) -> Outcome<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let sync = app.facts().settings.conversation_sync_delete;
    let known = chosen_summaries(node, app, user, Some(groups)).await?;
    change_index(node, app, user, None, |index, change| {
        let mut found = Vec::new();
        for summary in &known {
            let Some(row) = summary.row_in(&mut index.groups) else { continue };
            // Of two deletions at once the one that saw less may come last: nothing comes back.
            row.hidden_through = row.hidden_through.max(summary.head.last);
            read_all(row, summary);
            if clear {
                row.cleared_through = row.cleared_through.max(summary.head.last);
            }
            change.put(key::group_conversation(&summary.group), row);
            found.push(summary.group.clone());
        }
        if !found.is_empty() {
            let event = ConversationsDeleted {
                app: app.id(),
                user: user.clone(),
                peers: Vec::new(),
                groups: found,
                sync,
                origin,
            };
            let deleted = event.groups.iter().cloned().map(Contact::Group);
            unpin_deleted(node, index, &event, deleted, change);
            change.event(Event::ConversationsDeleted(event));
        }
    })
    .await
}

fn read_all(row: &mut GroupIndexRow, summary: &GroupSummary) {
    if summary.head.last > row.read_seq {
        row.read_seq = summary.head.last;
        (row.read_count, row.read_sent) = (summary.head.counted, summary.member.sent);
        row.unread_imported = 0;
    }
}

/// Takes the history of a group out of a user's view. The conversation stays in the list.
pub(crate) async fn clear(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    group: &GroupId,
) -> Outcome<()> {
    let known = summaries(node, app, user).await?;
    let Some(summary) = known.into_iter().find(|summary| summary.group == *group) else {
        return Ok(());
    };
    change_index(node, app, user, None, |index, change| {
        if let Some(row) = summary.row_in(&mut index.groups) {
            read_all(row, &summary);
            row.cleared_through = row.cleared_through.max(summary.head.last);
            change.put(key::group_conversation(group), row);
        }
    })
    .await
}
