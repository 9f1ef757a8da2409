//! `im_open_status/ws_status_unsubscribe`: the caller's device is not told any more when the status of these
//! users changes.
//!
//! Callers: users. Those whom it does not watch are fine.

use schemars::JsonSchema;
use serde::Serialize;

use super::{UnknownUser, WATCHED_MAX, check_count, device, identity, parse_all};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::presence;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_open_status/ws_status_unsubscribe").gateway();

request! {
    pub(crate) struct Request {
        /// 1 to 100 users; not needed with `UnsubscribeAll`.
        to_account: Option<Vec<String>> = "To_Account",
        /// 1: all of them.
        unsubscribe_all: Option<u32> = "UnsubscribeAll",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Ids that no user can have.
    error_list: Vec<UnknownUser>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let identity = identity(&caller)?;
    let (node, app) = (caller.node(), caller.app());
    if request.unsubscribe_all == Some(1) {
        presence::watch(node, app, &device(identity), Vec::clear).await?;
        return Ok(Response { error_list: Vec::new() });
    }
    let accounts = request.to_account.unwrap_or_default();
    check_count(accounts.len(), WATCHED_MAX)?;
    let (users, error_list) = parse_all(accounts);
    presence::watch(node, app, &device(identity), |known| {
        known.retain(|user| !users.contains(user))
    })
    .await?;
    Ok(Response { error_list })
}
