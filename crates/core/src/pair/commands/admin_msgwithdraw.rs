//! `openim/admin_msgwithdraw`: withdraws a message of any age, whoever has sent it. It keeps its place in both
//! histories, without its content, and the devices of both sides are told.
//!
//! Callers: administrators.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{ends_of, key_of};
use crate::account::commands::Empty;
use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::changes;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim/admin_msgwithdraw").rest();

request! {
    pub(crate) struct Request {
        /// Sender of the message.
        from_account: UserId = "From_Account" else FromAccountInvalid,
        /// Its receiver.
        to_account: UserId = "To_Account" else ToAccountInvalid,
        /// Its key, `seq_random_time`.
        msg_key: String = "MsgKey" else MsgKeyInvalid,
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Who::Admin(admin) = caller.who() else { return Err(ErrorCode::MsgNotAdmin.into()) };
    let key = key_of(&request.msg_key)?;
    let Request { from_account, to_account, .. } = &request;
    let ends = ends_of(&caller, from_account, to_account, ErrorCode::MsgNotAdmin).await?;
    let ends = ends.ok_or(ErrorCode::MessageUnknown)?;
    let (node, app) = (caller.node(), caller.app());
    changes::withdraw(node, app, &ends, key, admin.as_str(), None, None).await?;
    Ok(Empty {})
}
