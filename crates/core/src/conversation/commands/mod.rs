//! The `recentcontact` service.

pub(crate) mod batch_delete;
pub(crate) mod clear_msg;
pub(crate) mod create_contact_group;
pub(crate) mod del_contact_group;
pub(crate) mod delete;
pub(crate) mod get_contact_group;
pub(crate) mod get_list;
pub(crate) mod mark_contact;
pub(crate) mod page_get;
pub(crate) mod search_contact_group;
pub(crate) mod top;
pub(crate) mod update_contact_group;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::UnixSeconds;

use super::contacts::{Contact, Folder};
use super::{Conversations, Listed, Wanted};
use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;

/// `Type` of a one-to-one conversation.
const C2C: u32 = 1;
/// `Type` of a group conversation.
const GROUP: u32 = 2;
/// Conversations in one page.
const PAGE: usize = 100;
/// Conversations in one request.
const BATCH_MAX: usize = 100;

/// A conversation as clients and administrators name it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ContactItem {
    /// 1 one-to-one, 2 group.
    #[serde(rename = "Type")]
    kind: u32,
    /// The peer of a one-to-one conversation.
    #[serde(rename = "To_Account", skip_serializing_if = "Option::is_none")]
    to_account: Option<UserId>,
    /// The group of a group conversation.
    #[serde(alias = "ToGroupid", alias = "GroupId", skip_serializing_if = "Option::is_none")]
    to_group_id: Option<String>,
}

/// Conversations by what they are.
#[derive(Debug, Default)]
struct Chosen {
    peers: Vec<UserId>,
    groups: Vec<GroupId>,
}

impl Chosen {
    /// # Errors
    /// The first item that names no conversation.
    fn of<'a>(items: impl IntoIterator<Item = &'a ContactItem>) -> Result<Self, Error> {
        let mut chosen = Self::default();
        for item in items {
            match item.contact()? {
                Some(Contact::Pair(peer)) => chosen.peers.push(peer),
                Some(Contact::Group(group)) => chosen.groups.push(group),
                None => {}
            }
        }
        Ok(chosen)
    }

    /// Takes them out of the list of `user`.
    async fn delete(&self, caller: &Caller, user: &UserId, clear: bool) -> Outcome<()> {
        let (node, app, origin) = (caller.node(), caller.app(), caller.origin());
        super::delete(node, app, user, &self.peers, clear, origin).await?;
        super::groups::delete(node, app, user, &self.groups, clear, origin).await
    }
}

impl ContactItem {
    /// The conversation; nothing for an id that no group can have: it names a group that nobody is in.
    ///
    /// # Errors
    /// An unknown `Type`, or no name that fits it.
    fn contact(&self) -> Result<Option<Contact>, Error> {
        match (self.kind, &self.to_account, &self.to_group_id) {
            (C2C, Some(peer), _) => Ok(Some(Contact::Pair(peer.clone()))),
            (GROUP, _, Some(group)) => Ok(GroupId::parse(group).ok().map(Contact::Group)),
            (C2C, None, _) => Err(bad_item("To_Account is missing")),
            (GROUP, _, None) => Err(bad_item("ToGroupid is missing")),
            (other, _, _) => Err(bad_item(&format!("Type is {other}, 1 or 2 are possible"))),
        }
    }

    /// The item that names a conversation.
    fn naming(contact: &Contact) -> Self {
        match contact {
            Contact::Pair(peer) => {
                Self { kind: C2C, to_account: Some(peer.clone()), to_group_id: None }
            }
            Contact::Group(group) => {
                Self { kind: GROUP, to_account: None, to_group_id: Some(group.to_string()) }
            }
        }
    }
}

/// A conversation group in an answer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FolderItem {
    group_name: String,
    group_id: u32,
}

impl From<Folder> for FolderItem {
    fn from(folder: Folder) -> Self {
        Self { group_name: folder.name, group_id: folder.id }
    }
}

/// What became of one conversation of a request.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ContactResult {
    contact_item: ContactItem,
    /// 0, or why it failed.
    result_code: i32,
    /// The reason in words.
    result_info: &'static str,
}

