//! `openim/querystate`: the older form of `query_online_status`, without platforms.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;

use super::query_online_status::{UnknownAccount, query};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::presence::{Status, overall};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/querystate").rest();

request! {
    pub(crate) struct Request {
        /// 1 to 500 accounts.
        to_account: Vec<String> = "To_Account" else ToAccountInvalid,
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Accounts that exist.
    query_result: Vec<AccountState>,
    /// Accounts that do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error_list: Vec<UnknownAccount>,
}

/// State of one account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct AccountState {
    #[serde(rename = "To_Account")]
    to_account: String,
    state: Status,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (found, error_list) = query(&caller, request.to_account).await?;
    let query_result = found
        .into_iter()
        .map(|(to_account, platforms)| AccountState { to_account, state: overall(&platforms) })
        .collect();
    Ok(Response { query_result, error_list })
}
