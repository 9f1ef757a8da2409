//! Frames of the client protocol: requests in, replies and pushes out, and the query that a client
//! connects with.
//!
//! A frame is one JSON object `{"head": {...}, "body": {...}}`. Requests are read without building a
//! tree and borrow from the received bytes; outgoing frames are written into one buffer. What a body
//! means, who the caller is, and how frames travel over a socket are not known here.

use std::borrow::Cow;
use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::fields::{Object, object};
use crate::ids::SdkAppId;
use crate::platform::Platform;
use crate::problem::describe;

/// `seq` of every push. Clients match replies by command and `seq` together and never send the
/// commands of pushes, so one constant lets all recipients share the bytes of a frame.
pub const PUSH_SEQ: u64 = 1;

/// First bytes of a compressed frame.
pub const COMPRESSED_MARK: &[u8; 4] = b"COMP";

/// Frames below this size in bytes are not worth compressing.
pub const COMPRESS_BYTES_MIN: usize = 1024;

/// One request of a client, borrowed from the received frame.
///
/// Which credentials are there is up to the client: `identifier` and `usersig` before login, `a2`
/// and `tinyid` after it, all empty on an anonymous heartbeat.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// `service.command`.
    pub servcmd: Cow<'a, str>,
    /// Echoed in the reply. Clients keep it below 2^32.
    pub seq: u64,
    /// The application; 0 when absent.
    pub sdkappid: SdkAppId,
    /// The claimed user id; empty when absent.
    pub identifier: Cow<'a, str>,
    /// The UserSig of `identifier`; empty when absent.
    pub usersig: Cow<'a, str>,
    /// The session token; empty before login.
    pub a2: Cow<'a, str>,
    /// The user's internal number as decimal digits; empty before login.
    pub tinyid: Cow<'a, str>,
    /// The `InstId` that the login reply gave; 0 before login.
    pub status_instid: u32,
    /// What the client says it runs on.
    pub platform: Platform,
    /// The body as received; `{}` when absent. Checked to be JSON, but not to be an object.
    pub body: &'a RawValue,
}

/// Why bytes are not a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not UTF-8.
    #[error("the frame is not UTF-8")]
    NotUtf8,
    /// Not JSON, or a field of the head is missing or of the wrong type.
    #[error("the frame is malformed: {0}")]
    Malformed(String),
    /// `servcmd` is empty, longer than 128 bytes or not printable ASCII.
    #[error("the frame names no valid command")]
    BadCommand,
}

#[derive(Deserialize)]
struct WireFrame<'a> {
    #[serde(borrow, deserialize_with = "object")]
    head: WireHead<'a>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireHead<'a> {
    #[serde(borrow)]
    servcmd: Cow<'a, str>,
    seq: u64,
    #[serde(default)]
    sdkappid: u32,
    #[serde(borrow, default)]
    identifier: Cow<'a, str>,
    #[serde(borrow, default)]
    usersig: Cow<'a, str>,
    #[serde(borrow, default)]
    a2: Cow<'a, str>,
    #[serde(borrow, default)]
    tinyid: Cow<'a, str>,
    #[serde(default)]
    status_instid: u32,
    #[serde(default)]
    platform: u32,
}

impl<'a> Request<'a> {
    /// Longest `servcmd` in bytes.
    pub const SERVCMD_BYTES_MAX: usize = 128;

    /// Reads one frame. The caller bounds its size.
    ///
    /// # Errors
    /// [`FrameError`]: nothing useful can be answered, since command and `seq` are not known.
    pub fn parse(frame: &'a [u8]) -> Result<Self, FrameError> {
        let text = std::str::from_utf8(frame).map_err(|_| FrameError::NotUtf8)?;
        let Object(WireFrame { head, body }) =
            serde_json::from_str(text).map_err(|error| FrameError::Malformed(describe(&error)))?;
        let printable = head.servcmd.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable || !(1..=Self::SERVCMD_BYTES_MAX).contains(&head.servcmd.len()) {
            return Err(FrameError::BadCommand);
        }
        Ok(Self {
            servcmd: head.servcmd,
            seq: head.seq,
            sdkappid: SdkAppId(head.sdkappid),
            identifier: head.identifier,
            usersig: head.usersig,
            a2: head.a2,
            tinyid: head.tinyid,
            status_instid: head.status_instid,
            platform: Platform::from_number(head.platform),
            body: body.unwrap_or_else(|| empty_object()),
        })
    }

    /// `servcmd` split into service and command; the whole is the command when it has no dot.
    #[must_use]
    pub fn service_and_command(&self) -> (&str, &str) {
        self.servcmd.split_once('.').unwrap_or(("", &self.servcmd))
    }
}

