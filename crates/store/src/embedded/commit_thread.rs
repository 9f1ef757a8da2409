//! The one thread that writes.
//!
//! It takes what waits, judges each commit against the version of its partition, writes all that
//! pass as one batch with one sync, publishes, and answers in order. There is no timer that
//! gathers commits: while one sync is in flight the next batch gathers by itself.
//!
//! An error of the device while writing is the end of the process: what the kernel still holds of
//! unsynced data is unknown after a failed sync, so nothing may be acknowledged on top of it.
//! After a restart the journal says what is durable.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fjall::PersistMode;

use super::{
    Shared,
    directory::CommitIdFile,
    engine::{Engine, View},
    layout,
    queue::{Queued, Taken},
};
use crate::{
    contract::{Commit, CommitError, Durability, Partition, ReadError, Version, Write, limits},
    family::Family,
};

/// How long a relaxed commit may stay unsynced.
const RELAXED_SYNC_AFTER: Duration = Duration::from_secs(1);

/// How often the id of the last durable batch is noted beside the database.
const NOTE_EVERY: Duration = Duration::from_secs(5);

/// What the commit thread owns.
pub(super) struct CommitThread {
    shared: Arc<Shared>,
    engine: Engine,
    id_file: CommitIdFile,
    /// The id of the last batch.
    commit_id: u64,
    /// The last batch that is certainly durable.
    synced_id: u64,
    /// The last batch that the file beside the database names, and since when.
    noted_id: u64,
    noted_at: Instant,
    /// Since when something is written but not synced.
    unsynced_since: Option<Instant>,
}

impl CommitThread {
    pub(super) fn new(
        shared: Arc<Shared>,
        engine: Engine,
        id_file: CommitIdFile,
        commit_id: u64,
    ) -> CommitThread {
        CommitThread {
            shared,
            engine,
            id_file,
            commit_id,
            // Recovery has synced the journal that it read the id from.
            synced_id: commit_id,
            noted_id: commit_id,
            noted_at: Instant::now(),
            unsynced_since: None,
        }
    }

    /// Works until the queue is closed and empty, then syncs everything.
    pub(super) fn run(mut self) {
        let _guard = AbortOnPanic;
        loop {
            match self.shared.queue.take(self.deadline()) {
                Taken::Batch(batch) => self.write(batch),
                // Nothing is written for a while: what the database has cleaned up since may go.
                Taken::Nothing => self.engine.show(),
                Taken::Closed => break,
            }
            self.housekeep(Instant::now());
        }
        self.sync();
        self.note();
    }

    fn deadline(&self) -> Option<Instant> {
        let sync = self.unsynced_since.map(|since| since + RELAXED_SYNC_AFTER);
        let note = (self.noted_id < self.synced_id).then(|| self.noted_at + NOTE_EVERY);
        sync.into_iter().chain(note).min()
    }

    fn housekeep(&mut self, now: Instant) {
        if self.unsynced_since.is_some_and(|since| now >= since + RELAXED_SYNC_AFTER) {
            self.sync();
        }
        if self.noted_id < self.synced_id && now >= self.noted_at + NOTE_EVERY {
            self.note();
        }
    }

    fn sync(&mut self) {
        if self.unsynced_since.take().is_some() {
            let synced = self.engine.database().persist(PersistMode::SyncData);
            synced.unwrap_or_else(|error| fatal("syncing relaxed commits", &error));
            self.synced_id = self.commit_id;
            self.shared.count(|stats| stats.syncs += 1);
        }
    }

    fn note(&mut self) {
        if self.noted_id < self.synced_id {
            let noted = self.id_file.write(self.synced_id);
            noted.unwrap_or_else(|error| fatal("noting the last commit id", &error));
            self.noted_id = self.synced_id;
        }
        self.noted_at = Instant::now();
    }

