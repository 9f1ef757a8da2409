//! `openim/getmsg`: what a device missed. Asked after each login and each reconnect.
//!
//! Callers: users. With an empty cookie: unread counts, and the newest unread messages. With the cookie
//! of an earlier answer: every message since the device was last known to listen, in one answer. The
//! counts hold for the moment in which the answer is queued: pushes wait until then.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;
use teahouse_proto::push::{C2cNotice, Event};
use teahouse_proto::time::{UnixMillis, UnixSeconds};

use super::MessageJson;
use crate::app::App;
use crate::caller::{Caller, Identity, Who};
use crate::conversation::missed::{self, Asked};
use crate::conversation::{self, Summary};
use crate::error::Outcome;
use crate::hub::{EXPECTED_MS, Frame, Place, Told};
use crate::operation::Operation;
use crate::pair::Ends;
use crate::pair::history::Stored;
use crate::push;
use crate::request;

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
    let (messages, notices) = match asked {
        Some(asked) => {
            let since = missed::since(node, app, identity, Asked::Cookie(asked)).await?;
            let missed = missed::missed(node, app, identity, &summaries, since).await?;
            let whole = missed.into_iter().filter(|missed| missed.complete);
            let messages: Vec<_> = whole.map(|m| (m.summary, m.messages)).collect();
            (messages, notices(caller, &identity.user, &summaries, since).await?)
        }
        None => (missed::offline(node, app, &summaries, now.seconds()).await?, None),
    };
    // From here to the queue nothing waits: what is held now is told after this answer, not by it, and what
    // was read or deleted meanwhile does not count.
    conversation::take_marks(app, &identity.user, &mut summaries);
    let mut held = identity.connection.held_places();
    if asked.is_some() {
        // But for a device that came back: there it counts only if it comes with what was missed before it.
        held.retain(|place| !is_among(&messages, place));
    }
    let told = told(app, &summaries);
    // A push that is still to come may be lost with the connection: then the next sync has to tell it, and
    // it carries an earlier second than this answer. To who came back pushes wait since then.
    let resumed = identity.connection.with_session(|session| session.is_some_and(|s| s.resumed));
    let is_behind =
        !held.is_empty() || told.is_behind() || !app.indexing(&identity.user).is_empty();
    let behind_ms = match (is_behind, resumed) {
        (true, true) => EXPECTED_MS + PUBLISHED_MS,
        (true, false) => PUBLISHED_MS,
        (false, _) => 0,
    };
    let cookie = UnixMillis(now.0.saturating_sub(behind_ms));
    // Clients drop a count for a conversation that their list does not have.
    conversation::keep_listed(app, &mut summaries);
    let response = Response {
        sync_flag: 2,
        cookie: format!("0-{}", cookie.0),
        msg_list: in_order(&messages, &held),
        unread: unread(&summaries, &held),
    };
    identity.connection.sync_answered(told, &held, notices);
    identity.connection.gave_cookie(cookie);
    Ok(response)
}

fn is_among(messages: &[(Summary, Vec<Stored>)], place: &Place) -> bool {
    let found = messages.iter().find(|(summary, _)| summary.ends.pair() == place.pair);
    found.is_some_and(|(_, of_pair)| of_pair.iter().any(|stored| stored.ordinal == place.ordinal))
}

fn told(app: &App, summaries: &[Summary]) -> Told {
    let is_busy = |s: &&Summary| app.pairs.peek(&s.ends.pair()).is_some_and(|pair| !pair.is_idle());
    Told {
        through: summaries.iter().map(|s| (s.ends.pair(), s.head.last)).collect(),
        unpublished: summaries.iter().filter(is_busy).map(|s| s.ends.pair()).collect(),
    }
}

/// A cookie is the sequence of the last notice and the time of the answer. One that somebody else made
/// costs the client its place, not its messages.
fn cookie_time(cookie: &str) -> Option<UnixMillis> {
    let (_notice, time) = cookie.split_once('-')?;
    time.parse().ok().map(UnixMillis)
}

fn in_order(messages: &[(Summary, Vec<Stored>)], held: &[Place]) -> Vec<MessageJson> {
    let is_held = |ends: &Ends, stored: &Stored| {
        !stored.is_own(ends)
            && held.iter().any(|p| p.pair == ends.pair() && p.ordinal == stored.ordinal)
    };
    let mut all: Vec<(&Ends, &Stored)> = messages
        .iter()
        .flat_map(|(summary, messages)| messages.iter().map(|stored| (&summary.ends, stored)))
        .filter(|(ends, stored)| !is_held(ends, stored))
        .collect();
    all.sort_by_key(|(_, stored)| (stored.time, stored.ordinal));
    all.into_iter().map(|(ends, stored)| MessageJson::new(&stored.message(ends))).collect()
}

fn unread(summaries: &[Summary], held: &[Place]) -> Vec<PeerUnread> {
    let count = |summary: &Summary| {
        let later = held.iter().filter(|place| {
            place.counted && place.pair == summary.ends.pair() && place.ordinal <= summary.head.last
        });
        let unread_count = summary.unread().saturating_sub(later.count() as u64);
        let from_account = summary.ends.peer.clone();
        (unread_count > 0).then_some(PeerUnread { from_account, unread_count })
    };
    summaries.iter().filter_map(count).collect()
}

/// What was read meanwhile, by the user on other devices and by the peers, and what he has pinned there. A push
/// behind the answer, since clients do not look at such notices in the answer itself.
async fn notices(
    caller: &Caller,
    user: &UserId,
    summaries: &[Summary],
    since: UnixSeconds,
) -> Outcome<Option<Arc<Frame>>> {
    let (node, app) = (caller.node(), caller.app());
    let by_peers = missed::peers_read_since(node, app, user, summaries, since).await?;
    let elsewhere = missed::read_since(summaries, since)
        .into_iter()
        .map(|(peer, last_read_time)| C2cNotice::ReadElsewhere { peer, last_read_time });
    let by_peers = by_peers.iter().map(|(reader, last_read_time)| C2cNotice::ReadByPeer {
        reader,
        last_read_time: *last_read_time,
    });
    let notices: Vec<C2cNotice<'_>> = elsewhere.chain(by_peers).collect();
    let changes = missed::contacts_changed_since(node, app, user, since).await?;
    let changes: Vec<_> = changes.iter().map(push::conversation_change).collect();
    let notices = (!notices.is_empty()).then_some(Event::C2cNotices(&notices));
    let changes = (!changes.is_empty()).then_some(Event::ConversationChanges(&changes));
    let events: Vec<Event<'_>> = notices.into_iter().chain(changes).collect();
    Ok((!events.is_empty()).then(|| push::frame(&events)))
}
