//! `openim/delete_c2c_msg_ramble`: takes messages out of the caller's own history. The peer keeps them, and the
//! caller's other devices are not told.
//!
//! Callers: users.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{different_keys, key_of};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::changes;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim/delete_c2c_msg_ramble").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account" else FromAccountInvalid,
        /// The other party.
        to_account: UserId = "To_Account" else ToAccountInvalid,
        /// 1 to 50 keys, `seq_random_time`, of messages of either side. One that is not there is deleted already.
        msg_key_list: Vec<String> = "MsgKeyList" else MsgKeyInvalid,
    }
}

const MESSAGES_MAX: usize = 50;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let own = caller.acting_as(request.from_account, ErrorCode::MsgNotAdmin)?;
    let keys = different_keys(&request.msg_key_list, MESSAGES_MAX, |key| Ok(key_of(key)?))?;
    let (node, app) = (caller.node(), caller.app());
    if let Some((ends, row)) = conversation::find_now(node, app, &own, &request.to_account).await? {
        changes::delete(node, app, &ends, &row, &keys).await?;
    }
    Ok(Empty {})
}
