//! `follow/follow_delete`: follows up to 20 users no longer. One who is not followed stays so.
//!
//! Callers: administrators for anyone, users for themselves.

use teahouse_proto::ids::UserId;

use super::{FEATURE_BIT, NamedUser, USERS_MAX};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::follow::owner;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::commands::{Results, desk};
use crate::relation::{ItemOutcome, Peer, check_batch};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Results> =
    Operation::new("follow/follow_delete").rest().gateway().feature_bit(FEATURE_BIT);

request! {
    pub(crate) struct Request {
        /// Who has followed.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 20 users.
        to_account: Option<Vec<String>> = "To_Account",
        /// The same, written as for `follow_add`.
        follow_item: Option<Vec<NamedUser>> = "FollowItem",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Results> {
    let user = owner(&caller, request.from_account).await?;
    let items = request.follow_item.into_iter().flatten().map(|item| item.to_account);
    let targets: Vec<(String, ())> =
        request.to_account.into_iter().flatten().chain(items).map(|to| (to, ())).collect();
    check_batch("To_Account", targets.len(), USERS_MAX)?;
    let unfollow = |book: &mut Book, peer: &Peer, (): &()| -> ItemOutcome {
        if book.edge(&peer.id).take(Tie::Follows).is_some() {
            book.errand(peer.errand());
        }
        Ok(())
    };
    Ok(desk(&caller, &user).each(&targets, unfollow).await?.into())
}
