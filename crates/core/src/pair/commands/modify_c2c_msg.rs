//! `openim/modify_c2c_msg`: replaces the elements of a stored message, its custom data, or both. All other
//! devices of both sides are told.
//!
//! Callers: administrators for any message; users for those of their conversations, the peer's too: an app
//! that wants it narrower says so in its own interface. A user names the version that he has seen; if the
//! message has another one, the answer is the refusal 20027 with what the message says now.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;
use teahouse_proto::message::{BodyError, MessageBody};
use teahouse_proto::time::UnixSeconds;

use super::sendmsg::Elements;
use super::{ends_of, key_or_parts};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::changes::{self, Content, Modification};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/modify_c2c_msg").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Sender of the message.
        from_account: UserId = "From_Account" else FromAccountInvalid,
        /// Its receiver.
        to_account: UserId = "To_Account" else ToAccountInvalid,
        /// Its key, `seq_random_time`; clients give the three parts.
        msg_key: Option<String> = "MsgKey" else MsgKeyInvalid,
        /// First part of the key.
        msg_seq: Option<u32> = "MsgSeq",
        /// Second part of the key.
        msg_random: Option<u32> = "MsgRandom" else MsgRandomInvalid,
        /// Third part of the key.
        msg_time: Option<UnixSeconds> = "MsgTime",
        /// Clients: the version that the caller has seen; 0 when absent.
        msg_version: Option<u32> = "MsgVersion",
        /// The new elements; they stay when absent.
        msg_body: Option<Elements> = "MsgBody" else MsgBodyNotArray,
        /// The new custom data; it stays when absent.
        cloud_custom_data: Option<String> = "CloudCustomData",
    }
}

/// What the message says now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Response(Content);

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let parts = (request.msg_seq, request.msg_random, request.msg_time);
    let key = key_or_parts(request.msg_key.as_deref(), parts)?;
    let by_admin = caller.is_admin();
    let max = caller.app().facts().settings.c2c_body_bytes_max as usize;
    let too_long = if by_admin { ErrorCode::PacketTooLong } else { ErrorCode::BodyTooLong };
    let custom_data = request.cloud_custom_data.as_deref().unwrap_or_default();
    let body: Option<MessageBody> = request
        .msg_body
        .as_ref()
        .map(|body| body.parse(custom_data, max, too_long, BodyError::c2c_code))
        .transpose()?;
    if body.is_none() && request.cloud_custom_data.is_none() {
        let info = "neither MsgBody nor CloudCustomData is there";
        return Err(Error::with(ErrorCode::MsgBodyMalformed, info).into());
    }
    let (from, to) = (&request.from_account, &request.to_account);
    let ends = ends_of(&caller, from, to, ErrorCode::MsgNotAdmin).await?;
    let ends = ends.ok_or(ErrorCode::ModifiedMessageUnknown)?;
    let modification = Modification {
        body,
        cloud_custom_data: request.cloud_custom_data,
        seen: (!by_admin).then(|| request.msg_version.unwrap_or_default()),
        bytes_max: (max, too_long),
    };
    let (node, app, origin) = (caller.node(), caller.app(), caller.origin_of_both());
    Ok(Response(changes::modify(node, app, &ends, key, &modification, origin).await?))
}
