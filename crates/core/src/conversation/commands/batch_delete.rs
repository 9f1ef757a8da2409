//! `recentcontact/batch_delete`: takes up to 100 conversations out of the caller's list, and with
//! `ClearRamble` their history out of the caller's view.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::{Chosen, ContactItem, check_count, owner};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/batch_delete").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 100 conversations.
        contact_item: Vec<ContactItem> = "ContactItem",
        /// 1: the history goes too.
        clear_ramble: Option<u32> = "ClearRamble",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request. A conversation that is not in the list is deleted already.
    result_item: Vec<ResultItem>,
}

/// What became of one conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ResultItem {
    #[serde(rename = "Type")]
    kind: u32,
    #[serde(rename = "To_Account", skip_serializing_if = "Option::is_none")]
    to_account: Option<UserId>,
    #[serde(rename = "ToGroupid", skip_serializing_if = "Option::is_none")]
    to_group_id: Option<String>,
    result_code: i32,
    result_info: &'static str,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    check_count(request.contact_item.len())?;
    let chosen = Chosen::of(&request.contact_item)?;
    chosen.delete(&caller, &user, request.clear_ramble == Some(1)).await?;
    let done = |item: ContactItem| ResultItem {
        kind: item.kind,
        to_account: item.to_account,
        to_group_id: item.to_group_id,
        result_code: 0,
        result_info: "",
    };
    Ok(Response { result_item: request.contact_item.into_iter().map(done).collect() })
}
