//! `openim/getmsg`: what a device missed. Asked after each login and each reconnect.
//!
//! Callers: users. With an empty cookie: unread counts, and the newest unread messages. With the cookie
//! of an earlier answer: every message since the device was last known to listen, in one answer, and what
//! has become of earlier ones. The counts hold for the moment in which the answer is queued: pushes wait
//! until then.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;
use teahouse_proto::push::{
    C2cNotice, Event, MessageRef, ModifiedMessage, ReceiptNotice, WithdrawnMessage,
};
use teahouse_proto::time::{UnixMillis, UnixSeconds};

use super::MessageJson;
use crate::app::App;
use crate::caller::{Caller, Identity, Who};
use crate::conversation::mentions::Mention;
use crate::conversation::missed::{self, Asked, Changed};
use crate::conversation::{self, Summary};
use crate::error::Outcome;
use crate::event::ContactChange;
use crate::hub::{EXPECTED_MS, Frame, Place, Placed, Through, Told};
use crate::operation::Operation;
use crate::pair::Ends;
use crate::pair::history::Stored;
use crate::push;
use crate::request;
use crate::rows::PairKey;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/getmsg").gateway();

request! {
    pub(crate) struct Request {
        /// Of the last answer; empty after a login.
        cookie: Option<String> = "Cookie",
        /// 0 begins; there is nothing to continue, since an answer is always whole.
        sync_flag: Option<u32> = "SyncFlag",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// 2: all is said.
    sync_flag: u8,
    /// To be sent back next time; never empty.
    cookie: String,
    /// Ascending by time.
    msg_list: Vec<MessageJson>,
    /// Unread messages by sender, where there are any.
    #[serde(rename = "C2CPairUnreadCount")]
    unread: Vec<PeerUnread>,
}

/// Unread messages of one sender.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct PeerUnread {
    #[serde(rename = "From_Account")]
    from_account: UserId,
    unread_count: u64,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::SessionInvalid.into()) };
    identity.connection.hold_pushes();
    let answer = answer(&caller, identity, request.cookie.as_deref().unwrap_or_default()).await;
    if answer.is_err() {
        identity.connection.sync_failed();
    }
    answer
}

/// A message that waits for longer than this between its second and its push has a disk that stalls.
const PUBLISHED_MS: u64 = 2_000;

async fn answer(caller: &Caller, identity: &Identity, cookie: &str) -> Outcome<Response> {
    let (node, app) = (caller.node(), caller.app());
    let now = caller.now();
    let mut summaries = conversation::summaries(node, app, &identity.user).await?;
    let asked = cookie_time(cookie);
    let resumed = identity.connection.with_session(|session| session.is_some_and(|s| s.resumed));
    let (messages, mut notices) = match asked {
        Some(asked) => {
            let since = missed::since(node, app, identity, Asked::Cookie(asked)).await?;
            let missed = missed::missed(node, app, identity, &summaries, since).await?;
            let whole = missed.into_iter().filter(|missed| missed.complete);
            let messages: Vec<_> = whole.map(|m| (m.summary, m.messages)).collect();
            let mentions = mentions(caller, identity, since).await?;
            let heard = missed::last_heard(node, app, identity).await?.unwrap_or(since);
            let mut notices = Notices::since(caller, &identity.user, &summaries, since).await?;
            notices.news = news(&messages, heard);
            notices.mentions = mentions;
            (messages, notices)
        }
        None => {
            // What changes while the client makes its list is told by this answer. One that lost its connection
            // before it had any knows messages from pushes.
            let listing = UnixMillis(now.0.saturating_sub(PUBLISHED_MS));
            let since = match resumed {
                true => listing.min(missed::logged_in(node, app, identity).await?),
                false => listing,
            };
            let changed = missed::changed(node, app, &summaries, since.seconds()).await?;
            let messages = missed::offline(node, app, &summaries, now.seconds()).await?;
            let mentions = mentions(caller, identity, UnixSeconds(0)).await?;
            (messages, Notices { changed, mentions, ..Notices::default() })
        }
    };
    // From here to the queue nothing waits: what is held now is told after this answer, not by it, and what
    // was read or deleted meanwhile does not count.
    conversation::take_marks(app, &identity.user, &mut summaries);
    let waiting = identity.connection.held_places();
    let mut held = waiting.clone();
    held.retain(|place| match place.what {
        // For a device that came back it counts only if it comes with what was missed before it.
        Placed::Message { ordinal, .. } | Placed::Copy { ordinal } => {
            asked.is_none() || !is_among(&messages, place.pair, ordinal)
        }
        Placed::Change { .. } => false,
    });
    let told = told(app, &summaries, &held);
    // A push that is still to come may be lost with the connection: then the next sync has to tell it, and
    // it carries an earlier second than this answer. To who came back pushes wait since then.
    let is_behind =
        !waiting.is_empty() || told.is_behind() || !app.indexing(&identity.user).is_empty();
    let behind_ms = match (is_behind, resumed) {
        (true, true) => EXPECTED_MS + PUBLISHED_MS,
        (true, false) => PUBLISHED_MS,
        (false, _) => 0,
    };
    let cookie = UnixMillis(now.0.saturating_sub(behind_ms));
    notices.count_withdrawn(&summaries, &held, asked.is_some());
    let frame = notices.frame();
    // Clients drop a count for a conversation that their list does not have.
    conversation::keep_listed(app, &mut summaries);
    let mut msg_list = in_order(&messages, &held, asked.is_some());
    msg_list.extend(notices.withdrawn());
    let response = Response {
        sync_flag: 2,
        cookie: format!("0-{}", cookie.0),
        msg_list,
        unread: unread(&summaries, &held, &notices.withdrawn_among(&held)),
    };
    identity.connection.sync_answered(told, &held, frame);
    identity.connection.gave_cookie(cookie);
    Ok(response)
}

