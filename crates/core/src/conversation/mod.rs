//! Conversations: what one user knows of each, and the list that is derived from it on read.
//!
//! The index row of a conversation (read mark, hidden, cleared) lives with its user, as does what he attaches
//! to it (`contacts`); time, last message and counts come from the pair's head. So a message never rewrites a
//! row per reader.
//! Read marks are kept in memory and saved by the next tick: a client that loses one repeats it.

pub(crate) mod all_read;
pub(crate) mod commands;
pub(crate) mod contacts;
pub(crate) mod groups;
pub(crate) mod listing;
pub(crate) mod marks;
pub(crate) mod mentions;
pub(crate) mod missed;
pub(crate) mod options;

use std::collections::BTreeMap;
use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::time::{UnixMillis, UnixSeconds};
use teahouse_store::{Direction, Partition, ReadError};

use crate::account::{self, UserState};
use crate::app::App;
use crate::caller::Caller;
use crate::conversation::contacts::{Contact, Contacts};
use crate::conversation::groups::GroupSummary;
use crate::conversation::marks::Mark;
use crate::entity::{Change, Entity, in_parallel};
use crate::error::Outcome;
use crate::event::{
    ContactChange, ConversationsChanged, ConversationsDeleted, Event, MessagesRead,
};
use crate::node::{Node, decode_row};
use crate::numbers::Numbers;
use crate::pair::uncounted;
use crate::pair::{self, Ends};
use crate::rows::{
    ContactRow, ConversationRow, FoldersRow, GroupIndexRow, Home, IndexPairJob, MessagePlace,
    PairKey, PairRow, SideRow, key,
};

/// The index of one user, in memory.
#[derive(Debug, Default)]
pub(crate) struct Conversations {
    /// One-to-one conversations, by peer.
    pub(crate) pairs: BTreeMap<UserId, ConversationRow>,
    /// The groups that the user is a member of.
    pub(crate) groups: BTreeMap<GroupId, GroupIndexRow>,
    /// What is attached to them, and to others.
    pub(crate) contacts: Contacts,
}

impl Conversations {
    /// Whether something may be attached to a conversation.
    ///
    /// # Errors
    /// `ConversationGroupInvalid` for a group that the user is not in.
    pub(crate) fn check(&self, contact: &Contact) -> Result<(), ErrorCode> {
        match contact {
            Contact::Group(group) if !self.groups.contains_key(group) => {
                Err(ErrorCode::ConversationGroupInvalid)
            }
            Contact::Group(_) | Contact::Pair(_) => Ok(()),
        }
    }

    fn attached(&self, contact: &Contact) -> ContactRow {
        self.contacts.get(contact).cloned().unwrap_or_default()
    }
}

/// One conversation as its owner sees it now.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    pub(crate) ends: Ends,
    pub(crate) row: ConversationRow,
    pub(crate) attached: ContactRow,
    pub(crate) head: PairRow,
    /// Messages of the peer that have stopped counting before they were read.
    uncounted: Numbers,
}

impl Summary {
    /// Counted messages of the peer that are not read.
    pub(crate) fn unread(&self) -> u64 {
        let (read, sent) = (self.row.read_count, self.peers_side().counted);
        sent.saturating_sub(read) - self.uncounted.between(read, sent)
    }

    /// What the owner sees of the conversation.
    pub(crate) fn view(&self) -> View {
        self.ends.view(&self.row, &self.head)
    }

    fn peers_side(&self) -> &SideRow {
        self.head.side(!self.ends.own_is_high())
    }

    /// Some message that counts by its number has stopped to.
    fn overcounts(&self) -> bool {
        self.peers_side().uncounted_through > self.row.read_count
    }

    /// Ordinal and second of the last message that the owner's list shows; 0 if there is none, or none since
    /// he deleted the conversation.
    pub(crate) fn shown(&self) -> (u64, UnixSeconds) {
        let side = self.head.side(self.ends.own_is_high());
        let is_shown = side.shown > self.row.hidden_through;
        if is_shown { (side.shown, UnixSeconds(side.shown_time)) } else { (0, UnixSeconds(0)) }
    }

    /// Whether the list has it: not deleted since its last message, or pinned.
    pub(crate) fn is_listed(&self) -> bool {
        self.shown().0 > 0 || self.attached.is_pinned()
    }

