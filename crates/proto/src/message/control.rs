//! The switches of a single message that a sender sets by name.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::fields::Text;

/// `SendMsgControl`: an array of names in requests, an object of ones in pushes.
///
/// Names that are not known are skipped: newer clients must be able to talk to older servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SendControl {
    /// `NoUnread`: does not raise the receiver's unread count.
    pub no_unread: bool,
    /// `NoLastMsg`: does not become the conversation's last message.
    pub no_last_msg: bool,
    /// `WithMuteNotifications`: the receiver's do-not-disturb setting for the sender holds.
    pub with_mute_notifications: bool,
    /// `NoMsgCheck`: skips content moderation.
    pub no_msg_check: bool,
}

impl SendControl {
    /// Whether no switch is set.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn set(&mut self, name: &str) {
        match name {
            "NoUnread" => self.no_unread = true,
            "NoLastMsg" => self.no_last_msg = true,
            "WithMuteNotifications" => self.with_mute_notifications = true,
            "NoMsgCheck" => self.no_msg_check = true,
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for SendControl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Names(Self::set))
    }
}

/// `ForbidCallbackControl`: the webhooks that a message does not call; an array of names.
///
/// Names that are not known are skipped, as those of [`SendControl`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallbackControl {
    /// `ForbidBeforeSendMsgCallback`: nobody is asked before it is sent.
    pub forbid_before_send: bool,
    /// `ForbidAfterSendMsgCallback`: nobody is told after it was sent.
    pub forbid_after_send: bool,
}

impl CallbackControl {
    /// No webhook at all.
    pub const ALL: Self = Self { forbid_before_send: true, forbid_after_send: true };

    fn set(&mut self, name: &str) {
        match name {
            "ForbidBeforeSendMsgCallback" => self.forbid_before_send = true,
            "ForbidAfterSendMsgCallback" => self.forbid_after_send = true,
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for CallbackControl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Names(Self::set))
    }
}

impl JsonSchema for CallbackControl {
    fn schema_name() -> Cow<'static, str> {
        "CallbackControl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        names_schema(&["ForbidBeforeSendMsgCallback", "ForbidAfterSendMsgCallback"])
    }
}

/// Reads an array of names, each of which may set a switch.
struct Names<T>(fn(&mut T, &str));

impl<'de, T: Default> Visitor<'de> for Names<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<T, A::Error> {
        let mut control = T::default();
        while let Some(Text(name)) = names.next_element()? {
            (self.0)(&mut control, &name);
        }
        Ok(control)
    }
}

fn names_schema(names: &[&str]) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "examples": names } })
}

impl Serialize for SendControl {
    /// The form in pushes, where only what concerns the receiving client is said.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.no_unread {
            map.serialize_entry("NoUnread", &1)?;
        }
        if self.no_last_msg {
            map.serialize_entry("NoLastMsg", &1)?;
        }
        map.end()
    }
}

impl JsonSchema for SendControl {
    fn schema_name() -> Cow<'static, str> {
        "SendControl".into()
    }

    /// The form in requests.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        names_schema(&["NoUnread", "NoLastMsg", "WithMuteNotifications", "NoMsgCheck"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_set_switches() {
        let control: SendControl = serde_json::from_str(
            r#"["NoUnread","NoLastMsg","WithMuteNotifications","NoMsgCheck"]"#,
        )
        .unwrap();
        assert_eq!(
            control,
            SendControl {
                no_unread: true,
                no_last_msg: true,
                with_mute_notifications: true,
                no_msg_check: true
            }
        );
        let unknown: SendControl = serde_json::from_str(r#"["nounread","Other"]"#).unwrap();
        assert!(unknown.is_default());
        assert!(serde_json::from_str::<SendControl>("[]").unwrap().is_default());
        let twice: SendControl = serde_json::from_str(r#"["NoUnread","NoUnread"]"#).unwrap();
        assert!(twice.no_unread && !twice.no_last_msg);
    }

    #[test]
    fn names_forbid_webhooks() {
        let read = |json| serde_json::from_str::<CallbackControl>(json).unwrap();
        let before = CallbackControl { forbid_before_send: true, forbid_after_send: false };
        assert_eq!(read(r#"["ForbidBeforeSendMsgCallback","Other"]"#), before);
        let after = CallbackControl { forbid_before_send: false, forbid_after_send: true };
        assert_eq!(read(r#"["ForbidAfterSendMsgCallback"]"#), after);
        assert_eq!(read("[]"), CallbackControl::default());
        assert!(serde_json::from_str::<CallbackControl>("[1]").is_err());
    }

    #[test]
    fn only_arrays_of_strings_are_read() {
        for json in [r#""NoUnread""#, "{}", "[1]", "[null]", "1"] {
            assert!(serde_json::from_str::<SendControl>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn pushes_say_what_concerns_the_client() {
        let all = SendControl {
            no_unread: true,
            no_last_msg: true,
            with_mute_notifications: true,
            no_msg_check: true,
        };
        assert_eq!(serde_json::to_string(&all).unwrap(), r#"{"NoUnread":1,"NoLastMsg":1}"#);
        assert_eq!(serde_json::to_string(&SendControl::default()).unwrap(), "{}");
    }
}
