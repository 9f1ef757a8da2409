//! Accounts: who exists in an app, and the state of one user.

pub(crate) mod commands;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::push::KickType;
use teahouse_proto::time::{UnixMillis, UnixSeconds};
use teahouse_store::{Direction, Partition, ReadError};

use crate::app::App;
use crate::conversation::{self, Conversations};
use crate::directory;
use crate::entity::{Change, Entity, State, in_parallel};
use crate::error::Outcome;
use crate::event::{AccountRef, CustomStatusSet, DevicesKicked, Event, ProfileChanged};
use crate::hub::Heard;
use crate::node::{Node, decode_row};
use crate::profile::{self, Face, ProfileItem, ProfileValue};
use crate::relation;
use crate::relation::book::Relations;
use crate::rows::{
    AccountRow, DevicesRow, Home, Job, LeaveGroupsJob, ListAccountJob, ProfileRow, TellFriendsJob,
    Tie, key,
};

/// The state of one user. A user that never existed, or was deleted, is a state too.
#[derive(Default)]
pub(crate) struct UserState {
    account: Option<AccountRow>,
    pub(crate) profile: BTreeMap<String, ProfileValue>,
    pub(crate) devices: DevicesRow,
    /// The index of conversations, once somebody has asked for it.
    pub(crate) conversations: Option<Conversations>,
    /// How far a device's lost connection had worked, for an exact catch-up.
    pub(crate) last_heard: BTreeMap<u32, Heard>,
    /// Devices that are known to have their list of conversations.
    pub(crate) listed: BTreeSet<u32>,
    /// Whom each device watches, the earliest first, once somebody has asked for it.
    pub(crate) watched: BTreeMap<u32, Vec<UserId>>,
    pub(crate) relations: Relations,
}

impl State for UserState {
    fn load<'a>(
        node: &'a Node,
        _: &'a Home,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Self, ReadError>> {
        async move {
            let keys = [key::head(), key::profile(), key::devices(), key::relations()]
                .map(|k| (partition.clone(), k));
            let rows = node.store().get_many(&keys).await?;
            let [account, profile, devices, relations] =
                <[_; 4]>::try_from(rows).map_err(|_| ReadError::Corrupt("four rows".into()))?;
            let relations = relations.map(|row| decode_row(&row)).transpose()?.unwrap_or_default();
            let profile: ProfileRow =
                profile.map(|row| decode_row(&row)).transpose()?.unwrap_or_default();
            Ok(Self {
                account: account.map(|row| decode_row(&row)).transpose()?,
                profile: profile::from_row(profile),
                devices: devices.map(|row| decode_row(&row)).transpose()?.unwrap_or_default(),
                conversations: None,
                last_heard: BTreeMap::new(),
                listed: BTreeSet::new(),
                watched: BTreeMap::new(),
                relations: Relations::new(relations),
            })
        }
        .boxed()
    }
}

impl UserState {
    /// The account, if it exists.
    pub(crate) fn account(&self) -> Option<&AccountRow> {
        self.account.as_ref().filter(|account| account.deleted_ms == 0)
    }

