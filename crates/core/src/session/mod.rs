//! Sessions: signatures, tokens, devices, and who may be logged in beside whom.

pub(crate) mod commands;
pub(crate) mod policy;
pub(crate) mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{SdkAppId, TinyId, UserId};
use teahouse_proto::platform::Platform;
use teahouse_proto::push::{KickType, Kickout};
use teahouse_proto::time::UnixMillis;
use teahouse_proto::usersig::{self, Verified};

use crate::account::{self, UserState};
use crate::app::App;
use crate::caller::Identity;
use crate::error::Outcome;
use crate::event::{Ending, Event, LoggedOut};
use crate::group::room;
use crate::hook::via::Via;
use crate::hub::{CloseReason, Connection, Session};
use crate::node::Node;
use crate::presence;
use crate::rows::DeviceRow;

/// What a client shows to prove who it is.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The user it says it is.
    pub identifier: String,
    /// A signature of the app.
    pub usersig: String,
}

/// Checks a signature: its form, its user and app, its key, its age, and that no kick has revoked it.
///
/// # Errors
/// The code of the first check that fails; after too many failures for one user in a minute, always
/// `TooManyFailedChecks`, so that a guesser learns nothing more. A good signature always passes.
pub async fn check_usersig(
    node: &Node,
    app: &App,
    identifier: &str,
    sig: &str,
) -> Outcome<(UserId, Verified)> {
    let now = node.now();
    let facts = app.facts();
    let checked = usersig::verify(sig, app.id(), identifier, &facts.keys, now.seconds())
        .map_err(|refused| Error::new(ErrorCode::from(refused)))
        .and_then(|verified| match UserId::parse(identifier) {
            Ok(user) => Ok((user, verified)),
            Err(invalid) => Err(Error::with(ErrorCode::AccountCheckFailed, invalid.to_string())),
        });
    let (user, verified) = match checked {
        Ok(checked) => checked,
        Err(refused) => {
            let allowed = facts.settings.login_failures_per_minute;
            let within = app.login_failures.count(identifier, allowed, now);
            metrics::counter!("teahouse_login_failures_total").increment(1);
            let told = if within { refused } else { ErrorCode::TooManyFailedChecks.into() };
            return Err(told.into());
        }
    };
    let revoked_until = account::user(node, app, &user).await?.read(UserState::revoked_until);
    if verified.issued_at <= revoked_until {
        return Err(ErrorCode::UserSigRevoked.into());
    }
    Ok((user, verified))
}

/// Checks the session token of a request, on whichever socket it comes.
///
/// # Errors
/// `UserSigExpired` (the client then asks its application for a new signature), `SessionInvalid`, or
/// `KickedOut` with what took the device's place.
pub async fn check_token(
    node: &Node,
    app: &App,
    connection: &Arc<Connection>,
    token: &str,
) -> Outcome<Identity> {
    let current = connection.with_session(|session| {
        session.filter(|session| &*session.token == token && session.app == app.id()).cloned()
    });
    if let Some(session) = current {
        if node.now().seconds() > session.expires {
            return Err(ErrorCode::UserSigExpired.into());
        }
        return Ok(identity(session, connection));
    }
    let claims = token::verify(node.token_key(), app.id(), token, node.now())?;
    account::user(node, app, &claims.user).await?.read(|state| check_claims(state, &claims))?;
    Ok(Identity {
        user: claims.user,
        tiny_id: claims.tiny_id,
        inst_id: claims.inst_id,
        issued: claims.issued,
        expires: claims.expires,
        connection: connection.clone(),
    })
}

fn identity(session: Session, connection: &Arc<Connection>) -> Identity {
    Identity {
        user: session.user,
        tiny_id: session.tiny_id,
        inst_id: session.inst_id,
        issued: session.issued,
        expires: session.expires,
        connection: connection.clone(),
    }
}

fn check_claims(state: &UserState, claims: &token::Claims) -> Result<(), Error> {
    let account = state.account().filter(|account| account.tiny_id == claims.tiny_id.0);
    let account = account.ok_or(ErrorCode::SessionInvalid)?;
    let device = state.devices.devices.iter().find(|device| device.inst_id == claims.inst_id);
    match device {
        // Not `SessionInvalid`: clients take that for the end of whatever session they have by now.
        Some(device) if device.ended == DeviceRow::LOGGED_OUT => {
            Err(Error::with(ErrorCode::AccountCheckFailed, "this session has logged out"))
        }
        Some(device) if !device.is_logged_in() => Err(kicked_out(device)),
        Some(_) if claims.issued.0 > account.kicked_ms => Ok(()),
        Some(_) | None => Err(ErrorCode::SessionInvalid.into()),
    }
}

/// The reply by which a client learns that it was logged out while it was away.
fn kicked_out(device: &DeviceRow) -> Error {
    let kickout = Kickout {
        kind: kick_type(device.ended),
        new_platform: Platform::from_number(device.kicked_by_platform),
        new_inst_id: device.kicked_by,
    };
    let raw = serde_json::value::to_raw_value(&kickout).expect("plain data is JSON");
    Error::new(ErrorCode::KickedOut).with_extra(raw)
}

