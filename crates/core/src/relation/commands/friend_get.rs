//! `sns/friend_get`: a user's friends, by page, in the order of their ids.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::desk;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::tags::{self, FriendItem, Wanted};
use crate::relation::{owner, page};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/friend_get").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose friends.
        from_account: Option<UserId> = "From_Account",
        /// 0 first, then `NextStartIndex`.
        start_index: u32 = "StartIndex",
        /// The standard data that the caller has already: with a first page, they are left out if nothing has
        /// changed since. (Clients send the number of the first page along with the further ones.)
        standard_sequence: Option<u64> = "StandardSequence",
        /// The same for custom fields.
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
    /// Rises with each change of custom fields.
    custom_sequence: u64,
    /// Friends in all.
    friend_num: u64,
    /// 1: all are told.
    complete_flag: u8,
    /// Where the next page begins; 0: all are told.
    next_start_index: usize,
}

/// One friend.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Friend {
    #[serde(rename = "To_Account")]
    to_account: UserId,
    /// The values that are set.
    value_item: Vec<FriendItem>,
}

const PAGE: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let head = desk(&caller, &user).head().await?;
    let start = request.start_index as usize;
    let is_new = |known: Option<u64>, now| start > 0 || known != Some(now);
    let wanted = Wanted {
        standard: is_new(request.standard_sequence, head.friends_seq),
        custom: is_new(request.custom_sequence, head.custom_seq),
    };
    let mut friends = Vec::new();
    if wanted.standard || wanted.custom {
        let through = start.saturating_add(PAGE).saturating_add(1);
        friends = page(caller.node(), caller.app(), &user, Tie::Friend, None, through).await?;
    }
    let more = friends.len() > start.saturating_add(PAGE);
    let friend =
        |(to_account, row)| Friend { value_item: tags::items(&head, &row, wanted), to_account };
    Ok(Response {
        user_data_item: friends.into_iter().skip(start).take(PAGE).map(friend).collect(),
        standard_sequence: head.friends_seq,
        custom_sequence: head.custom_seq,
        friend_num: head.count(Tie::Friend),
        complete_flag: u8::from(!more),
        next_start_index: if more { start + PAGE } else { 0 },
    })
}
