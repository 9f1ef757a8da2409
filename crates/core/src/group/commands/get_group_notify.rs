//! `group_open_http_svc/get_group_notify`: `batch_get_group_notify` for one group, as the older client
//! package asks.
//!
//! Callers: members.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::GroupId;

use super::batch_get_group_notify::Changes;
use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::group;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Changes> =
    Operation::new("group_open_http_svc/get_group_notify").gateway();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Changes> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::CallerNotLoggedIn.into()) };
    let entity = group::group(caller.node(), caller.app(), &request.group_id).await?;
    entity.read(|state| -> Result<(), Error> {
        state.info()?;
        let member = state.member(&identity.user, identity.tiny_id);
        member.map(|_| ()).ok_or_else(|| ErrorCode::GroupPermissionDenied.into())
    })?;
    Ok(Changes::none(request.group_id.to_string()))
}
