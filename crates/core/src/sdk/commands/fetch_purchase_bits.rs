//! `im_sdk_config_mgr/fetch_imsdk_purchase_bitsv2`: which optional features the server offers.
//!
//! Callers: users. The bits are those of the operations that are served.

use schemars::JsonSchema;
use serde::Serialize;

use super::EXPIRES_S;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_sdk_config_mgr/fetch_imsdk_purchase_bitsv2").gateway();

request! {
    pub(crate) struct Request {}
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Response {
    int32_error_code: i32,
    str_error_message: &'static str,
    /// The rightmost character is bit 0.
    str_purchase_bits: String,
    uint32_expired_time: u32,
}

pub(crate) async fn run(caller: Caller, _: Request) -> Outcome<Response> {
    Ok(Response {
        int32_error_code: 0,
        str_error_message: "",
        str_purchase_bits: caller.node().registry().feature_bits(),
        uint32_expired_time: EXPIRES_S,
    })
}
