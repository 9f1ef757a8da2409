//! A node: the store, the apps, the hub, and what runs between requests.
//!
//! Everything that an operation needs beyond its own entity is found from here. The node has no timer:
//! the server calls [`Node::tick`] once a second, the simulator whenever it likes.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::time::UnixMillis;
use teahouse_store::{Direction, Partition, ReadError, Store};

use crate::agenda::Agenda;
use crate::app::{App, AppState};
use crate::directory::{DirectoryKey, DirectoryState};
use crate::entity::{Cache, Change, State, in_parallel};
use crate::env::{Env, IdMaker};
use crate::error::{Failure, Outcome};
use crate::event::Event;
use crate::group;
use crate::hook::{self, Endpoints};
use crate::hub::Hub;
use crate::hub::topic::Topic;
use crate::operation::Registry;
use crate::outbox::Runners;
use crate::presence;
use crate::push;
use crate::retention;
use crate::rows::{AppRow, ClusterRow, FORMAT, Home, key};

/// One node.
pub struct Node {
    env: Env,
    store: Arc<dyn Store>,
    registry: Registry,
    hub: Hub,
    agenda: Agenda<Due>,
    ids: IdMaker,
    token_key: Bytes,
    apps: ArcSwap<HashMap<SdkAppId, Arc<App>>>,
    pub(crate) app_states: Cache<SdkAppId, AppState>,
    pub(crate) directories: Cache<DirectoryKey, DirectoryState>,
    clusters: Cache<(), ClusterState>,
    pub(crate) runners: Runners,
    retention: tokio::sync::Mutex<retention::Progress>,
    stopping: AtomicBool,
}

/// What waits for milliseconds.
pub(crate) enum Due {
    /// What a topic has gathered.
    Flush(Arc<Topic>),
    /// A slot of a group's flow control.
    Flow(SdkAppId, GroupId),
    /// What members of a group are to be told of its counters.
    Counters(SdkAppId, GroupId),
    /// What changed of a user's status.
    Status(SdkAppId, UserId),
    /// Webhooks of an app that are to be sent.
    Webhooks(SdkAppId),
    /// Webhooks of an app that are to be written.
    GatheredWebhooks(SdkAppId),
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data was written by a newer version.
    #[error(
        "the data has format {found}, which a newer teahouse wrote; this one reads up to {FORMAT}"
    )]
    Newer {
        /// The format of the data.
        found: u32,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Failure),
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

/// How many entities are in memory.
#[derive(Debug, Clone, Copy)]
pub struct Cached {
    /// Users.
    pub users: usize,
    /// One-to-one conversations.
    pub pairs: usize,
    /// Groups.
    pub groups: usize,
    /// Live rooms that somebody is in.
    pub rooms: usize,
}

/// How far ahead ids are reserved, milliseconds.
const IDS_AHEAD_MS: u64 = 60_000;
const DIRECTORIES_IN_MEMORY: usize = 4_096;
const USERS_SAVED_AT_ONCE: usize = 64;

