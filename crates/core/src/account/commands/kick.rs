//! `im_open_login_svc/kick`: ends all sessions of an account and revokes every UserSig issued up to
//! this second. A UserSig made later logs in normally.
//!
//! Callers: administrators.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::Empty;
use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("im_open_login_svc/kick").rest();

request! {
    pub(crate) struct Request {
        /// The account.
        user_id: UserId = "UserID" | "Identifier" | "UserId",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    if account::kick(caller.node(), caller.app(), &request.user_id).await? {
        Ok(Empty {})
    } else {
        Err(ErrorCode::AccountNotImported.into())
    }
}
