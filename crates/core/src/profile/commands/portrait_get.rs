//! `profile/portrait_get`: chosen values of up to 100 profiles.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};

use super::{UserProfile, profiles};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::profile;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("profile/portrait_get").rest();

request! {
    pub(crate) struct Request {
        /// 1 to 100 accounts.
        to_account: Option<Vec<String>> = "To_Account",
        /// The values to read; one that is not set is left out.
        tag_list: Vec<String> = "TagList",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    user_profile_item: Vec<UserProfile>,
    /// Accounts that do not exist.
    #[serde(rename = "Fail_Account", skip_serializing_if = "Vec::is_empty")]
    fail_account: Vec<String>,
}

pub(super) const ACCOUNTS_MAX: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let accounts = request.to_account.unwrap_or_default();
    match accounts.len() {
        0 => return Err(ErrorCode::ProfileNoTarget.into()),
        1..=ACCOUNTS_MAX => {}
        more => {
            let info = format!("{more} accounts, at most {ACCOUNTS_MAX}");
            return Err(Error::with(ErrorCode::ProfileBadParameter, info).into());
        }
    }
    let settings = &caller.app().facts().settings;
    if let Some(tag) = request.tag_list.iter().find(|tag| !profile::is_known(tag, settings)) {
        let info = format!("{tag} is not a profile field here");
        return Err(Error::with(ErrorCode::ProfileTagUnknown, info).into());
    }
    let mut response = Response { user_profile_item: Vec::new(), fail_account: Vec::new() };
    for (to_account, found) in profiles(&caller, accounts).await? {
        response.user_profile_item.push(match found {
            Some(mut profile_item) => {
                profile_item.retain(|item| request.tag_list.contains(&item.tag));
                UserProfile { to_account, profile_item, result_code: 0, result_info: String::new() }
            }
            None => {
                response.fail_account.push(to_account.clone());
                UserProfile {
                    to_account,
                    profile_item: Vec::new(),
                    result_code: ErrorCode::ProfileAccountUnknown.number(),
                    result_info: "Err_Profile_PortraitGet_Account_Not_Exist".to_owned(),
                }
            }
        });
    }
    Ok(response)
}
