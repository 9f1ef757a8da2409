//! The directory of an embedded store: whose it is, which format it has, and whether all of it is
//! still there.
//!
//! ```text
//! lock               held while a process has the store open
//! format             the format version, as text
//! last-commit        the id of a batch that is certainly durable
//! engine/            the database
//! engine.new/        a database in creation; never had a commit
//! import.unfinished/ a database in import
//! ```

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::OpenError;

/// The format that this version writes, and the newest one that it reads.
pub(super) const FORMAT: u32 = 1;

const LOCK: &str = "lock";
const FORMAT_FILE: &str = "format";
const LAST_COMMIT: &str = "last-commit";
const ENGINE: &str = "engine";
const ENGINE_NEW: &str = "engine.new";
const IMPORT: &str = "import.unfinished";
/// What a file is called while it is written.
const TEMPORARY: &str = ".new";

/// A directory that this process has locked.
pub(super) struct Directory {
    path: PathBuf,
    /// Unlocks when dropped.
    _lock: File,
}

/// What a locked directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing that was ever used.
    Empty,
    /// An import that did not end.
    Import,
    /// A store of a readable format.
    Store,
}

impl Directory {
    /// Creates the directory if need be and locks it; a foreign one is not touched.
    pub(super) fn lock(path: &Path) -> Result<Directory, OpenError> {
        let at = |error| OpenError::io(path, error);
        fs::create_dir_all(path).map_err(at)?;
        refuse_foreign(path)?;
        let lock_path = path.join(LOCK);
        let lock = File::options().create(true).append(true).open(&lock_path);
        let lock = lock.map_err(|error| OpenError::io(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Directory { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(OpenError::io(&lock_path, error)),
        }
    }

    /// Says what is there, or why it cannot be used.
    pub(super) fn content(&self) -> Result<Content, OpenError> {
        refuse_foreign(&self.path)?;
        let format = self.format()?;
        let has = |name| fs::exists(self.path.join(name)).map_err(|e| OpenError::io(&self.path, e));
        let damaged =
            |what: &str| OpenError::Damaged { path: self.path.clone(), what: what.to_owned() };
        match (has(ENGINE)?, has(IMPORT)?, format) {
            (true, _, Some(_)) => Ok(Content::Store),
            (true, _, None) => Err(damaged("its format file is missing")),
            (false, true, _) => Ok(Content::Import),
            // Creation notes commit id 0 before the database gets its name, so a greater one
            // without a database is a loss.
            (false, false, _) => match self.last_commit()? {
                None | Some(0) => Ok(Content::Empty),
                Some(_) => Err(damaged("its engine directory is missing")),
            },
        }
    }

    /// The finished database.
    pub(super) fn engine(&self) -> PathBuf {
        self.path.join(ENGINE)
    }

    /// Where to create a database.
    pub(super) fn engine_new(&self) -> PathBuf {
        self.path.join(ENGINE_NEW)
    }

    /// Where to import a database.
    pub(super) fn import(&self) -> PathBuf {
        self.path.join(IMPORT)
    }

    /// Gives a database that is complete and synced its name: from now on the directory is a store.
    pub(super) fn finish(&self, from: &Path, commit_id: u64) -> Result<(), OpenError> {
        self.write(FORMAT_FILE, &format!("teahouse store\nformat {FORMAT}\n"))?;
        self.commit_id_file().write(commit_id).map_err(|e| OpenError::io(&self.path, e))?;
        let at = |error| OpenError::io(&self.path, error);
        fs::rename(from, self.engine()).map_err(at)?;
        sync_directory(&self.path).map_err(at)
    }

    /// Removes the leftovers of a creation or an import.
    pub(super) fn remove_unfinished(&self) -> Result<(), OpenError> {
        for name in [ENGINE_NEW, IMPORT] {
            let path = self.path.join(name);
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(OpenError::io(&path, error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    pub(super) fn commit_id_file(&self) -> CommitIdFile {
        CommitIdFile { directory: self.path.clone() }
    }

    /// The id of a batch that is certainly durable; `None` when it was never noted.
    pub(super) fn last_commit(&self) -> Result<Option<u64>, OpenError> {
        let Some(text) = self.read(LAST_COMMIT)? else { return Ok(None) };
        let id = text.strip_prefix("batch ").and_then(|rest| rest.trim_end().parse().ok());
        id.map(Some).ok_or_else(|| OpenError::Damaged {
            path: self.path.clone(),
            what: format!("its {LAST_COMMIT} file is not readable"),
        })
    }

    fn format(&self) -> Result<Option<u32>, OpenError> {
        let Some(text) = self.read(FORMAT_FILE)? else { return Ok(None) };
        let found = text
            .strip_prefix("teahouse store\nformat ")
            .and_then(|rest| rest.lines().next()?.parse::<u32>().ok());
        match found {
            Some(FORMAT) => Ok(Some(FORMAT)),
            Some(found) if found > FORMAT => {
                Err(OpenError::Newer { path: self.path.clone(), found })
            }
            Some(_) | None => Err(OpenError::Foreign { path: self.path.clone() }),
        }
    }

    fn read(&self, name: &str) -> Result<Option<String>, OpenError> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenError::io(&path, error)),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), OpenError> {
        replace(&self.path, name, text).map_err(|error| OpenError::io(&self.path.join(name), error))
    }
}

/// The file that names a durable batch, so that a journal that was cut is noticed.
pub(super) struct CommitIdFile {
    directory: PathBuf,
}

impl CommitIdFile {
    /// Notes a batch that is durable.
    pub(super) fn write(&self, commit_id: u64) -> io::Result<()> {
        replace(&self.directory, LAST_COMMIT, &format!("batch {commit_id}\n"))
    }
}

/// A directory is ours, or empty, when it holds nothing but names we know and, if anything is
/// stored in it, says so.
fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    let at = |error| OpenError::io(path, error);
    for entry in fs::read_dir(path).map_err(at)? {
        let name = entry.map_err(at)?.file_name();
        let name = name.to_string_lossy();
        let name = name.strip_suffix(TEMPORARY).unwrap_or(&name);
        if ![LOCK, FORMAT_FILE, LAST_COMMIT, ENGINE, IMPORT].contains(&name) {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
    }
    Ok(())
}

/// Replaces a file as a whole, durably.
fn replace(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let temporary = directory.join(format!("{name}{TEMPORARY}"));
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(name))?;
    sync_directory(directory)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
