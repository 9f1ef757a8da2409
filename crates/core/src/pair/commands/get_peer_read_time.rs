//! `openim/get_peer_read_time`: up to when each peer has read what the caller wrote to him.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixSeconds;

use crate::caller::{Caller, Who};
use crate::conversation;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/get_peer_read_time").gateway();

request! {
    pub(crate) struct Request {
        /// Up to 100 peers.
        to_account: Vec<String> = "To_Account" else ToAccountInvalid,
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// One second a peer, in the same order; 0: never.
    read_time: Vec<UnixSeconds>,
}

const PEERS_MAX: usize = 100;
const AT_ONCE: usize = 32;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    if request.to_account.len() > PEERS_MAX {
        let info = format!("{} accounts, at most {PEERS_MAX}", request.to_account.len());
        return Err(Error::with(ErrorCode::TooManyTargets, info).into());
    }
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::MsgNotAdmin.into()) };
    let own = (&identity.user, identity.tiny_id);
    let caller = &caller;
    let times = in_parallel(request.to_account, AT_ONCE, |peer| async move {
        match UserId::parse(&peer) {
            Ok(peer) => conversation::read_mark(caller.node(), caller.app(), &peer, own)
                .await
                .map(|mark| mark.time),
            Err(_) => Ok(UnixSeconds(0)),
        }
    })
    .await;
    Ok(Response { read_time: times.into_iter().collect::<Outcome<_>>()? })
}
