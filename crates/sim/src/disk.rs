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

use crate::group_changes::{MODIFICATION, RECALL};

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

/// What a commit changes of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GroupWrite {
    pub(crate) group: String,
    pub(crate) incarnation: u64,
    pub(crate) born: bool,
    /// Members whose rows are written, and the numbers of their memberships: new ones, or those that they have.
    pub(crate) members: Vec<(usize, u64)>,
    pub(crate) left: Vec<usize>,
    /// Sequence numbers, and the numbers that the simulation has written into them; tips have none.
    pub(crate) messages: Vec<(u64, Option<u32>)>,
    /// What has become of earlier messages.
    pub(crate) overlays: Vec<(u64, Overlay)>,
    keys: Vec<(Partition, Bytes)>,
}

/// What has become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// By the change of this number; by a backend that tells nobody if there is none.
    Recalled(Option<u32>),
    /// By the change of this number.
    Modified(u32),
}

impl Overlay {
    fn of(row: &[u8]) -> Self {
        match (marked(row, RECALL), marked(row, MODIFICATION)) {
            (None, Some(change)) => Self::Modified(change),
            (change, _) => Self::Recalled(change),
        }
    }
}

/// What the simulation wants to know of a commit.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) rows: Vec<MessageRow>,
    pub(crate) group: Option<GroupWrite>,
}

#[derive(Debug)]
pub(crate) struct Disk {
    memory: Memory,
    /// Of each commit that waits, in the engine's order.
    waiting: Mutex<VecDeque<Written>>,
}

impl Disk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { memory: Memory::manual(), waiting: Mutex::default() })
    }

    pub(crate) fn waiting(&self) -> usize {
        self.memory.pending_commits()
    }

    /// Lets the next `count` commits through as one batch; returns what became durable.
    pub(crate) fn sync(&self, count: usize) -> Vec<Written> {
        let count = self.memory.sync_next(count);
        let rows = self.forget(count);
        self.present(rows)
    }

    /// The process dies after `applied` waiting commits became durable without an answer.
    pub(crate) fn crash(&self, applied: usize) -> Vec<Written> {
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

    fn forget(&self, count: usize) -> Vec<Written> {
        let mut waiting = self.waiting.lock().expect("a list does not panic");
        let count = count.min(waiting.len());
        waiting.drain(..count).collect()
    }

    fn present(&self, mut written: Vec<Written>) -> Vec<Written> {
        let is_there = |partition: &Partition, key: &Bytes| {
            let found = self.memory.get(partition, key).now_or_never();
            matches!(found, Some(Ok(Some(_))))
        };
        for commit in &mut written {
            commit.rows.retain(|row| is_there(&row.partition, &row.key));
            let all = |group: &mut GroupWrite| group.keys.iter().all(|(p, key)| is_there(p, key));
            commit.group = commit.group.take_if(all);
        }
        written
    }
}

/// The number in a message's text, `#7#`; the bytes around it may be anything.
pub(crate) fn message_number(bytes: &[u8]) -> Option<u32> {
    marked(bytes, b'#')
}

/// The number between two marks.
pub(crate) fn marked(bytes: &[u8], mark: u8) -> Option<u32> {
    let marks = bytes.iter().enumerate().filter(|(_, byte)| **byte == mark);
    marks.map(|(at, _)| &bytes[at + 1..]).find_map(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        (rest.get(digits) == Some(&mark)).then_some(number)
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

fn written(commit: &Commit) -> Written {
    const GROUP: u8 = b'g';
    match commit.partition.as_bytes().first() {
        Some(&GROUP) => Written { rows: Vec::new(), group: group_write(commit) },
        Some(_) | None => Written { rows: message_rows(commit), group: None },
    }
}

/// Field of a member's row.
const JOINED_AS: u64 = 4;

/// A number among the fields of a protobuf message.
fn varint(mut row: &[u8], wanted: u64) -> Option<u64> {
    fn read(row: &mut &[u8]) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = row.split_first()?;
            *row = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
    while !row.is_empty() {
        let key = read(&mut row)?;
        match key & 7 {
            0 => {
                let number = read(&mut row)?;
                if key >> 3 == wanted {
                    return Some(number);
                }
            }
            1 => row = row.get(8..)?,
            2 => {
                let length = usize::try_from(read(&mut row)?).ok()?;
                row = row.get(length..)?;
            }
            5 => row = row.get(4..)?,
            _ => return None,
        }
    }
    None
}

/// All rows of a group begin with their family and the number of the group under its id.
fn group_write(commit: &Commit) -> Option<GroupWrite> {
    const INFO: u8 = 0x28;
    const MEMBER: u8 = 0x29;
    const OVERLAY: u8 = 0x70;
    let name = commit.partition.as_bytes().get(5..)?;
    let group = std::str::from_utf8(name).ok()?.to_owned();
    let mut wanted = GroupWrite { group, ..GroupWrite::default() };
    let user =
        |rest: &[u8]| std::str::from_utf8(rest).ok()?.strip_prefix('u')?.parse::<usize>().ok();
    for write in &commit.writes {
        let (key, value) = match write {
            Write::Put { key, value } => (key, Some(value)),
            Write::Delete { key } => (key, None),
            Write::DeleteRange { .. } => continue,
        };
        let Some((number, rest)) = key.get(1..).and_then(|rest| rest.split_first_chunk()) else {
            continue;
        };
        let of = u64::from_be_bytes(*number);
        match (key[0], value) {
            (INFO, Some(_)) => wanted.born = true,
            (MEMBER, Some(value)) => {
                let number = varint(value, JOINED_AS).unwrap_or_default();
                wanted.members.extend(user(rest).map(|user| (user, number)));
            }
            (MEMBER, None) => wanted.left.extend(user(rest)),
            (family::LOG, Some(value)) => {
                let seq = u64::from_be_bytes(rest.try_into().ok()?);
                wanted.messages.push((seq, message_number(value)));
                wanted.keys.push((commit.partition.clone(), key.clone()));
            }
            (OVERLAY, Some(value)) => {
                let seq = u64::from_be_bytes(rest.try_into().ok()?);
                wanted.overlays.push((seq, Overlay::of(value)));
                wanted.keys.push((commit.partition.clone(), key.clone()));
            }
            _ => continue,
        }
        wanted.incarnation = of;
    }
    (wanted.incarnation > 0).then_some(wanted)
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
        let written = written(&commit);
        let before = self.memory.pending_commits();
        let outcome = self.memory.commit(commit);
        if self.memory.pending_commits() > before {
            self.waiting.lock().expect("a list does not panic").push_back(written);
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
    fn a_field_is_found_behind_others_of_all_kinds() {
        // 1: 300, 2: "ab", 3: four bytes, 5: eight bytes, 4: 7
        let row = b"\x08\xac\x02\x12\x02ab\x1d\0\0\0\0\x29\0\0\0\0\0\0\0\0\x20\x07";
        for (field, number) in [(1, Some(300)), (4, Some(7)), (2, None), (6, None)] {
            assert_eq!(varint(row, field), number);
        }
        assert_eq!(varint(b"\x12\x09a", 4), None);
    }

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
