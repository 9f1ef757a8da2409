//! Identifiers of applications, users, groups and messages, each checked when it is made.
//!
//! A value of one of these types is valid: no code behind the codec checks an id again. Text ids
//! are shared, cloning one is a reference count. Whether an id *exists* is not known here.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::UnixSeconds;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Ids have at least one byte.
    #[error("an id must not be empty")]
    Empty,
    /// Longer than the kind of id allows.
    #[error("an id of {bytes} bytes is too long, at most {max}")]
    TooLong {
        /// Length of the text in bytes.
        bytes: usize,
        /// Longest allowed length in bytes.
        max: usize,
    },
    /// Ids are printable ASCII, 0x20 to 0x7e.
    #[error("byte {position} of the id is not printable ASCII")]
    NotPrintable {
        /// Offset of the first offending byte.
        position: usize,
    },
    /// A numeric id is not a decimal number in range.
    #[error("not a decimal number in range")]
    NotANumber,
    /// A message key is not of the form `seq_random_time`.
    #[error("a message key is seq_random_time, three decimal numbers below 2^32")]
    NotAMsgKey,
}

fn check_text(text: &str, bytes_max: usize) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > bytes_max {
        return Err(InvalidId::TooLong { bytes: text.len(), max: bytes_max });
    }
    match text.bytes().position(|byte| !matches!(byte, 0x20..=0x7e)) {
        Some(position) => Err(InvalidId::NotPrintable { position }),
        None => Ok(()),
    }
}

/// Parses decimal digits only: no sign, which the standard parser would accept.
fn parse_digits<T: FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Deserialises a type from a JSON string through `FromStr`, without an intermediate `String`.
struct FromText<T> {
    expected: &'static str,
    marker: std::marker::PhantomData<T>,
}

impl<T: FromStr<Err = InvalidId>> Visitor<'_> for FromText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

fn deserialize_text<'de, D: Deserializer<'de>, T: FromStr<Err = InvalidId>>(
    deserializer: D,
    expected: &'static str,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(FromText { expected, marker: std::marker::PhantomData })
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $bytes_max:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Longest id in bytes.
            pub const BYTES_MAX: usize = $bytes_max;

            /// Checks `text` and makes it an id.
            ///
            /// # Errors
            /// [`InvalidId`] when it is empty, too long or not printable ASCII.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check_text(text, Self::BYTES_MAX)?;
                Ok(Self(Arc::from(text)))
            }

            /// The id as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidId;

            fn try_from(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        // Sound with `HashMap` and `BTreeMap`: hash and order of the id are those of its text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_text(deserializer, $expected)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "minLength": 1,
                    "maxLength": $bytes_max,
                    "pattern": "^[ -~]+$",
                })
            }
        }
    };
}

text_id! {
    /// A user of an application: 1 to 32 bytes of printable ASCII.
    UserId, 32, "a user id"
}

impl UserId {
    /// Begins the ids of robots, and no others.
    pub const ROBOT_PREFIX: &'static str = "@RBT#";

    /// Whether this is a robot: an account that the application's backend speaks for. Robots are in as many
    /// groups as they are asked into, and no friend of theirs has to be one.
    #[must_use]
    pub fn is_robot(&self) -> bool {
        self.0.starts_with(Self::ROBOT_PREFIX)
    }
}

text_id! {
    /// A group: 1 to 48 bytes of printable ASCII.
    GroupId, 48, "a group id"
}

macro_rules! number_traits {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Parses decimal digits; no sign, no spaces.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_digits(text).map(Self).ok_or(InvalidId::NotANumber)
            }
        }
    };
}

/// An application: all data lives under exactly one. A JSON number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SdkAppId(pub u32);

number_traits!(SdkAppId);

/// The internal number of a user, unique in a deployment.
///
/// A JSON *string* of decimal digits: clients keep numbers as doubles, which would round it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TinyId(pub u64);

number_traits!(TinyId);

impl Serialize for TinyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TinyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a string of decimal digits")
    }
}

impl JsonSchema for TinyId {
    fn schema_name() -> Cow<'static, str> {
        "TinyId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{1,20}$" })
    }
}

/// Names a one-to-one message inside its conversation; written `seq_random_time`.
///
/// Not unique outside the conversation. Ordered by time, then sequence, as the history is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MsgKey {
    /// Chosen by the sender; may repeat.
    pub seq: u32,
    /// Chosen by the sender.
    pub random: u32,
    /// When the server accepted the message.
    pub time: UnixSeconds,
}

impl MsgKey {
    /// Longest accepted text in bytes; leading zeros are tolerated up to this length.
    pub const BYTES_MAX: usize = 50;
}

impl Ord for MsgKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.seq, self.random).cmp(&(other.time, other.seq, other.random))
    }
}

impl PartialOrd for MsgKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for MsgKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.seq, self.random, self.time)
    }
}

impl FromStr for MsgKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() > Self::BYTES_MAX {
            return Err(InvalidId::TooLong { bytes: text.len(), max: Self::BYTES_MAX });
        }
        let mut parts = text.split('_').map(parse_digits::<u32>);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(seq)), Some(Some(random)), Some(Some(time)), None) => {
                Ok(Self { seq, random, time: UnixSeconds(time) })
            }
            _ => Err(InvalidId::NotAMsgKey),
        }
    }
}

