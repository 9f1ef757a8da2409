//! A store in memory, which can crash.
//!
//! It keeps the whole contract and has no threads, no clock and no randomness, so a simulation
//! that runs on it replays exactly. Nothing is ever on a disk; [`Memory::crash`] and
//! [`Memory::power_cut`] lose what a real engine may lose.
//!
//! In *automatic* mode a commit is applied and acknowledged within the call. In *manual* mode it
//! waits in a queue until [`Memory::sync_next`] lets it through, so that a simulation decides when,
//! and whether, each one becomes durable.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    ops::{Bound, Range},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::oneshot;

use crate::{
    chain::{BrokenChains, Ticket},
    contract::{
        Commit, CommitError, Direction, Durability, Partition, ReadError, Row, Store, Version,
        Write, limits,
    },
    family::{self, Family},
    stats::{CommitLatency, Stats},
    stream::{Element, Exported, StreamError, StreamReader, StreamWriter},
};

/// Relaxed commits that a power cut can take back, at most; older ones count as synced.
const UNSYNCED_MAX: usize = 4096;

/// Bytes of commits that wait in manual mode, at most; beyond, commits are `Unavailable`.
const QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the queue entry of a commit counts beside its keys and values.
const QUEUED_OVERHEAD_BYTES: usize = 256;

/// The in-memory engine.
#[derive(Debug)]
pub struct Memory {
    manual: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    partitions: BTreeMap<Partition, Entity>,
    /// Partitions with outbox rows.
    pending: BTreeSet<Partition>,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    /// How to take back each commit since the last sync, oldest first.
    unsynced: VecDeque<Undo>,
    chains: BrokenChains,
    next_ticket: Ticket,
    unavailable: bool,
    stats: Stats,
}

#[derive(Debug, Default)]
struct Entity {
    version: Version,
    rows: BTreeMap<Bytes, Bytes>,
}

#[derive(Debug)]
struct Queued {
    ticket: Ticket,
    commit: Commit,
    bytes: usize,
    answer: oneshot::Sender<Result<Version, CommitError>>,
}

/// The rows that a commit touched, as they were before, in the order touched.
#[derive(Debug)]
struct Undo {
    partition: Partition,
    before: Vec<(Bytes, Option<Bytes>)>,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

impl Memory {
    /// An empty store in automatic mode.
    #[must_use]
    pub fn new() -> Memory {
        Memory { manual: false, state: Mutex::default() }
    }

    /// An empty store in manual mode.
    #[must_use]
    pub fn manual() -> Memory {
        Memory { manual: true, state: Mutex::default() }
    }

    /// A store in automatic mode with the content of an export stream.
    ///
    /// # Errors
    /// When the stream is cut, altered, or of a newer format.
    pub fn import(input: &mut dyn io::Read) -> Result<Memory, StreamError> {
        let mut reader = StreamReader::new(input)?;
        let mut state = State::default();
        let mut last = None;
        while let Some(element) = reader.next()? {
            match element {
                Element::Partition(partition, version) => {
                    let entity = Entity { version, rows: BTreeMap::new() };
                    state.partitions.insert(partition.clone(), entity);
                    last = Some(partition);
                }
                Element::Row(row) => {
                    let partition = last.as_ref().expect("the reader gives the partition first");
                    if Family::of(&row.key) == Some(Family::Outbox) {
                        state.pending.insert(partition.clone());
                    }
                    let entity = state.partitions.get_mut(partition);
                    entity.expect("inserted above").rows.insert(row.key, row.value);
                }
            }
        }
        Ok(Memory { manual: false, state: Mutex::new(state) })
    }

    /// How many commits wait for [`sync_next`](Memory::sync_next); always 0 in automatic mode.
    #[must_use]
    pub fn pending_commits(&self) -> usize {
        self.lock().queue.len()
    }

    /// Judges, applies and answers the next `count` waiting commits, as one batch: if any of them
    /// is synced, all that was applied so far is. Returns how many there were.
    pub fn sync_next(&self, count: usize) -> usize {
        self.lock().let_through(count, true)
    }

    /// Lets all waiting commits through and syncs relaxed ones, too. Returns how many waited.
    pub fn sync_all(&self) -> usize {
        let mut state = self.lock();
        let count = state.let_through(usize::MAX, true);
        state.unsynced.clear();
        count
    }

    /// The process dies and starts again: waiting commits are dropped, their answers are
    /// [`CommitError::Unknown`]. Acknowledged commits stay, relaxed ones, too.
    pub fn crash(&self) {
        self.crash_after_applying(0);
    }

    /// The process dies between making a batch durable and answering it: the next `count` waiting
    /// commits are applied, the others dropped, and all answers are [`CommitError::Unknown`].
    pub fn crash_after_applying(&self, count: usize) {
        let mut state = self.lock();
        state.let_through(count, false);
        state.forget_callers();
    }

