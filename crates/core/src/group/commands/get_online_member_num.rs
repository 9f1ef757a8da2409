//! `group_open_http_svc/get_online_member_num`: how many members of a group are connected, or viewers in a room.
//!
//! Callers: administrators, users.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::GroupId;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::view;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_online_member_num").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Users, each counted once.
    online_member_num: u64,
    /// How long clients may keep the answer, seconds.
    expire_time: u32,
}

/// A room's count is worth asking for often, and cheap.
const EXPIRE_S: u32 = 10;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let online = view::online(caller.node(), caller.app(), &request.group_id).await?;
    Ok(Response { online_member_num: online, expire_time: EXPIRE_S })
}
