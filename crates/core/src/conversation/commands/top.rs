//! `recentcontact/top`: pins up to 100 of the caller's conversations, or unpins them.
//!
//! Callers: users. At most 50 are pinned. A conversation that is pinned is listed, whether there are messages
//! in it or not; one that is deleted is not pinned any more.

use teahouse_proto::error::Error;
use teahouse_proto::ids::UserId;

use super::{Asked, ContactItem, bad_item, check_count, owner};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::conversation::contacts::Contact;
use crate::conversation::{self, Conversations};
use crate::error::Outcome;
use crate::event::ContactChange;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("recentcontact/top").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// 1 pins, 2 unpins.
        operation_type: u32 = "OperationType",
        /// 1 to 100 conversations.
        recent_contact_item: Vec<ContactItem> = "RecentContactItem",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let user = owner(&caller, request.from_account).await?;
    let pinned = match request.operation_type {
        1 => true,
        2 => false,
        other => {
            return Err(bad_item(&format!("OperationType is {other}, 1 or 2 are possible")).into());
        }
    };
    check_count(request.recent_contact_item.len())?;
    let asked = request.recent_contact_item.into_iter().map(|item| Asked::new(item, ()));
    let asked: Vec<Asked<()>> = asked.collect::<Result<_, _>>()?;
    // A group that one has left may still be unpinned.
    let contacts = |index: &Conversations| -> Result<Vec<Contact>, Error> {
        if !pinned {
            return Ok(asked.iter().filter_map(|asked| asked.contact.clone()).collect());
        }
        let checked = asked.iter().map(|asked| asked.check(index).cloned());
        Ok(checked.collect::<Result<_, _>>()?)
    };
    conversation::attach(&caller, &user, |index, now, change| {
        let contacts = contacts(index)?;
        let new = index.contacts.pin(&contacts, pinned, now, change)?;
        let told = match (new.is_empty(), pinned) {
            (true, _) => None,
            (false, true) => Some(ContactChange::Pinned(new)),
            (false, false) => Some(ContactChange::Unpinned(new)),
        };
        Ok(((), told.into_iter().collect()))
    })
    .await?;
    Ok(Empty {})
}
