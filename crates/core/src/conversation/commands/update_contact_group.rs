//! `recentcontact/update_contact_group`: renames a conversation group, or changes which conversations are in it.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use super::{Asked, ContactItem, ContactResult, bad_item, check_count, owner};
use crate::caller::Caller;
use crate::conversation;
use crate::conversation::contacts::Folder;
use crate::error::Outcome;
use crate::event::ContactChange;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/update_contact_group").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose conversation group.
        from_account: Option<UserId> = "From_Account",
        /// 1: a conversation group is changed.
        update_type: u32 = "UpdateType",
        /// What is to be changed.
        update_group: UpdateGroup = "UpdateGroup",
    }
}

/// A change of a conversation group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateGroup {
    /// 1: another name, 2: other conversations.
    update_group_type: u32,
    /// The conversation group.
    old_group_name: String,
    /// For 1: 1 to 32 bytes.
    new_group_name: Option<String>,
    /// For 2: 1 to 100 conversations.
    contact_update_item: Option<Vec<ContactUpdateItem>>,
}

/// A conversation that comes into a conversation group or goes out of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ContactUpdateItem {
    /// 1: into it, 2: out of it.
    contact_opt_type: u32,
    contact_item: ContactItem,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Echoed.
    update_type: u32,
    /// What became of it.
    update_group_result: UpdateGroupResult,
}

/// A conversation group that was changed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct UpdateGroupResult {
    update_group_type: u32,
    /// Its name now.
    group_name: String,
    group_id: u32,
    old_group_name: String,
    /// In the order of the request; empty for another name.
    contact_result_item: Vec<ContactUpdateResult>,
}

/// What became of one conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ContactUpdateResult {
    contact_opt_type: u32,
    #[serde(flatten)]
    result: ContactResult,
}

const GROUPS: u32 = 1;
const NAME: u32 = 1;
const CONVERSATIONS: u32 = 2;
const PUT_IN: u32 = 1;
const TAKE_OUT: u32 = 2;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    if request.update_type != GROUPS {
        let info = format!("UpdateType is {}, only 1 is possible", request.update_type);
        return Err(bad_item(&info).into());
    }
    let UpdateGroup { update_group_type, old_group_name, new_group_name, contact_update_item } =
        request.update_group;
    let (folder, contact_result_item) = match update_group_type {
        NAME => {
            let name = new_group_name.ok_or_else(|| bad_item("NewGroupName is missing"))?;
            (rename(&caller, &user, &old_group_name, &name).await?, Vec::new())
        }
        CONVERSATIONS => {
            let items =
                contact_update_item.ok_or_else(|| bad_item("ContactUpdateItem is missing"))?;
            change(&caller, &user, &old_group_name, items).await?
        }
        other => {
            let info = format!("UpdateGroupType is {other}, 1 or 2 are possible");
            return Err(bad_item(&info).into());
        }
    };
    Ok(Response {
        update_type: GROUPS,
        update_group_result: UpdateGroupResult {
            update_group_type,
            group_name: folder.name,
            group_id: folder.id,
            old_group_name,
            contact_result_item,
        },
    })
}

async fn rename(caller: &Caller, user: &UserId, old: &str, new: &str) -> Outcome<Folder> {
    conversation::attach(caller, user, |index, now, change| {
        let folder = index.contacts.rename_folder(old, new, now, change)?;
        let told = ContactChange::FolderRenamed(folder.clone(), old.to_owned());
        Ok((folder, if old == new { Vec::new() } else { vec![told] }))
    })
    .await
}

async fn change(
    caller: &Caller,
    user: &UserId,
    name: &str,
    items: Vec<ContactUpdateItem>,
) -> Outcome<(Folder, Vec<ContactUpdateResult>)> {
    check_count(items.len())?;
    let asked = items.into_iter().map(ContactUpdateItem::asked);
    let asked: Vec<Asked<bool>> = asked.collect::<Result<_, Error>>()?;
    let changed = conversation::attach(caller, user, |index, now, change| {
        let folder = index.contacts.folder(name)?;
        let mut moved = Vec::new();
        let mut outcomes = Vec::with_capacity(asked.len());
        for asked in &asked {
            let is_in = asked.what;
            // A group that one has left may still be taken out.
            let contact = match (&asked.contact, is_in) {
                (Some(contact), false) => Ok(contact),
                (_, _) => asked.check(index),
            };
            let outcome = contact.and_then(|contact| {
                if index.contacts.file(contact, &folder, is_in, now, change)? {
                    moved.push((is_in, contact.clone()));
                }
                Ok(())
            });
            outcomes.push(outcome);
        }
        let told = ContactChange::FolderChanged(folder.clone(), moved.clone());
        let told = if moved.is_empty() { Vec::new() } else { vec![told] };
        Ok(((folder, outcomes), told))
    });
    let (folder, outcomes): (_, Vec<Result<(), ErrorCode>>) = changed.await?;
    let result = |(asked, outcome): (Asked<bool>, _)| ContactUpdateResult {
        contact_opt_type: if asked.what { PUT_IN } else { TAKE_OUT },
        result: ContactResult::new(asked.item, outcome),
    };
    Ok((folder, asked.into_iter().zip(outcomes).map(result).collect()))
}

impl ContactUpdateItem {
    fn asked(self) -> Result<Asked<bool>, Error> {
        let is_in = match self.contact_opt_type {
            PUT_IN => true,
            TAKE_OUT => false,
            other => {
                let info = format!("ContactOptType is {other}, 1 or 2 are possible");
                return Err(bad_item(&info));
            }
        };
        Asked::new(self.contact_item, is_in)
    }
}
