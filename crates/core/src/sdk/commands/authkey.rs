//! `openim/authkey`: a key that the older client package appends to media addresses. Media here need
//! none, so that it is empty.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Serialize;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/authkey").gateway();

request! {
    pub(crate) struct Request {}
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    auth_key: &'static str,
}

pub(crate) async fn run(_: Caller, _: Request) -> Outcome<Response> {
    Ok(Response { auth_key: "" })
}
