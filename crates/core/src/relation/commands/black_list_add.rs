//! `sns/black_list_add`: blocks up to 1000 users.
//!
//! Callers: administrators for anyone, users for themselves. Who is blocked is no friend any more, in either
//! direction, cannot ask to be one, and cannot write to the user. Friend requests between the two end.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{Results, desk};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::rules::Refusal;
use crate::relation::{BATCH_MAX, ItemOutcome, Peer, check_batch, owner};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Results> =
    Operation::new("sns/black_list_add").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Who blocks.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 1000 users.
        to_account: Vec<String> = "To_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Results> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("To_Account", request.to_account.len(), BATCH_MAX)?;
    let blocked_max = u64::from(caller.app().facts().settings.friend_blocked_max);
    let now = caller.now().seconds().0;
    let targets: Vec<(String, ())> = request.to_account.into_iter().map(|to| (to, ())).collect();
    let block = |book: &mut Book, peer: &Peer, (): &()| -> ItemOutcome {
        if book.edge(&peer.id).has(Tie::Blocked) {
            return Err(Refusal::bad("Err_SNS_BlackListAdd_Already_Exist"));
        }
        if book.count(Tie::Blocked) >= blocked_max {
            return Err(ErrorCode::BlocklistFull.into());
        }
        let edge = book.edge(&peer.id);
        edge.set(Tie::Blocked, peer.row(now));
        edge.take(Tie::Friend);
        edge.take(Tie::Asked);
        book.errand(peer.errand());
        Ok(())
    };
    Ok(desk(&caller, &user).each(&targets, block).await?.into())
}
