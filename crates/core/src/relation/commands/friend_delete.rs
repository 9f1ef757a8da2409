//! `sns/friend_delete`: removes up to 1000 friends.
//!
//! Callers: administrators for anyone, users for themselves.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{DeleteType, Results, desk};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::{BATCH_MAX, ItemOutcome, Peer, check_batch, owner};
use crate::request;
use crate::rows::{ErrandRow, Tie};

pub(crate) const OPERATION: Operation<Request, Results> =
    Operation::new("sns/friend_delete").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose friends.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 1000 friends.
        to_account: Vec<String> = "To_Account",
        /// `Delete_Type_Single` (default): only from this list; `Delete_Type_Both`: from the other's, too.
        delete_type: Option<DeleteType> = "DeleteType",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Results> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("To_Account", request.to_account.len(), BATCH_MAX)?;
    let unfriend = request.delete_type == Some(DeleteType::Both);
    let targets: Vec<(String, ())> = request.to_account.into_iter().map(|to| (to, ())).collect();
    let delete = |book: &mut Book, peer: &Peer, (): &()| remove(book, peer, unfriend);
    Ok(desk(&caller, &user).each(&targets, delete).await?.into())
}

/// Removes one friend; with `unfriend`, also the user from the friend's list.
pub(super) fn remove(book: &mut Book, peer: &Peer, unfriend: bool) -> ItemOutcome {
    book.edge(&peer.id).take(Tie::Friend).ok_or(ErrorCode::NotFriends)?;
    book.errand(ErrandRow { unfriend, ..peer.errand() });
    Ok(())
}
