//! `openim/ws_msg_push_ack`: a client's acknowledgement of a push that asked for one. It is not answered.
//!
//! Callers: anyone on a connection. This server's pushes do not ask: a gap is repaired by pulling.

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim/ws_msg_push_ack").gateway().for_anyone().one_way();

request! {
    pub(crate) struct Request {}
}

pub(crate) async fn run(_: Caller, _: Request) -> Outcome<Empty> {
    Ok(Empty {})
}
