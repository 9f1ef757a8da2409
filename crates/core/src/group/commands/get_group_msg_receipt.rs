//! `group_open_http_svc/get_group_msg_receipt`: how many have read messages of a group that asked for receipts.
//!
//! Callers: administrators, members for messages that they may see. Groups of type Private, Public and ChatRoom.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::GroupId;

use super::group_msg_receipt::{Message, seqs};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::changes::Actor;
use crate::group::receipts;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_msg_receipt").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 50 messages.
        msg_seq_list: Vec<Message> = "MsgSeqList",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request, each message once.
    group_msg_receipt_list: Vec<Receipt>,
}

/// The readers of one message: of those who were members when it was sent and still are, without its sender.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Receipt {
    msg_seq: u64,
    /// 0, or 10062: there is no such message, or it asked for no receipts.
    code: i32,
    /// How many have read it.
    read_num: u64,
    /// How many have not.
    unread_num: u64,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let seqs = seqs(&request.msg_seq_list)?;
    let found = receipts::of_messages(node, app, id, &seqs, &Actor::of(&caller)?).await?;
    let receipt = |(msg_seq, found): (u64, Result<Vec<receipts::Reader>, ErrorCode>)| {
        let (code, readers) = match found {
            Ok(readers) => (0, readers),
            Err(code) => (code.number(), Vec::new()),
        };
        let (read_num, unread_num) = receipts::count(&readers);
        Receipt { msg_seq, code, read_num, unread_num }
    };
    Ok(Response { group_msg_receipt_list: seqs.into_iter().zip(found).map(receipt).collect() })
}
