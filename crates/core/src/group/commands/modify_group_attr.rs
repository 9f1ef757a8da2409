//! `group_open_http_svc/modify_group_attr`: sets some attributes of a group and leaves the others.
//!
//! Callers: as for `set_group_attr`. With race control only if the caller has seen the last value of each.

use teahouse_proto::ids::GroupId;
use teahouse_proto::push::{AttributeChange, GroupAttribute};

use super::set_group_attr::{Attribute, AttributeControl, Response, make, seen};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::attributes::Write;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/modify_group_attr").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 16 attributes; the limits of `set_group_attr` are for what is there then.
        attributes: Vec<Attribute> = "GroupAttr",
        /// Of no account here: the attributes have numbers of their own.
        main_seq: Option<u64> = "AttrMainSeq",
        /// `["RaceConflict"]`: only if the caller has seen what he changes.
        control: Option<Vec<AttributeControl>> = "AttrControl",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let attributes = request.attributes.into_iter().map(GroupAttribute::from).collect();
    let seen = seen(request.control.as_deref(), request.main_seq);
    let write = Write { change: AttributeChange::Modify, attributes, seen };
    make(&caller, request.group_id, write).await
}
