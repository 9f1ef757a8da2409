//! What is done: a file of lines that only grows, so that a migration which was stopped, in whatever way, goes on
//! where it was.
//!
//! A line is written when its work is done. One that is lost (the power fails) or cut in half costs doing that
//! work again, and nothing else: all work may be done twice.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use crate::error::MigrateError;

const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    /// The first line: which apps.
    Migration { version: u32, source: String, target: String },
    /// From here on everything is looked at again, but for messages of groups that are there.
    Again,
    /// These accounts are at the target, with their profiles.
    Accounts(Vec<String>),
    /// This group is at the target.
    Group(String),
    /// The messages of a group are at the target, up to this number of the source. The last was of this second.
    Messages { group: String, through: u64, time: u32 },
    /// So are its members.
    Members(String),
    /// So are those whom a user has blocked.
    Blocked(String),
    /// So are a user's friends.
    Friends(String),
    /// So are the messages of two users.
    Pair(String, String),
    /// So is what an archive holds.
    Archive(String),
}

/// Where the messages of a group go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Through {
    /// Number of the last message that is there, at the source.
    pub(crate) seq: u64,
    /// Its second at the target.
    pub(crate) time: u32,
}

/// Everything that the lines say.
#[derive(Debug, Default)]
struct State {
    accounts: BTreeSet<String>,
    groups: BTreeSet<String>,
    through: HashMap<String, Through>,
    members: BTreeSet<String>,
    blocked: BTreeSet<String>,
    friends: BTreeSet<String>,
    /// The smaller name first.
    pairs: BTreeSet<(String, String)>,
    archives: BTreeSet<String>,
}

impl State {
    fn apply(&mut self, record: Record) {
        match record {
            Record::Migration { .. } => {}
            Record::Again => {
                let through = std::mem::take(&mut self.through);
                *self = Self { through, ..Self::default() };
            }
            Record::Accounts(accounts) => self.accounts.extend(accounts),
            Record::Group(group) => {
                self.groups.insert(group);
            }
            Record::Messages { group, through, time } => {
                self.through.insert(group, Through { seq: through, time });
            }
            Record::Members(group) => {
                self.members.insert(group);
            }
            Record::Blocked(user) => {
                self.blocked.insert(user);
            }
            Record::Friends(user) => {
                self.friends.insert(user);
            }
            Record::Pair(one, other) => {
                self.pairs.insert(sorted(&one, &other));
            }
            Record::Archive(path) => {
                self.archives.insert(path);
            }
        }
    }
}

