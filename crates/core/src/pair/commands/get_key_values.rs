//! `openim_msg_ext_http_svc/get_key_values`: the extensions of a one-to-one message, by the number of their last
//! write.
//!
//! Callers: administrators for any message; users for those of their conversations.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use super::set_key_values::Extension;
use super::{ends_of, key_of};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::extensions;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim_msg_ext_http_svc/get_key_values").rest().gateway().feature_bit(13);

request! {
    pub(crate) struct Request {
        /// Sender of the message; the caller when absent.
        from_account: Option<UserId> = "From_Account",
        /// Its receiver.
        to_account: UserId = "To_Account",
        /// Its key, `seq_random_time`.
        msg_key: String = "MsgKey",
        /// Only keys whose last write has this number or a higher one; all when absent.
        start_seq: Option<u64> = "StartSeq" | "startSeq",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// At most 200, ascending by number; deleted ones have an empty value.
    extension_list: Vec<Extension>,
    /// 0: there are more, with higher numbers.
    complete_flag: u8,
    /// Number of the message's last write.
    latest_seq: u64,
    /// Number of the last write that deleted all.
    clear_seq: u64,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let malformed = || Error::with(ErrorCode::GroupBadParameter, "MsgKey is malformed");
    let key = key_of(&request.msg_key).map_err(|_| malformed())?;
    let from = match request.from_account {
        Some(from) => from,
        None => caller.acting_as(None, ErrorCode::GroupRequestIllegal)?,
    };
    let ends = ends_of(&caller, &from, &request.to_account, ErrorCode::GroupRequestIllegal).await?;
    let ends = ends.ok_or(ErrorCode::ExtensionTargetUnknown)?;
    let start = request.start_seq.unwrap_or_default();
    let page = extensions::read(caller.node(), caller.app(), &ends, key, start).await?;
    let item = |(key, row): (String, crate::rows::ExtensionRow)| Extension {
        key,
        value: row.value,
        seq: row.seq,
    };
    Ok(Response {
        extension_list: page.keys.into_iter().map(item).collect(),
        complete_flag: u8::from(page.complete),
        latest_seq: page.last,
        clear_seq: page.cleared,
    })
}
