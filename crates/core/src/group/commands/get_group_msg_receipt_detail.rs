//! `group_open_http_svc/get_group_msg_receipt_detail`: who has read a message that asked for receipts, or who has not, by
//! page, in the order of their joining.
//!
//! Callers: administrators, members for messages that they may see. Groups of type Private, Public and ChatRoom.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};

use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::changes::Actor;
use crate::group::receipts::{self, Reader};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_msg_receipt_detail").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The message.
        msg_seq: u64 = "MsgSeq",
        /// 0: those who have read it; 1: those who have not.
        filter: u32 = "Filter" | "Flag",
        /// Where the page begins: as the page before says, the first page when empty or absent.
        cursor: Option<String> = "Cursor",
        /// Members wanted, at least 1; more than 200 are cut.
        count: usize = "Count" | "Num",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    msg_seq: u64,
    /// Those who have read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_list: Option<Vec<Read>>,
    /// Those who have not.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_list: Option<Vec<Unread>>,
    /// Where the next page begins.
    cursor: String,
    /// 1: this is the last page.
    is_finish: u8,
}

/// One who has read the message.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Read {
    #[serde(rename = "Read_Account")]
    account: UserId,
}

/// One who has not.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Unread {
    #[serde(rename = "Unread_Account")]
    account: UserId,
}

const COUNT_MAX: usize = 200;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let bad = |info: String| Error::with(ErrorCode::GroupBadParameter, info);
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let has_read = match request.filter {
        0 => true,
        1 => false,
        other => return Err(bad(format!("Filter is {other}, 0 and 1 are possible")).into()),
    };
    if request.count == 0 {
        return Err(bad("Count is 0, at least 1 is possible".to_owned()).into());
    }
    let after = match request.cursor.as_deref() {
        None | Some("") => 0,
        Some(cursor) => cursor.parse().map_err(|_| bad("Cursor is malformed".to_owned()))?,
    };
    let actor = Actor::of(&caller)?;
    let found = receipts::of_messages(node, app, id, &[request.msg_seq], &actor).await?;
    let readers = found.into_iter().next().unwrap_or(Err(ErrorCode::ReceiptUnknown))?;
    let is_wanted = |reader: &Reader| reader.read_at.is_some() == has_read;
    let mut page: Vec<Reader> =
        readers.into_iter().filter(|r| is_wanted(r) && r.joined_as > after).collect();
    let count = request.count.min(COUNT_MAX);
    let is_finish = page.len() <= count;
    page.truncate(count);
    let last = page.last().filter(|_| !is_finish).map_or(0, |reader| reader.joined_as);
    let accounts = page.into_iter().map(|reader| reader.user);
    let (read_list, unread_list) = match has_read {
        true => (Some(accounts.map(|account| Read { account }).collect()), None),
        false => (None, Some(accounts.map(|account| Unread { account }).collect())),
    };
    Ok(Response {
        msg_seq: request.msg_seq,
        read_list,
        unread_list,
        cursor: last.to_string(),
        is_finish: u8::from(is_finish),
    })
}
