//! The `profile` service.

pub(crate) mod portrait_get;
pub(crate) mod portrait_get_all;
pub(crate) mod portrait_set;

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::{ProfileItem, items};
use crate::account;
use crate::caller::Caller;
use crate::entity::in_parallel;
use crate::error::Outcome;

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

/// The profiles of accounts, in the same order; nothing for one that does not exist.
async fn profiles(
    caller: &Caller,
    accounts: Vec<String>,
) -> Outcome<Vec<(String, Option<Vec<ProfileItem>>)>> {
    const AT_ONCE: usize = 32;
    let profiles = in_parallel(accounts, AT_ONCE, |account| async move {
        let found = match UserId::parse(&account) {
            Ok(user) => account::user(caller.node(), caller.app(), &user)
                .await?
                .read(|state| state.account().map(|_| items(&state.profile))),
            Err(_) => None,
        };
        Ok((account, found))
    });
    profiles.await.into_iter().collect()
}