    /// Judges, writes and answers one batch.
    fn write(&mut self, taken: Vec<Queued>) {
        let shared = Arc::clone(&self.shared);
        let engine = self.engine.clone();
        let mut batch = Batch::new(engine.view(), &shared);
        let mut accepted = Vec::with_capacity(taken.len());
        for queued in taken {
            match batch.add(&queued) {
                Ok(version) => accepted.push((queued, version)),
                Err(refusal) => {
                    let conflict = matches!(refusal, CommitError::Conflict { .. });
                    shared.count(|stats| stats.conflicts += u64::from(conflict));
                    // A caller that dropped its future does not want to know.
                    let _ = queued.answer.send(Err(refusal));
                }
            }
        }
        if accepted.is_empty() {
            return;
        }
        let Batch { heads, rows, .. } = batch;
        let synced =
            accepted.iter().any(|(queued, _)| queued.commit.durability == Durability::Synced);
        self.store(&heads, rows, synced);
        shared.versions.publish(heads);
        acknowledge(&shared, accepted, synced);
    }

    fn store(&mut self, heads: &HashMap<Partition, Version>, rows: Rows, synced: bool) {
        let engine = &self.engine;
        let mut batch = engine.database().batch();
        for ((family, stored), row) in rows {
            let keyspace = engine.keyspace(family);
            match row {
                Some((version, value)) => {
                    let sealed = layout::seal(&stored, version, &value);
                    batch.insert(keyspace, stored, sealed);
                }
                None => batch.remove(keyspace, stored),
            }
        }
        for (partition, version) in heads {
            let key = layout::version_key(partition);
            let sealed = layout::seal(&key, *version, b"");
            batch.insert(engine.meta(), key, sealed);
        }
        self.commit_id += 1;
        let id = layout::seal(layout::COMMIT_ID_KEY, Version(self.commit_id), b"");
        batch.insert(engine.meta(), layout::COMMIT_ID_KEY, id);
        // Without a mode the batch could stay in a buffer of this process.
        let mode = if synced { PersistMode::SyncData } else { PersistMode::Buffer };
        let stored = batch.durability(Some(mode)).commit();
        stored.unwrap_or_else(|error| fatal("writing a batch of commits", &error));
        self.engine.show();
        if synced {
            self.synced_id = self.commit_id;
            self.unsynced_since = None;
        } else {
            self.unsynced_since.get_or_insert_with(Instant::now);
        }
    }
}

fn acknowledge(shared: &Shared, accepted: Vec<(Queued, Version)>, synced: bool) {
    shared.count(|stats| {
        stats.batches += 1;
        stats.syncs += u64::from(synced);
        stats.commits += accepted.len() as u64;
        for (queued, _) in &accepted {
            stats.bytes += queued.commit.bytes() as u64;
            stats.latency.record(queued.since.elapsed());
        }
    });
    for (queued, version) in accepted {
        let _ = queued.answer.send(Ok(version));
    }
}

/// A row of a batch: its family and its stored key.
type RowKey = (Family, Vec<u8>);

/// The rows of a batch as they will be, `None` for deleted ones.
type Rows = BTreeMap<RowKey, Option<(Version, Bytes)>>;

/// Why a commit cannot be laid over the batch.
enum Refusal {
    /// It breaks this limit of the contract.
    Limit(String),
    /// What must be known to judge it cannot be read.
    Read(ReadError),
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Refusal {
        Refusal::Read(error)
    }
}

/// The commits of one batch laid over what is stored.
///
/// All items of a batch get the same sequence number in the database, so each row may occur in it
/// only once: the last write of the last commit decides.
struct Batch<'a> {
    view: View<'a>,
    shared: &'a Shared,
    /// The new version of each partition in the batch.
    heads: HashMap<Partition, Version>,
    rows: Rows,
}

