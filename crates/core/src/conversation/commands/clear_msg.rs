//! `recentcontact/clear_msg`: takes the history of a conversation out of the caller's view. The conversation
//! stays in the list; what was unread in it does not count any more.
//!
//! Callers: users.

use teahouse_proto::ids::UserId;

use super::{ContactItem, owner};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::conversation::contacts::Contact;
use crate::conversation::{self, groups};
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("recentcontact/clear_msg").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// 1 one-to-one, 2 group.
        kind: u32 = "Type",
        /// The peer of a one-to-one conversation.
        to_account: Option<UserId> = "To_Account",
        /// The group of a group conversation.
        to_group_id: Option<String> = "ToGroupid" | "ToGroupId",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let user = owner(&caller, request.from_account).await?;
    let Request { kind, to_account, to_group_id, .. } = request;
    let item = ContactItem { kind, to_account, to_group_id };
    let (node, app) = (caller.node(), caller.app());
    match item.contact()? {
        Some(Contact::Pair(peer)) => conversation::clear(node, app, &user, &peer).await?,
        Some(Contact::Group(group)) => groups::clear(node, app, &user, &group).await?,
        None => {}
    }
    Ok(Empty {})
}
