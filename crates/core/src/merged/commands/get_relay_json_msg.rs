//! `im_long_msg/get_relay_json_msg`: the list of merged messages under a key.
//!
//! Callers: users who have the key: it came to them in a message, and goes with it where they forward that.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::error::ErrorCode;
use teahouse_store::ReadError;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::merged;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_long_msg/get_relay_json_msg").gateway();

request! {
    pub(crate) struct Request {
        /// From the element `TIMRelayElem`.
        json_msg_key: String = "JsonMsgKey",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// As it was saved.
    #[schemars(with = "Vec<serde_json::Value>")]
    msg_list: Box<RawValue>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    caller.acting_as(None, ErrorCode::RequestIllegal)?;
    let key = request.json_msg_key.parse().map_err(|()| ErrorCode::MessageKeyInvalid)?;
    let list = merged::load(caller.node(), caller.app(), key).await?;
    let list = list.ok_or(ErrorCode::MessageUnknown)?;
    let msg_list = RawValue::from_string(list)
        .map_err(|problem| ReadError::Corrupt(format!("a merged list: {problem}")))?;
    Ok(Response { msg_list })
}
