//! `openim_msg_ext_http_svc/get_key_values`: the extensions of a one-to-one message, by the number of their last
//! write.
//!
//! Callers: administrators for any message; users for those of their conversations.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{ends_of, key_of};
use crate::attached::commands::{ReadExtensions, bad};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::extensions;
use crate::request;

pub(crate) const OPERATION: Operation<Request, ReadExtensions> =
    Operation::new("openim_msg_ext_http_svc/get_key_values").rest().gateway().feature_bit(13);

request! {
    pub(crate) struct Request {
        /// Sender of the message; the caller when absent.
        from_account: Option<UserId> = "From_Account",
        /// Its receiver.
        to_account: UserId = "To_Account",
        /// Its key, `seq_random_time`.
        msg_key: String = "MsgKey",
        /// Only keys whose last write has this number or a higher one; all when absent.
        start_seq: Option<u64> = "StartSeq" | "startSeq",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<ReadExtensions> {
    let key = key_of(&request.msg_key).map_err(|_| bad("MsgKey is malformed"))?;
    let from = match request.from_account {
        Some(from) => from,
        None => caller.acting_as(None, ErrorCode::GroupRequestIllegal)?,
    };
    let ends = ends_of(&caller, &from, &request.to_account, ErrorCode::GroupRequestIllegal).await?;
    let ends = ends.ok_or(ErrorCode::ExtensionTargetUnknown)?;
    let start = request.start_seq.unwrap_or_default();
    Ok(extensions::read(caller.node(), caller.app(), &ends, key, start).await?.into())
}
