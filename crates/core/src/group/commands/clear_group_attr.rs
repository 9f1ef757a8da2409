//! `group_open_http_svc/clear_group_attr`: removes all attributes of a group.
//!
//! Callers: as for `set_group_attr`. With race control only if the caller has seen the last write.

use teahouse_proto::ids::GroupId;
use teahouse_proto::push::AttributeChange;

use super::set_group_attr::{AttributeControl, Response, make, seen};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::attributes::Write;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/clear_group_attr").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// With race control: `AttrMainSeq` of the last answer or push; 0 when absent.
        main_seq: Option<u64> = "AttrMainSeq",
        /// `["RaceConflict"]`: only if the caller has seen what he removes.
        control: Option<Vec<AttributeControl>> = "AttrControl",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let seen = seen(request.control.as_deref(), request.main_seq);
    let write = Write { change: AttributeChange::Clear, attributes: Vec::new(), seen };
    make(&caller, request.group_id, write).await
}
