//! UserSig: the ticket that an application's backend signs for a user, second version.
//!
//! A ticket is a small JSON object with an HMAC-SHA-256 over its values, deflated and written in a
//! URL-safe base64 of its own. Compressed bytes differ between zlib builds, so tickets are always
//! decoded, never compared. Which apps and keys exist, and which tickets were revoked, is not known
//! here: the caller brings app, keys and time.

use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, PAD};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::error::ErrorCode;
use crate::fields::Object;
use crate::frame::inflate;
use crate::ids::SdkAppId;
use crate::time::UnixSeconds;

/// Longest ticket text in bytes.
pub const SIG_BYTES_MAX: usize = 12 * 1024;

/// Longest JSON that a ticket may inflate to, in bytes: bounds what a small ticket can cost.
pub const INFLATED_BYTES_MAX: usize = 8 * 1024;

/// How far in the future a ticket may be issued, in seconds: clocks of backends differ.
pub const CLOCK_SKEW_MAX_S: u64 = 86_400;

const VERSION: &str = "2.0";

/// Padding is optional on input: the ticket's padding character is cut off before decoding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const PADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD);

/// What to put into a new ticket.
#[derive(Debug, Clone, Copy)]
pub struct SignRequest<'a> {
    /// The application.
    pub app: SdkAppId,
    /// The user id, any UTF-8.
    pub user: &'a str,
    /// The application's secret key; used as text, not decoded from hexadecimal.
    pub key: &'a str,
    /// Time of issue.
    pub now: UnixSeconds,
    /// Lifetime in seconds.
    pub expire_s: u64,
    /// Data that is signed along: a room privilege made by [`RoomPrivilege::encode`].
    pub userbuf: Option<&'a [u8]>,
}

/// The content of a ticket whose signature has not been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The user id.
    pub identifier: String,
    /// The application.
    pub sdkappid: i64,
    /// Unix seconds of issue.
    pub time: i64,
    /// Lifetime in seconds.
    pub expire_s: i64,
    /// Base64 of the data signed along.
    pub userbuf: Option<String>,
    /// Base64 of the HMAC.
    pub sig: String,
}

/// A ticket that was signed with a key of the app and is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Time of issue.
    pub issued_at: UnixSeconds,
    /// The last second in which it is valid.
    pub expires_at: UnixSeconds,
}

/// Why a ticket is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserSigError {
    /// No ticket at all.
    #[error("the UserSig is empty")]
    Empty,
    /// Not base64, not zlib, too large, not the JSON of a version 2 ticket.
    #[error("the UserSig cannot be decoded; it may have been cut off")]
    Malformed,
    /// Signed for another application.
    #[error("the UserSig belongs to another app")]
    OtherApp,
    /// Signed for another user.
    #[error("the UserSig belongs to another user")]
    OtherUser,
    /// The caller has no key to check it with.
    #[error("the app has no key to check the UserSig with")]
    NoKey,
    /// Not signed with any of the keys.
    #[error("the UserSig was not signed with a key of this app")]
    Mismatch,
    /// Well signed, but its lifetime is over or was never positive.
    #[error("the UserSig has expired")]
    Expired,
    /// Well signed, but issued more than [`CLOCK_SKEW_MAX_S`] in the future.
    #[error("the UserSig was issued in the future")]
    FromTheFuture,
}

impl From<UserSigError> for ErrorCode {
    fn from(error: UserSigError) -> Self {
        match error {
            UserSigError::Empty => Self::UserSigEmpty,
            UserSigError::Malformed | UserSigError::FromTheFuture => Self::UserSigMalformed,
            UserSigError::OtherApp => Self::UserSigOtherApp,
            UserSigError::OtherUser => Self::UserSigOtherUser,
            UserSigError::NoKey => Self::KeyMissing,
            UserSigError::Mismatch => Self::UserSigMismatch,
            UserSigError::Expired => Self::UserSigExpired,
        }
    }
}

