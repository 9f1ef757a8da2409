//! `openim/modify_group_msg`: replaces the elements of a stored message of a group, its custom data, or both. All
//! members are told.
//!
//! Callers: administrators for any message; members for those that they see, whoever has sent them: an app that wants it
//! narrower says so in its own interface. A member names the version that he has seen; if the message has another one,
//! the answer is the refusal 20027 with what the message says now. Live rooms do not have this.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::GroupId;
use teahouse_proto::message::BodyError;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::group;
use crate::group::changes::{self, Actor};
use crate::operation::Operation;
use crate::pair::changes::{Content, Modification};
use crate::pair::commands::sendmsg::Elements;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/modify_group_msg").rest().gateway();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The message's place in the group.
        msg_seq: u64 = "MsgSeq",
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
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let max = app.facts().settings.group_body_bytes_max as usize;
    let too_long = ErrorCode::BodyTooLong;
    let custom_data = request.cloud_custom_data.as_deref().unwrap_or_default();
    let parse = |body: &Elements| body.parse(custom_data, max, too_long, BodyError::c2c_code);
    let body = request.msg_body.as_ref().map(parse).transpose()?;
    if body.is_none() && request.cloud_custom_data.is_none() {
        let info = "neither MsgBody nor CloudCustomData is there";
        return Err(Error::with(ErrorCode::MsgBodyMalformed, info).into());
    }
    let actor = Actor::of(&caller)?;
    let entity = group::group(node, app, id).await?;
    entity.read(|state| {
        let rules = state.rules()?;
        rules.offers(rules.stored)
    })?;
    let modification = Modification {
        body,
        cloud_custom_data: request.cloud_custom_data,
        seen: actor.tiny_id.map(|_| request.msg_version.unwrap_or_default()),
        bytes_max: (max, too_long),
    };
    Ok(Response(changes::modify(node, app, id, request.msg_seq, &actor, &modification).await?))
}
