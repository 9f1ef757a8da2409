//! Data of every format that was ever released still opens and holds what it held.

#[path = "support/fixture.rs"]
mod fixture;
mod support;

use std::{fs, path::Path};

use support::{commit, copy, key, open, partition, put, small, wait};
use teahouse_store::{Embedded, Memory, Store, Version};

/// A copy of a checked-in directory: opening one writes to it.
fn copied(name: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name), root.path());
    root
}

/// The export that every store with this content gives.
fn expected_export() -> Vec<u8> {
    let model = Memory::new();
    for commit in fixture::commits() {
        drop(model.commit(commit));
    }
    let mut stream = Vec::new();
    model.export(&mut stream).expect("memory can be written to");
    stream
}

fn check_content(store: &Embedded) {
    let mut stream = Vec::new();
    store.export(&mut stream).expect("a readable store");
    assert!(stream == expected_export(), "the content differs");
    let names = [&b"user\x00"[..], b"user\x00alice"].map(partition);
    assert_eq!(wait(store.pending(None, 10)).expect("readable"), names);
    assert_eq!(wait(store.version(&partition("gone"))), Ok(Version(2)));
}

#[test]
fn a_store_of_format_1_opens_and_goes_on() {
    let root = copied("fixture-v1");
    let path = root.path().join("store");
    let store = open(&path);
    check_content(&store);
    let room = partition("room");
    assert_eq!(commit(&store, &room, 300, vec![put(key("head"), "301")]), Ok(Version(301)));
    drop(store);
    assert_eq!(wait(open(&path).get(&room, &key("head"))), Ok(Some("301".into())));
}

#[test]
fn an_export_of_format_1_can_be_imported() {
    let root = copied("fixture-v1");
    let mut input = fs::File::open(root.path().join("export")).expect("the checked-in export");
    let path = root.path().join("imported");
    Embedded::import(&path, &mut input, &small()).expect("a readable export");
    check_content(&open(&path));
}
