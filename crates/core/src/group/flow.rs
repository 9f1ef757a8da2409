//! Flow control at work: what waits in the lanes of each group, and what becomes of it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use teahouse_proto::error::ErrorCode;
use teahouse_proto::group::Priority;
use teahouse_proto::ids::{GroupId, SdkAppId};
use teahouse_proto::time::UnixMillis;
use tokio::sync::oneshot;

use super::lanes::{Lanes, Offer};
use super::room::RoomMessage;
use crate::app::App;
use crate::error::Outcome;
use crate::event::counted;
use crate::node::{Due, Node};

/// Something that waits for its turn.
pub(crate) enum Waiting {
    /// A live room's message, acknowledged already.
    Room(Box<RoomMessage>),
    /// A request that goes on (or is refused) when it is told so.
    Group(oneshot::Sender<bool>),
}

/// The lanes of all groups that had a message in the last second.
#[derive(Default)]
pub(crate) struct Flows {
    by_group: Mutex<HashMap<GroupId, Lanes<Waiting>>>,
}

impl Flows {
    /// Forgets groups in which nothing is going on.
    pub(crate) fn tidy(&self, now: UnixMillis) {
        self.lock().retain(|_, lanes| !lanes.is_idle(now));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GroupId, Lanes<Waiting>>> {
        self.by_group.lock().expect("bookkeeping of flows does not panic")
    }
}

/// Lets a message of a group with history pass within the group's limit: at once, in a moment, or not.
///
/// # Errors
/// `GroupMessagesTooFrequent`: others had the limit. The message is not stored.
pub(crate) async fn admit(
    node: &Node,
    app: &App,
    group: &GroupId,
    priority: Priority,
) -> Outcome<()> {
    let limit = app.facts().settings.group_messages_per_second as usize;
    let (answer, answered) = oneshot::channel();
    let passes = match offer(node, app, group, Waiting::Group(answer), priority, limit) {
        Offer::Passed(_) => true,
        Offer::Waits => answered.await.unwrap_or(false),
        Offer::Displaced(other) => {
            give_up(other);
            answered.await.unwrap_or(false)
        }
    };
    if passes { Ok(()) } else { Err(ErrorCode::GroupMessagesTooFrequent.into()) }
}

/// Lets a message of a live room pass within the room's limit: at once, in a moment, or never.
pub(crate) fn admit_to_room(node: &Node, app: &App, message: RoomMessage) {
    let limit = app.facts().settings.room_messages_per_second as usize;
    let (group, priority) = (message.group.clone(), message.priority);
    if message.never_dropped {
        return super::room::publish(node, app, message);
    }
    match offer(node, app, &group, Waiting::Room(Box::new(message)), priority, limit) {
        Offer::Passed(passed) => go_on(node, app, passed),
        Offer::Waits => {}
        Offer::Displaced(other) => give_up(other),
    }
}

fn offer(
    node: &Node,
    app: &App,
    group: &GroupId,
    message: Waiting,
    priority: Priority,
    limit: usize,
) -> Offer<Waiting> {
    let now = node.now();
    let mut flows = app.flows.lock();
    let lanes = flows.entry(group.clone()).or_default();
    let is_waited_for = lanes.due().is_some();
    let mut choose = |n: usize| usize::try_from(node.random() % n as u64).expect("below a length");
    let outcome = lanes.offer(message, priority, limit, now, &mut choose);
    if let Some(due) = lanes.due().filter(|_| !is_waited_for) {
        node.agenda().enter(due, Due::Flow(app.id(), group.clone()));
    }
    outcome
}

/// A slot of a group's lanes is due.
pub(crate) fn slot(node: &Node, app: SdkAppId, group: &GroupId) {
    let Some(app) = node.app(app) else { return };
    let settings = &app.facts().settings;
    let released = {
        let mut flows = app.flows.lock();
        let Some(lanes) = flows.get_mut(group) else { return };
        let is_room = app.rooms.find(group).is_some();
        let limit = if is_room {
            settings.room_messages_per_second
        } else {
            settings.group_messages_per_second
        };
        let released = lanes.release(limit as usize, node.now());
        if let Some(due) = lanes.due() {
            node.agenda().enter(due, Due::Flow(app.id(), group.clone()));
        }
        released
    };
    released.into_iter().for_each(|waiting| go_on(node, &app, waiting));
}

fn go_on(node: &Node, app: &App, waiting: Waiting) {
    match waiting {
        Waiting::Room(message) => super::room::publish(node, app, *message),
        // Nobody waits any more for a request whose connection is gone.
        Waiting::Group(answer) => drop(answer.send(true)),
    }
}

/// Counts what was dropped; a request is answered.
fn give_up(waiting: Waiting) {
    match waiting {
        Waiting::Room(message) => {
            let priority = message.priority.word();
            metrics::counter!("teahouse_flow_dropped_total", "priority" => priority).increment(1);
        }
        Waiting::Group(answer) => {
            counted!("teahouse_flow_refused_total").increment(1);
            let _ = answer.send(false);
        }
    }
}
