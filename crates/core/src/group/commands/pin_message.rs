//! `group_open_http_svc/pin_message`: pins a message of a group. All members are told.
//!
//! Callers: owner and admins, in a group of type Private all members.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{GroupId, UserId};

use super::faces;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::changes::Actor;
use crate::group::pins;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/pin_message").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group. It has at most 10 pinned messages (a setting).
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The message.
        msg_seq: u64 = "MsgSeq",
        /// Who pins it: the caller, also when absent.
        pinner: Option<UserId> = "Pinner_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    set(&caller, &request.group_id, request.msg_seq, request.pinner, true).await
}

pub(super) async fn set(
    caller: &Caller,
    group: &GroupId,
    seq: u64,
    named: Option<UserId>,
    pinned: bool,
) -> Outcome<Empty> {
    caller.acting_as(named, ErrorCode::GroupPermissionDenied)?;
    let (node, app, actor) = (caller.node(), caller.app(), Actor::of(caller)?);
    let faces = faces(caller, &actor.user, []).await?;
    pins::set(node, app, group, seq, pinned, &actor, &faces).await?;
    Ok(Empty {})
}
