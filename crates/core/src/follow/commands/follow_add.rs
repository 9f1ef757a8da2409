//! `follow/follow_add`: follows up to 20 users. One who is followed already stays so.
//!
//! Callers: administrators for anyone, users for themselves.

use teahouse_proto::error::ErrorCode;
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
    Operation::new("follow/follow_add").rest().gateway().feature_bit(FEATURE_BIT);

request! {
    pub(crate) struct Request {
        /// Who follows.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 20 users.
        follow_item: Vec<NamedUser> = "FollowItem",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Results> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("FollowItem", request.follow_item.len(), USERS_MAX)?;
    let following_max = u64::from(caller.app().facts().settings.follow_following_max);
    let now = caller.now().seconds().0;
    let targets: Vec<(String, ())> =
        request.follow_item.into_iter().map(|item| (item.to_account, ())).collect();
    let follow = |book: &mut Book, peer: &Peer, (): &()| -> ItemOutcome {
        if book.edge(&peer.id).has(Tie::Follows) {
            return Ok(());
        }
        if book.count(Tie::Follows) >= following_max {
            return Err(ErrorCode::OwnFollowingFull.into());
        }
        book.edge(&peer.id).set(Tie::Follows, peer.row(now));
        book.errand(peer.errand());
        Ok(())
    };
    Ok(desk(&caller, &user).each(&targets, follow).await?.into())
}
