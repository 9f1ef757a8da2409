//! The [`Store`] trait and everything it promises.
//!
//! Few methods, long texts: the texts are the specification. `store_suite!` has a test for each
//! sentence, and every engine passes all of them, so code above this trait may rely on any
//! sentence here and on nothing else.

use std::{
    fmt,
    io::Write as OutputStream,
    ops::{Deref, Range},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{
    family::{self, Family},
    stats::Stats,
    stream::{Exported, StreamError},
};

/// What every engine must hold and none is asked to exceed.
pub mod limits {
    /// Bytes of a partition name, at most; at least 1.
    pub const PARTITION_BYTES_MAX: usize = 128;
    /// Bytes of a key without its partition, at most; at least 1.
    pub const KEY_BYTES_MAX: usize = 512;
    /// Bytes of a value, at most.
    pub const VALUE_BYTES_MAX: usize = 64 * 1024;
    /// Writes in a commit, at most; at least 1.
    pub const COMMIT_WRITES_MAX: usize = 512;
    /// Bytes of all keys, bounds and values of a commit, at most.
    pub const COMMIT_BYTES_MAX: usize = 1024 * 1024;
    /// Rows that the range deletes of one commit may remove, at most. Who wants more goes in steps.
    pub const RANGE_ROWS_MAX: usize = 65_536;
}

/// The name of a partition: 1 to 128 opaque bytes, ordered as bytes. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(Bytes);

impl Partition {
    /// Names a partition.
    ///
    /// # Errors
    /// When `name` is empty or longer than [`limits::PARTITION_BYTES_MAX`].
    pub fn new(name: impl Into<Bytes>) -> Result<Partition, InvalidPartition> {
        let name = name.into();
        match name.len() {
            1..=limits::PARTITION_BYTES_MAX => Ok(Partition(name)),
            bytes => Err(InvalidPartition { bytes }),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl Deref for Partition {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A partition name that is empty or too long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a partition name has 1 to {} bytes, not {bytes}", limits::PARTITION_BYTES_MAX)]
pub struct InvalidPartition {
    /// The length that was given.
    pub bytes: usize,
}

/// How often a partition was committed to. A partition that never was is at version 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl Version {
    /// The version of a partition that was never committed to.
    pub const NONE: Version = Version(0);

    /// The version after one more commit.
    #[must_use]
    pub fn next(self) -> Version {
        Version(self.0.wrapping_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One change of a commit. Keys are without the partition; see [`family`] for their first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Creates or replaces a row. A log row is never replaced: its key is unique for all time.
    Put {
        /// The key.
        key: Bytes,
        /// The value; may be empty.
        value: Bytes,
    },
    /// Removes a row; nothing happens when there is none.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Removes all rows of `from..to`, within one family, at most
    /// [`limits::RANGE_ROWS_MAX`] of them.
    DeleteRange {
        /// The first key of the range.
        from: Bytes,
        /// The key after the range.
        to: Bytes,
    },
}

/// What must have happened before a commit is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// It survives a power cut.
    #[default]
    Synced,
    /// It is applied and visible and survives a crash of this process; a power cut may lose the
    /// last second of such commits, always together with everything that came after them.
    Relaxed,
}

/// What to change in one partition, and on top of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Where.
    pub partition: Partition,
    /// The version the caller's knowledge is of; the commit applies to no other.
    pub expected: Version,
    /// The changes, applied in this order.
    pub writes: Vec<Write>,
    /// How safe it must be before the answer.
    pub durability: Durability,
}

impl Commit {
    /// A synced commit.
    #[must_use]
    pub fn synced(partition: Partition, expected: Version, writes: Vec<Write>) -> Commit {
        Commit { partition, expected, writes, durability: Durability::Synced }
    }

    /// A relaxed commit.
    #[must_use]
    pub fn relaxed(partition: Partition, expected: Version, writes: Vec<Write>) -> Commit {
        Commit { partition, expected, writes, durability: Durability::Relaxed }
    }

    /// Bytes of all keys, bounds and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.writes
            .iter()
            .map(|write| match write {
                Write::Put { key, value } => key.len() + value.len(),
                Write::Delete { key } => key.len(),
                Write::DeleteRange { from, to } => from.len() + to.len(),
            })
            .sum()
    }

    /// Checks all limits; the text says which one is broken.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.writes.is_empty() || self.writes.len() > limits::COMMIT_WRITES_MAX {
            let (count, most) = (self.writes.len(), limits::COMMIT_WRITES_MAX);
            return Err(format!("a commit has 1 to {most} writes, not {count}"));
        }
        let (bytes, most) = (self.bytes(), limits::COMMIT_BYTES_MAX);
        if bytes > most {
            return Err(format!("a commit has at most {most} bytes, not {bytes}"));
        }
        if self.expected.0 == u64::MAX {
            return Err("the expected version leaves no room for the next".to_owned());
        }
        self.writes.iter().try_for_each(|write| match write {
            Write::Put { key, value } => check_key(key).and_then(|()| check_value(value)),
            Write::Delete { key } => check_key(key),
            Write::DeleteRange { from, to } => family::check_range(from, to),
        })
    }
}

/// Checks length and family of a key.
fn check_key(key: &[u8]) -> Result<(), String> {
    let most = limits::KEY_BYTES_MAX;
    if key.len() > most {
        return Err(format!("a key has at most {most} bytes, not {}", key.len()));
    }
    match Family::of(key) {
        Some(_) => Ok(()),
        None => Err("a key starts with the byte of a row family (0x01 or above)".to_owned()),
    }
}

fn check_value(value: &[u8]) -> Result<(), String> {
    let most = limits::VALUE_BYTES_MAX;
    if value.len() > most {
        return Err(format!("a value has at most {most} bytes, not {}", value.len()));
    }
    Ok(())
}

/// A row as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key, without the partition.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
}

