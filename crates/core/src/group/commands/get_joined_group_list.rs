//! `group_open_http_svc/get_joined_group_list`: the groups that a user is in.
//!
//! Callers: administrators for everybody, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::GroupType;
use teahouse_proto::ids::UserId;

use super::check_size;
use crate::account;
use crate::caller::Caller;
use crate::conversation::groups::{self, GroupSummary};
use crate::error::Outcome;
use crate::group;
use crate::group::view::{Filter, GroupView, MemberView, Membership, Names, Wanted};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_joined_group_list").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The user; clients: the caller.
        member_account: Option<UserId> = "Member_Account",
        /// Groups wanted, at most 5000; all when absent.
        limit: Option<u32> = "Limit",
        /// Groups to skip.
        offset: Option<u32> = "Offset",
        /// Only groups of this type.
        group_type: Option<GroupType> = "GroupType",
        /// 1: also groups of type Private in which nothing was said yet.
        with_inactive: Option<u32> = "WithNoActiveGroups",
        /// Live rooms are joined by devices, and listed for nobody.
        with_rooms: Option<u32> = "WithHugeGroups",
        /// Only communities with (1) or without (0) topics.
        support_topic: Option<u32> = "SupportTopic",
        /// Clients: 1 for all custom fields of the groups.
        with_custom: Option<u32> = "NeedAppDefineData",
        /// Which fields; only the ids when absent.
        response_filter: Option<Filter> = "ResponseFilter",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// All groups of the user.
    total_count: usize,
    /// This page of them.
    group_id_list: Vec<GroupView>,
}

const PAGE_MAX: u32 = 5_000;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    if caller.is_admin() && request.member_account.is_none() {
        let info = "Member_Account is missing".to_owned();
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let user =
        caller.acting_as(request.member_account.clone(), ErrorCode::GroupPermissionDenied)?;
    let (node, app) = (caller.node(), caller.app());
    account::existing(node, app, &user, ErrorCode::GroupAccountUnknown).await?;
    let mut joined = groups::summaries(node, app, &user).await?;
    joined.retain(|summary| is_wanted(&request, &user, summary));
    let total_count = joined.len();
    let limit = request.limit.unwrap_or(PAGE_MAX).min(PAGE_MAX) as usize;
    let offset = request.offset.unwrap_or_default() as usize;
    let mut group_id_list = Vec::new();
    for summary in joined.into_iter().skip(offset).take(limit) {
        group_id_list.push(view(&caller, &request, &user, summary).await?);
    }
    let response = Response { total_count, group_id_list };
    check_size(&response)?;
    Ok(response)
}

fn is_wanted(request: &Request, user: &UserId, summary: &GroupSummary) -> bool {
    let kind = summary.info.kind();
    let topics = request.support_topic.filter(|_| kind == GroupType::Community);
    request.group_type.is_none_or(|wanted| wanted == kind)
        && (request.with_inactive == Some(1) || summary.is_visible_to(user))
        && topics.is_none_or(|topics| (topics == 1) == summary.info.supports_topics)
}

async fn view(
    caller: &Caller,
    request: &Request,
    user: &UserId,
    summary: GroupSummary,
) -> Outcome<GroupView> {
    let (node, app, names) = (caller.node(), caller.app(), Names::of(caller));
    let nothing = std::collections::BTreeSet::new();
    let filter = request.response_filter.as_ref();
    let base = Filter::of_group(filter, names);
    let fields = base.fields.unwrap_or(&nothing);
    let custom = base.custom.or((request.with_custom != Some(1)).then_some(&nothing));
    let base = Wanted { fields: Some(fields), custom, names };
    let of_self = filter.and_then(|filter| filter.self_info_filter.as_ref());
    let (count, muted_until) = if fields.contains("MemberNum") || of_self.is_some() {
        let entity = group::group(node, app, &summary.group).await?;
        entity.read(|state| {
            let until = state.mutes.get(user).copied().unwrap_or_default();
            (state.members.len() as u64, until)
        })
    } else {
        (0, 0)
    };
    let GroupSummary { group, mut row, head, info, member, .. } = summary;
    row.read_seq = row.read_through(&head);
    let view = GroupView::of(app, &group, &head, &info, count, base).without_result();
    let Some(of_self) = of_self else {
        return Ok(view);
    };
    let online = node.hub().is_online(app.id(), user);
    let membership =
        Membership { user: user.clone(), member, muted_until, online, index: Some(row) };
    let now = caller.now().seconds();
    let of_self = Wanted { fields: Some(of_self), ..Filter::of_members(filter, names) };
    Ok(view.with_self(MemberView::of(&membership, of_self, now)))
}
