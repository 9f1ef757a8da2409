//! What is attached to messages after they were sent: extensions, reactions, receipts, pins.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::value::RawValue;

use super::MessageRef;
use super::group::{EVENT_NOTICE, Face, GroupInfo, SYSTEM_ACCOUNT, passing_tip};
use crate::ids::{GroupId, TinyId, UserId};
use crate::time::UnixSeconds;

/// A message of a group as these events name it.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupMessageRef<'a> {
    /// The group.
    pub group_id: &'a GroupId,
    /// Its place in the group.
    pub msg_seq: u64,
    /// Chosen by the sender.
    pub msg_random: u32,
    /// When the server accepted it.
    pub msg_time: UnixSeconds,
    /// The sender's clock.
    pub msg_client_time: UnixSeconds,
    /// Internal number of the sender.
    pub tiny_id: TinyId,
}

/// A message that something is attached to.
#[derive(Debug, Clone, Copy)]
pub enum AttachedTo<'a> {
    /// A one-to-one message.
    C2c(MessageRef<'a>),
    /// A message of a group.
    Group(GroupMessageRef<'a>),
}

/// Reactions to a message, those that have changed.
#[derive(Debug, Clone)]
pub struct ReactionNotice<'a> {
    /// The message.
    pub message: AttachedTo<'a>,
    /// What they are now; one that nobody has given any more has no accounts.
    pub reactions: Vec<Reaction<'a>>,
}

impl Serialize for ReactionNotice<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("ReactionNotice", 2)?;
        match &self.message {
            AttachedTo::C2c(message) => fields.serialize_field("C2CMsgInfo", message)?,
            AttachedTo::Group(message) => fields.serialize_field("GroupMsgInfo", message)?,
        }
        fields.serialize_field("MsgReactionSummary", &self.reactions)?;
        fields.end()
    }
}

/// A reaction and who has given it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Reaction<'a> {
    /// Its name, chosen by clients.
    pub reaction: &'a str,
    /// How many have given it.
    pub count: usize,
    /// The first of them.
    #[serde(rename = "Reaction_Account")]
    pub accounts: Vec<&'a UserId>,
}

/// Extensions of a message, those that have changed.
#[derive(Debug, Clone, Copy)]
pub struct ExtensionNotice<'a> {
    /// The message.
    pub message: AttachedTo<'a>,
    /// How they were changed.
    pub change: ExtensionChange,
    /// The keys with what they are now.
    pub values: &'a [ExtensionValue<'a>],
    /// Number of the message's last write of extensions.
    pub last: u64,
    /// Number of the last write that removed all of them.
    pub cleared: u64,
}

/// How extensions were changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtensionChange {
    /// Keys have new values.
    Set = 1,
    /// Keys were deleted.
    Delete = 2,
    /// All keys were deleted.
    Clear = 3,
}

/// A key, its value, and the number of the write that gave it this value.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExtensionValue<'a> {
    /// The key.
    pub key: &'a str,
    /// Empty: deleted.
    pub value: &'a str,
    /// Number of the write.
    pub seq: u64,
}

impl Serialize for ExtensionNotice<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Values<'a> {
            msg_key_value: &'a [ExtensionValue<'a>],
            clear_msg_seq: u64,
        }
        let mut fields = serializer.serialize_struct("ExtensionNotice", 5)?;
        match &self.message {
            AttachedTo::C2c(message) => {
                fields.serialize_field("TinyId", &message.tiny_id)?;
                fields.serialize_field("ExtensionC2cMsgInfo", message)?;
            }
            AttachedTo::Group(message) => {
                fields.serialize_field("TinyId", &message.tiny_id)?;
                fields.serialize_field("ExtensionGroupMsgInfo", message)?;
            }
        }
        fields.serialize_field("MsgOptType", &(self.change as u8))?;
        fields.serialize_field("MsgLastSeq", &self.last)?;
        let values = [Values { msg_key_value: self.values, clear_msg_seq: self.cleared }];
        let name = match self.change {
            ExtensionChange::Set => "SetKVInfo",
            ExtensionChange::Delete => "DeleteKVInfo",
            ExtensionChange::Clear => "ClearKVInfo",
        };
        fields.serialize_field(name, &values)?;
        fields.end()
    }
}

/// To a sender: how many have read messages of a group.
#[derive(Debug, Clone)]
pub struct GroupReceipts<'a> {
    /// The group.
    pub group: GroupInfo<'a>,
    /// When.
    pub time: UnixSeconds,
    /// The messages.
    pub receipts: &'a [GroupReceipt<'a>],
}

/// How many have read a message of a group.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupReceipt<'a> {
    /// The message.
    #[serde(flatten)]
    pub message: GroupMessageRef<'a>,
    /// Members who have.
    pub read_num: u64,
    /// Members who have not.
    pub unread_num: u64,
}

