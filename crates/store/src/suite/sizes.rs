//! Limits: what is just allowed and what is not, and range deletes.

use super::*;

pub fn limits_hold_and_what_exceeds_them_is_invalid(subject: impl Subject) {
    let store = subject.store();
    let check = |name: &str, writes: Vec<Write>, valid: bool| {
        let p = partition(name);
        let outcome = commit(&*store, &p, 0, writes);
        match &outcome {
            Ok(version) => assert!(valid && *version == Version(1), "{name}: {outcome:?}"),
            Err(CommitError::Invalid(_)) => assert!(!valid, "{name}: {outcome:?}"),
            Err(_) => panic!("{name}: {outcome:?}"),
        }
    };
    let long_key = |bytes| Bytes::from(vec![family::LOG; bytes]);
    check("key of 512 bytes", vec![put(long_key(512), "v")], true);
    check("key of 513 bytes", vec![put(long_key(513), "v")], false);
    check("key of 513 bytes deleted", vec![Write::Delete { key: long_key(513) }], false);
    check("no key", vec![put(Bytes::new(), "v")], false);
    check("reserved family", vec![put(Bytes::from_static(b"\x00"), "v")], false);
    check("reserved family deleted", vec![Write::Delete { key: Bytes::from_static(&[0]) }], false);
    let value = |bytes| vec![7; bytes];
    check("value of 64 KiB", vec![put(key("k"), value(65_536))], true);
    check("value above 64 KiB", vec![put(key("k"), value(65_537))], false);
    let writes = |count: u32| (0..count).map(|number| put(log_key(number), "v")).collect();
    check("no writes", vec![], false);
    check("512 writes", writes(512), true);
    check("513 writes", writes(513), false);
    // 16 keys of 5 bytes, 15 full values, and one that fills up the megabyte.
    let fill_up = |last| {
        let sizes = (0..16).map(|number| if number < 15 { 65_536 } else { last });
        (0..).zip(sizes).map(|(number, size)| put(log_key(number), value(size))).collect()
    };
    check("1 MiB", fill_up(65_536 - 80), true);
    check("above 1 MiB", fill_up(65_536 - 79), false);
    let p = Partition::new(vec![0; 128]).unwrap();
    assert_eq!(commit(&*store, &p, 0, vec![put(key("k"), "v")]), Ok(Version(1)));
    assert_eq!(get(&*store, &p, &key("k")), Some("v".into()));
    let last = commit(&*store, &partition("p"), u64::MAX, vec![put(key("k"), "v")]);
    assert!(matches!(last, Err(CommitError::Invalid(_))), "{last:?}");
}

pub fn delete_range_removes_the_rows_of_the_range(mut subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let version = fill(&*store, &p, 20);
    commit(
        &*store,
        &p,
        version,
        vec![
            delete_range(&log_key(5)..&log_key(10)),
            delete_range(&log_key(8)..&log_key(12)),
            delete_range(&log_key(18)..Family::Log.range().end),
            delete_range(&log_key(15)..&log_key(15)),
            delete_range(&log_key(15)..&log_key(2)),
            delete_range(Family::Outbox.range()),
        ],
    )
    .unwrap();
    let left: Vec<Bytes> = (0..5).chain(12..18).map(log_key).collect();
    let all = || Family::Log.range();
    assert_eq!(scan(&*store, &p, all(), Direction::Ascending, 100), left);
    drop(store);
    subject.reopen();
    assert_eq!(scan(&*subject.store(), &p, all(), Direction::Ascending, 100), left);
}

pub fn delete_range_sees_what_is_queued_before_it(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    commit(&*store, &p, 0, vec![put(log_key(0), "stored")]).unwrap();
    let steps = [
        vec![put(log_key(1), "queued"), put(log_key(9), "kept")],
        vec![Write::Delete { key: log_key(0) }],
        vec![delete_range(&log_key(0)..&log_key(5))],
        vec![put(log_key(2), "after")],
    ];
    let queued: Vec<_> = (1..)
        .zip(steps)
        .map(|(expected, writes)| {
            store.commit(Commit::synced(p.clone(), Version(expected), writes))
        })
        .collect();
    for outcome in queued {
        wait(outcome).unwrap();
    }
    let left = scan(&*store, &p, Family::Log.range(), Direction::Ascending, 10);
    assert_eq!(left, [log_key(2), log_key(9)]);
}

pub fn delete_range_stays_in_one_family(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    for (from, to) in [(&[1_u8][..], &[3_u8][..]), (&[2], &[0x80, 0]), (&[], &[1]), (&[0], &[1])] {
        let outcome = commit(&*store, &p, 0, vec![delete_range(from..to)]);
        assert!(matches!(outcome, Err(CommitError::Invalid(_))), "{outcome:?}");
    }
    assert_eq!(version(&*store, &p), Version(0));
}

pub fn delete_range_is_bounded(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let most = u32::try_from(limits::RANGE_ROWS_MAX).unwrap();
    let version_now = fill(&*store, &p, most + 1);
    let all = || delete_range(Family::Log.range());
    let outcome = commit(&*store, &p, version_now, vec![all()]);
    assert!(matches!(outcome, Err(CommitError::Invalid(_))), "{outcome:?}");
    // Two ranges count together, and the refused commits have changed nothing.
    let halves = || {
        vec![
            delete_range(&log_key(0)..&log_key(1000)),
            delete_range(&log_key(1000)..&log_key(most + 1)),
        ]
    };
    let outcome = commit(&*store, &p, version_now, halves());
    assert!(matches!(outcome, Err(CommitError::Invalid(_))), "{outcome:?}");
    assert_eq!(version(&*store, &p), Version(version_now));
    commit(&*store, &p, version_now, vec![Write::Delete { key: log_key(7) }]).unwrap();
    commit(&*store, &p, version_now + 1, halves()).unwrap();
    assert_eq!(everything(&*store, &p), []);
}
