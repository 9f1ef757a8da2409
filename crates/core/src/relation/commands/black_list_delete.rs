//! `sns/black_list_delete`: blocks up to 1000 users no longer. One who is not blocked stays so.
//!
//! Callers: administrators for anyone, users for themselves.

use teahouse_proto::ids::UserId;

use super::{Results, desk};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::{BATCH_MAX, ItemOutcome, Peer, check_batch, owner};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Results> =
    Operation::new("sns/black_list_delete").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Who has blocked.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 1000 users.
        to_account: Vec<String> = "To_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Results> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("To_Account", request.to_account.len(), BATCH_MAX)?;
    let targets: Vec<(String, ())> = request.to_account.into_iter().map(|to| (to, ())).collect();
    let unblock = |book: &mut Book, peer: &Peer, (): &()| -> ItemOutcome {
        if book.edge(&peer.id).take(Tie::Blocked).is_some() {
            book.errand(peer.errand());
        }
        Ok(())
    };
    Ok(desk(&caller, &user).each(&targets, unblock).await?.into())
}
