//! `openim_msg_ext_http_svc/reaction_multi_stat`: the reactions to up to 20 messages that one side of a
//! conversation has sent, with the first who gave each.
//!
//! Callers: users, for messages of their conversations.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{MsgKey, UserId};

use super::{ends_of, key_of};
use crate::attached::commands::{Summary, bad, check_messages};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::Ends;
use crate::pair::reactions;
use crate::request;
use crate::rows::ReactionRow;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim_msg_ext_http_svc/reaction_multi_stat").gateway().feature_bit(48);

request! {
    pub(crate) struct Request {
        /// Sender of the messages.
        from_account: UserId = "From_Account",
        /// Their receiver.
        to_account: UserId = "To_Account",
        /// 1 to 20 keys, `seq_random_time`.
        msg_key_list: Vec<String> = "MsgKeyList",
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
    msg_key: MsgKey,
    msg_reaction_summary: Vec<Summary>,
    reaction_list: Vec<Summary>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    check_messages("MsgKeyList", request.msg_key_list.len())?;
    let keys = request.msg_key_list.iter().map(|key| key_of(key));
    let keys: Result<Vec<MsgKey>, _> = keys.collect();
    let keys = keys.map_err(|_| bad("a key in MsgKeyList is malformed"))?;
    let own = caller.acting_as(None, ErrorCode::GroupRequestIllegal)?;
    let Request { from_account, to_account, .. } = &request;
    let ends = ends_of(&caller, from_account, to_account, ErrorCode::GroupRequestIllegal).await?;
    let of_messages = match &ends {
        Some(ends) => reactions::of_messages(caller.node(), caller.app(), ends, &keys).await?,
        None => vec![Vec::new(); keys.len()],
    };
    let summary = |ends: &Ends, reaction: ReactionRow| {
        let users = reaction.given_by(ends);
        Summary::new(reaction.name, users, &own, request.count)
    };
    let result = |(msg_key, found): (MsgKey, Vec<ReactionRow>)| {
        let list = ends.iter().flat_map(|ends| found.iter().cloned().map(|r| summary(ends, r)));
        let list: Vec<Summary> = list.collect();
        OfMessage { msg_key, msg_reaction_summary: list.clone(), reaction_list: list }
    };
    Ok(Response { results: keys.into_iter().zip(of_messages).map(result).collect() })
}
