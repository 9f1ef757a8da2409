//! `openim/set_c2c_peer_mute_notifications`: how the caller gets what each of these peers writes. The caller's
//! other devices are told.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};

use super::receive_option;
use crate::account;
use crate::caller::Caller;
use crate::conversation::options;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/set_c2c_peer_mute_notifications").gateway();

request! {
    pub(crate) struct Request {
        /// 1 to 30 peers.
        peer_account: Vec<String> = "Peer_Account" else ToAccountInvalid,
        /// 0 notify, 1 discard: nothing is delivered but it stands in the history, 2 do not notify.
        mute_notifications: u32 = "Mute_Notifications",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Peers that do not exist.
    error_list: Vec<Failed>,
}

/// A peer without an account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    #[serde(rename = "Peer_Account")]
    peer_account: String,
    error_code: i32,
}

const PEERS_MAX: usize = 30;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = caller.acting_as(None, ErrorCode::MsgNotAdmin)?;
    let option = receive_option("Mute_Notifications", request.mute_notifications)?;
    let count = request.peer_account.len();
    if !(1..=PEERS_MAX).contains(&count) {
        let info = format!("Peer_Account lists {count} accounts, 1 to {PEERS_MAX}");
        return Err(Error::with(ErrorCode::RequestIllegal, info).into());
    }
    let (node, app) = (caller.node(), caller.app());
    let (mut peers, mut error_list) = (Vec::new(), Vec::new());
    let known = account::parse_existing(node, app, &request.peer_account).await?;
    for (peer_account, known) in request.peer_account.into_iter().zip(known) {
        match known {
            Some(known) => peers.push(known),
            None => {
                let error_code = ErrorCode::AccountNotImported.number();
                error_list.push(Failed { peer_account, error_code });
            }
        }
    }
    options::set(node, app, &user, &peers, option, caller.origin()).await?;
    Ok(Response { error_list })
}
