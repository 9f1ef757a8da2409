//! `im_open_status/wslogin`: logs a device in, with a UserSig the first time, with its session token
//! after a reconnect.
//!
//! Callers: anyone on a connection. A user who logs in for the first time is created. Logins that the
//! app's policy excludes are ended. Nothing is written when a device merely comes back.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{TinyId, UserId};
use teahouse_proto::platform::Platform;
use teahouse_proto::push::KickType;
use teahouse_proto::time::UnixSeconds;

use crate::account::{self, UserState};
use crate::caller::{Caller, Who};
use crate::conversation;
use crate::entity::Change;
use crate::error::Outcome;
use crate::event::{DevicesKicked, Event, LoggedIn};
use crate::group::room;
use crate::hub::{Channel, Connection, Session};
use crate::operation::Operation;
use crate::presence;
use crate::presence::commands::encoded;
use crate::relation;
use crate::request;
use crate::robot;
use crate::rows::DeviceRow;
use crate::session::policy::{self, Device};
use crate::session::{check_claims, check_usersig, remember_heard, token};

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_open_status/wslogin").gateway().for_anyone();

request! {
    pub(crate) struct Request {}
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// The session token: proves the session on every later request, also on a new socket.
    a2_key: String,
    /// The account's number.
    tiny_id: TinyId,
    /// Seconds between two hellos.
    hello_interval: u32,
    /// The device's number.
    inst_id: u32,
    /// The server's time, unix seconds.
    time_stamp: UnixSeconds,
    /// The user's custom status, base64.
    custom_status: String,
    /// What the server offers, the rightmost character is bit 0.
    purchase_bits: String,
    /// Appended to media addresses; none is needed here.
    rich_msg_auth_key: &'static str,
}

/// Devices remembered for one user.
const DEVICES_MAX: usize = 32;
/// Of them, devices whose session has ended.
const ENDED_MAX: usize = 8;

/// Who logs in, as proven.
struct Proof {
    user: UserId,
    expires: UnixSeconds,
    by: By,
}

/// By what.
enum By {
    /// A signature of this second.
    Signature(UnixSeconds),
    /// The session token of this device of this account.
    Token(TinyId, u32),
}

pub(crate) async fn run(caller: Caller, _: Request) -> Outcome<Response> {
    let (proof, connection) = prove(&caller).await?;
    let (node, app) = (caller.node(), caller.app());
    let settings = &app.facts().settings;
    let user = &proof.user;
    let (tiny_id, inst_id, kicked) = account::change_user(node, app, user, |state, change| {
        // Checked before, but a kick may have come since.
        let inst_id = match proof.by {
            By::Signature(issued_at) => {
                if issued_at <= state.revoked_until() {
                    return Err(ErrorCode::UserSigRevoked.into());
                }
                robot::check_importable(state, user)?;
                state.create(node, app.id(), user, change);
                admit_device(state, &connection, caller.now().0, change)
            }
            By::Token(tiny_id, inst_id) if state.tiny_id() == Some(tiny_id) => inst_id,
            By::Token(..) => return Err(ErrorCode::SessionInvalid.into()),
        };
        let tiny_id = state.tiny_id().ok_or(ErrorCode::SessionInvalid)?;
        let kicked = kick_excluded(state, &caller, user, inst_id, change)?;
        Ok((tiny_id, inst_id, kicked))
    })
    .await?;
    remember_old_connection(&caller, user, inst_id).await?;
    let claims = token::Claims {
        app: app.id(),
        user: user.clone(),
        tiny_id,
        inst_id,
        issued: caller.now(),
        expires: proof.expires,
    };
    let a2_key = token::sign(node.token_key(), &claims);
    let session = Session {
        app: app.id(),
        user: user.clone(),
        tiny_id,
        inst_id,
        token: Arc::from(a2_key.as_str()),
        expires: proof.expires,
        issued: claims.issued,
        resumed: matches!(proof.by, By::Token(..)),
    };
    node.hub().login(&connection, session);
    // Whoever ended this login since it was durable has not found it in the hub; whoever does so from
    // now on will.
    let still = account::user(node, app, user)
        .await?
        .read(|state| check_claims(state, &claims).map(|()| state.custom_status().to_owned()));
    let custom_status = match still {
        Ok(custom_status) => custom_status,
        Err(refused) => {
            node.hub().logout(&connection);
            return Err(refused.into());
        }
    };
    // The socket may have gone while the login was made durable: nobody else would detach it now.
    if connection.queue().closed().is_some() {
        node.hub().logout(&connection);
        return Err(ErrorCode::SessionInvalid.into());
    }
    if matches!(proof.by, By::Signature(_)) {
        // A client that logs in anew is in no room, whatever it was in before.
        room::leave_all(node, app, user, inst_id);
    }
    listen(&caller, (user, tiny_id, inst_id), &connection).await?;
    if matches!(proof.by, By::Token(..)) {
        relation::tell_missed(node, app, user, inst_id, &connection).await?;
    }
    node.publish(&Event::LoggedIn(LoggedIn {
        app: app.id(),
        user: user.clone(),
        inst_id,
        platform: connection.platform,
        kicked,
    }));
    Ok(Response {
        a2_key,
        tiny_id,
        hello_interval: settings.login_hello_s,
        inst_id,
        time_stamp: caller.now().seconds(),
        custom_status: encoded(&custom_status),
        purchase_bits: node.registry().feature_bits(),
        rich_msg_auth_key: "",
    })
}

