//! The group services.

pub(crate) mod add_group_member;
pub(crate) mod apply_join_group;
pub(crate) mod ban_group_member;
pub(crate) mod batch_get_group_notify;
pub(crate) mod change_group_owner;
pub(crate) mod clear_group_attr;
pub(crate) mod clear_group_msg;
pub(crate) mod create_group;
pub(crate) mod delete_group_attr;
pub(crate) mod delete_group_counter;
pub(crate) mod delete_group_member;
pub(crate) mod delete_group_msg_by_sender;
pub(crate) mod delete_group_ramble_msg_by_seq;
pub(crate) mod destroy_group;
pub(crate) mod forbid_send_msg;
pub(crate) mod get_appid_group_list;
pub(crate) mod get_group_attr;
pub(crate) mod get_group_ban_member;
pub(crate) mod get_group_counter;
pub(crate) mod get_group_info;
pub(crate) mod get_group_member_info;
pub(crate) mod get_group_msg_receipt;
pub(crate) mod get_group_msg_receipt_detail;
pub(crate) mod get_group_msg_receipts_by_users;
pub(crate) mod get_group_muted_account;
pub(crate) mod get_group_notify;
pub(crate) mod get_group_public_info;
pub(crate) mod get_group_self_member_info;
pub(crate) mod get_group_shutted_uin;
pub(crate) mod get_joined_group_list;
pub(crate) mod get_online_member_num;
pub(crate) mod get_pendency;
pub(crate) mod get_pinned_messages;
pub(crate) mod get_role_in_group;
pub(crate) mod get_specified_group_member_info;
pub(crate) mod group_get_key_values;
pub(crate) mod group_msg_get;
pub(crate) mod group_msg_get_simple;
pub(crate) mod group_msg_recall;
pub(crate) mod group_msg_receipt;
pub(crate) mod group_reaction_add;
pub(crate) mod group_reaction_del;
pub(crate) mod group_reaction_iterate;
pub(crate) mod group_reaction_multi_stat;
pub(crate) mod group_set_key_values;
pub(crate) mod handle_apply_join_group;
pub(crate) mod handle_invite_join_group;
pub(crate) mod handle_invite_join_permission_group;
pub(crate) mod import_group;
pub(crate) mod import_group_member;
pub(crate) mod import_group_msg;
pub(crate) mod modify_group_attr;
pub(crate) mod modify_group_base_info;
pub(crate) mod modify_group_member_info;
pub(crate) mod modify_group_msg;
pub(crate) mod msg_read_report;
pub(crate) mod pin_message;
pub(crate) mod quit_group;
pub(crate) mod send_group_msg;
pub(crate) mod send_group_system_notification;
pub(crate) mod set_group_attr;
pub(crate) mod set_unread_msg_num;
pub(crate) mod unban_group_member;
pub(crate) mod unpin_message;
pub(crate) mod update_group_counter;

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::CustomField;
use teahouse_proto::ids::{GroupId, TinyId, UserId};

use super::custom::Declared;
use super::membership::Description;
use super::message::{self, Faces};
use super::rules::Standing;
use super::{GroupState, room};
use crate::account;
use crate::caller::{Caller, Identity, Who};
use crate::conversation;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::rows::Home;
use crate::settings::AppSettings;

/// An answer longer than this is refused: ask for less.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
const ACCOUNTS_AT_ONCE: usize = 32;

/// An account in a list of members.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NamedMember {
    /// The account.
    #[serde(rename = "Member_Account")]
    member_account: UserId,
    /// `Admin`, or a member when absent.
    role: Option<String>,
    /// A new group: what the member is called in it.
    name_card: Option<String>,
    /// A new group: the member's custom fields, of those that the app has declared.
    app_member_defined_data: Option<Vec<CustomField>>,
}

/// Checks what is to be said of a member.
fn check_description(settings: &AppSettings, new: &Description) -> Result<(), Error> {
    let bytes_max = settings.group_name_card_bytes_max as usize;
    if let Some(card) = new.name_card.as_ref().filter(|card| card.len() > bytes_max) {
        let info = format!("NameCard is {} bytes, at most {bytes_max}", card.len());
        return Err(Error::with(ErrorCode::GroupBadParameter, info));
    }
    Declared::of_members(settings).check(&new.custom)
}

/// Refuses what somebody says along with an application or an answer if it is too long.
fn check_wording(field: &str, wording: &str) -> Result<(), Error> {
    const WORDING_BYTES_MAX: usize = 300;
    if wording.len() > WORDING_BYTES_MAX {
        let info = format!("{field} is {} bytes, at most {WORDING_BYTES_MAX}", wording.len());
        return Err(Error::with(ErrorCode::GroupBadParameter, info));
    }
    Ok(())
}

/// Refuses a name in a group that is too long.
fn check_name_card(caller: &Caller, card: &str) -> Result<(), Error> {
    let bytes_max = caller.app().facts().settings.group_name_card_bytes_max as usize;
    if card.len() <= bytes_max {
        return Ok(());
    }
    let info = format!("NameCard is {} bytes, at most {bytes_max}", card.len());
    Err(Error::with(ErrorCode::GroupBadParameter, info))
}

