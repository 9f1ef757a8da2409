//! One owner per entity, versions for safety.
//!
//! An [`Entity`] caches the state of one partition. A change is short and synchronous under the
//! entity's lock: check the rules, apply to the cached state, queue the commit. The commit is awaited
//! outside the lock, so a busy entity has many commits in flight; events are published in commit
//! order, each after its own commit is durable.
//!
//! **Invariant:** nobody awaits, and nobody takes another entity's lock, inside a change. Publishing
//! under the lock only appends to bounded queues.
//!
//! When a commit fails (someone else committed, or its outcome is unknown) the cached state can no
//! longer be trusted: the entity is broken, its cache slot is emptied, and the next caller loads what
//! the store really holds.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::ops::DerefMut;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use teahouse_store::{Commit, CommitError, Durability, Partition, ReadError, Version, Write};
use tokio::sync::{Notify, OnceCell};

use crate::error::{Failure, Outcome};
use crate::event::Event;
use crate::hook;
use crate::node::Node;
use crate::rows::{Home, HookRow, Job, JobRow, key};

/// The cached state of one kind of entity.
pub(crate) trait State: Sized + Send + 'static {
    /// Reads the state of `home` as the store holds it; an entity that was never committed is
    /// a state too (a missing one).
    fn load<'a>(
        node: &'a Node,
        home: &'a Home,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Self, ReadError>>;
}

/// What one change wants to write and to tell.
#[derive(Default)]
pub(crate) struct Change {
    writes: Vec<Write>,
    events: Vec<Event>,
    jobs: bool,
    relaxed: bool,
}

impl Change {
    /// Writes a row.
    pub(crate) fn put(&mut self, key: Bytes, row: &impl prost::Message) {
        self.writes.push(Write::Put { key, value: Bytes::from(row.encode_to_vec()) });
    }

    /// Removes a row.
    pub(crate) fn delete(&mut self, key: Bytes) {
        self.writes.push(Write::Delete { key });
    }

    /// Removes the rows from `from` (inclusive) to `to` (exclusive).
    pub(crate) fn delete_range(&mut self, (from, to): (Bytes, Bytes)) {
        self.writes.push(Write::DeleteRange { from, to });
    }

    /// Writes also what `other` writes, behind it.
    pub(crate) fn take(&mut self, other: Self) {
        self.writes.extend(other.writes);
        self.events.extend(other.events);
        self.jobs |= other.jobs;
        self.relaxed |= other.relaxed;
    }

    /// Something that must follow in other entities: carried out after this commit, at least once.
    pub(crate) fn job(&mut self, node: &Node, job: Job) {
        self.put(key::job(node.next_id()), &JobRow { job: Some(job) });
        self.jobs = true;
    }

    /// Tells `event` to all consumers once the change is durable.
    pub(crate) fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// A power cut may lose this change (it will be repeated or is not worth a sync).
    pub(crate) fn relaxed(&mut self) {
        self.relaxed = true;
    }
}

/// One entity: a partition, its cached state, and its commits in flight.
pub(crate) struct Entity<S> {
    home: Home,
    partition: Partition,
    inner: Mutex<Inner<S>>,
    settled: Notify,
}

struct Inner<S> {
    state: S,
    /// Of the partition once all queued commits are through.
    version: Version,
    /// The next change's ticket.
    next: u64,
    /// Changes below this ticket are durable and published.
    settled: u64,
    in_flight: VecDeque<InFlight>,
    /// The first change whose commit failed: nothing from there on can be trusted, the entity is broken.
    failed: Option<u64>,
}

struct InFlight {
    durable: bool,
    events: Vec<Event>,
    /// What webhooks tell of them, if no commit holds that.
    told: Vec<HookRow>,
}

/// A queued change: await it outside the lock.
enum Queued {
    /// Its own commit.
    Commit { ticket: u64, commit: BoxFuture<'static, Result<Version, CommitError>>, jobs: bool },
    /// Nothing to write, but what it saw may not be durable yet.
    After { ticket: u64 },
}

impl<S: State> Entity<S> {
    async fn load(node: &Node, home: Home) -> Result<Arc<Self>, ReadError> {
        let partition = home.partition();
        // The version is read first: a commit between the two reads makes ours conflict, never pass.
        let version = node.store().version(&partition).await?;
        let state = S::load(node, &home, &partition).await?;
        let inner =
            Inner { state, version, next: 0, settled: 0, in_flight: VecDeque::new(), failed: None };
        Ok(Arc::new(Self { home, partition, inner: Mutex::new(inner), settled: Notify::new() }))
    }

    pub(crate) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Looks at the state, which may be ahead of the disk by the commits in flight.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(&self.lock().state)
    }

    /// Changes only what lives in memory; nothing is committed.
    pub(crate) fn touch<R>(&self, change: impl FnOnce(&mut S) -> R) -> R {
        change(&mut self.lock().state)
    }

