//! What a device missed while it was away: the messages since it was last known to listen.
//!
//! A client that comes back asks first for its conversations (`page_get` with the cursor of its last list)
//! and then for its messages (`getmsg` with its last cookie). It fires its events, and counts unread
//! exactly, only for messages that arrive in the second answer and whose conversation the first one did
//! not mention. So both answers come from here: conversations with few new messages are delivered as
//! messages, only those with too many are listed, and the client pages through their history.

use teahouse_proto::ids::UserId;
use teahouse_proto::time::{UnixMillis, UnixSeconds};
use teahouse_store::Direction;

use super::contacts::{Contact, Folder};
use super::{AT_ONCE, Summary, options};
use crate::account;
use crate::app::App;
use crate::caller::Identity;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::event::ContactChange;
use crate::hub::Heard;
use crate::node::Node;
use crate::pair::history::{self, Budget, Range, Stored};
use crate::pair::{Ends, changes};
use crate::rows::ContactRow;

/// A conversation with messages since a time.
pub(crate) struct Missed {
    pub(crate) summary: Summary,
    /// Ascending; without what the device sent itself.
    pub(crate) messages: Vec<Stored>,
    /// All of them are there. Never so where the user wants no messages delivered.
    pub(crate) complete: bool,
}

/// New messages of one conversation that are delivered as such. Generous: clients take in all of one
/// answer, but of a conversation that is only listed some package and situation misses messages.
const MESSAGES_A_CONVERSATION: usize = 1_000;
const BYTES_A_CONVERSATION: usize = 1024 * 1024;
/// New messages of all conversations together.
const MESSAGES_MAX: usize = 5_000;
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// What was pushed before a client was last heard may have been lost on its way all the same: that it
/// could send says little of what it could receive. Clients drop what they have.
const SLACK_MS: u64 = 30_000;

/// What a device says of where it was.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    /// The time of the last list that it has.
    List(UnixMillis),
    /// The time of the last sync whose answer it has.
    Cookie(UnixMillis),
}

/// From when on a device may have missed something: since it asked last (the client's own memory of it),
/// or since it was last heard, if that is known to be later.
pub(crate) async fn since(
    node: &Node,
    app: &App,
    identity: &Identity,
    asked: Asked,
) -> Outcome<UnixSeconds> {
    let entity = account::user(node, app, &identity.user).await?;
    let heard = entity.read(|state| state.last_heard.get(&identity.inst_id).copied());
    let arrived = |heard: Heard| UnixMillis(heard.last.0.saturating_sub(SLACK_MS));
    let known = match (asked, heard) {
        (Asked::List(asked), Some(heard)) => asked.max(arrived(heard)),
        // With another cookie it never got what it was sent on that connection.
        (Asked::Cookie(asked), Some(heard)) if heard.cookie == asked => asked.max(arrived(heard)),
        (Asked::List(asked) | Asked::Cookie(asked), _) => asked,
    };
    Ok(known.seconds())
}

/// When a device that comes back was last heard before, as far as that is known.
pub(crate) async fn last_heard(
    node: &Node,
    app: &App,
    identity: &Identity,
) -> Outcome<Option<UnixSeconds>> {
    let entity = account::user(node, app, &identity.user).await?;
    let heard = entity.read(|state| state.last_heard.get(&identity.inst_id).copied());
    Ok(heard.map(|heard| heard.last.seconds()))
}

/// When a device logged in.
pub(crate) async fn logged_in(node: &Node, app: &App, identity: &Identity) -> Outcome<UnixMillis> {
    let entity = account::user(node, app, &identity.user).await?;
    Ok(entity.read(|state| {
        let mut devices = state.devices.devices.iter();
        let device = devices.find(|device| device.inst_id == identity.inst_id);
        UnixMillis(device.map_or(0, |device| device.login_ms))
    }))
}

/// Whether the device is known to have its list, and it is known when it was last heard.
pub(crate) async fn has_list(node: &Node, app: &App, identity: &Identity) -> Outcome<bool> {
    let entity = account::user(node, app, &identity.user).await?;
    let inst_id = &identity.inst_id;
    Ok(entity
        .read(|state| state.listed.contains(inst_id) && state.last_heard.contains_key(inst_id)))
}

