//! What is due in a moment: things that wait for milliseconds, not for the next tick.
//!
//! Nothing here waits: whoever drives the node asks when the next thing is due, sleeps until then, and
//! has it done. So there is one timer for all of them, and a simulator's clock will do.
//!
//! Nothing is entered for later than [`AHEAD_MS_MAX`]. What seems to be due later was entered before the
//! clock stepped back, and is due now.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use teahouse_proto::time::UnixMillis;
use tokio::sync::Notify;

/// The farthest that something is due in the future, milliseconds.
const AHEAD_MS_MAX: u64 = 1_000;

/// Things by the time at which they are due.
pub(crate) struct Agenda<T> {
    entries: Mutex<Entries<T>>,
    changed: Notify,
}

struct Entries<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    /// Keeps things of the same millisecond in their order.
    last: u64,
}

struct Entry<T> {
    due: UnixMillis,
    number: u64,
    what: T,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        let entries = Mutex::new(Entries { heap: BinaryHeap::new(), last: 0 });
        Self { entries, changed: Notify::new() }
    }
}

impl<T> Agenda<T> {
    /// Enters something. The caller sees to it that it enters a thing once.
    pub(crate) fn enter(&self, due: UnixMillis, what: T) {
        let mut entries = self.lock();
        entries.last += 1;
        let number = entries.last;
        let is_next = entries.heap.peek().is_none_or(|Reverse(next)| due < next.due);
        entries.heap.push(Reverse(Entry { due, number, what }));
        drop(entries);
        if is_next {
            self.changed.notify_one();
        }
    }

    /// How long it is until the next thing is due.
    pub(crate) fn next(&self, now: UnixMillis) -> Option<Duration> {
        self.lock().heap.peek().map(|Reverse(entry)| entry.wait(now))
    }

    /// Takes out one thing that is due.
    pub(crate) fn take(&self, now: UnixMillis) -> Option<T> {
        let mut entries = self.lock();
        let is_due = entries.heap.peek().is_some_and(|Reverse(entry)| entry.wait(now).is_zero());
        if is_due { entries.heap.pop().map(|Reverse(entry)| entry.what) } else { None }
    }

    /// Returns when something is due earlier than before.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().expect("bookkeeping of what is due does not panic")
    }
}

impl<T> Entry<T> {
    fn wait(&self, now: UnixMillis) -> Duration {
        let ms = self.due.0.saturating_sub(now.0);
        Duration::from_millis(if ms > AHEAD_MS_MAX { 0 } else { ms })
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_taken_when_due_in_their_order() {
        let agenda = Agenda::default();
        for (due, what) in [(20, "later"), (10, "first"), (10, "second")] {
            agenda.enter(UnixMillis(due), what);
        }
        assert_eq!(agenda.next(UnixMillis(4)), Some(Duration::from_millis(6)));
        assert_eq!(agenda.take(UnixMillis(9)), None);
        assert_eq!(agenda.take(UnixMillis(15)), Some("first"));
        assert_eq!(agenda.take(UnixMillis(15)), Some("second"));
        assert_eq!(agenda.take(UnixMillis(15)), None);
        assert_eq!(agenda.take(UnixMillis(20)), Some("later"));
        assert_eq!(agenda.next(UnixMillis(20)), None);
    }

    #[test]
    fn a_clock_that_steps_back_keeps_nothing_waiting() {
        let agenda = Agenda::default();
        agenda.enter(UnixMillis(3_600_000), "before the step");
        assert_eq!(agenda.next(UnixMillis(5)), Some(Duration::ZERO));
        assert_eq!(agenda.take(UnixMillis(5)), Some("before the step"));
    }
}
