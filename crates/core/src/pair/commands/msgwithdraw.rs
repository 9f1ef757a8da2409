//! `openim/msgwithdraw`: withdraws one of the caller's own messages, within the time that the app allows. It
//! keeps its place in both histories, without its content, and all other devices of both sides are told.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Deserialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{MsgKey, UserId};
use teahouse_proto::time::UnixSeconds;

use super::ends_of;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::changes;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim/msgwithdraw").gateway();

request! {
    pub(crate) struct Request {
        /// The message.
        msg_info: MsgInfo = "MsgInfo",
    }
}

/// A message of the caller.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MsgInfo {
    /// The caller.
    #[serde(rename = "From_Account")]
    from_account: UserId,
    /// Its receiver.
    #[serde(rename = "To_Account")]
    to_account: UserId,
    /// Chosen by the sender.
    msg_seq: u32,
    /// Chosen by the sender.
    msg_random: u32,
    /// The server's second.
    msg_time_stamp: UnixSeconds,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let MsgInfo { from_account, to_account, msg_seq, msg_random, msg_time_stamp } =
        request.msg_info;
    let own = caller.acting_as(Some(from_account), ErrorCode::MsgNotAdmin)?;
    let key = MsgKey { seq: msg_seq, random: msg_random, time: msg_time_stamp };
    let ends = ends_of(&caller, &own, &to_account, ErrorCode::MsgNotAdmin).await?;
    let ends = ends.ok_or(ErrorCode::MessageUnknown)?;
    let (node, app) = (caller.node(), caller.app());
    let within_s = Some(app.facts().settings.c2c_withdraw_s);
    let origin = caller.origin_of_both();
    changes::withdraw(node, app, &ends, key, own.as_str(), within_s, origin).await?;
    Ok(Empty {})
}
