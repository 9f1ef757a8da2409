//! `group_open_http_svc/unban_group_member`: lets up to 20 users who were banned come into a group again.
//!
//! Callers: administrators.

use teahouse_proto::ids::{GroupId, UserId};

use super::ban_group_member::MEMBERS_MAX;
use super::{check_some, distinct, faces};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::change_group;
use crate::group::membership::Act;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/unban_group_member").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 20 users; who is not banned is ignored.
        members: Vec<UserId> = "Members_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    check_some("Members_Account", request.members.len(), MEMBERS_MAX)?;
    let users = distinct(request.members);
    let operator = super::operator(&caller, None)?;
    let faces = faces(&caller, &operator, &users).await?;
    change_group(node, app, id, |state, change| {
        let rules = state.rules()?;
        rules.offers(rules.ban)?;
        let group = state.reference(app.id(), id)?;
        let act = Act { node, group, operator: operator.as_str(), faces: &faces };
        state.unban(&act, &users, change);
        Ok(())
    })
    .await?;
    Ok(Empty {})
}
