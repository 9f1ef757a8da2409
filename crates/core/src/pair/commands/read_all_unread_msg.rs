//! `openim/read_all_unread_msg`: marks all one-to-one conversations, groups up to a message each, or both, as
//! read. The peers and the reader's other devices are told.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::GroupId;

use crate::caller::Caller;
use crate::conversation::all_read;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/read_all_unread_msg").gateway();

request! {
    pub(crate) struct Request {
        /// 1: all one-to-one conversations.
        c2c: Option<u32> = "C2CReadAllMsg",
        /// Groups, at most 500.
        groups: Option<Vec<GroupRead>> = "GroupReadInfo",
    }
}

/// How far a group was read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupRead {
    group_id: String,
    /// The last message that was read.
    msg_seq: u64,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Response {
    /// As in the request.
    #[serde(rename = "C2CReadAllMsg")]
    c2c: u8,
    /// In the order of the request.
    #[serde(rename = "GroupReadInfoArray")]
    groups: Vec<GroupResult>,
}

/// What became of one group.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct GroupResult {
    group_id: String,
    msg_seq: u64,
    /// 0, or why it was not marked.
    ret_code: i32,
}

const GROUPS_MAX: usize = 500;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let reader = caller.acting_as(None, ErrorCode::MsgNotAdmin)?;
    let c2c = request.c2c == Some(1);
    let named = request.groups.unwrap_or_default();
    if named.len() > GROUPS_MAX {
        let info = format!("GroupReadInfo lists {} groups, at most {GROUPS_MAX}", named.len());
        return Err(Error::with(ErrorCode::TooManyTargets, info).into());
    }
    let parsed: Vec<Option<(GroupId, u64)>> =
        named.iter().map(|g| Some((GroupId::parse(&g.group_id).ok()?, g.msg_seq))).collect();
    let known: Vec<(GroupId, u64)> = parsed.iter().flatten().cloned().collect();
    let (node, app, origin) = (caller.node(), caller.app(), caller.origin());
    let results = all_read::mark_all_read(node, app, &reader, c2c, &known, origin).await?;
    let mut results = results.into_iter();
    let groups = named.into_iter().zip(parsed).map(|(GroupRead { group_id, msg_seq }, parsed)| {
        let unknown = || Err(ErrorCode::GroupNotFound.into());
        let result = parsed.and_then(|_| results.next()).unwrap_or_else(unknown);
        GroupResult { group_id, msg_seq, ret_code: result.err().map_or(0, |e| e.code.number()) }
    });
    Ok(Response { c2c: u8::from(c2c), groups: groups.collect() })
}