/// Lets the connection listen to the user's groups, to the rooms that the device was in, and to the statuses
/// that it watches.
async fn listen(
    caller: &Caller,
    viewer: (&UserId, TinyId, u32),
    connection: &Arc<Connection>,
) -> Outcome<()> {
    let (node, app, (user, _, inst_id)) = (caller.node(), caller.app(), viewer);
    for group in conversation::groups::listened(node, app, user).await? {
        node.hub().listen(&(app.id(), Channel::Group(group)), connection, user);
    }
    room::resume(node, app, user, inst_id, connection);
    room::enter_again(node, app, viewer, connection).await?;
    presence::resume(node, app, &presence::Device { user, inst_id, connection }).await
}

/// A device that comes back before its old socket was found dead: what was pushed into that since it was
/// last heard may be lost.
async fn remember_old_connection(caller: &Caller, user: &UserId, inst_id: u32) -> Outcome<()> {
    for old in caller.node().hub().connections(caller.app().id(), user) {
        if let Some(session) = old.session().filter(|session| session.inst_id == inst_id) {
            remember_heard(caller.node(), caller.app(), &session, &old).await?;
            room::connection_replaced(caller.node(), caller.app(), user, inst_id, old.last_heard());
        }
    }
    Ok(())
}

async fn prove(caller: &Caller) -> Outcome<(Proof, Arc<Connection>)> {
    match caller.who() {
        // The gateway has checked the token.
        Who::User(identity) => {
            let by = By::Token(identity.tiny_id, identity.inst_id);
            let proof = Proof { user: identity.user.clone(), expires: identity.expires, by };
            Ok((proof, identity.connection.clone()))
        }
        Who::Guest { connection, credentials } => {
            let (user, verified) = check_usersig(
                caller.node(),
                caller.app(),
                &credentials.identifier,
                &credentials.usersig,
            )
            .await?;
            let by = By::Signature(verified.issued_at);
            let proof = Proof { user, expires: verified.expires_at, by };
            Ok((proof, connection.clone()))
        }
        Who::Admin(_) | Who::System => Err(ErrorCode::RequestIllegal.into()),
    }
}

/// The device's number: its old one when the instance is known.
fn admit_device(
    state: &mut UserState,
    connection: &Connection,
    now_ms: u64,
    change: &mut Change,
) -> u32 {
    let row = &mut state.devices;
    let known = |device: &DeviceRow| {
        device.instance == connection.instance
            && !connection.instance.is_empty()
            && device.is_logged_in()
    };
    let known = row.devices.iter().find(|device| known(device)).map(|device| device.inst_id);
    let inst_id = known.unwrap_or_else(|| {
        row.last_inst_id = row.last_inst_id.wrapping_add(1).max(1);
        row.last_inst_id
    });
    row.devices.retain(|device| device.inst_id != inst_id);
    row.devices.push(DeviceRow {
        inst_id,
        instance: connection.instance.clone(),
        platform: connection.platform.number(),
        login_ms: now_ms,
        ..DeviceRow::default()
    });
    let forgotten = forget_oldest(&mut row.devices);
    state.put_devices(change);
    for inst_id in forgotten.into_iter().chain([inst_id]) {
        state.forget_watched(inst_id, change);
    }
    // Known without looking for the row that has just gone.
    state.watched.insert(inst_id, Vec::new());
    inst_id
}