/// The JSON inside a ticket.
#[derive(Serialize, Deserialize)]
struct WireTicket<Int, Text> {
    #[serde(rename = "TLS.ver")]
    ver: Text,
    #[serde(rename = "TLS.identifier")]
    identifier: Text,
    #[serde(rename = "TLS.sdkappid")]
    sdkappid: Int,
    #[serde(rename = "TLS.time")]
    time: Int,
    #[serde(rename = "TLS.expire")]
    expire: Int,
    #[serde(rename = "TLS.userbuf", default, skip_serializing_if = "Option::is_none")]
    userbuf: Option<Text>,
    #[serde(rename = "TLS.sig")]
    sig: Text,
}

/// Makes a ticket.
#[must_use]
pub fn sign(request: &SignRequest<'_>) -> String {
    let userbuf = request.userbuf.map(|bytes| PADDED.encode(bytes));
    let content = content_to_sign(
        request.user,
        request.app.0,
        request.now.0,
        request.expire_s,
        userbuf.as_deref(),
    );
    let sig = PADDED.encode(hmac(request.key, &content));
    let ticket = WireTicket {
        ver: VERSION,
        identifier: request.user,
        sdkappid: u64::from(request.app.0),
        time: u64::from(request.now.0),
        expire: request.expire_s,
        userbuf: userbuf.as_deref(),
        sig: &sig,
    };
    pack(&serde_json::to_vec(&ticket).expect("texts and numbers serialise"))
}

/// Deflates `json` and writes it in the alphabet of tickets.
pub(crate) fn pack(json: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let deflated = encoder
        .write_all(json)
        .and_then(|()| encoder.finish())
        .expect("compressing into memory cannot fail");
    PADDED.encode(deflated).chars().map(to_ticket_alphabet).collect()
}

/// Reads a ticket without checking its signature, app, user or age.
///
/// # Errors
/// `Empty` or `Malformed`.
pub fn decode(sig: &str) -> Result<Ticket, UserSigError> {
    if sig.is_empty() {
        return Err(UserSigError::Empty);
    }
    decode_bounded(sig).ok_or(UserSigError::Malformed)
}

fn decode_bounded(sig: &str) -> Option<Ticket> {
    if sig.len() > SIG_BYTES_MAX {
        return None;
    }
    let base64: String =
        sig.trim_end_matches(['_', '=']).chars().map(from_ticket_alphabet).collect();
    let json = inflate(&LENIENT.decode(base64).ok()?, INFLATED_BYTES_MAX)?;
    let Object(wire): Object<WireTicket<LooseInt, String>> = serde_json::from_slice(&json).ok()?;
    let ticket = Ticket {
        identifier: wire.identifier,
        sdkappid: wire.sdkappid.0,
        time: wire.time.0,
        expire_s: wire.expire.0,
        userbuf: wire.userbuf,
        sig: wire.sig,
    };
    // A line break would let one signed text be read as two different tickets.
    let one_line = !ticket.identifier.contains('\n')
        && !ticket.userbuf.as_deref().unwrap_or_default().contains('\n');
    (wire.ver == VERSION && one_line).then_some(ticket)
}

/// Checks that `sig` lets `user` of `app` in at the time `now`.
///
/// `keys` are all active keys of the app: the current one and those being rotated out. The
/// signature is compared in constant time, with every key, before the age is looked at, so that a
/// forger learns nothing from the answer.
///
/// # Errors
/// [`UserSigError`], the first in the order: empty, malformed, app, user, signature, age.
pub fn verify(
    sig: &str,
    app: SdkAppId,
    user: &str,
    keys: &[impl AsRef<str>],
    now: UnixSeconds,
) -> Result<Verified, UserSigError> {
    let ticket = decode(sig)?;
    if ticket.sdkappid != i64::from(app.0) {
        return Err(UserSigError::OtherApp);
    }
    if ticket.identifier != user {
        return Err(UserSigError::OtherUser);
    }
    if keys.is_empty() {
        return Err(UserSigError::NoKey);
    }
    if !signed_with_one_of(&ticket, keys) {
        return Err(UserSigError::Mismatch);
    }
    check_age(&ticket, now)
}

