//! The simulated process: one node on the machine's store, with the faces' way of calling operations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use teahouse_core::app::{App, FIRST_ADMIN};
use teahouse_core::caller::{Caller, Identity, Who};
use teahouse_core::commands;
use teahouse_core::env::{Clock, Env};
use teahouse_core::error::{Failure, Outcome};
use teahouse_core::hook::{Endpoints, Post, PostError};
use teahouse_core::hub::Connection;
use teahouse_core::node::Node;
use teahouse_core::operation::{Access, Family, Served, family};
use teahouse_core::session::{self, Credentials};
use teahouse_proto::envelope::{envelope, error_envelope};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::frame;
use teahouse_proto::ids::{SdkAppId, UserId};
use teahouse_proto::time::UnixMillis;

use crate::disk::Disk;
use crate::executor::Executor;
use crate::random::SeededRandom;
use crate::{Broken, broken};

/// The app of all simulated users.
pub(crate) const APP: SdkAppId = SdkAppId(1_400_000_001);
/// Its UserSig key.
pub(crate) const KEY: &str = "a key that nobody else has";
/// Several devices of each kind for everybody, so that nobody displaces anybody; groups with a small
/// limit, so that messages wait.
const SETTINGS: [(&str, &str); 4] = [
    ("login.policy", "multi"),
    ("login.web_instances", "10"),
    ("login.native_instances", "3"),
    ("group.messages_per_second", "10"),
];

/// The clock on the wall, moved by the simulation only.
#[derive(Clone)]
pub(crate) struct WallClock(Arc<AtomicU64>);

impl WallClock {
    pub(crate) fn starting_at(ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(ms)))
    }

    pub(crate) fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for WallClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::Relaxed))
    }
}

/// What an answer arrives in.
pub(crate) type Slot<T> = Arc<Mutex<Option<T>>>;

pub(crate) fn take<T>(slot: &Slot<T>) -> Option<T> {
    slot.lock().expect("a slot does not panic").take()
}

fn fill<T>(slot: &Slot<T>, value: T) {
    *slot.lock().expect("a slot does not panic") = Some(value);
}

/// A request as it travels over a connection.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) servcmd: &'static str,
    pub(crate) seq: u64,
    pub(crate) identifier: String,
    pub(crate) usersig: String,
    pub(crate) token: String,
    pub(crate) body: String,
}

/// No application has a server.
struct Nobody;

impl Endpoints for Nobody {
    fn post(&self, _: Post) -> BoxFuture<'static, Result<Bytes, PostError>> {
        let problem = PostError::Unreachable("there is no network".to_owned());
        std::future::ready(Err(problem)).boxed()
    }
}

type Opened = Result<(Arc<Node>, Arc<App>), String>;

/// One process; dropping it is a crash.
pub(crate) struct Process {
    pub(crate) executor: Executor,
    opening: Slot<Opened>,
    running: Option<(Arc<Node>, Arc<App>)>,
}

impl Process {
    pub(crate) fn start(disk: &Arc<Disk>, clock: &WallClock, seed: u64) -> Self {
        let mut executor = Executor::default();
        let env = Env {
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(seed)),
            spawn: Arc::new(executor.spawner()),
            endpoints: Arc::new(Nobody),
            node_number: 1,
            shards: 1,
        };
        let opening = Slot::default();
        let (disk, slot) = (disk.clone(), opening.clone());
        executor.start(
            async move {
                let opened = open(env, disk).await;
                fill(&slot, opened);
            }
            .boxed(),
        );
        Self { executor, opening, running: None }
    }

    /// Takes a node that has opened into use.
    pub(crate) fn look(&mut self) -> Result<(), Broken> {
        match take(&self.opening) {
            Some(Ok(running)) => {
                let node = running.0.clone();
                self.executor.start(async move { node.hub().fan_out(0).await }.boxed());
                self.running = Some(running);
            }
            Some(Err(problem)) => {
                return Err(broken(format!("the node does not start: {problem}")));
            }
            None => {}
        }
        Ok(())
    }

    pub(crate) fn is_up(&self) -> bool {
        self.running.is_some()
    }

    /// Tasks that are not done, but for the one that serves topics for ever.
    pub(crate) fn unfinished(&self) -> usize {
        self.executor.unfinished() - usize::from(self.is_up())
    }

    /// What waits for milliseconds, if its time has come.
    pub(crate) fn run_due(&self) {
        if let Some((node, _)) = &self.running
            && node.next_due().is_some_and(|wait| wait.is_zero())
        {
            node.run_due();
        }
    }

    /// Something waits for its time.
    pub(crate) fn has_due(&self) -> bool {
        self.running.as_ref().is_some_and(|(node, _)| node.next_due().is_some())
    }

    /// A request arrives.
    pub(crate) fn receive(&mut self, connection: &Arc<Connection>, request: Request) {
        let Some((node, app)) = self.running.clone() else { return };
        connection.heard(node.now());
        self.executor.start(gateway(node, app, connection.clone(), request).boxed());
    }

    /// A backend calls REST; the answer arrives in the slot.
    pub(crate) fn rest(&mut self, path: &'static str, body: String) -> Slot<Result<String, Error>> {
        let slot = Slot::default();
        let Some((node, app)) = self.running.clone() else { return slot };
        let answer = slot.clone();
        self.executor.start(
            async move {
                let admin = Who::Admin(UserId::parse(FIRST_ADMIN).expect("valid"));
                let served = node.registry().rest(path).expect("served over REST");
                let outcome = served.run(Caller::new(node.clone(), app, admin), &body).await;
                fill(&answer, outcome);
            }
            .boxed(),
        );
        slot
    }

    /// How many accounts the app has; the answer arrives in the slot.
    pub(crate) fn count_accounts(&mut self) -> Slot<Result<u64, String>> {
        let slot = Slot::default();
        let Some((node, _)) = self.running.clone() else { return slot };
        let answer = slot.clone();
        self.executor.start(
            async move {
                let shown = node.show_app(APP).await;
                fill(&answer, shown.map(|app| app.accounts).map_err(|e| e.to_string()));
            }
            .boxed(),
        );
        slot
    }

    /// The once-a-second work; the slot says when it is done.
    pub(crate) fn tick(&mut self) -> Slot<()> {
        let slot = Slot::default();
        let Some((node, _)) = self.running.clone() else { return slot };
        let done = slot.clone();
        self.executor.start(
            async move {
                node.tick().await;
                fill(&done, ());
            }
            .boxed(),
        );
        slot
    }

    /// The server notices that a socket is gone.
    pub(crate) fn disconnected(&mut self, connection: &Arc<Connection>) {
        let Some((node, _)) = self.running.clone() else { return };
        let connection = connection.clone();
        let ended = async move { session::disconnected(&node, &connection).await };
        self.executor.start(ended.boxed());
    }
}

