//! `group_open_http_svc/ban_group_member`: puts up to 20 users out of a group, members or not, and keeps them out for
//! a while. They and the group are told. Whatever was asked about them is refused.
//!
//! Callers: administrators, owner and admins; nobody bans the owner.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};

use super::{check_some, distinct, existing, faces, settle, standing};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::bans::Ban;
use crate::group::change_group;
use crate::group::membership::Act;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/ban_group_member")
        .rest()
        .gateway()
        .million()
        .feature_bit(11);

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 20 users.
        members: Vec<UserId> = "Members_Account",
        /// Seconds, at least 1; 4294967295 is for ever.
        duration: u32 = "Duration",
        /// Told to who is banned; at most 1000 bytes.
        description: Option<String> = "Description",
    }
}

pub(super) const MEMBERS_MAX: usize = 20;
const DESCRIPTION_BYTES_MAX: usize = 1_000;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    check_some("Members_Account", request.members.len(), MEMBERS_MAX)?;
    if request.duration == 0 {
        let info = "Duration is 0, at least 1 second is possible".to_owned();
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let description = request.description.unwrap_or_default();
    if description.len() > DESCRIPTION_BYTES_MAX {
        let bytes = description.len();
        let info = format!("Description is {bytes} bytes, at most {DESCRIPTION_BYTES_MAX}");
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let users = distinct(request.members);
    existing(&caller, &users).await?;
    let operator = super::operator(&caller, None)?;
    let faces = faces(&caller, &operator, &users).await?;
    let ban = Ban { seconds: request.duration, description };
    change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        for user in &users {
            state.rules()?.may_ban(standing(&caller, state), state.role(user))?;
        }
        let act = Act { node, group, operator: operator.as_str(), faces: &faces };
        Ok(state.ban(&act, &users, &ban, change)?)
    })
    .await?;
    settle(&caller, id).await?;
    Ok(Empty {})
}
