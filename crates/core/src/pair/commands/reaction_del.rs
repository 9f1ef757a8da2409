//! `openim_msg_ext_http_svc/reaction_del`: takes back a reaction to a one-to-one message. All
//! other devices of both sides are told.
//!
//! Callers: users, for messages of their conversations.

use teahouse_proto::ids::UserId;

use super::reaction_add::{Reacting, react};
use crate::account::commands::Empty;
use crate::attached::reactions::React;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim_msg_ext_http_svc/reaction_del").gateway().feature_bit(48);

request! {
    pub(crate) struct Request {
        /// Sender of the message.
        from_account: UserId = "From_Account",
        /// Its receiver.
        to_account: UserId = "To_Account",
        /// Its key, `seq_random_time`.
        msg_key: String = "MsgKey",
        /// Name of the reaction, 1 to 64 bytes.
        reaction: String = "Reaction",
        /// Who takes it back: the caller alone; the caller when absent.
        accounts: Option<Vec<UserId>> = "Del_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Request { from_account, to_account, msg_key, reaction, accounts } = request;
    let reacting = Reacting { from_account, to_account, msg_key, reaction, accounts };
    react(caller, reacting, React::Remove).await
}