    /// Whether no message of it was ever to be shown.
    fn is_empty(&self) -> bool {
        self.head.side(self.ends.own_is_high()).shown == 0
    }
}

/// What somebody sees of a pair: his own side, without what he has cleared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) own_is_high: bool,
    pub(crate) cleared: MessagePlace,
    /// Something may lie beside the messages.
    pub(crate) is_changed: bool,
}

impl Ends {
    pub(crate) fn view(&self, row: &ConversationRow, head: &PairRow) -> View {
        View {
            own_is_high: self.own_is_high(),
            cleared: (UnixSeconds(row.cleared_time), row.cleared_through),
            is_changed: head.changes > 0,
        }
    }
}

fn ends(own: &UserId, own_tiny: TinyId, peer: &UserId, row: &ConversationRow) -> Ends {
    Ends { own: own.clone(), own_tiny, peer: peer.clone(), peer_tiny: TinyId(row.peer_tiny_id) }
}

/// The user with the index in memory.
async fn indexed(node: &Node, app: &App, user: &UserId) -> Outcome<Arc<Entity<UserState>>> {
    let entity = account::user(node, app, user).await?;
    while entity.read(|state| state.conversations.is_none()) {
        let version = entity.settled_version().await?;
        let mut rows = read_rows(node, entity.partition()).await?;
        // A row that was committed while we read may be missing: then it is read again.
        entity.set_at(version, |state| {
            let own = state.tiny_id();
            for (peer, mark) in app.marks.of(user) {
                rows.pairs.get_mut(&peer).map(|row| mark.apply(own, row));
            }
            for (group, mark) in app.group_marks.of(user) {
                rows.groups.get_mut(&group).map(|row| mark.apply(row));
            }
            state.conversations.get_or_insert(rows);
        });
    }
    Ok(entity)
}

/// Changes the index of an account, of whichever is there if none is named; the default if it is not there
/// any more.
async fn change_index<R: Default>(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    account: Option<TinyId>,
    mut apply: impl FnMut(&mut Conversations, &mut Change) -> R,
) -> Outcome<R> {
    loop {
        indexed(node, app, user).await?;
        let done = account::change_user(node, app, user, |state, change| {
            let there = state.tiny_id();
            if there.is_none() || account.is_some_and(|account| there != Some(account)) {
                return Ok(Some(R::default()));
            }
            // Gone from memory since: read it again first.
            Ok(state.conversations.as_mut().map(|index| apply(index, change)))
        })
        .await?;
        if let Some(result) = done {
            return Ok(result);
        }
    }
}

async fn read_rows(node: &Node, partition: &Partition) -> Result<Conversations, ReadError> {
    let (from, to) = key::conversations();
    let rows = node.store().scan(partition, &from..&to, Direction::Ascending, usize::MAX).await?;
    let mut index = Conversations::default();
    let (mut attached, mut folders) = (BTreeMap::new(), FoldersRow::default());
    for row in &rows {
        if let Some(peer) = key::conversation_peer(&row.key) {
            index.pairs.insert(peer, decode_row(&row.value)?);
        } else if let Some(group) = key::conversation_group(&row.key) {
            index.groups.insert(group, decode_row(&row.value)?);
        } else if let Some(contact) = key::contact_of(&row.key) {
            attached.insert(contact, decode_row(&row.value)?);
        } else if row.key == key::folders() {
            folders = decode_row(&row.value)?;
        }
    }
    index.contacts = Contacts::load(attached, folders);
    Ok(index)
}

/// The index row of one conversation, with both ends; nothing if the two never wrote to each other.
pub(crate) async fn find(
    node: &Node,
    app: &App,
    user: &UserId,
    peer: &UserId,
) -> Outcome<Option<(Ends, ConversationRow)>> {
    let entity = indexed(node, app, user).await?;
    Ok(entity.read(|state| {
        let row = state.conversations.as_ref()?.pairs.get(peer)?;
        Some((ends(user, state.tiny_id()?, peer, row), row.clone()))
    }))
}

/// As [`find`], also when the first message between the two is on its way into the index: its push may be
/// faster, and who answers it at once means this conversation.
pub(crate) async fn find_now(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    peer: &UserId,
) -> Outcome<Option<(Ends, ConversationRow)>> {
    finish_index(node, app, user).await?;
    find(node, app, user, peer).await
}

