//! The database underneath and everything that is read from it.
//!
//! fjall is used within the guard rails that its record asks for: one write path (`batch`), no
//! `clear`, no ingestion, no key-value separation, no FIFO compaction, no optimistic transactions,
//! and nothing that is read here is believed before its seal was checked.

use std::{ops::Range, path::Path, sync::Arc};

use arc_swap::ArcSwap;
use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, Readable, Snapshot};

use super::{Options, layout};
use crate::{
    contract::{Direction, Partition, ReadError, Row, Version},
    family::{self, Family},
};

/// fjall refuses less. It bounds what a start has to replay.
const JOURNALS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The open database with its keyspaces. Cheap to clone.
#[derive(Clone)]
pub(super) struct Engine {
    database: Database,
    outbox: Keyspace,
    mutable: Keyspace,
    log: Keyspace,
    meta: Keyspace,
    /// What the readers see. Never taken while a batch is being written: when the database finishes
    /// a table in the background, it makes visible whatever has a number by then, also a batch of
    /// which only some rows are in memory yet (seen with 3.1.13). All writing is done by one thread,
    /// so it knows when there is no such batch.
    shown: Arc<ArcSwap<Snapshot>>,
}

impl Engine {
    /// Opens or creates the database in `directory`.
    pub(super) fn open(directory: &Path, options: &Options) -> Result<Engine, fjall::Error> {
        let database = Database::builder(directory)
            .cache_size(options.cache_bytes)
            .max_journaling_size(JOURNALS_BYTES_MAX)
            .open()?;
        let keyspace = |name| {
            let memtable = options.memtable_bytes_max;
            database.keyspace(name, || KeyspaceCreateOptions::default().max_memtable_size(memtable))
        };
        Ok(Engine {
            outbox: keyspace("outbox")?,
            mutable: keyspace("mutable")?,
            log: keyspace("log")?,
            meta: keyspace("meta")?,
            shown: Arc::new(ArcSwap::from_pointee(database.snapshot())),
            database,
        })
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn meta(&self) -> &Keyspace {
        &self.meta
    }

    pub(super) fn keyspace(&self, family: Family) -> &Keyspace {
        match family {
            Family::Outbox => &self.outbox,
            Family::Mutable => &self.mutable,
            Family::Log => &self.log,
        }
    }

    /// Everything as of the last [`Engine::show`].
    pub(super) fn view(&self) -> View<'_> {
        View { engine: self, snapshot: self.shown.load_full() }
    }

    /// Shows later views all that is written. For the thread that writes, between its batches. What
    /// is shown is kept from the database's own cleaning, so it is to be called now and then.
    pub(super) fn show(&self) {
        self.shown.store(Arc::new(self.database.snapshot()));
    }
}

/// The store at one moment.
pub(super) struct View<'a> {
    engine: &'a Engine,
    snapshot: Arc<Snapshot>,
}

/// A row with the partition version at which it was written.
pub(super) struct VersionedRow {
    pub(super) row: Row,
    pub(super) version: Version,
}