fn signed_with_one_of(ticket: &Ticket, keys: &[impl AsRef<str>]) -> bool {
    let content = content_to_sign(
        &ticket.identifier,
        ticket.sdkappid,
        ticket.time,
        ticket.expire_s,
        ticket.userbuf.as_deref(),
    );
    let mut any = Choice::from(0);
    for key in keys {
        let expected = PADDED.encode(hmac(key.as_ref(), &content));
        any |= expected.as_bytes().ct_eq(ticket.sig.as_bytes());
    }
    any.into()
}

fn check_age(ticket: &Ticket, now: UnixSeconds) -> Result<Verified, UserSigError> {
    let expires_at = ticket.time.saturating_add(ticket.expire_s);
    if ticket.expire_s <= 0 || i64::from(now.0) > expires_at {
        return Err(UserSigError::Expired);
    }
    if ticket.time > i64::from(now.plus_seconds(CLOCK_SKEW_MAX_S).0) {
        return Err(UserSigError::FromTheFuture);
    }
    Ok(Verified {
        issued_at: saturating_seconds(ticket.time),
        expires_at: saturating_seconds(expires_at),
    })
}

fn saturating_seconds(unix_s: i64) -> UnixSeconds {
    UnixSeconds(u32::try_from(unix_s.max(0)).unwrap_or(u32::MAX))
}

fn content_to_sign(
    user: &str,
    app: impl std::fmt::Display,
    time: impl std::fmt::Display,
    expire: impl std::fmt::Display,
    userbuf: Option<&str>,
) -> String {
    let mut content = format!(
        "TLS.identifier:{user}\nTLS.sdkappid:{app}\nTLS.time:{time}\nTLS.expire:{expire}\n"
    );
    if let Some(userbuf) = userbuf {
        writeln!(content, "TLS.userbuf:{userbuf}").expect("writing to a String cannot fail");
    }
    content
}

fn hmac(key: &str, content: &str) -> [u8; 32] {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes any key");
    hmac.update(content.as_bytes());
    hmac.finalize().into_bytes().into()
}

fn to_ticket_alphabet(base64: char) -> char {
    match base64 {
        '+' => '*',
        '/' => '-',
        '=' => '_',
        other => other,
    }
}

fn from_ticket_alphabet(ticket: char) -> char {
    match ticket {
        '*' => '+',
        '-' => '/',
        other => other,
    }
}

/// An integer that some generators write as a string of digits.
#[derive(Clone, Copy)]
struct LooseInt(i64);

impl<'de> Deserialize<'de> for LooseInt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = LooseInt;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an integer or a string of digits")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<LooseInt, E> {
                i64::try_from(number).map(LooseInt).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<LooseInt, E> {
                Ok(LooseInt(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<LooseInt, E> {
                text.parse().map(LooseInt).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// The room that a privilege is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room<'a> {
    /// A room with a number.
    Number(u32),
    /// A room with a name of at most 65535 bytes; what is longer is cut off.
    Name(&'a str),
}

/// What a user may do in a media room; goes into a ticket as [`SignRequest::userbuf`].
#[derive(Debug, Clone, Copy)]
pub struct RoomPrivilege<'a> {
    /// The application.
    pub app: SdkAppId,
    /// The user id; ASCII, at most 65535 bytes.
    pub user: &'a str,
    /// The room.
    pub room: Room<'a>,
    /// When the privilege ends.
    pub expires_at: UnixSeconds,
    /// Bit set: 1 create, 2 join, 4 send and 8 receive audio, 16 send and 32 receive video, 64 send
    /// and 128 receive the second video stream.
    pub privileges: u32,
}

impl RoomPrivilege<'_> {
    /// The binary form that media servers read: big-endian, without padding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (version, room_number, room_name) = match self.room {
            Room::Number(number) => (0, number, None),
            Room::Name(name) => (1, 0, Some(name)),
        };
        let mut bytes = vec![version];
        push_text(&mut bytes, self.user);
        for number in [self.app.0, room_number, self.expires_at.0, self.privileges, 0] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        if let Some(name) = room_name {
            push_text(&mut bytes, name);
        }
        bytes
    }
}

