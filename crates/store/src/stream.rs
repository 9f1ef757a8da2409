//! The export stream: all partitions and rows of a store, independent of its engine.
//!
//! ```text
//! header   "TEAHOUSE-EXPORT\n" (16 bytes), format version (u32)
//! frame    length of the payload (u32), kind (u8), payload, checksum (u32)
//! ```
//!
//! Numbers are little endian. The kinds, in the order in which they may come:
//!
//! | kind | payload | |
//! | --- | --- | --- |
//! | 1 partition | version (u64), name | ascending by name |
//! | 2 row | length of the key (u16), key, value | of the last partition, ascending by key |
//! | 3 end | partitions (u64), rows (u64) | exactly once, nothing follows |
//!
//! The checksum is CRC32C over everything from the first byte of the stream to the end of the
//! payload, so a frame that is lost, repeated, moved or altered is noticed at that frame, and a
//! stream that was cut has no end frame.

use std::io::{ErrorKind, Read, Write};

use bytes::Bytes;

use crate::contract::{Partition, ReadError, Row, Version, limits};

/// The format that this version writes, and the newest one that it reads.
pub const FORMAT: u32 = 1;

const MAGIC: [u8; 16] = *b"TEAHOUSE-EXPORT\n";
const KIND_PARTITION: u8 = 1;
const KIND_ROW: u8 = 2;
const KIND_END: u8 = 3;
/// Above every valid payload; a greater length means damage and is not allocated.
const PAYLOAD_BYTES_MAX: usize = 2 + limits::KEY_BYTES_MAX + limits::VALUE_BYTES_MAX;

/// What a stream held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Partitions that have ever been committed to.
    pub partitions: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of the stream.
    pub bytes: u64,
}

/// Why a stream could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The input or output failed, or the input ended early.
    #[error("the export stream failed: {0}")]
    Io(#[from] std::io::Error),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Not an export stream at all.
    #[error("this is not a teahouse export")]
    Foreign,
    /// Written by a newer version of Teahouse.
    #[error("export format {found} was written by a newer teahouse, this one reads up to {FORMAT}")]
    Newer {
        /// The format of the stream.
        found: u32,
    },
    /// Altered, cut or extended; the text says what was noticed.
    #[error("the export is damaged: {0}")]
    Damaged(String),
    /// The place to import into is not usable, as the text says.
    #[error("{0}")]
    Target(String),
}

/// Writes a stream: partitions ascending, after each its rows ascending, then [`finish`].
///
/// [`finish`]: StreamWriter::finish
pub struct StreamWriter<'a> {
    output: &'a mut dyn Write,
    crc: u32,
    written: Exported,
}

impl<'a> StreamWriter<'a> {
    /// Writes the header.
    ///
    /// # Errors
    /// When the output fails.
    pub fn new(output: &'a mut dyn Write) -> Result<StreamWriter<'a>, StreamError> {
        let mut writer = StreamWriter { output, crc: 0, written: Exported::default() };
        writer.emit(&MAGIC)?;
        writer.emit(&FORMAT.to_le_bytes())?;
        Ok(writer)
    }

    /// Begins a partition.
    ///
    /// # Errors
    /// When the output fails.
    pub fn partition(
        &mut self,
        partition: &Partition,
        version: Version,
    ) -> Result<(), StreamError> {
        self.written.partitions += 1;
        self.frame(KIND_PARTITION, &[&version.0.to_le_bytes(), partition])
    }

    /// Writes a row of the last partition.
    ///
    /// # Errors
    /// When the output fails.
    pub fn row(&mut self, key: &[u8], value: &[u8]) -> Result<(), StreamError> {
        self.written.rows += 1;
        let key_bytes = u16::try_from(key.len()).expect("a stored key is at most 512 bytes");
        self.frame(KIND_ROW, &[&key_bytes.to_le_bytes(), key, value])
    }

    /// Writes the end and flushes the output.
    ///
    /// # Errors
    /// When the output fails.
    pub fn finish(mut self) -> Result<Exported, StreamError> {
        let (partitions, rows) = (self.written.partitions, self.written.rows);
        self.frame(KIND_END, &[&partitions.to_le_bytes(), &rows.to_le_bytes()])?;
        self.output.flush()?;
        Ok(self.written)
    }

    fn frame(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), StreamError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).expect("a payload is bounded by the limits of a row");
        self.emit(&length.to_le_bytes())?;
        self.emit(&[kind])?;
        for part in parts {
            self.emit(part)?;
        }
        let crc = self.crc;
        self.emit(&crc.to_le_bytes())
    }

    fn emit(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        self.output.write_all(bytes)?;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.written.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// One element of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// A partition begins.
    Partition(Partition, Version),
    /// A row of the last partition.
    Row(Row),
}

/// Reads a stream and checks everything that can be checked; after any error the reader must not
/// be used again and what it gave until then must be thrown away.
pub struct StreamReader<'a> {
    input: &'a mut dyn Read,
    crc: u32,
    read: Exported,
    partition: Option<Partition>,
    key: Option<Bytes>,
    ended: bool,
}

