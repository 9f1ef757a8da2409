//! `sns/group_get`: a user's friend groups.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::{named, owner, rows};
use crate::request;
use crate::rows::key::UserRows;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/group_get").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose groups.
        from_account: Option<UserId> = "From_Account",
        /// The list that the caller has already.
        last_sequence: Option<u64> = "LastSequence",
        /// Only these groups; all when absent.
        group_name: Option<Vec<String>> = "GroupName",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    result_item: Vec<FriendGroup>,
    /// Rises with each change.
    current_sequence: u64,
}

/// One friend group.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct FriendGroup {
    group_name: String,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let groups = rows(caller.node(), caller.app(), &user, UserRows::FriendGroups).await?;
    let wanted = |name: &&str| {
        request.group_name.as_ref().is_none_or(|names| names.iter().any(|wanted| wanted == name))
    };
    let group = |name: &str| FriendGroup { group_name: name.to_owned() };
    Ok(Response {
        result_item: groups.iter().filter_map(named).filter(wanted).map(group).collect(),
        current_sequence: 0,
    })
}
