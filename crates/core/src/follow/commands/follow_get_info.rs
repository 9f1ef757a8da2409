//! `follow/follow_get_info`: how many follow up to 20 users, and how many they follow.
//!
//! Callers: administrators, users.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::{FEATURE_BIT, USERS_MAX};
use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::follow::owner;
use crate::operation::Operation;
use crate::relation::check_batch;
use crate::relation::commands::{ItemResult, desk, failed};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("follow/follow_get_info").rest().gateway().feature_bit(FEATURE_BIT);

request! {
    pub(crate) struct Request {
        /// Who asks.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 20 users.
        to_account: Vec<String> = "To_Account",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    follow_info: Vec<Info>,
    /// Accounts that do not exist.
    #[serde(rename = "Fail_Account", skip_serializing_if = "Vec::is_empty")]
    fail_account: Vec<String>,
}

/// One account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(flatten)]
    result: ItemResult,
    follower_count: u64,
    following_count: u64,
    /// Followed users who follow back.
    mutual_following_count: u64,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("To_Account", request.to_account.len(), USERS_MAX)?;
    let desk = desk(&caller, &user);
    let seen = desk.look(request.to_account, &[], |peer, _| Ok(peer.id.clone())).await?;
    let fail_account = failed(&seen);
    let mut follow_info = Vec::with_capacity(seen.len());
    for (to, found) in seen {
        let mut counts = (0, 0, 0);
        if let Ok(id) = &found {
            let entity = account::user(caller.node(), caller.app(), id).await?;
            counts = entity.read(|state| {
                let head = &state.relations.head;
                (head.count(Tie::FollowedBy), head.count(Tie::Follows), head.mutual_follows)
            });
        }
        let (follower_count, following_count, mutual_following_count) = counts;
        let result = ItemResult::new(to, &found);
        follow_info.push(Info { result, follower_count, following_count, mutual_following_count });
    }
    Ok(Response { follow_info, fail_account })
}