impl<'a> Batch<'a> {
    fn new(view: View<'a>, shared: &'a Shared) -> Batch<'a> {
        Batch { view, shared, heads: HashMap::new(), rows: Rows::new() }
    }

    /// Judges a commit and lays it over those before it; answers the partition's new version.
    fn add(&mut self, queued: &Queued) -> Result<Version, CommitError> {
        let commit = &queued.commit;
        let current =
            self.current(&commit.partition).map_err(|error| self.refuse(queued, error.into()))?;
        self.shared.queue.judge(queued, current)?;
        let covered = self.range_deleted(commit).map_err(|refusal| self.refuse(queued, refusal))?;
        let version = current.next();
        self.lay(commit, version, covered);
        self.heads.insert(commit.partition.clone(), version);
        Ok(version)
    }

    fn refuse(&self, queued: &Queued, refusal: Refusal) -> CommitError {
        self.shared.queue.fail(queued);
        match refusal {
            Refusal::Limit(problem) => CommitError::Invalid(problem),
            Refusal::Read(error) => {
                let partition = &queued.commit.partition;
                tracing::error!(%partition, %error, "a commit could not be judged");
                CommitError::Unavailable
            }
        }
    }

    fn current(&self, partition: &Partition) -> Result<Version, ReadError> {
        let known = self.heads.get(partition).copied();
        match known.or_else(|| self.shared.versions.get(partition)) {
            Some(version) => Ok(version),
            None => self.view.version(partition),
        }
    }

    /// The rows on disk that each range delete of the commit covers, in the order of the deletes.
    fn range_deleted(&self, commit: &Commit) -> Result<Vec<Vec<RowKey>>, Refusal> {
        let mut left = limits::RANGE_ROWS_MAX;
        let mut covered = Vec::new();
        for write in &commit.writes {
            let Write::DeleteRange { from, to } = write else { continue };
            let Some((first, end)) = stored_range(commit, from, to) else {
                covered.push(Vec::new());
                continue;
            };
            let (mut added, mut removed) = (0, HashSet::new());
            for ((_, key), row) in self.rows.range(first.clone()..end.clone()) {
                match row {
                    Some(_) => {
                        added += 1;
                        removed.insert(key);
                    }
                    None => drop(removed.insert(key)),
                }
            }
            // Rows that the batch touches are counted as the batch leaves them.
            let most = left + 1 + removed.len();
            let on_disk = self.view.stored_keys(first.0, &first.1..&end.1, most)?;
            let untouched = on_disk.iter().filter(|key| !removed.contains(key)).count();
            left = left.checked_sub(untouched + added).ok_or_else(|| {
                let most = limits::RANGE_ROWS_MAX;
                Refusal::Limit(format!("the range deletes hold more than {most} rows"))
            })?;
            covered.push(on_disk.into_iter().map(|key| (first.0, key)).collect());
        }
        Ok(covered)
    }

    fn lay(&mut self, commit: &Commit, version: Version, covered: Vec<Vec<RowKey>>) {
        let mut covered = covered.into_iter();
        for write in &commit.writes {
            match write {
                Write::Put { key, value } => {
                    self.rows.insert(row(commit, key), Some((version, value.clone())));
                }
                Write::Delete { key } => {
                    self.rows.insert(row(commit, key), None);
                }
                Write::DeleteRange { from, to } => {
                    let on_disk = covered.next().unwrap_or_default();
                    self.rows.extend(on_disk.into_iter().map(|key| (key, None)));
                    if let Some((first, end)) = stored_range(commit, from, to) {
                        self.rows.range_mut(first..end).for_each(|(_, row)| *row = None);
                    }
                }
            }
        }
    }
}

fn row(commit: &Commit, key: &[u8]) -> RowKey {
    let family = Family::of(key).expect("the queue takes no commit without a valid key");
    (family, layout::row_key(&commit.partition, key))
}

/// The bounds of a range delete; `None` when it is empty.
fn stored_range(commit: &Commit, from: &[u8], to: &[u8]) -> Option<(RowKey, RowKey)> {
    if from >= to {
        return None;
    }
    let (family, first) = row(commit, from);
    Some(((family, first), (family, layout::row_key(&commit.partition, to))))
}

