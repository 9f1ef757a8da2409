//! `openim_msg_ext_http_svc/group_reaction_add`: gives a reaction to a message of a group. All members are told, and all
//! other devices of the caller.
//!
//! Callers: members, for messages that they may see.

use teahouse_proto::ids::{GroupId, UserId};

use crate::account::commands::Empty;
use crate::attached::commands::reactor;
use crate::attached::reactions::React;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::attached;
use crate::group::changes::Actor;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim_msg_ext_http_svc/group_reaction_add").gateway().feature_bit(48);

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The message.
        msg_seq: u64 = "MsgSeq",
        /// Name of the reaction, 1 to 64 bytes. A message has at most 10 different ones, each of at most 100 members.
        reaction: String = "Reaction",
        /// Who gives it: the caller alone; the caller when absent.
        accounts: Option<Vec<UserId>> = "Add_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Request { group_id, msg_seq, reaction, accounts } = request;
    reactor(&caller, &reaction, accounts.as_deref())?;
    let (node, app, actor) = (caller.node(), caller.app(), Actor::of(&caller)?);
    attached::react(node, app, &group_id, msg_seq, &actor, (React::Add, &reaction)).await?;
    Ok(Empty {})
}