/// The unread messages since `since` that mention the user. Of those since the session began its device is told
/// by pushes.
async fn mentions(
    caller: &Caller,
    identity: &Identity,
    since: UnixSeconds,
) -> Outcome<Vec<Mention>> {
    let begun =
        identity.connection.with_session(|session| session.map(|session| session.issued.seconds()));
    let Some(begun) = begun else { return Ok(Vec::new()) };
    conversation::mentions::unread(caller.node(), caller.app(), &identity.user, (since, begun))
        .await
}

/// The conversations of which an answer has messages that the client cannot have: were sent after it was
/// last heard.
fn news(messages: &[(Summary, Vec<Stored>)], heard: UnixSeconds) -> BTreeSet<PairKey> {
    let is_new = |(_, of_pair): &&(Summary, Vec<Stored>)| of_pair.iter().any(|m| m.time > heard);
    messages.iter().filter(is_new).map(|(summary, _)| summary.ends.pair()).collect()
}

fn is_among(messages: &[(Summary, Vec<Stored>)], pair: PairKey, ordinal: u64) -> bool {
    let found = messages.iter().find(|(summary, _)| summary.ends.pair() == pair);
    found.is_some_and(|(_, of_pair)| of_pair.iter().any(|stored| stored.ordinal == ordinal))
}

fn told(app: &App, summaries: &[Summary], held: &[Place]) -> Told {
    let is_busy = |s: &&Summary| app.pairs.peek(&s.ends.pair()).is_some_and(|pair| !pair.is_idle());
    // A message that comes after the answer comes as it was sent: then its changes have to follow it.
    let is_whole = |s: &Summary| held.iter().all(|place| place.pair != s.ends.pair());
    let through = |s: &Summary| Through {
        ordinal: s.head.last,
        change: if is_whole(s) { s.head.changes } else { 0 },
    };
    Told {
        through: summaries.iter().map(|s| (s.ends.pair(), through(s))).collect(),
        unpublished: summaries.iter().filter(is_busy).map(|s| s.ends.pair()).collect(),
    }
}

/// A cookie is the sequence of the last notice and the time of the answer. One that somebody else made
/// costs the client its place, not its messages.
fn cookie_time(cookie: &str) -> Option<UnixMillis> {
    let (_notice, time) = cookie.split_once('-')?;
    time.parse().ok().map(UnixMillis)
}

/// Whether a message is pushed behind the answer.
fn is_held(held: &[Place], ends: &Ends, stored: &Stored) -> bool {
    held.iter().any(|place| {
        matches!(place.what, Placed::Message { ordinal, .. } if ordinal == stored.ordinal)
            && place.pair == ends.pair()
    })
}

