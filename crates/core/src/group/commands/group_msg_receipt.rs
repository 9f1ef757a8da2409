//! `group_open_http_svc/group_msg_receipt`: confirms that a member has read single messages. It changes no unread count.
//! The senders are told how many have read.
//!
//! Callers: administrators for any member, members for themselves. Groups of type Private, Public and ChatRoom.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};

use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::group::receipts;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/group_msg_receipt").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// Who has read; the caller when absent. Over REST it has to be there.
        from_account: Option<UserId> = "From_Account" else GroupAccountUnknown,
        /// 1 to 50 messages.
        msg_seq_list: Vec<Message> = "MsgSeqList",
    }
}

/// A message of the group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Message {
    /// Its place in the group.
    msg_seq: u64,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request, each message once.
    group_msg_receipt_list: Vec<Confirmed>,
}

/// What became of one message.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Confirmed {
    msg_seq: u64,
    /// 0: confirmed; 10062: there is no such message, or it asks for no receipts.
    code: i32,
}

const MESSAGES_MAX: usize = 50;

/// The messages of a request, each once.
///
/// # Errors
/// `GroupBadParameter` when there are none, or too many.
pub(super) fn seqs(messages: &[Message]) -> Result<Vec<u64>, Error> {
    let count = messages.len();
    if !(1..=MESSAGES_MAX).contains(&count) {
        let info = format!("MsgSeqList has {count} messages, 1 to {MESSAGES_MAX} are possible");
        return Err(Error::with(ErrorCode::GroupBadParameter, info));
    }
    let mut seen = BTreeSet::new();
    Ok(messages.iter().map(|message| message.msg_seq).filter(|seq| seen.insert(*seq)).collect())
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let seqs = seqs(&request.msg_seq_list)?;
    if caller.is_admin() && request.from_account.is_none() {
        let info = "From_Account is missing";
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let reader = super::operator(&caller, request.from_account)?;
    let tiny_id = match caller.who() {
        Who::User(identity) => Some(identity.tiny_id),
        Who::Admin(_) | Who::Guest { .. } | Who::System => None,
    };
    let confirmed = receipts::confirm(node, app, id, &seqs, (&reader, tiny_id)).await?;
    let confirmed = seqs.into_iter().zip(confirmed).map(|(msg_seq, outcome)| Confirmed {
        msg_seq,
        code: outcome.err().map_or(0, ErrorCode::number),
    });
    Ok(Response { group_msg_receipt_list: confirmed.collect() })
}
