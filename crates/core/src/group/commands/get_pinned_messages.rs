//! `group_open_http_svc/get_pinned_messages`: the pinned messages of a group, also those of before the caller came.
//!
//! Callers: members.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::ids::GroupId;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::changes::Actor;
use crate::group::pins;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_pinned_messages").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// The latest pin last: messages in the shape of their pushes, with `Pinner_Account`, who has pinned them.
    #[schemars(with = "Vec<serde_json::Value>")]
    pinned_msg_list: Vec<Box<RawValue>>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, actor) = (caller.node(), caller.app(), Actor::of(&caller)?);
    let pins = pins::all(node, app, &request.group_id, &actor).await?;
    let pinned = pins.iter().map(|pin| pin.said.to_pinned_json(&pin.by));
    Ok(Response { pinned_msg_list: pinned.collect() })
}
