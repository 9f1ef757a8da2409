//! `sns/friend_get_specified`: all values of up to 1000 friends, of the friendship and of their profiles, but those
//! that the app hides from clients.
//!
//! Callers: users.

use teahouse_proto::ids::UserId;

use super::friend_get_list::{self, Response};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::profile;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/friend_get_specified").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 1000 friends.
        to_account: Vec<String> = "To_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let settings = &caller.app().facts().settings;
    let wanted = |tag: &str| profile::is_readable(tag, settings);
    friend_get_list::read(&caller, request.from_account, request.to_account, wanted).await
}