/// Waits until what was pushed to a user is in his index.
async fn finish_index(node: &Arc<Node>, app: &App, user: &UserId) -> Outcome<()> {
    for pair in app.indexing(user) {
        node.run_jobs(Home::Pair(app.id(), pair)).await?;
    }
    Ok(())
}

const AT_ONCE: usize = 32;

/// All conversations of a user, listed or not, in no particular order: one scan of the index and one
/// batched read of heads, and for a conversation with unread messages that have stopped to count one more.
pub(crate) async fn summaries(node: &Arc<Node>, app: &App, user: &UserId) -> Outcome<Vec<Summary>> {
    let rows = rows(node, app, user, None).await?;
    with_heads(node, app, rows).await
}

type Row = (Ends, ConversationRow, ContactRow);

/// The rows of the conversations with these peers, or with all.
async fn rows(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    chosen: Option<&[UserId]>,
) -> Outcome<Vec<Row>> {
    finish_index(node, app, user).await?;
    let entity = indexed(node, app, user).await?;
    Ok(entity.read(|state| {
        let (Some(own_tiny), Some(index)) = (state.tiny_id(), &state.conversations) else {
            return Vec::new();
        };
        let row = |(peer, row): (&UserId, &ConversationRow)| {
            let attached = index.attached(&Contact::Pair(peer.clone()));
            (ends(user, own_tiny, peer, row), row.clone(), attached)
        };
        match chosen {
            None => index.pairs.iter().map(row).collect(),
            Some(chosen) => {
                let found = chosen.iter().filter_map(|peer| index.pairs.get_key_value(peer));
                found.map(row).collect()
            }
        }
    }))
}

async fn with_heads(node: &Node, app: &App, rows: Vec<Row>) -> Outcome<Vec<Summary>> {
    let pairs: Vec<PairKey> = rows.iter().map(|(ends, ..)| ends.pair()).collect();
    let heads = pair::heads(node, app.id(), &pairs).await?;
    let summary = |((ends, row, attached), head)| {
        let uncounted = Numbers::default();
        let mut summary = Summary { ends, row, attached, head, uncounted };
        async move {
            if summary.overcounts() {
                count(node, app, &mut summary).await?;
            }
            Ok(summary)
        }
    };
    in_parallel(rows.into_iter().zip(heads), AT_ONCE, summary).await.into_iter().collect()
}

/// Takes off what has stopped to count. Head and numbers are of the same moment: a message that stops to
/// count between the two reads is seen by both.
async fn count(node: &Node, app: &App, summary: &mut Summary) -> Outcome<()> {
    const ATTEMPTS: usize = 4;
    let (pair, peer_is_high) = (summary.ends.pair(), !summary.ends.own_is_high());
    for _ in 0..ATTEMPTS {
        let numbers = (summary.row.read_count, summary.peers_side().counted);
        summary.uncounted = uncounted::load(node, app.id(), pair, peer_is_high, numbers).await?;
        let head = pair::heads(node, app.id(), &[pair]).await?.pop().unwrap_or_default();
        let is_same = head.changes == summary.head.changes;
        summary.head = head;
        if is_same {
            break;
        }
    }
    Ok(())
}

/// Pinned peers with whom nothing was ever said. There are at most as many as may be pinned.
async fn only_pinned(
    node: &Node,
    app: &App,
    user: &UserId,
    chosen: Option<&[UserId]>,
) -> Outcome<Vec<Row>> {
    let entity = indexed(node, app, user).await?;
    let (own_tiny, pinned) = entity.read(|state| {
        let index = state.conversations.iter();
        let pinned = index.flat_map(|index| {
            index.contacts.iter().filter_map(|(contact, row)| match contact {
                Contact::Pair(peer) if row.is_pinned() && !index.pairs.contains_key(peer) => {
                    Some((peer.clone(), row.clone()))
                }
                Contact::Pair(_) | Contact::Group(_) => None,
            })
        });
        (state.tiny_id(), pinned.collect::<Vec<_>>())
    });
    let Some(own_tiny) = own_tiny else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    let is_chosen = |peer: &UserId| chosen.is_none_or(|chosen| chosen.contains(peer));
    for (peer, attached) in pinned.into_iter().filter(|(peer, _)| is_chosen(peer)) {
        let Some(peer_tiny) = account::tiny_id(node, app, &peer).await? else { continue };
        let row = ConversationRow { peer_tiny_id: peer_tiny.0, ..ConversationRow::default() };
        rows.push((ends(user, own_tiny, &peer, &row), row, attached));
    }
    Ok(rows)
}

