//! `group_open_http_svc/destroy_group`: dismisses a group. All members are told; its id is free again.
//!
//! Callers: administrators; the owner, where the type of group allows it.

use teahouse_proto::ids::GroupId;

use super::standing;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::change_group;
use crate::group::membership::Dismissal;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/destroy_group").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let operator = super::operator(&caller, None)?;
    change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        state.rules()?.may_dismiss(standing(&caller, state))?;
        state.dismiss(node, &group, Dismissal::By(operator.as_str()), change);
        Ok(())
    })
    .await?;
    Ok(Empty {})
}
