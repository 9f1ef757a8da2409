//! `im_open_login_svc/account_check`: says which of up to 100 accounts exist.
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

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_open_login_svc/account_check").rest().calls_per_second(100);

request! {
    pub(crate) struct Request {
        /// 1 to 100 accounts.
        check_item: Vec<NamedAccount> = "CheckItem",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    result_item: Vec<ResultItem>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    check_batch(request.check_item.len(), ErrorCode::AccountBadParameter)?;
    let mut result_item = Vec::with_capacity(request.check_item.len());
    for NamedAccount { user_id } in request.check_item {
        let exists = account::tiny_id(caller.node(), caller.app(), &user_id).await?.is_some();
        result_item.push(ResultItem {
            user_id,
            result_code: 0,
            result_info: String::new(),
            account_status: Some(if exists { "Imported" } else { "NotImported" }),
        });
    }
    Ok(Response { result_item })
}
