//! Everything out of a running store, and into an empty directory.

use std::{fs, io, iter::Peekable, path::Path};

use fjall::PersistMode;

use super::{
    Embedded, OpenError, Options,
    directory::{Content, Directory},
    engine::{Engine, VersionedRow, View, corrupt},
    layout, open_engine,
};
use crate::{
    contract::{Partition, ReadError, Version},
    family::Family,
    stream::{Element, Exported, StreamError, StreamReader, StreamWriter},
};

/// Rows written in one batch of an import, at most.
const IMPORT_BATCH_ROWS: usize = 1024;

/// Bytes of values written in one batch of an import, about.
const IMPORT_BATCH_BYTES: usize = 1024 * 1024;

/// The id of the last batch of an imported store.
const IMPORT_COMMIT_ID: u64 = 1;

/// Writes all that the view shows.
///
/// The version rows and the rows of each family all ascend by partition, so one pass over the four
/// of them side by side is enough.
pub(super) fn export(view: &View<'_>, output: &mut dyn io::Write) -> Result<Exported, StreamError> {
    let mut writer = StreamWriter::new(output)?;
    let mut families = Family::ALL.map(|family| view.rows(family).peekable());
    for partition in view.partitions() {
        let (partition, version) = partition?;
        writer.partition(&partition, version)?;
        for rows in &mut families {
            while let Some(found) = next_of(rows, &partition)? {
                if found.version > version {
                    return Err(corrupt(format!(
                        "partition {partition} is at version {version} but has a row of version {}",
                        found.version
                    ))
                    .into());
                }
                writer.row(&found.row.key, &found.row.value)?;
            }
        }
    }
    for rows in &mut families {
        if let Some(left) = rows.next() {
            let (partition, _) = left?;
            return Err(corrupt(format!("partition {partition} has rows but no version")).into());
        }
    }
    writer.finish()
}

/// The next row if it belongs to `partition`.
fn next_of<I>(
    rows: &mut Peekable<I>,
    partition: &Partition,
) -> Result<Option<VersionedRow>, ReadError>
where
    I: Iterator<Item = Result<(Partition, VersionedRow), ReadError>>,
{
    match rows.next_if(|row| row.as_ref().map_or(true, |(owner, _)| owner == partition)) {
        Some(row) => row.map(|(_, row)| Some(row)),
        None => Ok(None),
    }
}

impl Embedded {
    /// Fills an empty or missing directory with an export stream. Blocks.
    ///
    /// The result is opened with [`Embedded::open`]. Whatever goes wrong, no half store is left: a
    /// process that dies in the middle leaves a directory that does not open, and that the same
    /// import may be run on again.
    ///
    /// # Errors
    /// When the directory is not empty, when the stream is cut, altered or of a newer format, and
    /// when the input or the device fails.
    pub fn import(
        path: &Path,
        input: &mut dyn io::Read,
        options: &Options,
    ) -> Result<Exported, StreamError> {
        let existed = fs::exists(path)?;
        let imported = import(path, input, options);
        if imported.is_err() && !existed {
            // Best effort: what is left holds no data and can be imported into.
            let _ = fs::remove_file(path.join("lock"));
            let _ = fs::remove_dir(path);
        }
        imported
    }
}

fn import(
    path: &Path,
    input: &mut dyn io::Read,
    options: &Options,
) -> Result<Exported, StreamError> {
    // Before anything is created: most wrong inputs show here.
    let mut reader = StreamReader::new(input)?;
    let directory = Directory::lock(path).map_err(target)?;
    match directory.content().map_err(target)? {
        Content::Empty | Content::Import => {}
        Content::Store => {
            let path = path.display();
            return Err(StreamError::Target(format!("{path} already holds a store")));
        }
    }
    directory.remove_unfinished().map_err(target)?;
    let unfinished = directory.import();
    let loaded = open_engine(&unfinished, options)
        .map_err(target)
        .and_then(|engine| load(&engine, &mut reader));
    if let Err(error) = loaded {
        directory.remove_unfinished().map_err(target)?;
        return Err(error);
    }
    directory.finish(&unfinished, IMPORT_COMMIT_ID).map_err(target)?;
    Ok(reader.read())
}

fn load(engine: &Engine, reader: &mut StreamReader<'_>) -> Result<(), StreamError> {
    let mut batch = engine.database().batch();
    let mut batch_bytes = 0;
    let mut owner = None;
    while let Some(element) = reader.next()? {
        match element {
            Element::Partition(partition, version) => {
                let key = layout::version_key(&partition);
                let sealed = layout::seal(&key, version, b"");
                batch.insert(engine.meta(), key, sealed);
                owner = Some((partition, version));
            }
            Element::Row(row) => {
                let (partition, version) = owner.as_ref().expect("the reader checks the order");
                let family = Family::of(&row.key).expect("the reader checks the key");
                let key = layout::row_key(partition, &row.key);
                let sealed = layout::seal(&key, *version, &row.value);
                batch_bytes += sealed.len();
                batch.insert(engine.keyspace(family), key, sealed);
            }
        }
        if batch.len() >= IMPORT_BATCH_ROWS || batch_bytes >= IMPORT_BATCH_BYTES {
            batch.commit().map_err(failed)?;
            batch = engine.database().batch();
            batch_bytes = 0;
        }
    }
    let id = layout::seal(layout::COMMIT_ID_KEY, Version(IMPORT_COMMIT_ID), b"");
    batch.insert(engine.meta(), layout::COMMIT_ID_KEY, id);
    batch.durability(Some(PersistMode::SyncAll)).commit().map_err(failed)
}

fn failed(error: fjall::Error) -> StreamError {
    StreamError::Io(io::Error::other(error))
}

fn target(error: OpenError) -> StreamError {
    StreamError::Target(error.to_string())
}
