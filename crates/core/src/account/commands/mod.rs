//! The `im_open_login_svc` service.

pub(crate) mod account_check;
pub(crate) mod account_delete;
pub(crate) mod account_import;
pub(crate) mod kick;
pub(crate) mod multiaccount_import;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use crate::error::Outcome;
use crate::profile::{self, ProfileItem, ProfileValue};
use crate::settings::AppSettings;

/// Accounts in one request.
const BATCH_MAX: usize = 100;

/// An account in a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NamedAccount {
    /// The account.
    #[serde(rename = "UserID")]
    user_id: UserId,
}

/// What became of one account of a batch.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResultItem {
    /// The account.
    #[serde(rename = "UserID")]
    user_id: UserId,
    /// 0, or why it failed.
    result_code: i32,
    /// The reason in words.
    result_info: String,
    /// `Imported` or `NotImported`, from `account_check` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_status: Option<&'static str>,
}

/// Nothing but the envelope.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Empty {}

fn check_batch(accounts: usize, otherwise: ErrorCode) -> Outcome<()> {
    if (1..=BATCH_MAX).contains(&accounts) {
        return Ok(());
    }
    let info = format!("{accounts} accounts, at least 1 and at most {BATCH_MAX}");
    Err(teahouse_proto::error::Error::with(otherwise, info).into())
}

/// Nickname and avatar of an import as profile values.
fn profile_of(
    nick: Option<String>,
    face_url: Option<String>,
    settings: &AppSettings,
) -> Result<Vec<ProfileItem>, teahouse_proto::error::Error> {
    let given = [(profile::NICK, nick), (profile::IMAGE, face_url)];
    let items = given.into_iter().filter_map(|(tag, text)| {
        Some(ProfileItem { tag: tag.to_owned(), value: ProfileValue::Text(text?) })
    });
    items
        .map(|item| {
            profile::check(&item.tag, &item.value, settings, true)?;
            Ok(item)
        })
        .collect()
}
