//! `group_open_http_svc/get_appid_group_list`: all groups of the app, in the order of their making.
//!
//! Callers: administrators, once a second.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::GroupType;
use teahouse_proto::ids::GroupId;

use crate::caller::Caller;
use crate::directory;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_appid_group_list").rest().calls_per_second(1);

request! {
    pub(crate) struct Request {
        /// Groups wanted, 1 to 10000 (the default).
        limit: Option<u32> = "Limit",
        /// Of the last answer; 0 at first.
        next: Option<u64> = "Next",
        /// Only groups of this type.
        group_type: Option<GroupType> = "GroupType",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// All groups of the app, or of the type.
    total_count: u64,
    /// This page of them.
    group_id_list: Vec<Named>,
    /// Where the next page begins; 0 at the end.
    next: u64,
}

/// One group.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Named {
    group_id: GroupId,
}

const LIMIT_MAX: u32 = 10_000;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app) = (caller.node(), caller.app().id());
    let limit = request.limit.unwrap_or(LIMIT_MAX);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let info = format!("Limit is {limit}, 1 to {LIMIT_MAX} are possible");
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let after = request.next.unwrap_or_default();
    let limit = limit as usize;
    let mut groups = directory::groups(node, app, after, request.group_type, limit + 1).await?;
    let more = groups.len() > limit;
    groups.truncate(limit);
    Ok(Response {
        total_count: directory::count_groups(node, app, request.group_type).await?,
        next: groups.last().filter(|_| more).map_or(0, |(number, _)| *number),
        group_id_list: groups.into_iter().map(|(_, group_id)| Named { group_id }).collect(),
    })
}