impl View<'_> {
    /// The id of the last batch; 0 before the first.
    pub(super) fn commit_id(&self) -> Result<u64, ReadError> {
        let sealed = self.snapshot.get(&self.engine.meta, layout::COMMIT_ID_KEY);
        match sealed.map_err(failed)? {
            Some(sealed) => Ok(unseal(layout::COMMIT_ID_KEY, &sealed)?.0.0),
            None => Ok(0),
        }
    }

    /// The version of a partition.
    pub(super) fn version(&self, partition: &Partition) -> Result<Version, ReadError> {
        let key = layout::version_key(partition);
        match self.snapshot.get(&self.engine.meta, &key).map_err(failed)? {
            Some(sealed) => Ok(unseal(&key, &sealed)?.0),
            None => Ok(Version::NONE),
        }
    }

    /// One row: the version at which it was written and its value.
    pub(super) fn get(
        &self,
        partition: &Partition,
        key: &[u8],
    ) -> Result<Option<(Version, Bytes)>, ReadError> {
        // A key without a family cannot have been written.
        let Some(family) = Family::of(key) else { return Ok(None) };
        let stored = layout::row_key(partition, key);
        let keyspace = self.engine.keyspace(family);
        let Some(sealed) = self.snapshot.get(keyspace, &stored).map_err(failed)? else {
            return Ok(None);
        };
        let (version, value) = unseal(&stored, &sealed)?;
        Ok(Some((version, Bytes::copy_from_slice(value))))
    }

    /// The rows of a range that stays in one family.
    pub(super) fn scan(
        &self,
        partition: &Partition,
        range: Range<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<VersionedRow>, ReadError> {
        family::check_range(range.start, range.end).map_err(ReadError::Invalid)?;
        let Some(family) = Family::of(range.start) else { return Ok(Vec::new()) };
        if range.start >= range.end || limit == 0 {
            return Ok(Vec::new());
        }
        let from = layout::row_key(partition, range.start);
        let to = layout::row_key(partition, range.end);
        let prefix_bytes = from.len() - range.start.len();
        let found = self.snapshot.range(self.engine.keyspace(family), from..to);
        let row = |guard: fjall::Guard| {
            let (stored, sealed) = guard.into_inner().map_err(failed)?;
            let (version, value) = unseal(&stored, &sealed)?;
            let key = Bytes::copy_from_slice(&stored[prefix_bytes..]);
            let row = Row { key, value: Bytes::copy_from_slice(value) };
            Ok(VersionedRow { row, version })
        };
        match direction {
            Direction::Ascending => found.take(limit).map(row).collect(),
            Direction::Descending => found.rev().take(limit).map(row).collect(),
        }
    }

    /// The stored keys of a non-empty range within one family, `limit` at most.
    pub(super) fn stored_keys(
        &self,
        family: Family,
        range: Range<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        let found = self.snapshot.range(self.engine.keyspace(family), range);
        found.take(limit).map(|guard| Ok(guard.key().map_err(failed)?.to_vec())).collect()
    }

    /// The partitions with outbox rows above `after`.
    pub(super) fn pending(
        &self,
        after: Option<&Partition>,
        limit: usize,
    ) -> Result<Vec<Partition>, ReadError> {
        let mut found = Vec::new();
        let mut from = after.map(layout::partition_end).unwrap_or_default();
        while found.len() < limit {
            let Some(guard) = self.snapshot.range(&self.engine.outbox, from..).next() else {
                break;
            };
            let stored = guard.key().map_err(failed)?;
            let (partition, _) = layout::split_row_key(&stored)
                .ok_or_else(|| corrupt(format!("{} is no outbox key", stored.escape_ascii())))?;
            // One seek for each partition, however many rows it has.
            from = layout::partition_end(&partition);
            found.push(partition);
        }
        Ok(found)
    }

    /// Complains when a row is newer than its partition: the version row must then be stale.
    pub(super) fn check_version(
        &self,
        partition: &Partition,
        row_version: Version,
    ) -> Result<(), ReadError> {
        let version = self.version(partition)?;
        if row_version > version {
            return Err(corrupt(format!(
                "partition {partition} is at version {version} but has a row of version {row_version}"
            )));
        }
        Ok(())
    }

    /// All partitions with their versions, ascending.
    pub(super) fn partitions(
        &self,
    ) -> impl Iterator<Item = Result<(Partition, Version), ReadError>> + use<> {
        let from: &[u8] = &[layout::VERSION_PREFIX];
        let to: &[u8] = &[layout::VERSION_PREFIX + 1];
        self.snapshot.range(&self.engine.meta, from..to).map(|guard| {
            let (key, sealed) = guard.into_inner().map_err(failed)?;
            let (version, _) = unseal(&key, &sealed)?;
            let partition = Partition::new(key[1..].to_vec())
                .map_err(|error| corrupt(format!("a version row: {error}")))?;
            Ok((partition, version))
        })
    }

    /// All rows of one family, ascending by partition and key.
    pub(super) fn rows(
        &self,
        family: Family,
    ) -> impl Iterator<Item = Result<(Partition, VersionedRow), ReadError>> + use<> {
        self.snapshot.iter(self.engine.keyspace(family)).map(|guard| {
            let (stored, sealed) = guard.into_inner().map_err(failed)?;
            let (version, value) = unseal(&stored, &sealed)?;
            let (partition, key) = layout::split_row_key(&stored)
                .ok_or_else(|| corrupt(format!("{} is no row key", stored.escape_ascii())))?;
            let key = Bytes::copy_from_slice(key);
            let row = Row { key, value: Bytes::copy_from_slice(value) };
            Ok((partition, VersionedRow { row, version }))
        })
    }
}

fn unseal<'a>(stored_key: &[u8], sealed: &'a [u8]) -> Result<(Version, &'a [u8]), ReadError> {
    layout::unseal(stored_key, sealed).ok_or_else(|| {
        corrupt(format!("the checksum of row {} does not fit", stored_key.escape_ascii()))
    })
}

/// Damage is logged where it is found: a caller may have nobody to tell.
pub(super) fn corrupt(what: String) -> ReadError {
    tracing::error!(what, "stored data is damaged");
    ReadError::Corrupt(what)
}

/// A device that fails may work again; anything else that the database finds is damage.
fn failed(error: fjall::Error) -> ReadError {
    use fjall::{Error, LsmError};
    if let Error::Io(error) | Error::Storage(LsmError::Io(error)) = error {
        tracing::error!(%error, "the device failed on a read of the store");
        return ReadError::Unavailable(error.to_string());
    }
    corrupt(error.to_string())
}