fn empty_object() -> &'static RawValue {
    serde_json::from_str("{}").expect("an empty object is JSON")
}

/// A reply frame: `servcmd` and `seq` as in the request, `body` a JSON object.
#[must_use]
pub fn reply(servcmd: &str, seq: u64, body: impl AsRef<[u8]>) -> Bytes {
    let body = body.as_ref();
    let mut frame = begin(servcmd, seq, body.len());
    frame.extend_from_slice(body);
    end(frame)
}

/// A push frame with the constant [`PUSH_SEQ`]; `body` is a JSON object.
#[must_use]
pub fn push(servcmd: &str, body: impl AsRef<[u8]>) -> Bytes {
    reply(servcmd, PUSH_SEQ, body)
}

/// Starts a frame in a buffer with room for a body of `body_bytes`; the body is appended, then [`end`].
pub(crate) fn begin(servcmd: &str, seq: u64, body_bytes: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(body_bytes + servcmd.len() + 80);
    frame.extend_from_slice(br#"{"head":{"ver":"v4","servcmd":"#);
    write_json(&mut frame, servcmd);
    frame.extend_from_slice(br#","seq":"#);
    write_json(&mut frame, &seq);
    frame.extend_from_slice(br#"},"body":"#);
    frame
}

pub(crate) fn end(mut frame: Vec<u8>) -> Bytes {
    frame.push(b'}');
    frame.into()
}

/// Appends `value`, one of this crate's own types, as JSON.
pub(crate) fn write_json(buffer: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(buffer, value).expect("our own types serialise, and memory takes all");
}

/// The compressed form of a frame: [`COMPRESSED_MARK`] and a zlib stream.
///
/// `None` when the frame is below [`COMPRESS_BYTES_MIN`] or would not become smaller.
#[must_use]
pub fn compress(frame: &[u8]) -> Option<Bytes> {
    if frame.len() < COMPRESS_BYTES_MIN {
        return None;
    }
    let mut start = Vec::with_capacity(frame.len() / 2);
    start.extend_from_slice(COMPRESSED_MARK);
    // Level 1: a broadcast is compressed on the hot path, and JSON shrinks well at any level.
    let mut encoder = ZlibEncoder::new(start, Compression::fast());
    let compressed = encoder
        .write_all(frame)
        .and_then(|()| encoder.finish())
        .expect("compressing into memory cannot fail");
    (compressed.len() < frame.len()).then(|| compressed.into())
}

/// Undoes [`compress`], as a client does.
///
/// `None` when `frame` is not a compressed frame or inflates to more than `bytes_max`.
#[must_use]
pub fn decompress(frame: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    inflate(frame.strip_prefix(COMPRESSED_MARK)?, bytes_max)
}

/// Inflates a zlib stream of at most `bytes_max`; `None` when it is broken or longer.
pub(crate) fn inflate(zlib: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut inflated = Vec::new();
    let bound = u64::try_from(bytes_max).ok()?.checked_add(1)?;
    ZlibDecoder::new(zlib).take(bound).read_to_end(&mut inflated).ok()?;
    (inflated.len() <= bytes_max).then_some(inflated)
}

/// What a client says about itself in the URL that it connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectQuery {
    /// The application.
    pub sdkappid: SdkAppId,
    /// Random name of the client process, stable over its reconnects; empty when absent.
    pub instance_id: String,
    /// What the client runs on.
    pub platform: Platform,
    /// Version of the client SDK; empty when absent.
    pub sdk_version: String,
    /// Whether the client takes compressed frames.
    pub compress: bool,
}

/// Why a query string does not let a client connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Longer than [`ConnectQuery::BYTES_MAX`].
    #[error("the query is too long")]
    TooLong,
    /// `sdkappid` is missing or not a number below 2^32.
    #[error("sdkappid is missing or not a number")]
    BadApp,
    /// `instanceid` or `sdkversion` is longer than 64 bytes or not printable ASCII.
    #[error("{0} is not a short printable text")]
    BadText(&'static str),
}

impl ConnectQuery {
    /// Longest query string in bytes.
    pub const BYTES_MAX: usize = 2048;
    /// Longest `instanceid` or `sdkversion` in bytes.
    pub const TEXT_BYTES_MAX: usize = 64;

    /// Reads the query string of the connection's URL, without the question mark.
    ///
    /// Unknown parameters are skipped; of repeated ones the last counts.
    ///
    /// # Errors
    /// [`QueryError`] when the application is not given or a text is unusable.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        if query.len() > Self::BYTES_MAX {
            return Err(QueryError::TooLong);
        }
        let mut app = None;
        let mut parsed = Self {
            sdkappid: SdkAppId(0),
            instance_id: String::new(),
            platform: Platform::Web,
            sdk_version: String::new(),
            compress: false,
        };
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "sdkappid" => app = value.parse().ok(),
                "instanceid" => parsed.instance_id = short_text("instanceid", value)?,
                "platform" => parsed.platform = Platform::from_number(value.parse().unwrap_or(0)),
                "sdkversion" => parsed.sdk_version = short_text("sdkversion", value)?,
                "compress" => parsed.compress = value == "gzip",
                _ => {}
            }
        }
        parsed.sdkappid = app.ok_or(QueryError::BadApp)?;
        Ok(parsed)
    }
}