/// Ends the process: nothing may be acknowledged any more.
fn fatal(what: &str, error: &dyn std::error::Error) -> ! {
    tracing::error!(
        %error,
        "{what} failed: the process ends now, so that nothing is acknowledged that may be lost; \
         start it again when the device is well, the store recovers what is durable"
    );
    std::process::abort()
}

/// A panic of the commit thread would leave its callers waiting for ever.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the commit thread panicked: the process ends now");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::{Options, directory::Directory, queue::CommitQueue};

    /// A commit thread that is driven by hand.
    fn at_rest(root: &std::path::Path) -> (Directory, CommitThread) {
        let directory = Directory::lock(root).expect("a lock");
        let engine = Engine::open(&root.join("engine"), &Options::default()).expect("it opens");
        let shared = Shared {
            queue: CommitQueue::new(1_000_000),
            versions: super::super::VersionTable::new(10),
            stats: std::sync::Mutex::default(),
        };
        let id_file = directory.commit_id_file();
        (directory, CommitThread::new(Arc::new(shared), engine, id_file, 0))
    }

    fn commit(thread: &mut CommitThread, expected: u64, durability: Durability) {
        let put = Write::Put { key: Bytes::from_static(&[2]), value: Bytes::new() };
        let partition = Partition::new("p").expect("a valid name");
        let commit =
            Commit { partition, expected: Version(expected), writes: vec![put], durability };
        let mut outcome = thread.shared.queue.push(commit).expect("it is queued");
        let Taken::Batch(batch) = thread.shared.queue.take(None) else { panic!("nothing waits") };
        thread.write(batch);
        assert_eq!(outcome.try_recv(), Ok(Ok(Version(expected + 1))));
    }

    fn syncs(thread: &CommitThread) -> u64 {
        thread.shared.stats.lock().expect("not poisoned").syncs
    }

    #[test]
    fn a_relaxed_commit_is_synced_within_a_second() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let (_directory, mut thread) = at_rest(root.path());
        assert_eq!(thread.deadline(), None, "nothing to do, nothing to wake up for");
        commit(&mut thread, 0, Durability::Relaxed);
        commit(&mut thread, 1, Durability::Relaxed);
        assert_eq!((syncs(&thread), thread.synced_id), (0, 0));
        let since = thread.unsynced_since.expect("it is not synced");
        let due = since + Duration::from_secs(1);
        assert_eq!(thread.deadline(), Some(due));
        thread.housekeep(due - Duration::from_millis(1));
        assert_eq!(syncs(&thread), 0);
        thread.housekeep(due);
        assert_eq!((syncs(&thread), thread.synced_id, thread.unsynced_since), (1, 2, None));
    }

    #[test]
    fn a_synced_commit_syncs_the_relaxed_ones_before_it() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let (_directory, mut thread) = at_rest(root.path());
        commit(&mut thread, 0, Durability::Relaxed);
        commit(&mut thread, 1, Durability::Synced);
        assert_eq!((syncs(&thread), thread.synced_id, thread.unsynced_since), (1, 2, None));
    }

    #[test]
    fn only_what_is_durable_is_noted() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let (directory, mut thread) = at_rest(root.path());
        commit(&mut thread, 0, Durability::Synced);
        commit(&mut thread, 1, Durability::Relaxed);
        let due = thread.noted_at + Duration::from_secs(5);
        thread.housekeep(due - Duration::from_millis(1));
        let relaxed_is_synced = thread.synced_id == 2;
        assert_eq!(directory.last_commit().expect("readable"), None);
        thread.housekeep(due);
        assert!(relaxed_is_synced, "five seconds are more than one");
        assert_eq!(directory.last_commit().expect("readable"), Some(2));
        assert_eq!(thread.deadline(), None);
        commit(&mut thread, 2, Durability::Relaxed);
        thread.note();
        assert_eq!(directory.last_commit().expect("readable"), Some(2), "batch 3 may be lost yet");
    }
}
