//! `sns/pendency_delete`: deletes up to 100 friend requests, without an answer.
//!
//! Callers: users. A request has two ends: it is gone for the other user, too.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::pendency_get::Kind;
use super::{Results, desk};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::{ItemOutcome, Peer, check_batch, owner};
use crate::request;
use crate::rows::{ErrandRow, Tie};

pub(crate) const OPERATION: Operation<Request, Results> =
    Operation::new("sns/pendency_delete").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// Requests received, sent, or both.
        pendency_type: Kind = "PendencyType",
        /// The other users of 1 to 100 requests.
        to_account: Vec<String> = "To_Account",
    }
}

const REQUESTS_MAX: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Results> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("To_Account", request.to_account.len(), REQUESTS_MAX)?;
    let kind = request.pendency_type;
    let targets: Vec<(String, ())> = request.to_account.into_iter().map(|to| (to, ())).collect();
    let delete = |book: &mut Book, peer: &Peer, (): &()| delete(book, peer, kind);
    Ok(desk(&caller, &user).each(&targets, delete).await?.into())
}

fn delete(book: &mut Book, peer: &Peer, kind: Kind) -> ItemOutcome {
    let edge = book.edge(&peer.id);
    let received = if kind.has(Tie::AskedBy) { edge.take(Tie::AskedBy) } else { None };
    let sent = if kind.has(Tie::Asked) { edge.take(Tie::Asked) } else { None };
    if received.is_none() && sent.is_none() {
        return Err(ErrorCode::RelationTargetUnknown.into());
    }
    let ended_request = received.map_or(0, |row| row.request);
    book.errand(ErrandRow { ended_request, ..peer.errand() });
    Ok(())
}
