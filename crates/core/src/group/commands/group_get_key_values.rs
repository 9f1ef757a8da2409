//! `openim_msg_ext_http_svc/group_get_key_values`: the extensions of a message of a group, by the number of their last
//! write.
//!
//! Callers: administrators for any message, members for those that they may see.

use teahouse_proto::ids::GroupId;

use crate::attached::commands::ReadExtensions;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::attached;
use crate::group::changes::Actor;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, ReadExtensions> =
    Operation::new("openim_msg_ext_http_svc/group_get_key_values").rest().gateway().feature_bit(13);

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The message.
        msg_seq: u64 = "MsgSeq",
        /// Only keys whose last write has this number or a higher one; all when absent.
        start_seq: Option<u64> = "StartSeq" | "startSeq",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<ReadExtensions> {
    let Request { group_id, msg_seq, start_seq } = request;
    let (node, app, actor) = (caller.node(), caller.app(), Actor::of(&caller)?);
    let start = start_seq.unwrap_or_default();
    Ok(attached::read_extensions(node, app, &group_id, msg_seq, &actor, start).await?.into())
}
