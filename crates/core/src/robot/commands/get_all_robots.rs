//! `openim_robot_http_svc/get_all_robots`: the robots of the app.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim_robot_http_svc/get_all_robots").rest();

request! {
    pub(crate) struct Request {}
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Response {
    /// In the order in which they were made.
    #[serde(rename = "Robot_Account")]
    robots: Vec<String>,
}

pub(crate) async fn run(caller: Caller, _: Request) -> Outcome<Response> {
    Ok(Response { robots: caller.node().robots(caller.app()).await? })
}
