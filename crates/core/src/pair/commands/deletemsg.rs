//! `openim/deletemsg`: takes notices (what groups tell one user, and that he is mentioned) out of his log.
//!
//! Callers: users. Notices are told to whoever is connected and not kept, so that none can come again; mentions
//! only while their message is unread, and clients ask for this when they report it as read. What is asked for
//! is already so.

use schemars::JsonSchema;
use serde::Deserialize;
use teahouse_proto::error::{Error, ErrorCode};

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim/deletemsg").gateway();

request! {
    pub(crate) struct Request {
        /// The notices, at most 500.
        del_msg_list: Vec<Notice> = "DelMsgList",
    }
}

/// A notice.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Notice {
    /// As it was told.
    #[allow(dead_code, reason = "only the form is checked")]
    msg_seq: u64,
    /// As it was told.
    #[allow(dead_code, reason = "only the form is checked")]
    msg_random: u64,
}

const NOTICES_MAX: usize = 500;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    caller.acting_as(None, ErrorCode::MsgNotAdmin)?;
    let count = request.del_msg_list.len();
    if count > NOTICES_MAX {
        let info = format!("DelMsgList lists {count} notices, at most {NOTICES_MAX}");
        return Err(Error::with(ErrorCode::RequestIllegal, info).into());
    }
    Ok(Empty {})
}
