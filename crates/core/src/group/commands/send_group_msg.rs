//! `group_open_http_svc/send_group_msg`: sends one message to a group.
//!
//! Callers: administrators for anyone, members for themselves. In a group with history the reply comes when
//! the message is durable; a message beyond the group's limit is refused. In a live room the reply comes at
//! once, and a message beyond the limit is dropped. A repeated send (same sender, random and content within
//! the duplicate window) is answered with the first result.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::Priority;
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::message::{CallbackControl, MessageBody, SendControl};
use teahouse_proto::push::GroupAt;
use teahouse_proto::time::UnixSeconds;

use super::{check_count, distinct, faces};
use crate::account;
use crate::admission;
use crate::caller::Caller;
use crate::error::{Failure, Outcome};
use crate::event::{Event, GroupSendFailed};
use crate::group::messages::{self, NewGroupMessage, Sent};
use crate::group::{self, flow, room};
use crate::hook::before::Passage;
use crate::hook::table::Command;
use crate::hook::via::Via;
use crate::operation::Operation;
use crate::pair::commands::sendmsg::Elements;
use crate::pair::rules;
use crate::request;
use crate::rows::MessageFlags;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/send_group_msg")
        .rest()
        .gateway()
        .million()
        .in_order()
        .feature_bit(4);

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// Sender; the caller when absent. Of a backend he need not be a member.
        from_account: Option<UserId> = "From_Account" else GroupAccountUnknown,
        /// Chosen by the sender.
        random: u32 = "Random",
        /// Chosen by the sender.
        client_seq: Option<u32> = "ClientSeq",
        /// When the sender wrote it, unix seconds. The message's own time is the server's.
        msg_client_time: Option<UnixSeconds> = "MsgClientTime",
        /// `High`, `Normal` (the default), `Low` or `Lowest`.
        priority: Option<Priority> = "MsgPriority",
        /// Elements; with `CloudCustomData` at most 12 KiB (a setting).
        msg_body: Elements = "MsgBody",
        /// Stored and delivered with the message.
        cloud_custom_data: Option<String> = "CloudCustomData",
        /// 1: for connected members only, not stored.
        online_only_flag: Option<u32> = "OnlineOnlyFlag",
        /// `NoUnread`, `NoLastMsg`, `NoMsgCheck`.
        send_msg_control: Option<SendControl> = "SendMsgControl",
        /// Webhooks that this message skips: `ForbidBeforeSendMsgCallback`, `ForbidAfterSendMsgCallback`.
        forbid_callback_control: Option<CallbackControl> = "ForbidCallbackControl",
        /// Who is mentioned, at most 30.
        group_at_info: Option<Vec<GroupAt>> = "GroupAtInfo",
        /// Only these see it, and the sender: at most 50 members of a group of type Private, Public or
        /// ChatRoom. It counts as unread for nobody, and mentions nobody.
        to: Option<Vec<UserId>> = "To_Account",
        /// 1: key-values may be attached later.
        support_message_extension: Option<u32> = "SupportMessageExtension",
        /// 1: members may send read receipts. Where they cannot the message is sent without, see `ReadReceiptCode`.
        need_read_receipt: Option<u32> = "NeedReadReceipt",
        /// Offline push options.
        offline_push_info: Option<Box<RawValue>> = "OfflinePushInfo",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// The message's time, unix seconds.
    msg_time: UnixSeconds,
    /// Its place in the group: starts at 1 and rises by 1 with each stored message.
    msg_seq: u64,
    /// Why the message goes without the read receipts that it asks for: 10060, the group is too large for them (a
    /// setting); 10061, it is not stored; 10007, groups of this type have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_receipt_code: Option<i32>,
}

const MENTIONS_MAX: usize = 30;
const RECEIVERS_MAX: usize = 50;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let id = request.group_id.clone();
    let (message, without_receipts) = accept(&caller, request).await?;
    let silent = message.forbids.forbid_after_send;
    let sent = Via::current().silenced(silent).scope(send(&caller, &id, &message)).await;
    if let (Err(Failure::Refused(error)), false) = (&sent, silent) {
        tell_failure(&caller, &id, &message, error).await?;
    }
    let sent = sent?;
    let read_receipt_code = without_receipts.map(ErrorCode::number);
    Ok(Response { msg_time: sent.time, msg_seq: sent.seq, read_receipt_code })
}

async fn send(caller: &Caller, id: &GroupId, message: &NewGroupMessage) -> Outcome<Sent> {
    let (node, app) = (caller.node(), caller.app());
    let group = admission::may_write(caller, id, message).await?;
    let rewritten = match admission::ask_of_group(caller, &group, message).await? {
        Passage::Send(rewritten) => rewritten,
        // It has no place in the group.
        Passage::Drop => return Ok(Sent { time: caller.now().seconds(), seq: 0 }),
    };
    let message = rewritten.as_ref().unwrap_or(message);
    if room::is_room(group.kind) {
        let settings = &app.facts().settings;
        let never_dropped = settings.room_never_dropped.0.contains(&message.from);
        caller.end_turn();
        return Ok(room::send(node, app, &group, message, never_dropped));
    }
    flow::admit(node, app, id, message.priority).await?;
    messages::send(node, app, id, message, || caller.end_turn()).await
}

