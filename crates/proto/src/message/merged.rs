//! The list of a merged message that is stored apart because it is too long for one message.

use serde_json::value::RawValue;

use super::{BODY_DEPTH_MAX, RelayedMessage};
use crate::compact::compact;
use crate::fields::Object;
use crate::problem::describe;

/// Messages that were merged: a JSON array, kept as compact text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedList(String);

/// Why a list is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergedError {
    /// Not a JSON array of messages.
    #[error("MsgList: {0}")]
    NotAList(String),
    /// None, or more than [`MergedList::COUNT_MAX`].
    #[error("MsgList holds {0} messages, 1 to {max}", max = MergedList::COUNT_MAX)]
    Count(usize),
    /// Longer, as compact text, than the limit.
    #[error("MsgList is {bytes} bytes, at most {max}")]
    TooLong {
        /// Length of the compact text in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Nests deeper than [`MergedList::DEPTH_MAX`].
    #[error("MsgList nests {depth} levels deep, at most {max}", max = MergedList::DEPTH_MAX)]
    TooDeep {
        /// Its depth.
        depth: usize,
    },
}

impl MergedList {
    /// Most messages of a list.
    pub const COUNT_MAX: usize = 300;
    /// Deepest nesting of arrays and objects: bodies, within their messages.
    pub const DEPTH_MAX: usize = BODY_DEPTH_MAX + 2;

    /// Reads a list of at most `bytes_max` as compact text. The bodies were validated when their messages were
    /// sent.
    ///
    /// # Errors
    /// [`MergedError`], the first that applies.
    pub fn parse(json: &RawValue, bytes_max: usize) -> Result<Self, MergedError> {
        let compact = compact(json.get());
        if compact.text.len() > bytes_max {
            return Err(MergedError::TooLong { bytes: compact.text.len(), max: bytes_max });
        }
        if compact.depth > Self::DEPTH_MAX {
            return Err(MergedError::TooDeep { depth: compact.depth });
        }
        let list: Vec<Object<RelayedMessage<'_>>> = serde_json::from_str(&compact.text)
            .map_err(|error| MergedError::NotAList(describe(&error)))?;
        if !(1..=Self::COUNT_MAX).contains(&list.len()) {
            return Err(MergedError::Count(list.len()));
        }
        Ok(Self(compact.text.into_owned()))
    }

    /// The array as compact JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = concat!(
        r#"{"From_Account":"alice","To_Account":"bob","MsgSeq":1,"MsgRandom":2,"#,
        r#""MsgTimeStamp":3,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}]}"#
    );

    fn parse(json: &str, bytes_max: usize) -> Result<MergedList, MergedError> {
        MergedList::parse(&RawValue::from_string(json.to_owned()).unwrap(), bytes_max)
    }

    #[test]
    fn a_list_is_kept_as_compact_text() {
        let list = parse(&format!("[ {MESSAGE} ,\n{MESSAGE}]"), 4_096).unwrap();
        assert_eq!(list.as_json(), format!("[{MESSAGE},{MESSAGE}]"));
    }

    #[test]
    fn its_limits_are_kept_at_both_ends() {
        let of = |count: usize| format!("[{}]", vec![MESSAGE; count].join(","));
        assert_eq!(parse("[]", 4_096), Err(MergedError::Count(0)));
        assert!(parse(&of(300), 1 << 20).is_ok());
        assert_eq!(parse(&of(301), 1 << 20), Err(MergedError::Count(301)));
        let one = of(1);
        assert!(parse(&one, one.len()).is_ok());
        let (bytes, max) = (one.len(), one.len() - 1);
        assert_eq!(parse(&one, max), Err(MergedError::TooLong { bytes, max }));
        let nested = |depth: usize| {
            let deep = "[".repeat(depth - 2) + &"]".repeat(depth - 2);
            format!(r#"[{{"Extra":{deep}}}]"#)
        };
        assert!(parse(&nested(MergedList::DEPTH_MAX), 4_096).is_ok());
        let depth = MergedList::DEPTH_MAX + 1;
        assert_eq!(parse(&nested(depth), 4_096), Err(MergedError::TooDeep { depth }));
    }

    #[test]
    fn what_is_no_list_of_messages_is_refused() {
        for json in ["{}", "1", r#""[]""#, "[1]", r#"[{"From_Account":1}]"#, r#"[{"MsgBody":"x"}]"#]
        {
            assert!(matches!(parse(json, 4_096), Err(MergedError::NotAList(_))), "{json}");
        }
    }
}