    /// Whether there was an account, and there is none now.
    pub(crate) fn was_deleted(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.deleted_ms > 0)
    }

    /// The second up to which signatures are revoked, also of an account that was deleted; 0 if none was.
    pub(crate) fn revoked_until(&self) -> UnixSeconds {
        UnixMillis(self.account.as_ref().map_or(0, |account| account.kicked_ms)).seconds()
    }

    pub(crate) fn tiny_id(&self) -> Option<TinyId> {
        self.account().map(|account| TinyId(account.tiny_id))
    }

    /// Changes the account's own row; says whether there is an account.
    pub(crate) fn change_account(
        &mut self,
        change: &mut Change,
        apply: impl FnOnce(&mut AccountRow),
    ) -> bool {
        let Some(account) = self.account.as_mut().filter(|account| account.deleted_ms == 0) else {
            return false;
        };
        apply(account);
        change.put(key::head(), account);
        true
    }

    /// Deletes the account, which is known to exist and to be in `groups`.
    fn delete(
        &mut self,
        node: &Node,
        app: SdkAppId,
        user: &UserId,
        groups: &BTreeSet<GroupId>,
        change: &mut Change,
    ) {
        self.end_sessions(app, user, node.now(), change);
        let Some(mut account) = self.account.take() else { return };
        account.deleted_ms = node.now().0;
        account.custom_status.clear();
        let tiny_id = account.tiny_id;
        change.put(key::head(), &account);
        change.delete_range(key::all_but_head());
        change.job(node, Job::ListAccount(ListAccountJob { tiny_id, deleted: true }));
        let names: Vec<String> = groups.iter().map(ToString::to_string).collect();
        for groups in names.chunks(GROUPS_A_JOB) {
            let groups = groups.to_vec();
            change.job(node, Job::LeaveGroups(LeaveGroupsJob { tiny_id, groups }));
        }
        change.event(Event::AccountDeleted(AccountRef { app, user: user.clone() }));
        *self = Self { account: Some(account), ..Self::default() };
    }

    /// Makes the account if it does not exist; says whether it did so.
    pub(crate) fn create(
        &mut self,
        node: &Node,
        app: SdkAppId,
        user: &UserId,
        change: &mut Change,
    ) -> bool {
        if self.account().is_some() {
            return false;
        }
        // A kick outlives the account: signatures that it has revoked stay so.
        let kicked_ms = self.account.as_ref().map_or(0, |account| account.kicked_ms);
        let tiny_id = node.next_id();
        let account = AccountRow {
            tiny_id: tiny_id.0,
            created_ms: node.now().0,
            kicked_ms,
            ..AccountRow::default()
        };
        change.put(key::head(), &account);
        change.job(node, Job::ListAccount(ListAccountJob { tiny_id: tiny_id.0, deleted: false }));
        change.event(Event::AccountCreated(AccountRef { app, user: user.clone() }));
        self.account = Some(account);
        true
    }

    /// Replaces values of the profile. The friends' devices are told through the outbox: there may be many.
    pub(crate) fn set_profile(&mut self, node: &Node, items: &[ProfileItem], change: &mut Change) {
        for item in items {
            self.profile.insert(item.tag.clone(), item.value.clone());
        }
        change.put(key::profile(), &profile::to_row(&self.profile));
        if let Some(account) =
            self.tiny_id().filter(|_| self.relations.head.count(Tie::FriendOf) > 0)
        {
            let tags = items.iter().map(|item| item.tag.clone()).collect();
            change.job(node, Job::TellFriends(TellFriendsJob { tiny_id: account.0, tags }));
        }
    }

    pub(crate) fn put_devices(&self, change: &mut Change) {
        change.put(key::devices(), &self.devices);
    }

    /// A device whose session ends watches nobody any more.
    pub(crate) fn forget_watched(&mut self, inst_id: u32, change: &mut Change) {
        self.watched.remove(&inst_id);
        change.delete(key::watched(inst_id));
    }

    /// What the user says about himself; empty: nothing.
    pub(crate) fn custom_status(&self) -> &str {
        self.account().map_or("", |account| &account.custom_status)
    }

    pub(crate) fn set_custom_status(
        &mut self,
        app: SdkAppId,
        user: &UserId,
        text: &str,
        change: &mut Change,
    ) -> Outcome<()> {
        let account = self.account.as_mut().filter(|account| account.deleted_ms == 0);
        let account = account.ok_or(ErrorCode::SessionInvalid)?;
        if account.custom_status != text {
            text.clone_into(&mut account.custom_status);
            change.put(key::head(), account);
        }
        let (user, text) = (user.clone(), text.to_owned());
        change.event(Event::CustomStatusSet(CustomStatusSet { app, user, text }));
        Ok(())
    }

    /// Ends all sessions, and every signature and token issued up to now. The caller writes the rows.
    fn end_sessions(&mut self, app: SdkAppId, user: &UserId, now: UnixMillis, change: &mut Change) {
        if let Some(account) = &mut self.account {
            account.kicked_ms = now.0;
        }
        let reason = KickType::RestApi;
        let devices = self.devices.devices.iter_mut().filter(|device| device.is_logged_in());
        let devices: Vec<u32> = devices
            .map(|device| {
                device.ended = reason as u32;
                device.inst_id
            })
            .collect();
        devices.iter().for_each(|inst_id| self.forget_watched(*inst_id, change));
        let user = user.clone();
        change.event(Event::DevicesKicked(DevicesKicked { app, user, devices, reason, by: None }));
    }
}

/// Users that are looked up at once for one request.
const AT_ONCE: usize = 32;

/// The user `user`, whether it exists or not.
pub(crate) async fn user(node: &Node, app: &App, user: &UserId) -> Outcome<Arc<Entity<UserState>>> {
    app.users.get(node, user, || Home::User(app.id(), user.clone())).await
}

/// The number of an account, if it exists.
pub(crate) async fn tiny_id(node: &Node, app: &App, id: &UserId) -> Outcome<Option<TinyId>> {
    Ok(user(node, app, id).await?.read(UserState::tiny_id))
}

/// The numbers of these accounts, in the same order; nothing for one that does not exist.
pub(crate) async fn tiny_ids(
    node: &Node,
    app: &App,
    users: &[UserId],
) -> Outcome<Vec<Option<TinyId>>> {
    let found =
        in_parallel(users.to_vec(), AT_ONCE, |id| async move { tiny_id(node, app, &id).await });
    found.await.into_iter().collect()
}

/// The accounts of these names, in the same order; nothing for one that is malformed or does not exist.
pub(crate) async fn parse_existing(
    node: &Node,
    app: &App,
    names: &[String],
) -> Outcome<Vec<Option<(UserId, TinyId)>>> {
    let parsed: Vec<_> = names.iter().map(|name| UserId::parse(name).ok()).collect();
    let valid: Vec<UserId> = parsed.iter().flatten().cloned().collect();
    let mut numbers = tiny_ids(node, app, &valid).await?.into_iter();
    let known = |id: Option<UserId>| id.and_then(|id| Some((id, numbers.next()??)));
    Ok(parsed.into_iter().map(known).collect())
}

