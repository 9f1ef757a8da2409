//! `group_open_http_svc/clear_group_msg`: hides the history of a group from its members. What was unread of it does not
//! count any more. Backends still read it.
//!
//! Callers: administrators. Communities do not have this. A live room forgets what a device that comes back would get.

use teahouse_proto::error::Error;
use teahouse_proto::group::GroupType;
use teahouse_proto::ids::GroupId;

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::{self, changes, room};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/clear_group_msg").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The last message that is hidden; all that there are when absent.
        msg_seq: Option<u64> = "MsgSeq",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let entity = group::group(node, app, id).await?;
    let kind = entity.read(|state| -> Result<GroupType, Error> {
        let rules = state.rules()?;
        rules.offers(rules.kind != GroupType::Community)?;
        Ok(rules.kind)
    })?;
    if room::is_room(kind) {
        room::clear(app, id, request.msg_seq);
    } else {
        changes::clear(node, app, id, request.msg_seq).await?;
    }
    Ok(Empty {})
}
