//! The machine's clock, randomness, tasks and network, as the domain wants them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use rand::rand_core::TryRng;
use teahouse_core::env::{Clock, Env, Random, Spawn};
use teahouse_proto::time::UnixMillis;
use tokio::sync::Notify;

use crate::outgoing::Outgoing;

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        system_now()
    }
}

/// The machine's time.
#[allow(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
pub(crate) fn system_now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixMillis(since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}

struct SystemRandom;

impl Random for SystemRandom {
    fn next(&self) -> u64 {
        rand::rngs::SysRng.try_next_u64().expect("the system has randomness")
    }
}

/// Operations and background work under way, so that a stopping server can wait for them.
#[derive(Clone, Default)]
pub(crate) struct Work(Arc<Count>);

#[derive(Default)]
struct Count {
    running: AtomicUsize,
    done: Notify,
}

/// One piece of work; it is done when this is dropped.
pub(crate) struct Working(Arc<Count>);

impl Work {
    pub(crate) fn start(&self) -> Working {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        Working(self.0.clone())
    }

    /// Returns when nothing is under way.
    pub(crate) async fn finished(&self) {
        loop {
            let done = self.0.done.notified();
            if self.0.running.load(Ordering::Acquire) == 0 {
                return;
            }
            done.await;
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.done.notify_waiters();
        }
    }
}

impl Spawn for Work {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let working = self.start();
        // A task ends with its runtime at the latest; `finished` is awaited before that.
        tokio::spawn(async move {
            task.await;
            drop(working);
        });
    }
}

pub(crate) fn system(work: &Work, node_number: u16, shards: usize) -> Env {
    Env {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        spawn: Arc::new(work.clone()),
        endpoints: Arc::new(Outgoing::new()),
        node_number,
        shards,
    }
}
