//! `sns/black_list_get`: the users that a user has blocked, by page, in the order of their ids.
//!
//! Callers: administrators for anyone, users for themselves. `StartIndex` 0 in the answer ends the list.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::desk;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::{owner, page};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/black_list_get").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose list.
        from_account: Option<UserId> = "From_Account",
        /// 0 first, then that of the last answer.
        start_index: u32 = "StartIndex",
        /// Entries wanted, at most 1000.
        max_limited: u32 = "MaxLimited",
        /// The list that the caller has already; it is told again.
        last_sequence: Option<u64> = "LastSequence",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    black_list_item: Vec<Blocked>,
    /// Where the next page begins; 0: all are told.
    start_index: usize,
    /// Rises with each change. The protocol spells it so.
    #[serde(rename = "CurruentSequence")]
    current_sequence: u64,
}

/// One blocked user.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Blocked {
    #[serde(rename = "To_Account")]
    to_account: UserId,
    /// Since when, unix seconds.
    add_black_time_stamp: u32,
}

const PAGE_MAX: u32 = 1_000;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let (start, limit) =
        (request.start_index as usize, request.max_limited.clamp(1, PAGE_MAX) as usize);
    let head = desk(&caller, &user).head().await?;
    let through = start.saturating_add(limit).saturating_add(1);
    let blocked = page(caller.node(), caller.app(), &user, Tie::Blocked, None, through).await?;
    let more = blocked.len() == through;
    let item = |(to_account, row): (UserId, crate::rows::TieRow)| Blocked {
        to_account,
        add_black_time_stamp: row.since,
    };
    Ok(Response {
        black_list_item: blocked.into_iter().skip(start).take(limit).map(item).collect(),
        start_index: if more { start + limit } else { 0 },
        current_sequence: head.blocked_seq,
    })
}
