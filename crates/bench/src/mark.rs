//! The marker inside each message text: who sent it in which run, its place in the pair's order,
//! and when it was meant to be sent.
//!
//! The text is always 128 bytes of UTF-8. The marker is plain ASCII without a character that JSON
//! escapes, so that it can be found in a push, or in a page of history, by scanning.

/// Length of every message text, in bytes.
pub(crate) const TEXT_BYTES: usize = 128;

const START: &[u8] = b"#tb1:";
const MARK_BYTES: usize = START.len() + 8 + 1 + 8 + 1 + 8 + 1 + 16 + 1;

/// What a message text says about itself. `(epoch, pair, index)` is unique: the client's own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    /// The run; numbers of later runs are greater.
    pub(crate) epoch: u32,
    /// The pair of users, from 0.
    pub(crate) pair: u32,
    /// Place in the order of this pair and run, from 0 without holes.
    pub(crate) index: u32,
    /// Intended time of sending, in nanoseconds of the generator's monotonic clock.
    pub(crate) sent_ns: u64,
}

impl Mark {
    /// Appends the message text: the marker, then Chinese characters up to [`TEXT_BYTES`].
    pub(crate) fn put_text(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(START);
        put_hex(out, u64::from(self.epoch), 8);
        out.push(b':');
        put_hex(out, u64::from(self.pair), 8);
        out.push(b':');
        put_hex(out, u64::from(self.index), 8);
        out.push(b':');
        put_hex(out, self.sent_ns, 16);
        out.push(b'#');
        while !(TEXT_BYTES - (out.len() - start)).is_multiple_of(FILL.len()) {
            out.push(b' ');
        }
        while out.len() - start < TEXT_BYTES {
            out.extend_from_slice(FILL);
        }
    }
}

/// One character of three bytes: a text as people write it here, and a trap for a server that
/// counts characters or escapes them.
const FILL: &[u8] = "茶".as_bytes();

fn put_hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * place)) as usize & 0xf]);
    }
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = (*digit as char).to_digit(16)?;
        Some(value << 4 | u64::from(digit))
    })
}

/// All markers in `payload`, in order. What begins like one but is not is passed over.
pub(crate) fn marks(payload: &[u8]) -> impl Iterator<Item = Mark> + '_ {
    marks_at(payload).map(|(_, mark)| mark)
}

/// All markers in `payload` with the places at which they begin.
pub(crate) fn marks_at(payload: &[u8]) -> impl Iterator<Item = (usize, Mark)> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + find(&payload[from..], START)?;
            let found = payload.get(at..at + MARK_BYTES).and_then(parse);
            from = at + START.len();
            if let Some(mark) = found {
                return Some((at, mark));
            }
        }
    })
}

fn parse(mark: &[u8]) -> Option<Mark> {
    let fields = &mark[START.len()..];
    let separated = fields[8] == b':' && fields[17] == b':' && fields[26] == b':';
    if !separated || fields[43] != b'#' {
        return None;
    }
    Some(Mark {
        epoch: hex(&fields[..8])? as u32,
        pair: hex(&fields[9..17])? as u32,
        index: hex(&fields[18..26])? as u32,
        sent_ns: hex(&fields[27..43])?,
    })
}

/// Where `needle` first occurs. Fast when its first byte is rare in the haystack, as `#` is in the
/// frames of this protocol.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    loop {
        let at = from + haystack[from..].iter().position(|byte| *byte == first)?;
        if haystack[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { epoch: 7, pair: 199, index: 0xffff_ffff, sent_ns: 123_456_789_012 };

    fn text(mark: Mark) -> Vec<u8> {
        let mut text = Vec::new();
        mark.put_text(&mut text);
        text
    }

    #[test]
    fn a_text_is_128_bytes_of_utf8_that_json_leaves_alone() {
        for mark in [MARK, Mark { epoch: 0, pair: 0, index: 0, sent_ns: u64::MAX }] {
            let text = String::from_utf8(text(mark)).unwrap();
            assert_eq!(text.len(), TEXT_BYTES);
            assert!(text.contains('茶'));
            assert_eq!(serde_json::to_string(&text).unwrap(), format!("\"{text}\""));
        }
    }

    #[test]
    fn all_marks_of_a_frame_are_found_in_order() {
        let second = Mark { index: 1, ..MARK };
        let mut frame = b"{\"MsgBody\":\"#tb1:zz#tb".to_vec();
        frame.extend(text(MARK));
        frame.extend(b"\",\"x\":\"#tb1:");
        frame.extend(text(second));
        assert_eq!(marks(&frame).collect::<Vec<_>>(), [MARK, second]);
    }

    #[test]
    fn half_a_mark_is_no_mark() {
        let text = text(MARK);
        for end in 0..MARK_BYTES {
            assert_eq!(marks(&text[..end]).count(), 0, "the first {end} bytes");
        }
        assert_eq!(marks(&text[..MARK_BYTES]).count(), 1);
        let mut broken = text;
        broken[START.len() + 8] = b'0';
        assert_eq!(marks(&broken).count(), 0);
    }
}
