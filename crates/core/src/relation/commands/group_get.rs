//! `sns/group_get`: a user's friend groups, in the order in which they were made.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::ids::UserId;

use super::desk;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::owner;
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/group_get").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose groups.
        from_account: Option<UserId> = "From_Account",
        /// The list that the caller has already; it is told again.
        last_sequence: Option<u64> = "LastSequence",
        /// `Need_Friend_Type_Yes`: also who is in them.
        need_friend: Option<NeedFriend> = "NeedFriend",
        /// Only these groups; all when absent.
        group_name: Option<Vec<String>> = "GroupName",
    }
}

/// Whether members are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum NeedFriend {
    #[serde(rename = "Need_Friend_Type_Yes")]
    Yes,
    #[serde(rename = "Need_Friend_Type_No")]
    No,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    result_item: Vec<FriendGroup>,
    /// Rises with each change of friend groups.
    current_sequence: u64,
}

/// One friend group.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct FriendGroup {
    group_name: String,
    friend_number: usize,
    /// Who is in it, if asked for.
    #[serde(rename = "To_Account", skip_serializing_if = "Option::is_none")]
    to_account: Option<Vec<UserId>>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let desk = desk(&caller, &user);
    let head = desk.head().await?;
    let wanted =
        |name: &String| request.group_name.as_ref().is_none_or(|names| names.contains(name));
    let groups: Vec<_> = head.groups.iter().filter(|group| wanted(&group.name)).collect();
    let friends = if groups.is_empty() { Vec::new() } else { desk.all(Tie::Friend).await? };
    let with_members = request.need_friend == Some(NeedFriend::Yes);
    let group = |group: &crate::rows::FriendGroupRow| {
        let members = friends.iter().filter(|(_, row)| row.groups.contains(&group.number));
        let members: Vec<UserId> = members.map(|(friend, _)| friend.clone()).collect();
        FriendGroup {
            group_name: group.name.clone(),
            friend_number: members.len(),
            to_account: with_members.then_some(members),
        }
    };
    Ok(Response {
        result_item: groups.into_iter().map(group).collect(),
        current_sequence: head.groups_seq,
    })
}
