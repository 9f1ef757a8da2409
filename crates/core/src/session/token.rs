//! Session tokens (`A2`): signed, so that every node and every restart accepts them.
//!
//! `base64(claims ‖ HMAC-SHA256(claims)[..16])`. What a signature cannot say (a kick, a logout, a
//! deleted account) is checked against the user's devices.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{SdkAppId, TinyId, UserId};
use teahouse_proto::time::{UnixMillis, UnixSeconds};

const VERSION: u8 = 1;
const FIXED_BYTES: usize = 1 + 4 + 8 + 4 + 8 + 4;
const TAG_BYTES: usize = 16;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) app: SdkAppId,
    pub(crate) user: UserId,
    pub(crate) tiny_id: TinyId,
    pub(crate) inst_id: u32,
    pub(crate) issued: UnixMillis,
    pub(crate) expires: UnixSeconds,
}

pub(crate) fn sign(key: &[u8], claims: &Claims) -> String {
    let mut token = Vec::with_capacity(FIXED_BYTES + claims.user.len() + TAG_BYTES);
    token.push(VERSION);
    token.extend(claims.app.0.to_be_bytes());
    token.extend(claims.tiny_id.0.to_be_bytes());
    token.extend(claims.inst_id.to_be_bytes());
    token.extend(claims.issued.0.to_be_bytes());
    token.extend(claims.expires.0.to_be_bytes());
    token.extend(claims.user.as_bytes());
    let tag = tag(key, &token);
    token.extend(tag);
    URL_SAFE_NO_PAD.encode(token)
}

/// # Errors
/// `UserSigExpired` for one that was good, `SessionInvalid` for anything else.
pub(crate) fn verify(
    key: &[u8],
    app: SdkAppId,
    token: &str,
    now: UnixMillis,
) -> Result<Claims, Error> {
    let claims = open(key, token).filter(|claims| claims.app == app);
    let claims = claims.ok_or(ErrorCode::SessionInvalid)?;
    if now.seconds() > claims.expires {
        return Err(ErrorCode::UserSigExpired.into());
    }
    Ok(claims)
}

fn open(key: &[u8], token: &str) -> Option<Claims> {
    let token = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (claims, given) = token.split_last_chunk::<TAG_BYTES>()?;
    if !bool::from(tag(key, claims).ct_eq(given)) {
        return None;
    }
    let (version, rest) = claims.split_first()?;
    let (app, rest) = rest.split_first_chunk()?;
    let (tiny_id, rest) = rest.split_first_chunk()?;
    let (inst_id, rest) = rest.split_first_chunk()?;
    let (issued, rest) = rest.split_first_chunk()?;
    let (expires, user) = rest.split_first_chunk()?;
    (*version == VERSION).then_some(Claims {
        app: SdkAppId(u32::from_be_bytes(*app)),
        user: UserId::parse(std::str::from_utf8(user).ok()?).ok()?,
        tiny_id: TinyId(u64::from_be_bytes(*tiny_id)),
        inst_id: u32::from_be_bytes(*inst_id),
        issued: UnixMillis(u64::from_be_bytes(*issued)),
        expires: UnixSeconds(u32::from_be_bytes(*expires)),
    })
}

fn tag(key: &[u8], claims: &[u8]) -> [u8; TAG_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(claims);
    let full = mac.finalize().into_bytes();
    *full.first_chunk().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            app: SdkAppId(7),
            user: UserId::parse("alice").expect("valid"),
            tiny_id: TinyId(u64::MAX),
            inst_id: 3,
            issued: UnixMillis(1_700_000_000_123),
            expires: UnixSeconds(1_700_086_400),
        }
    }

    #[test]
    fn a_token_is_good_for_its_app_and_key_until_it_expires() {
        let token = sign(b"key", &claims());
        let at = |seconds: u64| verify(b"key", SdkAppId(7), &token, UnixMillis(seconds * 1000));
        assert_eq!(at(1_700_086_400).expect("in time"), claims());
        assert_eq!(at(1_700_086_401).expect_err("late").code, ErrorCode::UserSigExpired);
        for (key, app) in [(&b"other"[..], 7), (b"key", 8)] {
            let error = verify(key, SdkAppId(app), &token, UnixMillis(0)).expect_err("foreign");
            assert_eq!(error.code, ErrorCode::SessionInvalid);
        }
    }

    #[test]
    fn no_changed_byte_passes() {
        let token = sign(b"key", &claims());
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            // The last character has spare bits: another spelling of the same bytes is the same token.
            if let Ok(found) = verify(b"key", SdkAppId(7), &changed, UnixMillis(0)) {
                assert_eq!((found, place), (claims(), token.len() - 1));
            }
        }
    }
}