async fn open(env: Env, disk: Arc<Disk>) -> Opened {
    let said = |failure: Failure| failure.to_string();
    let node = Node::open(env, disk, commands::registry()).await.map_err(|e| e.to_string())?;
    let app = node.create_app(APP, KEY).await.map_err(said)?;
    if app.facts().settings_version == 0 {
        let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        node.set_app(APP, &settings).await.map_err(said)?;
    }
    Ok((node, app))
}

/// What the gateway does with a request, without its socket.
async fn gateway(node: Arc<Node>, app: Arc<App>, connection: Arc<Connection>, request: Request) {
    let served = node.registry().gateway(request.servcmd).expect("served on the gateway");
    let outcome = answer(&node, &app, &connection, served, &request).await;
    if served.about.one_way {
        return;
    }
    let body = match outcome {
        Ok(fields) => envelope(&fields, served.family.error_display),
        Err(error) => error_envelope(&error, served.family.error_display),
    };
    connection.reply(frame::reply(request.servcmd, request.seq, body));
}

async fn answer(
    node: &Arc<Node>,
    app: &Arc<App>,
    connection: &Arc<Connection>,
    served: &Served,
    request: &Request,
) -> Result<String, Error> {
    let turn = if served.about.in_order { Some(connection.turn().await) } else { None };
    let who = who(node, app, connection, served, request).await;
    let who = who.map_err(|failure| said(failure, served.family))?;
    let caller = Caller::new(node.clone(), app.clone(), who);
    let caller = match turn {
        Some(turn) => caller.in_turn(turn),
        None => caller,
    };
    served.run(caller, &request.body).await
}

/// Who asks, by what the request carries: a token, else a signature.
async fn who(
    node: &Arc<Node>,
    app: &Arc<App>,
    connection: &Arc<Connection>,
    served: &Served,
    request: &Request,
) -> Outcome<Who> {
    let credentials =
        Credentials { identifier: request.identifier.clone(), usersig: request.usersig.clone() };
    let guest = || Who::Guest { connection: connection.clone(), credentials: credentials.clone() };
    let anyone = served.about.access == Access::Anyone;
    if !request.token.is_empty() {
        return match session::check_token(node, app, connection, &request.token).await {
            Ok(identity) => Ok(Who::User(identity)),
            Err(_) if anyone && request.servcmd != "im_open_status.wslogin" => Ok(guest()),
            Err(refused) => Err(refused),
        };
    }
    if anyone {
        return Ok(guest());
    }
    let (identifier, usersig) = (&request.identifier, &request.usersig);
    let (user, verified) = session::check_usersig(node, app, identifier, usersig).await?;
    let tiny_id = session::tiny_id(node, app, &user).await?;
    let connection = connection.clone();
    let expires = verified.expires_at;
    let issued = node.now();
    Ok(Who::User(Identity { user, tiny_id, inst_id: 0, issued, expires, connection }))
}

fn said(failure: Failure, family: &Family) -> Error {
    match failure {
        Failure::Refused(error) => error,
        Failure::Read(_) | Failure::Commit(_) => Error::new(family.internal),
    }
}

/// The code of an unknown command in a service, to tell a refusal from a failure.
pub(crate) fn is_internal(servcmd: &str, code: i64) -> bool {
    let internal = family(servcmd).internal;
    code == i64::from(internal.number()) || code == i64::from(ErrorCode::ServiceTimeout.number())
}
