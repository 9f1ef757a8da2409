//! The engine for one machine: a directory, one thread that writes, a few that read.
//!
//! Start with [`Embedded`]. A commit goes through `queue` to `commit_thread`; reads go through
//! `readers` to `engine`. `layout` says how rows lie in the database, `directory` what is around
//! it, `transfer` how everything gets out and in.

mod commit_thread;
mod directory;
mod engine;
mod layout;
mod queue;
mod readers;
mod transfer;
mod versions;

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};

use self::{
    commit_thread::CommitThread,
    directory::{Content, Directory},
    engine::{Engine, View},
    queue::CommitQueue,
    readers::Readers,
    versions::VersionTable,
};
use crate::{
    contract::{Commit, CommitError, Direction, Partition, ReadError, Row, Store, Version},
    stats::Stats,
    stream::{Exported, StreamError},
};

/// How much an embedded store may take. The defaults suit one machine that does nothing else.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of rows that each of the four keyspaces gathers in memory before it writes a table.
    pub memtable_bytes_max: u64,
    /// Bytes of table blocks kept in memory.
    pub cache_bytes: u64,
    /// Bytes of commits that may wait; beyond, commits are answered with `Unavailable`.
    pub queue_bytes_max: usize,
    /// Threads that read.
    pub reader_threads: usize,
    /// Partitions whose versions are kept in memory, about.
    pub versions_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            memtable_bytes_max: 8 * 1024 * 1024,
            cache_bytes: 64 * 1024 * 1024,
            queue_bytes_max: 32 * 1024 * 1024,
            reader_threads: thread::available_parallelism().map_or(2, usize::from).clamp(2, 4),
            versions_max: 131_072,
        }
    }
}

/// Why a directory cannot be opened as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not empty and not a store.
    #[error("{} is not empty and is not a teahouse store", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// Written by a newer version of Teahouse.
    #[error(
        "{}: format {found} was written by a newer teahouse, this one reads up to {}",
        path.display(),
        directory::FORMAT
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// The format found.
        found: u32,
    },
    /// Another process has it open.
    #[error("{} is in use by another teahouse process", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The journal lost batches that were durable.
    #[error(
        "{}: the store ends at batch {stored}, but batch {noted} was durable: the journal was cut; \
         restore a copy",
        path.display()
    )]
    Cut {
        /// The directory.
        path: PathBuf,
        /// The last batch that is stored.
        stored: u64,
        /// A batch that was noted as durable.
        noted: u64,
    },
    /// Something that must be there is missing or not readable, as the text says.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// An import into it did not end.
    #[error("{} holds an import that was interrupted; run the import again", path.display())]
    UnfinishedImport {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The refusal.
        error: io::Error,
    },
    /// The database underneath does not open.
    #[error("{}: the database does not open: {error}", path.display())]
    Engine {
        /// The directory.
        path: PathBuf,
        /// What the database says.
        error: String,
    },
}

impl OpenError {
    fn io(path: &Path, error: io::Error) -> OpenError {
        OpenError::Io { path: path.to_owned(), error }
    }

    fn engine(path: &Path, error: &dyn std::error::Error) -> OpenError {
        OpenError::Engine { path: path.to_owned(), error: error.to_string() }
    }
}

/// A store in a directory of its own.
pub struct Embedded {
    shared: Arc<Shared>,
    engine: Engine,
    readers: Readers,
    commit_thread: Mutex<Option<JoinHandle<()>>>,
    // Dropped last: the directory stays locked until everything else is closed.
    _directory: Directory,
}

/// What the callers and the commit thread share.
struct Shared {
    queue: CommitQueue,
    versions: VersionTable,
    stats: Mutex<Stats>,
}

