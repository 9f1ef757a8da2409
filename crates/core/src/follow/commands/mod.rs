//! The `follow` service.

pub(crate) mod follow_add;
pub(crate) mod follow_check;
pub(crate) mod follow_delete;
pub(crate) mod follow_get;
pub(crate) mod follow_get_info;

use schemars::JsonSchema;
use serde::Deserialize;

/// The client's feature bit for following.
const FEATURE_BIT: u32 = 52;

/// Users in one request.
const USERS_MAX: usize = 20;

/// A user in a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NamedUser {
    /// The user.
    #[serde(rename = "To_Account")]
    to_account: String,
}
