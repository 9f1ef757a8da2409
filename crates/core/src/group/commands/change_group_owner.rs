//! `group_open_http_svc/change_group_owner`: makes a member the owner; the one before becomes a member.
//!
//! Callers: administrators (also of a group that nobody owns), the owner.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};

use super::{faces, standing};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::change_group;
use crate::group::membership::Act;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/change_group_owner").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// A member.
        new_owner: UserId = "NewOwner_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let operator = super::operator(&caller, None)?;
    let faces = faces(&caller, &operator, [&request.new_owner]).await?;
    change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        state.rules()?.may_transfer(standing(&caller, state))?;
        if !state.members.contains_key(&request.new_owner) {
            let info = format!("{} is not a member of the group", request.new_owner);
            return Err(Error::with(ErrorCode::GroupPermissionDenied, info).into());
        }
        if state.info()?.owner == request.new_owner.as_str() {
            return Ok(());
        }
        let act = Act { node, group, operator: operator.as_str(), faces: &faces };
        Ok(state.transfer(&act, &request.new_owner, change)?)
    })
    .await?;
    Ok(Empty {})
}