/// How many messages of each peer a user has not read, in the same order.
pub(crate) async fn unread_of(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    peers: &[UserId],
) -> Outcome<Vec<u64>> {
    let rows = rows(node, app, user, Some(peers)).await?;
    let found = with_heads(node, app, rows).await?;
    let of = |peer: &UserId| found.iter().find(|summary| summary.ends.peer == *peer);
    Ok(peers.iter().map(|peer| of(peer).map_or(0, Summary::unread)).collect())
}

/// A conversation of a user's list.
#[derive(Debug, Clone)]
pub(crate) enum Listed {
    /// With a peer.
    Pair(Box<Summary>),
    /// In a group.
    Group(Box<GroupSummary>),
}

impl Listed {
    /// What the user has attached to it.
    pub(crate) fn attached(&self) -> &ContactRow {
        match self {
            Self::Pair(summary) => &summary.attached,
            Self::Group(summary) => &summary.attached,
        }
    }

    /// The second of its last message.
    pub(crate) fn time(&self) -> UnixSeconds {
        match self {
            Self::Pair(summary) => summary.shown().1,
            Self::Group(summary) => summary.shown().1,
        }
    }

    pub(crate) fn contact(&self) -> Contact {
        match self {
            Self::Pair(summary) => Contact::Pair(summary.ends.peer.clone()),
            Self::Group(summary) => Contact::Group(summary.group.clone()),
        }
    }

    /// Breaks ties.
    fn name(&self) -> (bool, &str) {
        match self {
            Self::Pair(summary) => (false, summary.ends.peer.as_str()),
            Self::Group(summary) => (true, summary.group.as_str()),
        }
    }
}

/// Which list of a user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Pinned conversations come before all others.
    pub(crate) pinned_first: bool,
    /// Also those with a peer whose messages all asked not to be shown.
    pub(crate) empty_too: bool,
}

/// The user's list, by last message, newest first.
pub(crate) async fn list(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    wanted: Wanted,
) -> Outcome<Vec<Listed>> {
    let mut listed = listed(node, app, user, wanted, None).await?;
    let place =
        |listed: &Listed| (wanted.pinned_first && listed.attached().is_pinned(), listed.time());
    listed.sort_by(|a, b| place(b).cmp(&place(a)).then_with(|| a.name().cmp(&b.name())));
    listed.truncate(app.facts().settings.conversation_list_max as usize);
    Ok(listed)
}

/// These conversations as they are now, in this order, without those that are not in the list any more.
pub(crate) async fn look(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    contacts: &[Contact],
    wanted: Wanted,
) -> Outcome<Vec<Listed>> {
    let (mut peers, mut groups) = (Vec::new(), Vec::new());
    for contact in contacts {
        match contact {
            Contact::Pair(peer) => peers.push(peer.clone()),
            Contact::Group(group) => groups.push(group.clone()),
        }
    }
    let found = listed(node, app, user, wanted, Some((&peers, &groups))).await?;
    let mut found: BTreeMap<Contact, Listed> =
        found.into_iter().map(|listed| (listed.contact(), listed)).collect();
    Ok(contacts.iter().filter_map(|contact| found.remove(contact)).collect())
}

/// What of the user's list is chosen, or all of it, in no particular order.
async fn listed(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    wanted: Wanted,
    chosen: Option<(&[UserId], &[GroupId])>,
) -> Outcome<Vec<Listed>> {
    let peers = chosen.map(|(peers, _)| peers);
    let mut pairs = rows(node, app, user, peers).await?;
    pairs.extend(only_pinned(node, app, user, peers).await?);
    let pairs = with_heads(node, app, pairs).await?;
    let groups = chosen.map(|(_, groups)| groups);
    let groups = groups::chosen_summaries(node, app, user, groups).await?;
    let is_in = |pair: &Summary| pair.is_listed() || (wanted.empty_too && pair.is_empty());
    let pairs = pairs.into_iter().filter(is_in).map(|pair| Listed::Pair(Box::new(pair)));
    let groups = groups.into_iter().filter(GroupSummary::is_listed);
    Ok(pairs.chain(groups.map(|group| Listed::Group(Box::new(group)))).collect())
}

