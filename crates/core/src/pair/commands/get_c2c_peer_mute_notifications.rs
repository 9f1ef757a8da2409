//! `openim/get_c2c_peer_mute_notifications`: the caller's receive option for each peer.
//!
//! Callers: users. Without peers (as the older client package asks after a login): those whose option is
//! not the default.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use crate::caller::Caller;
use crate::conversation::{self, options};
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/get_c2c_peer_mute_notifications").gateway();

request! {
    pub(crate) struct Request {
        /// Up to 100 peers; all with another option than 0 when absent.
        peer_account: Option<Vec<String>> = "Peer_Account" else ToAccountInvalid,
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    mute_notifications_list: Vec<PeerOption>,
    /// Always 0: who asks for what changed since gets all there is.
    update_sequence: u64,
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
    let user = caller.acting_as(None, ErrorCode::MsgNotAdmin)?;
    let mute_notifications_list = match request.peer_account {
        Some(peers) => of_peers(&caller, &user, peers).await?,
        None => changed(&caller, &user).await?,
    };
    Ok(Response { mute_notifications_list, update_sequence: 0 })
}

async fn of_peers(caller: &Caller, user: &UserId, peers: Vec<String>) -> Outcome<Vec<PeerOption>> {
    if peers.len() > PEERS_MAX {
        let info = format!("{} accounts, at most {PEERS_MAX}", peers.len());
        return Err(Error::with(ErrorCode::TooManyTargets, info).into());
    }
    let mut options = Vec::with_capacity(peers.len());
    for peer_account in peers {
        let found = match UserId::parse(&peer_account) {
            Ok(peer) => conversation::find(caller.node(), caller.app(), user, &peer).await?,
            Err(_) => None,
        };
        let mute_notifications = found.map_or(0, |(_, row)| row.receive_option);
        options.push(PeerOption { peer_account, mute_notifications });
    }
    Ok(options)
}

async fn changed(caller: &Caller, user: &UserId) -> Outcome<Vec<PeerOption>> {
    let changed = options::changed(caller.node(), caller.app(), user).await?;
    let option = |(peer, mute_notifications): (UserId, u32)| PeerOption {
        peer_account: peer.to_string(),
        mute_notifications,
    };
    Ok(changed.into_iter().map(option).collect())
}
