//! The log of events that webhooks tell: what is to be sent, and what has become of what was.
//!
//! An event is a row, numbered as it came in, and never changed. What has become of it is another row under the
//! same number. All events below [`HookHeadRow::done_through`] are done; above it the rows tell. So whoever comes
//! back after a crash sends what has no such row, at worst once more.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use futures_util::future::{BoxFuture, FutureExt};
use teahouse_proto::ids::{SdkAppId, TinyId};
use teahouse_store::{Direction, Partition, ReadError};

use super::tell::Told;
use crate::app::App;
use crate::entity::State;
use crate::error::Outcome;
use crate::event::counted;
use crate::node::{Node, decode_row};
use crate::rows::{Home, HookDoneRow, HookHeadRow, HookRow, LoggedHookRow, key};

/// Rows, and bytes of them, in one commit.
const ROWS_A_COMMIT: usize = 200;
const BYTES_A_COMMIT: usize = 512 * 1024;
/// A body that is longer is kept deflated: a row has its limit.
const PLAIN_BYTES_MAX: usize = 32 * 1024;
/// Events that are removed in one commit.
const TRIMMED_A_COMMIT: usize = 256;

/// The stored state of an app's log.
#[derive(Default)]
pub(crate) struct LogState {
    pub(crate) head: HookHeadRow,
    /// Done events that are not below `done_through`.
    done_above: BTreeSet<u64>,
}

impl State for LogState {
    fn load<'a>(
        node: &'a Node,
        _: &'a Home,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Self, ReadError>> {
        async move {
            let head: HookHeadRow = node.head_row(partition).await?.unwrap_or_default();
            let range = key::hooks_done(head.done_through, head.next);
            let rows =
                node.store().scan(partition, &range.0..&range.1, Direction::Ascending, usize::MAX);
            let rows = rows.await?;
            let done_above = rows.iter().filter_map(|row| key::hook_seq(&row.key)).collect();
            Ok(Self { head, done_above })
        }
        .boxed()
    }
}

impl LogState {
    fn is_done(&self, seq: u64) -> bool {
        seq < self.head.done_through || self.done_above.contains(&seq)
    }
}

impl HookRow {
    /// An event that is told.
    pub(crate) fn of(node: &Node, told: Told) -> Self {
        let plain = told.body.into_bytes();
        let deflated = plain.len() > PLAIN_BYTES_MAX;
        Self {
            id: node.next_id().0,
            command: told.command.word().to_owned(),
            lane: told.lane,
            at_ms: node.now().0,
            platform: told.client.platform,
            ip: told.client.ip,
            body: if deflated { deflate(&plain).into() } else { plain.into() },
            deflated,
            unread_of: told.unread_of.map(|user| user.to_string()).unwrap_or_default(),
            replayed: 0,
        }
    }

    /// The body as it is sent, but for what is counted then.
    pub(crate) fn plain_body(&self) -> Result<String, ReadError> {
        let mut text = String::new();
        let damaged = |problem: &dyn std::fmt::Display| {
            ReadError::Corrupt(format!("the body of an event: {problem}"))
        };
        if self.deflated {
            DeflateDecoder::new(&*self.body)
                .read_to_string(&mut text)
                .map_err(|problem| damaged(&problem))?;
            return Ok(text);
        }
        text.push_str(std::str::from_utf8(&self.body).map_err(|problem| damaged(&problem))?);
        Ok(text)
    }
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory takes what is written")
}

/// Adds events, durably, in their order.
pub(crate) async fn append(node: &Arc<Node>, app: SdkAppId, rows: Vec<HookRow>) -> Outcome<()> {
    let Some(app) = node.app(app) else { return Ok(()) };
    let mut rest = &rows[..];
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |row: &&HookRow| {
            bytes += row.body.len() + row.lane.len() + 256;
            bytes <= BYTES_A_COMMIT
        };
        let count = rest.iter().take(ROWS_A_COMMIT).take_while(fits).count().max(1);
        let (now, later) = rest.split_at(count);
        change(node, &app, |state, change| {
            for row in now {
                let seq = state.head.next;
                state.head.next += 1;
                state.head.bytes_through += row.body.len() as u64;
                let logged =
                    LoggedHookRow { row: row.clone(), bytes_through: state.head.bytes_through };
                change.put(key::hook(seq), &logged);
            }
            change.put(key::head(), &state.head);
            Ok(())
        })
        .await?;
        counted!("teahouse_hooks_logged_total").increment(count as u64);
        rest = later;
    }
    super::deliver::step_soon(node, &app);
    Ok(())
}

