//! `openim/c2c_msg_read_receipt`: confirms to the sender that single messages were read. It changes no unread
//! count. Messages that did not ask for a receipt, or are not there, are left out.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Deserialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{MsgKey, UserId};
use teahouse_proto::time::UnixSeconds;

use super::{different_keys, ends_of, key_or_parts};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::changes;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim/c2c_msg_read_receipt").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Who has read; the caller when absent.
        operator_account: Option<UserId> = "Operator_Account" else ToAccountInvalid,
        /// The sender.
        peer_account: UserId = "Peer_Account" else FromAccountInvalid,
        /// 1 to 30 messages of the sender.
        c2c_msg_info: Vec<MsgInfo> = "C2CMsgInfo",
    }
}

/// A message that was read, by its key or by the parts of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MsgInfo {
    /// The sender.
    #[serde(rename = "From_Account")]
    from_account: UserId,
    /// Who has read.
    #[serde(rename = "To_Account")]
    to_account: UserId,
    /// `seq_random_time`.
    msg_key: Option<String>,
    /// First part of the key.
    msg_seq: Option<u32>,
    /// Second part of the key.
    msg_random: Option<u32>,
    /// Third part of the key.
    msg_time: Option<UnixSeconds>,
}

const MESSAGES_MAX: usize = 30;

impl MsgInfo {
    /// # Errors
    /// `RequestIllegal` for a message of others; `MsgKeyInvalid`.
    fn key(&self, reader: &UserId, sender: &UserId) -> Result<MsgKey, Error> {
        if (&self.from_account, &self.to_account) != (sender, reader) {
            let info = "From_Account is not Peer_Account, or To_Account is not who has read";
            return Err(Error::with(ErrorCode::RequestIllegal, info));
        }
        let parts = (self.msg_seq, self.msg_random, self.msg_time);
        key_or_parts(self.msg_key.as_deref(), parts)
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Request { operator_account, peer_account: sender, c2c_msg_info } = request;
    if caller.is_admin() && operator_account.is_none() {
        let info = "Operator_Account is missing";
        return Err(Error::with(ErrorCode::ToAccountInvalid, info).into());
    }
    let reader = caller.acting_as(operator_account, ErrorCode::MsgNotAdmin)?;
    let keys = different_keys(&c2c_msg_info, MESSAGES_MAX, |info| info.key(&reader, &sender))?;
    if let Some(ends) = ends_of(&caller, &sender, &reader, ErrorCode::MsgNotAdmin).await? {
        changes::confirm(caller.node(), caller.app(), &ends, &keys).await?;
    }
    Ok(Empty {})
}