/// The same two names in the same order.
pub(crate) fn sorted(one: &str, other: &str) -> (String, String) {
    (one.min(other).to_owned(), one.max(other).to_owned())
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Journal {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    state: State,
}

impl Journal {
    /// Opens or makes the journal of a migration between these two.
    ///
    /// # Errors
    /// It belongs to other apps, another program uses it, or it is something else.
    pub(crate) fn open(path: &Path, source: String, target: String) -> Result<Self, MigrateError> {
        let shown = path.display();
        let failed = || MigrateError::io(format!("the journal {shown}"));
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let info = format!("the journal {shown} is in use: a migration runs already");
                return Err(MigrateError::Usage(info));
            }
            Err(TryLockError::Error(problem)) => return Err(failed()(problem)),
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_end(&mut bytes))
            .map_err(failed())?;
        // A line without an end was being written when the program stopped.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(failed())?;
        let ours = Record::Migration { version: VERSION, source, target };
        let mut state = State::default();
        let mut lines = bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate();
        let parse = |(number, line): (usize, &[u8])| -> Result<Record, MigrateError> {
            serde_json::from_slice(line).map_err(|problem| {
                MigrateError::Malformed(format!("{shown}, line {}: {problem}", number + 1))
            })
        };
        match lines.next().map(parse).transpose()? {
            None => append(&mut file, &ours).map_err(failed())?,
            Some(first) if first == ours => {}
            Some(_) => {
                let info = format!("the journal {shown} belongs to a migration between other apps");
                return Err(MigrateError::Usage(info));
            }
        }
        for line in lines {
            state.apply(parse(line)?);
        }
        Ok(Self { inner: Mutex::new(Inner { file, state }) })
    }

    /// Something is done.
    pub(crate) fn note(&self, record: Record) -> Result<(), MigrateError> {
        let mut inner = self.lock();
        append(&mut inner.file, &record).map_err(MigrateError::io("write the journal"))?;
        inner.state.apply(record);
        Ok(())
    }

    /// Those of `users` who are not at the target, as far as is known; each once.
    pub(crate) fn unknown<'a>(&self, users: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let inner = self.lock();
        let is_unknown = |user: &&str| !inner.state.accounts.contains(*user);
        users.into_iter().filter(is_unknown).map(str::to_owned).collect()
    }

    /// All accounts that are at the target.
    pub(crate) fn accounts(&self) -> Vec<String> {
        self.lock().state.accounts.iter().cloned().collect()
    }

    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.lock().state.groups.contains(group)
    }

    pub(crate) fn through(&self, group: &str) -> Through {
        self.lock().state.through.get(group).copied().unwrap_or_default()
    }

    pub(crate) fn has_members(&self, group: &str) -> bool {
        self.lock().state.members.contains(group)
    }

    pub(crate) fn has_archive(&self, path: &str) -> bool {
        self.lock().state.archives.contains(path)
    }

    /// Whether there may be messages at the target that the source's history has forgotten.
    pub(crate) fn has_archives(&self) -> bool {
        !self.lock().state.archives.is_empty()
    }

    /// Accounts whose blocked users are not carried over yet.
    pub(crate) fn without_blocked(&self) -> Vec<String> {
        let inner = self.lock();
        inner.state.accounts.difference(&inner.state.blocked).cloned().collect()
    }

    /// Accounts whose friends are not carried over yet.
    pub(crate) fn without_friends(&self) -> Vec<String> {
        let inner = self.lock();
        inner.state.accounts.difference(&inner.state.friends).cloned().collect()
    }

    pub(crate) fn has_pair(&self, pair: &(String, String)) -> bool {
        self.lock().state.pairs.contains(pair)
    }

    /// All pairs whose messages are at the target.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        self.lock().state.pairs.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }
}

/// One write for a whole line: what a killed program leaves is a line, a part of one, or nothing.
fn append(file: &mut File, record: &Record) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(record).expect("plain data is JSON");
    line.push(b'\n');
    file.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<Journal, MigrateError> {
        Journal::open(path, "http://a 1".to_owned(), "http://b 2".to_owned())
    }

    #[test]
    fn what_was_noted_is_known_after_a_restart_and_half_a_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = open(&path).unwrap();
        journal.note(Record::Accounts(vec!["ann".to_owned()])).unwrap();
        let messages = |through| Record::Messages { group: "tea".to_owned(), through, time: 5 };
        journal.note(messages(20)).unwrap();
        journal.note(messages(40)).unwrap();
        journal.note(Record::Pair("ben".to_owned(), "ann".to_owned())).unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"friends":"an"#).unwrap();

        for _ in 0..2 {
            let journal = open(&path).unwrap();
            assert_eq!(journal.unknown(["ben", "ann", "ben"]), ["ben".to_owned()].into());
            assert_eq!(journal.through("tea"), Through { seq: 40, time: 5 });
            assert!(journal.has_pair(&sorted("ann", "ben")));
            assert_eq!(journal.without_friends(), ["ann"]);
        }
    }

    #[test]
    fn again_forgets_all_but_how_far_groups_are() {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder.path().join("journal")).unwrap();
        journal.note(Record::Group("tea".to_owned())).unwrap();
        journal.note(Record::Messages { group: "tea".to_owned(), through: 7, time: 5 }).unwrap();
        journal.note(Record::Again).unwrap();
        assert!(!journal.has_group("tea"));
        assert_eq!(journal.through("tea").seq, 7);
    }

    #[test]
    fn a_journal_belongs_to_two_apps_and_to_one_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = open(&path).unwrap();
        assert!(matches!(open(&path), Err(MigrateError::Usage(_))), "it is in use");
        drop(journal);
        let other = Journal::open(&path, "http://a 1".to_owned(), "http://c 3".to_owned());
        assert!(matches!(other, Err(MigrateError::Usage(_))));
        std::fs::write(&path, "tea\n").unwrap();
        assert!(matches!(open(&path), Err(MigrateError::Malformed(_))));
    }
}
