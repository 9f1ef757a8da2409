//! `openim_msg_ext_http_svc/group_reaction_multi_stat`: the reactions to up to 20 messages of a group, with the first who
//! gave each.
//!
//! Callers: members, for messages that they may see.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::GroupId;

use crate::attached::commands::{Summary, check_messages};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::attached;
use crate::group::changes::Actor;
use crate::operation::Operation;
use crate::request;
use crate::rows::GroupReactionRow;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim_msg_ext_http_svc/group_reaction_multi_stat").gateway().feature_bit(48);

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 20 messages.
        msg_seq_list: Vec<u64> = "MsgSeqList",
        /// Accounts wanted for each reaction, at most 10; 10 when absent.
        count: Option<u32> = "Count",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// One message each, in the order of the request.
    results: Vec<OfMessage>,
}

/// The reactions to one message. Two client packages have different names for the list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct OfMessage {
    msg_seq: u64,
    msg_reaction_summary: Vec<Summary>,
    reaction_list: Vec<Summary>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let seqs = &request.msg_seq_list;
    check_messages("MsgSeqList", seqs.len())?;
    let (node, app, actor) = (caller.node(), caller.app(), Actor::of(&caller)?);
    let found = attached::reactions_to(node, app, &request.group_id, seqs, &actor).await?;
    let summary = |reaction: GroupReactionRow| {
        let users = reaction.given_by();
        Summary::new(reaction.name, users, &actor.user, request.count)
    };
    let result = |(msg_seq, found): (&u64, Vec<GroupReactionRow>)| {
        let list: Vec<Summary> = found.into_iter().map(summary).collect();
        OfMessage { msg_seq: *msg_seq, msg_reaction_summary: list.clone(), reaction_list: list }
    };
    Ok(Response { results: seqs.iter().zip(found).map(result).collect() })
}
