//! Directories: lists that no single partition could hold.
//!
//! The accounts of an app are spread over a fixed number of shards, rows in order of creation, a count
//! in each head; so are its groups. A day directory names the conversations that stored a message on that day, so that
//! old history is found without a scan of everything. Both are written through the outbox.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use teahouse_proto::group::GroupType;
use teahouse_proto::ids::{GroupId, SdkAppId, UserId};
use teahouse_store::{Direction, Partition, ReadError};

use crate::entity::{State, in_parallel};
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::rows::{
    DirectoryKind, DirectoryRow, EntryRow, History, Home, ListAccountJob, ListGroupJob, key,
};

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

/// Lists (or unlists) an account.
pub(crate) async fn list_account(
    node: &Arc<Node>,
    app: SdkAppId,
    user: &UserId,
    job: &ListAccountJob,
) -> Outcome<()> {
    let row = EntryRow { name: Bytes::copy_from_slice(user.as_bytes()), kind: 0 };
    list(node, app, DirectoryKind::Accounts, job.tiny_id, &row, job.deleted).await
}

/// Lists (or unlists) a group.
pub(crate) async fn list_group(
    node: &Arc<Node>,
    app: SdkAppId,
    group: &GroupId,
    job: &ListGroupJob,
) -> Outcome<()> {
    let row = EntryRow { name: Bytes::copy_from_slice(group.as_bytes()), kind: job.kind };
    list(node, app, DirectoryKind::Groups, job.incarnation, &row, job.dismissed).await
}

/// Enters or removes an entry. The outbox runs one job of an entity at a time, so the look before the
/// change is enough to count it once.
async fn list(
    node: &Arc<Node>,
    app: SdkAppId,
    kind: DirectoryKind,
    number: u64,
    row: &EntryRow,
    removed: bool,
) -> Outcome<()> {
    let shard = shard_of(number);
    let home = Home::Directory(app, kind, shard);
    let entry = key::entry(number);
    let listed = node.store().get(&home.partition(), &entry).await?.is_some();
    if listed != removed {
        return Ok(());
    }
    node.directories
        .change(
            node,
            &(app, kind, shard),
            || home.clone(),
            |state, change| {
                let of_kind = state.row.by_kind.entry(row.kind).or_default();
                if removed {
                    *of_kind = of_kind.saturating_sub(1);
                    state.row.count = state.row.count.saturating_sub(1);
                    change.delete(entry.clone());
                } else {
                    *of_kind += 1;
                    state.row.count += 1;
                    change.put(entry.clone(), row);
                }
                change.put(key::head(), &state.row);
                Ok(())
            },
        )
        .await
}

/// How many accounts an app has.
pub(crate) async fn count_accounts(node: &Node, app: SdkAppId) -> Outcome<u64> {
    count(node, app, DirectoryKind::Accounts, |row| row.count).await
}

/// How many groups an app has, of one type if that is given.
pub(crate) async fn count_groups(
    node: &Node,
    app: SdkAppId,
    kind: Option<GroupType>,
) -> Outcome<u64> {
    count(node, app, DirectoryKind::Groups, |row| match kind {
        Some(kind) => row.by_kind.get(&kind.number()).copied().unwrap_or_default(),
        None => row.count,
    })
    .await
}

async fn count(
    node: &Node,
    app: SdkAppId,
    kind: DirectoryKind,
    of: impl Fn(&DirectoryRow) -> u64 + Sync,
) -> Outcome<u64> {
    let of = &of;
    let counts = in_parallel(0..DirectoryKind::SHARDS, 16, |shard| async move {
        let own = (app, kind, shard);
        let home = || Home::Directory(app, kind, shard);
        let entity = node.directories.get(node, &own, home).await?;
        Ok(entity.read(|state| of(&state.row)))
    })
    .await;
    counts.into_iter().sum()
}

/// Up to `limit` groups in order of creation, with a number above `after`, of one type if that is given.
pub(crate) async fn groups(
    node: &Node,
    app: SdkAppId,
    after: u64,
    kind: Option<GroupType>,
    limit: usize,
) -> Outcome<Vec<(u64, GroupId)>> {
    let pages = in_parallel(0..DirectoryKind::SHARDS, 16, |shard| async move {
        let partition = Home::Directory(app, DirectoryKind::Groups, shard).partition();
        let (mut from, to) = (key::entry(after.saturating_add(1)), key::entries().1);
        let mut found = Vec::new();
        // Those of another type are skipped, so a page of one type may take several reads.
        loop {
            let rows = node.store().scan(&partition, &from..&to, Direction::Ascending, limit);
            let rows = rows.await?;
            for row in &rows {
                let Some(number) = key::entry_number(&row.key) else { continue };
                let entry: EntryRow = decode_row(&row.value)?;
                let name =
                    std::str::from_utf8(&entry.name).ok().and_then(|n| GroupId::parse(n).ok());
                let wanted = kind.is_none_or(|kind| kind.number() == entry.kind);
                found.extend(name.filter(|_| wanted).map(|name| (number, name)));
                from = key::entry(number.saturating_add(1));
            }
            if rows.len() < limit || found.len() >= limit {
                return Outcome::Ok(found);
            }
        }
    })
    .await;
    let mut all = Vec::new();
    for page in pages {
        all.extend(page?);
    }
    all.sort_unstable_by_key(|(number, _)| *number);
    all.truncate(limit);
    Ok(all)
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

/// Up to `limit` conversations of one kind of a day.
pub(crate) async fn conversations_of_day(
    node: &Node,
    app: SdkAppId,
    day: u32,
    kind: History,
    limit: usize,
) -> Outcome<Vec<Partition>> {
    let (from, to) = key::entries_of(kind);
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

/// The low bits of a number are a counter that starts anew each millisecond: mix before sharding.
fn shard_of(number: u64) -> u16 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    u16::try_from(mixed).expect("16 bits") % DirectoryKind::SHARDS
}
