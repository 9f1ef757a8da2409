//! `openim/admin_set_msg_read`: marks a conversation read on behalf of a user. The peer and the user's devices
//! are told, as if the user had read it.
//!
//! Callers: administrators.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::fields::NumberOrText;
use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixSeconds;

use crate::account;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim/admin_set_msg_read").rest();

request! {
    pub(crate) struct Request {
        /// Who has read.
        report_account: UserId = "Report_Account" else FromAccountInvalid,
        /// The other party.
        peer_account: UserId = "Peer_Account" else ToAccountInvalid,
        /// Everything up to this second is read, unix seconds, also as text; now when absent.
        msg_read_time: Option<NumberOrText> = "MsgReadTime",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app) = (caller.node(), caller.app());
    let Request { report_account: reader, peer_account: peer, msg_read_time } = request;
    account::existing(node, app, &reader, ErrorCode::FromAccountInvalid).await?;
    account::existing(node, app, &peer, ErrorCode::ToAccountInvalid).await?;
    let time = msg_read_time.map_or_else(
        || caller.now().seconds(),
        |NumberOrText(time)| UnixSeconds(u32::try_from(time).unwrap_or(u32::MAX)),
    );
    conversation::mark_read(node, app, &reader, &peer, time, None).await?;
    Ok(Empty {})
}
