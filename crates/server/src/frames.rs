//! Writing frames to a socket: as many in one write as are there, and none of them copied.
//!
//! The WebSocket library reads (masks, fragments, control frames); what the server sends is simple enough
//! (a header of 2 to 10 bytes before bytes that many sockets share) to spare each socket a buffer of its own
//! and each frame a copy.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;

/// Frames that one write takes.
const FRAMES_A_WRITE: usize = 32;
const HEADER_BYTES_MAX: usize = 10;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Text = 1,
    Binary = 2,
}

/// Writes all `frames` and empties the list. Nothing else may be written to `stream` meanwhile, also not
/// after this was dropped halfway.
pub(crate) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    opcode: Opcode,
    frames: &mut Vec<Bytes>,
) -> io::Result<()> {
    let mut progress = Progress::default();
    let written = poll_fn(|context| progress.poll(stream, opcode, frames, context)).await;
    frames.clear();
    written
}

/// How far a list of frames is written.
#[derive(Default)]
struct Progress {
    /// Frames that are written.
    done: usize,
    /// Bytes of the next one that are written, its header included.
    bytes: usize,
}

impl Progress {
    fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        opcode: Opcode,
        frames: &[Bytes],
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.done < frames.len() {
            let next = &frames[self.done..frames.len().min(self.done + FRAMES_A_WRITE)];
            let mut headers = [Header::default(); FRAMES_A_WRITE];
            for (header, frame) in headers.iter_mut().zip(next) {
                *header = Header::new(opcode, frame.len());
            }
            let mut slices = [IoSlice::new(&[]); 2 * FRAMES_A_WRITE];
            for (at, (header, frame)) in headers.iter().zip(next).enumerate() {
                slices[2 * at] = IoSlice::new(header.as_bytes());
                slices[2 * at + 1] = IoSlice::new(frame);
            }
            let mut slices = &mut slices[..2 * next.len()];
            IoSlice::advance_slices(&mut slices, self.bytes);
            let written = ready!(Pin::new(&mut *stream).poll_write_vectored(context, slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.bytes += written;
            for (header, frame) in headers.iter().zip(next) {
                let whole = header.as_bytes().len() + frame.len();
                if self.bytes < whole {
                    break;
                }
                self.bytes -= whole;
                self.done += 1;
            }
        }
        Pin::new(stream).poll_flush(context)
    }
}

/// The header of an unmasked frame that is a whole message.
#[derive(Clone, Copy, Default)]
struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    length: usize,
}

impl Header {
    fn new(opcode: Opcode, payload: usize) -> Self {
        const FINAL: u8 = 0x80;
        let mut bytes = [0; HEADER_BYTES_MAX];
        bytes[0] = FINAL | opcode as u8;
        let length = match (u8::try_from(payload), u16::try_from(payload)) {
            (Ok(short @ 0..=125), _) => {
                bytes[1] = short;
                2
            }
            (_, Ok(medium)) => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&medium.to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
                10
            }
        };
        Self { bytes, length }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::Role;

    /// A stream that takes few bytes at once, and only every other time.
    struct Reluctant<S> {
        inner: S,
        takes: bool,
    }

    impl<S: AsyncWrite + Unpin> AsyncWrite for Reluctant<S> {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.takes = !self.takes;
            if !self.takes {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let few = &bytes[..bytes.len().min(499)];
            Pin::new(&mut self.inner).poll_write(context, few)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_flush(context)
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_shutdown(context)
        }
    }

    #[tokio::test]
    async fn frames_of_every_length_arrive_whole_and_in_order() {
        let lengths = [0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000];
        let sent: Vec<Bytes> = (0..3_u8)
            .flat_map(|round| lengths.map(|length| Bytes::from(vec![round + b'a'; length])))
            .chain((0..100).map(|number: u32| Bytes::from(number.to_string())))
            .collect();
        for opcode in [Opcode::Binary, Opcode::Text] {
            let (server, client) = tokio::io::duplex(4_096);
            let mut frames = sent.clone();
            let writing = tokio::spawn(async move {
                let mut stream = Reluctant { inner: server, takes: false };
                write(&mut stream, opcode, &mut frames).await.expect("written");
                assert!(frames.is_empty());
            });
            let mut socket = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
            for expected in &sent {
                let received = socket.next().await.expect("a frame").expect("a valid one");
                assert_eq!(matches!(received, Message::Text(_)), opcode == Opcode::Text);
                assert_eq!(received.into_data(), expected);
            }
            writing.await.expect("no panic");
        }
    }
}
