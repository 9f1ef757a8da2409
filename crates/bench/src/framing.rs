//! WebSocket framing as a load generator needs it: encode a frame into a batch buffer, and split
//! what a socket delivered back into frames without copying whole ones.
//!
//! It is written by hand because the generator shares its machine with the server it measures: a
//! batch of frames becomes one write, a read is scanned where it lies, and a client masks with the
//! key zero, which RFC 6455 allows and which leaves the payload as it is. It refuses what no peer
//! of a benchmark sends: fragments, and masks with another key.

/// Opcode of a binary data frame.
pub(crate) const BINARY: u8 = 0x2;
/// Opcode of a close frame.
pub(crate) const CLOSE: u8 = 0x8;
/// Opcode of a ping.
pub(crate) const PING: u8 = 0x9;
/// Opcode of a pong.
pub(crate) const PONG: u8 = 0xa;

/// Largest payload accepted, in bytes: far above any frame of the protocol, far below what could
/// exhaust memory when the two ends disagree about where a frame starts.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a byte stream is not a sequence of frames that this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FramingError {
    /// A message was split over several frames.
    #[error("a fragmented message")]
    Fragmented,
    /// A frame was masked with a key other than zero.
    #[error("a frame masked with a key other than zero")]
    Masked,
    /// An extension bit was set although no extension was agreed on.
    #[error("a reserved bit without an extension")]
    Reserved,
    /// A frame announced more bytes than a benchmark ever exchanges.
    #[error("a frame of {0} bytes")]
    TooLong(u64),
}

/// Which end writes a frame; clients must mask, servers must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Masked with the key zero.
    Client,
    /// Not masked.
    Server,
}

/// Appends one whole frame to `out`.
pub(crate) fn put_frame(out: &mut Vec<u8>, side: Side, opcode: u8, payload: &[u8]) {
    let mask = match side {
        Side::Client => 0x80,
        Side::Server => 0,
    };
    out.push(0x80 | opcode);
    match payload.len() {
        short @ 0..=125 => out.push(mask | short as u8),
        medium @ 126..=0xffff => {
            out.push(mask | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(mask | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    if side == Side::Client {
        out.extend_from_slice(&[0; 4]);
    }
    out.extend_from_slice(payload);
}

/// Splits a byte stream into frames, whatever the sizes of the pieces it arrives in.
#[derive(Debug, Default)]
pub(crate) struct FrameReader {
    partial: Vec<u8>,
}

impl FrameReader {
    /// Takes the next piece of the stream and calls `on_frame(opcode, payload)` for each frame that
    /// is now complete, in order. Whole frames inside `bytes` are handed over without a copy.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut on_frame: impl FnMut(u8, &[u8]),
    ) -> Result<(), FramingError> {
        while !self.partial.is_empty() {
            // Complete the frame that an earlier piece began, taking only the bytes that it lacks.
            match frame_length(&self.partial)? {
                Some((head, payload)) if self.partial.len() >= head + payload => {
                    on_frame(self.partial[0] & 0x0f, &self.partial[head..head + payload]);
                    self.partial.clear();
                }
                _ if bytes.is_empty() => return Ok(()),
                Some((head, payload)) => {
                    let missing = head + payload - self.partial.len();
                    let (now, later) = bytes.split_at(missing.min(bytes.len()));
                    self.partial.extend_from_slice(now);
                    bytes = later;
                }
                None => {
                    self.partial.push(bytes[0]);
                    bytes = &bytes[1..];
                }
            }
        }
        while let Some((head, payload)) = frame_length(bytes)? {
            if bytes.len() < head + payload {
                break;
            }
            on_frame(bytes[0] & 0x0f, &bytes[head..head + payload]);
            bytes = &bytes[head + payload..];
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }
}

/// Length of the header and of the payload of the frame at the start of `bytes`; `None` while the
/// header is incomplete.
fn frame_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, FramingError> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(FramingError::Reserved);
    }
    if first & 0x80 == 0 || first & 0x0f == 0 {
        return Err(FramingError::Fragmented);
    }
    let masked = second & 0x80 != 0;
    let (width, payload) = match (second & 0x7f, rest) {
        (126, [a, b, ..]) => (2, u64::from(u16::from_be_bytes([*a, *b]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            (8, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
        }
        (126 | 127, _) => return Ok(None),
        (short, _) => (0, u64::from(short)),
    };
    if payload > PAYLOAD_BYTES_MAX as u64 {
        return Err(FramingError::TooLong(payload));
    }
    let head = 2 + width + if masked { 4 } else { 0 };
    if masked {
        let Some(key) = bytes.get(head - 4..head) else { return Ok(None) };
        if key != [0; 4] {
            return Err(FramingError::Masked);
        }
    }
    Ok(Some((head, payload as usize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(pieces: &[&[u8]]) -> Result<Vec<(u8, Vec<u8>)>, FramingError> {
        let mut reader = FrameReader::default();
        let mut seen = Vec::new();
        for piece in pieces {
            reader.feed(piece, |opcode, payload| seen.push((opcode, payload.to_vec())))?;
        }
        assert!(reader.partial.is_empty(), "half a frame is left");
        Ok(seen)
    }

    #[test]
    fn a_client_frame_has_these_bytes() {
        let mut out = Vec::new();
        put_frame(&mut out, Side::Client, BINARY, b"tea");
        assert_eq!(out, [0x82, 0x83, 0, 0, 0, 0, b't', b'e', b'a']);
        out.clear();
        put_frame(&mut out, Side::Server, BINARY, &[7; 126]);
        assert_eq!(&out[..5], [0x82, 126, 0, 126, 7]);
        out.clear();
        put_frame(&mut out, Side::Server, BINARY, &vec![7; 65_536]);
        assert_eq!(&out[..11], [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0, 7]);
    }

    #[test]
    fn every_length_class_survives_every_cut() {
        for side in [Side::Client, Side::Server] {
            let payloads: Vec<Vec<u8>> =
                [0, 1, 125, 126, 127, 700, 65_535, 65_536].map(|n| vec![n as u8; n]).to_vec();
            let mut stream = Vec::new();
            for payload in &payloads {
                put_frame(&mut stream, side, BINARY, payload);
            }
            let expected: Vec<_> = payloads.iter().map(|p| (BINARY, p.clone())).collect();
            for step in [1, 2, 3, 5, 13, 128, 701, 70_000, stream.len()] {
                let pieces: Vec<&[u8]> = stream.chunks(step).collect();
                assert_eq!(frames(&pieces).unwrap(), expected, "{side:?} in pieces of {step}");
            }
        }
    }

    #[test]
    fn what_no_peer_sends_is_refused() {
        assert_eq!(frames(&[&[0x02, 1, 0]]), Err(FramingError::Fragmented));
        assert_eq!(frames(&[&[0x80, 1, 0]]), Err(FramingError::Fragmented));
        assert_eq!(frames(&[&[0xc2, 1, 0]]), Err(FramingError::Reserved));
        assert_eq!(frames(&[&[0x82, 0x81, 0, 0, 0, 1, 0]]), Err(FramingError::Masked));
        let long = [0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(frames(&[&long]), Err(FramingError::TooLong(1 << 32)));
    }
}
