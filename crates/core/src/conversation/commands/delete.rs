//! `recentcontact/delete`: takes one conversation out of a user's list, and with `ClearRamble` its
//! history out of the user's view. The other side is not affected.
//!
//! Callers: administrators.

use teahouse_proto::ids::UserId;

use super::{Chosen, ContactItem, owner};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("recentcontact/delete").rest();

request! {
    pub(crate) struct Request {
        /// Whose list.
        from_account: UserId = "From_Account",
        /// 1 one-to-one, 2 group.
        kind: u32 = "Type",
        /// The peer of a one-to-one conversation.
        to_account: Option<UserId> = "To_Account",
        /// The group of a group conversation.
        to_group_id: Option<String> = "ToGroupid" | "ToGroupId" | "GroupId",
        /// 1: the history goes too.
        clear_ramble: Option<u32> = "ClearRamble",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Request { from_account, kind, to_account, to_group_id, clear_ramble } = request;
    let user = owner(&caller, Some(from_account)).await?;
    let item = ContactItem { kind, to_account, to_group_id };
    Chosen::of([&item])?.delete(&caller, &user, clear_ramble == Some(1)).await?;
    Ok(Empty {})
}
