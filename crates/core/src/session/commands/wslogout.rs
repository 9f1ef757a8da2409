//! `im_open_status/wslogout`: ends the session; the socket stays, for another login.
//!
//! Callers: anyone on a connection (a device that was kicked says goodbye too).

use crate::account;
use crate::account::commands::Empty;
use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::event::{Ending, Event, LoggedOut};
use crate::group::room;
use crate::operation::Operation;
use crate::request;
use crate::rows::DeviceRow;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("im_open_status/wslogout").gateway().for_anyone();

request! {
    pub(crate) struct Request {}
}

pub(crate) async fn run(caller: Caller, _: Request) -> Outcome<Empty> {
    let Who::User(identity) = caller.who() else { return Ok(Empty {}) };
    let (node, app) = (caller.node(), caller.app());
    account::change_user(node, app, &identity.user, |state, change| {
        let mut devices = state.devices.devices.iter_mut();
        let own = devices.find(|device| device.inst_id == identity.inst_id);
        if let Some(device) = own.filter(|device| device.is_logged_in()) {
            device.ended = DeviceRow::LOGGED_OUT;
            state.put_devices(change);
            state.forget_watched(identity.inst_id, change);
        }
        Ok(())
    })
    .await?;
    if node.hub().logout_device(app.id(), &identity.user, identity.inst_id).is_some() {
        room::leave_all(node, app, &identity.user, identity.inst_id);
        node.publish(&Event::LoggedOut(LoggedOut {
            app: app.id(),
            user: identity.user.clone(),
            inst_id: identity.inst_id,
            ending: Ending::Logout,
        }));
    }
    Ok(Empty {})
}
