//! Sends the events of an app's log: takes them in, hands them to the [`Courier`], calls the endpoint, notes what
//! has become of them. Nothing here waits for a time: what is due later is entered in the node's agenda.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use futures_util::future::FutureExt;
use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixMillis;

use super::courier::{End, Limits, Parcel};
use super::post::{Client, EVENT_ID, PostError, post};
use super::table::Command;
use super::{body, log};
use crate::app::App;
use crate::conversation::{self, Summary};
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::event::counted;
use crate::node::{Due, Node};
use crate::rows::HookDoneRow;
use crate::settings::AppSettings;

/// Rows that are read at once.
const ROWS_A_READ: usize = 128;
/// A node looks into its agenda at least so often.
const LOOK_AGAIN_MS: u64 = 1_000;

/// At most one run of [`step`] an app; who comes meanwhile makes it run once more.
#[derive(Default)]
pub(crate) struct Steps(AtomicU8);

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const AGAIN: u8 = 2;

impl Steps {
    /// Says whether the caller is to run.
    fn begin(&self) -> bool {
        let more = |state| Some(if state == IDLE { RUNNING } else { AGAIN });
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) == Ok(IDLE)
    }

    /// Says whether the caller is done.
    fn end(&self) -> bool {
        let less = |state| Some(if state == AGAIN { RUNNING } else { IDLE });
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less) != Ok(AGAIN)
    }
}

impl AppSettings {
    fn courier_limits(&self) -> Limits {
        let hours = u64::from(self.webhook_retry_hours);
        Limits {
            at_once: self.webhook_at_once,
            per_second: self.webhook_per_second,
            retry_ms: (hours > 0).then_some(hours * 3_600_000),
        }
    }
}

/// Looks, in the background, whether there is something to send.
pub(crate) fn step_soon(node: &Arc<Node>, app: &Arc<App>) {
    if !app.hooks.steps.begin() {
        return;
    }
    let (node, app) = (node.clone(), app.clone());
    let owner = node.clone();
    let steps = async move {
        loop {
            if let Err(failure) = step(&node, &app).await {
                tracing::warn!(app = app.id().0, %failure, "webhooks wait for the next tick");
            }
            if app.hooks.steps.end() {
                return;
            }
        }
    };
    owner.spawn(steps.boxed());
}

async fn step(node: &Arc<Node>, app: &Arc<App>) -> Outcome<()> {
    let done = std::mem::take(&mut *app.hooks.done());
    if let Err(failure) = log::note_done(node, app, &done).await {
        app.hooks.done().extend(done);
        return Err(failure);
    }
    let facts = app.facts();
    if facts.settings.webhook_url.0.is_empty() || node.is_stopping() {
        return Ok(());
    }
    take_in(node, app).await?;
    let limits = facts.settings.courier_limits();
    let due = {
        let mut courier = app.hooks.courier();
        while let Some(parcel) = courier.take(node.now(), &limits) {
            let (node, app) = (node.clone(), app.clone());
            let owner = node.clone();
            owner.spawn(async move { deliver(&node, &app, parcel).await }.boxed());
        }
        courier.due(node.now(), &limits)
    };
    if let Some(due) = due {
        look_again(node, app, UnixMillis(node.now().0 + LOOK_AGAIN_MS).min(due));
    }
    Ok(())
}

/// Enters the next look in the node's agenda, unless an earlier one is entered.
fn look_again(node: &Node, app: &App, at: UnixMillis) {
    let mut entered = super::lock(&app.hooks.entered);
    if entered.is_none_or(|other| at < other) {
        *entered = Some(at);
        node.agenda().enter(at, Due::Webhooks(app.id()));
    }
}

/// A look that was entered is due.
pub(crate) fn look(node: &Arc<Node>, app: &Arc<App>) {
    super::lock(&app.hooks.entered).take();
    step_soon(node, app);
}

/// Reads events of the log into memory, as many as there is room for.
async fn take_in(node: &Arc<Node>, app: &Arc<App>) -> Outcome<()> {
    loop {
        let from = app.hooks.read_through.load(Ordering::Acquire);
        if !app.hooks.courier().has_room() {
            return Ok(());
        }
        let (rows, through) = log::undone(node, app, from, ROWS_A_READ).await?;
        if through <= from {
            return Ok(());
        }
        app.hooks.read_through.store(through, Ordering::Release);
        let mut courier = app.hooks.courier();
        rows.into_iter().for_each(|(seq, row)| courier.offer(seq, row));
    }
}

