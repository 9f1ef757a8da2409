//! `group_open_http_svc/import_group_msg`: writes up to 7 messages of another system into a group, each with the
//! second at which it was said.
//!
//! Callers: administrators. The messages come in the order of their seconds, behind all that is stored; many may
//! be of the same second. Each has a result of its own. One with the sender, second, random number and content of
//! a stored one is there already, and has that one's result, so a call may be repeated. Nobody is told, no webhook
//! is called, and the messages are unread for nobody: `import_group_member` and `set_unread_msg_num` say afterwards
//! what is unread.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::Priority;
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::UnixSeconds;

use super::accounts;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group;
use crate::group::import::{self, Imported};
use crate::operation::Operation;
use crate::pair::commands::sendmsg::Elements;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/import_group_msg").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1: conversation lists show the messages; without, they stay as they are.
        recent_contact_flag: Option<u32> = "RecentContactFlag",
        /// 1 to 7 messages.
        msg_list: Vec<Message> = "MsgList",
    }
}

/// A message of another system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Message {
    /// Sender; need not be a member.
    #[serde(rename = "From_Account")]
    from_account: UserId,
    /// When it was said, unix seconds: not before the group was made, not before the last message, and not in the
    /// future.
    send_time: UnixSeconds,
    /// Chosen by the sender; a random number when absent, and then repetitions are not recognised.
    random: Option<u32>,
    /// `High`, `Normal` (the default), `Low` or `Lowest`.
    msg_priority: Option<Priority>,
    /// Elements; with `CloudCustomData` at most 12 KiB (a setting).
    msg_body: Elements,
    /// Stored with the message.
    cloud_custom_data: Option<String>,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    import_msg_result: Vec<Stored>,
}

/// What became of one message.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    /// 0 stored; 10004 its time or a field does not fit; 10019 its sender does not exist; 80002 it is too long.
    result: i32,
    /// Why it is not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_info: Option<String>,
    /// Its time.
    msg_time: UnixSeconds,
    /// Its place in the group; 0 if it is not stored.
    msg_seq: u64,
}

const MESSAGES_MAX: usize = 7;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let count = request.msg_list.len();
    if !(1..=MESSAGES_MAX).contains(&count) {
        let info = format!("MsgList has {count} messages, 1 to {MESSAGES_MAX} are possible");
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let rules = group::group(node, app, id).await?.read(|state| state.rules())?;
    rules.offers(rules.stored)?;
    let times: Vec<UnixSeconds> =
        request.msg_list.iter().map(|message| message.send_time).collect();
    let accepted = accept(&caller, request.msg_list).await?;
    let is_too_long = |outcome: &Result<Imported, Error>| {
        outcome.as_ref().is_err_and(|error| error.code == ErrorCode::BodyTooLong)
    };
    if accepted.iter().all(is_too_long) {
        return Err(ErrorCode::ImportedMessageTooLong.into());
    }
    let messages: Vec<Imported> = accepted.iter().flatten().cloned().collect();
    let shown = request.recent_contact_flag == Some(1);
    let mut written = import::messages(node, app, id, &messages, shown).await?.into_iter();
    let results = accepted.into_iter().zip(times).map(|(accepted, msg_time)| {
        let stored = accepted.and_then(|_| written.next().expect("each message has a result"));
        let (msg_seq, problem) = match stored {
            Ok(sent) => (sent.seq, None),
            Err(error) => (0, Some(error)),
        };
        Stored {
            result: problem.as_ref().map_or(0, |error| error.code.number()),
            error_info: problem.map(|error| error.info.into_owned()),
            msg_time,
            msg_seq,
        }
    });
    Ok(Response { import_msg_result: results.collect() })
}

/// The messages, or why one cannot be imported.
async fn accept(caller: &Caller, list: Vec<Message>) -> Outcome<Vec<Result<Imported, Error>>> {
    let max = caller.app().facts().settings.group_body_bytes_max as usize;
    let senders: Vec<UserId> = list.iter().map(|message| message.from_account.clone()).collect();
    let accounts = accounts(caller, &senders).await?;
    let accepted = list.into_iter().zip(accounts).map(|(message, from_tiny_id)| {
        let cloud_custom_data = message.cloud_custom_data.unwrap_or_default();
        let too_long = ErrorCode::BodyTooLong;
        let code = teahouse_proto::message::BodyError::group_code;
        let body = message.msg_body.parse(&cloud_custom_data, max, too_long, code)?;
        let unknown = || {
            let info = format!("{}: the account does not exist", message.from_account);
            Error::with(ErrorCode::GroupAccountUnknown, info)
        };
        let random = || u32::try_from(caller.node().random() >> 32).expect("32 bits");
        Ok(Imported {
            from_tiny_id: from_tiny_id.ok_or_else(unknown)?,
            from: message.from_account.clone(),
            random: message.random.unwrap_or_else(random),
            time: message.send_time,
            priority: message.msg_priority.unwrap_or(Priority::Normal),
            body,
            cloud_custom_data,
        })
    });
    Ok(accepted.collect())
}
