//! `group_open_http_svc/get_group_notify`: `batch_get_group_notify` for one group, as the older client
//! package asks.
//!
//! Callers: users.

use super::batch_get_group_notify::Changes;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Changes> =
    Operation::new("group_open_http_svc/get_group_notify").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: String = "GroupId",
    }
}

pub(crate) async fn run(_: Caller, request: Request) -> Outcome<Changes> {
    Ok(Changes::none(request.group_id))
}
