//! `profile/portrait_get_all`: all values of up to 100 profiles that clients may read.
//!
//! Callers: users. Accounts that do not exist are left out. Every profile has at least an (empty)
//! nickname: one of the client packages cannot log in without.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};

use super::portrait_get::ACCOUNTS_MAX;
use super::{UserProfile, profiles};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::profile::{self, ProfileItem, ProfileValue};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("profile/portrait_get_all").gateway();

request! {
    pub(crate) struct Request {
        /// 1 to 100 accounts.
        user_item: Vec<WantedUser> = "UserItem" else ProfileNoTarget,
    }
}

/// One account. The sequences that clients send along are not needed: all values are sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WantedUser {
    /// The account.
    #[serde(rename = "To_Account")]
    to_account: String,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Accounts that exist, in the order of the request.
    user_profile_item: Vec<UserProfile>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    if request.user_item.is_empty() {
        return Err(ErrorCode::ProfileNoTarget.into());
    }
    if request.user_item.len() > ACCOUNTS_MAX {
        let info = format!("{} accounts, at most {ACCOUNTS_MAX}", request.user_item.len());
        return Err(Error::with(ErrorCode::ProfileBadParameter, info).into());
    }
    let settings = &caller.app().facts().settings;
    let accounts = request.user_item.into_iter().map(|wanted| wanted.to_account).collect();
    let mut user_profile_item = Vec::new();
    for (to_account, found) in profiles(&caller, accounts).await? {
        let Some(mut profile_item) = found else { continue };
        profile_item.retain(|item| profile::is_readable(&item.tag, settings));
        if !profile_item.iter().any(|item| item.tag == profile::NICK) {
            let value = ProfileValue::Text(String::new());
            profile_item.push(ProfileItem { tag: profile::NICK.to_owned(), value });
        }
        let result_info = String::new();
        user_profile_item.push(UserProfile {
            to_account,
            profile_item,
            result_code: 0,
            result_info,
        });
    }
    Ok(Response { user_profile_item })
}