/// The messages of an answer. To a device that came back a changed one is told as new, and its change after
/// the answer: so clients show it as any other that they have missed.
fn in_order(messages: &[(Summary, Vec<Stored>)], held: &[Place], as_new: bool) -> Vec<MessageJson> {
    let mut all: Vec<(&Ends, &Stored)> = messages
        .iter()
        .flat_map(|(summary, messages)| messages.iter().map(|stored| (&summary.ends, stored)))
        .filter(|(ends, stored)| stored.is_own(ends) || !is_held(held, ends, stored))
        .collect();
    all.sort_by_key(|(_, stored)| (stored.time, stored.ordinal));
    let message = |(ends, stored): (&Ends, &Stored)| {
        let mut message = stored.message(ends);
        if as_new {
            (message.msg_version, message.revoker_info) = (0, None);
        }
        MessageJson::new(&message)
    };
    all.into_iter().map(message).collect()
}

/// `withdrawn` are those of the held messages that do not count any more, and for which clients take one off
/// when they hear of it.
fn unread(summaries: &[Summary], held: &[Place], withdrawn: &[PairKey]) -> Vec<PeerUnread> {
    let count = |summary: &Summary| {
        let later = held.iter().filter(|place| match place.what {
            Placed::Message { ordinal, counted } => {
                counted && place.pair == summary.ends.pair() && ordinal <= summary.head.last
            }
            Placed::Copy { .. } | Placed::Change { .. } => false,
        });
        let withdrawn = withdrawn.iter().filter(|pair| **pair == summary.ends.pair());
        let later = later.count().saturating_sub(withdrawn.count());
        let unread_count = summary.unread().saturating_sub(later as u64);
        let from_account = summary.ends.peer.clone();
        (unread_count > 0).then_some(PeerUnread { from_account, unread_count })
    };
    summaries.iter().filter_map(count).collect()
}

/// What became of messages meanwhile: read by the user on other devices, read by the peers, withdrawn,
/// modified, confirmed; what he has pinned there, and where he was mentioned. A push behind the answer, since clients do not look at such notices in the answer
/// itself; withdrawals also stand in the answer.
#[derive(Default)]
struct Notices {
    read_elsewhere: Vec<(UserId, UnixSeconds)>,
    read_by_peers: Vec<(UserId, UnixSeconds)>,
    changed: Vec<Changed>,
    contacts: Vec<ContactChange>,
    mentions: Vec<Mention>,
    /// Conversations of which the answer has messages that are new to the client.
    news: BTreeSet<PairKey>,
    /// Withdrawn messages, by conversation and ordinal, that the client takes off its unread count.
    taken_off: BTreeSet<(PairKey, u64)>,
}

impl Notices {
    async fn since(
        caller: &Caller,
        user: &UserId,
        summaries: &[Summary],
        since: UnixSeconds,
    ) -> Outcome<Self> {
        let (node, app) = (caller.node(), caller.app());
        let read = missed::read_since(summaries, since).into_iter();
        Ok(Self {
            read_elsewhere: read.map(|(peer, time)| (peer.clone(), time)).collect(),
            read_by_peers: missed::peers_read_since(node, app, user, summaries, since).await?,
            changed: missed::changed(node, app, summaries, since).await?,
            contacts: missed::contacts_changed_since(node, app, user, since).await?,
            ..Self::default()
        })
    }

    fn all(&self) -> impl Iterator<Item = (&Ends, &Stored)> {
        self.changed.iter().flat_map(|c| c.messages.iter().map(|stored| (&c.ends, stored)))
    }

    /// Clients take over the count of an answer that brings them something new, and else go on with their
    /// own. In that case they have to be told which withdrawn messages were unread.
    fn count_withdrawn(&mut self, summaries: &[Summary], held: &[Place], goes_on: bool) {
        let read: HashMap<PairKey, u64> =
            summaries.iter().map(|s| (s.ends.pair(), s.row.read_count)).collect();
        let is_taken_off = |(ends, stored): &(&Ends, &Stored)| {
            let read = read.get(&ends.pair()).copied().unwrap_or_default();
            let was_unread = stored.counted_as().is_some_and(|number| number > read);
            let has_news = self.news.contains(&ends.pair());
            let is_known = !has_news && !is_held(held, ends, stored);
            stored.is_withdrawn() && !stored.is_own(ends) && was_unread && is_known
        };
        let taken_off = self.all().filter(|_| goes_on).filter(is_taken_off);
        self.taken_off = taken_off.map(|(ends, m)| (ends.pair(), m.ordinal)).collect();
    }

