//! `group_open_http_svc/batch_get_group_notify`: what changed in groups (recalled messages) while a
//! client was away. There is never anything left to tell: a client asks for its conversations first, and gets it with
//! them (`page_get`). It asks here for some of its groups only, and the older package takes what is told here off a
//! count that is right already.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/batch_get_group_notify").gateway().million();

request! {
    pub(crate) struct Request {
        /// Groups, each with a range of microseconds.
        notify_req_list: Vec<Wanted> = "NotifyReqList",
    }
}

/// One group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Wanted {
    /// The group.
    group_id: String,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    notify_rsp_list: Vec<Changes>,
}

/// The changes of one group.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Changes {
    group_id: String,
    /// 0: all are told.
    next_msg_time: u64,
    #[schemars(with = "Vec<serde_json::Value>")]
    notify_msg_list: Vec<Box<RawValue>>,
}

impl Changes {
    /// A group that the caller is not in, or that does not exist, has none.
    pub(super) fn none(group_id: String) -> Self {
        Self { group_id, next_msg_time: 0, notify_msg_list: Vec::new() }
    }
}

pub(crate) async fn run(_: Caller, request: Request) -> Outcome<Response> {
    let changes = |wanted: Wanted| Changes::none(wanted.group_id);
    Ok(Response { notify_rsp_list: request.notify_req_list.into_iter().map(changes).collect() })
}
