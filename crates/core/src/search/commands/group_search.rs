//! `group_search/query`: groups whose id or name has the keywords: those that the caller is in, and among all that
//! strangers may find the ones that a keyword names by their id.
//!
//! Callers: users.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::group::{ApplyJoinOption, GroupType, InviteJoinOption};
use teahouse_proto::ids::{GroupId, UserId};

use super::{FoundGroup, is_wanted, number};
use crate::app::App;
use crate::caller::{Caller, Who};
use crate::conversation::groups;
use crate::error::Outcome;
use crate::group;
use crate::group::{room, rules};
use crate::node::Node;
use crate::operation::Operation;
use crate::request;
use crate::rows::GroupInfoRow;
use crate::search::{Query, count};

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_search/query").gateway().feature_bit(1);

request! {
    pub(crate) struct Request {
        /// 1 to 5 of 1 to 100 bytes each; letters are the same in either case.
        keywords: Vec<String> = "Keywords",
        /// 0: one of the keywords is enough, 1: all are wanted.
        match_type: Option<u32> = "KeywordMatchType",
        /// Only groups of these types.
        types: Option<Vec<GroupType>> = "GroupType",
        /// Groups wanted, 1 to 100; 20 when absent.
        count: Option<u32> = "Count",
        /// Of the last answer; empty at first.
        cursor: Option<String> = "Cursor",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// All groups that were found.
    total_count: usize,
    /// Where the next page begins; empty at the end.
    cursor: String,
    /// This page of them: those that were named by their id first, then by id.
    groups: Vec<Found>,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(flatten)]
    group: FoundGroup,
    group_introduction: String,
    #[serde(rename = "GroupOwnerUserID")]
    group_owner: String,
    group_member_num: usize,
    group_add_option: ApplyJoinOption,
    group_invite_option: InviteJoinOption,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::CallerNotLoggedIn.into()) };
    let (node, app) = (caller.node(), caller.app());
    let query = Query::new(&request.keywords, request.match_type)?;
    let count = count(request.count)?;
    let skip = number(request.cursor.as_deref())?;
    let mut found = named(node, app, &request, &query).await?;
    let known: BTreeSet<GroupId> = found.iter().map(|(id, _)| id.clone()).collect();
    let own = own(node, app, &identity.user, &query).await?;
    let own = own.into_iter().filter(|(id, info)| {
        !known.contains(id) && is_wanted(info.kind(), request.types.as_deref())
    });
    found.extend(own);
    let total_count = found.len();
    let mut groups = Vec::new();
    for (id, info) in found.into_iter().skip(skip).take(count) {
        groups.push(view(node, app, id, info).await?);
    }
    let next = skip.saturating_add(groups.len());
    let cursor = if next < total_count { next.to_string() } else { String::new() };
    Ok(Response { total_count, cursor, groups })
}

/// Groups that keywords name by their ids, if strangers may find them.
async fn named(
    node: &Node,
    app: &App,
    request: &Request,
    query: &Query,
) -> Outcome<Vec<(GroupId, GroupInfoRow)>> {
    let ids: BTreeSet<GroupId> =
        request.keywords.iter().filter_map(|word| GroupId::parse(word).ok()).collect();
    let mut found = Vec::new();
    for id in ids {
        let info = group::group(node, app, &id).await?.read(|state| state.info().ok().cloned());
        let Some(info) = info else { continue };
        let may_be_found =
            rules::of(info.kind()).found_by_id && is_wanted(info.kind(), request.types.as_deref());
        if may_be_found && query.finds(&[id.as_str(), &info.name]) {
            found.push((id, info));
        }
    }
    Ok(found)
}

/// Groups that the caller is in.
async fn own(
    node: &Node,
    app: &App,
    user: &UserId,
    query: &Query,
) -> Outcome<Vec<(GroupId, GroupInfoRow)>> {
    let mut summaries = groups::summaries(node, app, user).await?;
    summaries.retain(|summary| {
        summary.is_visible_to(user) && query.finds(&[summary.group.as_str(), &summary.info.name])
    });
    Ok(summaries.into_iter().map(|summary| (summary.group, summary.info)).collect())
}

async fn view(node: &Node, app: &App, id: GroupId, info: GroupInfoRow) -> Outcome<Found> {
    let group_member_num = if room::is_room(info.kind()) {
        app.rooms.find(&id).map_or(0, |room| room.viewers())
    } else {
        group::group(node, app, &id).await?.read(|state| state.members.len())
    };
    Ok(Found {
        group_introduction: info.introduction.clone(),
        group_owner: info.owner.clone(),
        group_member_num,
        group_add_option: info.apply_option(),
        group_invite_option: info.invite_option(),
        group: FoundGroup::of(id, info),
    })
}
