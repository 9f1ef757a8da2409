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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Write;

    fn commit(number: u64, bytes: usize) -> Commit {
        let value = vec![0; bytes].into();
        let put = Write::Put { key: bytes::Bytes::from_static(&[2]), value };
        let partition = Partition::new("p").expect("a valid name");
        Commit::synced(partition, Version(number), vec![put])
    }

    /// The versions that the commits of the next batch expect.
    fn take(queue: &CommitQueue) -> Vec<u64> {
        match queue.take(None) {
            Taken::Batch(batch) => batch.iter().map(|queued| queued.commit.expected.0).collect(),
            Taken::Nothing | Taken::Closed => panic!("no batch"),
        }
    }

    #[test]
    fn a_batch_is_bounded_in_commits() {
        let queue = CommitQueue::new(10_000_000);
        for number in 0..600 {
            queue.push(commit(number, 1)).expect("it fits");
        }
        assert_eq!(take(&queue), Vec::from_iter(0..512));
        assert_eq!(take(&queue), Vec::from_iter(512..600));
        assert_eq!((queue.depth().commits, queue.depth().bytes), (0, 0));
    }

    #[test]
    fn a_batch_is_bounded_in_bytes() {
        let queue = CommitQueue::new(10_000_000);
        for number in 0..40 {
            queue.push(commit(number, 60_000)).expect("it fits");
        }
        let first = take(&queue);
        assert_eq!(first, Vec::from_iter(0..17), "17 x 60,257 bytes are just below 1 MiB");
        assert_eq!(take(&queue)[0], 17);
    }

    #[test]
    fn the_queue_is_bounded_and_frees_what_was_taken() {
        let queue = CommitQueue::new(100_000);
        assert!(queue.push(commit(0, 60_000)).is_ok());
        assert_eq!(queue.push(commit(1, 60_000)).err(), Some(CommitError::Unavailable));
        assert_eq!((queue.depth().commits, queue.depth().refused), (1, 1));
        assert_eq!(take(&queue), [0]);
        assert!(queue.push(commit(1, 60_000)).is_ok());
    }

    #[test]
    fn a_closed_queue_gives_what_waits_and_then_ends() {
        let queue = CommitQueue::new(100_000);
        queue.push(commit(0, 1)).expect("it fits");
        queue.close();
        assert_eq!(queue.push(commit(1, 1)).err(), Some(CommitError::Unavailable));
        assert_eq!(take(&queue), [0]);
        assert!(matches!(queue.take(None), Taken::Closed));
    }

    #[test]
    fn the_deadline_ends_the_wait() {
        let queue = CommitQueue::new(100_000);
        assert!(matches!(queue.take(Some(Instant::now())), Taken::Nothing));
    }

    #[test]
    fn what_was_refused_for_want_of_room_breaks_its_chain() {
        let queue = CommitQueue::new(61_000);
        let _first = queue.push(commit(0, 60_000)).expect("it fits");
        assert!(queue.push(commit(1, 60_000)).is_err());
        let Taken::Batch(batch) = queue.take(None) else { panic!("no batch") };
        assert_eq!(queue.judge(&batch[0], Version(0)), Ok(()));
        let _third = queue.push(commit(2, 1)).expect("it fits");
        let Taken::Batch(batch) = queue.take(None) else { panic!("no batch") };
        // A rival has meanwhile committed in place of the refused one.
        let current = Version(2);
        assert_eq!(queue.judge(&batch[0], current), Err(CommitError::Conflict { current }));
    }
}
