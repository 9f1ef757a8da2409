//! `sns/friend_delete_all`: removes all friends of a user.
//!
//! Callers: administrators.

use teahouse_proto::ids::UserId;

use super::friend_delete::remove;
use super::{DeleteType, desk};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::{Peer, owner};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("sns/friend_delete_all").rest();

request! {
    pub(crate) struct Request {
        /// Whose friends.
        from_account: Option<UserId> = "From_Account",
        /// `Delete_Type_Single` (default): only from this list; `Delete_Type_Both`: from the others', too.
        delete_type: Option<DeleteType> = "DeleteType",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let user = owner(&caller, request.from_account).await?;
    let unfriend = request.delete_type == Some(DeleteType::Both);
    let desk = desk(&caller, &user);
    let friends = desk.all(Tie::Friend).await?;
    let targets: Vec<(String, ())> =
        friends.into_iter().map(|(friend, _)| (friend.to_string(), ())).collect();
    // Who was removed by somebody else meanwhile is gone as wanted.
    desk.each(&targets, |book: &mut Book, peer: &Peer, (): &()| remove(book, peer, unfriend))
        .await?;
    Ok(Empty {})
}
