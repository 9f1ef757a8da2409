//! `group_open_http_svc/get_group_self_member_info`: groups as the caller sees them, with his own membership.
//!
//! Callers: users. Each group has a result of its own.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::Role;
use teahouse_proto::ids::GroupId;

use super::get_group_info::{Request, Response, result};
use crate::caller::{Caller, Identity, Who};
use crate::conversation;
use crate::error::Outcome;
use crate::group;
use crate::group::room;
use crate::group::rules::Standing;
use crate::group::view::{Filter, GroupView, MemberView, Membership, Names};
use crate::operation::Operation;
use crate::rows::MemberRow;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_self_member_info").gateway().million();

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::CallerNotLoggedIn.into()) };
    let mut group_info = Vec::new();
    for id in request.groups()? {
        group_info.push(result(id, one(&caller, identity, id, request.filter()).await)?);
    }
    Ok(Response::of(group_info))
}

async fn one(
    caller: &Caller,
    identity: &Identity,
    id: &str,
    filter: Option<&Filter>,
) -> Outcome<GroupView> {
    let id = GroupId::parse(id).map_err(|_| ErrorCode::GroupIdInvalid)?;
    let (node, app, user) = (caller.node(), caller.app(), &identity.user);
    let base = Filter::of_group(filter, Names::Old);
    let entity = group::group(node, app, &id).await?;
    let (view, member, muted_until) = entity.read(|state| -> Result<_, Error> {
        let info = state.info()?;
        let member = if room::is_room(info.kind()) {
            let owns = state.room_standing(user, identity.tiny_id) == Standing::Owner;
            let role = if owns { Role::Owner } else { Role::Member };
            let viewer = app.rooms.find(&id).is_some_and(|r| r.has_viewer(user, identity.tiny_id));
            (viewer || owns).then(|| MemberRow { role: role.number(), ..MemberRow::default() })
        } else {
            state.member(user, identity.tiny_id).cloned()
        };
        let member = member.ok_or(ErrorCode::GroupPermissionDenied)?;
        let count = app.rooms.find(&id).map_or(state.members.len(), |room| room.viewers());
        let view = GroupView::of(app, &id, &state.head, info, count as u64, base);
        let muted_until = state.mutes.get(user).copied().unwrap_or_default();
        Ok((view, member, muted_until))
    })?;
    let users = std::slice::from_ref(user);
    let index = conversation::groups::rows_of(node, app, &id, users).await?.pop().flatten();
    let index = index.filter(|row| row.joined_as == member.joined_as);
    let membership = Membership { user: user.clone(), member, muted_until, online: true, index };
    let of_members = Filter::of_members(filter, Names::Old);
    let now = caller.now().seconds();
    let own = MemberView::of(&membership, of_members, now);
    Ok(view.with_members(vec![own]))
}