impl Serialize for GroupReceipts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            group_msg_receipt_list: &'a [GroupReceipt<'a>],
        }
        let mut fields = serializer.serialize_struct("GroupReceipts", 6)?;
        fields.serialize_field("Event", &EVENT_NOTICE)?;
        fields.serialize_field("From_Account", SYSTEM_ACCOUNT)?;
        fields.serialize_field("ToGroupId", self.group.group_id)?;
        fields.serialize_field("MsgTimeStamp", &self.time)?;
        fields.serialize_field("GroupInfo", &self.group)?;
        fields.serialize_field("MsgBody", &Body { group_msg_receipt_list: self.receipts })?;
        fields.end()
    }
}

/// To the members of a group: a message was pinned, or is not pinned any more.
#[derive(Debug, Clone)]
pub struct GroupPin<'a> {
    /// The group.
    pub group: GroupInfo<'a>,
    /// When.
    pub time: UnixSeconds,
    /// Who has done it.
    pub operator: Face<'a>,
    /// Which message.
    pub message: PinnedMessage<'a>,
}

/// See [`GroupPin`].
#[derive(Debug, Clone)]
pub enum PinnedMessage<'a> {
    /// It is pinned: the message as it stands in the history.
    Pinned(&'a RawValue),
    /// It is not pinned any more.
    Unpinned(GroupMessageRef<'a>),
}

impl Serialize for GroupPin<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Body<'a>(&'a GroupPin<'a>);
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Unpinned {
            msg_seq: u64,
            msg_random: u32,
            server_time: UnixSeconds,
            msg_client_time: UnixSeconds,
            sender_tiny_id: TinyId,
        }
        /// `OpType` of the tips.
        const PINNED: u32 = 16;
        const UNPINNED: u32 = 17;
        impl Serialize for Body<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let GroupPin { operator, message, .. } = self.0;
                let mut fields = serializer.serialize_struct("PinTip", 4)?;
                let kind = match message {
                    PinnedMessage::Pinned(_) => PINNED,
                    PinnedMessage::Unpinned(_) => UNPINNED,
                };
                fields.serialize_field("OpType", &kind)?;
                fields.serialize_field("Operator_Account", operator.user_id)?;
                fields.serialize_field("MsgOperatorMemberExtraInfo", operator)?;
                match message {
                    PinnedMessage::Pinned(message) => {
                        fields.serialize_field("PinnedMsg", message)?;
                    }
                    PinnedMessage::Unpinned(message) => {
                        let unpinned = Unpinned {
                            msg_seq: message.msg_seq,
                            msg_random: message.msg_random,
                            server_time: message.msg_time,
                            msg_client_time: message.msg_client_time,
                            sender_tiny_id: message.tiny_id,
                        };
                        fields.serialize_field("SdkGroupMessageId", &unpinned)?;
                    }
                }
                fields.end()
            }
        }
        passing_tip(serializer, &self.group, self.time, &Body(self))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Event, GroupPiece, NameCard, group_frame};
    use super::*;
    use crate::group::GroupType;

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn c2c<'a>(from: &'a UserId, to: &'a UserId) -> AttachedTo<'a> {
        AttachedTo::C2c(MessageRef {
            from,
            to,
            msg_seq: 2_328_140_001,
            msg_random: 6_882_155,
            msg_time: UnixSeconds(1_795_390_095),
            msg_client_time: UnixSeconds(1_795_390_094),
            tiny_id: TinyId(144_115_200_000_000_001),
        })
    }

    fn of_group(group_id: &GroupId) -> GroupMessageRef<'_> {
        GroupMessageRef {
            group_id,
            msg_seq: 7,
            msg_random: 6_882_155,
            msg_time: UnixSeconds(1_795_390_095),
            msg_client_time: UnixSeconds(1_795_390_094),
            tiny_id: TinyId(144_115_200_000_000_001),
        }
    }

    fn info(group_id: &GroupId) -> GroupInfo<'_> {
        GroupInfo {
            group_id,
            group_name: "Tea",
            group_type: GroupType::Public,
            from_nick: "",
            from_avatar: "",
            from_extra: NameCard::default(),
            to: None,
        }
    }

    const NAMED: &str = concat!(
        r#""From_Account":"alice","To_Account":"bob","MsgSeq":2328140001,"MsgRandom":6882155,"#,
        r#""MsgTime":1795390095,"MsgClientTime":1795390094,"TinyId":"144115200000000001""#
    );
    const NAMED_IN_GROUP: &str = concat!(
        r#""GroupId":"tea","MsgSeq":7,"MsgRandom":6882155,"MsgTime":1795390095,"#,
        r#""MsgClientTime":1795390094,"TinyId":"144115200000000001""#
    );
    const INFO: &str = concat!(
        r#""GroupInfo":{"GroupId":"tea","GroupName":"Tea","GroupType":"Public","From_AccountNick":"","#,
        r#""From_AccountHeadurl":"","MsgFrom_AccountExtraInfo":{"NameCard":""}}"#
    );

    fn check(event: &Event<'_>, expected: &str) {
        assert_eq!(serde_json::to_string(event).unwrap(), expected);
    }

    /// The events of a frame with these pieces.
    fn check_frame(pieces: &[GroupPiece], expected: &str) {
        let frame = group_frame(pieces);
        let frame = crate::frame::Request::parse(&frame).unwrap();
        assert_eq!(frame.body.get(), format!(r#"{{"EventArray":[{expected}]}}"#));
    }

    #[test]
    fn reactions_exactly() {
        let (alice, bob, tea) = (user("alice"), user("bob"), GroupId::parse("tea").unwrap());
        let reactions = vec![Reaction { reaction: "smile", count: 1, accounts: vec![&bob] }];
        let summary =
            r#""MsgReactionSummary":[{"Reaction":"smile","Count":1,"Reaction_Account":["bob"]}]"#;
        let notice = [ReactionNotice { message: c2c(&alice, &bob), reactions: reactions.clone() }];
        check(
            &Event::Reactions(&notice),
            &format!(
                r#"{{"Event":21,"MsgReactionNotifyList":[{{"C2CMsgInfo":{{{NAMED}}},{summary}}}]}}"#
            ),
        );
        let notice = ReactionNotice { message: AttachedTo::Group(of_group(&tea)), reactions };
        let piece = GroupPiece::reactions(&notice);
        let item = format!(r#"{{"GroupMsgInfo":{{{NAMED_IN_GROUP}}},{summary}}}"#);
        check_frame(
            &[piece.clone(), piece],
            &format!(r#"{{"Event":21,"MsgReactionNotifyList":[{item},{item}]}}"#),
        );
    }

    #[test]
    fn extensions_exactly() {
        let (alice, bob, tea) = (user("alice"), user("bob"), GroupId::parse("tea").unwrap());
        let values = [ExtensionValue { key: "vote", value: "1", seq: 3 }];
        for (change, number, name) in [
            (ExtensionChange::Set, 1, "SetKVInfo"),
            (ExtensionChange::Delete, 2, "DeleteKVInfo"),
            (ExtensionChange::Clear, 3, "ClearKVInfo"),
        ] {
            let changed = format!(
                r#""MsgOptType":{number},"MsgLastSeq":3,"{name}":[{{"MsgKeyValue":[{{"Key":"vote","Value":"1","Seq":3}}],"ClearMsgSeq":2}}]"#
            );
            let notice = ExtensionNotice {
                message: c2c(&alice, &bob),
                change,
                values: &values,
                last: 3,
                cleared: 2,
            };
            check(
                &Event::Extensions(notice),
                &format!(
                    r#"{{"Event":20,"MsgExtensionNotify":{{"TinyId":"144115200000000001","ExtensionC2cMsgInfo":{{{NAMED}}},{changed}}}}}"#
                ),
            );
            let message = AttachedTo::Group(of_group(&tea));
            let piece = GroupPiece::extensions(&ExtensionNotice { message, ..notice });
            let event = format!(
                r#"{{"Event":20,"MsgExtensionNotify":{{"TinyId":"144115200000000001","ExtensionGroupMsgInfo":{{{NAMED_IN_GROUP}}},{changed}}}}}"#
            );
            check_frame(&[piece.clone(), piece], &format!("{event},{event}"));
        }
    }

    #[test]
    fn receipts_exactly() {
        let tea = GroupId::parse("tea").unwrap();
        let receipts = [GroupReceipt { message: of_group(&tea), read_num: 2, unread_num: 1 }];
        let notice = GroupReceipts { group: info(&tea), time: UnixSeconds(7), receipts: &receipts };
        check(
            &Event::GroupReceipts(&[notice]),
            &format!(
                r#"{{"Event":5,"GroupTips":[{{"Event":5,"From_Account":"@TIM#SYSTEM","ToGroupId":"tea","MsgTimeStamp":7,{INFO},"MsgBody":{{"GroupMsgReceiptList":[{{{NAMED_IN_GROUP},"ReadNum":2,"UnreadNum":1}}]}}}}]}}"#
            ),
        );
    }

    #[test]
    fn pins_exactly() {
        let tea = GroupId::parse("tea").unwrap();
        let operator = Face { user_id: "bob", nick_name: "Bob", image_url: "" };
        let raw = RawValue::from_string("{\"MsgSeq\":7}".to_owned()).unwrap();
        let tip = |message| GroupPin { group: info(&tea), time: UnixSeconds(9), operator, message };
        let event = |kind: u32, message: &str| {
            format!(
                r#"{{"Event":6,"GroupTips":[{{"Event":6,"From_Account":"@TIM#SYSTEM","ToGroupId":"tea","GroupId":"tea","MsgTimeStamp":9,{INFO},"MsgBody":{{"OpType":{kind},"Operator_Account":"bob","MsgOperatorMemberExtraInfo":{{"UserId":"bob","NickName":"Bob","ImageUrl":""}},{message}}}}}]}}"#
            )
        };
        check_frame(
            &[GroupPiece::pin(&tip(PinnedMessage::Pinned(&raw)))],
            &event(16, r#""PinnedMsg":{"MsgSeq":7}"#),
        );
        check_frame(
            &[GroupPiece::pin(&tip(PinnedMessage::Unpinned(of_group(&tea))))],
            &event(
                17,
                r#""SdkGroupMessageId":{"MsgSeq":7,"MsgRandom":6882155,"ServerTime":1795390095,"MsgClientTime":1795390094,"SenderTinyId":"144115200000000001"}"#,
            ),
        );
    }
}
