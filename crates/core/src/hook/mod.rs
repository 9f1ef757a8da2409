//! Webhooks: an app's own server is asked before something happens, and told afterwards.
//!
//! [`table`] lists them. [`before`] asks: it is the only wait for somebody else's machine, and bounded. [`tell`]
//! makes bodies of domain events. What is told is durable: it is written as a job with the change itself
//! (`entity`), or, for what is never stored (rooms, presence), gathered for [`GATHER_MS`] and then written; a crash
//! loses at most that. Jobs move into the app's [`log`], and [`deliver`] sends from there, in the order that
//! [`courier`] decides. No webhook delays what it is about, but for the ones that are asked.
//!
//! This area knows no HTTP: the server gives it [`Endpoints`].

mod answer;
pub(crate) mod before;
pub(crate) mod body;
mod courier;
pub(crate) mod deliver;
pub(crate) mod log;
mod post;
mod record;
pub mod table;
pub(crate) mod tell;
pub(crate) mod via;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::UnixMillis;

pub use answer::ANSWER_BYTES_MAX;
pub(crate) use answer::{OF_C2C, OF_GROUP, OF_GROUP_MESSAGE};
pub use post::{Post, PostError};
pub use record::{Attempt, LogStatus, LoggedHook, Replay};

use crate::app::App;
use crate::entity::Cache;
use crate::event::{Event, counted};
use crate::node::{Due, Node};
use crate::rows::{HookDoneRow, HookRow};
use courier::Courier;
use deliver::Steps;
use log::LogState;
use table::Command;
use tell::{Told, told};
use via::Via;

/// Calls applications' own servers.
pub trait Endpoints: Send + Sync + 'static {
    /// Calls an endpoint once, within `post.timeout`. An answer is a body of status 200, at most
    /// [`ANSWER_BYTES_MAX`] long. Redirects are not followed, and addresses that must not be called are refused
    /// as they are connected to, whatever name leads there.
    fn post(&self, post: Post) -> BoxFuture<'static, Result<Bytes, PostError>>;
}

/// How long events that are never stored are gathered before they are written, milliseconds.
const GATHER_MS: u64 = 100;
/// Events that are gathered at most; those beyond are dropped and counted.
const GATHERED_MAX: usize = 20_000;
/// Attempts that are remembered for people.
const ATTEMPTS_MAX: usize = 500;

/// What one app's webhooks are about to do.
pub(crate) struct AppHooks {
    log: Cache<(), LogState>,
    steps: Steps,
    courier: Mutex<Courier>,
    /// When the log is looked at next.
    entered: Mutex<Option<UnixMillis>>,
    /// Events of the log below this number have been taken in.
    read_through: AtomicU64,
    /// What has become of events, not noted yet.
    done: Mutex<Vec<(u64, HookDoneRow)>>,
    /// Events that no commit holds yet.
    gathered: Mutex<Vec<HookRow>>,
    /// The endpoint to prefer.
    preferred: AtomicUsize,
    attempts: Mutex<VecDeque<Attempt>>,
}

impl Default for AppHooks {
    fn default() -> Self {
        Self {
            log: Cache::new(1),
            steps: Steps::default(),
            courier: Mutex::default(),
            entered: Mutex::default(),
            read_through: AtomicU64::new(0),
            done: Mutex::default(),
            gathered: Mutex::default(),
            preferred: AtomicUsize::new(0),
            attempts: Mutex::default(),
        }
    }
}

impl AppHooks {
    /// The endpoint to call, of so many.
    fn endpoint(&self, endpoints: usize) -> usize {
        self.preferred.load(Ordering::Relaxed) % endpoints.max(1)
    }

    /// The next one takes over from one that has failed.
    fn fail_over(&self, failed: usize, endpoints: usize) {
        let next = (failed + 1) % endpoints.max(1);
        // Only the first who finds it so.
        let _ = self.preferred.compare_exchange(failed, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn courier(&self) -> MutexGuard<'_, Courier> {
        lock(&self.courier)
    }

    fn done(&self) -> MutexGuard<'_, Vec<(u64, HookDoneRow)>> {
        lock(&self.done)
    }

    /// Counts an attempt, and remembers it for people.
    fn record(
        &self,
        command: Command,
        began: UnixMillis,
        now: UnixMillis,
        attempt: u32,
        problem: Option<&PostError>,
    ) {
        let outcome = problem.map_or("ok", PostError::name);
        let word = command.word();
        metrics::counter!("teahouse_hooks_total", "command" => word, "outcome" => outcome)
            .increment(1);
        metrics::histogram!("teahouse_hook_seconds").record(now.since(began).as_secs_f64());
        let mut attempts = lock(&self.attempts);
        if attempts.len() >= ATTEMPTS_MAX {
            attempts.pop_front();
        }
        attempts.push_back(Attempt::new(word, began, now, attempt, problem));
    }
}

impl App {
    /// Whether a webhook is sent.
    pub(crate) fn wants(&self, command: Command) -> bool {
        let facts = self.facts();
        facts.settings.webhook_commands.has(command) && !facts.settings.webhook_url.0.is_empty()
    }
}

/// What is told of events that happen together, as rows.
pub(crate) fn rows(node: &Node, events: &[Event]) -> Vec<HookRow> {
    let Some(app) = events.first().and_then(|event| node.app(event.app())) else {
        return Vec::new();
    };
    if !app.has_hooks() {
        return Vec::new();
    }
    let row = |told: Told| HookRow::of(node, told);
    let wants = |command| app.wants(command);
    told(events, wants, &Via::current(), node.now()).into_iter().map(row).collect()
}

/// Tells what no commit holds: in a moment, and without delaying what it is about.
pub(crate) fn gather(node: &Node, app: SdkAppId, rows: Vec<HookRow>) {
    if rows.is_empty() {
        return;
    }
    let Some(app) = node.app(app) else { return };
    let mut gathered = lock(&app.hooks.gathered);
    if gathered.len() + rows.len() > GATHERED_MAX {
        counted!("teahouse_hooks_dropped_total", "why" => "gathered").increment(rows.len() as u64);
        return;
    }
    let is_first = gathered.is_empty();
    gathered.extend(rows);
    if is_first {
        let due = UnixMillis(node.now().0 + GATHER_MS);
        node.agenda().enter(due, Due::GatheredWebhooks(app.id()));
    }
}

/// Writes, in the background, what was gathered.
pub(crate) fn write_gathered_soon(node: &Arc<Node>, app: &Arc<App>) {
    let (node, app) = (node.clone(), app.clone());
    let owner = node.clone();
    owner.spawn(async move { write_gathered(&node, &app).await }.boxed());
}

/// Writes what was gathered.
pub(crate) async fn write_gathered(node: &Arc<Node>, app: &Arc<App>) {
    let rows = std::mem::take(&mut *lock(&app.hooks.gathered));
    if rows.is_empty() {
        return;
    }
    let count = rows.len() as u64;
    if let Err(failure) = log::append(node, app.id(), rows).await {
        tracing::error!(app = app.id().0, %failure, count, "webhooks could not be written and are lost");
        counted!("teahouse_hooks_dropped_total", "why" => "store").increment(count);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("bookkeeping of webhooks does not panic")
}