fn kick_type(stored: u32) -> KickType {
    match stored {
        1 => KickType::MultipleAccount,
        2 => KickType::MultipleDevice,
        _ => KickType::RestApi,
    }
}

/// The account of somebody who shows a signature instead of a session.
///
/// # Errors
/// `SenderOrReceiverInvalid` when there is no such account: only a login makes one.
pub async fn tiny_id(node: &Node, app: &App, user: &UserId) -> Outcome<TinyId> {
    account::existing(node, app, user, ErrorCode::SenderOrReceiverInvalid).await
}

/// Ends what a socket had: called by the gateway when it is gone.
pub async fn disconnected(node: &Arc<Node>, connection: &Arc<Connection>) {
    // A login that is still under way finds the queue closed and ends itself.
    connection.queue().close(CloseReason::Gone);
    let Some(session) = connection.session() else { return };
    let Some(app) = node.app(session.app) else { return };
    // First of all: the device may be back already, and finds either this or the old connection.
    if let Err(failure) = remember_heard(node, &app, &session, connection).await {
        tracing::warn!(user = %session.user, %failure, "a device will be told more than it missed");
    }
    let Some(session) = node.hub().logout(connection) else { return };
    presence::connection_lost(node, &app, &session.user, connection);
    if let Err(failure) = remember_lost(node, &app, &session).await {
        tracing::warn!(user = %session.user, %failure, "a lost connection could not be recorded");
    }
    let Session { app: id, user, inst_id, .. } = session;
    room::connection_lost(node, &app, &user, inst_id, connection.last_heard());
    let silent = connection.queue().closed() == Some(CloseReason::Silent);
    let ending = if silent { Ending::TimeOut } else { Ending::LinkClose };
    let gone = Event::LoggedOut(LoggedOut { app: id, user, inst_id, ending });
    Via::of_connection(connection).scope_now(|| node.publish(&gone));
}

/// Keeps when a device was last heard, for an exact catch-up.
pub(crate) async fn remember_heard(
    node: &Node,
    app: &App,
    session: &Session,
    connection: &Connection,
) -> Outcome<()> {
    let entity = account::user(node, app, &session.user).await?;
    if let Some(heard) = connection.heard_since() {
        entity.touch(|state| {
            let known = state.last_heard.entry(session.inst_id).or_insert(heard);
            // A late end of an older connection says nothing new.
            if heard.last >= known.last {
                *known = heard;
            }
        });
    }
    Ok(())
}

async fn remember_lost(node: &Arc<Node>, app: &App, session: &Session) -> Outcome<()> {
    let entity = account::user(node, app, &session.user).await?;
    let platform = entity.read(|state| {
        let mut devices = state.devices.devices.iter();
        devices.find(|d| d.inst_id == session.inst_id).map(|d| Platform::from_number(d.platform))
    });
    // Only these are reachable by offline push afterwards; for all others nothing has to be kept.
    if !platform.is_some_and(Platform::takes_offline_push) {
        return Ok(());
    }
    account::change_user(node, app, &session.user, |state, change| {
        let mut devices = state.devices.devices.iter_mut();
        if let Some(device) = devices.find(|device| device.inst_id == session.inst_id) {
            device.lost_ms = node.now().0;
            state.put_devices(change);
            change.relaxed();
        }
        Ok(())
    })
    .await
}

/// Failed checks by user and minute.
#[derive(Default)]
pub(crate) struct FailureCounter {
    minute: Mutex<(u64, HashMap<String, u32>)>,
}

/// Users counted in one minute; further ones share one count.
const COUNTED_USERS_MAX: usize = 10_000;

impl FailureCounter {
    /// Counts a failure and says whether it is within `allowed` in this minute.
    fn count(&self, user: &str, allowed: u32, now: UnixMillis) -> bool {
        let minute = now.0 / 60_000;
        let mut counted = self.minute.lock().expect("no panic while held");
        if counted.0 != minute {
            *counted = (minute, HashMap::new());
        }
        let known = counted.1.contains_key(user) || counted.1.len() < COUNTED_USERS_MAX;
        let key = if known { user.chars().take(64).collect() } else { String::new() };
        let count = counted.1.entry(key).or_default();
        *count = count.saturating_add(1);
        *count <= allowed
    }
}

/// The app of a connection, or why it may not connect.
///
/// # Errors
/// `SdkAppIdInvalid`.
pub fn app_of(node: &Node, app: SdkAppId) -> Result<Arc<App>, Error> {
    node.app(app).ok_or_else(|| {
        Error::with(ErrorCode::SdkAppIdInvalid, format!("there is no app with SDKAppID {app}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_user_and_forgotten_after_the_minute() {
        let counter = FailureCounter::default();
        let at = UnixMillis(600_000);
        assert!(counter.count("eve", 2, at) && counter.count("eve", 2, at));
        assert!(!counter.count("eve", 2, at));
        assert!(counter.count("bob", 2, at), "others are not affected");
        assert!(counter.count("eve", 2, UnixMillis(660_000)));
    }
}
