//! `sns/friend_import`: writes up to 1000 friends without asking anybody, for a migration.
//!
//! Callers: administrators. Only `From_Account`'s list changes. Of a friend who is there already, what is given
//! replaces what was.

use schemars::JsonSchema;
use serde::Deserialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixSeconds;

use super::{Results, desk};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::rules::Refusal;
use crate::relation::{BATCH_MAX, ItemOutcome, Peer, check_batch, owner, tags};
use crate::request;
use crate::rows::Tie;
use crate::settings::AppSettings;

pub(crate) const OPERATION: Operation<Request, Results> =
    Operation::new("sns/friend_import").rest();

request! {
    pub(crate) struct Request {
        /// Whose friends.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 1000 friends.
        add_friend_item: Vec<Imported> = "AddFriendItem",
    }
}

/// One friend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Imported {
    /// The account.
    #[serde(rename = "To_Account")]
    to_account: String,
    /// How they met: `AddSource_Type_` and 1 to 8 letters.
    add_source: String,
    /// What the user calls the friend, at most 96 bytes.
    #[serde(default)]
    remark: Option<String>,
    /// When the remark was made, unix seconds; now when absent.
    #[serde(default)]
    remark_time: Option<UnixSeconds>,
    /// Friend groups for the friend, made if they are not there.
    #[serde(default)]
    group_name: Option<Vec<String>>,
    /// What was said when they met, at most 256 bytes.
    #[serde(default)]
    add_wording: Option<String>,
    /// Since when they are friends, unix seconds; now when absent.
    #[serde(default)]
    add_time: Option<UnixSeconds>,
    /// Custom fields that the app has declared.
    #[serde(default)]
    custom_item: Option<Vec<CustomItem>>,
}

/// One custom field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CustomItem {
    /// `Tag_SNS_Custom_` and the field's keyword.
    tag: String,
    /// At most 500 bytes; an empty value removes the field.
    value: String,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Results> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("AddFriendItem", request.add_friend_item.len(), BATCH_MAX)?;
    let settings = &caller.app().facts().settings;
    let now = caller.now().seconds();
    let targets: Vec<(String, Imported)> =
        request.add_friend_item.into_iter().map(|item| (item.to_account.clone(), item)).collect();
    let import =
        |book: &mut Book, peer: &Peer, item: &Imported| import(book, peer, item, settings, now);
    Ok(desk(&caller, &user).each(&targets, import).await?.into())
}

fn import(
    book: &mut Book,
    peer: &Peer,
    item: &Imported,
    settings: &AppSettings,
    now: UnixSeconds,
) -> ItemOutcome {
    tags::check_source(&item.add_source)?;
    item.remark.as_deref().map_or(Ok(()), tags::check_remark)?;
    item.add_wording.as_deref().map_or(Ok(()), tags::check_wording)?;
    for CustomItem { tag, value } in item.custom_item.iter().flatten() {
        let unknown = Refusal::bad("CustomItem has a tag that the app does not have");
        tags::custom_name(tag, settings).ok_or(unknown)?;
        tags::check_custom(value)?;
    }
    let is_full = book.count(Tie::Friend) >= settings.friend_list_max.into();
    if is_full && !book.edge(&peer.id).has(Tie::Friend) {
        return Err(ErrorCode::OwnFriendsFull.into());
    }
    let groups = item.group_name.as_ref();
    let groups = groups.map(|names| book.groups(names, settings.friend_groups_max as usize));
    let groups = groups.transpose()?;
    let edge = book.edge(&peer.id);
    let mut row = edge.get(Tie::Friend).cloned().unwrap_or_else(|| peer.row(now.0));
    row.source.clone_from(&item.add_source);
    row.since = item.add_time.map_or(row.since, |time| time.0);
    row.groups = groups.unwrap_or(row.groups);
    if let Some(wording) = &item.add_wording {
        row.wording.clone_from(wording);
    }
    if let Some(remark) = &item.remark {
        tags::set_remark(&mut row, remark, item.remark_time.unwrap_or(now));
    }
    for CustomItem { tag, value } in item.custom_item.iter().flatten() {
        if let Some(name) = tags::custom_name(tag, settings) {
            tags::set_custom(&mut row, name, value);
        }
    }
    edge.take(Tie::Asked);
    edge.set(Tie::Friend, row);
    book.errand(peer.errand());
    Ok(())
}
