//! The `profile` service.

pub(crate) mod portrait_get;
pub(crate) mod portrait_get_all;
pub(crate) mod portrait_set;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{ProfileItem, ProfileValue};

/// The profile of one account in an answer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UserProfile {
    /// The account.
    #[serde(rename = "To_Account")]
    to_account: String,
    /// The values that are set.
    profile_item: Vec<ProfileItem>,
    /// 0, or why it could not be read.
    result_code: i32,
    /// The reason in words.
    result_info: String,
}

fn items(profile: &BTreeMap<String, ProfileValue>) -> Vec<ProfileItem> {
    let item = |(tag, value): (&String, &ProfileValue)| ProfileItem {
        tag: tag.clone(),
        value: value.clone(),
    };
    profile.iter().map(item).collect()
}
