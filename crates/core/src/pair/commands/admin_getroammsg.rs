//! `openim/admin_getroammsg`: a time range of a conversation's history, seen from one side.
//!
//! Callers: administrators. Pages run from newest to oldest, each ascending in itself; an answer is
//! limited to about 13 KiB, so that it may hold fewer messages than asked for.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{MsgKey, UserId};
use teahouse_proto::time::UnixSeconds;

use super::MessageJson;
use crate::account;
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair;
use crate::pair::history::{self, Budget, Range};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/admin_getroammsg").rest();

request! {
    pub(crate) struct Request {
        /// Whose view.
        operator_account: UserId = "Operator_Account" | "From_Account" else FromAccountInvalid,
        /// The other party.
        peer_account: UserId = "Peer_Account" | "To_Account" else ToAccountInvalid,
        /// Messages wanted, at least 1; an answer may hold fewer.
        max_cnt: u32 = "MaxCnt",
        /// First second.
        min_time: UnixSeconds = "MinTime",
        /// Last second.
        max_time: UnixSeconds = "MaxTime",
        /// Of the page before: it, and all that is newer, is left out.
        last_msg_key: Option<String> = "LastMsgKey",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// 1: the range is exhausted.
    complete: u8,
    /// Messages in this answer.
    msg_cnt: usize,
    /// Second of the oldest message of the page: `MaxTime` of the next one.
    last_msg_time: UnixSeconds,
    /// Its key.
    last_msg_key: String,
    /// Ascending.
    msg_list: Vec<MessageJson>,
}

const COUNT_MAX: u32 = 1_000;
const ANSWER_BYTES_MAX: usize = 13 * 1024;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    if request.max_cnt == 0 {
        return Err(Error::with(ErrorCode::MsgJsonMalformed, "MaxCnt is 0, at least 1").into());
    }
    let cursor: Option<MsgKey> = match request.last_msg_key.as_deref() {
        None | Some("") => None,
        Some(key) => Some(key.parse().map_err(|_| ErrorCode::MsgKeyInvalid)?),
    };
    let (node, app) = (caller.node(), caller.app());
    let own = &request.operator_account;
    account::existing(node, app, own, ErrorCode::FromAccountInvalid).await?;
    let Some((ends, row)) = conversation::find(node, app, own, &request.peer_account).await? else {
        account::existing(node, app, &request.peer_account, ErrorCode::ToAccountInvalid).await?;
        return Ok(Response::of(Vec::new(), true, None));
    };
    let beyond = match cursor {
        Some(key) => history::place_of(node, app.id(), &ends, &key).await?,
        None => None,
    };
    let range = Range {
        from: request.min_time,
        through: request.max_time,
        beyond,
        direction: Range::ALL.direction,
    };
    let budget = Budget {
        messages: request.max_cnt.min(COUNT_MAX) as usize,
        bytes: ANSWER_BYTES_MAX,
        whole_seconds: false,
    };
    let view = ends.view(&row, &pair::head(node, app, ends.pair()).await?);
    let mut page = history::page(node, app, &ends, &view, range, budget).await?;
    let oldest = page.messages.last().map(history::Stored::key);
    page.messages.reverse();
    Ok(Response::of(MessageJson::of(&ends, &page.messages), page.complete, oldest))
}

impl Response {
    fn of(msg_list: Vec<MessageJson>, complete: bool, oldest: Option<MsgKey>) -> Self {
        Self {
            complete: u8::from(complete),
            msg_cnt: msg_list.len(),
            last_msg_time: oldest.as_ref().map_or(UnixSeconds(0), |key| key.time),
            last_msg_key: oldest.map(|key| key.to_string()).unwrap_or_default(),
            msg_list,
        }
    }
}
