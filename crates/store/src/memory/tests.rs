//! What crashes and power cuts lose; the rest is in the conformance suite.

use super::*;

fn partition() -> Partition {
    Partition::new("p").expect("a valid name")
}

/// Queues a commit that notes its own version.
fn queue(
    memory: &Memory,
    expected: u64,
    durability: Durability,
) -> BoxFuture<'static, Result<Version, CommitError>> {
    let value = Bytes::copy_from_slice(&(expected + 1).to_be_bytes());
    let outbox = Write::Put { key: Bytes::from_static(&[family::OUTBOX]), value: Bytes::new() };
    let note = Write::Put { key: Bytes::from_static(&[family::MUTABLE]), value };
    memory.commit(Commit {
        partition: partition(),
        expected: Version(expected),
        writes: vec![note, outbox],
        durability,
    })
}

fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    future.now_or_never()
}

/// The version, which the row and the outbox index must agree with.
fn version(memory: &Memory) -> u64 {
    let version = now(memory.version(&partition())).expect("at once").expect("readable").0;
    let noted = now(memory.get(&partition(), &[family::MUTABLE])).expect("at once");
    let expected = (version > 0).then(|| Bytes::copy_from_slice(&version.to_be_bytes()));
    assert_eq!(noted, Ok(expected));
    let pending = now(memory.pending(None, 9)).expect("at once").expect("readable");
    assert_eq!(pending.len(), usize::from(version > 0));
    version
}

#[test]
fn automatic_commits_need_no_poll() {
    let memory = Memory::new();
    drop(queue(&memory, 0, Durability::Synced));
    assert_eq!(version(&memory), 1);
    assert_eq!(memory.pending_commits(), 0);
}

#[test]
fn manual_commits_wait_until_they_are_let_through() {
    let memory = Memory::manual();
    let mut outcomes: Vec<_> =
        (0..3).map(|expected| queue(&memory, expected, Durability::Synced)).collect();
    assert_eq!((memory.pending_commits(), version(&memory)), (3, 0));
    assert_eq!(now(&mut outcomes[0]), None);
    assert_eq!(memory.sync_next(2), 2);
    assert_eq!((memory.pending_commits(), version(&memory)), (1, 2));
    assert_eq!(memory.sync_all(), 1);
    let outcomes: Vec<_> = outcomes.into_iter().map(now).collect();
    assert_eq!(outcomes, [Some(Ok(Version(1))), Some(Ok(Version(2))), Some(Ok(Version(3)))]);
    assert_eq!(memory.sync_next(1), 0);
}

#[test]
fn a_crash_drops_what_waits_and_keeps_what_was_acknowledged() {
    let memory = Memory::manual();
    let acked = queue(&memory, 0, Durability::Relaxed);
    memory.sync_next(1);
    let waiting = queue(&memory, 1, Durability::Synced);
    memory.crash();
    assert_eq!(now(acked), Some(Ok(Version(1))));
    assert_eq!(now(waiting), Some(Err(CommitError::Unknown)));
    assert_eq!((memory.pending_commits(), version(&memory)), (0, 1));
}

#[test]
fn a_crash_may_come_between_applying_and_answering() {
    let memory = Memory::manual();
    let outcomes = [0, 1, 2].map(|expected| queue(&memory, expected, Durability::Synced));
    memory.crash_after_applying(2);
    assert_eq!(outcomes.map(now), [const { Some(Err(CommitError::Unknown)) }; 3]);
    assert_eq!(version(&memory), 2);
}

#[test]
fn a_power_cut_takes_back_relaxed_commits_since_the_last_sync() {
    let memory = Memory::manual();
    let _ = [
        queue(&memory, 0, Durability::Synced),
        queue(&memory, 1, Durability::Relaxed),
        queue(&memory, 2, Durability::Relaxed),
    ];
    for _ in 0..3 {
        memory.sync_next(1);
    }
    assert_eq!(version(&memory), 3);
    memory.power_cut();
    assert_eq!(version(&memory), 1);
    let _ = [queue(&memory, 1, Durability::Relaxed), queue(&memory, 2, Durability::Synced)];
    memory.sync_next(1);
    memory.sync_next(1);
    memory.power_cut();
    assert_eq!(version(&memory), 3, "the synced commit has made the one before durable");
    drop(queue(&memory, 3, Durability::Relaxed));
    memory.sync_all();
    memory.power_cut();
    assert_eq!(version(&memory), 4);
}

#[test]
fn a_power_cut_can_take_back_the_very_first_commit() {
    let memory = Memory::new();
    drop(queue(&memory, 0, Durability::Relaxed));
    memory.power_cut();
    assert_eq!(version(&memory), 0);
    assert_eq!(memory.export(&mut Vec::new()).expect("readable").partitions, 0);
}

#[test]
fn one_synced_commit_makes_its_whole_batch_durable() {
    let memory = Memory::manual();
    let _ = [queue(&memory, 0, Durability::Synced), queue(&memory, 1, Durability::Relaxed)];
    memory.sync_next(2);
    memory.power_cut();
    assert_eq!(version(&memory), 2);
}

#[test]
fn an_unavailable_store_answers_nothing() {
    let memory = Memory::new();
    memory.set_unavailable(true);
    let refused = queue(&memory, 0, Durability::Synced);
    assert_eq!(now(refused), Some(Err(CommitError::Unavailable)));
    let read = now(memory.version(&partition())).expect("at once");
    assert!(matches!(read, Err(ReadError::Unavailable(_))));
    memory.set_unavailable(false);
    assert_eq!(version(&memory), 0);
}

#[test]
fn the_queue_is_bounded() {
    let memory = Memory::manual();
    let value = Bytes::from(vec![0; 60_000]);
    let commit = |expected| {
        let key = Bytes::from_static(&[family::MUTABLE]);
        let writes = vec![Write::Put { key, value: value.clone() }];
        memory.commit(Commit::synced(partition(), Version(expected), writes))
    };
    let full = (0..).find(|&expected| now(commit(expected)).is_some());
    let queued = memory.stats().queued_bytes;
    assert_eq!(full, Some(memory.pending_commits() as u64));
    assert!(queued <= QUEUED_BYTES_MAX as u64 && queued + 61_000 > QUEUED_BYTES_MAX as u64);
}