/// The number of an account; `otherwise` if it does not exist.
pub(crate) async fn existing(
    node: &Node,
    app: &App,
    id: &UserId,
    otherwise: ErrorCode,
) -> Outcome<TinyId> {
    tiny_id(node, app, id).await?.ok_or_else(|| {
        let info = format!("{id}: {}", otherwise.default_text());
        teahouse_proto::error::Error::with(otherwise, info).into()
    })
}

/// Nick and avatar of a user.
pub(crate) async fn face(node: &Node, app: &App, id: &UserId) -> Outcome<(String, String)> {
    Ok(user(node, app, id).await?.read(|state| profile::face(&state.profile)))
}

/// Nick and avatar of these users, in the same order.
pub(crate) async fn faces(
    node: &Node,
    app: &App,
    users: &[UserId],
) -> Outcome<Vec<(String, Face)>> {
    let faces = in_parallel(users.to_vec(), AT_ONCE, |id| async move {
        let face = face(node, app, &id).await?;
        Ok((id.to_string(), face))
    });
    faces.await.into_iter().collect()
}

/// Changes a user.
pub(crate) async fn change_user<R>(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    change: impl FnMut(&mut UserState, &mut Change) -> Outcome<R>,
) -> Outcome<R> {
    app.users.change(node, user, || Home::User(app.id(), user.clone()), change).await
}

/// Makes an account with these profile values; of one that exists only the values are replaced.
pub(crate) async fn import(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    profile: &[ProfileItem],
) -> Outcome<()> {
    change_user(node, app, user, |state, change| {
        state.create(node, app.id(), user, change);
        if !profile.is_empty() {
            state.set_profile(node, profile, change);
            change.event(Event::ProfileChanged(ProfileChanged {
                app: app.id(),
                user: user.clone(),
                items: profile.to_vec(),
                origin: None,
            }));
        }
        Ok(())
    })
    .await
}

/// Deletes an account with all it has; says whether there was one. Its sessions end. Messages it has
/// sent stay with those who received them.
pub(crate) async fn delete(node: &Arc<Node>, app: &Arc<App>, user: &UserId) -> Outcome<bool> {
    if tiny_id(node, app, user).await?.is_none() {
        return Ok(false);
    }
    let mut groups = BTreeSet::from_iter(conversation::groups::all(node, app, user).await?);
    shorten(node, app, user).await?;
    loop {
        relation::settle::part_from_all(node, app, user).await?;
        groups.extend(conversation::groups::all(node, app, user).await?);
        let deleted = change_user(node, app, user, |state, change| {
            if state.account().is_none() {
                return Ok(Some(false));
            }
            // Somebody became a friend, or a follower, meanwhile.
            if Tie::ALL.into_iter().any(|tie| state.relations.head.count(tie) > 0) {
                return Ok(None);
            }
            // Gone from memory since: read it again first.
            let Some(index) = &state.conversations else { return Ok(None) };
            // Where somebody comes in whose index has no row yet, the job that makes it takes him out.
            groups.extend(index.groups.keys().cloned());
            state.delete(node, app.id(), user, &groups, change);
            Ok(Some(true))
        })
        .await?;
        if let Some(deleted) = deleted {
            return Ok(deleted);
        }
    }
}

/// Groups that one row of the outbox names.
const GROUPS_A_JOB: usize = 500;

/// Removes conversations of a user that is about to be deleted until one commit can remove the rest: of all else
/// that is his own there is a limit, and his relations end one by one, on both sides.
async fn shorten(node: &Arc<Node>, app: &App, id: &UserId) -> Outcome<()> {
    const ROWS_A_COMMIT: usize = 10_000;
    let partition = Home::User(app.id(), id.clone()).partition();
    let (from, to) = key::conversations();
    loop {
        let rows =
            node.store().scan(&partition, &from..&to, Direction::Ascending, ROWS_A_COMMIT).await?;
        let Some(last) = rows.get(ROWS_A_COMMIT - 1) else { return Ok(()) };
        change_user(node, app, id, |state, change| {
            state.conversations = None;
            change.delete_range((from.clone(), last.key.clone()));
            Ok(())
        })
        .await?;
    }
}

/// Ends all sessions of an account and revokes every signature issued up to this second; says whether
/// there is such an account.
pub(crate) async fn kick(node: &Arc<Node>, app: &App, user: &UserId) -> Outcome<bool> {
    change_user(node, app, user, |state, change| {
        if state.account().is_none() {
            return Ok(false);
        }
        state.end_sessions(app.id(), user, node.now(), change);
        change.put(key::head(), state.account.as_ref().expect("just seen"));
        state.put_devices(change);
        Ok(true)
    })
    .await
}

/// How many accounts an app has.
pub(crate) async fn count(node: &Node, app: SdkAppId) -> Outcome<u64> {
    directory::count_accounts(node, app).await
}