    /// The conversations of the held messages that are withdrawn, each as often as it has one.
    fn withdrawn_among(&self, held: &[Place]) -> Vec<PairKey> {
        let counted =
            |(_, stored): &(&Ends, &Stored)| stored.is_withdrawn() && stored.counted_as().is_some();
        let withdrawn = self.all().filter(counted);
        let withdrawn = withdrawn.filter(|(ends, stored)| is_held(held, ends, stored));
        withdrawn.map(|(ends, _)| ends.pair()).collect()
    }

    /// All withdrawals, in the place of a message: there clients take none off their count.
    fn withdrawn(&self) -> Option<MessageJson> {
        let withdrawn: Vec<_> = self.all().filter_map(withdrawn).collect();
        (!withdrawn.is_empty()).then(|| MessageJson::notice(C2cNotice::Withdrawn(&withdrawn)))
    }

    fn frame(&self) -> Option<Arc<Frame>> {
        let elsewhere = self.read_elsewhere.iter();
        let elsewhere =
            elsewhere.map(|(peer, time)| C2cNotice::ReadElsewhere { peer, last_read_time: *time });
        let by_peers = self.read_by_peers.iter();
        let by_peers =
            by_peers.map(|(reader, time)| C2cNotice::ReadByPeer { reader, last_read_time: *time });
        let read: Vec<C2cNotice<'_>> = elsewhere.chain(by_peers).collect();
        let is_taken_off =
            |(ends, m): &(&Ends, &Stored)| self.taken_off.contains(&(ends.pair(), m.ordinal));
        let taken_off: Vec<_> = self.all().filter(is_taken_off).filter_map(withdrawn).collect();
        let taken_off = [C2cNotice::Withdrawn(&taken_off)];
        let modified: Vec<_> = self.modified().collect();
        let confirmed: Vec<_> = self.changed.iter().map(|c| (c, confirmed(c))).collect();
        let contacts: Vec<_> = self.contacts.iter().map(push::conversation_change).collect();
        let mentions: Vec<_> = self.mentions.iter().map(Mention::tip).collect();
        let mut events = Vec::new();
        if !read.is_empty() {
            events.push(Event::C2cNotices(&read));
        }
        // After what was read, which makes clients count anew.
        if !self.taken_off.is_empty() {
            events.push(Event::C2cNotices(&taken_off));
        }
        if !modified.is_empty() {
            events.push(Event::MessagesModified(&modified));
        }
        for (changed, (messages, time)) in &confirmed {
            if !messages.is_empty() {
                let (reader, time) = (&changed.ends.peer, *time);
                events.push(Event::Receipts(ReceiptNotice { reader, time, messages }));
            }
        }
        if !contacts.is_empty() {
            events.push(Event::ConversationChanges(&contacts));
        }
        if !mentions.is_empty() {
            events.push(Event::Mentions(&mentions));
        }
        (!events.is_empty()).then(|| push::frame(&events))
    }

    fn modified(&self) -> impl Iterator<Item = ModifiedMessage<'_>> {
        let modified =
            self.all().filter(|(_, stored)| stored.version() > 0 && !stored.is_withdrawn());
        modified.map(|(ends, stored)| ModifiedMessage {
            message: stored.reference(ends),
            msg_body: &stored.body,
            msg_version: stored.version(),
            cloud_custom_data: &stored.row.cloud_custom_data,
        })
    }
}

fn withdrawn<'a>((ends, stored): (&'a Ends, &'a Stored)) -> Option<WithdrawnMessage<'a>> {
    let revoker_info = stored.revoker_info()?;
    Some(WithdrawnMessage { message: stored.reference(ends), revoker_info })
}

/// The user's own messages of a conversation that the peer has confirmed as read, and when he did so last.
fn confirmed(changed: &Changed) -> (Vec<MessageRef<'_>>, UnixSeconds) {
    let confirmed = || {
        let own = changed.messages.iter().filter(|stored| stored.is_own(&changed.ends));
        own.filter(|stored| stored.overlay.receipt_at > 0 && !stored.is_withdrawn())
    };
    let last = confirmed().map(|stored| stored.overlay.receipt_at).max();
    let messages = confirmed().map(|stored| stored.reference(&changed.ends)).collect();
    (messages, UnixSeconds(last.unwrap_or_default()))
}
