//! `group_open_http_svc/get_group_notify`: `batch_get_group_notify` for one group, as the older client
//! package asks.
//!
//! Callers: users.

use teahouse_proto::error::ErrorCode;

use super::batch_get_group_notify::Changes;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::{named, rows};
use crate::request;
use crate::rows::key::UserRows;

pub(crate) const OPERATION: Operation<Request, Changes> =
    Operation::new("group_open_http_svc/get_group_notify").gateway();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: String = "GroupId",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Changes> {
    let user = caller.acting_as(None, ErrorCode::GroupPermissionDenied)?;
    let joined = rows(caller.node(), caller.app(), &user, UserRows::JoinedGroups).await?;
    if joined.iter().filter_map(named).any(|group| group == request.group_id) {
        return Ok(Changes::none(request.group_id));
    }
    Err(ErrorCode::GroupNotFound.into())
}
