//! `openim_msg_ext_http_svc/group_set_key_values`: writes extensions of a message of a group that takes them. All
//! members are told, and all other devices of the caller.
//!
//! Callers: administrators for any message, members for those that they may see. A member names the number of each key's
//! last write that he has seen (0: none); a key with another number is refused with 23001 and answered with its present
//! value.

use teahouse_proto::ids::GroupId;

use crate::attached::commands::{ExtensionItem, WrittenExtensions, writes};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::attached;
use crate::group::changes::Actor;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, WrittenExtensions> =
    Operation::new("openim_msg_ext_http_svc/group_set_key_values").rest().gateway().feature_bit(13);

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The message.
        msg_seq: u64 = "MsgSeq",
        /// 1 sets keys, 2 deletes them, 3 deletes all.
        operate_type: u32 = "OperateType",
        /// 1 to 20 keys to set or delete.
        extension_list: Option<Vec<ExtensionItem>> = "ExtensionList",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<WrittenExtensions> {
    let Request { group_id, msg_seq, operate_type, extension_list } = request;
    let (change, writes) = writes(&caller, operate_type, extension_list)?;
    let (node, app, actor) = (caller.node(), caller.app(), Actor::of(&caller)?);
    let write = (change, &writes[..]);
    Ok(attached::write_extensions(node, app, &group_id, msg_seq, &actor, write).await?.into())
}
