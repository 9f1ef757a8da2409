//! Reads: what they see and in which order.

use super::*;

pub fn a_scan_is_half_open_in_both_directions(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    fill(&*store, &p, 10);
    let check = |from: u32, to: u32, expected: &[u32]| {
        let (from, to) = (log_key(from), log_key(to));
        let expected: Vec<Bytes> = expected.iter().map(|&number| log_key(number)).collect();
        assert_eq!(scan(&*store, &p, &from..&to, Direction::Ascending, 100), expected);
        let mut backwards = scan(&*store, &p, &from..&to, Direction::Descending, 100);
        backwards.reverse();
        assert_eq!(backwards, expected);
    };
    check(3, 6, &[3, 4, 5]);
    check(0, 1, &[0]);
    check(8, 50, &[8, 9]);
    check(10, 50, &[]);
}

pub fn a_scan_gives_less_than_its_limit_only_at_the_end(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    fill(&*store, &p, 1300);
    let check = |direction, limit: usize, first: u32| {
        let rows = scan(&*store, &p, Family::Log.range(), direction, limit);
        assert_eq!(rows.len(), limit.min(1300));
        assert_eq!(rows.first(), (limit > 0).then(|| log_key(first)).as_ref());
    };
    for limit in [0, 1, 2, 512, 1299, 1300, 1301, usize::MAX] {
        check(Direction::Ascending, limit, 0);
        check(Direction::Descending, limit, 1299);
    }
}

pub fn a_scan_of_an_empty_range_is_empty(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    fill(&*store, &p, 10);
    for (from, to) in [(3, 3), (7, 3)] {
        let (from, to) = (log_key(from), log_key(to));
        assert_eq!(scan(&*store, &p, &from..&to, Direction::Ascending, 10), [] as [Bytes; 0]);
        assert_eq!(scan(&*store, &p, &from..&to, Direction::Descending, 10), [] as [Bytes; 0]);
    }
}

pub fn a_scan_stays_in_one_family(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let check = |from: &[u8], to: &[u8]| {
        let outcome = wait(store.scan(&p, from..to, Direction::Ascending, 10));
        assert!(matches!(outcome, Err(ReadError::Invalid(_))), "{outcome:?}");
    };
    check(&[family::OUTBOX], &[family::LOG]);
    check(&[family::MUTABLE, 9], &[family::LOG, 0]);
    check(&[], &[family::OUTBOX]);
    check(&[0], &[family::OUTBOX]);
}

pub fn the_ranges_of_the_families_hold_all_their_rows(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let largest = |first: u8| {
        let mut key = vec![0xff; limits::KEY_BYTES_MAX];
        key[0] = first;
        Bytes::from(key)
    };
    let of = |family: Family| match family {
        Family::Outbox => vec![Bytes::from_static(&[1]), Bytes::from_static(&[1, 0]), largest(1)],
        Family::Mutable => vec![Bytes::from_static(&[2]), largest(0x7f)],
        Family::Log => vec![Bytes::from_static(&[0x80]), largest(0xff)],
    };
    let writes = Family::ALL.into_iter().flat_map(of).map(|key| put(key, "v")).collect();
    commit(&*store, &p, 0, writes).unwrap();
    for family in Family::ALL {
        let found = scan(&*store, &p, family.range(), Direction::Ascending, 10);
        assert_eq!(found, of(family), "{family:?}");
    }
}

pub fn get_many_keeps_the_order_asked_for(subject: impl Subject) {
    let store = subject.store();
    for name in ["a", "b", "c"] {
        commit(&*store, &partition(name), 0, vec![put(key(name), name)]).unwrap();
    }
    let row = |p: &str, k: &str| (partition(p), key(k));
    let asked = [row("c", "c"), row("a", "b"), row("a", "a"), row("c", "c"), row("no", "no")];
    let found = wait(store.get_many(&asked)).unwrap();
    let expected = [Some("c".into()), None, Some("a".into()), Some("c".into()), None];
    assert_eq!(found, expected);
}

pub fn rows_of_one_partition_are_of_one_moment(subject: impl Subject) {
    // Enough and large enough that a commit takes a while, and that an engine tidies up meanwhile.
    const ROWS: u8 = 40;
    let store = subject.store();
    let p = partition("p");
    let value = |number: u64| {
        let mut value = number.to_be_bytes().to_vec();
        value.resize(256, 0);
        value
    };
    let rows = |number: u64| {
        let rows = (0..ROWS).map(|row| put(key([row]), value(number)));
        // One row in another family, so that an engine that splits them is caught.
        rows.chain([put(outbox_key("a"), value(number))]).collect()
    };
    commit(&*store, &p, 0, rows(0)).unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 1..600 {
                let next = Commit::relaxed(p.clone(), Version(number), rows(number));
                wait(store.commit(next)).unwrap();
            }
        });
        let asked = [outbox_key("a"), key([0]), key([ROWS - 1])].map(|key| (p.clone(), key));
        while !writer.is_finished() {
            let found = wait(store.get_many(&asked)).unwrap();
            assert!(found.iter().all(|value| *value == found[0]), "{found:?}");
            let range = Family::Mutable.range();
            let rows = wait(store.scan(&p, range, Direction::Descending, 100)).unwrap();
            assert_eq!(rows.len(), usize::from(ROWS));
            assert!(rows.iter().all(|row| row.value == rows[0].value), "of two moments");
        }
    });
}
