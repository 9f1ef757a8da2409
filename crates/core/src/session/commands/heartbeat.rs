//! `heartbeat/alive`: keeps a connection, with or without a session. Clients go on sending it with dead
//! credentials after a logout, so it is answered whatever they say.
//!
//! Callers: anyone on a connection.

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("heartbeat/alive").gateway().for_anyone();

request! {
    pub(crate) struct Request {}
}

pub(crate) async fn run(_: Caller, _: Request) -> Outcome<Empty> {
    Ok(Empty {})
}
