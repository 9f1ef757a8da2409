//! `group_open_http_svc/get_group_msg_receipts_by_users`: whether given members have read messages that asked for
//! receipts.
//!
//! Callers: members, for messages that they may see. Groups of type Private, Public and ChatRoom.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::UnixSeconds;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::changes::Actor;
use crate::group::receipts::{self, Reader};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_msg_receipts_by_users").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 50 messages.
        member_read_msg_list: Vec<Wanted> = "MemberReadMsgList",
    }
}

/// A message and members.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Wanted {
    /// Its place in the group.
    msg_seq: u64,
    /// At most 100.
    #[serde(rename = "MemberList_Account")]
    members: BTreeSet<UserId>,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// One for each message and each of the named members for whom it counts.
    msg_read_list: Vec<Read>,
}

/// Whether a member has read a message.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Read {
    msg_seq: u64,
    #[serde(rename = "Read_Account")]
    account: UserId,
    /// When he has read it; 0: not yet.
    #[serde(rename = "Read_Time")]
    time: UnixSeconds,
}

const MESSAGES_MAX: usize = 50;
const MEMBERS_MAX: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let bad = |info: String| Error::with(ErrorCode::GroupBadParameter, info);
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let wanted = &request.member_read_msg_list;
    let count = wanted.len();
    if !(1..=MESSAGES_MAX).contains(&count) {
        let info =
            format!("MemberReadMsgList has {count} messages, 1 to {MESSAGES_MAX} are possible");
        return Err(bad(info).into());
    }
    if let Some(many) = wanted.iter().map(|w| w.members.len()).find(|many| *many > MEMBERS_MAX) {
        let info = format!("MemberList_Account has {many} accounts, at most {MEMBERS_MAX}");
        return Err(bad(info).into());
    }
    let seqs: Vec<u64> = wanted.iter().map(|wanted| wanted.msg_seq).collect();
    let found = receipts::of_messages(node, app, id, &seqs, &Actor::of(&caller)?).await?;
    let reads = wanted.iter().zip(found).flat_map(|(wanted, readers)| {
        let is_named = |reader: &Reader| wanted.members.contains(&reader.user);
        let named = readers.unwrap_or_default().into_iter().filter(is_named);
        named.map(|Reader { user: account, read_at, .. }| Read {
            msg_seq: wanted.msg_seq,
            account,
            time: read_at.unwrap_or_default(),
        })
    });
    Ok(Response { msg_read_list: reads.collect() })
}
