//! `openim/get_c2c_unread_msg_num`: how many messages a user has not read, of some peers or of all.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use crate::account;
use crate::caller::Caller;
use crate::conversation::{self, Summary};
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/get_c2c_unread_msg_num").rest();

request! {
    pub(crate) struct Request {
        /// Whose messages.
        to_account: UserId = "To_Account" else ToAccountInvalid,
        /// 1 to 10 peers; all together when absent.
        peer_account: Option<Vec<String>> = "Peer_Account" else ToAccountInvalid,
    }
}

/// The total, or one count a peer.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Response {
    /// Of all peers, when none was named.
    #[serde(rename = "AllC2CUnreadMsgNum", skip_serializing_if = "Option::is_none")]
    all: Option<u64>,
    /// Of the named peers, in their order.
    #[serde(rename = "C2CUnreadMsgNumList", skip_serializing_if = "Option::is_none")]
    counts: Option<Vec<Count>>,
    /// Peers that do not exist.
    #[serde(rename = "ErrorList", skip_serializing_if = "Option::is_none")]
    unknown: Option<Vec<Unknown>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Count {
    #[serde(rename = "Peer_Account")]
    peer: UserId,
    #[serde(rename = "C2CUnreadMsgNum")]
    unread: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Unknown {
    #[serde(rename = "Peer_Account")]
    peer: String,
    /// 70107.
    error_code: i32,
}

const PEERS_MAX: usize = 10;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, user) = (caller.node(), caller.app(), &request.to_account);
    account::existing(node, app, user, ErrorCode::ToAccountInvalid).await?;
    let Some(named) = request.peer_account else {
        let summaries = conversation::summaries(node, app, user).await?;
        let all = summaries.iter().map(Summary::unread).sum();
        return Ok(Response { all: Some(all), ..Response::default() });
    };
    if !(1..=PEERS_MAX).contains(&named.len()) {
        let info = format!("Peer_Account lists {} accounts, 1 to {PEERS_MAX}", named.len());
        return Err(Error::with(ErrorCode::MsgJsonMalformed, info).into());
    }
    let (mut peers, mut unknown) = (Vec::new(), Vec::new());
    let known = account::parse_existing(node, app, &named).await?;
    for (name, peer) in named.into_iter().zip(known) {
        match peer {
            Some((peer, _)) => peers.push(peer),
            None => {
                let error_code = ErrorCode::AccountNotImported.number();
                unknown.push(Unknown { peer: name, error_code });
            }
        }
    }
    let counts = conversation::unread_of(node, app, user, &peers).await?;
    let counts = peers.into_iter().zip(counts).map(|(peer, unread)| Count { peer, unread });
    Ok(Response { all: None, counts: Some(counts.collect()), unknown: Some(unknown) })
}
