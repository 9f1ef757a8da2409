//! `im_open_status/wshello`: a logged-in client says that it is there, every `HelloInterval` seconds.
//!
//! Callers: users.

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("im_open_status/wshello").gateway();

request! {
    pub(crate) struct Request {}
}

pub(crate) async fn run(_: Caller, _: Request) -> Outcome<Empty> {
    Ok(Empty {})
}
