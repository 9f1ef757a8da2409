//! Retention: messages older than an app keeps are removed, in bounded steps.
//!
//! The day directory names the conversations that stored a message on a day. Once the whole day is too
//! old, each of them loses its messages up to that day, a few hundred rows a commit, and the day's entries
//! go. The app's row remembers the last day that is done, so nothing is missed while a server is off.

use std::sync::Arc;

use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::{UnixMillis, UnixSeconds};
use teahouse_store::{Direction, Partition};

use crate::app::App;
use crate::directory;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::group;
use crate::node::Node;
use crate::rows::{History, Home, PairKey, key};

/// Seconds of a day.
const DAY_S: u32 = 86_400;
/// How often the cut is looked at.
const EVERY_MS: u64 = 3_600_000;
const CONVERSATIONS_A_STEP: usize = 128;
const CONVERSATIONS_AT_ONCE: usize = 16;
const MESSAGES_A_COMMIT: usize = 400;

/// When the cut was last looked at.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    last: UnixMillis,
}

/// The day (since 1970) of a second.
pub(crate) fn day_of(time: UnixSeconds) -> u32 {
    time.0 / DAY_S
}

/// Cuts what is too old, if it is time to look.
pub(crate) async fn cut_due(node: &Arc<Node>, progress: &mut Progress) {
    let now = node.now();
    if progress.last.0 != 0 && now.0.saturating_sub(progress.last.0) < EVERY_MS {
        return;
    }
    progress.last = now;
    for app in node.apps() {
        if let Err(failure) = cut_app(node, &app, day_of(now.seconds())).await {
            tracing::warn!(app = app.id().0, %failure, "old messages will be removed later");
        }
    }
}

async fn cut_app(node: &Arc<Node>, app: &Arc<App>, today: u32) -> Outcome<()> {
    let facts = app.facts();
    for (kind, kept) in [
        (History::Pairs, facts.settings.c2c_history_days),
        (History::Groups, facts.settings.group_history_days),
    ] {
        // Yesterday's directory may still get entries from the outbox; a kept day is never shorter than that.
        let last_old = today.checked_sub(kept.max(1) + 1).filter(|_| kept > 0);
        let Some(last_old) = last_old else { continue };
        let first_old = node
            .history_cut_day(app, kind)
            .await?
            .max(day_of(facts.created.seconds()).saturating_sub(1));
        for day in first_old + 1..=last_old {
            cut_day(node, app, kind, day).await?;
            node.set_history_cut_day(app, kind, day).await?;
        }
    }
    Ok(())
}

async fn cut_day(node: &Arc<Node>, app: &Arc<App>, kind: History, day: u32) -> Outcome<()> {
    loop {
        let conversations =
            directory::conversations_of_day(node, app.id(), day, kind, CONVERSATIONS_A_STEP)
                .await?;
        if conversations.is_empty() {
            return Ok(());
        }
        let before = UnixSeconds((day + 1) * DAY_S);
        let cuts = in_parallel(conversations.clone(), CONVERSATIONS_AT_ONCE, |partition| {
            let (node, app) = (node.clone(), app.clone());
            async move {
                match Home::of(&partition) {
                    Some(Home::Pair(id, pair)) => {
                        cut_pair(&node, &app, id, pair, &partition, before).await
                    }
                    Some(Home::Group(_, group)) => {
                        group::history::cut(&node, &app, &group, before, MESSAGES_A_COMMIT).await
                    }
                    _ => Ok(()),
                }
            }
        });
        cuts.await.into_iter().collect::<Outcome<()>>()?;
        directory::unlist_day(node, app.id(), day, &conversations).await?;
    }
}

async fn cut_pair(
    node: &Arc<Node>,
    app: &Arc<App>,
    id: SdkAppId,
    pair: PairKey,
    partition: &Partition,
    before: UnixSeconds,
) -> Outcome<()> {
    let (from, to) = (key::message(UnixSeconds(0), 0), key::message(before, 0));
    loop {
        let rows = node
            .store()
            .scan(partition, &from..&to, Direction::Ascending, MESSAGES_A_COMMIT)
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        metrics::counter!("teahouse_messages_expired_total").increment(rows.len() as u64);
        app.pairs
            .change(
                node,
                &pair,
                || Home::Pair(id, pair),
                |_, change| {
                    rows.iter().for_each(|row| change.delete(row.key.clone()));
                    Ok(())
                },
            )
            .await?;
    }
}
