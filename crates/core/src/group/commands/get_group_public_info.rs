//! `group_open_http_svc/get_group_public_info`: what anybody may know of groups that can be found by their id.
//!
//! Callers: users. Each group has a result of its own.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::GroupId;

use super::get_group_info::{Request, Response, result};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group;
use crate::group::view::{self, Filter, GroupView, Names};
use crate::operation::Operation;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_public_info").gateway().million();

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let mut group_info = Vec::new();
    for id in request.groups()? {
        group_info.push(result(id, one(&caller, id, request.filter()).await)?);
    }
    Ok(Response::of(group_info))
}

async fn one(caller: &Caller, id: &str, filter: Option<&Filter>) -> Outcome<GroupView> {
    let id = GroupId::parse(id).map_err(|_| ErrorCode::GroupIdInvalid)?;
    let app = caller.app();
    let base = Filter::of_group(filter, Names::Old);
    let entity = group::group(caller.node(), app, &id).await?;
    let view = entity.read(|state| -> Result<GroupView, Error> {
        view::check_found(state)?;
        let count = app.rooms.find(&id).map_or(state.members.len(), |room| room.viewers());
        Ok(GroupView::of(app, &id, &state.head, state.info()?, count as u64, base))
    });
    Ok(view?)
}
