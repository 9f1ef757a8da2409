//! `group_open_http_svc/get_group_info`: up to 50 groups, with their members if asked.
//!
//! Callers: administrators. Each group has a result of its own.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::GroupId;

use super::check_size;
use crate::caller::Caller;
use crate::error::{Failure, Outcome};
use crate::group::view::{self, Choice, Filter, GroupView, MemberView, Names, Wanted};
use crate::group::{self, room};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_info").rest();

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

const GROUPS_MAX: usize = 50;
/// More members than this do not fit into an answer.
const MEMBERS_MAX: usize = 10_000;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let mut group_info = Vec::new();
    for id in request.groups()? {
        group_info.push(result(id, one(&caller, id, request.filter()).await)?);
    }
    let response = Response::of(group_info);
    check_size(&response)?;
    Ok(response)
}

impl Request {
    /// The groups.
    ///
    /// # Errors
    /// There are none, or too many.
    pub(super) fn groups(&self) -> Result<&[String], Error> {
        let count = self.group_id_list.len();
        if (1..=GROUPS_MAX).contains(&count) {
            return Ok(&self.group_id_list);
        }
        let info = format!("GroupIdList has {count} groups, 1 to {GROUPS_MAX} are possible");
        Err(Error::with(ErrorCode::GroupBadParameter, info))
    }

    pub(super) fn filter(&self) -> Option<&Filter> {
        self.response_filter.as_ref()
    }
}

impl Response {
    pub(super) fn of(group_info: Vec<GroupView>) -> Self {
        Self { group_info }
    }
}

/// A refusal is the group's result, and does not keep the others from theirs.
pub(super) fn result(id: &str, outcome: Outcome<GroupView>) -> Outcome<GroupView> {
    match outcome {
        Err(Failure::Refused(error)) => Ok(GroupView::refused(id, &error)),
        outcome => outcome,
    }
}

async fn one(caller: &Caller, id: &str, filter: Option<&Filter>) -> Outcome<GroupView> {
    let id = GroupId::parse(id).map_err(|_| ErrorCode::GroupIdInvalid)?;
    let (node, app) = (caller.node(), caller.app());
    // A filter that is there but does not speak of something leaves it out.
    let nothing = std::collections::BTreeSet::new();
    let base = Filter::of_group(filter, Names::New);
    let base = Wanted { fields: base.fields.or(filter.map(|_| &nothing)), ..base };
    let entity = group::group(node, app, &id).await?;
    let (view, is_room, members) = entity.read(|state| -> Result<_, Error> {
        let info = state.info()?;
        let count = state.members.len();
        let view = GroupView::of(app, &id, &state.head, info, count as u64, base);
        Ok((view, room::is_room(info.kind()), count))
    })?;
    let members_wanted = filter.is_none_or(|filter| filter.member_info_filter.is_some());
    if is_room {
        return Ok(view.without_member_num());
    }
    if !members_wanted {
        return Ok(view);
    }
    if members > MEMBERS_MAX {
        return Err(ErrorCode::MembersNeedPaging.into());
    }
    let of_members = Filter::of_members(filter, Names::New);
    let found = view::members(node, app, &id, &Choice::default(), of_members).await?;
    let now = caller.now().seconds();
    let shown = found.iter().map(|found| MemberView::of(found, of_members, now));
    Ok(view.with_members(shown.collect()))
}
