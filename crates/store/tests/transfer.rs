//! Everything out of one store and into another.

#![allow(clippy::unwrap_used, reason = "the functions beside the tests are tests, too")]

mod support;

use std::fs;

use support::{commit, everything, key, log_key, open, outbox_key, partition, put, small, wait};
use teahouse_store::{
    Embedded, Memory, OpenError, Store, Version,
    stream::{Exported, StreamError},
};

/// An export of a store with a few partitions and some 3000 rows.
fn exported() -> Vec<u8> {
    let store = Memory::new();
    for number in 0..30_u8 {
        let p = partition([number / 7, number % 7]);
        let rows = (0..100).map(|row| put(log_key(row), vec![number; usize::from(number) * 20]));
        let others = [put(key("k"), "v"), put(outbox_key("o"), "")];
        commit(&store, &p, 0, rows.chain(others).collect()).unwrap();
        commit(&store, &p, 1, vec![put(key("k"), "newer")]).unwrap();
    }
    let mut stream = Vec::new();
    store.export(&mut stream).unwrap();
    stream
}

fn import(path: &std::path::Path, mut stream: &[u8]) -> Result<Exported, StreamError> {
    Embedded::import(path, &mut stream, &small())
}

#[test]
fn what_goes_in_comes_out_the_same() {
    let root = tempfile::tempdir().unwrap();
    let stream = exported();
    let imported = import(root.path(), &stream).unwrap();
    assert_eq!(imported, Exported { partitions: 30, rows: 3060, bytes: stream.len() as u64 });
    let store = open(root.path());
    let mut again = Vec::new();
    assert_eq!(store.export(&mut again).unwrap(), imported);
    assert!(stream == again, "the streams differ");
    // It is a store like any other.
    let p = partition([0, 0]);
    assert_eq!(wait(store.pending(None, 1)), Ok(vec![p.clone()]));
    assert_eq!(commit(&store, &p, 2, vec![put(key("k"), "newest")]), Ok(Version(3)));
    drop(store);
    assert_eq!(wait(open(root.path()).get(&p, &key("k"))), Ok(Some("newest".into())));
}

#[test]
fn a_store_is_not_imported_over() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path()));
    let error = import(root.path(), &exported()).unwrap_err();
    assert!(error.to_string().ends_with("already holds a store"), "{error}");
    drop(open(root.path()));
    let _open = open(root.path());
    let error = import(root.path(), &exported()).unwrap_err();
    assert!(error.to_string().ends_with("is in use by another teahouse process"), "{error}");
}

#[test]
fn a_foreign_directory_is_not_imported_into() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("holiday.jpg"), "cheese").unwrap();
    let error = import(root.path(), &exported()).unwrap_err();
    assert!(error.to_string().ends_with("is not empty and is not a teahouse store"), "{error}");
}

#[test]
fn a_cut_stream_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let stream = exported();
    let path = root.path().join("new");
    for length in [0, 5, 20, 21, 50, 40_000, stream.len() / 2, stream.len() - 1] {
        let error = import(&path, &stream[..length]).unwrap_err();
        assert!(
            matches!(error, StreamError::Damaged(_) | StreamError::Foreign),
            "cut to {length}: {error:?}"
        );
        assert!(!path.exists(), "cut to {length}");
        // In a directory that was there before, only the lock file may stay.
        import(root.path(), &stream[..length]).unwrap_err();
        let names: Vec<_> =
            fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.is_empty() || names == ["lock"], "cut to {length}: {names:?}");
    }
    import(&path, &stream).unwrap();
}

#[test]
fn an_interrupted_import_does_not_open_and_may_be_repeated() {
    let root = tempfile::tempdir().unwrap();
    let unfinished = root.path().join("import.unfinished");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("0.jnl"), "half").unwrap();
    let refused = Embedded::open(root.path(), &small()).err();
    assert!(matches!(refused, Some(OpenError::UnfinishedImport { .. })), "{refused:?}");
    import(root.path(), &exported()).unwrap();
    let store = open(root.path());
    assert_eq!(everything(&store, &partition([0, 0])).len(), 102);
}

/// Imports into memory, which needs no cleaning up and is fast enough for each single byte.
fn refused(stream: &[u8]) -> StreamError {
    match Memory::import(&mut &stream[..]) {
        Ok(_) => panic!("it was taken for whole"),
        Err(error) => error,
    }
}

/// One partition and one row.
fn tiny() -> Vec<u8> {
    let store = Memory::new();
    commit(&store, &partition("p"), 0, vec![put(key("k"), "v")]).unwrap();
    let mut stream = Vec::new();
    store.export(&mut stream).unwrap();
    stream
}

#[test]
fn every_changed_bit_is_noticed() {
    let stream = tiny();
    for at in 0..stream.len() {
        for bit in 0..8 {
            let mut altered = stream.clone();
            altered[at] ^= 1 << bit;
            let error = refused(&altered);
            assert!(!matches!(error, StreamError::Io(_)), "byte {at}, bit {bit}: {error:?}");
        }
    }
}

#[test]
fn every_cut_is_noticed() {
    let stream = tiny();
    for length in 0..stream.len() {
        refused(&stream[..length]);
    }
    let longer = [&stream[..], b"x"].concat();
    assert_eq!(refused(&longer).to_string(), "the export is damaged: something follows its end");
}

#[test]
fn a_newer_stream_is_refused() {
    let mut stream = tiny();
    stream[16] = 2;
    let expected = "export format 2 was written by a newer teahouse, this one reads up to 1";
    assert_eq!(refused(&stream).to_string(), expected);
}

#[test]
fn something_else_is_refused() {
    assert_eq!(refused(b"PK\x03\x04").to_string(), "this is not a teahouse export");
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("new");
    import(&path, b"#!/bin/sh -e and more of it").unwrap_err();
    assert!(!path.exists());
}

/// The bytes themselves, so that a change of the format cannot go unnoticed.
#[test]
fn the_format_is_as_documented() {
    let crc = |bytes: &[u8]| crc32c::crc32c(bytes).to_le_bytes();
    let mut expected = b"TEAHOUSE-EXPORT\n\x01\x00\x00\x00".to_vec();
    expected.extend(b"\x09\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00p");
    expected.extend(crc(&expected));
    expected.extend(b"\x05\x00\x00\x00\x02\x02\x00\x02kv");
    expected.extend(crc(&expected));
    expected.extend(b"\x10\x00\x00\x00\x03\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
    expected.extend(crc(&expected));
    assert_eq!(tiny(), expected);
}

/// A full device at the other end.
#[test]
fn an_output_that_fails_ends_the_export() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0 < bytes.len() {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0 -= bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let root = tempfile::tempdir().unwrap();
    import(root.path(), &exported()).unwrap();
    let error = open(root.path()).export(&mut Full(50_000)).unwrap_err();
    assert!(matches!(error, StreamError::Io(_)), "{error:?}");
}