/// Tells a webhook of a message that was refused, if there is such a group.
async fn tell_failure(
    caller: &Caller,
    id: &GroupId,
    message: &NewGroupMessage,
    error: &Error,
) -> Outcome<()> {
    let (node, app) = (caller.node(), caller.app());
    if !app.wants(Command::SendGroupException) {
        return Ok(());
    }
    let entity = group::group(node, app, id).await?;
    let Ok(group) = entity.read(|state| state.reference(app.id(), id)) else { return Ok(()) };
    node.publish(&Event::GroupSendFailed(GroupSendFailed {
        group,
        from: message.from.clone(),
        random: message.random,
        online_only: message.online_only,
        body: message.body.clone(),
        cloud_custom_data: message.cloud_custom_data.clone(),
        error: (error.number(), error.info.to_string()),
    }));
    Ok(())
}

/// Checks what the request says. Also why the message goes without receipts, if it does and asks for them.
async fn accept(
    caller: &Caller,
    request: Request,
) -> Outcome<(NewGroupMessage, Option<ErrorCode>)> {
    let (node, app) = (caller.node(), caller.app());
    let from = super::operator(caller, request.from_account)?;
    let cloud_custom_data = request.cloud_custom_data.unwrap_or_default();
    let body = body(caller, &request.msg_body, &cloud_custom_data)?;
    rules::offline_push(request.offline_push_info.as_deref())
        .map_err(|error| Error::with(ErrorCode::GroupBadParameter, error.info))?;
    let mentions = request.group_at_info.unwrap_or_default();
    if mentions.len() > MENTIONS_MAX {
        return Err(ErrorCode::MentionsExceeded.into());
    }
    let to = distinct(request.to.unwrap_or_default());
    check_count(to.len(), RECEIVERS_MAX)?;
    if !to.is_empty() && !mentions.is_empty() {
        let info = "a message with chosen receivers mentions nobody";
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let online_only = request.online_only_flag.unwrap_or_default() > 0;
    let control = request.send_msg_control.unwrap_or_default();
    let entity = group::group(node, app, &request.group_id).await?;
    let is_one = |flag: Option<u32>| flag == Some(1);
    let asks_receipts = is_one(request.need_read_receipt);
    let without_receipts = entity.read(|state| -> Result<Option<ErrorCode>, Error> {
        let rules = state.rules()?;
        let is_marked = online_only || control.no_unread || control.no_last_msg;
        if is_marked {
            rules.offers(rules.online_only_messages)?;
        }
        rules.offers(to.is_empty() || rules.targeted_messages)?;
        if online_only && (control.no_unread || control.no_last_msg) {
            let info = "SendMsgControl says nothing of a message that is not stored".to_owned();
            return Err(Error::with(ErrorCode::GroupBadParameter, info));
        }
        let allowed = state.check_receipts(online_only, &app.facts().settings);
        Ok(allowed.err().filter(|_| asks_receipts))
    })?;
    let unknown = ErrorCode::GroupAccountUnknown;
    let from_tiny_id = account::existing(node, app, &from, unknown).await?;
    let flags = MessageFlags::default()
        .with(MessageFlags::NO_UNREAD, control.no_unread || !to.is_empty())
        .with(MessageFlags::NO_LAST, control.no_last_msg)
        .with(MessageFlags::WANTS_RECEIPT, asks_receipts && without_receipts.is_none())
        .with(MessageFlags::EXTENSIBLE, is_one(request.support_message_extension));
    let message = NewGroupMessage {
        faces: faces(caller, &from, []).await?,
        from,
        from_tiny_id,
        by_backend: caller.is_admin(),
        random: request.random,
        client_seq: request.client_seq.unwrap_or_default(),
        client_time: request.msg_client_time,
        priority: request.priority.unwrap_or(Priority::Normal),
        body,
        cloud_custom_data,
        flags,
        online_only,
        mentions,
        to,
        origin: caller.origin(),
        asked_crc: None,
        forbids: request.forbid_callback_control.unwrap_or_default(),
    };
    Ok((message, without_receipts))
}

fn body(
    caller: &Caller,
    elements: &Elements,
    cloud_custom_data: &str,
) -> Result<MessageBody, Error> {
    let max = caller.app().facts().settings.group_body_bytes_max as usize;
    elements.parse(cloud_custom_data, max, ErrorCode::BodyTooLong, |problem| problem.group_code())
}
