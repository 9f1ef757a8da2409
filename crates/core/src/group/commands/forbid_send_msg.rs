//! `group_open_http_svc/forbid_send_msg`: mutes up to 500 users in a group, members or not, or ends that.
//!
//! Callers: administrators.

use teahouse_proto::ids::{GroupId, UserId};

use super::{check_some, distinct, existing, faces, standing};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::change_group;
use crate::group::membership::Act;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/forbid_send_msg").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 500 users.
        members: Vec<UserId> = "Members_Account",
        /// Seconds; 0 ends a mute, 4294967295 is for ever.
        mute_time: u32 = "MuteTime" | "ShutUpTime",
    }
}

const MEMBERS_MAX: usize = 500;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    check_some("Members_Account", request.members.len(), MEMBERS_MAX)?;
    let users = distinct(request.members);
    existing(&caller, &users).await?;
    let operator = super::operator(&caller, None)?;
    let faces = faces(&caller, &operator, &users).await?;
    change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        for user in &users {
            state.rules()?.may_mute(standing(&caller, state), state.role(user))?;
        }
        let act = Act { node, group, operator: operator.as_str(), faces: &faces };
        Ok(state.set_mutes(&act, &users, request.mute_time, change)?)
    })
    .await?;
    Ok(Empty {})
}
