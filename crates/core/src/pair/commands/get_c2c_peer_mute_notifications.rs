//! `openim/get_c2c_peer_mute_notifications`: the caller's receive option for each peer.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/get_c2c_peer_mute_notifications").gateway();

request! {
    pub(crate) struct Request {
        /// Up to 100 peers.
        peer_account: Vec<String> = "Peer_Account" else ToAccountInvalid,
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    mute_notifications_list: Vec<PeerOption>,
}

/// The option for one peer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct PeerOption {
    #[serde(rename = "Peer_Account")]
    peer_account: String,
    /// 0 notify, 1 discard, 2 do not notify.
    mute_notifications: u32,
}

const PEERS_MAX: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    if request.peer_account.len() > PEERS_MAX {
        let info = format!("{} accounts, at most {PEERS_MAX}", request.peer_account.len());
        return Err(Error::with(ErrorCode::TooManyTargets, info).into());
    }
    let user = caller.acting_as(None, ErrorCode::MsgNotAdmin)?;
    let mut mute_notifications_list = Vec::with_capacity(request.peer_account.len());
    for peer_account in request.peer_account {
        let found = match UserId::parse(&peer_account) {
            Ok(peer) => conversation::find(caller.node(), caller.app(), &user, &peer).await?,
            Err(_) => None,
        };
        let mute_notifications = found.map_or(0, |(_, row)| row.receive_option);
        mute_notifications_list.push(PeerOption { peer_account, mute_notifications });
    }
    Ok(Response { mute_notifications_list })
}
