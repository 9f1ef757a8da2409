//! `group_open_http_svc/get_joined_group_list`: the groups that a user is in.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::{named, rows};
use crate::request;
use crate::rows::key::UserRows;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_joined_group_list").gateway().million();

request! {
    pub(crate) struct Request {
        /// The caller.
        member_account: Option<UserId> = "Member_Account",
        /// Groups wanted.
        limit: Option<u32> = "Limit",
        /// Groups to skip.
        offset: Option<u32> = "Offset",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// All groups of the user.
    total_count: usize,
    /// This page of them.
    group_id_list: Vec<JoinedGroup>,
}

/// One group.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct JoinedGroup {
    group_id: String,
}

const PAGE_MAX: u32 = 5_000;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = caller.acting_as(request.member_account, ErrorCode::GroupPermissionDenied)?;
    let joined = rows(caller.node(), caller.app(), &user, UserRows::JoinedGroups).await?;
    let group = |id: &str| JoinedGroup { group_id: id.to_owned() };
    Ok(Response {
        total_count: joined.len(),
        group_id_list: joined
            .iter()
            .filter_map(named)
            .map(group)
            .skip(request.offset.unwrap_or_default() as usize)
            .take(request.limit.unwrap_or(PAGE_MAX).min(PAGE_MAX) as usize)
            .collect(),
    })
}
