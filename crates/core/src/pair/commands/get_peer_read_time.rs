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

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    if request.to_account.len() > PEERS_MAX {
        let info = format!("{} accounts, at most {PEERS_MAX}", request.to_account.len());
        return Err(Error::with(ErrorCode::TooManyTargets, info).into());
    }
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::MsgNotAdmin.into()) };
    let own = (&identity.user, identity.tiny_id);
    let peers: Vec<_> = request.to_account.iter().map(|peer| UserId::parse(peer).ok()).collect();
    let valid: Vec<UserId> = peers.iter().flatten().cloned().collect();
    let marks = conversation::read_marks(caller.node(), caller.app(), &valid, own).await?;
    let mut times = marks.into_iter().map(|mark| mark.time);
    let time = |peer: &Option<UserId>| peer.as_ref().and_then(|_| times.next()).unwrap_or_default();
    Ok(Response { read_time: peers.iter().map(time).collect() })
}