impl Row {
    /// Checks the limits of key and value; the text says which one is broken.
    pub(crate) fn check(&self) -> Result<(), String> {
        check_key(&self.key).and_then(|()| check_value(&self.value))
    }
}

/// The order of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// Why a commit was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Nothing was written: the partition is not at the expected version, or an earlier commit
    /// that this one was pipelined behind failed. Read the version again, then the rows, then
    /// decide anew.
    #[error("someone else committed: the partition is at version {current}")]
    Conflict {
        /// The partition's version when the commit was judged.
        current: Version,
    },
    /// The answer was lost; the writes exist all together or not at all. Read the version to learn
    /// which before trying again.
    #[error("the outcome of the commit is not known")]
    Unknown,
    /// Nothing was written: the store takes no commits now (its queue is full, or it is closed).
    #[error("the store takes no commits now")]
    Unavailable,
    /// Nothing was written: a limit of the contract was broken, as the text says. The same commit
    /// will never succeed.
    #[error("not a valid commit: {0}")]
    Invalid(String),
}

/// Why a read has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What was stored is not what came back: a checksum or a version does not fit. The engine has
    /// logged it; nothing built on this data may go on.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// The store answers no reads now: it is closed, or the device failed as the text says.
    #[error("the store answers no reads now: {0}")]
    Unavailable(String),
    /// A limit of the contract was broken, as the text says.
    #[error("not a valid read: {0}")]
    Invalid(String),
}

