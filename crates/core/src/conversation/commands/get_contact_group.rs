//! `recentcontact/get_contact_group`: all conversations that carry marks, custom data or groups.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::search_contact_group::AttachedItem;
use super::{FolderItem, PAGE, owner};
use crate::caller::{Caller, Who};
use crate::conversation::contacts::Contacts;
use crate::conversation::{self, missed};
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;
use crate::rows::ContactRow;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/get_contact_group").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose conversations.
        from_account: Option<UserId> = "From_Account",
        /// 0 first, then `NextStartIndex`.
        start_index: u32 = "StartIndex",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// The conversations that carry something. Clients are also told of those that did so of late: they ask
    /// after a reconnect what has changed.
    contact_item: Vec<AttachedItem>,
    /// The conversation groups.
    group_item: Vec<FolderItem>,
    /// 1: all are told.
    complete_flag: u8,
    /// Where the next page begins; 0 when all are told.
    next_start_index: usize,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    if let Who::User(identity) = caller.who() {
        missed::got_list(caller.node(), caller.app(), identity).await?;
    }
    let start = request.start_index as usize;
    let look = |contacts: &Contacts| {
        let is_told = |row: &ContactRow| !row.is_bare() || !caller.is_admin();
        let page = contacts.iter().skip(start).take(PAGE);
        let told = page.filter(|(_, row)| is_told(row));
        let more = contacts.iter().count() > start.saturating_add(PAGE);
        Response {
            contact_item: told.map(|(contact, row)| AttachedItem::new(contact, row)).collect(),
            group_item: contacts.folders().map(FolderItem::from).collect(),
            complete_flag: u8::from(!more),
            next_start_index: if more { start + PAGE } else { 0 },
        }
    };
    conversation::contacts(caller.node(), caller.app(), &user, look).await
}
