//! `sns/group_add`: makes friend groups, and puts friends into each of them.
//!
//! Callers: administrators for anyone, users for themselves. A group that is there already stays as it is and gets
//! the friends, too.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use super::{Results, desk};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::book::{Book, Desk};
use crate::relation::rules::Refusal;
use crate::relation::{BATCH_MAX, ItemOutcome, Peer, check_batch, owner};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/group_add").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose groups.
        from_account: Option<UserId> = "From_Account",
        /// Names of 1 to 30 bytes.
        group_name: Vec<String> = "GroupName",
        /// Up to 1000 friends.
        to_account: Option<Vec<String>> = "To_Account",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// With `To_Account`: what became of each.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    results: Option<Results>,
    /// Rises with each change of friend groups.
    current_sequence: u64,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let groups_max = caller.app().facts().settings.friend_groups_max as usize;
    check_batch("GroupName", request.group_name.len(), BATCH_MAX)?;
    let to_account = request.to_account.unwrap_or_default();
    if to_account.len() > BATCH_MAX {
        check_batch("To_Account", to_account.len(), BATCH_MAX)?;
    }
    let desk = desk(&caller, &user);
    let groups = make(&desk, &request.group_name, groups_max).await?;
    let mut results = None;
    if !to_account.is_empty() {
        let targets: Vec<(String, ())> = to_account.into_iter().map(|to| (to, ())).collect();
        let put = |book: &mut Book, peer: &Peer, (): &()| put(book, peer, &groups, true);
        results = Some(desk.each(&targets, put).await?.into());
    }
    Ok(Response { results, current_sequence: desk.head().await?.groups_seq })
}

/// The numbers of friend groups, which are made if need be.
async fn make(desk: &Desk<'_>, names: &[String], max: usize) -> Outcome<Vec<u32>> {
    let made = desk.change(&[], |book| {
        book.groups(names, max).map_err(|Refusal { code, info }| Error::with(code, info).into())
    });
    made.await
}

/// Puts a friend into groups, or takes him out.
pub(super) fn put(book: &mut Book, peer: &Peer, groups: &[u32], contained: bool) -> ItemOutcome {
    let not_there = Refusal {
        code: ErrorCode::GroupedUserNotFriend,
        info: "Err_SNS_GroupAdd_ToTinyId_Not_Friend",
    };
    let friend = book.edge(&peer.id).get_mut(Tie::Friend).ok_or(not_there)?;
    friend.groups.retain(|group| !groups.contains(group));
    if contained {
        friend.groups.extend(groups);
    }
    friend.groups.sort_unstable();
    Ok(())
}