/// Ordered rows in partitions; a partition is one entity.
///
/// **Rows.** A row is a key and a value in a partition. Keys order as bytes. Partitions share
/// nothing: a commit or a scan names one, and the same key in two partitions is two rows. A
/// partition exists from its first commit on and keeps its version for ever, also when all its
/// rows are deleted.
///
/// **Commits** of one partition are totally ordered; those of different partitions are not
/// ordered at all, and nothing is atomic across partitions.
///
/// **Reads** never see half a commit. A read that starts after a commit was acknowledged sees it;
/// a read that starts earlier may see a commit before its acknowledgement, but then that commit is
/// already as durable as it asked to be. Within `scan` and `get_many` all rows of one partition
/// are of one moment. A read of something never written is `None`, empty or version 0, not an
/// error.
///
/// **Threads and runtimes.** All methods but [`export`](Store::export) may be called from any
/// thread and any asynchronous runtime, and never block the caller. Dropping a future cancels
/// nothing that would be seen.
pub trait Store: Send + Sync + 'static {
    /// The version of the partition: how many commits it has had.
    ///
    /// An owner that loads a partition reads the version *before* the rows: what slips in between
    /// then shows as a conflict. Reading the version also ends a broken chain of pipelined
    /// commits, see [`commit`](Store::commit).
    fn version<'a>(&'a self, partition: &'a Partition)
    -> BoxFuture<'a, Result<Version, ReadError>>;

    /// The value of one row.
    fn get<'a>(
        &'a self,
        partition: &'a Partition,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>>;

    /// The values of many rows, in the order asked for; the same row may be asked for twice.
    ///
    /// Costs one round trip. The caller bounds the number of keys.
    fn get_many<'a>(
        &'a self,
        rows: &'a [(Partition, Bytes)],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, ReadError>>;

    /// The first `limit` rows of `range` in `direction`.
    ///
    /// The range is half open: `range.start` belongs to it, `range.end` does not, in both
    /// directions. It stays within one row family, else the answer is [`ReadError::Invalid`];
    /// [`Family::range`] and [`family::prefix_end`] make fitting bounds. An empty or inverted
    /// range has no rows. Fewer rows than `limit` mean that there are no more. The caller bounds
    /// `limit`.
    fn scan<'a>(
        &'a self,
        partition: &'a Partition,
        range: Range<&'a [u8]>,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Row>, ReadError>>;

    /// Applies all writes, or none, and answers the partition's new version: `expected` + 1.
    ///
    /// The commit is **queued when this function returns**, in the order of the calls; the future
    /// only awaits the outcome, and dropping it does not undo the commit.
    ///
    /// `Ok` means: durable as [`Commit::durability`] says, and visible to every later read. The
    /// writes of a commit apply in their order, so the last one that names a row decides. What
    /// each error leaves behind is written at [`CommitError`].
    ///
    /// **Pipelining.** Commits at versions v, v+1, v+2, … may be queued without awaiting the ones
    /// before. They apply in order, and when one fails, all that build on it fail with
    /// [`CommitError::Conflict`], even if someone else's commits have meanwhile raised the
    /// partition to the very version that they expect. This chain stays broken until somebody
    /// reads the [`version`](Store::version) of the partition: so after a failure, whoever owns
    /// the partition reads the version again before it queues the next commit. (An uninvolved
    /// commit at just the version where a chain broke may be refused along with it; it reloads as
    /// after every conflict and loses nothing.) Of commits that race for one version never two
    /// succeed, and one does if no chain is broken there.
    ///
    /// **When the queue is full** (engines bound it in bytes) the commit is not queued and the
    /// answer is [`CommitError::Unavailable`] at once: the caller sheds load, nothing waits in a
    /// place that nobody can see.
    fn commit(&self, commit: Commit) -> BoxFuture<'static, Result<Version, CommitError>>;

    /// The first `limit` partitions above `after` that have at least one outbox row, ascending.
    ///
    /// An index of its own: the cost does not grow with the partitions that have none.
    fn pending<'a>(
        &'a self,
        after: Option<&'a Partition>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Partition>, ReadError>>;

    /// Writes everything, as of one moment, as a stream that [`stream`](crate::stream) describes.
    ///
    /// Commits and reads go on meanwhile. This call blocks until all is written: give it a thread
    /// of its own.
    ///
    /// # Errors
    /// When the output fails or stored data is damaged. What was written until then has no trailer
    /// and is refused by every import.
    fn export(&self, output: &mut dyn OutputStream) -> Result<Exported, StreamError>;

    /// Counters since the store was opened.
    fn stats(&self) -> Stats;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_name_is_bounded() {
        assert_eq!(Partition::new(""), Err(InvalidPartition { bytes: 0 }));
        assert!(Partition::new(vec![7; 128]).is_ok());
        assert_eq!(Partition::new(vec![7; 129]), Err(InvalidPartition { bytes: 129 }));
    }

    #[test]
    fn a_partition_prints_readably() {
        let partition = Partition::new(&b"user\x00\xffalice"[..]).expect("a valid name");
        assert_eq!(partition.to_string(), r"user\x00\xffalice");
    }
}
