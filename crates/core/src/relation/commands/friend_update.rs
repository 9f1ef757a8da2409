//! `sns/friend_update`: changes remark, groups and custom fields of up to 1000 friends.
//!
//! Callers: administrators for anyone, users for themselves. The values of one friend are changed all or none.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use teahouse_proto::ids::UserId;

use super::{Results, desk};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::rules::Refusal;
use crate::relation::tags::{self, Edit};
use crate::relation::{BATCH_MAX, ItemOutcome, Peer, check_batch, owner};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Results> =
    Operation::new("sns/friend_update").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose friends.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 1000 friends.
        update_item: Vec<UpdateItem> = "UpdateItem",
    }
}

/// One friend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateItem {
    /// The friend.
    #[serde(rename = "To_Account")]
    to_account: String,
    /// The new values.
    sns_item: Vec<SnsItem>,
}

/// A tag and its new value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SnsItem {
    /// `Tag_SNS_IM_Remark`, `Tag_SNS_IM_Group` or `Tag_SNS_Custom_…`.
    tag: String,
    /// A string; an array of names for `Tag_SNS_IM_Group`, made if they are not there.
    #[schemars(with = "tags::FriendValue")]
    value: Box<RawValue>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Results> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("UpdateItem", request.update_item.len(), BATCH_MAX)?;
    let settings = &caller.app().facts().settings;
    let edits = |items: &[SnsItem]| -> Result<Vec<Edit>, Refusal> {
        if items.is_empty() {
            return Err(Refusal::bad("SnsItem is empty"));
        }
        items.iter().map(|item| tags::edit(&item.tag, &item.value, settings)).collect()
    };
    let targets: Vec<_> = request
        .update_item
        .into_iter()
        .map(|UpdateItem { to_account, sns_item }| (to_account, edits(&sns_item)))
        .collect();
    let (now, groups_max) = (caller.now().seconds(), settings.friend_groups_max as usize);
    let update =
        |book: &mut Book, peer: &Peer, edits: &Result<Vec<Edit>, Refusal>| -> ItemOutcome {
            let not_there = Refusal::bad("Err_SNS_FriendUpdate_Friend_Not_Exist");
            let mut row = book.edge(&peer.id).get(Tie::Friend).cloned().ok_or(not_there)?;
            for edit in edits.as_ref().map_err(Clone::clone)? {
                match edit {
                    Edit::Remark(remark) => tags::set_remark(&mut row, remark, now),
                    Edit::Groups(names) => row.groups = book.groups(names, groups_max)?,
                    Edit::Custom(name, value) => tags::set_custom(&mut row, name, value),
                }
            }
            book.edge(&peer.id).set(Tie::Friend, row);
            Ok(())
        };
    Ok(desk(&caller, &user).each(&targets, update).await?.into())
}
