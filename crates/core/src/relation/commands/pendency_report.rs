//! `sns/pendency_report`: tells that a user has seen the friend requests up to a time.
//!
//! Callers: users.

use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixSeconds;

use super::desk;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::owner;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("sns/pendency_report").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// Requests up to this second have been seen; a time to come counts as now.
        latest_pendency_time_stamp: UnixSeconds = "LatestPendencyTimeStamp",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let user = owner(&caller, request.from_account).await?;
    let seen = request.latest_pendency_time_stamp.min(caller.now().seconds()).0;
    desk(&caller, &user)
        .change(&[], |book| {
            book.head.requests_read = book.head.requests_read.max(seen);
            Ok(())
        })
        .await?;
    Ok(Empty {})
}
