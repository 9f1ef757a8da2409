//! `openim_msg_ext_http_svc/set_key_values`: writes extensions of a one-to-one message that takes them. All
//! other devices of both sides are told.
//!
//! Callers: administrators for any message; users for those of their conversations. A user names the number
//! of each key's last write that he has seen (0: none); a key with another number is refused with 23001 and
//! answered with its present value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;
use teahouse_proto::push::ExtensionChange;

use super::{ends_of, key_of};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::extensions::{self, Write, Written};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim_msg_ext_http_svc/set_key_values").rest().gateway().feature_bit(13);

request! {
    pub(crate) struct Request {
        /// Sender of the message; the caller when absent.
        from_account: Option<UserId> = "From_Account",
        /// Its receiver.
        to_account: UserId = "To_Account",
        /// Its key, `seq_random_time`.
        msg_key: String = "MsgKey",
        /// 1 sets keys, 2 deletes them, 3 deletes all.
        operate_type: u32 = "OperateType",
        /// 1 to 20 keys to set or delete.
        extension_list: Option<Vec<ExtensionItem>> = "ExtensionList",
    }
}

/// A key to write.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExtensionItem {
    /// 1 to 100 bytes.
    key: String,
    /// At most 1000 bytes.
    #[serde(default)]
    value: String,
    /// Number of the write that the caller has seen.
    seq: Option<u64>,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    extension_list: Vec<ResultItem>,
    /// Number of the message's last write.
    seq: u64,
}

/// What became of one key.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ResultItem {
    error_code: i32,
    extension: Extension,
}

/// A key as it is now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Extension {
    pub(super) key: String,
    /// Empty: deleted.
    pub(super) value: String,
    /// Number of its last write.
    pub(super) seq: u64,
}

const KEYS_MAX: usize = 20;
const KEY_BYTES_MAX: usize = 100;
const VALUE_BYTES_MAX: usize = 1_000;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let key = key_of(&request.msg_key).map_err(|_| bad("MsgKey is malformed"))?;
    let change = match request.operate_type {
        1 => ExtensionChange::Set,
        2 => ExtensionChange::Delete,
        3 => ExtensionChange::Clear,
        other => {
            return Err(bad(format!("OperateType is {other}, 1 to 3 are possible")).into());
        }
    };
    let items = request.extension_list.unwrap_or_default();
    let writes = writes(&caller, change, items)?;
    let from = match request.from_account {
        Some(from) => from,
        None => caller.acting_as(None, ErrorCode::GroupRequestIllegal)?,
    };
    let ends = ends_of(&caller, &from, &request.to_account, ErrorCode::GroupRequestIllegal).await?;
    let ends = ends.ok_or(ErrorCode::ExtensionTargetUnknown)?;
    let (node, app, origin) = (caller.node(), caller.app(), caller.origin_of_both());
    let written = extensions::write(node, app, &ends, key, change, &writes, origin).await?;
    let item = |Written { key, row, refused }| ResultItem {
        error_code: refused.map_or(0, ErrorCode::number),
        extension: Extension { key, value: row.value, seq: row.seq },
    };
    Ok(Response { extension_list: written.keys.into_iter().map(item).collect(), seq: written.last })
}

fn bad(info: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::with(ErrorCode::GroupBadParameter, info)
}

/// The keys to write, each once.
fn writes(
    caller: &Caller,
    change: ExtensionChange,
    items: Vec<ExtensionItem>,
) -> Result<Vec<Write>, Error> {
    if change == ExtensionChange::Clear {
        return Ok(Vec::new());
    }
    let count = items.len();
    if !(1..=KEYS_MAX).contains(&count) {
        return Err(bad(format!("ExtensionList has {count} keys, 1 to {KEYS_MAX} are possible")));
    }
    let mut writes: Vec<Write> = Vec::with_capacity(count);
    for ExtensionItem { key, value, seq } in items {
        if !(1..=KEY_BYTES_MAX).contains(&key.len()) {
            let bytes = key.len();
            return Err(bad(format!("a Key is {bytes} bytes, 1 to {KEY_BYTES_MAX} are possible")));
        }
        if value.len() > VALUE_BYTES_MAX {
            let bytes = value.len();
            return Err(bad(format!("a Value is {bytes} bytes, at most {VALUE_BYTES_MAX}")));
        }
        if writes.iter().any(|write| write.key == key) {
            return Err(bad(format!("Key {key} is there twice")));
        }
        let seen = (!caller.is_admin()).then(|| seq.unwrap_or_default());
        writes.push(Write { key, value, seen });
    }
    Ok(writes)
}
