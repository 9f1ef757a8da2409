//! `group_open_http_svc/update_group_counter`: sets, raises or lowers counters of a group.
//!
//! Callers: administrators; members, and the viewers and the owner of a live room. Communities have none.
//! Either all counters of a request are moved or none.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::GroupId;
use teahouse_proto::push::GroupCounter;

use super::attendance;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::event::{CountersChanged, Event};
use crate::group::counters::{self, Mode};
use crate::group::{GroupState, change_group};
use crate::operation::Operation;
use crate::request;
use crate::rows::key;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/update_group_counter")
        .rest()
        .gateway()
        .million()
        .feature_bit(15);

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 20 counters, of which a group has at most 20: keys of 1 to 128 bytes, values of 64 bits.
        counters: Vec<GroupCounter> = "GroupCounter",
        /// `Set` (the default), `Increase` or `Decrease`. A counter that is not there begins at 0.
        mode: Option<Mode> = "Mode",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Their values now, by key.
    group_counter: Vec<GroupCounter>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    if request.counters.is_empty() {
        return Err(Error::with(ErrorCode::GroupBadParameter, "GroupCounter is empty").into());
    }
    let keys: Vec<String> = request.counters.iter().map(|counter| counter.key.clone()).collect();
    counters::check_keys(&keys)?;
    let mode = request.mode.unwrap_or(Mode::Set);
    let group_counter = change_group(node, app, id, |state, change| {
        check(&caller, state, id)?;
        state.counters = state.counters.moved(mode, &request.counters)?;
        change.put(key::counters(state.head.incarnation), &state.counters);
        let moved = state.counters.list(Some(&keys));
        change.event(Event::CountersChanged(CountersChanged {
            group: state.reference(app.id(), id)?,
            deleted: false,
            seq: state.counters.seq,
            counters: moved.clone(),
        }));
        Ok(moved)
    })
    .await?;
    Ok(Response { group_counter })
}

/// Whether the group has counters, and they are the caller's, too.
pub(super) fn check(caller: &Caller, state: &GroupState, id: &GroupId) -> Result<(), Error> {
    let rules = state.rules()?;
    rules.offers(rules.counters)?;
    rules.may_share(attendance(caller, state, id))
}