/// Leaves what the user's list has: pinned ones first, then by their last message, newest first.
pub(crate) fn keep_listed(app: &App, summaries: &mut Vec<Summary>) {
    summaries.retain(Summary::is_listed);
    summaries.sort_by(|a, b| {
        let order = |s: &Summary| (s.attached.is_pinned(), s.shown().1);
        order(b).cmp(&order(a)).then_with(|| a.ends.peer.cmp(&b.ends.peer))
    });
    summaries.truncate(app.facts().settings.conversation_list_max as usize);
}

/// Takes over what has been read or deleted since the summaries were made.
pub(crate) fn take_marks(app: &App, user: &UserId, summaries: &mut [Summary]) {
    let Some(entity) = app.users.peek(user) else { return };
    entity.read(|state| {
        let Some(index) = &state.conversations else { return };
        for summary in summaries {
            let row = index.pairs.get(&summary.ends.peer);
            if let Some(row) = row.filter(|row| row.peer_tiny_id == summary.row.peer_tiny_id) {
                summary.row = row.clone();
            }
        }
    });
}

/// How far somebody has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ReadMark {
    /// Everything up to this second; 0: nothing.
    pub(crate) time: UnixSeconds,
    /// When he said so.
    pub(crate) at: UnixSeconds,
}

impl ReadMark {
    /// Of the account `peer`: what another one of that name wrote before says nothing of this one.
    fn of(row: Option<&ConversationRow>, peer: TinyId) -> Self {
        let row = row.filter(|row| row.peer_tiny_id == peer.0);
        row.map_or_else(Self::default, |row| Self {
            time: UnixSeconds(row.read_time),
            at: UnixSeconds(row.read_at),
        })
    }
}

/// How far each of `readers` has read what the account `peer` wrote, in the same order. Told to the peer.
pub(crate) async fn read_marks(
    node: &Node,
    app: &App,
    readers: &[UserId],
    (peer, peer_tiny): (&UserId, TinyId),
) -> Outcome<Vec<ReadMark>> {
    // A reader in memory may be ahead of the store; everybody else is read without loading his index.
    let known = |reader: &UserId| {
        app.users.peek(reader)?.read(|state| {
            let index = state.conversations.as_ref()?;
            Some(ReadMark::of(index.pairs.get(peer), peer_tiny))
        })
    };
    let mut marks: Vec<Option<ReadMark>> = readers.iter().map(known).collect();
    let unknown = readers.iter().zip(&marks).filter(|(_, mark)| mark.is_none());
    let row = key::conversation(peer);
    let keys: Vec<_> = unknown
        .map(|(reader, _)| (Home::User(app.id(), reader.clone()).partition(), row.clone()))
        .collect();
    let rows = node.store().get_many(&keys).await?;
    for (mark, row) in marks.iter_mut().filter(|mark| mark.is_none()).zip(rows) {
        let row: Option<ConversationRow> = row.map(|row| decode_row(&row)).transpose()?;
        *mark = Some(ReadMark::of(row.as_ref(), peer_tiny));
    }
    Ok(marks.into_iter().flatten().collect())
}

/// Marks everything that `peer` wrote up to `time` as read. The second itself counts as far as it is
/// durable now: a message that comes later in the same second is unread until it is marked, too.
pub(crate) async fn mark_read(
    node: &Arc<Node>,
    app: &App,
    reader: &UserId,
    peer: &UserId,
    time: UnixSeconds,
    origin: Option<u32>,
) -> Outcome<()> {
    let Some((ends, row)) = find_now(node, app, reader, peer).await? else { return Ok(()) };
    // What the store has, not what is on its way to it: nobody has read that, and a crash may lose it.
    let head = pair::heads(node, app.id(), &[ends.pair()]).await?.pop().unwrap_or_default();
    let time = time.min(UnixSeconds(head.last_time));
    if time.0 < row.read_time {
        return Ok(());
    }
    let count = counted_until(node, app.id(), &ends, &head, time).await?;
    let at = node.now().seconds().0;
    let (own_tiny_id, peer_tiny_id) = (ends.own_tiny.0, ends.peer_tiny.0);
    let mark = Mark { own_tiny_id, peer_tiny_id, time: time.0, count, at };
    let read = MessagesRead {
        app: app.id(),
        reader: reader.clone(),
        peer: peer.clone(),
        peer_tiny_id: ends.peer_tiny,
        time,
        origin,
    };
    indexed(node, app, reader).await?.touch(|state| {
        let own = state.tiny_id();
        let row = state.conversations.as_mut().and_then(|index| index.pairs.get_mut(peer));
        if row.is_some_and(|row| mark.apply(own, row)) {
            app.marks.remember(reader, peer, mark);
            // Under the lock: of two marks at once the further one is told last.
            node.publish(&Event::MessagesRead(read));
        }
    });
    Ok(())
}

