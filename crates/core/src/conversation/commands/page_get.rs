//! `recentcontact/page_get`: the conversation list as clients read it.
//!
//! Callers: users. With the cursors of a finished list, only what is not delivered as messages
//! afterwards (see `missed`).

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::ids::UserId;
use teahouse_proto::time::{UnixMillis, UnixSeconds};

use super::{C2C, Cursor, listed, marks, owner, page};
use crate::account;
use crate::caller::{Caller, Identity, Who};
use crate::conversation::missed::{self, Asked};
use crate::conversation::{Summary, read_mark, summaries};
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::history::{self, Stored};
use crate::profile;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/page_get").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// Of the last answer; 0 for the whole list.
        time_stamp: Option<UnixSeconds> = "TimeStamp",
        /// Of the last answer; 0 for the first page.
        start_index: Option<u32> = "StartIndex",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// 1: the list is complete.
    complete_flag: u8,
    /// Conversations, newest first.
    session_item: Vec<SessionItem>,
    /// Cursor of the next page, or of what changes later.
    time_stamp: UnixSeconds,
    /// Cursor of the next page.
    start_index: usize,
    /// Unused: pinned conversations come with the others.
    top_time_stamp: u32,
    /// Unused.
    top_start_index: u32,
    /// Conversation groups.
    group_item: Vec<u32>,
}

/// One conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct SessionItem {
    #[serde(rename = "Type")]
    kind: u32,
    #[serde(rename = "To_Account")]
    to_account: UserId,
    msg_time: UnixSeconds,
    msg_time_stamp: UnixSeconds,
    #[serde(flatten)]
    last: Option<LastMessage>,
    last_msg_flags: u32,
    #[serde(rename = "C2cPeerReadTime")]
    peer_read_time: UnixSeconds,
    unread_msg_count: u64,
    #[serde(rename = "C2cNick")]
    nick: String,
    #[serde(rename = "C2cImage")]
    image: String,
    #[serde(rename = "C2cRemark")]
    remark: String,
    top_flags: u8,
    standard_mark: String,
    custom_mark: String,
    contact_group_id: Vec<u32>,
    msg_recv_option: u32,
}

/// The last message, while it is stored. Two client packages spell the sender's field differently.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct LastMessage {
    msg_seq: u32,
    msg_random: u32,
    #[serde(rename = "LastC2CMsgFrom_Account")]
    from: UserId,
    #[serde(rename = "LastC2cMsgFrom_Account")]
    from_lite: UserId,
    last_msg: LastBody,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct LastBody {
    #[schemars(with = "Vec<serde_json::Value>")]
    msg_body: Box<RawValue>,
    cloud_custom_data: String,
}

const AT_ONCE: usize = 32;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let now = caller.now().seconds();
    let cursor = Cursor {
        time: request.time_stamp.unwrap_or_default(),
        index: request.start_index.unwrap_or_default() as usize,
    };
    let (wanted, next) = match caller.who() {
        // In one page: what is left out of the first would not be what the second skips.
        Who::User(identity) if cursor.index == 0 && has_list(&caller, identity, cursor).await? => {
            (undelivered(&caller, identity, cursor.time).await?, None)
        }
        Who::User(_) | Who::Admin(_) | Who::Guest { .. } | Who::System => {
            page(listed(&caller, &user).await?, cursor, now)
        }
    };
    let session_item = items(&caller, &user, wanted).await?;
    Ok(Response {
        complete_flag: u8::from(next.is_none()),
        session_item,
        time_stamp: next.map_or(now, |next| next.time),
        start_index: next.map_or(0, |next| next.index),
        top_time_stamp: 0,
        top_start_index: 0,
        group_item: Vec::new(),
    })
}

/// Whether the client has its conversations, and only wants to know what is new. Its cursor says so; but
/// the newer client package asks without one after every quick reconnect.
async fn has_list(caller: &Caller, identity: &Identity, cursor: Cursor) -> Outcome<bool> {
    if cursor.time.0 > 0 {
        return Ok(true);
    }
    let resumed = identity.connection.with_session(|session| session.is_some_and(|s| s.resumed));
    Ok(resumed && missed::has_list(caller.node(), caller.app(), identity).await?)
}

/// The conversations that have changed too much for the following `getmsg`.
async fn undelivered(
    caller: &Caller,
    identity: &Identity,
    asked: UnixSeconds,
) -> Outcome<Vec<Summary>> {
    let (node, app) = (caller.node(), caller.app());
    let summaries = summaries(node, app, &identity.user).await?;
    let asked = UnixMillis(u64::from(asked.0) * 1000);
    let since = missed::since(node, app, identity, Asked::List(asked)).await?;
    let missed = missed::missed(node, app, identity, &summaries, since).await?;
    let too_many = missed.into_iter().filter(|m| !m.complete && m.summary.is_listed());
    Ok(too_many.map(|m| m.summary).collect())
}

async fn items(
    caller: &Caller,
    user: &UserId,
    summaries: Vec<Summary>,
) -> Outcome<Vec<SessionItem>> {
    let places: Vec<_> = summaries.iter().map(|s| (&s.ends, s.shown())).collect();
    let last = history::at_places(caller.node(), caller.app().id(), &places).await?;
    let with_last: Vec<(Summary, Option<Stored>)> = summaries.into_iter().zip(last).collect();
    let items =
        in_parallel(with_last, AT_ONCE, |(summary, last)| item(caller, user, summary, last));
    items.await.into_iter().collect()
}

async fn item(
    caller: &Caller,
    user: &UserId,
    summary: Summary,
    last: Option<Stored>,
) -> Outcome<SessionItem> {
    let (node, app) = (caller.node(), caller.app());
    let peer = &summary.ends.peer;
    let face = account::user(node, app, peer).await?.read(|state| profile::face(&state.profile));
    let (_, msg_time) = summary.shown();
    Ok(SessionItem {
        kind: C2C,
        to_account: peer.clone(),
        msg_time,
        msg_time_stamp: msg_time,
        last: last.map(|last| last_message(&summary, &last)),
        last_msg_flags: 0,
        peer_read_time: read_mark(node, app, peer, user).await?.time,
        unread_msg_count: summary.unread(),
        nick: face.0,
        image: face.1,
        remark: String::new(),
        top_flags: u8::from(summary.row.pinned_at > 0),
        standard_mark: marks(&summary.row),
        custom_mark: summary.row.custom_mark.clone(),
        contact_group_id: summary.row.groups.clone(),
        msg_recv_option: summary.row.receive_option,
    })
}

fn last_message(summary: &Summary, last: &Stored) -> LastMessage {
    let message = last.message(&summary.ends);
    LastMessage {
        msg_seq: message.msg_seq,
        msg_random: message.msg_random,
        from: message.from.clone(),
        from_lite: message.from.clone(),
        last_msg: LastBody {
            msg_body: serde_json::value::to_raw_value(message.msg_body).expect("a body is JSON"),
            cloud_custom_data: message.cloud_custom_data.to_owned(),
        },
    }
}
