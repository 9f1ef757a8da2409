//! `group_open_http_svc/get_group_public_info`: what anybody may know of groups that can be found by their id.
//!
//! Callers: users. Each group has a result of its own.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::GroupId;

use super::get_group_info::check_groups;
use crate::caller::Caller;
use crate::error::{Failure, Outcome};
use crate::group;
use crate::group::view::{self, Filter, GroupView, Names};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_public_info").gateway().million();

request! {
    pub(crate) struct Request {
        /// 1 to 50 groups.
        group_id_list: Vec<String> = "GroupIdList",
        /// Which fields; all when absent.
        response_filter: Option<Filter> = "ResponseFilter",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    group_info: Vec<GroupView>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    check_groups(&request.group_id_list)?;
    let mut group_info = Vec::new();
    for id in &request.group_id_list {
        group_info.push(match one(&caller, id, request.response_filter.as_ref()).await {
            Ok(view) => view,
            Err(Failure::Refused(error)) => GroupView::refused(id, &error),
            Err(failure) => return Err(failure),
        });
    }
    Ok(Response { group_info })
}

async fn one(caller: &Caller, id: &str, filter: Option<&Filter>) -> Outcome<GroupView> {
    let id = GroupId::parse(id).map_err(|_| ErrorCode::GroupIdInvalid)?;
    let app = caller.app();
    let base = filter.and_then(|filter| filter.group_base_info_filter.as_ref());
    let entity = group::group(caller.node(), app, &id).await?;
    let view = entity.read(|state| -> Result<GroupView, Error> {
        view::check_found(state)?;
        let count = app.rooms.find(&id).map_or(state.members.len(), |room| room.viewers());
        Ok(GroupView::of(app, &id, &state.head, state.info()?, count as u64, base, Names::Old))
    });
    Ok(view?)
}