/// Appends a text with its length in two bytes.
fn push_text(bytes: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";
    const K2: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const APP: SdkAppId = SdkAppId(1_400_000_000);
    const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

    const V1_NODE: &str = "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwok5mcmpUInilOzEgoLMFCUrQxMDKIDIlGTmpipZGZqjiqZWFGQWpSpZWZiZwISKM9OVrJTM3HOzsrxyPA2i0spSspwNCr0q3bI8svN8Cj3DUos8zYoKvPzTwyvS0g2zbZVqAZcSMWk_";
    const V1_CPYTHON: &str = "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwok5mcmpUInilOzEgoLMFCUrQxMDKIDIlGTmpgJFzVFFUysKMouA4hZmJjCh4sx0oKFm7rlZWV45ngZRaWUpWc4GhV6Vblke2Xk*hZ5hqUWeZkUFXv7p4RVp6YbZtkq1AJcSMWk_";
    const V2: &str = "eJw1ylELgjAUBeD-cp9DtuECB71YPgSTiCTq0dhVLqGObVoS-ffI1Xk73zkvqPQpmdCBApEwWC2dDPaBGlq4Nh315IOrw*B*B2-utbVkQPGUxfC4BOoQFF*zLJWZYCwqPi25r0spBfurpxYUTG3aHYpj2JbjgNpyne9znIu5EReD-ch3V2urs-S38rGB9wdTPDV4";
    const V3: &str = "eJxVjckOgkAQRP*lrxocDSqZhEO7EKMmhIAIx5EZtYPLZFxYjP9uRD1Yp6r3DvWAaBlad2WAQ89i0G42SXW60pYaLA6Uqa*4yFxoTRJ412bffMyVjgp4d-hPVanJKODOwP6h20WZzW0LHBDRS9elTntxlOU2IuKUHeM4OL-rpINNXPf3TTvgkM5WeVElwWp9yupU*q3*zu*wks33i2KUjEPjjEXteSgqx4XnCwYaQUU_";
    const V4: &str = "eJxVjs0KgkAYRd-l2xY2amQNuBgroj9CTFA30eAUH6n5M5oZvXtkuuiu7j1nc19w3DlKJXKgoCkEhu3GUCQSL9hifucnonamCG-nNMUQqDomXX5GYiyAqsY-FXWKuQCq96AsRM7LC1BgNlv58Qy9htWuvjmwNlbkjtbFt22vHUk2FdeI9G3T7F-gFShkcydYBl5WM1IW2kRGxlQ2x2bpP9B68kkyaG4L6Yhqr-kmvD-baEWJ";
    const V5: &str = "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBws*nrHjWsd0QKlWckp1YUJCZomRlaGIABRCZkszcVCUrQ3NU0dSKgsyiVCUrMwMTC5hYcWa6kpVSUaJJSK6Pb5hFSXiYl6VpXkRWUaFBmFlEUUliXppJaFSZo4lvuqubu3dhsq1SLQARODNc";

    fn request<'a>(user: &'a str, key: &'a str, now: u32, expire_s: u64) -> SignRequest<'a> {
        SignRequest { app: APP, user, key, now: UnixSeconds(now), expire_s, userbuf: None }
    }

    /// The published ticket verifies at its clock, and ours for the same inputs has its content.
    fn check_vector(published: &str, request: &SignRequest<'_>, sig: &str) {
        let verified = verify(published, request.app, request.user, &[request.key], request.now);
        let expected = Verified {
            issued_at: request.now,
            expires_at: request.now.plus_seconds(request.expire_s),
        };
        assert_eq!(verified, Ok(expected));
        let ticket = decode(published).unwrap();
        assert_eq!(ticket.sig, sig);
        assert_eq!(decode(&sign(request)).unwrap(), ticket);
    }

    #[test]
    fn vector_1_plain() {
        let request = request("alice", K1, NOW.0, 86_400);
        for published in [V1_NODE, V1_CPYTHON] {
            check_vector(published, &request, "6GmjjJlI0ZfvdjC0qJyFjHknLqIVerI6rpJOgWxfg1k=");
        }
        assert_eq!(
            decode(V1_NODE),
            Ok(Ticket {
                identifier: "alice".into(),
                sdkappid: 1_400_000_000,
                time: 1_700_000_000,
                expire_s: 86_400,
                userbuf: None,
                sig: "6GmjjJlI0ZfvdjC0qJyFjHknLqIVerI6rpJOgWxfg1k=".into(),
            })
        );
    }

    #[test]
    fn vector_2_administrator() {
        let request = SignRequest {
            app: SdkAppId(1_400_000_001),
            ..request("administrator", K2, 1_609_459_200, 15_552_000)
        };
        check_vector(V2, &request, "vg4mOEQtCMuoeLp1LBIBeyEyf2Xdenu1DYppTV5sbMw=");
    }

    #[test]
    fn vector_3_numbered_room() {
        let privilege = RoomPrivilege {
            app: APP,
            user: "alice",
            room: Room::Number(1234),
            expires_at: NOW.plus_seconds(86_400),
            privileges: 255,
        };
        let userbuf = privilege.encode();
        assert_eq!(hex(&userbuf), "000005616c69636553724e00000004d265554280000000ff00000000");
        let request =
            SignRequest { userbuf: Some(&userbuf), ..request("alice", K1, NOW.0, 86_400) };
        check_vector(V3, &request, "YHUkwyXQUWnczYdO+5gO/0x0JhKwBXCSr8CazFFAay8=");
        assert_eq!(
            decode(V3).unwrap().userbuf.as_deref(),
            Some("AAAFYWxpY2VTck4AAAAE0mVVQoAAAAD/AAAAAA==")
        );
    }

    #[test]
    fn vector_4_named_room() {
        let privilege = RoomPrivilege {
            app: APP,
            user: "bob_01",
            room: Room::Name("room-a"),
            expires_at: NOW.plus_seconds(300),
            privileges: 42,
        };
        let userbuf = privilege.encode();
        assert_eq!(
            hex(&userbuf),
            "010006626f625f303153724e00000000006553f22c0000002a000000000006726f6f6d2d61"
        );
        let request = SignRequest { userbuf: Some(&userbuf), ..request("bob_01", K1, NOW.0, 300) };
        check_vector(V4, &request, "qCSZEZXqxA0us26tl78tzTzEYwiByb6n+zkDtSevM2Y=");
    }

    #[test]
    fn vector_5_user_beyond_ascii() {
        let request = request("用户1", K1, NOW.0, 604_800);
        check_vector(V5, &request, "ra4TmLMV8tWVJ95nXjrq0V6Xrtanf4UZvA4MgEFGKqc=");
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn lifetime_below_at_and_above_its_end() {
        let at = |now| verify(V1_NODE, APP, "alice", &[K1], UnixSeconds(now));
        assert!(at(1_700_086_399).is_ok());
        assert!(at(1_700_086_400).is_ok());
        assert_eq!(at(1_700_086_401), Err(UserSigError::Expired));
        assert_eq!(at(u32::MAX), Err(UserSigError::Expired));
        let never = sign(&request("alice", K1, NOW.0, 0));
        assert_eq!(verify(&never, APP, "alice", &[K1], NOW), Err(UserSigError::Expired));
        let forever = sign(&request("alice", K1, NOW.0, i64::MAX as u64));
        let verified = verify(&forever, APP, "alice", &[K1], UnixSeconds::MAX).unwrap();
        assert_eq!(verified.expires_at, UnixSeconds::MAX);
    }

    #[test]
    fn issue_time_may_run_ahead_by_a_day() {
        let at = |now| verify(V1_NODE, APP, "alice", &[K1], UnixSeconds(now));
        assert!(at(1_700_000_000 - 86_400).is_ok());
        assert_eq!(at(1_700_000_000 - 86_401), Err(UserSigError::FromTheFuture));
    }

    #[test]
    fn other_user_app_or_key() {
        assert_eq!(verify(V1_NODE, APP, "bob", &[K1], NOW), Err(UserSigError::OtherUser));
        assert_eq!(verify(V1_NODE, APP, "Alice", &[K1], NOW), Err(UserSigError::OtherUser));
        let other = SdkAppId(1_400_000_001);
        assert_eq!(verify(V1_NODE, other, "alice", &[K1], NOW), Err(UserSigError::OtherApp));
        assert_eq!(verify(V1_NODE, APP, "alice", &[K2], NOW), Err(UserSigError::Mismatch));
        let none: [&str; 0] = [];
        assert_eq!(verify(V1_NODE, APP, "alice", &none, NOW), Err(UserSigError::NoKey));
    }

    #[test]
    fn any_active_key_will_do() {
        assert!(verify(V1_NODE, APP, "alice", &[K2, K1], NOW).is_ok());
        assert!(verify(V1_NODE, APP, "alice", &[K1, K2], NOW).is_ok());
        assert!(verify(V1_NODE, APP, "alice", &[K1.to_owned()], NOW).is_ok());
        assert_eq!(verify(V1_NODE, APP, "alice", &[K2, ""], NOW), Err(UserSigError::Mismatch));
    }

    #[test]
    fn checks_come_in_the_documented_order() {
        // Everything is wrong at once; what is reported moves on as one thing after another is righted.
        let late = UnixSeconds::MAX;
        let verify = |app, user, key| super::verify(V1_NODE, SdkAppId(app), user, &[key], late);
        assert_eq!(verify(1, "bob", K2), Err(UserSigError::OtherApp));
        assert_eq!(verify(APP.0, "bob", K2), Err(UserSigError::OtherUser));
        assert_eq!(verify(APP.0, "alice", K2), Err(UserSigError::Mismatch));
        assert_eq!(verify(APP.0, "alice", K1), Err(UserSigError::Expired));
    }

    #[test]
    fn a_changed_value_breaks_the_signature() {
        let ticket = decode(V3).unwrap();
        let forged = |change: &dyn Fn(&mut Ticket)| {
            let mut forged = ticket.clone();
            change(&mut forged);
            verify(&encode(&forged), APP, "alice", &[K1], NOW)
        };
        assert!(forged(&|_| {}).is_ok());
        for change in [
            &|ticket: &mut Ticket| ticket.expire_s += 1,
            &|ticket: &mut Ticket| ticket.time += 1,
            &|ticket: &mut Ticket| ticket.userbuf = None,
            &|ticket: &mut Ticket| ticket.userbuf = Some("AA==".into()),
            &|ticket: &mut Ticket| ticket.sig.clear(),
            &|ticket: &mut Ticket| ticket.sig.push('='),
            &|ticket: &mut Ticket| ticket.sig.insert(0, 'A'),
        ] as [&dyn Fn(&mut Ticket); 7]
        {
            assert_eq!(forged(change), Err(UserSigError::Mismatch));
        }
    }

    /// Writes any content as a ticket, with numbers as strings to show that both forms are read.
    fn encode(ticket: &Ticket) -> String {
        let wire = WireTicket {
            ver: VERSION.to_owned(),
            identifier: ticket.identifier.clone(),
            sdkappid: ticket.sdkappid.to_string(),
            time: ticket.time.to_string(),
            expire: ticket.expire_s.to_string(),
            userbuf: ticket.userbuf.clone(),
            sig: ticket.sig.clone(),
        };
        pack(&serde_json::to_vec(&wire).unwrap())
    }

    #[test]
    fn truncated_and_malformed_tickets() {
        assert_eq!(decode(""), Err(UserSigError::Empty));
        let cut = &V1_NODE[..V1_NODE.len() - 10];
        let huge = "A".repeat(SIG_BYTES_MAX + 1);
        for sig in [cut, &V1_NODE[1..], "_", "eJ", "not base64!", "用户", &huge] {
            assert_eq!(decode(sig), Err(UserSigError::Malformed), "{sig}");
        }
        for length in 1..V1_NODE.len() - 1 {
            assert_eq!(decode(&V1_NODE[..length]), Err(UserSigError::Malformed), "{length}");
        }
        // Padding may be missing, and plain base64 is tolerated.
        assert!(decode(V1_NODE.trim_end_matches('_')).is_ok());
        assert!(decode(&V1_CPYTHON.replace('*', "+").replace('_', "=")).is_ok());
    }

    #[test]
    fn tickets_with_wrong_content() {
        let good = r#"{"TLS.ver":"2.0","TLS.identifier":"a","TLS.sdkappid":1,"TLS.time":2,"TLS.expire":3,"TLS.sig":"s"}"#;
        assert!(decode(&pack(good.as_bytes())).is_ok());
        for (from, to) in [
            (r#""TLS.ver":"2.0","#, ""),
            (r#""2.0""#, r#""1.0""#),
            (r#""2.0""#, "2.0"),
            (r#""TLS.identifier":"a","#, ""),
            (r#""a""#, "1"),
            (r#""a""#, r#""a\nb""#),
            (r#""TLS.sdkappid":1"#, r#""TLS.sdkappid":1.5"#),
            (r#""TLS.sdkappid":1"#, r#""TLS.sdkappid":"x""#),
            (r#""TLS.time":2,"#, ""),
            (r#""TLS.expire":3"#, r#""TLS.expire":null"#),
            (r#""TLS.expire":3"#, r#""TLS.expire":18446744073709551615"#),
            (r#","TLS.sig":"s""#, ""),
            (r#""TLS.sig":"s""#, r#""TLS.sig":"s","TLS.sig":"t""#),
            (r#""TLS.sig":"s""#, r#""TLS.sig":"s","TLS.userbuf":"a\nb""#),
            (r#""TLS.sig":"s""#, r#""TLS.sig":"s","TLS.userbuf":1"#),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert_eq!(decode(&pack(bad.as_bytes())), Err(UserSigError::Malformed), "{bad}");
        }
        assert_eq!(decode(&pack(b"[]")), Err(UserSigError::Malformed));
        assert_eq!(decode(&pack(b"")), Err(UserSigError::Malformed));
    }

    #[test]
    fn inflation_is_bounded() {
        let padded = |bytes: usize| {
            let json = r#"{"TLS.ver":"2.0","TLS.identifier":"a","TLS.sdkappid":1,"TLS.time":2,"TLS.expire":3,"TLS.sig":"s"}"#;
            pack(format!("{json}{}", " ".repeat(bytes - json.len())).as_bytes())
        };
        assert!(decode(&padded(INFLATED_BYTES_MAX)).is_ok());
        assert_eq!(decode(&padded(INFLATED_BYTES_MAX + 1)), Err(UserSigError::Malformed));
        let bomb = padded(8 << 20);
        assert!(bomb.len() < SIG_BYTES_MAX, "the bomb must reach the inflater");
        assert_eq!(decode(&bomb), Err(UserSigError::Malformed));
    }

    #[test]
    fn refusals_have_the_documented_numbers() {
        let numbers = [
            (UserSigError::Empty, 70002),
            (UserSigError::Malformed, 70003),
            (UserSigError::FromTheFuture, 70003),
            (UserSigError::OtherApp, 70014),
            (UserSigError::OtherUser, 70013),
            (UserSigError::NoKey, 70016),
            (UserSigError::Mismatch, 70009),
            (UserSigError::Expired, 70001),
        ];
        for (error, number) in numbers {
            assert_eq!(ErrorCode::from(error).number(), number);
        }
    }

    #[test]
    fn overlong_room_texts_are_cut_not_corrupted() {
        let privilege = RoomPrivilege {
            app: APP,
            user: "u",
            room: Room::Name(&"r".repeat(70_000)),
            expires_at: NOW,
            privileges: 1,
        };
        let bytes = privilege.encode();
        assert_eq!(bytes.len(), 1 + 2 + 1 + 5 * 4 + 2 + 65_535);
    }
}
