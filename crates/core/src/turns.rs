//! Work that is done for one key at a time, however many ask for it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

/// At most one piece of work at a time for each key; others wait, first come, first served.
pub(crate) struct Turns<K> {
    busy: Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { busy: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash> Turns<K> {
    /// Runs `work` when nothing else runs for `key`.
    pub(crate) async fn run<T>(&self, key: &K, work: impl Future<Output = T>) -> T {
        let lock =
            self.busy.lock().expect("no panic while held").entry(key.clone()).or_default().clone();
        let result = {
            let _turn = lock.lock().await;
            work.await
        };
        drop(lock);
        let mut busy = self.busy.lock().expect("no panic while held");
        if busy.get(key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            busy.remove(key);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn work_for_one_key_does_not_overlap_and_leaves_nothing_behind() {
        let turns = Turns::default();
        let running = Mutex::new(0);
        let work = || async {
            *running.lock().expect("not poisoned") += 1;
            tokio::task::yield_now().await;
            let mut running = running.lock().expect("not poisoned");
            assert_eq!(*running, 1);
            *running -= 1;
        };
        join_all((0..8).map(|_| turns.run(&7, work()))).await;
        assert!(turns.busy.lock().expect("not poisoned").is_empty());
    }
}
