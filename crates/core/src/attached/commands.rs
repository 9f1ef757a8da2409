//! What the commands for one-to-one messages and those for messages of groups have in common.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;
use teahouse_proto::push::ExtensionChange;

use super::extensions::{Outcomes, Page, Write, Written};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::rows::ExtensionRow;

const WRITES_MAX: usize = 20;
const KEY_BYTES_MAX: usize = 100;
const VALUE_BYTES_MAX: usize = 1_000;
const REACTION_BYTES_MAX: usize = 64;
const MESSAGES_MAX: usize = 20;
const ACCOUNTS_MAX: u32 = 10;

pub(crate) fn bad(info: impl Into<Cow<'static, str>>) -> Error {
    Error::with(ErrorCode::GroupBadParameter, info)
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

/// How extensions are to be changed, and the keys to write, each once.
pub(crate) fn writes(
    caller: &Caller,
    operate_type: u32,
    items: Option<Vec<ExtensionItem>>,
) -> Result<(ExtensionChange, Vec<Write>), Error> {
    let change = match operate_type {
        1 => ExtensionChange::Set,
        2 => ExtensionChange::Delete,
        3 => return Ok((ExtensionChange::Clear, Vec::new())),
        other => return Err(bad(format!("OperateType is {other}, 1 to 3 are possible"))),
    };
    let items = items.unwrap_or_default();
    let count = items.len();
    if !(1..=WRITES_MAX).contains(&count) {
        return Err(bad(format!("ExtensionList has {count} keys, 1 to {WRITES_MAX} are possible")));
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
    Ok((change, writes))
}

/// What became of a write of extensions.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WrittenExtensions {
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
struct Extension {
    key: String,
    /// Empty: deleted.
    value: String,
    /// Number of its last write.
    seq: u64,
}

impl Extension {
    fn new(key: String, row: ExtensionRow) -> Self {
        Self { key, value: row.value, seq: row.seq }
    }
}

impl From<Outcomes> for WrittenExtensions {
    fn from(outcomes: Outcomes) -> Self {
        let item = |Written { key, row, refused }| ResultItem {
            error_code: refused.map_or(0, ErrorCode::number),
            extension: Extension::new(key, row),
        };
        let extension_list = outcomes.keys.into_iter().map(item).collect();
        Self { extension_list, seq: outcomes.last }
    }
}

/// Extensions of a message.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReadExtensions {
    /// At most 200, ascending by number; deleted ones have an empty value.
    extension_list: Vec<Extension>,
    /// 0: there are more, with higher numbers.
    complete_flag: u8,
    /// Number of the message's last write.
    latest_seq: u64,
    /// Number of the last write that deleted all.
    clear_seq: u64,
}

impl From<Page> for ReadExtensions {
    fn from(page: Page) -> Self {
        Self {
            extension_list: page
                .keys
                .into_iter()
                .map(|(key, row)| Extension::new(key, row))
                .collect(),
            complete_flag: u8::from(page.complete),
            latest_seq: page.last,
            clear_seq: page.cleared,
        }
    }
}

/// Who reacts: the caller, alone.
///
/// # Errors
/// `GroupBadParameter` for a name that no reaction has, `GroupRequestIllegal` when somebody else is named.
pub(crate) fn reactor(
    caller: &Caller,
    reaction: &str,
    accounts: Option<&[UserId]>,
) -> Outcome<UserId> {
    let bytes = reaction.len();
    if !(1..=REACTION_BYTES_MAX).contains(&bytes) {
        let info = format!("Reaction is {bytes} bytes, 1 to {REACTION_BYTES_MAX} are possible");
        return Err(bad(info).into());
    }
    let own = caller.acting_as(None, ErrorCode::GroupRequestIllegal)?;
    if accounts.is_some_and(|accounts| accounts != [own.clone()]) {
        let info = "only the caller can react";
        return Err(Error::with(ErrorCode::GroupRequestIllegal, info).into());
    }
    Ok(own)
}

/// A reaction and who has given it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Summary {
    reaction: String,
    /// How many have given it.
    count: usize,
    /// The first of them.
    #[serde(rename = "Reaction_Account")]
    accounts: Vec<UserId>,
    /// 1: the caller is one of them.
    reacted_by_me: u8,
}

impl Summary {
    /// `accounts`: how many are listed, as a request says it.
    pub(crate) fn new(
        reaction: String,
        mut users: Vec<UserId>,
        own: &UserId,
        accounts: Option<u32>,
    ) -> Self {
        let (count, reacted_by_me) = (users.len(), u8::from(users.contains(own)));
        users.truncate(accounts.unwrap_or(ACCOUNTS_MAX).min(ACCOUNTS_MAX) as usize);
        Self { reaction, count, accounts: users, reacted_by_me }
    }
}

/// Refuses a list of no messages, or of too many.
pub(crate) fn check_messages(field: &str, count: usize) -> Result<(), Error> {
    if (1..=MESSAGES_MAX).contains(&count) {
        return Ok(());
    }
    Err(bad(format!("{field} has {count} messages, 1 to {MESSAGES_MAX} are possible")))
}
