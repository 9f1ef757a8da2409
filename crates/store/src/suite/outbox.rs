//! The index of pending outbox rows.

use super::*;

pub fn pending_lists_the_partitions_with_outbox_rows(mut subject: impl Subject) {
    let store = subject.store();
    let (a, b) = (partition("a"), partition("b"));
    let put_two = vec![put(outbox_key("1"), ""), put(outbox_key("2"), "")];
    commit(&*store, &a, 0, put_two).unwrap();
    commit(&*store, &b, 0, vec![put(key("k"), ""), put(log_key(1), "")]).unwrap();
    assert_eq!(pending(&*store, None, 10), std::slice::from_ref(&a));
    commit(&*store, &a, 1, vec![Write::Delete { key: outbox_key("1") }]).unwrap();
    assert_eq!(pending(&*store, None, 10), std::slice::from_ref(&a), "one row is left");
    commit(&*store, &b, 1, vec![put(outbox_key("1"), "")]).unwrap();
    drop(store);
    subject.reopen();
    let store = subject.store();
    assert_eq!(pending(&*store, None, 10), [a.clone(), b.clone()]);
    commit(&*store, &a, 2, vec![delete_range(Family::Outbox.range())]).unwrap();
    assert_eq!(pending(&*store, None, 10), [b]);
}

pub fn pending_pages_upwards(subject: impl Subject) {
    let store = subject.store();
    let mut names: Vec<Vec<u8>> = (0..30_u8).map(|n| vec![n / 3, n % 3][..].to_vec()).collect();
    names.extend([vec![0], vec![0, 0, 0], vec![1], vec![0xff; 128], b"longer".to_vec()]);
    for name in &names {
        commit(&*store, &partition(name), 0, vec![put(outbox_key("1"), "")]).unwrap();
    }
    names.sort();
    let expected: Vec<Partition> = names.iter().map(partition).collect();
    assert_eq!(pending(&*store, None, 100), expected);
    assert_eq!(pending(&*store, None, 0), []);
    let mut paged: Vec<Partition> = vec![];
    for _ in 0..expected.len().div_ceil(4) {
        let page = pending(&*store, paged.last(), 4);
        assert!(page.len() <= 4);
        paged.extend(page);
    }
    assert_eq!(pending(&*store, paged.last(), 4), []);
    assert_eq!(paged, expected);
    // A partition that is not itself in the list is a bound all the same.
    assert_eq!(pending(&*store, Some(&partition([5, 1, 0])), 1), [partition([5, 2])]);
}
