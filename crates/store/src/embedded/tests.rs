//! What needs a look behind the trait; the rest is in the conformance suite.

use super::*;
use crate::{contract::Write, family::Family};

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(future)
}

fn partition() -> Partition {
    Partition::new("p").expect("a valid name")
}

fn key(first: u8) -> Bytes {
    Bytes::copy_from_slice(&[first, 7])
}

/// A store with one row of each family, whose stored form is then changed behind its back.
fn check_damage(damage: impl Fn(&Engine, &[u8], &mut Vec<u8>)) {
    for family in Family::ALL {
        let root = tempfile::tempdir().expect("a temporary directory");
        let store = Embedded::open(root.path(), &Options::default()).expect("it opens");
        let key = key(family.range().start[0]);
        let put = Write::Put { key: key.clone(), value: Bytes::from_static(b"value") };
        let commit = Commit::synced(partition(), Version::NONE, vec![put]);
        assert_eq!(wait(store.commit(commit)), Ok(Version(1)));
        let stored_key = layout::row_key(&partition(), &key);
        let keyspace = store.engine.keyspace(family);
        let mut sealed = keyspace.get(&stored_key).expect("readable").expect("there").to_vec();
        damage(&store.engine, &stored_key, &mut sealed);
        let mut batch = store.engine.database().batch();
        batch.insert(keyspace, stored_key, sealed);
        batch.commit().expect("written");
        store.engine.show();

        let corrupt = |error| matches!(error, Some(ReadError::Corrupt(_)));
        assert!(corrupt(wait(store.get(&partition(), &key)).err()));
        assert!(corrupt(wait(store.get_many(&[(partition(), key.clone())])).err()));
        let p = partition();
        let scan = store.scan(&p, family.range(), Direction::Ascending, 9);
        assert!(corrupt(wait(scan).err()));
        let export = store.export(&mut Vec::new());
        assert!(matches!(export, Err(StreamError::Read(ReadError::Corrupt(_)))), "{export:?}");
    }
}

#[test]
fn a_changed_value_is_noticed_on_every_read() {
    check_damage(|_, _, sealed| *sealed.last_mut().expect("not empty") ^= 1);
}

#[test]
fn a_row_that_is_newer_than_its_partition_is_noticed_on_every_read() {
    check_damage(|_, stored_key, sealed| {
        *sealed = layout::seal(stored_key, Version(2), b"value");
    });
}

#[test]
fn a_partition_whose_version_is_damaged_takes_no_commits() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let store = Embedded::open(root.path(), &Options::default()).expect("it opens");
    let mut batch = store.engine.database().batch();
    batch.insert(store.engine.meta(), layout::version_key(&partition()), b"nonsense");
    batch.commit().expect("written");
    store.engine.show();
    let put = || vec![Write::Put { key: key(0x80), value: Bytes::new() }];
    let commit = Commit::synced(partition(), Version::NONE, put());
    assert_eq!(wait(store.commit(commit)), Err(CommitError::Unavailable));
    let version = wait(store.version(&partition()));
    assert!(matches!(version, Err(ReadError::Corrupt(_))), "{version:?}");
    // The others are not concerned.
    let other = Partition::new("other").expect("a valid name");
    let commit = Commit::synced(other, Version::NONE, put());
    assert_eq!(wait(store.commit(commit)), Ok(Version(1)));
}

#[test]
fn a_version_is_right_though_the_table_has_forgotten_it() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let options = Options { versions_max: 2, ..Options::default() };
    let store = Embedded::open(root.path(), &options).expect("it opens");
    for round in 0..3 {
        for number in 0..20_u8 {
            let p = Partition::new(vec![number]).expect("a valid name");
            let put = Write::Put { key: key(0x02), value: Bytes::new() };
            let commit = Commit::relaxed(p.clone(), Version(round), vec![put]);
            assert_eq!(wait(store.commit(commit)), Ok(Version(round + 1)));
            assert_eq!(wait(store.version(&p)), Ok(Version(round + 1)));
        }
    }
}
