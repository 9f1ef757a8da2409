//! `openim_msg_ext_http_svc/reaction_add`: gives a reaction to a one-to-one message. All other devices of both
//! sides are told.
//!
//! Callers: users, for messages of their conversations.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{ends_of, key_of};
use crate::account::commands::Empty;
use crate::attached::commands::{bad, reactor};
use crate::attached::reactions::React;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::reactions;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim_msg_ext_http_svc/reaction_add").gateway().feature_bit(48);

request! {
    pub(crate) struct Request {
        /// Sender of the message.
        from_account: UserId = "From_Account",
        /// Its receiver.
        to_account: UserId = "To_Account",
        /// Its key, `seq_random_time`.
        msg_key: String = "MsgKey",
        /// Name of the reaction, 1 to 64 bytes. A message has at most 10 different ones.
        reaction: String = "Reaction",
        /// Who gives it: the caller alone; the caller when absent.
        accounts: Option<Vec<UserId>> = "Add_Account",
    }
}

/// A reaction that is given or taken back.
pub(super) struct Reacting {
    pub(super) from_account: UserId,
    pub(super) to_account: UserId,
    pub(super) msg_key: String,
    pub(super) reaction: String,
    pub(super) accounts: Option<Vec<UserId>>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Request { from_account, to_account, msg_key, reaction, accounts } = request;
    let reacting = Reacting { from_account, to_account, msg_key, reaction, accounts };
    react(caller, reacting, React::Add).await
}

pub(super) async fn react(caller: Caller, reacting: Reacting, react: React) -> Outcome<Empty> {
    let Reacting { from_account, to_account, msg_key, reaction, accounts } = reacting;
    let key = key_of(&msg_key).map_err(|_| bad("MsgKey is malformed"))?;
    let own = reactor(&caller, &reaction, accounts.as_deref())?;
    let ends = ends_of(&caller, &from_account, &to_account, ErrorCode::GroupRequestIllegal).await?;
    let ends = ends.ok_or(ErrorCode::ExtensionTargetUnknown)?;
    let (node, app, origin) = (caller.node(), caller.app(), caller.origin_of_both());
    reactions::react(node, app, &ends, key, &own, (react, &reaction), origin).await?;
    Ok(Empty {})
}
