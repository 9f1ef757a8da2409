//! `openim/sendmsg`: sends one message to one account.
//!
//! Callers: administrators for anyone, users for themselves. The reply comes when the message is
//! durable. A repeated send (same sender, sequence, random and content within the duplicate window) is
//! answered with the first result.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{MsgKey, UserId};
use teahouse_proto::message::{BodyError, CallbackControl, MessageBody, SendControl};
use teahouse_proto::time::UnixSeconds;

use crate::account;
use crate::admission;
use crate::caller::Caller;
use crate::conversation::options;
use crate::error::Outcome;
use crate::hook::before::Passage;
use crate::operation::Operation;
use crate::pair::draft::{Asked, Draft};
use crate::pair::{self, NewMessage, Sent, rules};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/sendmsg").rest().gateway().in_order();

request! {
    pub(crate) struct Request {
        /// Sender; the caller when absent.
        from_account: Option<UserId> = "From_Account" else FromAccountInvalid,
        /// Receiver.
        to_account: UserId = "To_Account" else ToAccountInvalid,
        /// Chosen by the sender; a random number when absent, and then repetitions are not recognised.
        msg_seq: Option<u32> = "MsgSeq",
        /// Chosen by the sender.
        msg_random: u32 = "MsgRandom" else MsgRandomInvalid,
        /// When the sender wrote it, unix seconds. The message's own time is the server's.
        msg_client_time: Option<UnixSeconds> = "MsgClientTime" | "MsgTimeStamp" else MsgTimeStampInvalid,
        /// Elements; with `CloudCustomData` at most 12 KiB (a setting).
        msg_body: Elements = "MsgBody" else MsgBodyNotArray,
        /// Stored and delivered with the message.
        cloud_custom_data: Option<String> = "CloudCustomData",
        /// 1: for connected devices only, not stored.
        online_only_flag: Option<u32> = "OnlineOnlyFlag",
        /// Seconds as offline message, at most 604800 (longer is cut); 0: for connected devices only.
        msg_life_time: Option<u32> = "MsgLifeTime" else MsgLifeTimeInvalid,
        /// REST: 1 delivers to the sender's devices too, 2 keeps it out of the sender's history.
        sync_other_machine: Option<u32> = "SyncOtherMachine" else SyncOtherMachineInvalid,
        /// `NoUnread`, `NoLastMsg`, `WithMuteNotifications`, `NoMsgCheck`.
        send_msg_control: Option<SendControl> = "SendMsgControl",
        /// Webhooks that this message skips: `ForbidBeforeSendMsgCallback`, `ForbidAfterSendMsgCallback`.
        forbid_callback_control: Option<CallbackControl> = "ForbidCallbackControl",
        /// 1: key-values may be attached later.
        support_message_extension: Option<u32> = "SupportMessageExtension",
        /// 1: the receiver may send a receipt.
        is_need_read_receipt: Option<u32> = "IsNeedReadReceipt",
        /// Offline push options.
        offline_push_info: Option<Box<RawValue>> = "OfflinePushInfo" else OfflinePushInfoInvalid,
        /// 1: the client forwards a message. It is one like any other.
        is_relay_msg: Option<u32> = "IsRelayMsg",
    }
}

/// An array of `{"MsgType", "MsgContent"}`, as sent: it is kept to the letter.
#[derive(Debug)]
pub(crate) struct Elements(Box<RawValue>);

impl Elements {
    /// Reads the elements; with the custom data they are at most `bytes_max`.
    ///
    /// # Errors
    /// `too_long`, or what `code` makes of any other problem.
    pub(crate) fn parse(
        &self,
        cloud_custom_data: &str,
        bytes_max: usize,
        too_long: ErrorCode,
        code: impl Fn(&BodyError) -> ErrorCode,
    ) -> Result<MessageBody, Error> {
        rules::body(&self.0, cloud_custom_data, bytes_max, too_long, code)
    }
}

impl<'de> Deserialize<'de> for Elements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if raw.get() == "null" {
            return Err(serde::de::Error::custom("expected an array of elements"));
        }
        Ok(Self(raw))
    }
}

impl JsonSchema for Elements {
    fn schema_name() -> Cow<'static, str> {
        "MsgBody".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["MsgType", "MsgContent"],
                "properties": { "MsgType": { "type": "string" }, "MsgContent": { "type": "object" } },
            },
        })
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// The message's time, unix seconds.
    msg_time: UnixSeconds,
    /// `seq_random_time`: names the message within its conversation.
    msg_key: String,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let message = accept(&caller, request).await?;
    let (node, app) = (caller.node(), caller.app());
    let sent = match admission::ask_of_pair(&caller, &message).await? {
        Passage::Send(rewritten) => {
            let message = rewritten.as_ref().unwrap_or(&message);
            pair::send(node, app, message, || caller.end_turn()).await?
        }
        Passage::Drop => Sent { time: caller.now().seconds() },
    };
    let key = MsgKey { seq: message.seq, random: message.random, time: sent.time };
    Ok(Response { msg_time: sent.time, msg_key: key.to_string() })
}

/// Checks the request, then whether the sender may write to the receiver.
async fn accept(caller: &Caller, request: Request) -> Outcome<NewMessage> {
    let from = caller.acting_as(request.from_account, ErrorCode::MsgNotAdmin)?;
    let is_one = |flag: Option<u32>| flag == Some(1);
    let asked = Asked {
        seq: request.msg_seq,
        random: request.msg_random,
        client_time: request.msg_client_time,
        body: request.msg_body,
        cloud_custom_data: request.cloud_custom_data,
        online_only: is_one(request.online_only_flag),
        life_time: request.msg_life_time,
        sync_other_machine: request.sync_other_machine,
        control: request.send_msg_control,
        forbids: request.forbid_callback_control,
        is_extensible: is_one(request.support_message_extension),
        wants_receipt: is_one(request.is_need_read_receipt),
        offline_push: request.offline_push_info,
    };
    let by_admin = caller.is_admin();
    let too_long = if by_admin { ErrorCode::PacketTooLong } else { ErrorCode::BodyTooLong };
    let draft = Draft::of(caller, asked, too_long)?;
    let ends = admission::to_user(caller, from, request.to_account).await?;
    let (node, app) = (caller.node(), caller.app());
    let face = account::face(node, app, &ends.own).await?;
    let discarded = draft.heeds_option && options::is_discarded(node, app, &ends).await?;
    Ok(draft.addressed(ends, face, discarded, caller.origin()))
}
