//! What a directory must look like to be opened, and what is said when it does not.

#![allow(clippy::unwrap_used, reason = "the functions beside the tests are tests, too")]

mod support;

use std::{fs, path::Path};

use support::{commit, copy, everything, key, open, partition, put, small, wait};
use teahouse_store::{CommitError, Embedded, OpenError, ReadError, Store, Version};

/// The refusal of a directory that must not open.
fn refusal(path: &Path) -> OpenError {
    match Embedded::open(path, &small()) {
        Ok(_) => panic!("{} opens", path.display()),
        Err(error) => error,
    }
}

/// A store with `count` commits in partition `p`, closed.
fn closed_store(path: &Path, count: u64) {
    let store = open(path);
    let p = partition("p");
    let version = wait(store.version(&p)).expect("a version").0;
    for expected in version..version + count {
        commit(&store, &p, expected, vec![put(key("k"), vec![7; 1000])]).expect("a commit");
    }
}

#[test]
fn a_missing_directory_is_created() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a/b");
    closed_store(&path, 1);
    assert_eq!(everything(&open(&path), &partition("p")).len(), 1);
}

#[test]
fn a_directory_serves_one_process_at_a_time() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let error = refusal(root.path());
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    assert!(error.to_string().ends_with("is in use by another teahouse process"), "{error}");
    drop(store);
    open(root.path());
}

#[test]
fn a_newer_format_is_refused() {
    let root = tempfile::tempdir().unwrap();
    closed_store(root.path(), 1);
    fs::write(root.path().join("format"), "teahouse store\nformat 2\n").unwrap();
    let text = refusal(root.path()).to_string();
    let expected = "format 2 was written by a newer teahouse, this one reads up to 1";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_foreign_directory_is_refused_and_not_touched() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("holiday.jpg"), "cheese").unwrap();
    let error = refusal(root.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert!(error.to_string().ends_with("is not empty and is not a teahouse store"), "{error}");
    let names: Vec<_> =
        fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["holiday.jpg"]);
}

#[test]
fn a_format_file_of_somebody_else_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("format"), [0xff, 0xfe, 0]).unwrap();
    let error = refusal(root.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
}

#[test]
fn a_file_is_no_directory() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("file");
    fs::write(&path, "").unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
}

#[test]
fn an_interrupted_creation_starts_over() {
    let root = tempfile::tempdir().unwrap();
    let unfinished = root.path().join("engine.new");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("0.jnl"), "half").unwrap();
    fs::write(root.path().join("format"), "teahouse store\nformat 1\n").unwrap();
    fs::write(root.path().join("last-commit.new"), "ba").unwrap();
    closed_store(root.path(), 1);
    assert!(!unfinished.exists());
}

#[test]
fn an_older_copy_of_the_database_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let (store, backup) = (root.path().join("store"), root.path().join("backup"));
    closed_store(&store, 5);
    copy(&store.join("engine"), &backup);
    closed_store(&store, 5);
    fs::remove_dir_all(store.join("engine")).unwrap();
    fs::rename(&backup, store.join("engine")).unwrap();
    let error = refusal(&store);
    assert!(matches!(error, OpenError::Cut { stored: 5, noted: 10, .. }), "{error:?}");
}

/// The database takes a journal that ends early for one that was never longer.
#[test]
fn a_journal_that_lost_its_end_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    closed_store(root.path(), 20);
    let journal = fs::File::options().write(true).open(root.path().join("engine/0.jnl")).unwrap();
    // Behind the first few of the 20 batches of 1000 bytes.
    journal.set_len(5000).unwrap();
    let error = refusal(root.path());
    assert!(matches!(error, OpenError::Cut { noted: 20, .. }), "{error:?}");
    assert!(error.to_string().contains("the journal was cut"), "{error}");
}

/// Some damage the database reports, at some it stops reading and would go on without the rest.
#[test]
fn a_damaged_journal_is_noticed_wherever_it_is() {
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().join("whole");
    closed_store(&whole, 20);
    let journal = fs::read(whole.join("engine/0.jnl")).unwrap();
    let damaged = root.path().join("damaged");
    copy(&whole, &damaged);
    let mut cuts = 0;
    for at in (10_000..11_200).step_by(29) {
        let mut bytes = journal.clone();
        bytes[at] ^= 0x11;
        fs::write(damaged.join("engine/0.jnl"), bytes).unwrap();
        let error = refusal(&damaged);
        let cut = matches!(error, OpenError::Cut { .. });
        assert!(cut || matches!(error, OpenError::Engine { .. }), "byte {at}: {error:?}");
        cuts += usize::from(cut);
    }
    assert!(cuts > 0, "no byte showed what the note is for");
}

