//! `group_open_http_svc/delete_group_counter`: deletes counters of a group.
//!
//! Callers: administrators. Communities have none.

use teahouse_proto::ids::GroupId;

use super::update_group_counter::check;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::event::{CountersChanged, Event};
use crate::group::{change_group, counters};
use crate::operation::Operation;
use crate::request;
use crate::rows::key;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/delete_group_counter").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// At most 20 keys; all counters when absent or empty. Those that are not there are passed over.
        keys: Option<Vec<String>> = "GroupCounterKeys",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let keys = request.keys.filter(|keys| !keys.is_empty());
    counters::check_keys(keys.as_deref().unwrap_or_default())?;
    change_group(node, app, id, |state, change| {
        check(&caller, state, id)?;
        let deleted = state.counters.list(keys.as_deref());
        if deleted.is_empty() {
            return Ok(());
        }
        state.counters = state.counters.without(keys.as_deref());
        change.put(key::counters(state.head.incarnation), &state.counters);
        change.event(Event::CountersChanged(CountersChanged {
            group: state.reference(app.id(), id)?,
            deleted: true,
            seq: state.counters.seq,
            counters: deleted,
        }));
        Ok(())
    })
    .await?;
    Ok(Empty {})
}
