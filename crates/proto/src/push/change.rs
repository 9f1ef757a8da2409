//! What becomes of one-to-one messages after they were sent.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::RevokerInfo;
use crate::ids::{TinyId, UserId};
use crate::message::MessageBody;
use crate::time::UnixSeconds;

/// A message as these events name it.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageRef<'a> {
    /// Its sender.
    #[serde(rename = "From_Account")]
    pub from: &'a UserId,
    /// Its receiver.
    #[serde(rename = "To_Account")]
    pub to: &'a UserId,
    /// Chosen by the sender.
    pub msg_seq: u32,
    /// Chosen by the sender.
    pub msg_random: u32,
    /// When the server accepted it.
    pub msg_time: UnixSeconds,
    /// The sender's clock.
    pub msg_client_time: UnixSeconds,
    /// Internal number of the sender.
    pub tiny_id: TinyId,
}

/// A message that was withdrawn.
#[derive(Debug, Clone, Copy)]
pub struct WithdrawnMessage<'a> {
    /// The message.
    pub message: MessageRef<'a>,
    /// Who has withdrawn it.
    pub revoker_info: RevokerInfo<'a>,
}

impl Serialize for WithdrawnMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = &self.message;
        let mut fields = serializer.serialize_struct("WithdrawnMessage", 8)?;
        fields.serialize_field("From_Account", message.from)?;
        fields.serialize_field("To_Account", message.to)?;
        fields.serialize_field("MsgSeq", &message.msg_seq)?;
        fields.serialize_field("MsgRandom", &message.msg_random)?;
        // This event has another name for the second.
        fields.serialize_field("MsgTimeStamp", &message.msg_time)?;
        fields.serialize_field("MsgClientTime", &message.msg_client_time)?;
        fields.serialize_field("TinyId", &message.tiny_id)?;
        fields.serialize_field("RevokerInfo", &self.revoker_info)?;
        fields.end()
    }
}

/// A message that was modified, and what it says now.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifiedMessage<'a> {
    /// The message.
    #[serde(flatten)]
    pub message: MessageRef<'a>,
    /// The elements.
    pub msg_body: &'a MessageBody,
    /// Rises with each modification.
    pub msg_version: u32,
    /// Goes along with the message; may be empty.
    pub cloud_custom_data: &'a str,
}

/// To a sender: the receiver has read these.
#[derive(Debug, Clone, Copy)]
pub struct ReceiptNotice<'a> {
    /// Who has read.
    pub reader: &'a UserId,
    /// When he said so.
    pub time: UnixSeconds,
    /// What he has read.
    pub messages: &'a [MessageRef<'a>],
}

impl Serialize for ReceiptNotice<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("ReceiptNotice", 4)?;
        // Clients look for this number.
        fields.serialize_field("Event", &16)?;
        fields.serialize_field("UserId", self.reader)?;
        fields.serialize_field("PeerReadTime", &self.time)?;
        fields.serialize_field("C2cMsgInfo", self.messages)?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{C2cNotice, Event};
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn message<'a>(from: &'a UserId, to: &'a UserId) -> MessageRef<'a> {
        MessageRef {
            from,
            to,
            msg_seq: 2_328_140_001,
            msg_random: 6_882_155,
            msg_time: UnixSeconds(1_795_390_095),
            msg_client_time: UnixSeconds(1_795_390_094),
            tiny_id: TinyId(144_115_200_000_000_001),
        }
    }

    fn check(event: &Event<'_>, expected: &str) {
        assert_eq!(serde_json::to_string(event).unwrap(), expected);
    }

    const NAMED: &str = concat!(
        r#""From_Account":"alice","To_Account":"bob","MsgSeq":2328140001,"MsgRandom":6882155,"#,
        r#""MsgTime":1795390095,"MsgClientTime":1795390094,"TinyId":"144115200000000001""#
    );

    #[test]
    fn a_withdrawal_exactly() {
        let (alice, bob) = (user("alice"), user("bob"));
        let revoker_info = RevokerInfo { revoker: "alice", reason: "" };
        let withdrawn = [WithdrawnMessage { message: message(&alice, &bob), revoker_info }];
        check(
            &Event::C2cNotices(&[C2cNotice::Withdrawn(&withdrawn)]),
            &format!(
                r#"{{"Event":10,"C2cNotifyMsgArray":[{{"WithdrawC2cMsgNotify":{{"C2cWithdrawInfoArray":[{{{},"RevokerInfo":{{"Revoker_Account":"alice","Reason":""}}}}]}}}}]}}"#,
                NAMED.replace("MsgTime", "MsgTimeStamp")
            ),
        );
    }

    #[test]
    fn a_modification_exactly() {
        let (alice, bob) = (user("alice"), user("bob"));
        let body = MessageBody::from_stored("[]".to_owned()).unwrap();
        let modified = [ModifiedMessage {
            message: message(&alice, &bob),
            msg_body: &body,
            msg_version: 1,
            cloud_custom_data: "c",
        }];
        check(
            &Event::MessagesModified(&modified),
            &format!(
                r#"{{"Event":18,"C2cMsgModNotifys":[{{{NAMED},"MsgBody":[],"MsgVersion":1,"CloudCustomData":"c"}}]}}"#
            ),
        );
    }

    #[test]
    fn a_receipt_exactly() {
        let (alice, bob) = (user("alice"), user("bob"));
        let messages = [message(&alice, &bob)];
        let notice = ReceiptNotice { reader: &bob, time: UnixSeconds(7), messages: &messages };
        check(
            &Event::Receipts(notice),
            &format!(
                r#"{{"Event":16,"UserId":"bob","PeerReadTime":7,"C2cMsgInfo":[{{{NAMED}}}]}}"#
            ),
        );
    }
}