    /// For reading a part of the state that is not always in memory: waits until no commit is in flight
    /// and returns the version that a read from now on sees, at least.
    pub(crate) async fn settled_version(&self) -> Outcome<Version> {
        let (ticket, version) = {
            let inner = self.lock();
            (inner.next, inner.version)
        };
        self.wait_until_settled(ticket).await?;
        Ok(version)
    }

    /// Takes what was read into use unless a commit was queued since `version`; says whether it did.
    pub(crate) fn set_at(&self, version: Version, set: impl FnOnce(&mut S)) -> bool {
        let mut inner = self.lock();
        let current = inner.version == version;
        if current {
            set(&mut inner.state);
        }
        current
    }

    /// Applies `change` and returns when it is durable and published. A change that writes nothing
    /// returns when everything it could see is durable.
    async fn change<R>(
        &self,
        node: &Arc<Node>,
        change: impl FnOnce(&mut S, &mut Change) -> Outcome<R>,
    ) -> Outcome<R> {
        let (result, queued) = self.queue(node, change)?;
        match queued {
            Queued::Commit { ticket, commit, jobs } => {
                let outcome = commit.await;
                self.settle(node, ticket, &outcome);
                outcome.map_err(Failure::Commit)?;
                // Its answer may be noticed before that of an earlier change, which is published first.
                self.wait_until_settled(ticket + 1).await?;
                if jobs {
                    node.run_jobs_soon(self.home.clone());
                }
            }
            Queued::After { ticket } => self.wait_until_settled(ticket).await?,
        }
        Ok(result)
    }

    /// The synchronous part: from the rules to the queued commit.
    fn queue<R>(
        &self,
        node: &Node,
        change: impl FnOnce(&mut S, &mut Change) -> Outcome<R>,
    ) -> Outcome<(R, Queued)> {
        let mut guard = self.lock();
        let inner = guard.deref_mut();
        if inner.failed.is_some() {
            return Err(Failure::Commit(CommitError::Conflict { current: inner.version }));
        }
        let mut wanted = Change::default();
        let result = change(&mut inner.state, &mut wanted)?;
        let told = hook::rows(node, &wanted.events);
        if wanted.writes.is_empty() {
            // An event without a row (an online-only message) still keeps its place in the order.
            if !wanted.events.is_empty() {
                let events = wanted.events;
                inner.in_flight.push_back(InFlight { durable: true, events, told });
                inner.next += 1;
                inner.publish_settled(node);
                self.settled.notify_waiters();
            }
            return Ok((result, Queued::After { ticket: inner.next }));
        }
        // What webhooks tell is written with what it is about.
        told.into_iter().for_each(|told| wanted.job(node, Job::Tell(told)));
        let commit = node.store().commit(Commit {
            partition: self.partition.clone(),
            expected: inner.version,
            writes: wanted.writes,
            durability: if wanted.relaxed { Durability::Relaxed } else { Durability::Synced },
        });
        inner.version = Version(inner.version.0 + 1);
        let events = wanted.events;
        inner.in_flight.push_back(InFlight { durable: false, events, told: Vec::new() });
        let ticket = inner.next;
        inner.next += 1;
        Ok((result, Queued::Commit { ticket, commit, jobs: wanted.jobs }))
    }

    fn settle(&self, node: &Node, ticket: u64, outcome: &Result<Version, CommitError>) {
        let mut inner = self.lock();
        match outcome {
            // Published as soon as all before it are. If one of those failed that is never: whoever loads
            // the entity again finds both or neither, and clients repair what they miss by pulling.
            Ok(_) => {
                let place = usize::try_from(ticket - inner.settled).expect("in flight");
                inner.in_flight[place].durable = true;
                inner.publish_settled(node);
            }
            Err(_) => inner.failed = Some(inner.failed.map_or(ticket, |first| first.min(ticket))),
        }
        drop(inner);
        self.settled.notify_waiters();
    }

    async fn wait_until_settled(&self, ticket: u64) -> Outcome<()> {
        loop {
            let mut notified = pin!(self.settled.notified());
            notified.as_mut().enable();
            {
                let inner = self.lock();
                if inner.settled >= ticket {
                    return Ok(());
                }
                if inner.failed.is_some_and(|failed| failed < ticket) {
                    return Err(Failure::Commit(CommitError::Unknown));
                }
            }
            notified.await;
        }
    }

    /// A change that panicked leaves a state that nobody can trust: the entity is broken, too.
    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock().unwrap_or_else(|poisoned| {
            let mut inner = poisoned.into_inner();
            let next = inner.next;
            inner.failed.get_or_insert(next);
            inner
        })
    }

    /// Nothing is on its way to the disk, and all that is there is published.
    pub(crate) fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.in_flight.is_empty()
    }
}

impl<S> Inner<S> {
    /// Publishes the durable changes at the front, in order.
    fn publish_settled(&mut self, node: &Node) {
        while self.in_flight.front().is_some_and(|change| change.durable) {
            let change = self.in_flight.pop_front().expect("just seen");
            self.settled += 1;
            for event in &change.events {
                node.publish_stored(event);
            }
            if let Some(event) = change.events.first() {
                hook::gather(node, event.app(), change.told);
            }
        }
    }
}

