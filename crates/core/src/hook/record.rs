//! What operators see of webhooks, and may have sent again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::UnixMillis;
use teahouse_store::Direction;

use super::post::PostError;
use super::{lock, log};
use crate::app::App;
use crate::error::{Failure, Outcome};
use crate::node::Node;
use crate::rows::{HookDoneRow, HookRow};

/// Events that are looked at for one answer.
const LOOKED_AT_MAX: usize = 20_000;
const ROWS_A_READ: usize = 256;

/// One call of an endpoint.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// When it began, unix milliseconds.
    pub at_ms: u64,
    /// The webhook.
    pub command: &'static str,
    /// The first is 1.
    pub attempt: u32,
    /// How long it took, milliseconds.
    pub latency_ms: u64,
    /// `ok`, or why it failed.
    pub outcome: String,
}

impl Attempt {
    pub(super) fn new(
        command: &'static str,
        began: UnixMillis,
        now: UnixMillis,
        attempt: u32,
        problem: Option<&PostError>,
    ) -> Self {
        Self {
            at_ms: began.0,
            command,
            attempt,
            latency_ms: u64::try_from(now.since(began).as_millis()).unwrap_or(u64::MAX),
            outcome: problem.map_or_else(|| "ok".to_owned(), ToString::to_string),
        }
    }
}

/// How an app's webhooks stand.
#[derive(Debug, Clone, Serialize)]
pub struct LogStatus {
    /// Events in the log.
    pub events: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Events that are still to be sent, or may be: all from the first one on that was not.
    pub open: u64,
    /// Events that were dropped before they were sent, because the log was full.
    pub dropped: u64,
    /// The last calls, the newest first.
    pub attempts: Vec<Attempt>,
}

/// An event of the log.
#[derive(Debug, Clone, Serialize)]
pub struct LoggedHook {
    /// Names it; the same in `X-Teahouse-Event-Id`.
    pub event: String,
    /// The webhook.
    pub command: String,
    /// When it happened, unix milliseconds.
    pub at_ms: u64,
    /// `waiting`, `delivered` or `dead`.
    pub state: &'static str,
    /// When it was delivered or given up, unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_ms: Option<u64>,
    /// How long the last attempt took, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u32>,
    /// How often it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Why it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl LoggedHook {
    fn new(row: &HookRow, end: Option<HookDoneRow>) -> Self {
        let state = match &end {
            None => "waiting",
            Some(end) if end.dead => "dead",
            Some(_) => "delivered",
        };
        Self {
            event: log::event_id(row),
            command: row.command.clone(),
            at_ms: row.at_ms,
            state,
            done_ms: end.as_ref().map(|end| end.at_ms),
            latency_ms: end.as_ref().map(|end| end.latency_ms),
            attempts: end.as_ref().map(|end| end.attempts),
            problem: end.map(|end| end.problem).filter(|problem| !problem.is_empty()),
        }
    }
}

/// Which events are sent again.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// The one of this name.
    Event(String),
    /// Those that happened between two times, unix milliseconds, both included.
    Between(u64, u64),
    /// All that were given up.
    Dead,
}

impl Replay {
    fn has(&self, logged: &LoggedHook) -> bool {
        match self {
            Self::Event(event) => logged.event == *event,
            Self::Between(from, to) => (*from..=*to).contains(&logged.at_ms),
            Self::Dead => logged.state == "dead",
        }
    }
}

impl Node {
    /// How an app's webhooks stand.
    ///
    /// # Errors
    /// No such app; the store failed.
    pub async fn hook_status(&self, id: SdkAppId) -> Outcome<LogStatus> {
        let app = self.app_with_hooks(id)?;
        let head = log::state(self, &app).await?.read(|state| state.head);
        let attempts = lock(&app.hooks.attempts).iter().rev().cloned().collect();
        Ok(LogStatus {
            events: head.next - head.first,
            bytes: head.bytes_through - head.bytes_removed,
            open: head.next - head.done_through.max(head.first),
            dropped: head.dropped,
            attempts,
        })
    }

    /// The newest events of an app's log, at most `count`; with `dead` only those that were given up. At most
    /// 20,000 are looked at.
    ///
    /// # Errors
    /// No such app; the store failed.
    pub async fn hook_log(
        &self,
        id: SdkAppId,
        dead: bool,
        count: usize,
    ) -> Outcome<Vec<LoggedHook>> {
        let app = self.app_with_hooks(id)?;
        let mut found = Vec::new();
        let head = log::state(self, &app).await?.read(|state| state.head);
        let mut to = head.next;
        let oldest = head.first.max(head.next.saturating_sub(LOOKED_AT_MAX as u64));
        while to > oldest && found.len() < count {
            let from = oldest.max(to.saturating_sub(ROWS_A_READ as u64));
            let mut page = self.hook_page(&app, from, to).await?;
            page.reverse();
            let wanted = |hook: &LoggedHook| !dead || hook.state == "dead";
            found.extend(page.into_iter().map(|(hook, _)| hook).filter(wanted));
            to = from;
        }
        found.truncate(count);
        Ok(found)
    }

    /// Sends events again, behind all others, under their names; says how many.
    ///
    /// # Errors
    /// No such app or event; the store failed.
    pub async fn replay_hooks(self: &Arc<Self>, id: SdkAppId, which: &Replay) -> Outcome<u64> {
        let app = self.app_with_hooks(id)?;
        let head = log::state(self, &app).await?.read(|state| state.head);
        let (mut from, mut replayed) = (head.first, 0);
        while from < head.next {
            let to = head.next.min(from + ROWS_A_READ as u64);
            let page = self.hook_page(&app, from, to).await?;
            let again: Vec<HookRow> = page
                .into_iter()
                .filter(|(hook, row)| which.has(hook) && row.replayed == 0)
                .map(|(_, row)| HookRow { replayed: 1, ..row })
                .collect();
            replayed += again.len() as u64;
            log::append(self, id, again).await?;
            from = to;
        }
        if let (Replay::Event(event), 0) = (which, replayed) {
            let info = format!("there is no event {event} in the log");
            return Err(Error::with(ErrorCode::UrlParameterWrong, info).into());
        }
        Ok(replayed)
    }

    async fn hook_page(
        &self,
        app: &App,
        from: u64,
        to: u64,
    ) -> Outcome<Vec<(LoggedHook, HookRow)>> {
        let rows = log::scan(self, app, from, to, Direction::Ascending, ROWS_A_READ).await?;
        let seqs: Vec<u64> = rows.iter().map(|(seq, _)| *seq).collect();
        let ends = log::ends(self, app, &seqs).await?;
        let logged = rows.into_iter().zip(ends);
        Ok(logged
            .map(|((_, logged), end)| (LoggedHook::new(&logged.row, end), logged.row))
            .collect())
    }

    fn app_with_hooks(&self, id: SdkAppId) -> Outcome<Arc<App>> {
        self.app(id).ok_or_else(|| {
            let info = format!("there is no app {id}");
            Failure::Refused(Error::with(ErrorCode::SdkAppIdInvalid, info))
        })
    }
}