impl Serialize for MsgKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MsgKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a message key seq_random_time")
    }
}

impl JsonSchema for MsgKey {
    fn schema_name() -> Cow<'static, str> {
        "MsgKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+_[0-9]+_[0-9]+$", "maxLength": 50 })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    #[test]
    fn user_ids_at_their_limits() {
        assert_eq!(UserId::parse(""), Err(InvalidId::Empty));
        assert!(UserId::parse(&"a".repeat(32)).is_ok());
        assert_eq!(UserId::parse(&"a".repeat(33)), Err(InvalidId::TooLong { bytes: 33, max: 32 }));
        assert!(GroupId::parse(&"g".repeat(48)).is_ok());
        assert_eq!(GroupId::parse(&"g".repeat(49)), Err(InvalidId::TooLong { bytes: 49, max: 48 }));
    }

    #[test]
    fn user_ids_are_printable_ascii() {
        assert!(UserId::parse(" ~").is_ok());
        assert_eq!(UserId::parse("a\u{1f}"), Err(InvalidId::NotPrintable { position: 1 }));
        assert_eq!(UserId::parse("\u{7f}"), Err(InvalidId::NotPrintable { position: 0 }));
        assert_eq!(UserId::parse("用户"), Err(InvalidId::NotPrintable { position: 0 }));
        assert_eq!(UserId::parse("a\nb"), Err(InvalidId::NotPrintable { position: 1 }));
    }

    #[test]
    fn text_ids_serve_as_map_keys_by_text() {
        let alice = UserId::parse("alice").unwrap();
        let hashed = HashMap::from([(alice.clone(), 1)]);
        let ordered = BTreeMap::from([(alice, 2)]);
        assert_eq!(hashed.get("alice"), Some(&1));
        assert_eq!(ordered.get("alice"), Some(&2));
        assert_eq!(hashed.get("bob"), None);
    }

    #[test]
    fn ids_in_json() {
        let user: UserId = serde_json::from_str(r#""a\u006cice""#).unwrap();
        assert_eq!(user, "alice");
        assert_eq!(serde_json::to_string(&user).unwrap(), r#""alice""#);
        assert!(serde_json::from_str::<UserId>("1").is_err());
        assert!(serde_json::from_str::<UserId>(r#""""#).is_err());
        assert_eq!(
            serde_json::to_string(&TinyId(144_115_200_000_000_001)).unwrap(),
            r#""144115200000000001""#
        );
        assert_eq!(
            serde_json::from_str::<TinyId>(r#""18446744073709551615""#).unwrap(),
            TinyId(u64::MAX)
        );
        assert!(serde_json::from_str::<TinyId>("144115200000000001").is_err());
        assert!(serde_json::from_str::<TinyId>(r#""+1""#).is_err());
        assert!(serde_json::from_str::<TinyId>(r#""""#).is_err());
        assert!(serde_json::from_str::<TinyId>(r#""18446744073709551616""#).is_err());
        assert_eq!(serde_json::to_string(&SdkAppId(1_400_000_000)).unwrap(), "1400000000");
        assert_eq!("1400000000".parse(), Ok(SdkAppId(1_400_000_000)));
        assert_eq!("-1".parse::<SdkAppId>(), Err(InvalidId::NotANumber));
        assert_eq!("4294967296".parse::<SdkAppId>(), Err(InvalidId::NotANumber));
    }

    #[test]
    fn message_keys_round_trip() {
        let key = MsgKey { seq: 48_374, random: 2_837_546, time: UnixSeconds(1_557_481_126) };
        assert_eq!(key.to_string(), "48374_2837546_1557481126");
        assert_eq!("48374_2837546_1557481126".parse(), Ok(key));
        let longest = MsgKey { seq: u32::MAX, random: u32::MAX, time: UnixSeconds::MAX };
        assert!(longest.to_string().len() <= MsgKey::BYTES_MAX);
        assert_eq!(longest.to_string().parse(), Ok(longest));
        assert_eq!(serde_json::from_str::<MsgKey>(r#""48374_2837546_1557481126""#).unwrap(), key);
    }

    #[test]
    fn malformed_message_keys_are_refused() {
        for text in
            ["", "1", "1_2", "1_2_", "_1_2", "1_2_3_4", "1_2_-3", "1_2_+3", "1_2_4294967296"]
        {
            assert_eq!(text.parse::<MsgKey>(), Err(InvalidId::NotAMsgKey), "{text}");
        }
        let padded = format!("{:0>46}_2_3", 1);
        assert_eq!(padded.len(), 50);
        assert!(padded.parse::<MsgKey>().is_ok());
        assert_eq!(
            format!("0{padded}").parse::<MsgKey>(),
            Err(InvalidId::TooLong { bytes: 51, max: 50 })
        );
    }

    #[test]
    fn message_keys_order_as_the_history_does() {
        let key = |seq, random, time| MsgKey { seq, random, time: UnixSeconds(time) };
        assert!(key(9, 9, 1) < key(1, 1, 2));
        assert!(key(1, 9, 1) < key(2, 1, 1));
        assert!(key(1, 1, 1) < key(1, 2, 1));
    }
}
