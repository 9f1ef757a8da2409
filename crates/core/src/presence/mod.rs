//! Presence: whether a user can be reached, what he says about himself, and who is told when that changes.
//!
//! A status is derived, never stored: from the connections that are there, from those that were lost a moment
//! ago (a client that comes back within the grace was never away), and from the devices that are logged in
//! still. Who watches a user listens to his channel in the hub, so a change is encoded once and handed to a
//! hundred thousand in slices. What changes within a moment is told once, and only if something is different
//! then.
//!
//! Whom a device watches is stored: the client packages do not say it again after a reconnect.

pub(crate) mod commands;
mod tracker;

use std::sync::Arc;

use futures_util::future::FutureExt;
use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::{SdkAppId, UserId};
use teahouse_proto::platform::Platform;
use teahouse_proto::push::{self, UserStatus};
use teahouse_proto::time::UnixMillis;

use crate::account::{self, UserState};
use crate::app::App;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::event::{Event, StatusChanged};
use crate::hub::{Channel, Connection};
use crate::node::{Due, Node, decode_row};
use crate::rows::{Home, WatchedRow, key};

pub(crate) use tracker::Tracker;

/// How an account can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Status {
    /// Not at all.
    Offline,
    /// By offline push: a phone or tablet that lost its connection and did not log out.
    PushOnline,
    /// It is connected.
    Online,
}

impl Status {
    /// As clients know it.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Online => 1,
            Self::PushOnline => 2,
            Self::Offline => 3,
        }
    }
}

/// What others see of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// How he can be reached.
    pub status: Status,
    /// What he says about himself; may be empty.
    pub custom: String,
}

impl Seen {
    /// As pushes tell it.
    pub(crate) fn of<'a>(&'a self, user: &'a UserId) -> UserStatus<'a> {
        UserStatus { user, status: self.status.number(), custom: &self.custom }
    }
}

const DAY_MS: u64 = 86_400_000;
/// Changes within this time are told as one.
const GATHER_MS: u64 = 200;
/// Users that are looked at together.
pub(crate) const AT_ONCE: usize = 32;

/// On which platforms an account can be reached; nothing if there is no such account.
pub(crate) async fn platforms(
    node: &Node,
    app: &App,
    user: &UserId,
) -> Outcome<Option<Vec<(Platform, Status)>>> {
    let entity = account::user(node, app, user).await?;
    Ok(entity.read(|state| state.account().map(|_| platforms_of(node, app, user, state))))
}

fn platforms_of(
    node: &Node,
    app: &App,
    user: &UserId,
    state: &UserState,
) -> Vec<(Platform, Status)> {
    let connected: Vec<u32> = node
        .hub()
        .connections(app.id(), user)
        .iter()
        .filter_map(|connection| connection.with_session(|s| s.map(|s| s.inst_id)))
        .collect();
    let kept_ms = u64::from(app.facts().settings.presence_push_days) * DAY_MS;
    let mut platforms: Vec<(Platform, Status)> = Vec::new();
    for device in &state.devices.devices {
        let platform = Platform::from_number(device.platform);
        let online = connected.contains(&device.inst_id);
        let reachable = device.is_logged_in()
            && platform.takes_offline_push()
            && node.now() < UnixMillis(device.lost_ms.max(device.login_ms) + kept_ms);
        let status = match (online, reachable) {
            (true, _) => Status::Online,
            (false, true) => Status::PushOnline,
            (false, false) => continue,
        };
        match platforms.iter_mut().find(|(known, _)| *known == platform) {
            Some((_, known)) => *known = status.max(*known),
            None => platforms.push((platform, status)),
        }
    }
    platforms
}

/// The best that one of the platforms offers.
pub(crate) fn overall(platforms: &[(Platform, Status)]) -> Status {
    platforms.iter().map(|(_, status)| *status).max().unwrap_or(Status::Offline)
}

/// What clients are told of a user; nothing if there is no such account.
pub(crate) async fn seen(node: &Node, app: &App, user: &UserId) -> Outcome<Option<Seen>> {
    let entity = account::user(node, app, user).await?;
    Ok(entity.read(|state| {
        state.account()?;
        let status = match app.presence.may_come_back(user) {
            true => Status::Online,
            false => overall(&platforms_of(node, app, user, state)),
        };
        Some(Seen { status, custom: state.custom_status().to_owned() })
    }))
}

/// What clients know of several users or may know now, in the same order. Of one who is watched that is what
/// was told last: what is new will be told in a moment, and only if it still is.
pub(crate) async fn all_known(
    node: &Node,
    app: &App,
    users: &[UserId],
) -> Outcome<Vec<Option<Seen>>> {
    let known = in_parallel(users.to_vec(), AT_ONCE, |user| async move {
        let is_watched = is_watched(node, app, &user);
        match app.presence.told(&user).filter(|_| is_watched) {
            Some(told) => Ok(Some(told)),
            None => seen(node, app, &user).await,
        }
    });
    known.await.into_iter().collect()
}

fn is_watched(node: &Node, app: &App, user: &UserId) -> bool {
    node.hub().topic(&(app.id(), Channel::Status(user.clone()))).is_some()
}

/// A connection is gone. Unless its client has left for good it may come back within the grace.
pub(crate) fn connection_lost(node: &Node, app: &App, user: &UserId, connection: &Connection) {
    let grace_ms = u64::from(app.facts().settings.presence_grace_s) * 1_000;
    if grace_ms > 0 && !connection.is_left() {
        app.presence.lost(user, UnixMillis(node.now().0 + grace_ms));
    }
}

