//! The store of the simulated machine: the real in-memory engine, watched. It knows which messages are
//! durable, where, and in which order they became so; everything else is the engine's.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use teahouse_store::stream::{Exported, StreamError};
use teahouse_store::{
    Commit, CommitError, Direction, Memory, Partition, ReadError, Row, Stats, Store, Version,
    Write, family,
};

/// A message row in a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub(crate) partition: Partition,
    key: Bytes,
    /// The number that the simulation has written into its text.
    pub(crate) message: u32,
}

impl MessageRow {
    /// Second and ordinal, the order of the conversation.
    pub(crate) fn place(&self) -> (u32, u64) {
        let time = self.key[1..5].try_into().expect("four bytes");
        let ordinal = self.key[5..13].try_into().expect("eight bytes");
        (u32::from_be_bytes(time), u64::from_be_bytes(ordinal))
    }

    /// The two account numbers of the pair, the smaller first.
    pub(crate) fn pair(&self) -> (u64, u64) {
        let name = self.partition.as_bytes();
        let number = |at: usize| name[at..at + 8].try_into().expect("eight bytes");
        (u64::from_be_bytes(number(5)), u64::from_be_bytes(number(13)))
    }
}

#[derive(Debug)]
pub(crate) struct Disk {
    memory: Memory,
    /// The message rows of each commit that waits, in the engine's order.
    waiting: Mutex<VecDeque<Vec<MessageRow>>>,
}

impl Disk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { memory: Memory::manual(), waiting: Mutex::default() })
    }

    pub(crate) fn waiting(&self) -> usize {
        self.memory.pending_commits()
    }

    /// Lets the next `count` commits through as one batch; returns the messages that became durable.
    pub(crate) fn sync(&self, count: usize) -> Vec<MessageRow> {
        let count = self.memory.sync_next(count);
        let rows = self.forget(count);
        self.present(rows)
    }

    /// The process dies after `applied` waiting commits became durable without an answer.
    pub(crate) fn crash(&self, applied: usize) -> Vec<MessageRow> {
        let rows = self.forget(applied.min(self.memory.pending_commits()));
        self.memory.crash_after_applying(applied);
        self.forget(usize::MAX);
        self.present(rows)
    }

    /// The machine loses power.
    pub(crate) fn power_cut(&self) {
        self.memory.power_cut();
        self.forget(usize::MAX);
    }

    pub(crate) fn set_unavailable(&self, unavailable: bool) {
        self.memory.set_unavailable(unavailable);
    }

    /// Whether nothing waits in any outbox.
    pub(crate) fn outbox_is_empty(&self) -> bool {
        let pending = self.memory.pending(None, 1).now_or_never().expect("memory does not wait");
        pending.is_ok_and(|partitions| partitions.is_empty())
    }

    fn forget(&self, count: usize) -> Vec<MessageRow> {
        let mut waiting = self.waiting.lock().expect("a list does not panic");
        let count = count.min(waiting.len());
        waiting.drain(..count).flatten().collect()
    }

    fn present(&self, rows: Vec<MessageRow>) -> Vec<MessageRow> {
        let is_there = |row: &MessageRow| {
            let found = self.memory.get(&row.partition, &row.key).now_or_never();
            matches!(found, Some(Ok(Some(_))))
        };
        rows.into_iter().filter(is_there).collect()
    }
}

/// The number in a message's text, `#7#`; the bytes around it may be anything.
pub(crate) fn message_number(bytes: &[u8]) -> Option<u32> {
    let marks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'#');
    marks.map(|(at, _)| &bytes[at + 1..]).find_map(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        (rest.get(digits) == Some(&b'#')).then_some(number)
    })
}

fn message_rows(commit: &Commit) -> Vec<MessageRow> {
    let row = |write: &Write| match write {
        Write::Put { key, value } if key.first() == Some(&family::LOG) => Some(MessageRow {
            partition: commit.partition.clone(),
            key: key.clone(),
            message: message_number(value)?,
        }),
        Write::Put { .. } | Write::Delete { .. } | Write::DeleteRange { .. } => None,
    };
    commit.writes.iter().filter_map(row).collect()
}

impl Store for Disk {
    fn version<'a>(
        &'a self,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Version, ReadError>> {
        slowly(self.memory.version(partition))
    }

    fn get<'a>(
        &'a self,
        partition: &'a Partition,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        slowly(self.memory.get(partition, key))
    }

    fn get_many<'a>(
        &'a self,
        rows: &'a [(Partition, Bytes)],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, ReadError>> {
        slowly(self.memory.get_many(rows))
    }

    fn scan<'a>(
        &'a self,
        partition: &'a Partition,
        range: Range<&'a [u8]>,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Row>, ReadError>> {
        slowly(self.memory.scan(partition, range, direction, limit))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'static, Result<Version, CommitError>> {
        let rows = message_rows(&commit);
        let before = self.memory.pending_commits();
        let outcome = self.memory.commit(commit);
        if self.memory.pending_commits() > before {
            self.waiting.lock().expect("a list does not panic").push_back(rows);
        }
        outcome
    }

    fn pending<'a>(
        &'a self,
        after: Option<&'a Partition>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Partition>, ReadError>> {
        self.memory.pending(after, limit)
    }

    fn export(&self, output: &mut dyn std::io::Write) -> Result<Exported, StreamError> {
        self.memory.export(output)
    }

    fn stats(&self) -> Stats {
        self.memory.stats()
    }
}

/// A read takes its answer now and gives it later, as a disk's would: others run in between.
fn slowly<'a, T: Send + 'a>(answer: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
    async move {
        let answer = answer.await;
        let mut waited = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut waited, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
        answer
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_among_other_bytes() {
        for (bytes, number) in [
            (&b"#7#"[..], Some(7)),
            (b"\x10#\x1d \"#34#\"", Some(34)),
            (b"#x# #", None),
            (b"", None),
        ] {
            assert_eq!(message_number(bytes), number, "{bytes:?}");
        }
    }
}
