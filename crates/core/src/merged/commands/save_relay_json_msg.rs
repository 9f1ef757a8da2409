//! `im_long_msg/save_relay_json_msg`: stores a list of merged messages that is too long for one message. It is
//! kept as long as messages are.
//!
//! Callers: users. The same list, saved again on the same day, has the same key.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::message::{MergedError, MergedList};

use crate::caller::Caller;
use crate::error::Outcome;
use crate::merged;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_long_msg/save_relay_json_msg").gateway();

request! {
    pub(crate) struct Request {
        /// 1 to 300 messages, as in the element `TIMRelayElem`; at most 256 KiB (a setting).
        msg_list: Box<RawValue> = "MsgList",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// To be sent in the element `TIMRelayElem` in place of the list.
    json_msg_key: String,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    caller.acting_as(None, ErrorCode::RequestIllegal)?;
    let bytes_max = caller.app().facts().settings.merged_bytes_max as usize;
    let list = MergedList::parse(&request.msg_list, bytes_max).map_err(|problem| {
        let code = match problem {
            MergedError::TooLong { .. } => ErrorCode::BodyTooLong,
            MergedError::NotAList(_) | MergedError::Count(_) | MergedError::TooDeep { .. } => {
                ErrorCode::RequestIllegal
            }
        };
        Error::with(code, problem.to_string())
    })?;
    let key = merged::save(caller.node(), caller.app(), &list).await?;
    Ok(Response { json_msg_key: key.to_string() })
}