impl Shared {
    fn count(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Embedded {
    /// Opens the store in `path`, or creates one if nothing is there. Blocks; after a crash it
    /// replays the journal, at most 64 MiB.
    ///
    /// # Errors
    /// As [`OpenError`] says; a directory that is not opened is not changed.
    pub fn open(path: &Path, options: &Options) -> Result<Embedded, OpenError> {
        let directory = Directory::lock(path)?;
        match directory.content()? {
            Content::Store => {}
            Content::Import => return Err(OpenError::UnfinishedImport { path: path.to_owned() }),
            Content::Empty => create(&directory, options)?,
        }
        let engine = open_engine(&directory.engine(), options)?;
        let commit_id = check_complete(path, &directory, &engine)?;
        Embedded::start(directory, engine, commit_id, options)
    }

    fn start(
        directory: Directory,
        engine: Engine,
        commit_id: u64,
        options: &Options,
    ) -> Result<Embedded, OpenError> {
        let at = |error| OpenError::io(&directory.engine(), error);
        let shared = Arc::new(Shared {
            queue: CommitQueue::new(options.queue_bytes_max),
            versions: VersionTable::new((options.versions_max / 2).max(1)),
            stats: Mutex::default(),
        });
        let id_file = directory.commit_id_file();
        let work = CommitThread::new(Arc::clone(&shared), engine.clone(), id_file, commit_id);
        let readers = Readers::start(&engine, options.reader_threads.max(1)).map_err(at)?;
        let thread = thread::Builder::new().name("store-commit".to_owned());
        let thread = thread.spawn(move || work.run()).map_err(at)?;
        Ok(Embedded {
            shared,
            engine,
            readers,
            commit_thread: Mutex::new(Some(thread)),
            _directory: directory,
        })
    }

    /// Carries out what waits, syncs everything and stops. Blocks. Later commits and reads are
    /// answered with `Unavailable`. Dropping the store does the same.
    pub fn close(&self) {
        self.shared.queue.close();
        let thread = self.commit_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.join().expect("a panic of the commit thread ends the process");
        }
        self.readers.close();
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

fn open_engine(path: &Path, options: &Options) -> Result<Engine, OpenError> {
    Engine::open(path, options).map_err(|error| {
        if matches!(error, fjall::Error::Locked) {
            OpenError::Locked { path: path.to_owned() }
        } else {
            OpenError::engine(path, &error)
        }
    })
}

/// Creates an empty database under another name first, so that a crash leaves nothing half made.
fn create(directory: &Directory, options: &Options) -> Result<(), OpenError> {
    directory.remove_unfinished()?;
    let path = directory.engine_new();
    drop(open_engine(&path, options)?);
    directory.finish(&path, 0)
}

/// Compares the last batch with the one that was noted as durable.
fn check_complete(path: &Path, directory: &Directory, engine: &Engine) -> Result<u64, OpenError> {
    let damaged = |what: String| OpenError::Damaged { path: path.to_owned(), what };
    let stored = engine.view().commit_id().map_err(|error| damaged(error.to_string()))?;
    let noted = directory.last_commit()?;
    let noted = noted.ok_or_else(|| damaged("its last-commit file is missing".to_owned()))?;
    if stored < noted {
        return Err(OpenError::Cut { path: path.to_owned(), stored, noted });
    }
    Ok(stored)
}

/// Checks a row against the version of its partition. The table knows the partitions in use, so
/// this rarely reads.
fn check_version(
    shared: &Shared,
    view: &View<'_>,
    partition: &Partition,
    row_version: Version,
) -> Result<(), ReadError> {
    match shared.versions.get(partition) {
        Some(version) if row_version <= version => Ok(()),
        // Not known, or this view has seen a batch that is just being published.
        Some(_) | None => view.check_version(partition, row_version),
    }
}

fn get_checked(
    shared: &Shared,
    view: &View<'_>,
    partition: &Partition,
    key: &[u8],
) -> Result<Option<Bytes>, ReadError> {
    let Some((version, value)) = view.get(partition, key)? else { return Ok(None) };
    check_version(shared, view, partition, version)?;
    Ok(Some(value))
}

impl Store for Embedded {
    fn version<'a>(
        &'a self,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Version, ReadError>> {
        self.shared.queue.reload(partition);
        if let Some(version) = self.shared.versions.get(partition) {
            return std::future::ready(Ok(version)).boxed();
        }
        let partition = partition.clone();
        self.readers.run(move |engine| engine.view().version(&partition)).boxed()
    }

    fn get<'a>(
        &'a self,
        partition: &'a Partition,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        let (partition, key) = (partition.clone(), key.to_vec());
        let shared = Arc::clone(&self.shared);
        let read = move |engine: &Engine| get_checked(&shared, &engine.view(), &partition, &key);
        self.readers.run(read).boxed()
    }

    fn get_many<'a>(
        &'a self,
        rows: &'a [(Partition, Bytes)],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, ReadError>> {
        if rows.is_empty() {
            return std::future::ready(Ok(Vec::new())).boxed();
        }
        let rows = rows.to_vec();
        let shared = Arc::clone(&self.shared);
        let read = move |engine: &Engine| {
            let view = engine.view();
            rows.iter()
                .map(|(partition, key)| get_checked(&shared, &view, partition, key))
                .collect()
        };
        self.readers.run(read).boxed()
    }

    fn scan<'a>(
        &'a self,
        partition: &'a Partition,
        range: Range<&'a [u8]>,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Row>, ReadError>> {
        let (partition, from, to) = (partition.clone(), range.start.to_vec(), range.end.to_vec());
        let shared = Arc::clone(&self.shared);
        let read = move |engine: &Engine| {
            let view = engine.view();
            let rows = view.scan(&partition, &from..&to, direction, limit)?;
            if let Some(newest) = rows.iter().map(|row| row.version).max() {
                check_version(&shared, &view, &partition, newest)?;
            }
            Ok(rows.into_iter().map(|row| row.row).collect())
        };
        self.readers.run(read).boxed()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'static, Result<Version, CommitError>> {
        match self.shared.queue.push(commit) {
            // The commit thread answers all it takes; only the end of the process prevents it.
            Ok(outcome) => {
                outcome.map(|outcome| outcome.unwrap_or(Err(CommitError::Unknown))).boxed()
            }
            Err(refusal) => std::future::ready(Err(refusal)).boxed(),
        }
    }

    fn pending<'a>(
        &'a self,
        after: Option<&'a Partition>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Partition>, ReadError>> {
        let after = after.cloned();
        self.readers.run(move |engine| engine.view().pending(after.as_ref(), limit)).boxed()
    }

    fn export(&self, output: &mut dyn io::Write) -> Result<Exported, StreamError> {
        transfer::export(&self.engine.view(), output)
    }

    fn stats(&self) -> Stats {
        let depth = self.shared.queue.depth();
        let mut stats = self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stats.refused = depth.refused;
        stats.queued_commits = depth.commits;
        stats.queued_bytes = depth.bytes;
        stats.reads = self.readers.jobs();
        stats.queued_reads = self.readers.waiting();
        stats
    }
}

#[cfg(test)]
mod tests;
