//! `group_open_attr_http_svc/get_group_attr`: reads the attributes of a group.
//!
//! Callers: administrators; members, and the viewers and the owner of a live room.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::Error;
use teahouse_proto::ids::GroupId;
use teahouse_proto::push::GroupAttribute;

use super::attendance;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_attr_http_svc/get_group_attr").rest().gateway().million();

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
    /// How often the attributes were written: who replaces or removes them all names it.
    attr_main_seq: u64,
    /// By key.
    group_attr_ary: Vec<GroupAttribute>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let entity = group::group(node, app, id).await?;
    Ok(entity.read(|state| -> Result<Response, Error> {
        state.rules()?.may_share(attendance(&caller, state, id))?;
        let attr_main_seq = state.attributes.main_seq;
        Ok(Response { attr_main_seq, group_attr_ary: state.attributes.list() })
    })?)
}
