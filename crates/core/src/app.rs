//! An app: its keys, administrators and settings. Everything else belongs to exactly one app, and
//! nothing crosses from one to another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use futures_util::future::{BoxFuture, FutureExt};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, SdkAppId, UserId};
use teahouse_proto::time::UnixMillis;
use teahouse_store::{Partition, ReadError};

use crate::account::{self, UserState};
use crate::conversation::listing::Listings;
use crate::conversation::marks::{GroupMark, Mark, Marks};
use crate::entity::{Cache, State};
use crate::error::{Failure, Outcome};
use crate::event::Event;
use crate::group::GroupState;
use crate::group::counters::Untold;
use crate::group::flow::Flows;
use crate::group::receipts::Counting;
use crate::group::room::Rooms;
use crate::hook::{self, AppHooks};
use crate::merged;
use crate::node::Node;
use crate::pair::PairState;
use crate::presence;
use crate::relation::settle::PairLocks;
use crate::retention::Cut;
use crate::rows::{AppRow, Home, ImportAccountJob, Job, PairKey, key};
use crate::session::FailureCounter;
use crate::settings::AppSettings;
use crate::turns::Turns;

/// The administrator that every app starts with.
pub const FIRST_ADMIN: &str = "administrator";
/// Administrators of one app.
const ADMINS_MAX: usize = 10;
const USERS_IN_MEMORY: usize = 200_000;
const PAIRS_IN_MEMORY: usize = 200_000;
/// With all their members, so far fewer.
const GROUPS_IN_MEMORY: usize = 20_000;

/// One app on this node.
pub struct App {
    id: SdkAppId,
    facts: ArcSwap<AppFacts>,
    pub(crate) users: Cache<UserId, UserState>,
    pub(crate) pairs: Cache<PairKey, PairState>,
    pub(crate) groups: Cache<GroupId, GroupState>,
    /// Stored lists of merged messages, by day.
    pub(crate) merged: Cache<u32, merged::DayState>,
    /// Conversations that messages of another system are written into.
    pub(crate) imports: Turns<PairKey>,
    /// Groups likewise.
    pub(crate) group_imports: Turns<GroupId>,
    pub(crate) rooms: Rooms,
    pub(crate) marks: Marks<UserId, Mark>,
    pub(crate) group_marks: Marks<GroupId, GroupMark>,
    /// Lists that are read page by page.
    pub(crate) listings: Listings,
    /// What waits because its group has more messages than it may have.
    pub(crate) flows: Flows,
    pub(crate) untold_counters: Untold,
    /// Groups in which something is being attached to a message.
    pub(crate) attaching: Turns<GroupId>,
    /// Messages of groups whose readers are to be counted.
    pub(crate) receipts: Counting,
    pub(crate) login_failures: FailureCounter,
    pub(crate) presence: presence::Tracker,
    pub(crate) pair_locks: PairLocks,
    /// Conversations whose first message is stored, or about to be, and that are not in the index of a
    /// user yet.
    indexing: Mutex<HashMap<UserId, BTreeSet<PairKey>>>,
    pub(crate) hooks: AppHooks,
    /// REST calls by operation: second (upper 32 bits) and calls in it.
    calls: Box<[AtomicU64]>,
}

/// What an operation needs to know of its app; replaced as a whole when it changes.
#[derive(Debug, Clone)]
pub struct AppFacts {
    /// UserSig keys, the primary one first.
    pub keys: Vec<String>,
    /// Accounts that may call REST.
    pub admins: Vec<UserId>,
    /// The settings.
    pub settings: AppSettings,
    /// Rises with each change of the settings.
    pub settings_version: u64,
    /// When the app was made.
    pub created: UnixMillis,
}

