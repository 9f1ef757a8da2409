//! `openim/getroammsg`: one page of a conversation's history, oldest first.
//!
//! Callers: users. A page starts beyond the cursor's message; without one, with the newest message, or with
//! the given second, and then it also ends with a whole one.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{MsgKey, UserId};
use teahouse_proto::time::UnixSeconds;
use teahouse_store::Direction;

use super::MessageJson;
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::history::{self, Budget, Range};
use crate::pair::{self, Ends};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/getroammsg").gateway();

request! {
    pub(crate) struct Request {
        /// The other party.
        peer_account: UserId = "Peer_Account" else ToAccountInvalid,
        /// Messages wanted, 1 to 100; 15 when absent.
        max_cnt: Option<u32> = "MaxCnt",
        /// Second of the cursor; 0 for the newest page.
        last_msg_time: Option<UnixSeconds> = "LastMsgTime",
        /// Key of the cursor's message; without it the whole second counts.
        msg_key: Option<String> = "MsgKey",
        /// 0 older messages, 1 newer ones.
        get_direction: Option<u32> = "GetDirection",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// 1: nothing is left in this direction.
    complete: u8,
    /// Second of the cursor of the next page.
    last_msg_time: UnixSeconds,
    /// Key of the cursor of the next page.
    msg_key: String,
    /// Ascending.
    msg_list: Vec<MessageJson>,
}

const COUNT_DEFAULT: u32 = 15;
const COUNT_MAX: u32 = 100;
const ANSWER_BYTES_MAX: usize = 512 * 1024;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let cursor: Option<MsgKey> = match request.msg_key.as_deref() {
        None | Some("") => None,
        Some(key) => Some(key.parse().map_err(|_| ErrorCode::MsgKeyInvalid)?),
    };
    let user = caller.acting_as(None, ErrorCode::MsgNotAdmin)?;
    let (node, app) = (caller.node(), caller.app());
    let found = conversation::find_now(node, app, &user, &request.peer_account).await?;
    let Some((ends, row)) = found else { return Ok(Response::of(Vec::new(), true, None)) };
    let newer = request.get_direction == Some(1);
    let cursor_time = request.last_msg_time.filter(|time| time.0 > 0);
    let range = range(&caller, &ends, cursor_time, cursor, newer).await?;
    let budget = Budget {
        messages: request.max_cnt.unwrap_or(COUNT_DEFAULT).clamp(1, COUNT_MAX) as usize,
        bytes: ANSWER_BYTES_MAX,
        // A client that continues without a key continues from a second.
        whole_seconds: (newer || cursor_time.is_some()) && range.beyond.is_none(),
    };
    let view = ends.view(&row, &pair::head(node, app, ends.pair()).await?);
    let mut page = history::page(node, app, &ends, &view, range, budget).await?;
    let cursor = page.messages.last().map(history::Stored::key);
    if !newer {
        page.messages.reverse();
    }
    Ok(Response::of(MessageJson::of(&ends, &page.messages), page.complete, cursor))
}

async fn range(
    caller: &Caller,
    ends: &Ends,
    time: Option<UnixSeconds>,
    cursor: Option<MsgKey>,
    newer: bool,
) -> Outcome<Range> {
    let beyond = match cursor {
        Some(key) => history::place_of(caller.node(), caller.app().id(), ends, &key).await?,
        None => None,
    };
    if newer {
        let from = time.unwrap_or_default();
        return Ok(Range { from, beyond, direction: Direction::Ascending, ..Range::ALL });
    }
    let Some(time) = time else { return Ok(Range::ALL) };
    Ok(Range { through: time, beyond, ..Range::ALL })
}

impl Response {
    fn of(msg_list: Vec<MessageJson>, complete: bool, cursor: Option<MsgKey>) -> Self {
        Self {
            complete: u8::from(complete),
            last_msg_time: cursor.as_ref().map_or(UnixSeconds(0), |key| key.time),
            msg_key: cursor.map(|key| key.to_string()).unwrap_or_default(),
            msg_list,
        }
    }
}