impl Node {
    /// Takes the data of `store` into use: checks its format, loads the apps, and starts what an
    /// earlier process left undone.
    ///
    /// # Errors
    /// The data is of a newer version, or the store failed.
    pub async fn open(
        env: Env,
        store: Arc<dyn Store>,
        registry: Registry,
    ) -> Result<Arc<Self>, OpenError> {
        let head = store.get(&Home::Cluster.partition(), &key::head()).await?;
        let row = match head {
            Some(head) => decode_row::<ClusterRow>(&head)?,
            None => {
                let half = || env.random.next().to_be_bytes();
                let token_key = [half(), half(), half(), half()].concat();
                ClusterRow { format: FORMAT, token_key: token_key.into(), ids_reserved_ms: 0 }
            }
        };
        if row.format > FORMAT {
            return Err(OpenError::Newer { found: row.format });
        }
        let node = Arc::new(Self {
            ids: IdMaker::new(env.node_number, UnixMillis(row.ids_reserved_ms)),
            hub: Hub::new(env.shards),
            agenda: Agenda::default(),
            env,
            store,
            registry,
            token_key: row.token_key.clone(),
            apps: ArcSwap::default(),
            app_states: Cache::new(1_024),
            directories: Cache::new(DIRECTORIES_IN_MEMORY),
            clusters: Cache::new(1),
            runners: Runners::default(),
            retention: tokio::sync::Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        node.change_cluster(|state, change| {
            if state.row.is_none() {
                change.put(key::head(), &row);
                state.row = Some(row.clone());
            }
        })
        .await?;
        node.reserve_ids().await?;
        node.load_apps().await?;
        node.run_pending_jobs().await?;
        for app in node.apps().iter().filter(|app| app.has_hooks()) {
            hook::deliver::step_soon(&node, app);
        }
        Ok(node)
    }

    /// Now.
    pub fn now(&self) -> UnixMillis {
        self.env.clock.now()
    }

    /// 64 unpredictable bits.
    pub fn random(&self) -> u64 {
        self.env.random.next()
    }

    /// The operations that this node serves.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Who is connected.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The app under `id`.
    pub fn app(&self, id: SdkAppId) -> Option<Arc<App>> {
        self.apps.load().get(&id).cloned()
    }

    /// All apps, by number.
    pub fn apps(&self) -> Vec<Arc<App>> {
        let mut apps: Vec<_> = self.apps.load().values().cloned().collect();
        apps.sort_by_key(|app| app.id());
        apps
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The entity's own row.
    pub(crate) async fn head_row<R: prost::Message + Default>(
        &self,
        partition: &Partition,
    ) -> Result<Option<R>, ReadError> {
        let head = self.store.get(partition, &key::head()).await?;
        head.map(|head| decode_row(&head)).transpose()
    }

    pub(crate) fn token_key(&self) -> &[u8] {
        &self.token_key
    }

    pub(crate) fn next_id(&self) -> TinyId {
        self.ids.next(self.now())
    }

    pub(crate) fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.env.spawn.spawn(task);
    }

    /// Tells an event that no commit holds: to its consumers now, to webhooks in a moment.
    pub(crate) fn publish(&self, event: &Event) {
        self.publish_stored(event);
        hook::gather(self, event.app(), hook::rows(self, std::slice::from_ref(event)));
    }

    /// Hands a durable event to its consumers. Called under the entity's lock, in commit order: it only
    /// appends to bounded queues and counters. Webhooks have it from the commit.
    pub(crate) fn publish_stored(&self, event: &Event) {
        event.count();
        push::deliver(self, event);
        presence::heard(self, event);
    }

    pub(crate) fn agenda(&self) -> &Agenda<Due> {
        &self.agenda
    }

    /// How long it is until [`Node::run_due`] has something to do, as of now.
    pub fn next_due(&self) -> Option<Duration> {
        self.agenda.next(self.now())
    }

    /// Returns when something is due earlier than [`Node::next_due`] said.
    pub async fn due_changed(&self) {
        self.agenda.changed().await;
    }

    /// Does what is due within the second: messages that were gathered go out, messages that waited for
    /// their group's limit go on. Never waits.
    pub fn run_due(self: &Arc<Self>) {
        let now = self.now();
        while let Some(due) = self.agenda.take(now) {
            match due {
                Due::Flush(topic) => {
                    if let Some(later) = self.hub.flush(&topic, now) {
                        self.agenda.enter(later, Due::Flush(topic));
                    }
                }
                Due::Flow(app, group) => group::flow::slot(self, app, &group),
                Due::Counters(app, group) => group::counters::tell_due(self, app, &group),
                Due::Status(app, user) => presence::tell_soon(self, app, user),
                Due::Webhooks(app) => {
                    if let Some(app) = self.app(app) {
                        hook::deliver::look(self, &app);
                    }
                }
                Due::GatheredWebhooks(app) => {
                    if let Some(app) = self.app(app) {
                        hook::write_gathered_soon(self, &app);
                    }
                }
            }
        }
    }

    /// What is due: ids to reserve, read marks to save, jobs to repeat, history to cut (in the background).
    /// It may take a while: give it a task of its own.
    pub async fn tick(self: &Arc<Self>) {
        self.hub.release_overdue(self.now());
        if let Err(failure) = self.reserve_ids().await {
            tracing::warn!(%failure, "ids are reserved by the next tick");
        }
        self.save_marks().await;
        for app in self.apps().iter() {
            group::room::end_grace(self, app);
            presence::end_grace(self, app);
            app.flows.tidy(self.now());
            app.untold_counters.tidy(self.now());
        }
        self.repeat_failed_jobs().await;
        hook::deliver::tend(self).await;
        let node = self.clone();
        // A cut may take long, and the next tick has other things to do. One cut at a time: a tick that
        // finds one under way has nothing to cut.
        let cut = async move {
            if let Ok(mut progress) = node.retention.try_lock() {
                retention::cut_due(&node, &mut progress).await;
            }
        };
        self.spawn(cut.boxed());
    }

    /// Saves all read marks that are kept in memory, for a moment after which they shall all be on disk. The
    /// server calls it before it stops.
    pub async fn save_all_marks(self: &Arc<Self>) {
        while self.save_marks().await {}
    }

    /// Sends no more webhooks and writes those that are only in memory. The server calls it before it stops.
    pub async fn stop_hooks(self: &Arc<Self>) {
        self.stopping.store(true, Ordering::Relaxed);
        for app in self.apps() {
            hook::write_gathered(self, &app).await;
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn endpoints(&self) -> &dyn Endpoints {
        &*self.env.endpoints
    }

    /// Saves read marks, of each user as many as one commit holds; says whether some were saved and more
    /// wait.
    async fn save_marks(self: &Arc<Self>) -> bool {
        let mut more = false;
        for app in self.apps() {
            let readers: BTreeSet<UserId> =
                app.marks.readers().into_iter().chain(app.group_marks.readers()).collect();
            let saves = in_parallel(readers, USERS_SAVED_AT_ONCE, |reader| {
                let (node, app) = (self.clone(), app.clone());
                async move { crate::conversation::save_marks(&node, &app, &reader).await }
            });
            match saves.await.into_iter().find_map(Result::err) {
                Some(failure) => {
                    tracing::warn!(app = app.id().0, %failure, "read marks wait for the next tick");
                }
                None => {
                    let left = app.marks.readers().len() + app.group_marks.readers().len();
                    more |= left > 0;
                }
            }
        }
        more
    }

    /// Keeps what is reserved ahead of the clock and of the ids themselves (a process that starts soon after
    /// another one is ahead of its clock), so that no restart makes an id twice.
    async fn reserve_ids(self: &Arc<Self>) -> Outcome<()> {
        let now = self.now().max(self.ids.position()).0;
        self.change_cluster(|state, change| {
            let is_due = |row: &&mut ClusterRow| row.ids_reserved_ms < now + IDS_AHEAD_MS / 2;
            if let Some(row) = state.row.as_mut().filter(is_due) {
                row.ids_reserved_ms = now + IDS_AHEAD_MS;
                change.put(key::head(), row);
            }
        })
        .await
    }

    /// Entities in memory.
    pub fn cached(&self) -> Cached {
        let apps = self.apps.load();
        let sum = |count: fn(&App) -> usize| apps.values().map(|app| count(app)).sum();
        Cached {
            users: sum(|app| app.users.len()),
            pairs: sum(|app| app.pairs.len()),
            groups: sum(|app| app.groups.len()),
            rooms: sum(|app| app.rooms.count()),
        }
    }

    pub(crate) async fn take_app_into_use(
        self: &Arc<Self>,
        id: SdkAppId,
        row: &AppRow,
    ) -> Outcome<Arc<App>> {
        if let Some(app) = self.app(id) {
            app.replace_facts(row);
            return Ok(app);
        }
        self.change_cluster(|_, change| {
            change.put(key::entry(u64::from(id.0)), &AppRow::default())
        })
        .await?;
        Ok(self.insert_app(id, row))
    }

    fn insert_app(&self, id: SdkAppId, row: &AppRow) -> Arc<App> {
        let app = App::new(id, row, self.registry.iter().count());
        let app = &app;
        self.apps.rcu(|apps| {
            let mut apps = HashMap::clone(apps);
            apps.entry(id).or_insert_with(|| app.clone());
            apps
        });
        self.app(id).expect("just inserted")
    }

    async fn load_apps(&self) -> Outcome<()> {
        let (from, to) = key::entries();
        let cluster = Home::Cluster.partition();
        let rows = self.store.scan(&cluster, &from..&to, Direction::Ascending, usize::MAX).await?;
        for row in rows {
            let number = key::entry_number(&row.key).and_then(|number| u32::try_from(number).ok());
            let Some(number) = number else { continue };
            let id = SdkAppId(number);
            let head = self.store.get(&Home::App(id).partition(), &key::head()).await?;
            // A crash may leave an entry without an app.
            if let Some(head) = head {
                self.insert_app(id, &decode_row(&head)?);
            }
        }
        Ok(())
    }

    async fn change_cluster(
        self: &Arc<Self>,
        change: impl Fn(&mut ClusterState, &mut Change),
    ) -> Outcome<()> {
        self.clusters
            .change(
                self,
                &(),
                || Home::Cluster,
                |state, wanted| {
                    change(state, wanted);
                    Ok(())
                },
            )
            .await
    }
}

struct ClusterState {
    row: Option<ClusterRow>,
}

impl State for ClusterState {
    fn load<'a>(
        node: &'a Node,
        _: &'a Home,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Self, ReadError>> {
        async move { Ok(Self { row: node.head_row(partition).await? }) }.boxed()
    }
}

/// Decodes a stored row.
pub(crate) fn decode_row<R: prost::Message + Default>(value: &[u8]) -> Result<R, ReadError> {
    R::decode(value)
        .map_err(|problem| ReadError::Corrupt(format!("a row does not decode: {problem}")))
}
