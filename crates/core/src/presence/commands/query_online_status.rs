//! `openim/query_online_status`: whether up to 500 accounts are online, and on which platforms.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;
use teahouse_proto::platform::Platform;

use crate::caller::Caller;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::presence::{self, AT_ONCE, Status, overall};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim/query_online_status").rest();

request! {
    pub(crate) struct Request {
        /// 1 to 500 accounts.
        to_account: Vec<String> = "To_Account" else ToAccountInvalid,
        /// 1 adds the platforms.
        is_need_detail: Option<u32> = "IsNeedDetail",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Accounts that exist.
    query_result: Vec<AccountStatus>,
    /// Accounts that do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error_list: Vec<UnknownAccount>,
}

/// Status of one account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct AccountStatus {
    #[serde(rename = "To_Account")]
    to_account: String,
    status: Status,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail: Vec<PlatformStatus>,
}

/// Status on one platform.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct PlatformStatus {
    platform: Platform,
    status: Status,
}

/// An account that does not exist.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UnknownAccount {
    #[serde(rename = "To_Account")]
    to_account: String,
    error_code: i32,
}

const ACCOUNTS_MAX: usize = 500;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let detailed = request.is_need_detail == Some(1);
    let (found, error_list) = query(&caller, request.to_account).await?;
    let query_result = found
        .into_iter()
        .map(|(to_account, platforms)| AccountStatus {
            to_account,
            status: overall(&platforms),
            detail: if detailed { detail(platforms) } else { Vec::new() },
        })
        .collect();
    Ok(Response { query_result, error_list })
}

fn detail(platforms: Vec<(Platform, Status)>) -> Vec<PlatformStatus> {
    let detail = |(platform, status)| PlatformStatus { platform, status };
    platforms.into_iter().map(detail).collect()
}

type Found = Vec<(String, Vec<(Platform, Status)>)>;

/// The platforms of each account that exists, and the accounts that do not.
pub(super) async fn query(
    caller: &Caller,
    accounts: Vec<String>,
) -> Outcome<(Found, Vec<UnknownAccount>)> {
    match accounts.len() {
        0 => return Err(Error::with(ErrorCode::MsgJsonMalformed, "To_Account is empty").into()),
        1..=ACCOUNTS_MAX => {}
        _ => return Err(ErrorCode::TooManyTargets.into()),
    }
    let platforms = in_parallel(accounts.clone(), AT_ONCE, |account| async move {
        match UserId::parse(&account) {
            Ok(user) => presence::platforms(caller.node(), caller.app(), &user).await,
            Err(_) => Ok(None),
        }
    });
    let platforms: Vec<_> = platforms.await.into_iter().collect::<Outcome<_>>()?;
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for (to_account, platforms) in accounts.into_iter().zip(platforms) {
        match platforms {
            Some(platforms) => found.push((to_account, platforms)),
            None => {
                let error_code = ErrorCode::AccountNotImported.number();
                unknown.push(UnknownAccount { to_account, error_code });
            }
        }
    }
    if found.is_empty() {
        let extra = serde_json::json!({ "ErrorList": unknown });
        let extra = serde_json::value::to_raw_value(&extra).expect("plain data is JSON");
        return Err(Error::new(ErrorCode::AccountNotImported).with_extra(extra).into());
    }
    Ok((found, unknown))
}
