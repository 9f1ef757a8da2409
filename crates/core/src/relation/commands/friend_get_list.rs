//! `sns/friend_get_list`: chosen values of up to 1000 friends, of the friendship and of their profiles.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use super::{ItemResult, desk, failed};
use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::profile::{self, ProfileItem};
use crate::relation::rules::Refusal;
use crate::relation::tags::{self, FriendItem, Wanted};
use crate::relation::{BATCH_MAX, check_batch, owner};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/friend_get_list").rest();

request! {
    pub(crate) struct Request {
        /// Whose friends.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 1000 friends.
        to_account: Vec<String> = "To_Account",
        /// The values to read; one that is not set is left out.
        tag_list: Vec<String> = "TagList",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    info_item: Vec<FriendInfo>,
    /// Accounts that are no friends.
    #[serde(rename = "Fail_Account", skip_serializing_if = "Vec::is_empty")]
    fail_account: Vec<String>,
}

/// One friend.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct FriendInfo {
    #[serde(flatten)]
    result: ItemResult,
    /// Of the friendship, then of the profile.
    sns_profile_item: Vec<Item>,
}

/// A value of the friendship or of the profile.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Item {
    Friend(FriendItem),
    Profile(ProfileItem),
}

impl Item {
    fn tag(&self) -> &str {
        match self {
            Self::Friend(item) => &item.tag,
            Self::Profile(item) => &item.tag,
        }
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let settings = &caller.app().facts().settings;
    let is_known = |tag: &str| tags::is_known(tag, settings) || profile::is_known(tag, settings);
    if let Some(tag) = request.tag_list.iter().find(|tag| !is_known(tag)) {
        let info = format!("TagList: {tag} is neither a friend's nor a profile's field here");
        return Err(Error::with(ErrorCode::RelationBadParameter, info).into());
    }
    let wanted = |tag: &str| request.tag_list.iter().any(|wanted| wanted == tag);
    read(&caller, request.from_account, request.to_account, wanted).await
}

/// The wanted values of each friend.
pub(super) async fn read(
    caller: &Caller,
    from_account: Option<UserId>,
    to_account: Vec<String>,
    wanted: impl Fn(&str) -> bool,
) -> Outcome<Response> {
    let user = owner(caller, from_account).await?;
    check_batch("To_Account", to_account.len(), BATCH_MAX)?;
    let desk = desk(caller, &user);
    let head = desk.head().await?;
    let seen = desk.look(to_account, &[Tie::Friend], |peer, edge| {
        let friend = edge.get(Tie::Friend);
        let friend = friend.ok_or(Refusal::bad("Err_SNS_FriendGetList_Friend_Not_Exist"))?;
        Ok((peer.id.clone(), tags::items(&head, friend, Wanted::ALL)))
    });
    let seen = seen.await?;
    let mut response = Response { fail_account: failed(&seen), info_item: Vec::new() };
    for (to, friend) in seen {
        let mut sns_profile_item: Vec<Item> = Vec::new();
        if let Ok((id, items)) = &friend {
            let entity = account::user(caller.node(), caller.app(), id).await?;
            let profile = entity.read(|state| profile::items(&state.profile));
            sns_profile_item.extend(items.iter().cloned().map(Item::Friend));
            sns_profile_item.extend(profile.into_iter().map(Item::Profile));
            sns_profile_item.retain(|item| wanted(item.tag()));
        }
        let result = ItemResult::new(to, &friend);
        response.info_item.push(FriendInfo { result, sns_profile_item });
    }
    Ok(response)
}
