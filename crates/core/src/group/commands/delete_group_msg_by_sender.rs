//! `group_open_http_svc/delete_group_msg_by_sender`: recalls what somebody has sent among the last 1,000 messages of a
//! group. Clients are not told: they see it when they read the history or the conversation list again. A live room has
//! no history, so nothing is done.
//!
//! Callers: administrators.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{GroupId, UserId};

use crate::account::commands::Empty;
use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::group::{self, changes};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/delete_group_msg_by_sender").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// Whose messages. He need not be a member any more, nor exist.
        sender_account: UserId = "Sender_Account" else GroupAccountUnknown,
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Who::Admin(admin) = caller.who() else { return Err(ErrorCode::NotAdmin.into()) };
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let entity = group::group(node, app, id).await?;
    if entity.read(|state| state.rules())?.stored {
        changes::recall_silently(node, app, id, &request.sender_account, admin).await?;
    }
    Ok(Empty {})
}
