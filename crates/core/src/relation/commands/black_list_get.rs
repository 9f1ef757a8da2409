//! `sns/black_list_get`: the users that a user has blocked, by page.
//!
//! Callers: administrators for anyone, users for themselves. `StartIndex` 0 in the answer ends the list.

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
    Operation::new("sns/black_list_get").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose list.
        from_account: Option<UserId> = "From_Account",
        /// 0 first, then that of the last answer.
        start_index: u32 = "StartIndex",
        /// Entries wanted.
        max_limited: u32 = "MaxLimited",
        /// The list that the caller has already.
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
    to_account: String,
}

const PAGE_MAX: u32 = 1_000;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let blocked = rows(caller.node(), caller.app(), &user, UserRows::Blocked).await?;
    let (start, page) =
        (request.start_index as usize, request.max_limited.clamp(1, PAGE_MAX) as usize);
    let more = blocked.len() > start.saturating_add(page);
    Ok(Response {
        black_list_item: blocked
            .iter()
            .filter_map(named)
            .skip(start)
            .take(page)
            .map(|name| Blocked { to_account: name.to_owned() })
            .collect(),
        start_index: if more { start + page } else { 0 },
        current_sequence: 0,
    })
}
