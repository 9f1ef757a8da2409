//! `sns/group_update`: renames a friend group, and puts friends into it or takes them out.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use super::group_add::put;
use super::{ItemResult, desk};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::{BATCH_MAX, Peer, check_batch, owner, tags};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/group_update").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// The group.
        group_old_name: String = "GroupOldName",
        /// Its new name, 1 to 30 bytes.
        group_new_name: Option<String> = "GroupNewName",
        /// Up to 1000 friends.
        update_group_item: Option<Vec<UpdateGroupItem>> = "UpdateGroupItem",
    }
}

/// One friend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateGroupItem {
    /// The friend.
    #[serde(rename = "To_Account")]
    to_account: String,
    /// In or out.
    update_type: UpdateType,
}

/// In or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum UpdateType {
    #[serde(rename = "Update_Type_Add")]
    Add,
    #[serde(rename = "Update_Type_Delete")]
    Delete,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// What became of each friend, in the order of the request.
    result_item: Vec<Updated>,
    /// Rises with each change of friend groups.
    current_sequence: u64,
}

/// One friend.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Updated {
    #[serde(flatten)]
    result: ItemResult,
    /// As asked.
    update_type: UpdateType,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let items = request.update_group_item.unwrap_or_default();
    if items.len() > BATCH_MAX {
        check_batch("UpdateGroupItem", items.len(), BATCH_MAX)?;
    }
    let refuse = |info: &'static str| Error::with(ErrorCode::RelationBadParameter, info);
    if let Some(name) = &request.group_new_name {
        tags::check_group_names(std::slice::from_ref(name)).map_err(|bad| refuse(bad.info))?;
    }
    let desk = desk(&caller, &user);
    let renamed = desk.change(&[], |book| {
        let missing = || refuse("GroupOldName: there is no such friend group");
        let number = book.head.group(&request.group_old_name).ok_or_else(missing)?;
        if let Some(name) = &request.group_new_name {
            if book.head.group(name).is_some_and(|other| other != number) {
                return Err(refuse("GroupNewName: there is a friend group of this name").into());
            }
            let mut groups = book.head.groups.iter_mut();
            let group = groups.find(|group| group.number == number).expect("just found");
            group.name.clone_from(name);
        }
        Ok(number)
    });
    let groups = [renamed.await?];
    let types: Vec<UpdateType> = items.iter().map(|item| item.update_type).collect();
    let targets: Vec<(String, UpdateType)> =
        items.into_iter().map(|item| (item.to_account, item.update_type)).collect();
    let update = |book: &mut Book, peer: &Peer, update_type: &UpdateType| {
        put(book, peer, &groups, *update_type == UpdateType::Add)
    };
    let outcomes = desk.each(&targets, update).await?;
    let updated = |((to, outcome), update_type): ((String, _), UpdateType)| Updated {
        result: ItemResult::new(to, &outcome),
        update_type,
    };
    Ok(Response {
        result_item: outcomes.into_iter().zip(types).map(updated).collect(),
        current_sequence: desk.head().await?.groups_seq,
    })
}
