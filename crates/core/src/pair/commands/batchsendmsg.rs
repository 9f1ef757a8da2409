//! `openim/batchsendmsg`: sends the same message to up to 500 accounts.
//!
//! Callers: administrators. Each conversation takes its copy on its own, many at the same time, so a part may
//! fail: those receivers are listed, and the same request may simply be sent again, since whoever has the
//! message gets no second one within the duplicate window. All copies share `MsgSeq` and `MsgRandom` and, but
//! for a conversation that moves on to the next second meanwhile, their time. No webhook is called.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{MsgKey, UserId};
use teahouse_proto::message::{CallbackControl, SendControl};
use teahouse_proto::time::UnixSeconds;

use super::sendmsg::Elements;
use crate::account;
use crate::admission;
use crate::caller::Caller;
use crate::conversation::options;
use crate::entity::in_parallel;
use crate::error::{Failure, Outcome};
use crate::operation::Operation;
use crate::pair;
use crate::pair::draft::{Asked, Draft};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/batchsendmsg").rest();

request! {
    pub(crate) struct Request {
        /// Sender; the caller when absent.
        from_account: Option<UserId> = "From_Account" else FromAccountInvalid,
        /// Receivers, 1 to 500; one that is listed twice gets the message once.
        to_account: Vec<String> = "To_Account" else ToAccountInvalid,
        /// Chosen by the sender; a random number when absent, and then repetitions are not recognised.
        msg_seq: Option<u32> = "MsgSeq",
        /// Chosen by the sender.
        msg_random: u32 = "MsgRandom" else MsgRandomInvalid,
        /// Elements; with `CloudCustomData` at most 12 KiB (a setting).
        msg_body: Elements = "MsgBody" else MsgBodyNotArray,
        /// Stored and delivered with the message.
        cloud_custom_data: Option<String> = "CloudCustomData",
        /// 1: for connected devices only, not stored.
        online_only_flag: Option<u32> = "OnlineOnlyFlag",
        /// Seconds as offline message, at most 604800 (longer is cut); 0: for connected devices only.
        msg_life_time: Option<u32> = "MsgLifeTime" else MsgLifeTimeInvalid,
        /// 1 delivers to the sender's devices too, 2 keeps it out of the sender's history.
        sync_other_machine: Option<u32> = "SyncOtherMachine" else SyncOtherMachineInvalid,
        /// `NoUnread`, `NoLastMsg`, `WithMuteNotifications`, `NoMsgCheck`.
        send_msg_control: Option<SendControl> = "SendMsgControl",
        /// 1: key-values may be attached later.
        support_message_extension: Option<u32> = "SupportMessageExtension",
        /// Offline push options.
        offline_push_info: Option<Box<RawValue>> = "OfflinePushInfo" else OfflinePushInfoInvalid,
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// `SomeError` when a part failed, in place of `OK`.
    #[serde(skip_serializing_if = "Option::is_none")]
    action_status: Option<&'static str>,
    /// `seq_random_time`: names the message within each conversation.
    msg_key: String,
    /// Receivers that did not get it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error_list: Vec<Failed>,
}

/// A receiver that did not get the message.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    #[serde(rename = "To_Account")]
    to_account: String,
    /// 70107: the account does not exist.
    error_code: i32,
}

const RECEIVERS_MAX: usize = 500;
/// Enough to share each sync of the disk, few enough to leave room for others.
const AT_ONCE: usize = 64;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let from = caller.acting_as(request.from_account, ErrorCode::MsgNotAdmin)?;
    let receivers = receivers(request.to_account)?;
    let is_one = |flag: Option<u32>| flag == Some(1);
    let asked = Asked {
        seq: request.msg_seq,
        random: request.msg_random,
        client_time: None,
        body: request.msg_body,
        cloud_custom_data: request.cloud_custom_data,
        online_only: is_one(request.online_only_flag),
        life_time: request.msg_life_time,
        sync_other_machine: request.sync_other_machine,
        control: request.send_msg_control,
        forbids: Some(CallbackControl::ALL),
        is_extensible: is_one(request.support_message_extension),
        wants_receipt: false,
        offline_push: request.offline_push_info,
    };
    let draft = &Draft::of(&caller, asked, ErrorCode::BatchBodyTooLong)?;
    let (node, app) = (caller.node(), caller.app());
    account::existing(node, app, &from, ErrorCode::AccountUnknown).await?;
    let face = &account::face(node, app, &from).await?;
    let (caller, from) = (&caller, &from);
    let sent = in_parallel(receivers, AT_ONCE, |to| async move {
        let sent = send_to(caller, from, &to, draft, face).await;
        sent.map_err(|failure| Failed { to_account: to, error_code: code(&failure).number() })
    });
    answer(draft, sent.await)
}

/// The receivers, each once, in their order.
fn receivers(named: Vec<String>) -> Result<Vec<String>, Error> {
    match named.len() {
        0 => return Err(Error::with(ErrorCode::MsgJsonMalformed, "To_Account is empty")),
        1..=RECEIVERS_MAX => {}
        count => {
            let info = format!("To_Account lists {count} accounts, at most {RECEIVERS_MAX}");
            return Err(Error::with(ErrorCode::TooManyTargets, info));
        }
    }
    let mut seen = BTreeSet::new();
    Ok(named.into_iter().filter(|id| seen.insert(id.clone())).collect())
}

/// Answers with the second of the copy.
async fn send_to(
    caller: &Caller,
    from: &UserId,
    to: &str,
    draft: &Draft,
    face: &(String, String),
) -> Outcome<UnixSeconds> {
    let to = UserId::parse(to).map_err(|_| ErrorCode::ToAccountUnknown)?;
    let (node, app) = (caller.node(), caller.app());
    let ends = admission::to_user(caller, from.clone(), to).await?;
    let discarded = draft.heeds_option && options::is_discarded(node, app, &ends).await?;
    let message = draft.addressed(ends, face.clone(), discarded, None);
    Ok(pair::send(node, app, &message, || {}).await?.time)
}

fn code(failure: &Failure) -> ErrorCode {
    match failure {
        Failure::Refused(error) if error.code == ErrorCode::ToAccountUnknown => {
            ErrorCode::AccountNotImported
        }
        Failure::Refused(error) => error.code,
        Failure::Read(_) | Failure::Commit(_) => {
            tracing::error!(%failure, "a copy of a batch message could not be stored");
            ErrorCode::SendInternal
        }
    }
}

fn answer(draft: &Draft, sent: Vec<Result<UnixSeconds, Failed>>) -> Outcome<Response> {
    let (mut times, mut error_list) = (Vec::new(), Vec::new());
    for sent in sent {
        match sent {
            Ok(time) => times.push(time),
            Err(failed) => error_list.push(failed),
        }
    }
    // Of a request that is repeated the first copies, which need no new one, have the time of the first.
    let Some(time) = times.into_iter().min() else {
        let unknown = ErrorCode::AccountNotImported.number();
        let code = match error_list.iter().find(|failed| failed.error_code != unknown) {
            None => Error::with(ErrorCode::ToAccountUnknown, "invalid To_Account"),
            Some(_) => Error::new(ErrorCode::SendInternal),
        };
        let extra = serde_json::json!({ "ErrorList": error_list });
        let extra = serde_json::value::to_raw_value(&extra).expect("plain data is JSON");
        return Err(code.with_extra(extra).into());
    };
    Ok(Response {
        action_status: (!error_list.is_empty()).then_some("SomeError"),
        msg_key: MsgKey { seq: draft.seq, random: draft.random, time }.to_string(),
        error_list,
    })
}
