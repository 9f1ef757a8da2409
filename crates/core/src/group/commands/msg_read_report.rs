//! `group_open_http_svc/msg_read_report`: marks a group as read up to a message.
//!
//! Callers: members.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::GroupId;

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/msg_read_report").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The last message that was read.
        msg_readed_seq: u64 = "MsgReadedSeq",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let reader = caller.acting_as(None, ErrorCode::GroupPermissionDenied)?;
    let (seq, origin) = (request.msg_readed_seq, caller.origin());
    conversation::groups::mark_read(node, app, &reader, id, seq, origin).await?;
    Ok(Empty {})
}
