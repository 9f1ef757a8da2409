//! `sns/group_delete`: deletes friend groups. The friends stay. A group that is not there is not missed.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::desk;
use super::group_add::put;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::{BATCH_MAX, Peer, check_batch, owner};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/group_delete").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose groups.
        from_account: Option<UserId> = "From_Account",
        /// The groups.
        group_name: Vec<String> = "GroupName",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Rises with each change of friend groups.
    current_sequence: u64,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("GroupName", request.group_name.len(), BATCH_MAX)?;
    let desk = desk(&caller, &user);
    let head = desk.head().await?;
    let gone: Vec<u32> = request.group_name.iter().filter_map(|name| head.group(name)).collect();
    if !gone.is_empty() {
        let friends = desk.all(Tie::Friend).await?;
        let is_in = |groups: &[u32]| groups.iter().any(|group| gone.contains(group));
        let targets: Vec<(String, ())> = friends
            .into_iter()
            .filter(|(_, row)| is_in(&row.groups))
            .map(|(friend, _)| (friend.to_string(), ()))
            .collect();
        // Who is put into the group meanwhile has its number, which then stands for nothing.
        desk.each(&targets, |book: &mut Book, peer: &Peer, (): &()| put(book, peer, &gone, false))
            .await?;
        desk.change(&[], |book| {
            book.head.groups.retain(|group| !gone.contains(&group.number));
            Ok(())
        })
        .await?;
    }
    Ok(Response { current_sequence: desk.head().await?.groups_seq })
}
