//! `recentcontact/search_contact_group`: marks, custom data and groups of chosen conversations.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use super::{ContactItem, marks, owner};
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;
use crate::rows::ConversationRow;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/search_contact_group").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose conversations.
        from_account: Option<UserId> = "From_Account",
        /// Up to 300 conversations.
        contact_item: Vec<ContactItem> = "ContactItem",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// The conversations that carry something.
    contact_result_item: Vec<MarkedContact>,
    /// The conversation groups that they are in.
    group_item: Vec<GroupItem>,
}

/// A conversation with its marks.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MarkedContact {
    #[serde(flatten)]
    contact: ContactItem,
    standard_mark: String,
    custom_mark: String,
    contact_group_id: Vec<u32>,
}

/// A conversation group.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupItem {
    group_name: String,
    group_id: u32,
}

const CONVERSATIONS_MAX: usize = 300;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    if request.contact_item.len() > CONVERSATIONS_MAX {
        let info =
            format!("{} conversations, at most {CONVERSATIONS_MAX}", request.contact_item.len());
        return Err(Error::with(ErrorCode::ConversationBadParameter, info).into());
    }
    let mut contact_result_item = Vec::new();
    for contact in request.contact_item {
        let found = match contact.peer()? {
            Some(peer) => conversation::find(caller.node(), caller.app(), &user, peer).await?,
            None => None,
        };
        contact_result_item.extend(found.and_then(|(_, row)| marked(contact, &row)));
    }
    Ok(Response { contact_result_item, group_item: Vec::new() })
}

/// The conversation with what it carries, if it carries anything.
pub(super) fn marked(contact: ContactItem, row: &ConversationRow) -> Option<MarkedContact> {
    let plain = row.marks == 0 && row.custom_mark.is_empty() && row.groups.is_empty();
    (!plain).then(|| MarkedContact {
        contact,
        standard_mark: marks(row.marks),
        custom_mark: row.custom_mark.clone(),
        contact_group_id: row.groups.clone(),
    })
}
