//! A single-threaded executor which runs a ready task of the caller's choice: the caller chooses at
//! random, so that every interleaving at an await is possible, and replays with the seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;
use teahouse_core::env::Spawn;

use crate::random::Dice;

type Task = BoxFuture<'static, ()>;

/// Where the server's background work goes.
#[derive(Clone, Default)]
pub(crate) struct Spawner(Arc<Mutex<Vec<Task>>>);

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        self.0.lock().expect("a list does not panic").push(task);
    }
}

#[derive(Default)]
struct Ready(Mutex<Vec<u64>>);

impl Ready {
    fn list(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().expect("a list does not panic")
    }

    fn add(&self, id: u64) {
        let mut list = self.list();
        if !list.contains(&id) {
            list.push(id);
        }
    }
}

struct TaskWaker {
    id: u64,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.add(self.id);
    }
}

/// The tasks of one process; dropping it is the process's death.
#[derive(Default)]
pub(crate) struct Executor {
    spawner: Spawner,
    tasks: BTreeMap<u64, (Task, Waker)>,
    ready: Arc<Ready>,
    last_id: u64,
}

impl Executor {
    pub(crate) fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Starts a task and runs it to its first await, as a first-in-first-out runtime would start the
    /// requests of one connection in their order.
    pub(crate) fn start(&mut self, task: Task) {
        let id = self.insert(task);
        self.run(id);
        self.adopt();
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.list().is_empty()
    }

    /// Tasks that are not done.
    pub(crate) fn unfinished(&self) -> usize {
        self.tasks.len()
    }

    /// Runs one ready task to its next await; says whether there was one.
    pub(crate) fn step(&mut self, dice: &mut Dice) -> bool {
        let mut ready = self.ready.list();
        if ready.is_empty() {
            return false;
        }
        let chosen = dice.below(ready.len());
        let id = ready.remove(chosen);
        drop(ready);
        self.run(id);
        self.adopt();
        true
    }

    fn adopt(&mut self) {
        let spawned = std::mem::take(&mut *self.spawner.0.lock().expect("a list does not panic"));
        for task in spawned {
            let id = self.insert(task);
            self.ready.add(id);
        }
    }

    fn insert(&mut self, task: Task) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let waker = Waker::from(Arc::new(TaskWaker { id, ready: self.ready.clone() }));
        self.tasks.insert(id, (task, waker));
        id
    }

    fn run(&mut self, id: u64) {
        // Woken once more after it was done: nothing to do.
        let Some((mut task, waker)) = self.tasks.remove(&id) else { return };
        match task.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(()) => {}
            Poll::Pending => {
                self.tasks.insert(id, (task, waker));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn every_order_of_two_ready_tasks_happens_and_replays() {
        let order = |seed| {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let mut executor = Executor::default();
            let gate = Arc::new(tokio::sync::Notify::new());
            for name in 0..2 {
                let (seen, gate) = (seen.clone(), gate.clone());
                executor.start(
                    async move {
                        gate.notified().await;
                        seen.lock().unwrap().push(name);
                    }
                    .boxed(),
                );
            }
            gate.notify_waiters();
            let mut dice = Dice::new(seed);
            while executor.step(&mut dice) {}
            assert_eq!(executor.unfinished(), 0);
            std::mem::take(&mut *seen.lock().unwrap())
        };
        let orders: std::collections::BTreeSet<_> = (0..20).map(order).collect();
        assert_eq!(orders.len(), 2);
        assert_eq!(order(7), order(7));
    }
}
