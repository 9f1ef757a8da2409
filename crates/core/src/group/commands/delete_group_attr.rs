//! `group_open_http_svc/delete_group_attr`: removes some attributes of a group.
//!
//! Callers: as for `set_group_attr`. If one is not there, nothing is removed. With race control only if the
//! caller has seen the last value of each.

use schemars::JsonSchema;
use serde::Deserialize;
use teahouse_proto::ids::GroupId;
use teahouse_proto::push::{AttributeChange, GroupAttribute};

use super::set_group_attr::{AttributeControl, Response, make, seen};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::attributes::Write;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/delete_group_attr").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 16 attributes.
        attributes: Vec<Named> = "GroupAttr",
        /// Of no account here: the attributes have numbers of their own.
        main_seq: Option<u64> = "AttrMainSeq",
        /// `["RaceConflict"]`: only if the caller has seen what he removes.
        control: Option<Vec<AttributeControl>> = "AttrControl",
    }
}

/// An attribute to remove.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Named {
    /// Its name.
    key: String,
    /// With race control: what the caller has seen of it.
    #[serde(default)]
    seq: u64,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let named = request.attributes.into_iter();
    let removed = |Named { key, seq }| GroupAttribute { key, value: String::new(), seq };
    let seen = seen(request.control.as_deref(), request.main_seq);
    let attributes = named.map(removed).collect();
    let write = Write { change: AttributeChange::Delete, attributes, seen };
    make(&caller, request.group_id, write).await
}
