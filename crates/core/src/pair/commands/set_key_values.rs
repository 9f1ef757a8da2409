//! `openim_msg_ext_http_svc/set_key_values`: writes extensions of a one-to-one message that takes them. All
//! other devices of both sides are told.
//!
//! Callers: administrators for any message; users for those of their conversations. A user names the number
//! of each key's last write that he has seen (0: none); a key with another number is refused with 23001 and
//! answered with its present value.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{ends_of, key_of};
use crate::attached::commands::{ExtensionItem, WrittenExtensions, bad, writes};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::extensions;
use crate::request;

pub(crate) const OPERATION: Operation<Request, WrittenExtensions> =
    Operation::new("openim_msg_ext_http_svc/set_key_values").rest().gateway().feature_bit(13);

request! {
    pub(crate) struct Request {
        /// Sender of the message; the caller when absent.
        from_account: Option<UserId> = "From_Account",
        /// Its receiver.
        to_account: UserId = "To_Account",
        /// Its key, `seq_random_time`.
        msg_key: String = "MsgKey",
        /// 1 sets keys, 2 deletes them, 3 deletes all.
        operate_type: u32 = "OperateType",
        /// 1 to 20 keys to set or delete.
        extension_list: Option<Vec<ExtensionItem>> = "ExtensionList",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<WrittenExtensions> {
    let key = key_of(&request.msg_key).map_err(|_| bad("MsgKey is malformed"))?;
    let (change, writes) = writes(&caller, request.operate_type, request.extension_list)?;
    let from = match request.from_account {
        Some(from) => from,
        None => caller.acting_as(None, ErrorCode::GroupRequestIllegal)?,
    };
    let ends = ends_of(&caller, &from, &request.to_account, ErrorCode::GroupRequestIllegal).await?;
    let ends = ends.ok_or(ErrorCode::ExtensionTargetUnknown)?;
    let (node, app, origin) = (caller.node(), caller.app(), caller.origin_of_both());
    Ok(extensions::write(node, app, &ends, key, change, &writes, origin).await?.into())
}
