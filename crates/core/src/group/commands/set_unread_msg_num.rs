//! `group_open_http_svc/set_unread_msg_num`: says how many of a group's messages a member has not read, for
//! groups that come from another system.
//!
//! Callers: administrators. The last messages are the unread ones. Nobody is told, no webhook is called. In groups
//! whose messages are never unread nothing happens, and the answer is the same.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{GroupId, UserId};

use crate::account;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::group;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/set_unread_msg_num").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// A member.
        member_account: UserId = "Member_Account",
        /// More than the messages that the member may see means all of those.
        unread_msg_num: u32 = "UnreadMsgNum",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app) = (caller.node(), caller.app());
    let (id, member) = (&request.group_id, &request.member_account);
    let rules = group::group(node, app, id).await?.read(|state| state.rules())?;
    account::existing(node, app, member, ErrorCode::GroupAccountUnknown).await?;
    if rules.unread {
        let unread = request.unread_msg_num.into();
        conversation::groups::set_unread(node, app, member, id, unread).await?;
    }
    Ok(Empty {})
}
