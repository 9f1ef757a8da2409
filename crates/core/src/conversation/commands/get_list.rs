//! `recentcontact/get_list`: the conversation list of a user.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::UnixSeconds;

use super::{C2C, Cursor, GROUP, Page, owner, page};
use crate::caller::Caller;
use crate::conversation::contacts::Contact;
use crate::conversation::{Listed, Wanted};
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/get_list").rest();

request! {
    pub(crate) struct Request {
        /// Whose list.
        from_account: UserId = "From_Account",
        /// Of the last answer; 0 first.
        time_stamp: UnixSeconds = "TimeStamp",
        /// Of the last answer; 0 first.
        start_index: u32 = "StartIndex",
        /// Of the last answer; 0 first.
        top_time_stamp: u32 = "TopTimeStamp",
        /// Of the last answer; 0 first.
        top_start_index: u32 = "TopStartIndex",
        /// Bit 0: pinned conversations come first and are told apart. Bit 1: also conversations that show no
        /// message. Bit 2 changes nothing: there are so few pinned ones that they all fit into the first page.
        assist_flags: u32 = "AssistFlags",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Conversations: pinned ones first, then newest first.
    session_item: Vec<SessionItem>,
    /// 1: the list is complete.
    complete_flag: u8,
    /// Cursor of the next page.
    time_stamp: UnixSeconds,
    /// Cursor of the next page.
    start_index: usize,
    /// Echoed: pinned conversations come in the first page.
    top_time_stamp: u32,
    /// Cursor of the next page: the list under way, whose order stays as it was when it began.
    top_start_index: u32,
}

/// One conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct SessionItem {
    #[serde(rename = "Type")]
    kind: u32,
    /// The peer of a one-to-one conversation.
    #[serde(rename = "To_Account", skip_serializing_if = "Option::is_none")]
    to_account: Option<UserId>,
    /// The group of a group conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<GroupId>,
    msg_time: UnixSeconds,
    top_flag: u8,
}

const PINNED_FIRST: u32 = 1;
const EMPTY_TOO: u32 = 2;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, Some(request.from_account)).await?;
    let wanted = Wanted {
        pinned_first: request.assist_flags & PINNED_FIRST != 0,
        empty_too: request.assist_flags & EMPTY_TOO != 0,
    };
    let cursor = Cursor {
        begun: request.time_stamp,
        index: request.start_index as usize,
        listing: request.top_start_index,
    };
    let Page { begun, listed, next } = page(&caller, &user, wanted, cursor).await?;
    let item = |listed: Listed| {
        let (kind, to_account, group_id) = match listed.contact() {
            Contact::Pair(peer) => (C2C, Some(peer), None),
            Contact::Group(group) => (GROUP, None, Some(group)),
        };
        let top_flag = u8::from(wanted.pinned_first && listed.attached().is_pinned());
        SessionItem { kind, to_account, group_id, msg_time: listed.time(), top_flag }
    };
    Ok(Response {
        session_item: listed.into_iter().map(item).collect(),
        complete_flag: u8::from(next.is_none()),
        time_stamp: begun,
        start_index: next.map_or(0, |next| next.index),
        top_time_stamp: request.top_time_stamp,
        top_start_index: next.map_or(0, |next| next.listing),
    })
}
