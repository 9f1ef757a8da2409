//! `im_msg_db_logic/ws_get_do_not_disturb`: how the caller wants to be notified of messages at all.
//!
//! Callers: users.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;
use teahouse_proto::push::DoNotDisturb;
use teahouse_proto::time::UnixSeconds;

use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, DoNotDisturb> =
    Operation::new("im_msg_db_logic/ws_get_do_not_disturb").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        to_account: Option<UserId> = "To_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<DoNotDisturb> {
    let user = caller.acting_as(request.to_account, ErrorCode::RequestIllegal)?;
    let entity = account::user(caller.node(), caller.app(), &user).await?;
    let row = entity.read(|state| state.account().and_then(|account| account.do_not_disturb));
    Ok(row.map_or_else(DoNotDisturb::default, |row| DoNotDisturb {
        level: row.level,
        start_time: UnixSeconds(row.start_time),
        end_time: UnixSeconds(row.end_time),
        is_repeated: row.is_repeated,
    }))
}
