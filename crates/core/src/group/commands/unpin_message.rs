//! `group_open_http_svc/unpin_message`: takes a message of a group off the pinned ones. All members are told. One that is
//! not pinned stays so.
//!
//! Callers: owner and admins, in a group of type Private all members.

use teahouse_proto::ids::{GroupId, UserId};

use super::pin_message::set;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/unpin_message").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The message.
        msg_seq: u64 = "MsgSeq",
        /// Who unpins it: the caller, also when absent.
        unpinner: Option<UserId> = "UnPinner_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    set(&caller, &request.group_id, request.msg_seq, request.unpinner, false).await
}