/// How many counted messages the peer had sent up to `time`.
async fn counted_until(
    node: &Node,
    app: SdkAppId,
    ends: &Ends,
    head: &PairRow,
    time: UnixSeconds,
) -> Outcome<u64> {
    if time.0 >= head.last_time {
        return Ok(head.side(!ends.own_is_high()).counted);
    }
    let [low, high] = pair::counted_at(node, app, ends.pair(), time).await?;
    Ok(if ends.own_is_high() { low } else { high })
}

/// Writes the read marks of one user that are only in memory.
pub(crate) async fn save_marks(node: &Arc<Node>, app: &App, user: &UserId) -> Outcome<()> {
    let marks: BTreeMap<_, _> = app.marks.of(user).into_iter().take(MARKS_A_COMMIT).collect();
    let group_marks = app.group_marks.of(user).into_iter().take(MARKS_A_COMMIT);
    let group_marks: BTreeMap<_, _> = group_marks.collect();
    change_index(node, app, user, None, |index, change| {
        for peer in marks.keys() {
            if let Some(row) = index.pairs.get(peer) {
                change.put(key::conversation(peer), row);
            }
        }
        for group in group_marks.keys() {
            if let Some(row) = index.groups.get(group) {
                change.put(key::group_conversation(group), row);
            }
        }
        change.relaxed();
    })
    .await?;
    app.marks.saved(user, &marks);
    app.group_marks.saved(user, &group_marks);
    Ok(())
}

const MARKS_A_COMMIT: usize = 200;

