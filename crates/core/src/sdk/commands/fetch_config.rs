//! `im_sdk_config_mgr/fetch_config`: settings for clients, as a JSON object in a string.
//!
//! Callers: users. Clients apply it when the version differs from theirs.

use schemars::JsonSchema;
use serde::Serialize;

use super::EXPIRES_S;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_sdk_config_mgr/fetch_config").gateway();

request! {
    pub(crate) struct Request {
        /// The version that the client has.
        version: Option<u64> = "uint64_version",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Response {
    int32_error_code: i32,
    str_error_message: &'static str,
    /// A JSON object whose values are strings. Clients have a default for everything.
    str_json_config: &'static str,
    uint32_expired_time: u32,
    uint64_version: u64,
}

pub(crate) async fn run(caller: Caller, _: Request) -> Outcome<Response> {
    Ok(Response {
        int32_error_code: 0,
        str_error_message: "",
        str_json_config: "{}",
        uint32_expired_time: EXPIRES_S,
        // A client starts with 0, and must see a difference.
        uint64_version: caller.app().facts().settings_version + 1,
    })
}