    /// The machine loses power: as [`crash`](Memory::crash), and relaxed commits that no later
    /// synced commit or [`sync_all`](Memory::sync_all) has made durable are gone.
    pub fn power_cut(&self) {
        let mut state = self.lock();
        state.forget_callers();
        while let Some(undo) = state.unsynced.pop_back() {
            state.take_back(undo);
        }
    }

    /// While `true`, commits and reads are answered with `Unavailable`; what already waits stays.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.lock().unavailable = unavailable;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held is a broken invariant of ours; the test that sees it
        // fails anyway and should show the first panic, not this one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&mut State) -> Result<T, ReadError>,
    ) -> BoxFuture<'static, Result<T, ReadError>>
    where
        T: Send + 'static,
    {
        let mut state = self.lock();
        state.stats.reads += 1;
        let answer = if state.unavailable {
            Err(ReadError::Unavailable("switched off".to_owned()))
        } else {
            read(&mut state)
        };
        std::future::ready(answer).boxed()
    }
}

impl State {
    /// Queues a commit, or says why not.
    fn enqueue(
        &mut self,
        commit: Commit,
    ) -> Result<oneshot::Receiver<Result<Version, CommitError>>, CommitError> {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        let bytes = commit.bytes() + QUEUED_OVERHEAD_BYTES;
        let refusal = match commit.check() {
            Err(problem) => Some(CommitError::Invalid(problem)),
            Ok(()) if self.unavailable || self.queued_bytes + bytes > QUEUED_BYTES_MAX => {
                self.stats.refused += 1;
                Some(CommitError::Unavailable)
            }
            Ok(()) => None,
        };
        if let Some(refusal) = refusal {
            self.chains.fail(&commit.partition, commit.expected, ticket);
            return Err(refusal);
        }
        let (answer, outcome) = oneshot::channel();
        self.queued_bytes += bytes;
        self.queue.push_back(Queued { ticket, commit, bytes, answer });
        Ok(outcome)
    }

    fn let_through(&mut self, count: usize, answer: bool) -> usize {
        let count = count.min(self.queue.len());
        let commits_before = self.stats.commits;
        let mut synced = false;
        for _ in 0..count {
            let Some(queued) = self.queue.pop_front() else { break };
            self.queued_bytes -= queued.bytes;
            let asked_for = queued.commit.durability;
            let outcome = self.judge(queued.ticket, queued.commit);
            synced |= asked_for == Durability::Synced && outcome.is_ok();
            let outcome = if answer { outcome } else { Err(CommitError::Unknown) };
            // A caller that dropped its future does not want to know.
            let _ = queued.answer.send(outcome);
        }
        if synced {
            self.unsynced.clear();
        }
        self.stats.syncs += u64::from(synced);
        self.stats.batches += u64::from(self.stats.commits > commits_before);
        count
    }

    fn judge(&mut self, ticket: Ticket, commit: Commit) -> Result<Version, CommitError> {
        let current = self.version(&commit.partition);
        let broken = self.chains.refuses(&commit.partition, commit.expected, ticket);
        if broken || commit.expected != current {
            if !broken {
                self.chains.fail(&commit.partition, commit.expected, ticket);
            }
            self.stats.conflicts += 1;
            return Err(CommitError::Conflict { current });
        }
        if let Err(problem) = self.check_range_rows(&commit) {
            self.chains.fail(&commit.partition, commit.expected, ticket);
            return Err(CommitError::Invalid(problem));
        }
        Ok(self.apply(commit))
    }

    fn check_range_rows(&self, commit: &Commit) -> Result<(), String> {
        let Some(entity) = self.partitions.get(&commit.partition) else { return Ok(()) };
        let rows: usize = commit
            .writes
            .iter()
            .map(|write| match write {
                Write::DeleteRange { from, to } => entity.range(from, to).count(),
                Write::Put { .. } | Write::Delete { .. } => 0,
            })
            .sum();
        if rows > limits::RANGE_ROWS_MAX {
            return Err(format!(
                "the range deletes hold {rows} rows, more than {}",
                limits::RANGE_ROWS_MAX
            ));
        }
        Ok(())
    }

    fn apply(&mut self, commit: Commit) -> Version {
        self.stats.commits += 1;
        self.stats.bytes += commit.bytes() as u64;
        let entity = self.partitions.entry(commit.partition.clone()).or_default();
        let mut before = Vec::new();
        for write in commit.writes {
            match write {
                Write::Put { key, value } => {
                    let old = entity.rows.insert(key.clone(), value);
                    before.push((key, old));
                }
                Write::Delete { key } => {
                    let old = entity.rows.remove(&key);
                    before.push((key, old));
                }
                Write::DeleteRange { from, to } => {
                    let keys: Vec<Bytes> =
                        entity.range(&from, &to).map(|(key, _)| key.clone()).collect();
                    for key in keys {
                        let old = entity.rows.remove(&key);
                        before.push((key, old));
                    }
                }
            }
        }
        entity.version = entity.version.next();
        let version = entity.version;
        self.index_outbox(&commit.partition);
        // The batch may yet turn out to be a synced one; that clears this again.
        self.unsynced.push_back(Undo { partition: commit.partition, before });
        if self.unsynced.len() > UNSYNCED_MAX {
            self.unsynced.pop_front();
        }
        self.stats.latency.record(std::time::Duration::ZERO);
        version
    }

