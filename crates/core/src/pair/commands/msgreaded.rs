//! `openim/msgreaded`: marks conversations as read up to a time. The peers and the reader's other
//! devices are told.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Deserialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixSeconds;

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim/msgreaded").gateway();

request! {
    pub(crate) struct Request {
        /// What was read.
        c2c_msg_readed: Readed = "C2CMsgReaded",
    }
}

/// What was read.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Readed {
    /// One entry a conversation, at most 500.
    #[serde(rename = "C2CMsgReadedItem")]
    items: Vec<ReadedItem>,
}

/// One conversation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReadedItem {
    /// The other party.
    #[serde(rename = "To_Account")]
    to_account: UserId,
    /// Second of the last message that was read.
    lasted_msg_time: UnixSeconds,
}

const CONVERSATIONS_MAX: usize = 500;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let reader = caller.acting_as(None, ErrorCode::MsgNotAdmin)?;
    let count = request.c2c_msg_readed.items.len();
    if count > CONVERSATIONS_MAX {
        let info = format!("{count} conversations, at most {CONVERSATIONS_MAX}");
        return Err(Error::with(ErrorCode::TooManyTargets, info).into());
    }
    for ReadedItem { to_account, lasted_msg_time } in request.c2c_msg_readed.items {
        conversation::mark_read(
            caller.node(),
            caller.app(),
            &reader,
            &to_account,
            lasted_msg_time,
            caller.origin(),
        )
        .await?;
    }
    Ok(Empty {})
}
