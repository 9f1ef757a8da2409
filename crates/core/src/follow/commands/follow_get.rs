//! `follow/follow_get`: a user's followers, followed users, or those of them who follow back, by page, in the order
//! of their ids, with their profiles.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use super::FEATURE_BIT;
use crate::account;
use crate::caller::Caller;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::follow::owner;
use crate::operation::Operation;
use crate::profile::{self, ProfileItem};
use crate::relation::book::Desk;
use crate::relation::commands::desk;
use crate::relation::page;
use crate::request;
use crate::rows::{Tie, TieRow};

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("follow/follow_get").rest().gateway().feature_bit(FEATURE_BIT);

request! {
    pub(crate) struct Request {
        /// Whose list.
        from_account: Option<UserId> = "From_Account",
        /// 1: followers, 2: followed users, 3: followed users who follow back.
        follow_type: u32 = "FollowType",
        /// Empty first, then `NextCursor`.
        start_cursor: Option<String> = "StartCursor",
        /// Entries wanted, at most 1000; 100 when absent.
        want_num: Option<u32> = "WantNum",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    follow_item: Vec<Follow>,
    /// Where the next page begins; empty: all are told.
    next_cursor: String,
}

/// One user.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Follow {
    #[serde(rename = "To_Account")]
    to_account: UserId,
    /// Since when, unix seconds; where both follow, since the user does.
    follow_time: u32,
    /// The values of the profile that are set; for users, without those that the app hides from them.
    profile_item: Vec<ProfileItem>,
}

const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1_000;
const PROFILES_AT_ONCE: usize = 32;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let bad = |info: String| Error::with(ErrorCode::RelationBadParameter, info);
    let after = match request.start_cursor.as_deref() {
        None | Some("") => None,
        Some(cursor) => {
            let parsed = UserId::parse(cursor);
            Some(parsed.map_err(|_| bad(format!("StartCursor: {cursor:?} is none of ours")))?)
        }
    };
    let limit = request.want_num.unwrap_or(PAGE).clamp(1, PAGE_MAX) as usize;
    let desk = desk(&caller, &user);
    let (found, next) = match request.follow_type {
        1 => one_way(&desk, Tie::FollowedBy, after, limit).await?,
        2 => one_way(&desk, Tie::Follows, after, limit).await?,
        3 => mutual(&desk, after, limit).await?,
        other => return Err(bad(format!("FollowType is {other}, 1, 2 or 3 are possible")).into()),
    };
    let (node, app, by_admin) = (caller.node(), caller.app(), caller.is_admin());
    let settings = &app.facts().settings;
    let items = in_parallel(found, PROFILES_AT_ONCE, |(to_account, row)| async move {
        let entity = account::user(node, app, &to_account).await?;
        let mut profile_item = entity.read(|state| profile::items(&state.profile));
        profile_item.retain(|item| by_admin || profile::is_readable(&item.tag, settings));
        Ok(Follow { to_account, follow_time: row.since, profile_item })
    });
    let follow_item = items.await.into_iter().collect::<Outcome<_>>()?;
    Ok(Response { follow_item, next_cursor: next.map_or_else(String::new, |id| id.to_string()) })
}

type Page = (Vec<(UserId, TieRow)>, Option<UserId>);

async fn one_way(desk: &Desk<'_>, tie: Tie, after: Option<UserId>, limit: usize) -> Outcome<Page> {
    let mut found = page(desk.node, desk.app, desk.user, tie, after.as_ref(), limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(id, _)| id.clone());
    Ok((found, next))
}

/// Walks the followed users, of whom there are not too many, until enough of them follow back.
async fn mutual(desk: &Desk<'_>, mut after: Option<UserId>, limit: usize) -> Outcome<Page> {
    let mut mutual = Vec::new();
    loop {
        let (followed, next) = one_way(desk, Tie::Follows, after, PAGE_MAX as usize).await?;
        let ids: Vec<UserId> = followed.iter().map(|(id, _)| id.clone()).collect();
        let edges = desk.edges(&ids, &[Tie::FollowedBy]).await?;
        let back = followed.into_iter().zip(edges).filter(|(_, edge)| edge.has(Tie::FollowedBy));
        mutual.extend(back.map(|(followed, _)| followed));
        if mutual.len() > limit {
            mutual.truncate(limit);
            let next = mutual.last().map(|(id, _)| id.clone());
            return Ok((mutual, next));
        }
        if next.is_none() {
            return Ok((mutual, None));
        }
        after = next;
    }
}
