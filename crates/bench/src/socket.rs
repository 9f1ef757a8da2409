//! The two halves of a WebSocket in a batch: reads that are scanned where they lie, writes that
//! never wait.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::Poll;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::framing::{CLOSE, FrameReader};

/// Bytes read from a socket at once.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    /// One read buffer for all sockets of a thread: a read is scanned before the next one starts.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// Splits a connection; `frames` holds what was read of it already.
pub(crate) fn split(stream: TcpStream, frames: FrameReader) -> (ReadSide, Link) {
    let (socket, write) = stream.into_split();
    (ReadSide { socket, frames }, Link { write, backlog: Mutex::default() })
}

/// The writing half. What the socket does not take at once is kept and goes out before the next
/// write or with the next [`Link::flush`], which the owner of many links calls now and then. The
/// backlog is bounded by what a run sends to a server that has stopped reading.
#[derive(Debug)]
pub(crate) struct Link {
    write: OwnedWriteHalf,
    backlog: Mutex<Vec<u8>>,
}

impl Link {
    /// Writes `bytes` behind everything written before. May be called from any thread.
    pub(crate) fn send(&self, bytes: &[u8]) {
        let mut backlog = self.lock();
        self.drain(&mut backlog);
        let written = if backlog.is_empty() { self.try_write(bytes) } else { 0 };
        backlog.extend_from_slice(&bytes[written..]);
    }

    /// Tries again to write what is kept.
    pub(crate) fn flush(&self) {
        self.drain(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.backlog.lock().expect("nothing panics while it writes")
    }

    fn drain(&self, backlog: &mut Vec<u8>) {
        if !backlog.is_empty() {
            let written = self.try_write(backlog);
            backlog.drain(..written);
        }
    }

    /// How much of `bytes` the socket took. A broken socket takes nothing: its reader reports it.
    fn try_write(&self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.write.try_write(&bytes[written..]) {
                Ok(more) if more > 0 => written += more,
                _ => break,
            }
        }
        written
    }
}

/// The reading half.
#[derive(Debug)]
pub(crate) struct ReadSide {
    socket: OwnedReadHalf,
    frames: FrameReader,
}

impl ReadSide {
    /// Waits until the socket has something, reads it once and calls `on_frame(opcode, payload)`
    /// for each frame that is complete. The error is a sentence: why the connection ended.
    pub(crate) async fn frames(
        &mut self,
        mut on_frame: impl FnMut(u8, &[u8]),
    ) -> Result<(), String> {
        let Self { socket, frames } = self;
        poll_fn(|context| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                // `poll_read` rather than `try_read`: after a short read it clears the readiness
                // at once and saves the second system call that would find nothing.
                match Pin::new(&mut *socket).poll_read(context, &mut buffer) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error.to_string())),
                    Poll::Ready(Ok(())) => {
                        Poll::Ready(take_frames(frames, buffer.filled(), &mut on_frame))
                    }
                }
            })
        })
        .await
    }
}

fn take_frames(
    frames: &mut FrameReader,
    bytes: &[u8],
    on_frame: &mut impl FnMut(u8, &[u8]),
) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("the peer closed a connection".to_owned());
    }
    let mut closed = None;
    let fed = frames.feed(bytes, |opcode, payload| {
        if opcode == CLOSE {
            closed = Some(String::from_utf8_lossy(payload.get(2..).unwrap_or(&[])).into_owned());
        }
        on_frame(opcode, payload);
    });
    fed.map_err(|error| format!("the peer sent {error}"))?;
    closed.map_or(Ok(()), |reason| Err(format!("the peer closed a connection: {reason}")))
}