/// Calls an endpoint with an event, once.
async fn deliver(node: &Arc<Node>, app: &Arc<App>, parcel: Parcel) {
    let began = node.now();
    let facts = app.facts();
    let settings = &facts.settings;
    let endpoints = settings.webhook_url.0.len().max(1);
    let endpoint = app.hooks.endpoint(endpoints);
    let command = Command::from_word(&parcel.row.command);
    let sent = match command {
        Some(command) => send(node, app, settings, endpoint, command, &parcel).await,
        None => Err(PostError::Malformed("a webhook that this version does not know".to_owned())),
    };
    if sent.as_ref().is_err_and(|problem| !problem.is_refusal()) {
        app.hooks.fail_over(endpoint, endpoints);
    }
    let now = node.now();
    let problem = sent.as_ref().err();
    if let Some(command) = command {
        app.hooks.record(command, began, now, parcel.attempts, problem);
    }
    let outcome = match problem {
        Some(problem) => Err(problem),
        None => Ok(()),
    };
    let limits = settings.courier_limits();
    let end = app.hooks.courier().finish(&parcel.row.lane, outcome, now, &limits);
    if let Some(end) = end {
        if end == End::Dead {
            let (command, event) = (&parcel.row.command, log::event_id(&parcel.row));
            tracing::warn!(app = app.id().0, command, event, "a webhook is given up");
            counted!("teahouse_hooks_dead_total").increment(1);
        }
        let latency = u32::try_from(now.since(began).as_millis()).unwrap_or(u32::MAX);
        let row = HookDoneRow {
            at_ms: now.0,
            latency_ms: latency,
            attempts: parcel.attempts,
            dead: end == End::Dead,
            problem: problem.map(ToString::to_string).unwrap_or_default(),
        };
        app.hooks.done().push((parcel.seq, row));
    }
    step_soon(node, app);
}

async fn send(
    node: &Arc<Node>,
    app: &Arc<App>,
    settings: &AppSettings,
    endpoint: usize,
    command: Command,
    parcel: &Parcel,
) -> Result<(), PostError> {
    let row = &parcel.row;
    let unreadable = |problem: &dyn std::fmt::Display| {
        tracing::error!(app = app.id().0, %problem, "an event of the log cannot be read");
        PostError::Malformed("the stored event cannot be read".to_owned())
    };
    let mut text = row.plain_body().map_err(|problem| unreadable(&problem))?;
    if let Ok(user) = UserId::parse(&row.unread_of) {
        let unread = unread(node, app, &user).await.map_err(|problem| unreadable(&problem))?;
        text = body::with_field(&text, "UnreadMsgNum", unread);
    }
    let client = Client { platform: row.platform.clone(), ip: row.ip.clone() };
    let seconds = node.now().seconds();
    let mut call = post(app.id(), settings, endpoint, command, &client, seconds, text.into());
    call.headers.push((EVENT_ID.to_owned(), log::event_id(row)));
    let answer = node.endpoints().post(call).await?;
    super::answer::Answer::parse(&answer).map(drop)
}

/// How many one-to-one messages somebody has not read.
async fn unread(node: &Arc<Node>, app: &App, user: &UserId) -> Outcome<i64> {
    let summaries = conversation::summaries(node, app, user).await?;
    let all: u64 = summaries.iter().map(Summary::unread).sum();
    Ok(i64::try_from(all).unwrap_or(i64::MAX))
}

/// What is due once a second: events to remove, and to send what a failure has left.
pub(crate) async fn tend(node: &Arc<Node>) {
    const APPS_AT_ONCE: usize = 8;
    let apps: Vec<_> = node.apps().into_iter().filter(|app| app.has_hooks()).collect();
    let tended = in_parallel(apps, APPS_AT_ONCE, |app| async move {
        step_soon(node, &app);
        let settings = &app.facts().settings;
        let bytes_max = u64::from(settings.webhook_log_mib) << 20;
        let keep_ms = u64::from(settings.webhook_log_hours) * 3_600_000;
        let before_ms = node.now().0.saturating_sub(keep_ms);
        while log::trim(node, &app, bytes_max, before_ms).await? {}
        Ok(())
    });
    for problem in tended.await.into_iter().filter_map(Outcome::err) {
        tracing::warn!(%problem, "the log of webhooks is trimmed by the next tick");
    }
}