/// Who acts: a user for himself, a backend in the name that it gives or its own.
fn operator(caller: &Caller, named: Option<UserId>) -> Outcome<UserId> {
    caller.acting_as(named, ErrorCode::GroupPermissionDenied)
}

/// What the caller may do in a group: a backend everything, a user what he is in it.
fn standing(caller: &Caller, state: &GroupState) -> Standing {
    match caller.who() {
        Who::Admin(_) | Who::System => Standing::Backend,
        // The owner of a live room is no member of it, and still its owner.
        Who::User(identity) if state.kind().is_ok_and(room::is_room) => {
            state.room_standing(&identity.user, identity.tiny_id)
        }
        Who::User(identity) => {
            let member = state.member(&identity.user, identity.tiny_id);
            Standing::of(member.and_then(|member| member.role()))
        }
        Who::Guest { .. } => Standing::Stranger,
    }
}

/// What the caller may do with what everybody in a group shares: the viewers of a live room are in, too.
fn attendance(caller: &Caller, state: &GroupState, group: &GroupId) -> Standing {
    let standing = standing(caller, state);
    match caller.who() {
        Who::User(Identity { user, tiny_id, .. }) if standing == Standing::Stranger => {
            let room = caller.app().rooms.find(group);
            let is_in = room.is_some_and(|room| room.has_viewer(user, *tiny_id));
            if is_in { Standing::Member } else { standing }
        }
        Who::User(_) | Who::Admin(_) | Who::System | Who::Guest { .. } => standing,
    }
}

/// The accounts of these users; nothing for one that does not exist.
async fn accounts(caller: &Caller, users: &[UserId]) -> Outcome<Vec<Option<TinyId>>> {
    account::tiny_ids(caller.node(), caller.app(), users).await
}

/// The accounts of these users.
///
/// # Errors
/// `GroupAccountUnknown` names the first that does not exist.
async fn existing(caller: &Caller, users: &[UserId]) -> Outcome<Vec<(UserId, TinyId)>> {
    let found = accounts(caller, users).await?;
    users
        .iter()
        .zip(found)
        .map(|(user, tiny_id)| match tiny_id {
            Some(tiny_id) => Ok((user.clone(), tiny_id)),
            None => {
                let info = format!("{user}: the account does not exist");
                Err(Error::with(ErrorCode::GroupAccountUnknown, info).into())
            }
        })
        .collect()
}

/// Whether each user may be in one more group. Robots always may.
async fn may_join_more(caller: &Caller, users: &[UserId]) -> Outcome<Vec<bool>> {
    let most = caller.app().facts().settings.group_joined_max as usize;
    let counts = in_parallel(users.to_vec(), ACCOUNTS_AT_ONCE, |user| async move {
        conversation::groups::all(caller.node(), caller.app(), &user).await
    });
    let counts = users.iter().zip(counts.await);
    counts.map(|(user, groups)| Ok(user.is_robot() || groups?.len() < most)).collect()
}

/// Nick and avatar of everybody whom a tip will name.
async fn faces<'a>(
    caller: &Caller,
    operator: &'a UserId,
    users: impl IntoIterator<Item = &'a UserId>,
) -> Outcome<Arc<Faces>> {
    let users: Vec<&str> = users.into_iter().chain([operator]).map(UserId::as_str).collect();
    Ok(Arc::new(message::faces(caller.node(), caller.app(), users).await?))
}

/// Waits until those who came or went find the group in their lists, or not any more.
async fn settle(caller: &Caller, group: &GroupId) -> Outcome<()> {
    caller.node().run_jobs(Home::Group(caller.app().id(), group.clone())).await
}

/// The same users, each once, in their order.
fn distinct(users: impl IntoIterator<Item = UserId>) -> Vec<UserId> {
    let mut seen = BTreeSet::new();
    users.into_iter().filter(|user| seen.insert(user.clone())).collect()
}

/// Refuses a list that is empty or too long.
fn check_some(field: &str, count: usize, most: usize) -> Result<(), Error> {
    if count == 0 {
        return Err(Error::with(ErrorCode::GroupBadParameter, format!("{field} is empty")));
    }
    check_count(count, most)
}

/// Refuses a list that is too long.
fn check_count(count: usize, most: usize) -> Result<(), Error> {
    if count <= most {
        return Ok(());
    }
    let info = format!("the request lists {count} accounts, at most {most}");
    Err(Error::with(ErrorCode::GroupTooManyAccounts, info))
}

/// Refuses an answer that is too long.
fn check_size(answer: &impl Serialize) -> Result<(), Error> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, answer).map_err(|_| Error::new(ErrorCode::GroupInternal))?;
    if count.0 > ANSWER_BYTES_MAX {
        return Err(ErrorCode::ResponseTooLong.into());
    }
    Ok(())
}
