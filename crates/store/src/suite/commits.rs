//! Commits: atomic, ordered, judged by their version.

use super::*;

pub fn a_commit_answers_the_next_version(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    for expected in 0..3 {
        let outcome = commit(&*store, &p, expected, vec![put(key("k"), "v")]);
        assert_eq!(outcome, Ok(Version(expected + 1)));
        assert_eq!(version(&*store, &p), Version(expected + 1));
    }
}

pub fn what_was_never_written_is_empty_and_not_an_error(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    assert_eq!(version(&*store, &p), Version::NONE);
    assert_eq!(get(&*store, &p, &key("k")), None);
    assert_eq!(get(&*store, &p, b"\x00reserved"), None);
    assert_eq!(get(&*store, &p, b""), None);
    assert_eq!(everything(&*store, &p), []);
    assert_eq!(pending(&*store, None, 10), []);
    assert_eq!(wait(store.get_many(&[])), Ok(vec![]));
    // One that exists does not lend its rows to keys beside them.
    commit(&*store, &p, 0, vec![put(key("k"), "v")]).unwrap();
    assert_eq!(get(&*store, &p, &key("")), None);
    assert_eq!(get(&*store, &p, &key("k\x00")), None);
}

pub fn keys_order_as_bytes(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let keys = [&b"\x02"[..], b"\x02\x00", b"\x02\x00\x01", b"\x02\x01", b"\x02\xff", b"\x03"];
    let writes = keys.iter().rev().map(|key| put(Bytes::from_static(key), "v")).collect();
    commit(&*store, &p, 0, writes).unwrap();
    let range = Family::Mutable.range();
    assert_eq!(scan(&*store, &p, range.clone(), Direction::Ascending, 10), keys);
    let mut backwards = scan(&*store, &p, range, Direction::Descending, 10);
    backwards.reverse();
    assert_eq!(backwards, keys);
}

pub fn partitions_share_nothing(subject: impl Subject) {
    let store = subject.store();
    // Names that are prefixes of each other, or look like what an engine may put around a name.
    let names =
        [&b"a"[..], b"a\x00", b"a\x00\x01", b"a\x00\xff", b"a\x01", b"a\x02", b"\x00", b"\x01a"];
    for name in names {
        let writes = vec![put(key("k"), name), put(log_key(1), name), put(outbox_key("o"), name)];
        commit(&*store, &partition(name), 0, writes).unwrap();
    }
    for name in names {
        let p = partition(name);
        let rows = everything(&*store, &p);
        assert_eq!(rows.len(), 3, "partition {p}");
        assert!(rows.iter().all(|row| row.value == name), "partition {p}");
    }
    let emptied = partition(names[1]);
    commit(&*store, &emptied, 1, Family::ALL.map(|f| delete_range(f.range())).to_vec()).unwrap();
    for name in names {
        let expected = if name == names[1] { 0 } else { 3 };
        assert_eq!(everything(&*store, &partition(name)).len(), expected);
    }
}

pub fn a_partition_keeps_its_version_when_it_is_emptied(mut subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    commit(&*store, &p, 0, vec![put(key("k"), "v")]).unwrap();
    commit(&*store, &p, 1, vec![Write::Delete { key: key("k") }]).unwrap();
    assert_eq!(everything(&*store, &p), []);
    drop(store);
    subject.reopen();
    let store = subject.store();
    assert_eq!(version(&*store, &p), Version(2));
    let again = commit(&*store, &p, 0, vec![put(key("k"), "v")]);
    assert_eq!(again, Err(CommitError::Conflict { current: Version(2) }));
}

pub fn a_conflict_names_the_version_and_writes_nothing(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let ahead = commit(&*store, &p, 5, vec![put(key("new"), "v")]);
    assert_eq!(ahead, Err(CommitError::Conflict { current: Version(0) }));
    commit(&*store, &p, 0, vec![put(key("k"), "v")]).unwrap();
    let writes =
        vec![put(key("k"), "other"), put(key("new"), "v"), delete_range(Family::Mutable.range())];
    let behind = commit(&*store, &p, 0, writes);
    assert_eq!(behind, Err(CommitError::Conflict { current: Version(1) }));
    assert_eq!(get(&*store, &p, &key("k")), Some("v".into()));
    assert_eq!(get(&*store, &p, &key("new")), None);
    assert_eq!(version(&*store, &p), Version(1));
}

pub fn an_invalid_commit_writes_nothing(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let writes = vec![put(key("k"), "v"), put(Bytes::new(), "v")];
    let outcome = commit(&*store, &p, 0, writes);
    assert!(matches!(outcome, Err(CommitError::Invalid(_))), "{outcome:?}");
    assert_eq!(version(&*store, &p), Version(0));
    assert_eq!(get(&*store, &p, &key("k")), None);
}

pub fn writes_apply_in_their_order(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let all = || delete_range(Family::Mutable.range());
    commit(&*store, &p, 0, vec![put(key("old"), "1")]).unwrap();
    let writes = vec![
        put(key("twice"), "1"),
        put(key("twice"), "2"),
        put(key("gone"), "1"),
        Write::Delete { key: key("gone") },
    ];
    commit(&*store, &p, 1, writes).unwrap();
    assert_eq!(get(&*store, &p, &key("twice")), Some("2".into()));
    assert_eq!(get(&*store, &p, &key("gone")), None);
    let writes = vec![put(key("before"), "1"), all(), put(key("after"), "1")];
    commit(&*store, &p, 2, writes).unwrap();
    let left = scan(&*store, &p, Family::Mutable.range(), Direction::Ascending, 10);
    assert_eq!(left, [key("after")]);
    let writes = vec![Write::Delete { key: key("after") }, put(key("after"), "2")];
    commit(&*store, &p, 3, writes).unwrap();
    assert_eq!(get(&*store, &p, &key("after")), Some("2".into()));
}

pub fn values_may_be_empty_or_as_large_as_the_limit(mut subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    // Not compressible, so that an engine cannot make it small.
    let mut seed = 7_u32;
    let large: Vec<u8> = (0..limits::VALUE_BYTES_MAX)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .collect();
    let writes = (0..15).map(|number| put(log_key(number), &large)).collect();
    commit(&*store, &p, 0, writes).unwrap();
    commit(&*store, &p, 1, vec![put(key("empty"), "")]).unwrap();
    drop(store);
    subject.reopen();
    let store = subject.store();
    assert_eq!(get(&*store, &p, &key("empty")), Some(Bytes::new()));
    for number in 0..15 {
        assert!(get(&*store, &p, &log_key(number)).is_some_and(|value| value == large));
    }
}
