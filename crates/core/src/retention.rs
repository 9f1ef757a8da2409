//! Retention: messages older than an app keeps are removed, in bounded steps.
//!
//! The day directory names the conversations that stored a message on a day. Once the whole day is too
//! old, each of them loses its messages up to that day and what lies beside them, a few hundred rows a
//! commit, and the day's entries go. The app's row remembers the last day that is done, so nothing is missed while a server is off.

use std::sync::Arc;

use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::{UnixMillis, UnixSeconds};
use teahouse_store::{Direction, Partition};

use crate::app::App;
use crate::directory;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::group;
use crate::merged;
use crate::node::Node;
use crate::rows::{History, Home, PairKey, key};
use crate::settings::AppSettings;

/// Seconds of a day.
const DAY_S: u32 = 86_400;
/// How often the cut is looked at.
const EVERY_MS: u64 = 3_600_000;
const CONVERSATIONS_A_STEP: usize = 128;
const CONVERSATIONS_AT_ONCE: usize = 16;
const MESSAGES_A_COMMIT: usize = 400;

/// What is cut, each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// One-to-one messages.
    Pairs,
    /// Group messages.
    Groups,
    /// Lists of merged messages: kept as long as any message that may carry their key.
    Merged,
}

impl Cut {
    /// How many days it is kept; 0: for ever.
    fn kept_days(self, settings: &AppSettings) -> u32 {
        let (pairs, groups) = (settings.c2c_history_days, settings.group_history_days);
        match self {
            Self::Pairs => pairs,
            Self::Groups => groups,
            Self::Merged if pairs == 0 || groups == 0 => 0,
            Self::Merged => pairs.max(groups),
        }
    }
}

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
        if let Err(failure) = group::recycle::recycle(node, &app).await {
            tracing::warn!(app = app.id().0, %failure, "idle groups will be dismissed later");
        }
    }
}

async fn cut_app(node: &Arc<Node>, app: &Arc<App>, today: u32) -> Outcome<()> {
    let facts = app.facts();
    for cut in [Cut::Pairs, Cut::Groups, Cut::Merged] {
        let kept = cut.kept_days(&facts.settings);
        // Yesterday's directory may still get entries from the outbox; a kept day is never shorter than that.
        let last_old = today.checked_sub(kept.max(1) + 1).filter(|_| kept > 0);
        let Some(last_old) = last_old else { continue };
        for day in first_uncut(node, app, cut).await?..=last_old {
            match cut {
                Cut::Pairs => cut_day(node, app, History::Pairs, day).await?,
                Cut::Groups => cut_day(node, app, History::Groups, day).await?,
                Cut::Merged => merged::cut(node, app, day).await?,
            }
            node.set_cut_day(app, cut, day).await?;
        }
    }
    Ok(())
}

/// The first day that has not been cut. Before the app was made there was nothing to cut.
async fn first_uncut(node: &Node, app: &App, cut: Cut) -> Outcome<u32> {
    let created = day_of(app.facts().created.seconds());
    Ok(created.max(node.cut_day(app, cut).await? + 1))
}

/// The day under whose entry a message of a second is found again when it is too old. Of days that have been
/// cut, or will be next, it is a later one: what is written into the past is cut with that.
pub(crate) async fn listed_day(
    node: &Node,
    app: &App,
    cut: Cut,
    time: UnixSeconds,
) -> Outcome<u32> {
    let first_kept = match cut.kept_days(&app.facts().settings) {
        0 => 0,
        kept => day_of(node.now().seconds()).saturating_sub(kept),
    };
    Ok(day_of(time).max(first_uncut(node, app, cut).await?).max(first_kept))
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
    let messages = (key::message(UnixSeconds(0), 0), key::message(before, 0));
    let home = || Home::Pair(id, pair);
    // From here on nothing is laid over a message that goes.
    let is_changed = app
        .pairs
        .change(node, &pair, home, |state, change| {
            state.head.kept_from = state.head.kept_from.max(before.0);
            change.put(key::head(), &state.head);
            Ok(state.head.changes > 0)
        })
        .await?;
    let beside = key::beside_messages_before(before).into_iter().filter(|_| is_changed);
    for (from, to) in std::iter::once(messages).chain(beside) {
        loop {
            let rows = node
                .store()
                .scan(partition, &from..&to, Direction::Ascending, MESSAGES_A_COMMIT)
                .await?;
            if rows.is_empty() {
                break;
            }
            if rows.iter().any(|row| key::message_place(&row.key).is_some()) {
                metrics::counter!("teahouse_messages_expired_total").increment(rows.len() as u64);
            }
            app.pairs
                .change(node, &pair, home, |_, change| {
                    rows.iter().for_each(|row| change.delete(row.key.clone()));
                    Ok(())
                })
                .await?;
        }
    }
    Ok(())
}
