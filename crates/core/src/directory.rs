//! Directories: lists that no single partition could hold.
//!
//! The accounts of an app are spread over a fixed number of shards, rows in order of creation, a count
//! in each head. A day directory names the conversations that stored a message on that day, so that
//! old history is found without a scan of everything. Both are written through the outbox.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use teahouse_proto::ids::{SdkAppId, TinyId, UserId};
use teahouse_store::{Direction, Partition, ReadError};

use crate::entity::{State, in_parallel};
use crate::error::Outcome;
use crate::node::Node;
use crate::rows::{DirectoryKind, DirectoryRow, EntryRow, Home, ListAccountJob, key};

pub(crate) type DirectoryKey = (SdkAppId, DirectoryKind, u16);

#[derive(Default)]
pub(crate) struct DirectoryState {
    row: DirectoryRow,
}

impl State for DirectoryState {
    fn load<'a>(
        node: &'a Node,
        _: &'a Home,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Self, ReadError>> {
        async move { Ok(Self { row: node.head_row(partition).await?.unwrap_or_default() }) }.boxed()
    }
}

/// Lists (or unlists) an account. The outbox runs one job of an account at a time, so the look before
/// the change is enough to count it once.
pub(crate) async fn list_account(
    node: &Arc<Node>,
    app: SdkAppId,
    user: &UserId,
    job: &ListAccountJob,
) -> Outcome<()> {
    let shard = account_shard(TinyId(job.tiny_id));
    let home = Home::Directory(app, DirectoryKind::Accounts, shard);
    let entry = key::entry(job.tiny_id);
    let listed = node.store().get(&home.partition(), &entry).await?.is_some();
    if listed != job.deleted {
        return Ok(());
    }
    node.directories
        .change(
            node,
            &(app, DirectoryKind::Accounts, shard),
            || home.clone(),
            |state, change| {
                if job.deleted {
                    state.row.count = state.row.count.saturating_sub(1);
                    change.delete(entry.clone());
                } else {
                    state.row.count += 1;
                    let name = bytes::Bytes::copy_from_slice(user.as_bytes());
                    change.put(entry.clone(), &EntryRow { name });
                }
                change.put(key::head(), &state.row);
                Ok(())
            },
        )
        .await
}

/// How many accounts an app has.
pub(crate) async fn count_accounts(node: &Node, app: SdkAppId) -> Outcome<u64> {
    let counts = in_parallel(0..DirectoryKind::ACCOUNT_SHARDS, 16, |shard| async move {
        let own = (app, DirectoryKind::Accounts, shard);
        let home = || Home::Directory(app, DirectoryKind::Accounts, shard);
        let entity = node.directories.get(node, &own, home).await?;
        Ok(entity.read(|state| state.row.count))
    })
    .await;
    counts.into_iter().sum()
}

/// Names `partition` in the directory of `day`.
pub(crate) async fn list_day(
    node: &Arc<Node>,
    app: SdkAppId,
    day: u32,
    partition: &Partition,
) -> Outcome<()> {
    let entry = key::named_entry(partition);
    change_day(node, app, day, |change| change.put(entry.clone(), &EntryRow::default())).await
}

/// Up to `limit` conversations of a day.
pub(crate) async fn conversations_of_day(
    node: &Node,
    app: SdkAppId,
    day: u32,
    limit: usize,
) -> Outcome<Vec<Partition>> {
    let (from, to) = key::entries();
    let partition = day_home(app, day).partition();
    let rows = node.store().scan(&partition, &from..&to, Direction::Ascending, limit).await?;
    Ok(rows.iter().filter_map(|row| key::entry_name(&row.key)).collect())
}

/// Takes conversations out of the directory of a day.
pub(crate) async fn unlist_day(
    node: &Arc<Node>,
    app: SdkAppId,
    day: u32,
    partitions: &[Partition],
) -> Outcome<()> {
    change_day(node, app, day, |change| {
        partitions.iter().for_each(|partition| change.delete(key::named_entry(partition)));
    })
    .await
}

async fn change_day(
    node: &Arc<Node>,
    app: SdkAppId,
    day: u32,
    apply: impl Fn(&mut crate::entity::Change),
) -> Outcome<()> {
    let Home::Directory(_, kind, shard) = day_home(app, day) else { unreachable!("a day's home") };
    node.directories
        .change(
            node,
            &(app, kind, shard),
            || day_home(app, day),
            |_, change| {
                apply(change);
                Ok(())
            },
        )
        .await
}

fn day_home(app: SdkAppId, day: u32) -> Home {
    let shard = u16::try_from(day % (1 << 16)).expect("below 2^16");
    Home::Directory(app, DirectoryKind::Day, shard)
}

/// The low bits of a TinyId are a counter that starts anew each millisecond: mix before sharding.
fn account_shard(tiny_id: TinyId) -> u16 {
    let mixed = tiny_id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    u16::try_from(mixed).expect("16 bits") % DirectoryKind::ACCOUNT_SHARDS
}
