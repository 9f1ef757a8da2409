//! Messages as they are said: the body with its elements, and what goes along with it.
//!
//! A [`MessageBody`] is validated once, when it comes in, and from then on carried as the JSON text
//! that it is: stored, pushed and returned unchanged, unknown keys included. Who may send it, and what
//! becomes of it, is not known here. Start at [`MessageBody::parse`].

mod control;
mod element;
mod merged;
mod offline_push;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::compact::compact;
use crate::error::ErrorCode;
use crate::problem::describe;

pub use control::{CallbackControl, SendControl};
pub use element::{
    CustomElem, Element, FaceElem, FileElem, ImageElem, ImageInfo, LocationElem, RelayElem,
    RelayedMessage, SoundElem, StreamChunk, StreamElem, TextElem, VideoFileElem,
};
pub use merged::{MergedError, MergedList};
pub use offline_push::{AndroidPush, ApnsPush, OfflinePush, OfflinePushError, OfflinePushInfo};

/// Deepest nesting of arrays and objects in a body: enough for five merged messages in one another.
pub const BODY_DEPTH_MAX: usize = 32;

/// The elements of one message: a JSON array of `{"MsgType", "MsgContent"}`, kept as compact text.
///
/// Cloning is a reference count. Serialises as the array.
#[derive(Clone)]
pub struct MessageBody(Arc<RawValue>);

/// Why a body is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not a JSON array.
    #[error("MsgBody is not an array")]
    NotAnArray,
    /// An array without elements.
    #[error("MsgBody is empty")]
    Empty,
    /// Longer, as compact text, than the limit.
    #[error("MsgBody is {bytes} bytes, at most {max}")]
    TooLong {
        /// Length of the compact text in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Nests deeper than [`BODY_DEPTH_MAX`].
    #[error("MsgBody nests {depth} levels deep, at most {BODY_DEPTH_MAX}")]
    TooDeep {
        /// Its depth.
        depth: usize,
    },
    /// An element is not of the message format.
    #[error("MsgBody[{index}]: {problem}")]
    Element {
        /// Position of the element, from 0.
        index: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// More than one `TIMCustomElem`.
    #[error("MsgBody has more than one TIMCustomElem")]
    SecondCustom,
    /// A stored body is not JSON: the data was damaged.
    #[error("a stored body is damaged: {0}")]
    Damaged(String),
}

impl BodyError {
    /// The code in one-to-one commands.
    #[must_use]
    pub fn c2c_code(&self) -> ErrorCode {
        match self {
            Self::NotAnArray => ErrorCode::MsgBodyNotArray,
            Self::Empty => ErrorCode::MsgBodyMalformed,
            Self::TooLong { .. } => ErrorCode::PacketTooLong,
            Self::TooDeep { .. } | Self::Element { .. } | Self::SecondCustom => {
                ErrorCode::ElementInvalid
            }
            Self::Damaged(_) => ErrorCode::MessageInternal,
        }
    }

    /// The code in group commands.
    #[must_use]
    pub fn group_code(&self) -> ErrorCode {
        match self {
            Self::TooLong { .. } => ErrorCode::BodyTooLong,
            Self::NotAnArray
            | Self::Empty
            | Self::TooDeep { .. }
            | Self::Element { .. }
            | Self::SecondCustom => ErrorCode::GroupBadParameter,
            Self::Damaged(_) => ErrorCode::GroupInternal,
        }
    }
}

impl MessageBody {
    /// Validates what a caller wants to send.
    ///
    /// Every element must be of a known type that callers may send, with its required fields and
    /// the right field types; at most one is a `TIMCustomElem`. `bytes_max` bounds the compact text.
    ///
    /// # Errors
    /// [`BodyError`], the first that applies.
    pub fn parse(json: &RawValue, bytes_max: usize) -> Result<Self, BodyError> {
        if !json.get().starts_with('[') {
            return Err(BodyError::NotAnArray);
        }
        let compact = compact(json.get());
        if compact.text.len() > bytes_max {
            return Err(BodyError::TooLong { bytes: compact.text.len(), max: bytes_max });
        }
        if compact.depth > BODY_DEPTH_MAX {
            return Err(BodyError::TooDeep { depth: compact.depth });
        }
        element::validate(&compact.text)?;
        match compact.text {
            Cow::Borrowed(_) => Ok(Self(Arc::from(json.to_owned()))),
            Cow::Owned(text) => Self::from_stored(text),
        }
    }

    /// Takes a body that was validated when it was sent, or that the server itself composed.
    ///
    /// Only the JSON syntax is checked, because a damaged body would damage the frames it goes into.
    ///
    /// # Errors
    /// [`BodyError::Damaged`] when it is not JSON.
    pub fn from_stored(json: String) -> Result<Self, BodyError> {
        RawValue::from_string(json)
            .map(|json| Self(Arc::from(json)))
            .map_err(|error| BodyError::Damaged(describe(&error)))
    }

    /// The array as compact JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// Length of the compact text in bytes: what counts towards the size of a message.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.as_json().len()
    }

    /// The elements, in their order, as typed values that borrow from the body.
    ///
    /// What callers may not send, such as a server's own notices, is [`Element::Other`]. Empty when
    /// a stored body is no array of elements.
    #[must_use]
    pub fn elements(&self) -> Vec<Element<'_>> {
        element::read(self.as_json())
    }

    /// The text that an offline push shows when the sender gave none: the elements' texts, joined.
    #[must_use]
    pub fn push_text(&self) -> String {
        self.elements().iter().map(Element::push_text).collect()
    }

    /// CRC-32 (IEEE) of the compact text: part of the identity by which repeated sends are found.
    #[must_use]
    pub fn crc32(&self) -> u32 {
        crc32fast::hash(self.as_json().as_bytes())
    }
}

impl Serialize for MessageBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for MessageBody {
    fn schema_name() -> Cow<'static, str> {
        "MessageBody".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "MsgType": { "type": "string" },
                    "MsgContent": { "type": "object" },
                },
                "required": ["MsgType", "MsgContent"],
            },
        })
    }
}

impl PartialEq for MessageBody {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for MessageBody {}

impl fmt::Debug for MessageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

impl fmt::Display for MessageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}
