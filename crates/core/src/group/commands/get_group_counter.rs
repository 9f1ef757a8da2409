//! `group_open_http_svc/get_group_counter`: reads counters of a group.
//!
//! Callers: administrators; members, and the viewers and the owner of a live room. Communities have none.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::Error;
use teahouse_proto::ids::GroupId;
use teahouse_proto::push::GroupCounter;

use super::update_group_counter::check;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::{self, counters};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_counter")
        .rest()
        .gateway()
        .million()
        .feature_bit(15);

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// At most 20 keys; all counters when absent or empty. Those that are not there are left out.
        keys: Option<Vec<String>> = "GroupCounterKeys",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// By key.
    group_counter: Vec<GroupCounter>,
    /// Rises with each change of a counter: tells older pushes from newer ones.
    group_counter_seq: u64,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let id = &request.group_id;
    let keys = request.keys.filter(|keys| !keys.is_empty());
    counters::check_keys(keys.as_deref().unwrap_or_default())?;
    let entity = group::group(caller.node(), caller.app(), id).await?;
    Ok(entity.read(|state| -> Result<Response, Error> {
        check(&caller, state, id)?;
        Ok(Response {
            group_counter: state.counters.list(keys.as_deref()),
            group_counter_seq: state.counters.seq,
        })
    })?)
}