impl App {
    pub(crate) fn new(id: SdkAppId, row: &AppRow, operations: usize) -> Arc<Self> {
        Arc::new(Self {
            id,
            facts: ArcSwap::from_pointee(facts(id, row)),
            users: Cache::new(USERS_IN_MEMORY),
            pairs: Cache::new(PAIRS_IN_MEMORY),
            groups: Cache::new(GROUPS_IN_MEMORY),
            merged: Cache::new(merged::DAYS_IN_MEMORY),
            imports: Turns::default(),
            group_imports: Turns::default(),
            rooms: Rooms::default(),
            marks: Marks::default(),
            group_marks: Marks::default(),
            listings: Listings::default(),
            flows: Flows::default(),
            untold_counters: Untold::default(),
            attaching: Turns::default(),
            receipts: Counting::default(),
            login_failures: FailureCounter::default(),
            presence: presence::Tracker::default(),
            pair_locks: PairLocks::default(),
            indexing: Mutex::default(),
            hooks: AppHooks::default(),
            calls: (0..operations).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// Its number.
    pub fn id(&self) -> SdkAppId {
        self.id
    }

    /// Keys, administrators, settings, as they are now.
    pub fn facts(&self) -> Arc<AppFacts> {
        self.facts.load_full()
    }

    /// Whether any webhook is sent.
    pub(crate) fn has_hooks(&self) -> bool {
        let settings = &self.facts.load().settings;
        !settings.webhook_url.0.is_empty() && !settings.webhook_commands.is_empty()
    }

    pub(crate) fn replace_facts(&self, row: &AppRow) {
        self.facts.store(Arc::new(facts(self.id, row)));
    }

    /// The first message of a conversation of these users is about to be stored.
    pub(crate) fn begin_indexing(&self, pair: PairKey, users: [&UserId; 2]) {
        let mut indexing = self.indexing.lock().expect("no panic while held");
        users.iter().for_each(|user| {
            indexing.entry((*user).clone()).or_default().insert(pair);
        });
    }

    /// The conversation is in the index of these users, or was not stored.
    pub(crate) fn end_indexing(&self, pair: PairKey, users: [&UserId; 2]) {
        let mut indexing = self.indexing.lock().expect("no panic while held");
        for user in users {
            if let Some(pairs) = indexing.get_mut(user) {
                pairs.remove(&pair);
                if pairs.is_empty() {
                    indexing.remove(user);
                }
            }
        }
    }

    /// Conversations of a user that are on their way into the index.
    pub(crate) fn indexing(&self, user: &UserId) -> Vec<PairKey> {
        let indexing = self.indexing.lock().expect("no panic while held");
        indexing.get(user).into_iter().flatten().copied().collect()
    }

    /// Counts one REST call of the operation at `index` and says whether it is within `limit` calls in
    /// this second.
    pub fn count_call(&self, index: usize, limit: u32, now: UnixMillis) -> bool {
        let second = now.0 / 1000;
        let count = |seen: u64| {
            let calls = if seen >> 32 == second & 0xffff_ffff { seen & 0xffff_ffff } else { 0 };
            Some(((second & 0xffff_ffff) << 32) | (calls + 1).min(0xffff_ffff))
        };
        let cell = &self.calls[index];
        let seen = match cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count) {
            Ok(seen) | Err(seen) => seen,
        };
        count(seen).expect("always some") & 0xffff_ffff <= u64::from(limit)
    }
}

fn facts(app: SdkAppId, row: &AppRow) -> AppFacts {
    let (settings, problems) = AppSettings::from_overrides(&row.settings);
    for problem in problems {
        tracing::warn!(app = app.0, %problem, "a stored setting does not fit; its default is used");
    }
    AppFacts {
        keys: row.keys.clone(),
        admins: row.admins.iter().filter_map(|admin| UserId::parse(admin).ok()).collect(),
        settings,
        settings_version: row.settings_version,
        created: UnixMillis(row.created_ms),
    }
}

/// The stored state of an app.
#[derive(Default)]
pub(crate) struct AppState {
    row: Option<AppRow>,
}

impl State for AppState {
    fn load<'a>(
        node: &'a Node,
        _: &'a Home,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Self, ReadError>> {
        async move { Ok(Self { row: node.head_row(partition).await? }) }.boxed()
    }
}

/// An app as an operator sees it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct AppView {
    /// SDKAppID.
    pub sdkappid: SdkAppId,
    /// UserSig keys, the primary one first.
    pub keys: Vec<String>,
    /// Accounts that may call REST.
    pub admins: Vec<String>,
    /// When it was made, unix seconds.
    pub created: u32,
    /// Accounts.
    pub accounts: u64,
    /// Every setting with its value.
    pub settings: BTreeMap<&'static str, String>,
}

/// What an operator asked for cannot be done.
fn refuse(info: String) -> Failure {
    Failure::Refused(Error::with(ErrorCode::UrlParameterWrong, info))
}