/// Keeps the list bounded: what ended goes before what is logged in, the oldest first. Answers with what went.
fn forget_oldest(devices: &mut Vec<DeviceRow>) -> Vec<u32> {
    let ended = devices.iter().filter(|device| !device.is_logged_in()).count();
    let surplus = ended.saturating_sub(ENDED_MAX).max(devices.len().saturating_sub(DEVICES_MAX));
    devices.sort_by_key(|device| (device.is_logged_in(), device.login_ms));
    devices.drain(..surplus).map(|device| device.inst_id).collect()
}

/// Ends the logins that exclude this one; answers with their platforms. A device that comes back is checked too: it may have been
/// logged out since its request was accepted.
fn kick_excluded(
    state: &mut UserState,
    caller: &Caller,
    user: &UserId,
    inst_id: u32,
    change: &mut Change,
) -> Outcome<Vec<Platform>> {
    let own = state.devices.devices.iter().find(|device| device.inst_id == inst_id);
    let Some(own) = own.filter(|device| device.is_logged_in()).map(as_device) else {
        return Err(Error::new(ErrorCode::SessionInvalid).into());
    };
    let others: Vec<Device> = state
        .devices
        .devices
        .iter()
        .filter(|device| device.inst_id != inst_id && device.is_logged_in())
        .map(as_device)
        .collect();
    let out = policy::displaced(&caller.app().facts().settings, &others, &own);
    if out.is_empty() {
        return Ok(Vec::new());
    }
    let is_out = |device: &&Device| out.iter().any(|(inst_id, _)| *inst_id == device.inst_id);
    let platforms = others.iter().filter(is_out).map(|device| device.platform).collect();
    for reason in [KickType::MultipleAccount, KickType::MultipleDevice] {
        let devices: Vec<u32> =
            out.iter().filter(|(_, why)| *why == reason).map(|(inst_id, _)| *inst_id).collect();
        for device in &mut state.devices.devices {
            if devices.contains(&device.inst_id) {
                device.ended = reason as u32;
                device.kicked_by = inst_id;
                device.kicked_by_platform = own.platform.number();
            }
        }
        devices.iter().for_each(|inst_id| state.forget_watched(*inst_id, change));
        if !devices.is_empty() {
            change.event(Event::DevicesKicked(DevicesKicked {
                app: caller.app().id(),
                user: user.clone(),
                devices,
                reason,
                by: Some((inst_id, own.platform)),
            }));
        }
    }
    state.put_devices(change);
    Ok(platforms)
}

fn as_device(row: &DeviceRow) -> Device {
    Device {
        inst_id: row.inst_id,
        platform: Platform::from_number(row.platform),
        login_ms: row.login_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(inst_id: u32, ended: u32) -> DeviceRow {
        DeviceRow { inst_id, ended, login_ms: inst_id.into(), ..DeviceRow::default() }
    }

    #[test]
    fn ended_sessions_are_forgotten_before_logins_and_the_oldest_first() {
        let mut devices: Vec<_> = (1..=12).map(|n| device(n, 255)).collect();
        devices.push(device(0, 0));
        assert_eq!(forget_oldest(&mut devices), [1, 2, 3, 4]);
        let left: Vec<_> = devices.iter().map(|device| device.inst_id).collect();
        assert_eq!(left, [5, 6, 7, 8, 9, 10, 11, 12, 0]);
        let mut logins: Vec<_> = (1..=40).map(|n| device(n, 0)).collect();
        assert_eq!(forget_oldest(&mut logins).len(), 8);
        assert_eq!((logins.len(), logins[0].inst_id), (DEVICES_MAX, 9));
    }
}
