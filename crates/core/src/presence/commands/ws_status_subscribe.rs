//! `im_open_status/ws_status_subscribe`: from now on the caller's device is told when the status of these users
//! changes.
//!
//! Callers: users. It holds for the device, also after a reconnect, until it logs out. When a device watches more
//! users than it may, those whom it has watched longest go.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::{UnknownUser, WATCHED_MAX, check_count, device, identity, parse_all};
use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::presence;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_open_status/ws_status_subscribe").gateway();

request! {
    pub(crate) struct Request {
        /// 1 to 100 users.
        to_account: Vec<String> = "To_Account",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Users who do not exist; the others are watched.
    error_list: Vec<UnknownUser>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let identity = identity(&caller)?;
    check_count(request.to_account.len(), WATCHED_MAX)?;
    let (users, mut error_list) = parse_all(request.to_account);
    let (node, app) = (caller.node(), caller.app());
    let exist = account::tiny_ids(node, app, &users).await?;
    let mut watched: Vec<UserId> = Vec::with_capacity(users.len());
    for (user, tiny_id) in users.into_iter().zip(exist) {
        match tiny_id {
            Some(_) => watched.push(user),
            None => error_list.push(UnknownUser::new(user.to_string())),
        }
    }
    presence::watch(node, app, &device(identity), |known| {
        for user in &watched {
            known.retain(|other| other != user);
            known.push(user.clone());
        }
    })
    .await?;
    Ok(Response { error_list })
}
