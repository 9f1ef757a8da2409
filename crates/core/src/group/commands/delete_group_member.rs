//! `group_open_http_svc/delete_group_member`: removes up to 100 members. Who is no member is skipped.
//!
//! Callers: administrators, owner, admins (ordinary members only).

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::Role;
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::push::TipKind;

use super::{check_some, distinct, faces, settle, standing};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::membership::{Act, Moving};
use crate::group::{change_group, room};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/delete_group_member").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 100 members.
        members: Vec<UserId> = "MemberToDel_Account",
        /// 1: the group is not told; who is removed is.
        silence: Option<u32> = "Silence",
        /// Told to who is removed.
        reason: Option<String> = "Reason",
    }
}

const MEMBERS_MAX: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    check_some("MemberToDel_Account", request.members.len(), MEMBERS_MAX)?;
    let users = distinct(request.members);
    let operator = super::operator(&caller, None)?;
    let faces = faces(&caller, &operator, &users).await?;
    change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        if room::is_room(group.kind) {
            let info = "viewers of a live room are not removed".to_owned();
            return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
        }
        let (rules, who) = (state.rules()?, standing(&caller, state));
        let mut leaving = Vec::new();
        for user in &users {
            let Some(member) = state.members.get(user) else { continue };
            rules.may_kick(who, member.role().unwrap_or(Role::Member))?;
            leaving.push(user.clone());
        }
        // Whoever may remove nobody is told so, though there is nobody to remove.
        rules.may_kick(who, Role::Member)?;
        if leaving.is_empty() {
            return Ok(());
        }
        let act = Act { node, group, operator: operator.as_str(), faces: &faces };
        let how = Moving {
            kind: TipKind::Kicked,
            tip: request.silence != Some(1),
            notice: true,
            reason: request.reason.as_deref().unwrap_or_default(),
            origin: None,
        };
        Ok(state.leave(&act, &leaving, &how, change)?)
    })
    .await?;
    settle(&caller, id).await?;
    Ok(Empty {})
}