fn short_text(name: &'static str, encoded: &str) -> Result<String, QueryError> {
    let text = percent_decode(encoded).ok_or(QueryError::BadText(name))?;
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    if printable && text.len() <= ConnectQuery::TEXT_BYTES_MAX {
        Ok(text)
    } else {
        Err(QueryError::BadText(name))
    }
}

/// Decodes `%41` as `A` and `+` as a space; `None` for a broken escape or bytes that are not UTF-8.
fn percent_decode(encoded: &str) -> Option<String> {
    let mut bytes = encoded.bytes();
    let mut decoded = Vec::with_capacity(encoded.len());
    let hex = |byte: u8| char::from(byte).to_digit(16);
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => u8::try_from(hex(bytes.next()?)? * 16 + hex(bytes.next()?)?).ok()?,
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = r#"{"head":{"ver":"v4","platform":7,"websdkappid":537048168,
        "websdkversion":"1.7.3","status_instid":0,"sdkappid":1400000000,"contenttype":"json",
        "reqtime":1795390094,"identifier":"alice","usersig":"sigA","sdkability":75689843,
        "sdkability_ext":"","cappid":0,"cs":0,"servcmd":"im_open_status.wslogin","seq":8371968},
        "body":{"State":"Online","is_web_uniapp":0,"InstType":0,"CustomInfo":""}}"#;

    #[test]
    fn a_login_frame() {
        let request = Request::parse(LOGIN.as_bytes()).unwrap();
        assert_eq!(request.servcmd, "im_open_status.wslogin");
        assert_eq!(request.service_and_command(), ("im_open_status", "wslogin"));
        assert_eq!(request.seq, 8_371_968);
        assert_eq!(request.sdkappid, SdkAppId(1_400_000_000));
        assert_eq!(request.identifier, "alice");
        assert_eq!(request.usersig, "sigA");
        assert_eq!(request.a2, "");
        assert_eq!(request.tinyid, "");
        assert_eq!(request.status_instid, 0);
        assert_eq!(request.platform, Platform::Web);
        assert_eq!(
            request.body.get(),
            r#"{"State":"Online","is_web_uniapp":0,"InstType":0,"CustomInfo":""}"#
        );
        assert!(matches!(request.servcmd, Cow::Borrowed(_)));
    }

    #[test]
    fn a_frame_after_login_and_one_without_a_body() {
        let frame =
            br#"{"body":null,"head":{"seq":4294967296,"a2":"A2-x","tinyid":"144115200000000001",
            "status_instid":1000,"platform":2,"servcmd":"heartbeat.alive"}}"#;
        let request = Request::parse(frame).unwrap();
        assert_eq!(request.seq, 4_294_967_296);
        assert_eq!((&*request.a2, &*request.tinyid), ("A2-x", "144115200000000001"));
        assert_eq!(request.status_instid, 1000);
        assert_eq!(request.platform, Platform::Android);
        assert_eq!(request.sdkappid, SdkAppId(0));
        assert_eq!(request.body.get(), "{}");
    }

    #[test]
    fn malformed_frames_are_refused() {
        let long = format!(r#"{{"head":{{"servcmd":"{}","seq":1}}}}"#, "x".repeat(129));
        for frame in [
            "",
            "[]",
            r#"[{"servcmd":"a.b","seq":1},{}]"#,
            "{}",
            r#"{"head":{}}"#,
            r#"{"head":["a.b",1,1,"","","","",0,7]}"#,
            r#"{"head":{"servcmd":"a.b"}}"#,
            r#"{"head":{"servcmd":"a.b","seq":"1"}}"#,
            r#"{"head":{"servcmd":"a.b","seq":-1}}"#,
            r#"{"head":{"servcmd":1,"seq":1}}"#,
            r#"{"head":{"servcmd":"","seq":1}}"#,
            r#"{"head":{"servcmd":"a b","seq":1}}"#,
            r#"{"head":{"servcmd":"a.b","seq":1},"body":{}"#,
            r#"{"head":{"servcmd":"a.b","seq":1},"body":{"a":}}"#,
            r#"{"head":{"servcmd":"a.b","seq":1}}{}"#,
            &long,
        ] {
            assert!(Request::parse(frame.as_bytes()).is_err(), "{frame}");
        }
        assert_eq!(Request::parse(b"{\"\xff").unwrap_err(), FrameError::NotUtf8);
        let longest = long.replacen('x', "", 1);
        assert!(Request::parse(longest.as_bytes()).is_ok());
    }

    #[test]
    fn nesting_in_a_body_costs_no_stack() {
        let depth = 200_000;
        let frame = format!(
            r#"{{"head":{{"servcmd":"a.b","seq":1}},"body":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        );
        assert_eq!(Request::parse(frame.as_bytes()).unwrap().body.get().len(), 2 * depth);
    }

    #[test]
    fn replies_and_pushes_exactly() {
        assert_eq!(
            reply("openim.sendmsg", 8_371_981, r#"{"ErrorCode":0}"#),
            r#"{"head":{"ver":"v4","servcmd":"openim.sendmsg","seq":8371981},"body":{"ErrorCode":0}}"#
        );
        assert_eq!(
            push("im_open_push.msg_push", b"{}"),
            r#"{"head":{"ver":"v4","servcmd":"im_open_push.msg_push","seq":1},"body":{}}"#
        );
        // A command is echoed as it came, whatever it holds.
        assert_eq!(
            reply("a\"b", u64::MAX, "{}"),
            r#"{"head":{"ver":"v4","servcmd":"a\"b","seq":18446744073709551615},"body":{}}"#
        );
    }

    #[test]
    fn compression_is_for_large_frames_that_shrink() {
        let large = vec![b'a'; COMPRESS_BYTES_MIN];
        let compressed = compress(&large).unwrap();
        assert!(compressed.starts_with(b"COMP\x78"));
        assert!(compressed.len() < 64);
        assert_eq!(decompress(&compressed, large.len()).unwrap(), large);
        assert_eq!(decompress(&compressed, large.len() - 1), None);
        assert_eq!(compress(&large[1..]), None);
        assert_eq!(decompress(&large, 1 << 20), None);
        assert_eq!(decompress(&compressed[..compressed.len() - 1], 1 << 20), None);
        // A linear congruential generator makes bytes that do not compress.
        let mut state = 1u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(4096)
        .collect();
        assert_eq!(compress(&noise), None);
    }

    #[test]
    fn a_connect_query() {
        let query = "sdkappid=1400000000&instanceid=0123456789abcdef0123456789abcdef&random=0.744\
            &platform=7&host=windows&version=-1&sdkversion=3.6.6&compress=gzip";
        assert_eq!(
            ConnectQuery::parse(query),
            Ok(ConnectQuery {
                sdkappid: SdkAppId(1_400_000_000),
                instance_id: "0123456789abcdef0123456789abcdef".into(),
                platform: Platform::Web,
                sdk_version: "3.6.6".into(),
                compress: true,
            })
        );
        let minimal = ConnectQuery::parse("sdkappid=1").unwrap();
        assert_eq!((minimal.compress, &*minimal.instance_id), (false, ""));
        assert_eq!(ConnectQuery::parse("sdkappid=1&instanceid=%61%7e").unwrap().instance_id, "a~");
        assert_eq!(ConnectQuery::parse("sdkappid=1&platform=13").unwrap().platform, Platform::IPad);
    }

    #[test]
    fn unusable_queries_are_refused() {
        let long_id = format!("sdkappid=1&instanceid={}", "i".repeat(65));
        let long = format!("sdkappid=1&x={}", "x".repeat(ConnectQuery::BYTES_MAX));
        for (query, error) in [
            ("", QueryError::BadApp),
            ("sdkappid=", QueryError::BadApp),
            ("sdkappid=4294967296", QueryError::BadApp),
            ("sdkappid=1&sdkappid=x", QueryError::BadApp),
            ("sdkappid=1&instanceid=%6", QueryError::BadText("instanceid")),
            ("sdkappid=1&instanceid=%zz", QueryError::BadText("instanceid")),
            ("sdkappid=1&instanceid=%00", QueryError::BadText("instanceid")),
            ("sdkappid=1&sdkversion=a+b", QueryError::BadText("sdkversion")),
            (&long_id, QueryError::BadText("instanceid")),
            (&long, QueryError::TooLong),
        ] {
            assert_eq!(ConnectQuery::parse(query), Err(error), "{query}");
        }
    }
}
