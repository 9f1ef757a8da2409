//! `group_open_http_svc/get_specified_group_member_info`: up to 50 members by id. Who is no member is left
//! out. Of a live room the owner and the viewers are known.
//!
//! Callers: administrators, members.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};

use super::{check_count, standing};
use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::group;
use crate::group::room::{self, Room};
use crate::group::rules::Standing;
use crate::group::view::{self, Choice, MemberView, Names, Wanted};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_specified_group_member_info")
        .rest()
        .gateway()
        .million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// At most 50.
        members: Vec<UserId> = "Member_List_Account",
        /// Which fields; all when absent.
        member_info_filter: Option<BTreeSet<String>> = "MemberInfoFilter",
        /// Which custom fields. When absent, clients get all, backends as well if they name no fields either.
        app_defined_data: Option<BTreeSet<String>> = "AppDefinedDataFilter_GroupMember",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    member_list: Vec<MemberView>,
}

const MEMBERS_MAX: usize = 50;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    check_count(request.members.len(), MEMBERS_MAX)?;
    let entity = group::group(node, app, id).await?;
    let is_room = entity.read(|state| -> Result<bool, Error> {
        let is_room = room::is_room(state.kind()?);
        let views = |room: Arc<Room>| match caller.who() {
            Who::User(identity) => room.has_viewer(&identity.user, identity.tiny_id),
            Who::Admin(_) | Who::Guest { .. } | Who::System => false,
        };
        let is_stranger = standing(&caller, state) == Standing::Stranger;
        if is_stranger && !app.rooms.find(id).is_some_and(views) {
            return Err(ErrorCode::GroupPermissionDenied.into());
        }
        Ok(is_room)
    })?;
    let wanted = Wanted {
        fields: request.member_info_filter.as_ref(),
        custom: request.app_defined_data.as_ref(),
        names: Names::of(&caller),
    };
    let found = if is_room {
        view::viewers(node, app, id, &request.members).await?
    } else {
        let choice = Choice { users: Some(&request.members), ..Choice::default() };
        view::members(node, app, id, &choice, wanted).await?
    };
    let now = caller.now().seconds();
    let member_list = found.iter().map(|found| MemberView::of(found, wanted, now)).collect();
    Ok(Response { member_list })
}
