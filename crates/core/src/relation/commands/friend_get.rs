//! `sns/friend_get`: a user's friends, by page.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::profile::ProfileItem;
use crate::relation::{named, owner, rows};
use crate::request;
use crate::rows::key::UserRows;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/friend_get").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose friends.
        from_account: Option<UserId> = "From_Account",
        /// 0 first, then `NextStartIndex`.
        start_index: u32 = "StartIndex",
        /// The standard data that the caller has already.
        standard_sequence: Option<u64> = "StandardSequence",
        /// The custom data that the caller has already.
        custom_sequence: Option<u64> = "CustomSequence",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    user_data_item: Vec<Friend>,
    /// Rises with each change of standard data.
    standard_sequence: u64,
    /// Rises with each change of custom data.
    custom_sequence: u64,
    friend_num: usize,
    /// 1: all are told.
    complete_flag: u8,
    next_start_index: usize,
}

/// One friend.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Friend {
    #[serde(rename = "To_Account")]
    to_account: String,
    value_item: Vec<ProfileItem>,
}

const PAGE: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let friends = rows(caller.node(), caller.app(), &user, UserRows::Friends).await?;
    let start = request.start_index as usize;
    let more = friends.len() > start.saturating_add(PAGE);
    let friend = |name: &str| Friend { to_account: name.to_owned(), value_item: Vec::new() };
    Ok(Response {
        user_data_item: friends
            .iter()
            .filter_map(named)
            .map(friend)
            .skip(start)
            .take(PAGE)
            .collect(),
        standard_sequence: 0,
        custom_sequence: 0,
        friend_num: friends.len(),
        complete_flag: u8::from(!more),
        next_start_index: if more { start + PAGE } else { 0 },
    })
}
