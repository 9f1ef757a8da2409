//! The words of groups: types, roles, options, priorities, each under the names that it has on the wire.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fields::Text;

/// An enum that is a word on the wire, with other words that are accepted for it.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident ($what:literal) { $(
        $(#[$variant_doc:meta])* $variant:ident = $number:literal, $word:literal $(| $other:literal)*;
    )+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant = $number,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value that `word` names, also by another spelling.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word $(| $other)* => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The word of the wire.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value that is stored as `number`.
            #[must_use]
            pub fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }

            /// As it is stored.
            #[must_use]
            pub fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)+ }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let Text(word) = Text::deserialize(deserializer)?;
                Self::parse(&word).ok_or_else(|| {
                    let words = [$($word),+].join(", ");
                    serde::de::Error::custom(format!("{word} is no {}: {words} are possible", $what))
                })
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "enum": [$($word),+] })
            }
        }
    };
}

words! {
    /// What kind of group. The wire keeps the older names; the newer ones are accepted.
    GroupType ("type of group") {
        /// Friends: by invitation, without admins.
        Work = 1, "Private" | "Work";
        /// Strangers: by application and approval.
        Public = 2, "Public";
        /// A room that anybody may enter and leave; remembers its history.
        Meeting = 3, "ChatRoom" | "Meeting";
        /// A live room: any number of viewers, nothing is stored.
        AvChatRoom = 4, "AVChatRoom";
        /// Very large, optionally with topics.
        Community = 5, "Community";
    }
}

words! {
    /// What happens to somebody who asks to join.
    ApplyJoinOption ("ApplyJoinOption") {
        /// Is in at once.
        FreeAccess = 1, "FreeAccess";
        /// Waits for an owner or admin.
        NeedPermission = 2, "NeedPermission";
        /// Is refused.
        DisableApply = 3, "DisableApply";
    }
}

words! {
    /// What happens when a member invites somebody.
    InviteJoinOption ("InviteJoinOption") {
        /// The invited one is in at once.
        FreeAccess = 1, "FreeAccess";
        /// Waits for an owner or admin.
        NeedPermission = 2, "NeedPermission";
        /// Nobody may invite.
        DisableInvite = 3, "DisableInvite";
    }
}

words! {
    /// What somebody is in a group.
    Role ("role") {
        /// One at most; may do everything that the type of group allows.
        Owner = 1, "Owner";
        /// Helps the owner.
        Admin = 2, "Admin";
        /// Everybody else.
        Member = 3, "Member";
    }
}

words! {
    /// How a member gets the messages of a group.
    ReceiveOption ("MsgFlag") {
        /// With notification.
        AcceptAndNotify = 0, "AcceptAndNotify";
        /// Not at all.
        Discard = 1, "Discard";
        /// Without notification.
        AcceptNotNotify = 2, "AcceptNotNotify";
        /// With notification only when mentioned.
        AcceptNotNotifyExceptAt = 3, "AcceptNotNotifyExceptAt";
        /// Only what mentions the member.
        NotReceiveMsgExceptAt = 4, "NotReceiveMsgExceptAt";
    }
}

words! {
    /// Which messages go first when there are more than a group may have.
    Priority ("MsgPriority") {
        /// Gifts, red packets.
        High = 1, "High";
        /// Text.
        Normal = 2, "Normal";
        /// Likes.
        Low = 3, "Low";
        /// What nobody misses.
        Lowest = 4, "Lowest";
    }
}

words! {
    /// `On` or `Off`.
    Switch ("switch") {
        /// Off.
        Off = 0, "Off";
        /// On.
        On = 1, "On";
    }
}

/// A custom field of a group or member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct CustomField {
    /// Its name.
    pub key: String,
    /// Its value; one that is set to nothing is removed.
    #[serde(default)]
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_type_are_read_and_the_older_one_is_written() {
        for (name, expected) in [("Work", "Private"), ("Meeting", "ChatRoom"), ("Public", "Public")]
        {
            let read: GroupType = serde_json::from_str(&format!("{name:?}")).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), format!("{expected:?}"));
        }
        let unknown = serde_json::from_str::<GroupType>(r#""BChatRoom""#).unwrap_err();
        assert!(unknown.to_string().contains("Private, Public, ChatRoom"), "{unknown}");
    }

    #[test]
    fn stored_numbers_lead_back() {
        for value in Priority::ALL {
            assert_eq!(Priority::from_number(value.number()), Some(*value));
        }
        assert_eq!(Priority::from_number(9), None);
    }
}