    fn take_back(&mut self, undo: Undo) {
        let entity = self.partitions.get_mut(&undo.partition).expect("it was committed to");
        for (key, old) in undo.before.into_iter().rev() {
            match old {
                Some(value) => entity.rows.insert(key, value),
                None => entity.rows.remove(&key),
            };
        }
        entity.version = Version(entity.version.0 - 1);
        if entity.version == Version::NONE {
            self.partitions.remove(&undo.partition);
        }
        self.index_outbox(&undo.partition);
    }

    fn index_outbox(&mut self, partition: &Partition) {
        let outbox = Family::Outbox.range();
        let entity = self.partitions.get(partition);
        if entity.is_some_and(|entity| entity.range(outbox.start, outbox.end).next().is_some()) {
            self.pending.insert(partition.clone());
        } else {
            self.pending.remove(partition);
        }
    }

    fn forget_callers(&mut self) {
        for queued in self.queue.drain(..) {
            let _ = queued.answer.send(Err(CommitError::Unknown));
        }
        self.queued_bytes = 0;
        self.chains.clear();
    }

    fn version(&self, partition: &Partition) -> Version {
        self.partitions.get(partition).map_or(Version::NONE, |entity| entity.version)
    }

    fn get(&self, partition: &Partition, key: &[u8]) -> Option<Bytes> {
        self.partitions.get(partition)?.rows.get(key).cloned()
    }
}

impl Entity {
    /// The rows of a half-open range; none when it is inverted.
    fn range(
        &self,
        from: &[u8],
        to: &[u8],
    ) -> impl DoubleEndedIterator<Item = (&Bytes, &Bytes)> + use<'_> {
        let to = to.max(from);
        self.rows.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
    }
}

impl Store for Memory {
    fn version<'a>(
        &'a self,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Version, ReadError>> {
        self.read(|state| {
            let judged = state.queue.front().map_or(state.next_ticket, |next| next.ticket - 1);
            state.chains.reload(partition, state.next_ticket + 1, judged);
            Ok(state.version(partition))
        })
    }

    fn get<'a>(
        &'a self,
        partition: &'a Partition,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        self.read(|state| Ok(state.get(partition, key)))
    }

    fn get_many<'a>(
        &'a self,
        rows: &'a [(Partition, Bytes)],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, ReadError>> {
        self.read(|state| {
            Ok(rows.iter().map(|(partition, key)| state.get(partition, key)).collect())
        })
    }

    fn scan<'a>(
        &'a self,
        partition: &'a Partition,
        range: Range<&'a [u8]>,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Row>, ReadError>> {
        self.read(|state| {
            family::check_range(range.start, range.end).map_err(ReadError::Invalid)?;
            let Some(entity) = state.partitions.get(partition) else { return Ok(Vec::new()) };
            let found = entity.range(range.start, range.end);
            let row =
                |(key, value): (&Bytes, &Bytes)| Row { key: key.clone(), value: value.clone() };
            Ok(match direction {
                Direction::Ascending => found.take(limit).map(row).collect(),
                Direction::Descending => found.rev().take(limit).map(row).collect(),
            })
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'static, Result<Version, CommitError>> {
        let mut state = self.lock();
        let queued = state.enqueue(commit);
        if !self.manual {
            state.let_through(usize::MAX, true);
        }
        drop(state);
        match queued {
            // The sender lives in the queue until it has answered or the store is dropped.
            Ok(outcome) => {
                outcome.map(|outcome| outcome.unwrap_or(Err(CommitError::Unknown))).boxed()
            }
            Err(refusal) => std::future::ready(Err(refusal)).boxed(),
        }
    }

    fn pending<'a>(
        &'a self,
        after: Option<&'a Partition>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Partition>, ReadError>> {
        self.read(|state| {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let above = state.pending.range((from, Bound::Unbounded));
            Ok(above.take(limit).cloned().collect())
        })
    }

    /// Commits wait until the export is written: here, "one moment" is a lock.
    fn export(&self, output: &mut dyn io::Write) -> Result<Exported, StreamError> {
        let state = self.lock();
        let mut writer = StreamWriter::new(output)?;
        for (partition, entity) in &state.partitions {
            writer.partition(partition, entity.version)?;
            for (key, value) in &entity.rows {
                writer.row(key, value)?;
            }
        }
        writer.finish()
    }

    /// There is no clock here: all latencies count as zero.
    fn stats(&self) -> Stats {
        let state = self.lock();
        Stats {
            queued_commits: state.queue.len() as u64,
            queued_bytes: state.queued_bytes as u64,
            latency: CommitLatency::clone(&state.stats.latency),
            ..state.stats.clone()
        }
    }
}

#[cfg(test)]
mod tests;