/// Takes conversations out of a user's list until they have a new message; with `clear`, their history
/// is gone for this user too. Returns the peers that had a conversation.
pub(crate) async fn delete(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    peers: &[UserId],
    clear: bool,
    origin: Option<u32>,
) -> Outcome<Vec<UserId>> {
    let mut found = Vec::new();
    for peer in peers {
        found.extend(find_now(node, app, user, peer).await?.map(|(ends, _)| ends));
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let pairs: Vec<PairKey> = found.iter().map(Ends::pair).collect();
    let heads = pair::heads(node, app.id(), &pairs).await?;
    let event = ConversationsDeleted {
        app: app.id(),
        user: user.clone(),
        peers: found.iter().map(|ends| ends.peer.clone()).collect(),
        groups: Vec::new(),
        sync: app.facts().settings.conversation_sync_delete,
        origin,
    };
    change_index(node, app, user, None, |index, change| {
        for (ends, head) in found.iter().zip(&heads) {
            let row = index.pairs.get_mut(&ends.peer);
            if let Some(row) = row.filter(|row| row.peer_tiny_id == ends.peer_tiny.0) {
                hide(row, ends, head, clear);
                change.put(key::conversation(&ends.peer), row);
            }
        }
        let deleted = found.iter().map(|ends| Contact::Pair(ends.peer.clone()));
        unpin_deleted(node, index, &event, deleted, change);
        change.event(Event::ConversationsDeleted(event.clone()));
    })
    .await?;
    Ok(event.peers)
}

/// What is deleted is not pinned any more. Devices that keep it in their list are told that much.
fn unpin_deleted(
    node: &Node,
    index: &mut Conversations,
    event: &ConversationsDeleted,
    deleted: impl Iterator<Item = Contact>,
    change: &mut Change,
) {
    let now = node.now();
    let mut was_pinned = |contact: &Contact| index.contacts.unpin(contact, now, change);
    let unpinned: Vec<Contact> = deleted.filter(|contact| was_pinned(contact)).collect();
    if !event.sync && !unpinned.is_empty() {
        let changes = vec![ContactChange::Unpinned(unpinned)];
        tell_changes(event.app, &event.user, changes, event.origin, change);
    }
}

fn hide(row: &mut ConversationRow, ends: &Ends, head: &PairRow, clear: bool) {
    // Of two deletions at once the one that saw less may come last: nothing comes back.
    row.hidden_through = row.hidden_through.max(head.last);
    // Only what comes after counts as unread; the peer is not told that anything was read.
    row.read_count = row.read_count.max(head.side(!ends.own_is_high()).counted);
    if clear {
        forget(row, head);
    }
}

fn forget(row: &mut ConversationRow, head: &PairRow) {
    let cleared = (row.cleared_time, row.cleared_through);
    (row.cleared_time, row.cleared_through) = cleared.max((head.last_time, head.last));
}

/// Takes the history of a conversation out of a user's view. The conversation stays in the list.
pub(crate) async fn clear(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    peer: &UserId,
) -> Outcome<()> {
    let Some((ends, _)) = find_now(node, app, user, peer).await? else { return Ok(()) };
    let head = pair::heads(node, app.id(), &[ends.pair()]).await?.pop().unwrap_or_default();
    change_index(node, app, user, None, |index, change| {
        let row = index.pairs.get_mut(peer);
        if let Some(row) = row.filter(|row| row.peer_tiny_id == ends.peer_tiny.0) {
            forget(row, &head);
            row.read_count = row.read_count.max(head.side(!ends.own_is_high()).counted);
            change.put(key::conversation(peer), row);
        }
    })
    .await
}

/// Changes what a user has attached to his conversations, and tells his other devices what `apply` says.
///
/// # Errors
/// Those of `apply`, which then has changed nothing; `ConversationAccountUnknown`.
pub(crate) async fn attach<R>(
    caller: &Caller,
    user: &UserId,
    mut apply: impl FnMut(
        &mut Conversations,
        UnixMillis,
        &mut Change,
    ) -> Result<(R, Vec<ContactChange>), Error>,
) -> Outcome<R> {
    let (node, app, now) = (caller.node(), caller.app(), caller.now());
    let done = change_index(node, app, user, None, |index, change| {
        Some(apply(index, now, change).map(|(result, changes)| {
            tell_changes(app.id(), user, changes, caller.origin(), change);
            result
        }))
    });
    match done.await? {
        Some(result) => Ok(result?),
        None => Err(ErrorCode::ConversationAccountUnknown.into()),
    }
}

fn tell_changes(
    app: SdkAppId,
    user: &UserId,
    changes: Vec<ContactChange>,
    origin: Option<u32>,
    change: &mut Change,
) {
    if !changes.is_empty() {
        let user = user.clone();
        change.event(Event::ConversationsChanged(ConversationsChanged {
            app,
            user,
            changes,
            origin,
        }));
    }
}

/// Looks at what a user has attached to his conversations.
pub(crate) async fn contacts<R>(
    node: &Node,
    app: &App,
    user: &UserId,
    look: impl FnOnce(&Contacts) -> R,
) -> Outcome<R> {
    let entity = indexed(node, app, user).await?;
    Ok(entity.read(|state| match &state.conversations {
        Some(index) => look(&index.contacts),
        None => look(&Contacts::default()),
    }))
}

/// Puts a pair into both users' index; carried out by the outbox after its first message.
pub(crate) async fn index_pair(
    node: &Arc<Node>,
    app: SdkAppId,
    pair: PairKey,
    job: &IndexPairJob,
) -> Outcome<()> {
    let Some(app) = node.app(app) else { return Ok(()) };
    let (Ok(low), Ok(high)) = (UserId::parse(&job.low_user), UserId::parse(&job.high_user)) else {
        return Ok(());
    };
    index_one(node, &app, &low, pair.low, &high, pair.high).await?;
    index_one(node, &app, &high, pair.high, &low, pair.low).await?;
    app.end_indexing(pair, [&low, &high]);
    Ok(())
}

async fn index_one(
    node: &Arc<Node>,
    app: &App,
    own: &UserId,
    own_tiny: TinyId,
    peer: &UserId,
    peer_tiny: TinyId,
) -> Outcome<()> {
    // Deleted meanwhile, or made again: the old conversation is not the new account's.
    change_index(node, app, own, Some(own_tiny), |index, change| {
        // Numbers rise: a job that comes late does not bring an account back that was deleted since.
        let is_current = |row: &ConversationRow| row.peer_tiny_id >= peer_tiny.0;
        if !index.pairs.get(peer).is_some_and(is_current) {
            let row = ConversationRow { peer_tiny_id: peer_tiny.0, ..ConversationRow::default() };
            change.put(key::conversation(peer), &row);
            index.pairs.insert(peer.clone(), row);
        }
    })
    .await
}
