//! The bounded queue in front of the commit thread.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::oneshot;

use crate::{
    chain::{BrokenChains, Ticket},
    contract::{Commit, CommitError, Partition, Version},
};

/// Commits taken for one batch, at most.
const BATCH_COMMITS_MAX: usize = 512;
/// Bytes taken for one batch, at most, unless its first commit alone is larger.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// What a queue entry counts beside its keys and values.
const OVERHEAD_BYTES: usize = 256;

/// What a caller awaits.
pub(super) type Outcome = Result<Version, CommitError>;

/// Commits in the order of the calls.
///
/// Callers never wait here: a commit that does not fit is refused at once. A broken chain of
/// pipelined commits is remembered under the same lock that hands out the order.
#[derive(Debug)]
pub(super) struct CommitQueue {
    state: Mutex<State>,
    changed: Condvar,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Queued>,
    bytes: usize,
    next_ticket: Ticket,
    judged: Ticket,
    chains: BrokenChains,
    refused: u64,
    closed: bool,
}

/// A commit that waits for its turn.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) ticket: Ticket,
    pub(super) commit: Commit,
    pub(super) bytes: usize,
    pub(super) since: Instant,
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// What the commit thread finds.
pub(super) enum Taken {
    /// The next commits, at least one.
    Batch(Vec<Queued>),
    /// Nothing until the given time.
    Nothing,
    /// Nothing, and nothing will come.
    Closed,
}

/// The present length of the queue.
pub(super) struct Depth {
    pub(super) commits: u64,
    pub(super) bytes: u64,
    /// Commits refused since the start because the queue was full or closed.
    pub(super) refused: u64,
}

impl CommitQueue {
    pub(super) fn new(bytes_max: usize) -> CommitQueue {
        let state = State { next_ticket: 1, ..State::default() };
        CommitQueue { state: Mutex::new(state), changed: Condvar::new(), bytes_max }
    }

    /// Queues a commit behind all earlier ones, or refuses it.
    pub(super) fn push(&self, commit: Commit) -> Result<oneshot::Receiver<Outcome>, CommitError> {
        let problem = commit.check().err();
        let bytes = commit.bytes() + OVERHEAD_BYTES;
        let since = Instant::now();
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let refusal = match problem {
            Some(problem) => Some(CommitError::Invalid(problem)),
            None if state.closed || state.bytes + bytes > self.bytes_max => {
                state.refused += 1;
                Some(CommitError::Unavailable)
            }
            None => None,
        };
        if let Some(refusal) = refusal {
            state.chains.fail(&commit.partition, commit.expected, ticket);
            return Err(refusal);
        }
        let (answer, outcome) = oneshot::channel();
        state.bytes += bytes;
        state.waiting.push_back(Queued { ticket, commit, bytes, since, answer });
        drop(state);
        self.changed.notify_one();
        Ok(outcome)
    }

    /// Takes what is there for one batch; waits for the first commit, until `deadline` at most.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Taken {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return Taken::Closed;
            }
            state = match deadline {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Taken::Nothing;
                    }
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        Taken::Batch(state.take_batch())
    }

    /// Whether the commit may be applied on top of `current`. Must be asked in ticket order.
    pub(super) fn judge(&self, queued: &Queued, current: Version) -> Result<(), CommitError> {
        let Commit { partition, expected, .. } = &queued.commit;
        let mut state = self.lock();
        state.judged = queued.ticket;
        if state.chains.refuses(partition, *expected, queued.ticket) {
            return Err(CommitError::Conflict { current });
        }
        if *expected != current {
            state.chains.fail(partition, *expected, queued.ticket);
            return Err(CommitError::Conflict { current });
        }
        Ok(())
    }

    /// A commit failed for another reason than its version: what builds on it fails, too.
    pub(super) fn fail(&self, queued: &Queued) {
        let mut state = self.lock();
        state.judged = queued.ticket;
        state.chains.fail(&queued.commit.partition, queued.commit.expected, queued.ticket);
    }

    /// Somebody reads the version of the partition and then knows what is stored.
    pub(super) fn reload(&self, partition: &Partition) {
        let mut state = self.lock();
        let (next_ticket, judged) = (state.next_ticket, state.judged);
        state.chains.reload(partition, next_ticket, judged);
    }

    /// Refuses all commits from now on; what waits is still carried out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    pub(super) fn depth(&self) -> Depth {
        let state = self.lock();
        Depth {
            commits: state.waiting.len() as u64,
            bytes: state.bytes as u64,
            refused: state.refused,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_batch(&mut self) -> Vec<Queued> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.waiting.front() {
            let fits = bytes + next.bytes <= BATCH_BYTES_MAX && batch.len() < BATCH_COMMITS_MAX;
            if !batch.is_empty() && !fits {
                break;
            }
            bytes += next.bytes;
            batch.extend(self.waiting.pop_front());
        }
        self.bytes -= bytes;
        batch
    }
}