impl Node {
    /// Makes an app with `key` as its UserSig key, and its first administrator. An app that exists
    /// with the same key stays as it is.
    ///
    /// # Errors
    /// The app exists with other keys, or the key is empty; the store failed.
    pub async fn create_app(self: &Arc<Self>, id: SdkAppId, key: &str) -> Outcome<Arc<App>> {
        if key.is_empty() || id.0 == 0 {
            return Err(refuse(
                "an app needs an SDKAppID above 0 and a key that is not empty".into(),
            ));
        }
        let now = self.now();
        self.change_app(id, |row| {
            let Some(row) = row else {
                return Ok(Some(AppRow {
                    created_ms: now.0,
                    keys: vec![key.to_owned()],
                    admins: vec![FIRST_ADMIN.to_owned()],
                    ..AppRow::default()
                }));
            };
            if row.keys.iter().any(|known| known == key) {
                return Ok(None);
            }
            Err(refuse(format!("app {id} exists with another key")))
        })
        .await
    }

    /// Changes settings, all or none. The pseudo-settings `key.add` and `key.remove` rotate UserSig keys:
    /// a key that was added becomes the primary one, older ones stay valid until they are removed.
    ///
    /// # Errors
    /// No such app or setting, a value that does not fit, or the last key would go.
    pub async fn set_app(
        self: &Arc<Self>,
        id: SdkAppId,
        changes: &[(String, String)],
    ) -> Outcome<()> {
        self.change_app(id, |row| {
            let mut row = row.ok_or_else(|| no_such_app(id))?;
            let mut settings = AppSettings::from_overrides(&row.settings).0;
            for (name, value) in changes {
                match name.as_str() {
                    "key.add" if value.is_empty() => {
                        return Err(refuse("a key is not empty".into()));
                    }
                    "key.add" => {
                        row.keys.retain(|key| key != value);
                        row.keys.insert(0, value.clone());
                    }
                    "key.remove" => row.keys.retain(|key| key != value),
                    _ => {
                        settings.set(name, value).map_err(|problem| refuse(problem.to_string()))?;
                        row.settings.insert(name.clone(), value.clone());
                    }
                }
            }
            if row.keys.is_empty() {
                return Err(refuse("an app keeps at least one key".into()));
            }
            row.settings_version += 1;
            Ok(Some(row))
        })
        .await?;
        Ok(())
    }

    /// Adds (or, with `add` false, removes) an administrator.
    ///
    /// # Errors
    /// No such app; too many administrators; the last one would go.
    pub async fn set_admin(
        self: &Arc<Self>,
        id: SdkAppId,
        admin: &UserId,
        add: bool,
    ) -> Outcome<()> {
        self.change_app(id, |row| {
            let mut row = row.ok_or_else(|| no_such_app(id))?;
            row.admins.retain(|known| known != admin.as_str());
            if add {
                row.admins.push(admin.as_str().to_owned());
            }
            match row.admins.len() {
                0 => Err(refuse("an app keeps at least one administrator".into())),
                1..=ADMINS_MAX => Ok(Some(row)),
                _ => Err(refuse(format!("an app has at most {ADMINS_MAX} administrators"))),
            }
        })
        .await?;
        Ok(())
    }

    /// The app as an operator sees it.
    ///
    /// # Errors
    /// No such app; the store failed.
    pub async fn show_app(&self, id: SdkAppId) -> Outcome<AppView> {
        let app = self.app(id).ok_or_else(|| no_such_app(id))?;
        let facts = app.facts();
        Ok(AppView {
            sdkappid: id,
            keys: facts.keys.clone(),
            admins: facts.admins.iter().map(|admin| admin.as_str().to_owned()).collect(),
            created: facts.created.seconds().0,
            accounts: account::count(self, id).await?,
            settings: facts.settings.show(),
        })
    }

    /// Commits what `change` makes of the app's row (`None`: nothing to do), then takes it into use.
    async fn change_app(
        self: &Arc<Self>,
        id: SdkAppId,
        change: impl Fn(Option<AppRow>) -> Outcome<Option<AppRow>>,
    ) -> Outcome<Arc<App>> {
        let changed = self
            .app_states
            .change(
                self,
                &id,
                || Home::App(id),
                |state, wanted| {
                    let before = state.row.clone();
                    let Some(row) = change(before.clone())? else { return Ok(before) };
                    wanted.put(key::head(), &row);
                    let was_named = |user: &String| {
                        before.as_ref().is_some_and(|b| accounts(b).any(|known| known == user))
                    };
                    for user in accounts(&row).filter(|user| !was_named(user)) {
                        let job = ImportAccountJob { user: user.clone() };
                        wanted.job(self, Job::ImportAccount(job));
                    }
                    wanted.event(Event::AppChanged(id));
                    state.row = Some(row.clone());
                    Ok(Some(row))
                },
            )
            .await?
            .expect("a change of an app leaves an app");
        let app = self.take_app_into_use(id, &changed).await?;
        hook::deliver::step_soon(self, &app);
        self.run_jobs(Home::App(id)).await?;
        Ok(app)
    }
}