impl ContactResult {
    fn new(contact_item: ContactItem, outcome: Result<(), ErrorCode>) -> Self {
        let failed = outcome.err();
        Self {
            contact_item,
            result_code: failed.map_or(0, ErrorCode::number),
            result_info: failed.map_or("", ErrorCode::default_text),
        }
    }
}

/// Something that a request asks for one conversation.
#[derive(Debug)]
struct Asked<T> {
    item: ContactItem,
    contact: Option<Contact>,
    what: T,
}

impl<T> Asked<T> {
    /// # Errors
    /// The item names no conversation.
    fn new(item: ContactItem, what: T) -> Result<Self, Error> {
        Ok(Self { contact: item.contact()?, item, what })
    }

    /// The conversation, if something may be attached to it.
    fn check<'a>(&'a self, index: &Conversations) -> Result<&'a Contact, ErrorCode> {
        let contact = self.contact.as_ref().ok_or(ErrorCode::ConversationGroupInvalid)?;
        index.check(contact).map(|()| contact)
    }
}

/// # Errors
/// `ConversationCount`.
fn check_count(count: usize) -> Result<(), Error> {
    if (1..=BATCH_MAX).contains(&count) {
        return Ok(());
    }
    let info = format!("{count} conversations, at least 1 and at most {BATCH_MAX}");
    Err(Error::with(ErrorCode::ConversationCount, info))
}

/// The only element of a list.
///
/// # Errors
/// `ConversationBadParameter` for a list of any other length.
fn only<T>(list: Vec<T>, name: &str) -> Result<T, Error> {
    let count = list.len();
    let mut list = list.into_iter();
    match (list.next(), count) {
        (Some(only), 1) => Ok(only),
        _ => Err(bad_item(&format!("{name} has {count} elements, exactly 1 is possible"))),
    }
}

fn bad_item(info: &str) -> Error {
    Error::with(ErrorCode::ConversationBadParameter, info.to_owned())
}

/// Whose conversations: users are their own, administrators name somebody who exists.
async fn owner(caller: &Caller, named: Option<UserId>) -> Outcome<UserId> {
    if caller.is_admin() && named.is_none() {
        return Err(
            Error::with(ErrorCode::ConversationBadParameter, "From_Account is missing").into()
        );
    }
    let owner = caller.acting_as(named, ErrorCode::ConversationNotAdmin)?;
    let unknown = ErrorCode::ConversationAccountUnknown;
    account::existing(caller.node(), caller.app(), &owner, unknown).await?;
    Ok(owner)
}

/// Where the next page begins, in the words of the protocol.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    /// When the list was begun; 0 begins one.
    begun: UnixSeconds,
    index: usize,
    /// Number of the list under way.
    listing: u32,
}

/// A page of a list.
struct Page {
    begun: UnixSeconds,
    listed: Vec<Listed>,
    /// Nothing: this was the last one.
    next: Option<Cursor>,
}

/// The page of the list of `user` that begins at `cursor`.
async fn page(caller: &Caller, user: &UserId, wanted: Wanted, cursor: Cursor) -> Outcome<Page> {
    let (node, app) = (caller.node(), caller.app());
    let begun = if cursor.begun.0 == 0 { caller.now().seconds() } else { cursor.begun };
    let end = cursor.index.saturating_add(PAGE);
    if let Some(order) = app.listings.find(user, begun, cursor.listing) {
        let rest = order.get(cursor.index..).unwrap_or_default();
        let of_page = &rest[..rest.len().min(PAGE)];
        let listed = super::look(node, app, user, of_page, wanted).await?;
        let next = (order.len() > end).then_some(Cursor { begun, index: end, ..cursor });
        if next.is_none() {
            app.listings.end(cursor.listing);
        }
        return Ok(Page { begun, listed, next });
    }
    let mut listed = super::list(node, app, user, wanted).await?;
    let next = (listed.len() > end).then(|| {
        let order = listed.iter().map(Listed::contact).collect();
        Cursor { begun, index: end, listing: app.listings.keep(user, begun, order) }
    });
    listed.truncate(end);
    listed.drain(..cursor.index.min(listed.len()));
    Ok(Page { begun, listed, next })
}
