//! The outbox: what must follow a change in other entities.
//!
//! A job is a row in the same commit as the change that needs it. It is carried out at least once and
//! in order per entity; it is removed by a later commit of the same entity. What a crash leaves behind
//! is found by the store's list of partitions with such rows when a node starts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use futures_util::future::FutureExt;
use teahouse_proto::ids::{TinyId, UserId};
use teahouse_store::{Direction, Partition};

use crate::account;
use crate::conversation;
use crate::directory;
use crate::entity::{Change, in_parallel};
use crate::error::Outcome;
use crate::group::{self, membership, pendency};
use crate::hook;
use crate::hook::via::Via;
use crate::node::{Node, decode_row};
use crate::profile;
use crate::relation;
use crate::rows::{DirectoryKind, Home, Job, JobRow, key};
use crate::turns::Turns;

const JOBS_AT_ONCE: usize = 64;
const PARTITIONS_AT_ONCE: usize = 256;
const HOMES_AT_ONCE: usize = 16;

/// At most one runner an entity, so that jobs keep their order and counts are counted once.
#[derive(Default)]
pub(crate) struct Runners {
    turns: Turns<Home>,
    failed: Mutex<HashSet<Home>>,
}

impl Node {
    /// Carries out the jobs of `home` in the background.
    pub(crate) fn run_jobs_soon(self: &Arc<Self>, home: Home) {
        let node = self.clone();
        let task = async move {
            // A failure is remembered and repeated by the next tick.
            let _ = node.run_jobs(home).await;
        };
        self.spawn(task.boxed());
    }

    /// Carries out the jobs of `home` and returns when they are done.
    pub(crate) async fn run_jobs(self: &Arc<Self>, home: Home) -> Outcome<()> {
        let outcome = self.runners.turns.run(&home, self.run_all(&home)).await;
        if let Err(failure) = &outcome {
            tracing::warn!(?home, %failure, "outbox jobs will be repeated");
            metrics::counter!("teahouse_outbox_failures_total").increment(1);
            self.runners.failed.lock().expect("no panic while held").insert(home);
        }
        outcome
    }

    /// What an earlier process left undone.
    pub(crate) async fn run_pending_jobs(self: &Arc<Self>) -> Outcome<()> {
        let mut after = None;
        loop {
            let partitions = self.store().pending(after.as_ref(), PARTITIONS_AT_ONCE).await?;
            let Some(last) = partitions.last() else { return Ok(()) };
            after = Some(last.clone());
            let homes: Vec<Home> = partitions.iter().filter_map(home_of).collect();
            // What fails is repeated by the next tick; it does not keep the rest from being served.
            in_parallel(homes, HOMES_AT_ONCE, |home| {
                let node = self.clone();
                async move { node.run_jobs(home).await }
            })
            .await;
        }
    }

    pub(crate) async fn repeat_failed_jobs(self: &Arc<Self>) {
        let failed = std::mem::take(&mut *self.runners.failed.lock().expect("no panic while held"));
        for home in failed {
            let _ = self.run_jobs(home).await;
        }
    }

    async fn run_all(self: &Arc<Self>, home: &Home) -> Outcome<()> {
        let partition = home.partition();
        let (from, to) = key::jobs();
        loop {
            let rows = self
                .store()
                .scan(&partition, &from..&to, Direction::Ascending, JOBS_AT_ONCE)
                .await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut told = Vec::new();
            for row in &rows {
                match decode_row::<JobRow>(&row.value)?.job {
                    Some(Job::Tell(hook)) => told.push(hook),
                    Some(job) => run_job(self, home, job).await?,
                    None => {
                        tracing::error!(?home, "a job that this version does not know is dropped")
                    }
                }
            }
            if let Some(app) = home.app().filter(|_| !told.is_empty()) {
                hook::log::append(self, app, told).await?;
            }
            let done =
                |change: &mut Change| rows.iter().for_each(|row| change.delete(row.key.clone()));
            change_home(self, home, done).await?;
        }
    }
}

fn home_of(partition: &Partition) -> Option<Home> {
    let home = Home::of(partition);
    if home.is_none() {
        tracing::error!(?partition, "outbox rows of an unknown entity are left alone");
    }
    home
}

async fn run_job(node: &Arc<Node>, home: &Home, job: Job) -> Outcome<()> {
    match (home, job) {
        (Home::Pair(app, pair), Job::IndexPair(job)) => {
            conversation::index_pair(node, *app, *pair, &job).await
        }
        (Home::User(app, user), Job::ListAccount(job)) => {
            directory::list_account(node, *app, user, &job).await
        }
        (Home::User(app, user), Job::LeaveGroups(job)) => {
            membership::leave_all(node, *app, user, TinyId(job.tiny_id), &job.groups).await
        }
        (Home::User(app, user), Job::Relate(job)) => {
            // For whom it is about, it comes from this user.
            let is_answer = job.errands.iter().any(|errand| errand.granted);
            let path = if is_answer { "sns/friend_response" } else { "sns/friend_add" };
            let via = Via { operator: Some(user.clone()), path, ..Via::default() };
            via.scope(relation::settle::relate(node, *app, user, &job)).await
        }
        (Home::User(app, user), Job::TellFriends(job)) => {
            profile::tell_friends(node, *app, user, &job).await
        }
        (Home::Group(app, group), Job::IndexMembers(job)) => {
            membership::index_members(node, *app, group, &job).await
        }
        (Home::Group(app, group), Job::BuryGroup(job)) => {
            membership::bury(node, *app, group, &job).await
        }
        (Home::Group(app, _), Job::ListPendencies(job)) => pendency::list(node, *app, &job).await,
        (Home::Group(app, group), Job::ListGroup(job)) => {
            directory::list_group(node, *app, group, &job).await
        }
        (Home::Pair(app, _) | Home::Group(app, _), Job::ListDay(job)) => {
            directory::list_day(node, *app, job.day, &home.partition()).await
        }
        (Home::App(app), Job::ImportAccount(job)) => {
            let (Some(app), Ok(user)) = (node.loaded_app(*app).await?, UserId::parse(&job.user))
            else {
                return Ok(());
            };
            account::import(node, &app, &user, &[]).await
        }
        (home, job) => {
            tracing::error!(
                ?home,
                ?job,
                "a job does not belong to this kind of entity and is dropped"
            );
            Ok(())
        }
    }
}

/// Commits to an entity whose kind is known only at run time.
async fn change_home(node: &Arc<Node>, home: &Home, apply: impl Fn(&mut Change)) -> Outcome<()> {
    let apply = |change: &mut Change| {
        apply(change);
        Ok(())
    };
    match home {
        Home::App(id) => {
            let own = || home.clone();
            node.app_states.change(node, id, own, |_, change| apply(change)).await
        }
        Home::User(app, user) => {
            let Some(app) = node.app(*app) else { return Ok(()) };
            app.users.change(node, user, || home.clone(), |_, change| apply(change)).await
        }
        Home::Pair(app, pair) => {
            let Some(app) = node.app(*app) else { return Ok(()) };
            app.pairs.change(node, pair, || home.clone(), |_, change| apply(change)).await
        }
        Home::Group(app, id) => {
            let Some(app) = node.app(*app) else { return Ok(()) };
            group::change_group(node, &app, id, |_, change| apply(change)).await
        }
        Home::Cluster | Home::Directory(..) | Home::Merged(..) | Home::Hooks(_) => {
            unreachable!("{home:?} has no outbox: nothing follows its changes")
        }
    }
}

impl DirectoryKind {
    /// Directories spread over this many shards per app; a day is a shard of its own.
    pub(crate) const SHARDS: u16 = 16;
}
