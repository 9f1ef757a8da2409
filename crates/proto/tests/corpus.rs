//! Replays the checked-in fuzz corpus, crashes once found included, through the fuzz entry points.

use std::fs;
use std::path::{Path, PathBuf};

use teahouse_proto::fuzz;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 9] = [
    ("connect_query", fuzz::connect_query),
    ("fields", fuzz::fields),
    ("frame_request", fuzz::frame_request),
    ("ids", fuzz::ids),
    ("merged_list", fuzz::merged_list),
    ("message_body", fuzz::message_body),
    ("offline_push", fuzz::offline_push),
    ("send_control", fuzz::send_control),
    ("usersig", fuzz::usersig),
];

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Names of the entries of a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name().into_string().expect("names are UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn the_corpus_breaks_no_promise() {
    for (name, target) in TARGETS {
        let dir = fuzz_dir().join("corpus").join(name);
        let inputs = names(&dir);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            println!("{name}/{input}");
            target(&fs::read(dir.join(input)).unwrap());
        }
    }
}

#[test]
fn every_target_has_a_corpus_and_a_binary_and_is_replayed_here() {
    let replayed: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz_dir().join("corpus")), replayed);
    let binaries: Vec<_> = replayed.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&fuzz_dir().join("fuzz_targets")), binaries);
}
