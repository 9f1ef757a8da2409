//! `openim_msg_ext_http_svc/reaction_iterate`: who has given one reaction to a one-to-one message.
//!
//! Callers: users, for messages of their conversations.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{ends_of, key_of};
use crate::attached::commands::bad;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::reactions;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim_msg_ext_http_svc/reaction_iterate").gateway().feature_bit(48);

request! {
    pub(crate) struct Request {
        /// Sender of the message.
        from_account: UserId = "From_Account",
        /// Its receiver.
        to_account: UserId = "To_Account",
        /// Its key, `seq_random_time`.
        msg_key: String = "MsgKey",
        /// Name of the reaction.
        reaction: String = "Reaction",
        /// Accounts wanted; a conversation of two has two at most, so the answer is always whole.
        count: Option<u32> = "Count",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Who has given it.
    #[serde(rename = "Reaction_Account")]
    accounts: Vec<UserId>,
    /// 0: there are no more.
    next_seq: u32,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let key = key_of(&request.msg_key).map_err(|_| bad("MsgKey is malformed"))?;
    let Request { from_account, to_account, .. } = &request;
    let ends = ends_of(&caller, from_account, to_account, ErrorCode::GroupRequestIllegal).await?;
    let Some(ends) = ends else { return Ok(Response { accounts: Vec::new(), next_seq: 0 }) };
    let found = reactions::of_messages(caller.node(), caller.app(), &ends, &[key]).await?;
    let mut found = found.into_iter().flatten();
    let reaction = found.find(|reaction| reaction.name == request.reaction);
    let accounts = reaction.map(|reaction| reaction.given_by(&ends)).unwrap_or_default();
    Ok(Response { accounts, next_seq: 0 })
}
