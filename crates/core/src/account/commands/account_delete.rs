//! `im_open_login_svc/account_delete`: deletes up to 100 accounts with their profile, relations,
//! conversations and sessions. Irreversible; the ids may be imported again and then start anew.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;

use super::{NamedAccount, ResultItem, check_batch};
use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;
use crate::robot;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_open_login_svc/account_delete").rest().calls_per_second(100);

request! {
    pub(crate) struct Request {
        /// 1 to 100 accounts.
        delete_item: Vec<NamedAccount> = "DeleteItem",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request; 70107 for an account that does not exist.
    result_item: Vec<ResultItem>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    check_batch(request.delete_item.len(), ErrorCode::AccountBadParameter)?;
    let mut result_item = Vec::with_capacity(request.delete_item.len());
    for NamedAccount { user_id } in request.delete_item {
        let (node, app) = (caller.node(), caller.app());
        let deleted = if user_id.is_robot() {
            robot::delete(node, app, &user_id).await?
        } else {
            account::delete(node, app, &user_id).await?
        };
        let result_code = if deleted { 0 } else { ErrorCode::AccountNotImported.number() };
        let result_info = if deleted { "" } else { "Err_TLS_PT_Open_Login_Account_Not_Exist" };
        let result_info = result_info.to_owned();
        result_item.push(ResultItem { user_id, result_code, result_info, account_status: None });
    }
    Ok(Response { result_item })
}