/// Accounts that an app cannot be without.
fn accounts(row: &AppRow) -> impl Iterator<Item = &String> {
    row.admins.iter().chain(&row.robots)
}

impl Node {
    /// Lists a robot, and makes its account. One that is listed stays so.
    ///
    /// # Errors
    /// `GroupRequestIllegal`: the app has as many robots as it may have.
    pub(crate) async fn list_robot(self: &Arc<Self>, app: &App, robot: &UserId) -> Outcome<()> {
        let most = app.facts().settings.robots_max as usize;
        self.change_app(app.id(), |row| {
            let mut row = row.ok_or_else(|| no_such_app(app.id()))?;
            if row.robots.iter().any(|known| known == robot.as_str()) {
                return Ok(None);
            }
            if row.robots.len() >= most {
                let info = format!("the app has {most} robots, as many as it may have");
                return Err(Error::with(ErrorCode::GroupRequestIllegal, info).into());
            }
            row.robots.push(robot.to_string());
            Ok(Some(row))
        })
        .await?;
        Ok(())
    }

    /// Takes a robot out of the list; says whether it was there.
    pub(crate) async fn unlist_robot(self: &Arc<Self>, app: &App, robot: &UserId) -> Outcome<bool> {
        let is_it = |known: &String| known == robot.as_str();
        let listed = self.robots(app).await?.iter().any(is_it);
        if listed {
            self.change_app(app.id(), |row| {
                let mut row = row.ok_or_else(|| no_such_app(app.id()))?;
                row.robots.retain(|known| !is_it(known));
                Ok(Some(row))
            })
            .await?;
        }
        Ok(listed)
    }

    /// The robots of an app, in the order in which they were made.
    pub(crate) async fn robots(&self, app: &App) -> Outcome<Vec<String>> {
        let id = app.id();
        let entity = self.app_states.get(self, &id, || Home::App(id)).await?;
        Ok(entity.read(|state| state.row.as_ref().map_or_else(Vec::new, |row| row.robots.clone())))
    }
}

fn no_such_app(id: SdkAppId) -> Failure {
    Failure::Refused(Error::with(ErrorCode::SdkAppIdInvalid, format!("there is no app {id}")))
}

impl Node {
    /// The app under `id`, also when it was made a moment ago and is not in use yet.
    pub(crate) async fn loaded_app(self: &Arc<Self>, id: SdkAppId) -> Outcome<Option<Arc<App>>> {
        if let Some(app) = self.app(id) {
            return Ok(Some(app));
        }
        let entity = self.app_states.get(self, &id, || Home::App(id)).await?;
        match entity.read(|state| state.row.clone()) {
            Some(row) => self.take_app_into_use(id, &row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The last day that has been cut.
    pub(crate) async fn cut_day(&self, app: &App, cut: Cut) -> Outcome<u32> {
        let id = app.id();
        let entity = self.app_states.get(self, &id, || Home::App(id)).await?;
        let day = |row: &AppRow| match cut {
            Cut::Pairs => row.history_cut_day,
            Cut::Groups => row.group_history_cut_day,
            Cut::Merged => row.merged_cut_day,
        };
        Ok(entity.read(|state| state.row.as_ref().map_or(0, day)))
    }

    pub(crate) async fn set_cut_day(
        self: &Arc<Self>,
        app: &App,
        cut: Cut,
        day: u32,
    ) -> Outcome<()> {
        let id = app.id();
        self.app_states
            .change(
                self,
                &id,
                || Home::App(id),
                |state, change| {
                    if let Some(row) = &mut state.row {
                        match cut {
                            Cut::Pairs => row.history_cut_day = day,
                            Cut::Groups => row.group_history_cut_day = day,
                            Cut::Merged => row.merged_cut_day = day,
                        }
                        change.put(key::head(), row);
                    }
                    Ok(())
                },
            )
            .await
    }
}
