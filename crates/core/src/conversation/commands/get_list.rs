//! `recentcontact/get_list`: the conversation list of a user.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::UnixSeconds;

use super::{C2C, Cursor, GROUP, listed, owner, page};
use crate::caller::Caller;
use crate::conversation::{self, Listed};
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
        /// Bit 0: with pinning, bit 1: also conversations that show no message, bit 2: page the pinned ones.
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
    /// Echoed: pinned conversations come with the others.
    top_time_stamp: u32,
    /// Echoed.
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

const EMPTY_ONES_TOO: u32 = 2;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, Some(request.from_account)).await?;
    let mut all = listed(&caller, &user).await?;
    if request.assist_flags & EMPTY_ONES_TOO != 0 {
        let known = conversation::summaries(caller.node(), caller.app(), &user).await?;
        let empty = known.into_iter().filter(|summary| summary.shown().0 == 0);
        all.extend(empty.map(|summary| Listed::Pair(Box::new(summary))));
    }
    let cursor = Cursor { time: request.time_stamp, index: request.start_index as usize };
    let now = caller.now().seconds();
    let (wanted, next) = page(all, cursor, now);
    let item = |listed: Listed| match listed {
        Listed::Pair(summary) => SessionItem {
            kind: C2C,
            msg_time: summary.shown().1,
            top_flag: u8::from(summary.row.pinned_at > 0),
            to_account: Some(summary.ends.peer),
            group_id: None,
        },
        Listed::Group(summary) => SessionItem {
            kind: GROUP,
            msg_time: summary.shown().1,
            top_flag: u8::from(summary.row.pinned_at > 0),
            to_account: None,
            group_id: Some(summary.group),
        },
    };
    Ok(Response {
        session_item: wanted.into_iter().map(item).collect(),
        complete_flag: u8::from(next.is_none()),
        time_stamp: next.map_or(now, |next| next.time),
        start_index: next.map_or(0, |next| next.index),
        top_time_stamp: request.top_time_stamp,
        top_start_index: request.top_start_index,
    })
}