/// The device has its list: it asks for what clients ask for once they have taken in its last page.
pub(crate) async fn got_list(node: &Node, app: &App, identity: &Identity) -> Outcome<()> {
    let entity = account::user(node, app, &identity.user).await?;
    entity.touch(|state| state.listed.insert(identity.inst_id));
    Ok(())
}

/// The conversations with messages at or after `since`.
pub(crate) async fn missed(
    node: &Node,
    app: &App,
    identity: &Identity,
    summaries: &[Summary],
    since: UnixSeconds,
) -> Outcome<Vec<Missed>> {
    let (mut messages_left, mut bytes_left) = (MESSAGES_MAX, BYTES_MAX);
    let mut missed = Vec::new();
    // Both answers of a reconnect spend the same budget in the same order.
    let mut newest_first: Vec<&Summary> =
        summaries.iter().filter(|summary| summary.head.last_time >= since.0).collect();
    newest_first
        .sort_by_key(|summary| (std::cmp::Reverse(summary.head.last_time), &summary.ends.peer));
    for summary in newest_first {
        if options::discards(&summary.row) {
            let summary = summary.clone();
            missed.push(Missed { summary, messages: Vec::new(), complete: false });
            continue;
        }
        let range = Range { from: since, direction: Direction::Ascending, ..Range::ALL };
        let budget = Budget {
            messages: MESSAGES_A_CONVERSATION.min(messages_left),
            bytes: BYTES_A_CONVERSATION.min(bytes_left),
            whole_seconds: false,
        };
        let page = history::page(node, app, &summary.ends, &summary.view(), range, budget).await?;
        messages_left -= page.messages.len();
        bytes_left = bytes_left.saturating_sub(page.messages.iter().map(Stored::bytes).sum());
        let own =
            |stored: &Stored| stored.is_own(&summary.ends) && stored.row.origin == identity.inst_id;
        let wanted = |stored: &Stored| !own(stored) && is_of(summary, stored);
        let messages = page.messages.into_iter().filter(wanted).collect();
        missed.push(Missed { summary: summary.clone(), messages, complete: page.complete });
    }
    Ok(missed)
}

/// Messages that arrived while no device was there: the newest unread ones of each conversation.
pub(crate) async fn offline(
    node: &Node,
    app: &App,
    summaries: &[Summary],
    now: UnixSeconds,
) -> Outcome<Vec<(Summary, Vec<Stored>)>> {
    const CONVERSATIONS_MAX: usize = 20;
    let is_wanted = |s: &&Summary| s.unread() > 0 && !options::discards(&s.row);
    let mut unread: Vec<&Summary> = summaries.iter().filter(is_wanted).collect();
    unread.sort_by_key(|summary| std::cmp::Reverse(summary.head.last_time));
    let mut found = Vec::new();
    for summary in unread.into_iter().take(CONVERSATIONS_MAX) {
        let budget = Budget { messages: 5, bytes: 16 * 1024, whole_seconds: false };
        let page =
            history::page(node, app, &summary.ends, &summary.view(), Range::ALL, budget).await?;
        let wanted = |stored: &Stored| {
            !stored.is_own(&summary.ends)
                && is_of(summary, stored)
                && counted_of_peer(stored, summary) > summary.row.read_count
                && stored.row.offline_until >= now.0
                && !stored.is_withdrawn()
        };
        let mut messages: Vec<Stored> = page.messages.into_iter().filter(wanted).collect();
        messages.reverse();
        found.push((summary.clone(), messages));
    }
    Ok(found)
}

/// Whether a message belongs into an answer whose counts are those of `summary`: what arrived after the
/// head was read is pushed behind the answer, and what was deleted with the conversation is not news.
fn is_of(summary: &Summary, stored: &Stored) -> bool {
    (summary.row.hidden_through + 1..=summary.head.last).contains(&stored.ordinal)
}

fn counted_of_peer(stored: &Stored, summary: &Summary) -> u64 {
    if summary.ends.own_is_high() { stored.row.counted_low } else { stored.row.counted_high }
}

