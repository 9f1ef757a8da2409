//! `recentcontact/search_contact_group`: marks, custom data and groups of chosen conversations.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;
use teahouse_proto::push::standard_marks;
use teahouse_proto::time::UnixSeconds;

use super::{ContactItem, FolderItem, owner};
use crate::caller::Caller;
use crate::conversation;
use crate::conversation::contacts::{Contact, Contacts, Folder};
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;
use crate::rows::ContactRow;

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
    /// Those of the conversations that carry something.
    contact_result_item: Vec<AttachedItem>,
    /// The conversation groups that they are in.
    group_item: Vec<FolderItem>,
}

/// A conversation with what it carries.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttachedItem {
    #[serde(flatten)]
    contact: ContactItem,
    /// 64 bits as `0` and `1`, the rightmost is bit 0; empty when none is set.
    standard_mark: String,
    custom_mark: String,
    contact_group_id: Vec<u32>,
    /// When any of it last changed.
    timestamp: UnixSeconds,
}

impl AttachedItem {
    pub(super) fn new(contact: &Contact, row: &ContactRow) -> Self {
        Self {
            contact: ContactItem::naming(contact),
            standard_mark: standard_marks(row.marks),
            custom_mark: row.custom_mark.clone(),
            contact_group_id: row.folders.clone(),
            timestamp: row.changed(),
        }
    }
}

const CONVERSATIONS_MAX: usize = 300;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    if request.contact_item.len() > CONVERSATIONS_MAX {
        let info =
            format!("{} conversations, at most {CONVERSATIONS_MAX}", request.contact_item.len());
        return Err(Error::with(ErrorCode::ConversationBadParameter, info).into());
    }
    let wanted = request.contact_item.iter().map(ContactItem::contact);
    let wanted: Vec<Option<Contact>> = wanted.collect::<Result<_, _>>()?;
    let look = |contacts: &Contacts| {
        let found = wanted.iter().flatten().filter_map(|contact| {
            let row = contacts.get(contact).filter(|row| !row.is_bare())?;
            Some(AttachedItem::new(contact, row))
        });
        let contact_result_item: Vec<AttachedItem> = found.collect();
        let is_in = |folder: &Folder| {
            contact_result_item.iter().any(|item| item.contact_group_id.contains(&folder.id))
        };
        let group_item = contacts.folders().filter(is_in).map(FolderItem::from).collect();
        Response { contact_result_item, group_item }
    };
    conversation::contacts(caller.node(), caller.app(), &user, look).await
}
