//! `recentcontact/create_contact_group`: makes a conversation group with up to 100 conversations.
//!
//! Callers: administrators for anyone, users for themselves. A user has at most 20, and at most 1,000
//! conversations in them. Of a conversation group that is there already the number is answered, and the
//! conversations come into it: a client may repeat itself after a reconnect.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use super::{Asked, ContactItem, ContactResult, FolderItem, check_count, only, owner};
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::event::ContactChange;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/create_contact_group").rest().gateway().feature_bit(10);

request! {
    pub(crate) struct Request {
        /// Whose conversations.
        from_account: Option<UserId> = "From_Account",
        /// Exactly one conversation group.
        group_contact_item: Vec<GroupContactItem> = "GroupContactItem",
    }
}

/// A conversation group that is to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupContactItem {
    /// 1 to 32 bytes.
    group_name: String,
    /// 1 to 100 conversations.
    contact_item: Vec<ContactItem>,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// The conversation group.
    group_result_item: [GroupResultItem; 1],
}

/// A conversation group that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct GroupResultItem {
    group_item: FolderItem,
    /// In the order of the request.
    result_item: Vec<ContactResult>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let GroupContactItem { group_name, contact_item } =
        only(request.group_contact_item, "GroupContactItem")?;
    check_count(contact_item.len())?;
    let asked = contact_item.into_iter().map(|item| Asked::new(item, ()));
    let asked: Vec<Asked<()>> = asked.collect::<Result<_, Error>>()?;
    let made = conversation::attach(&caller, &user, |index, now, change| {
        let folder = index.contacts.make_folder(&group_name, now, change)?;
        let mut filed = Vec::new();
        let mut outcomes = Vec::with_capacity(asked.len());
        for asked in &asked {
            let outcome = asked.check(index).and_then(|contact| {
                if index.contacts.file(contact, &folder, true, now, change)? {
                    filed.push(contact.clone());
                }
                Ok(())
            });
            outcomes.push(outcome);
        }
        let told = vec![ContactChange::FolderMade(folder.clone(), filed)];
        Ok(((folder, outcomes), told))
    });
    let (folder, outcomes): (_, Vec<Result<(), ErrorCode>>) = made.await?;
    let result = |(asked, outcome): (Asked<()>, _)| ContactResult::new(asked.item, outcome);
    let result_item = asked.into_iter().zip(outcomes).map(result).collect();
    let made = GroupResultItem { group_item: folder.into(), result_item };
    Ok(Response { group_result_item: [made] })
}