impl<'a> StreamReader<'a> {
    /// Reads and checks the header.
    ///
    /// # Errors
    /// When the input is not an export stream, or one of a newer format.
    pub fn new(input: &'a mut dyn Read) -> Result<StreamReader<'a>, StreamError> {
        let mut reader = StreamReader {
            input,
            crc: 0,
            read: Exported::default(),
            partition: None,
            key: None,
            ended: false,
        };
        let mut magic = [0; MAGIC.len()];
        match reader.take(&mut magic) {
            Ok(()) if magic == MAGIC => {}
            Ok(()) | Err(StreamError::Damaged(_)) => return Err(StreamError::Foreign),
            Err(other) => return Err(other),
        }
        match reader.take_u32()? {
            FORMAT => Ok(reader),
            0 => Err(StreamError::Damaged("it names format 0".to_owned())),
            found => Err(StreamError::Newer { found }),
        }
    }

    /// The next element; `None` at the end, which was then found to be complete.
    ///
    /// # Errors
    /// When the input fails or the stream is damaged.
    #[expect(clippy::should_implement_trait, reason = "an iterator would go on after an error")]
    pub fn next(&mut self) -> Result<Option<Element>, StreamError> {
        if self.ended {
            return Ok(None);
        }
        let length = self.take_u32()? as usize;
        let mut kind = [0];
        self.take(&mut kind)?;
        if length > PAYLOAD_BYTES_MAX {
            return damaged(format!("a frame claims {length} bytes"));
        }
        let mut payload = vec![0; length];
        self.take(&mut payload)?;
        let expected = self.crc;
        if self.take_u32()? != expected {
            return damaged(format!("a checksum is wrong after {} rows", self.read.rows));
        }
        let payload = Bytes::from(payload);
        match kind[0] {
            KIND_PARTITION => self.partition(payload).map(Some),
            KIND_ROW => self.row(payload).map(Some),
            KIND_END => self.end(&payload).map(|()| None),
            other => damaged(format!("a frame has the unknown kind {other}")),
        }
    }

    /// What was read until now; all of it after [`next`](Self::next) has answered `None`.
    #[must_use]
    pub fn read(&self) -> Exported {
        self.read
    }

    fn partition(&mut self, mut payload: Bytes) -> Result<Element, StreamError> {
        let Some((version, _)) = payload.split_first_chunk::<8>() else {
            return damaged("a partition has no version".to_owned());
        };
        let version = Version(u64::from_le_bytes(*version));
        let name = payload.split_off(8);
        let partition =
            Partition::new(name).map_err(|error| StreamError::Damaged(error.to_string()))?;
        if self.partition.as_ref().is_some_and(|last| *last >= partition) {
            return damaged(format!("partition {partition} is out of order"));
        }
        self.partition = Some(partition.clone());
        self.key = None;
        self.read.partitions += 1;
        Ok(Element::Partition(partition, version))
    }

    fn row(&mut self, mut payload: Bytes) -> Result<Element, StreamError> {
        if self.partition.is_none() {
            return damaged("a row comes before any partition".to_owned());
        }
        let key_bytes = match payload.split_first_chunk::<2>() {
            Some((length, rest)) if usize::from(u16::from_le_bytes(*length)) <= rest.len() => {
                usize::from(u16::from_le_bytes(*length))
            }
            _ => return damaged("a row is shorter than its key".to_owned()),
        };
        let value = payload.split_off(2 + key_bytes);
        let row = Row { key: payload.split_off(2), value };
        if let Err(error) = row.check() {
            return damaged(error);
        }
        if self.key.as_ref().is_some_and(|last| *last >= row.key) {
            return damaged(format!("key {} is out of order", row.key.escape_ascii()));
        }
        self.key = Some(row.key.clone());
        self.read.rows += 1;
        Ok(Element::Row(row))
    }

    fn end(&mut self, payload: &[u8]) -> Result<(), StreamError> {
        let Exported { partitions, rows, .. } = self.read;
        if payload != [partitions.to_le_bytes(), rows.to_le_bytes()].concat() {
            return damaged("the counts at its end do not fit".to_owned());
        }
        let mut beyond = [0];
        match self.input.read(&mut beyond)? {
            0 => {}
            _ => return damaged("something follows its end".to_owned()),
        }
        self.ended = true;
        Ok(())
    }

    fn take_u32(&mut self) -> Result<u32, StreamError> {
        let mut bytes = [0; 4];
        self.take(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn take(&mut self, bytes: &mut [u8]) -> Result<(), StreamError> {
        self.input.read_exact(bytes).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                StreamError::Damaged(format!("it was cut after {} rows", self.read.rows))
            } else {
                StreamError::Io(error)
            }
        })?;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.read.bytes += bytes.len() as u64;
        Ok(())
    }
}

fn damaged<T>(what: String) -> Result<T, StreamError> {
    Err(StreamError::Damaged(what))
}
