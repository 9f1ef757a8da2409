//! `group_open_http_svc/quit_group`: leaves a group; a live room with the device that asks.
//!
//! Callers: members. An owner leaves only where a group may be without one.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::Role;
use teahouse_proto::ids::GroupId;
use teahouse_proto::push::TipKind;

use super::{faces, settle};
use crate::account::commands::Empty;
use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::group::membership::{Act, Moving};
use crate::group::rules::Standing;
use crate::group::{change_group, room};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/quit_group").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::CallerNotLoggedIn.into()) };
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let user = &identity.user;
    let faces = faces(&caller, user, []).await?;
    let is_room = change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        let rules = state.rules()?;
        if room::is_room(group.kind) {
            let owns = state.room_standing(user, identity.tiny_id) == Standing::Owner;
            rules.may_quit(if owns { Role::Owner } else { Role::Member })?;
            return Ok(true);
        }
        let member = state.member(user, identity.tiny_id);
        let member = member.ok_or(ErrorCode::GroupPermissionDenied)?;
        rules.may_quit(member.role().unwrap_or(Role::Member))?;
        let act = Act { node, group, operator: user.as_str(), faces: &faces };
        let how = Moving {
            kind: TipKind::Quit,
            tip: true,
            notice: true,
            reason: "",
            origin: caller.origin(),
        };
        state.leave(&act, std::slice::from_ref(user), &how, change)?;
        Ok(false)
    })
    .await?;
    if !is_room {
        settle(&caller, id).await?;
        return Ok(Empty {});
    }
    if !room::leave(node, app, user, identity.inst_id, id) {
        let info = "you are not in this room".to_owned();
        return Err(Error::with(ErrorCode::GroupPermissionDenied, info).into());
    }
    room::note(node, app, user, identity.inst_id, id, false).await?;
    Ok(Empty {})
}
