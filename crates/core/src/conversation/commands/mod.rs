//! The `recentcontact` service.

pub(crate) mod batch_delete;
pub(crate) mod delete;
pub(crate) mod get_contact_group;
pub(crate) mod get_list;
pub(crate) mod page_get;
pub(crate) mod search_contact_group;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::UnixSeconds;

use super::Listed;
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
            match (item.peer()?, &item.to_group_id) {
                (Some(peer), _) => chosen.peers.push(peer.clone()),
                // An id that no group can have names a group that is not in the list.
                (None, Some(group)) => chosen.groups.extend(GroupId::parse(group)),
                (None, None) => {}
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
    /// The peer of a one-to-one conversation; nothing for a group's.
    ///
    /// # Errors
    /// An unknown `Type`, or no name that fits it.
    fn peer(&self) -> Result<Option<&UserId>, Error> {
        match (self.kind, &self.to_account, &self.to_group_id) {
            (C2C, Some(peer), _) => Ok(Some(peer)),
            (GROUP, _, Some(_)) => Ok(None),
            (C2C, None, _) => Err(bad_item("To_Account is missing")),
            (GROUP, _, None) => Err(bad_item("ToGroupid is missing")),
            (other, _, _) => Err(bad_item(&format!("Type is {other}, 1 or 2 are possible"))),
        }
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

/// The list of `user`.
async fn listed(caller: &Caller, user: &UserId) -> Outcome<Vec<Listed>> {
    super::list(caller.node(), caller.app(), user).await
}

/// Where the next page begins, in the words of the protocol. The list is made anew for each page: a
/// conversation that moves to its front between two pages may come twice, none is missed.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    time: UnixSeconds,
    index: usize,
}

/// Cuts the page at `cursor` out of the list, and says where the next one begins.
fn page<T>(all: Vec<T>, cursor: Cursor, now: UnixSeconds) -> (Vec<T>, Option<Cursor>) {
    let time = if cursor.time.0 == 0 { now } else { cursor.time };
    let end = cursor.index.saturating_add(PAGE);
    let next = (all.len() > end).then_some(Cursor { time, index: end });
    (all.into_iter().skip(cursor.index).take(PAGE).collect(), next)
}

/// The bit set of marks as clients read it: the rightmost character is bit 0, empty when none is set.
fn marks(bits: u64) -> String {
    if bits == 0 { String::new() } else { format!("{bits:b}") }
}
