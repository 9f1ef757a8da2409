//! `recentcontact/del_contact_group`: deletes a conversation group, not the conversations in it.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::{FolderItem, only, owner};
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::event::ContactChange;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/del_contact_group").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose conversation group.
        from_account: Option<UserId> = "From_Account",
        /// Exactly one name.
        group_name: Vec<String> = "GroupName",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// What was deleted.
    group_item: [FolderItem; 1],
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let name = only(request.group_name, "GroupName")?;
    let deleted = conversation::attach(&caller, &user, |index, now, change| {
        let folder = index.contacts.delete_folder(&name, now, change)?;
        Ok((folder.clone(), vec![ContactChange::FoldersDeleted(vec![folder])]))
    });
    Ok(Response { group_item: [deleted.await?.into()] })
}