/// Notes what an event says of a user's status. Called with every event, after its pushes.
pub(crate) fn heard(node: &Node, event: &Event) {
    let (app, user, is_back) = if let Event::LoggedIn(device) = event {
        (device.app, &device.user, true)
    } else if let Event::LoggedOut(device) = event {
        (device.app, &device.user, false)
    } else if let Event::DevicesKicked(kicked) = event {
        (kicked.app, &kicked.user, true)
    } else if let Event::AccountDeleted(account) = event {
        (account.app, &account.user, true)
    } else if let Event::CustomStatusSet(set) = event {
        (set.app, &set.user, false)
    } else {
        return;
    };
    let Some(app) = node.app(app) else { return };
    if is_back {
        // Or it will not be: nobody waits for it any more.
        app.presence.waits_no_more(user);
    }
    changed(node, &app, user);
}

fn changed(node: &Node, app: &App, user: &UserId) {
    if app.presence.changed(user) {
        let due = UnixMillis(node.now().0 + GATHER_MS);
        node.agenda().enter(due, Due::Status(app.id(), user.clone()));
    }
}

/// Those who did not come back are offline now. Called by each tick.
pub(crate) fn end_grace(node: &Node, app: &App) {
    for user in app.presence.grace_ended(node.now()) {
        changed(node, app, &user);
    }
    app.presence.tidy(|user| is_watched(node, app, user));
}

/// Tells those who watch a user what has changed, if something has.
pub(crate) fn tell_soon(node: &Arc<Node>, app: SdkAppId, user: UserId) {
    let Some(app) = node.app(app) else { return };
    app.presence.begin_telling(&user);
    let teller = node.clone();
    let tell = async move {
        loop {
            let now = match seen(&teller, &app, &user).await {
                // Gone: what is left of him is that he cannot be reached.
                Ok(seen) => seen.unwrap_or(Seen { status: Status::Offline, custom: String::new() }),
                Err(failure) => {
                    tracing::warn!(%user, %failure, "a status is told later");
                    app.presence.end_telling(&user);
                    return changed(&teller, &app, &user);
                }
            };
            let told = app.presence.tell(&user, &now, || {
                let (app, user, seen) = (app.id(), user.clone(), now.clone());
                teller.publish(&Event::StatusChanged(StatusChanged { app, user, seen }));
            });
            if told {
                return;
            }
        }
    };
    node.spawn(tell.boxed());
}

/// Changes whom a device watches: `change` gets the list, the earliest first. At most as many as the app allows
/// are kept, the latest ones.
pub(crate) async fn watch(
    node: &Arc<Node>,
    app: &App,
    device: &Device<'_>,
    change: impl Fn(&mut Vec<UserId>),
) -> Outcome<()> {
    loop {
        load_watched(node, app, device).await?;
        let changed = account::change_user(node, app, device.user, |state, commit| {
            // Gone from memory since: read it again first.
            let Some(mut watched) = state.watched.get(&device.inst_id).cloned() else {
                return Ok(false);
            };
            change(&mut watched);
            let max = app.facts().settings.presence_subscriptions_max as usize;
            watched.drain(..watched.len().saturating_sub(max));
            let users = watched.iter().map(ToString::to_string).collect();
            commit.put(key::watched(device.inst_id), &WatchedRow { users });
            state.watched.insert(device.inst_id, watched);
            Ok(true)
        });
        if changed.await? {
            break;
        }
    }
    listen(node, app, device).await?;
    Ok(())
}

/// A device of a user, on the connection that it uses now.
pub(crate) struct Device<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) inst_id: u32,
    pub(crate) connection: &'a Arc<Connection>,
}

/// A device is back: it watches whom it has watched before, and is told what it may have missed.
pub(crate) async fn resume(node: &Node, app: &App, device: &Device<'_>) -> Outcome<()> {
    load_watched(node, app, device).await?;
    let watched = listen(node, app, device).await?;
    app.presence.look(&watched, |told| {
        let statuses: Vec<UserStatus<'_>> = told.iter().map(|(user, seen)| seen.of(user)).collect();
        if !statuses.is_empty() {
            let frame = crate::push::frame(&[push::Event::UserStatuses(&statuses)]);
            device.connection.push_past_sync(&frame);
        }
    });
    Ok(())
}

/// Sees to it that whom the device watches is in memory.
async fn load_watched(node: &Node, app: &App, device: &Device<'_>) -> Outcome<()> {
    let entity = account::user(node, app, device.user).await?;
    let inst_id = device.inst_id;
    while entity.read(|state| !state.watched.contains_key(&inst_id)) {
        let version = entity.settled_version().await?;
        let partition = Home::User(app.id(), device.user.clone()).partition();
        let row = node.store().get(&partition, &key::watched(inst_id)).await?;
        let row: WatchedRow = row.map(|row| decode_row(&row)).transpose()?.unwrap_or_default();
        let users: Vec<UserId> = row.users.iter().filter_map(|id| UserId::parse(id).ok()).collect();
        // A row that was committed while we read may be another one: then it is read again.
        entity.set_at(version, |state| {
            state.watched.entry(inst_id).or_insert(users);
        });
    }
    Ok(())
}

/// Lets the device's connection listen to those whom it watches, and answers with them.
async fn listen(node: &Node, app: &App, device: &Device<'_>) -> Outcome<Vec<UserId>> {
    let entity = account::user(node, app, device.user).await?;
    // Under the lock: of two changes at once the later one has the last word.
    let watched = entity.read(|state| {
        let watched = state.watched.get(&device.inst_id).cloned().unwrap_or_default();
        node.hub().watch(app.id(), device.connection, device.user, &watched);
        watched
    });
    let new = app.presence.watch(&watched);
    let seen = in_parallel(new, AT_ONCE, |user| async move {
        let seen = seen(node, app, &user).await?;
        app.presence.begin(&user, seen);
        Ok(())
    });
    seen.await.into_iter().collect::<Outcome<()>>()?;
    Ok(watched)
}
