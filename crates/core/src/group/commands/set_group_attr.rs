//! `group_open_http_svc/set_group_attr`: replaces all attributes of a group; an empty list leaves none.
//!
//! Callers: administrators; members, and the viewers and the owner of a live room. With race control only if
//! the caller has seen the last write: else 10056, and clients read the attributes again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::ids::GroupId;
use teahouse_proto::push::{AttributeChange, GroupAttribute};

use super::attendance;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::event::{AttributesChanged, Event};
use crate::group::attributes::Write;
use crate::group::change_group;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/set_group_attr").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// At most 16 attributes: keys of 1 to 32 bytes, values of up to 4,000 bytes, together up to 16,000.
        attributes: Vec<Attribute> = "GroupAttr",
        /// With race control: `AttrMainSeq` of the last answer or push; 0 when absent.
        main_seq: Option<u64> = "AttrMainSeq",
        /// `["RaceConflict"]`: only if the caller has seen what he changes.
        control: Option<Vec<AttributeControl>> = "AttrControl",
    }
}

/// An attribute to write.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Attribute {
    /// Its name.
    key: String,
    /// What it says.
    value: String,
    /// With race control, for single attributes: what the caller has seen of it; 0 if it was not there.
    #[serde(default)]
    seq: u64,
}

impl From<Attribute> for GroupAttribute {
    fn from(Attribute { key, value, seq }: Attribute) -> Self {
        Self { key, value, seq }
    }
}

/// How a write is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum AttributeControl {
    /// Only if the caller has seen what he changes.
    RaceConflict,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// The number of this write.
    attr_main_seq: u64,
    /// What was written.
    group_attr_ary: Vec<Written>,
}

/// An attribute that was written or removed.
#[derive(Debug, Serialize, JsonSchema)]
struct Written {
    key: String,
    /// What the caller has seen of it from now on.
    seq: u64,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let attributes = request.attributes.into_iter().map(GroupAttribute::from).collect();
    let seen = seen(request.control.as_deref(), request.main_seq);
    let write = Write { change: AttributeChange::Set, attributes, seen };
    make(&caller, request.group_id, write).await
}

/// What the caller has seen, if he wants race control.
pub(super) fn seen(control: Option<&[AttributeControl]>, main_seq: Option<u64>) -> Option<u64> {
    let control = control.unwrap_or_default();
    control.contains(&AttributeControl::RaceConflict).then(|| main_seq.unwrap_or_default())
}

/// Makes one write.
pub(super) async fn make(caller: &Caller, id: GroupId, write: Write) -> Outcome<Response> {
    let (node, app) = (caller.node(), caller.app());
    write.check()?;
    let operator = super::operator(caller, None)?;
    let most = app.facts().settings.group_attribute_writes_per_second;
    change_group(node, app, &id, |state, change| {
        let group = state.reference(app.id(), &id)?;
        state.rules()?.may_share(attendance(caller, state, &id))?;
        let attributes = state.write_attributes(&write, (node.now().seconds(), most), change)?;
        let written = attributes.iter();
        let group_attr_ary = written.map(|a| Written { key: a.key.clone(), seq: a.seq }).collect();
        let attr_main_seq = state.attributes.main_seq;
        change.event(Event::AttributesChanged(AttributesChanged {
            group,
            change: write.change,
            attributes,
            main_seq: attr_main_seq,
            operator: operator.clone(),
            origin: caller.origin_of_both(),
        }));
        Ok(Response { attr_main_seq, group_attr_ary })
    })
    .await
}
