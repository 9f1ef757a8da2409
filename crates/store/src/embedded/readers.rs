//! The threads that read.
//!
//! Most reads take microseconds, some take many milliseconds, when they meet a compaction or a
//! cold device. An asynchronous worker must not wait that long, and it may be the only one of its
//! runtime, so reads have threads of their own and do not depend on any runtime.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use tokio::sync::{Semaphore, oneshot};

use super::engine::Engine;
use crate::contract::ReadError;

/// Read jobs that are queued or running, at most. Further ones wait in their callers' futures, in
/// order.
const JOBS_MAX: usize = 1024;

type Job = Box<dyn FnOnce(&Engine) + Send>;

/// A fixed number of reader threads behind a bounded queue.
pub(super) struct Readers {
    queue: Arc<JobQueue>,
    permits: Arc<Semaphore>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    done: AtomicU64,
}

#[derive(Default)]
struct JobQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    closed: bool,
}

impl Readers {
    /// Starts `count` threads.
    pub(super) fn start(engine: &Engine, count: usize) -> io::Result<Readers> {
        let queue = Arc::new(JobQueue::default());
        let readers = Readers {
            queue: Arc::clone(&queue),
            permits: Arc::new(Semaphore::new(JOBS_MAX)),
            threads: Mutex::default(),
            done: AtomicU64::new(0),
        };
        for number in 0..count {
            let (queue, engine) = (Arc::clone(&queue), engine.clone());
            let thread = thread::Builder::new().name(format!("store-read-{number}"));
            let thread = thread.spawn(move || queue.work(&engine))?;
            readers.threads().push(thread);
        }
        Ok(readers)
    }

    /// Runs a job on a reader thread; waits for a place in the queue first.
    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Engine) -> Result<T, ReadError> + Send + 'static,
    {
        let closed = || ReadError::Unavailable("it is closed".to_owned());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        let (answer, outcome) = oneshot::channel();
        let queued = self.queue.push(Box::new(move |engine| {
            // Whoever dropped the future does not want to know.
            let _ = answer.send(job(engine));
            drop(permit);
        }));
        if !queued {
            return Err(closed());
        }
        self.done.fetch_add(1, Ordering::Relaxed);
        outcome.await.unwrap_or_else(|_| Err(ReadError::Unavailable("a read panicked".to_owned())))
    }

    /// Jobs taken in since the start.
    pub(super) fn jobs(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Jobs waiting now.
    pub(super) fn waiting(&self) -> u64 {
        self.queue.lock().waiting.len() as u64
    }

    /// Refuses further jobs, carries out those that wait, and ends the threads.
    pub(super) fn close(&self) {
        self.permits.close();
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
        for thread in self.threads().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reader thread panicked");
            }
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JobQueue {
    /// Whether the job was taken in.
    fn push(&self, job: Job) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        state.waiting.push_back(job);
        drop(state);
        self.changed.notify_one();
        true
    }

    fn work(&self, engine: &Engine) {
        while let Some(job) = self.next() {
            // A panic ends this read only; its caller sees the dropped answer.
            if catch_unwind(AssertUnwindSafe(|| job(engine))).is_err() {
                tracing::error!("a read of the store panicked");
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