/// Messages of one conversation that were changed while a device was away.
pub(crate) struct Changed {
    pub(crate) ends: Ends,
    /// As they are now, the oldest change first.
    pub(crate) messages: Vec<Stored>,
}

/// The messages that were changed at `since` or later: of the conversations with the latest changes, up to
/// the moment of the summaries.
pub(crate) async fn changed(
    node: &Node,
    app: &App,
    summaries: &[Summary],
    since: UnixSeconds,
) -> Outcome<Vec<Changed>> {
    const CONVERSATIONS_MAX: usize = 100;
    let is_changed = |summary: &&Summary| summary.head.logged_at >= since.0.max(1);
    let mut latest: Vec<&Summary> = summaries.iter().filter(is_changed).collect();
    latest.sort_by_key(|summary| std::cmp::Reverse(summary.head.logged_at));
    latest.truncate(CONVERSATIONS_MAX);
    let looked_at = latest.into_iter().map(|s| (s.ends.clone(), s.view(), s.head.clone()));
    let looked_at: Vec<_> = looked_at.collect();
    let changed = in_parallel(looked_at, AT_ONCE, |(ends, view, head)| async move {
        let messages = changes::changed_since(node, app, &ends, view, &head, since).await?;
        Ok(Changed { ends, messages })
    });
    changed.await.into_iter().collect()
}

/// The peers whose conversations were marked as read at `since` or later, and up to when: on another
/// device perhaps.
pub(crate) fn read_since(summaries: &[Summary], since: UnixSeconds) -> Vec<(&UserId, UnixSeconds)> {
    summaries
        .iter()
        .filter(|summary| summary.row.read_at >= since.0 && summary.row.read_time > 0)
        .map(|summary| (&summary.ends.peer, UnixSeconds(summary.row.read_time)))
        .collect()
}

/// What a client would not learn otherwise of changes to what is attached to conversations: it asks for marks
/// and for the contents of folders after each list, not for pins, nor for folders that are gone.
pub(crate) async fn contacts_changed_since(
    node: &Node,
    app: &App,
    user: &UserId,
    since: UnixSeconds,
) -> Outcome<Vec<ContactChange>> {
    super::contacts(node, app, user, |contacts| {
        let changed = contacts.iter().filter(|(_, row)| row.changed() >= since);
        let (pinned, unpinned): (Vec<_>, Vec<_>) = changed.partition(|(_, row)| row.is_pinned());
        let names = |rows: Vec<(&Contact, &ContactRow)>| {
            rows.into_iter().map(|(contact, _)| contact.clone()).collect::<Vec<_>>()
        };
        let (pinned, unpinned) = (names(pinned), names(unpinned));
        let deleted: Vec<Folder> = contacts.folders_deleted(since).collect();
        let told = [
            (!pinned.is_empty()).then_some(ContactChange::Pinned(pinned)),
            (!unpinned.is_empty()).then_some(ContactChange::Unpinned(unpinned)),
            (!deleted.is_empty()).then_some(ContactChange::FoldersDeleted(deleted)),
        ];
        told.into_iter().flatten().collect()
    })
    .await
}

/// The peers who marked the user's messages as read at `since` or later, and up to when. Looked up for the
/// conversations that moved last.
pub(crate) async fn peers_read_since(
    node: &Node,
    app: &App,
    user: &UserId,
    summaries: &[Summary],
    since: UnixSeconds,
) -> Outcome<Vec<(UserId, UnixSeconds)>> {
    const CONVERSATIONS_MAX: usize = 100;
    let mut latest: Vec<&Summary> = summaries.iter().collect();
    latest.sort_by_key(|summary| std::cmp::Reverse(summary.head.last_time));
    latest.truncate(CONVERSATIONS_MAX);
    let Some(own_tiny) = latest.first().map(|summary| summary.ends.own_tiny) else {
        return Ok(Vec::new());
    };
    let peers: Vec<UserId> = latest.into_iter().map(|s| s.ends.peer.clone()).collect();
    let marks = super::read_marks(node, app, &peers, (user, own_tiny)).await?;
    let read = peers.into_iter().zip(marks);
    let read = read.filter(|(_, mark)| mark.at >= since && mark.time.0 > 0);
    Ok(read.map(|(peer, mark)| (peer, mark.time)).collect())
}
