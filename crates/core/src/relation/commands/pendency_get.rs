//! `sns/pendency_get`: a user's friend requests, received and sent.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::ids::UserId;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::{named, owner, rows};
use crate::request;
use crate::rows::key::UserRows;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/pendency_get").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// Which requests.
        pendency_type: Kind = "PendencyType",
        /// Of the last answer; 0 first.
        start_time: Option<u64> = "StartTime",
        /// Entries wanted.
        max_limited: Option<u32> = "MaxLimited",
        /// The list that the caller has already.
        last_sequence: Option<u64> = "LastSequence",
    }
}

/// Which requests.
#[derive(Debug, Deserialize, JsonSchema)]
enum Kind {
    #[serde(rename = "Pendency_Type_ComeIn")]
    Received,
    #[serde(rename = "Pendency_Type_SendOut")]
    Sent,
    #[serde(rename = "Pendency_Type_Both")]
    Both,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    pendency_item: Vec<FriendRequest>,
    unread_pendency_count: usize,
    /// Where the next page begins; 0: all are told.
    start_time: u64,
    /// Rises with each change.
    last_sequence: u64,
}

/// One friend request.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct FriendRequest {
    #[serde(rename = "To_Account")]
    to_account: String,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let requests = rows(caller.node(), caller.app(), &user, UserRows::FriendRequests).await?;
    let request = |name: &str| FriendRequest { to_account: name.to_owned() };
    Ok(Response {
        pendency_item: requests.iter().filter_map(named).map(request).collect(),
        unread_pendency_count: requests.len(),
        start_time: 0,
        last_sequence: 0,
    })
}