/// Entities of one kind that are in memory. Loads each at most once at a time; when there are more
/// than `capacity`, those that nobody uses are dropped, oldest first.
pub(crate) struct Cache<K, S> {
    shards: Box<[Mutex<Shard<K, S>>]>,
    capacity_per_shard: usize,
}

type Slot<S> = Arc<OnceCell<Arc<Entity<S>>>>;

struct Shard<K, S> {
    slots: HashMap<K, Slot<S>>,
    by_age: VecDeque<K>,
}

const SHARDS: usize = 64;
/// How many old slots an insertion looks at; more than one, so that a full cache shrinks again.
const EVICTION_STEPS: usize = 4;

impl<K: Clone + Eq + Hash, S: State> Cache<K, S> {
    pub(crate) fn new(capacity: usize) -> Self {
        let shard = || Mutex::new(Shard { slots: HashMap::new(), by_age: VecDeque::new() });
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            capacity_per_shard: capacity.div_ceil(SHARDS).max(1),
        }
    }

    /// The entity under `key`, loaded if need be from `home`.
    pub(crate) async fn get(
        &self,
        node: &Node,
        key: &K,
        home: impl FnOnce() -> Home,
    ) -> Outcome<Arc<Entity<S>>> {
        let slot = self.slot(key);
        if let Some(entity) = slot.get() {
            return Ok(entity.clone());
        }
        let entity = slot.get_or_try_init(|| Entity::load(node, home())).await?;
        Ok(entity.clone())
    }

    /// The entity under `key` if it is in memory.
    pub(crate) fn peek(&self, key: &K) -> Option<Arc<Entity<S>>> {
        self.shard(key).slots.get(key)?.get().cloned()
    }

    /// Changes the entity under `key`. When another node was faster, loads it again and repeats:
    /// `change` must not keep anything from a run before. (Changes that were pipelined may then be
    /// repeated in another order than they were queued in.)
    pub(crate) async fn change<R>(
        &self,
        node: &Arc<Node>,
        key: &K,
        home: impl Fn() -> Home,
        mut change: impl FnMut(&mut S, &mut Change) -> Outcome<R>,
    ) -> Outcome<R> {
        const ATTEMPTS: usize = 4;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let entity = self.get(node, key, &home).await?;
            let outcome = entity.change(node, &mut change).await;
            match &outcome {
                Err(Failure::Commit(CommitError::Conflict { .. })) => {
                    self.forget(key, &entity);
                    if attempt < ATTEMPTS {
                        continue;
                    }
                }
                Err(Failure::Commit(_)) => self.forget(key, &entity),
                _ => {}
            }
            return outcome;
        }
    }

    /// How many entities are in memory.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).slots.len()).sum()
    }

    fn forget(&self, key: &K, entity: &Arc<Entity<S>>) {
        let mut shard = self.shard(key);
        let same = |slot: &Slot<S>| slot.get().is_some_and(|cached| Arc::ptr_eq(cached, entity));
        if let Some(slot) = shard.slots.get_mut(key).filter(|slot| same(slot)) {
            // The key keeps its place among the ages.
            *slot = Slot::default();
        }
    }

    fn slot(&self, key: &K) -> Slot<S> {
        let mut shard = self.shard(key);
        if let Some(slot) = shard.slots.get(key) {
            return slot.clone();
        }
        if shard.slots.len() >= self.capacity_per_shard {
            shard.evict();
        }
        let slot = Slot::default();
        shard.slots.insert(key.clone(), slot.clone());
        shard.by_age.push_back(key.clone());
        slot
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, S>> {
        use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let index = usize::try_from(hash % SHARDS as u64).expect("under 64");
        lock(&self.shards[index])
    }
}

impl<K: Clone + Eq + Hash, S: State> Shard<K, S> {
    /// Drops a few of the oldest entities that nobody holds. A user of
    /// an entity holds its `Arc`, so nothing in flight is ever dropped.
    fn evict(&mut self) {
        for _ in 0..EVICTION_STEPS {
            let Some(key) = self.by_age.pop_front() else { return };
            let unused = self.slots.get(&key).is_none_or(|slot| {
                Arc::strong_count(slot) == 1
                    && slot.get().is_none_or(|e| Arc::strong_count(e) == 1 && e.is_idle())
            });
            if unused {
                self.slots.remove(&key);
            } else {
                self.by_age.push_back(key);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("cache bookkeeping does not panic")
}

/// Runs `work` for every item at the same time, at most `limit` at once; the results keep the order.
pub(crate) async fn in_parallel<T, F: Future>(
    items: impl IntoIterator<Item = T>,
    limit: usize,
    work: impl FnMut(T) -> F,
) -> Vec<F::Output> {
    use futures_util::StreamExt;
    futures_util::stream::iter(items).map(work).buffered(limit).collect().await
}