#[test]
fn missing_parts_are_noticed() {
    let check = |missing: &str, what: &str| {
        let root = tempfile::tempdir().unwrap();
        closed_store(root.path(), 1);
        let path = root.path().join(missing);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        let error = refusal(root.path());
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().ends_with(what), "{error}");
    };
    check("engine", "its engine directory is missing");
    check("format", "its format file is missing");
    check("last-commit", "its last-commit file is missing");
}

#[test]
fn an_unreadable_note_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    closed_store(root.path(), 1);
    fs::write(root.path().join("last-commit"), "batch many").unwrap();
    let error = refusal(root.path());
    assert!(error.to_string().ends_with("its last-commit file is not readable"), "{error}");
}

#[test]
fn damaged_tables_are_noticed_on_reading() {
    let root = tempfile::tempdir().unwrap();
    let p = partition("p");
    {
        let store = open(root.path());
        // More than a memtable holds, in rows that cannot be compressed away.
        let mut random = support::Random(1);
        for expected in 0..400 {
            let value: Vec<u8> = (0..125).flat_map(|_| random.next().to_le_bytes()).collect();
            commit(&store, &p, expected, vec![put(support::log_key(expected), value)]).unwrap();
        }
    }
    let damaged = damage_tables(&root.path().join("engine"));
    assert!(damaged > 0, "the test wants at least one table");
    let store = match Embedded::open(root.path(), &small()) {
        Ok(store) => store,
        // Damage to what the database reads at once.
        Err(error) => return assert!(matches!(error, OpenError::Engine { .. }), "{error:?}"),
    };
    let range = teahouse_store::family::Family::Log.range();
    let read = wait(store.scan(&p, range, teahouse_store::Direction::Ascending, 1000));
    assert!(matches!(read, Err(ReadError::Corrupt(_))), "{read:?}");
}

/// Flips bits near the beginning of every table, where its first block is.
fn damage_tables(directory: &Path) -> usize {
    let mut damaged = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damaged += damage_tables(&path);
        } else if path.parent().is_some_and(|parent| parent.ends_with("tables")) {
            let mut bytes = fs::read(&path).unwrap();
            if bytes.len() > 10_000 {
                bytes[300..1500].iter_mut().for_each(|byte| *byte ^= 0x40);
                fs::write(&path, bytes).unwrap();
                damaged += 1;
            }
        }
    }
    damaged
}

#[test]
fn a_closed_store_says_so() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let p = partition("p");
    let queued = store.commit(teahouse_store::Commit::synced(
        p.clone(),
        Version(0),
        vec![put(key("k"), "v")],
    ));
    store.close();
    assert_eq!(wait(queued), Ok(Version(1)), "what waited was carried out");
    let late = commit(&store, &p, 1, vec![put(key("k"), "v")]);
    assert_eq!(late, Err(CommitError::Unavailable));
    let read = wait(store.get(&p, &key("k")));
    assert_eq!(read, Err(ReadError::Unavailable("it is closed".to_owned())));
    assert_eq!(store.stats().refused, 1);
}

#[test]
fn a_commit_that_does_not_fit_the_queue_is_refused_at_once() {
    let root = tempfile::tempdir().unwrap();
    let options = teahouse_store::embedded::Options { queue_bytes_max: 4096, ..small() };
    let store = Embedded::open(root.path(), &options).unwrap();
    let p = partition("p");
    let large = commit(&store, &p, 0, vec![put(key("k"), vec![7; 5000])]);
    assert_eq!(large, Err(CommitError::Unavailable));
    let stats = store.stats();
    assert_eq!((stats.refused, stats.queued_bytes), (1, 0));
    // What was refused breaks its chain; reading the version ends that.
    assert_eq!(wait(store.version(&p)), Ok(Version(0)));
    assert_eq!(commit(&store, &p, 0, vec![put(key("k"), vec![7; 3000])]), Ok(Version(1)));
}