/// Notes what has become of events. A power cut may forget it: then they are sent once more.
pub(super) async fn note_done(
    node: &Arc<Node>,
    app: &Arc<App>,
    done: &[(u64, HookDoneRow)],
) -> Outcome<()> {
    for some in done.chunks(ROWS_A_COMMIT) {
        change(node, app, |state, change| {
            for (seq, row) in some {
                // A trimmed event has no history.
                if *seq >= state.head.first && !state.is_done(*seq) {
                    change.put(key::hook_done(*seq), row);
                    state.done_above.insert(*seq);
                }
            }
            while state.done_above.remove(&state.head.done_through) {
                state.head.done_through += 1;
            }
            change.put(key::head(), &state.head);
            change.relaxed();
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Events from `from` on that are not done, and the number from which to go on: as many as `rows_max` rows hold.
pub(super) async fn undone(
    node: &Node,
    app: &App,
    from: u64,
    rows_max: usize,
) -> Outcome<(Vec<(u64, HookRow)>, u64)> {
    // What is stored: the state in memory is ahead of it.
    let head: HookHeadRow =
        node.head_row(&Home::Hooks(app.id()).partition()).await?.unwrap_or_default();
    let (from, next) = (from.max(head.done_through), head.next);
    let rows = scan(node, app, from, next, Direction::Ascending, rows_max).await?;
    let through = if rows.len() < rows_max { next } else { rows.last().map_or(next, |r| r.0 + 1) };
    let entity = state(node, app).await?;
    let undone = entity.read(|state| {
        let is_undone = |(seq, _): &(u64, LoggedHookRow)| !state.is_done(*seq);
        rows.into_iter().filter(is_undone).map(|(seq, logged)| (seq, logged.row)).collect()
    });
    Ok((undone, through))
}

/// Events of the log by number.
pub(super) async fn scan(
    node: &Node,
    app: &App,
    from: u64,
    to: u64,
    direction: Direction,
    rows_max: usize,
) -> Outcome<Vec<(u64, LoggedHookRow)>> {
    let partition = Home::Hooks(app.id()).partition();
    let (from, to) = key::hooks(from, to);
    let rows = node.store().scan(&partition, &from..&to, direction, rows_max).await?;
    let logged = rows.iter().filter_map(|row| {
        let seq = key::hook_seq(&row.key)?;
        Some(decode_row(&row.value).map(|logged| (seq, logged)))
    });
    Ok(logged.collect::<Result<_, _>>()?)
}

/// What has become of these events, in the same order.
pub(super) async fn ends(
    node: &Node,
    app: &App,
    seqs: &[u64],
) -> Outcome<Vec<Option<HookDoneRow>>> {
    let partition = Home::Hooks(app.id()).partition();
    let keys: Vec<_> = seqs.iter().map(|seq| (partition.clone(), key::hook_done(*seq))).collect();
    let rows = node.store().get_many(&keys).await?;
    let decode = |row: Option<Bytes>| row.map(|row| decode_row(&row)).transpose();
    Ok(rows.into_iter().map(decode).collect::<Result<_, _>>()?)
}

/// Removes the oldest events: those beyond the app's quota whether they were sent or not, and those that were
/// sent before `before_ms`. Says whether there may be more to remove.
pub(super) async fn trim(
    node: &Arc<Node>,
    app: &Arc<App>,
    bytes_max: u64,
    before_ms: u64,
) -> Outcome<bool> {
    let head = state(node, app).await?.read(|state| state.head);
    if head.first == head.next {
        return Ok(false);
    }
    if head.bytes_through - head.bytes_removed <= bytes_max {
        let oldest = scan(node, app, head.first, head.next, Direction::Ascending, 1).await?;
        if oldest.first().is_none_or(|(_, logged)| logged.row.at_ms >= before_ms) {
            return Ok(false);
        }
    }
    let rows =
        scan(node, app, head.first, head.next, Direction::Ascending, TRIMMED_A_COMMIT).await?;
    let dropped = change(node, app, |state, change| {
        let mut dropped = 0;
        let before = state.head.first;
        for (seq, logged) in &rows {
            let is_over = state.head.bytes_through - state.head.bytes_removed > bytes_max;
            let is_done = state.is_done(*seq);
            let is_old = is_done && logged.row.at_ms < before_ms;
            if !(is_over || is_old) {
                break;
            }
            dropped += u64::from(!is_done);
            state.head.first = *seq + 1;
            state.head.bytes_removed = logged.bytes_through;
        }
        if state.head.first > before {
            change.delete_range(key::hooks(before, state.head.first));
            change.delete_range(key::hooks_done(before, state.head.first));
            state.head.dropped += dropped;
            state.head.done_through = state.head.done_through.max(state.head.first);
            state.done_above = state.done_above.split_off(&state.head.done_through);
            while state.done_above.remove(&state.head.done_through) {
                state.head.done_through += 1;
            }
            change.put(key::head(), &state.head);
            change.relaxed();
        }
        Ok((dropped, state.head.first - before))
    })
    .await?;
    if dropped.0 > 0 {
        tracing::error!(
            app = app.id().0,
            events = dropped.0,
            "the log of webhooks is full: events that were not sent are dropped, the oldest first"
        );
        counted!("teahouse_hooks_dropped_total", "why" => "quota").increment(dropped.0);
    }
    Ok(dropped.1 as usize == rows.len() && rows.len() == TRIMMED_A_COMMIT)
}

pub(super) async fn state(node: &Node, app: &App) -> Outcome<Arc<crate::entity::Entity<LogState>>> {
    app.hooks.log.get(node, &(), || Home::Hooks(app.id())).await
}

async fn change<R>(
    node: &Arc<Node>,
    app: &App,
    change: impl FnMut(&mut LogState, &mut crate::entity::Change) -> Outcome<R>,
) -> Outcome<R> {
    app.hooks.log.change(node, &(), || Home::Hooks(app.id()), change).await
}

/// The name of an event.
pub(crate) fn event_id(row: &HookRow) -> String {
    TinyId(row.id).0.to_string()
}
