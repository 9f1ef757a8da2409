//! `group_open_http_svc/get_group_shutted_uin`: `get_group_muted_account` under its older name.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::UnixSeconds;

use super::get_group_muted_account::{Request, muted};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_shutted_uin").rest();

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    group_id: GroupId,
    /// Mutes that have not ended.
    shutted_uin_list: Vec<Shutted>,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Shutted {
    #[serde(rename = "Member_Account")]
    member_account: UserId,
    shutted_until: UnixSeconds,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (group_id, muted) = muted(&caller, request).await?;
    let muted = muted
        .into_iter()
        .map(|(member_account, shutted_until)| Shutted { member_account, shutted_until });
    Ok(Response { group_id, shutted_uin_list: muted.collect() })
}
