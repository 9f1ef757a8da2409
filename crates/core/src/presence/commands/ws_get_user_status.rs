//! `im_open_status/ws_get_user_status`: the status of up to 500 users, as those are told who watch them.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Serialize;

use super::{UnknownUser, check_count, encoded, parse_all};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::presence::{self, Seen};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_open_status/ws_get_user_status").gateway().feature_bit(7);

request! {
    pub(crate) struct Request {
        /// 1 to 500 users.
        to_account: Vec<String> = "To_Account",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Users who exist, in the order of the request.
    user_status_list: Vec<UserStatus>,
    /// Users who do not.
    error_list: Vec<UnknownUser>,
}

/// Status of one user.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct UserStatus {
    #[serde(rename = "To_Account")]
    to_account: String,
    /// 1: online, 2: a phone or tablet that lost its connection, 3: not logged in.
    status: u32,
    /// What the user says about himself, base64; may be empty.
    custom_status: String,
}

const USERS_MAX: usize = 500;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    check_count(request.to_account.len(), USERS_MAX)?;
    let (users, mut error_list) = parse_all(request.to_account);
    let seen = presence::all_known(caller.node(), caller.app(), &users).await?;
    let mut user_status_list = Vec::with_capacity(users.len());
    for (user, seen) in users.iter().zip(seen) {
        let to_account = user.to_string();
        match seen {
            Some(Seen { status, custom }) => user_status_list.push(UserStatus {
                to_account,
                status: status.number(),
                custom_status: encoded(&custom),
            }),
            None => error_list.push(UnknownUser::new(to_account)),
        }
    }
    Ok(Response { user_status_list, error_list })
}
