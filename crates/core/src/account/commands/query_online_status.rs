//! `openim/query_online_status`: whether up to 500 accounts are online, and on which platforms.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;
use teahouse_proto::platform::Platform;
use teahouse_proto::time::UnixMillis;

use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
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
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PlatformStatus {
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

/// How an account can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(super) enum Status {
    /// Not at all.
    Offline,
    /// By offline push: a phone or tablet that lost its connection and did not log out.
    PushOnline,
    /// It is connected.
    Online,
}

const ACCOUNTS_MAX: usize = 500;
const DAY_MS: u64 = 86_400_000;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let detailed = request.is_need_detail == Some(1);
    let (found, error_list) = query(&caller, request.to_account).await?;
    let query_result = found
        .into_iter()
        .map(|(to_account, platforms)| AccountStatus {
            to_account,
            status: overall(&platforms),
            detail: if detailed { platforms } else { Vec::new() },
        })
        .collect();
    Ok(Response { query_result, error_list })
}

type Found = Vec<(String, Vec<PlatformStatus>)>;

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
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for to_account in accounts {
        let platforms = match UserId::parse(&to_account) {
            Ok(user) => platforms(caller, &user).await?,
            Err(_) => None,
        };
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

pub(super) fn overall(platforms: &[PlatformStatus]) -> Status {
    platforms.iter().map(|platform| platform.status).max().unwrap_or(Status::Offline)
}

async fn platforms(caller: &Caller, user: &UserId) -> Outcome<Option<Vec<PlatformStatus>>> {
    let app = caller.app();
    let entity = account::user(caller.node(), app, user).await?;
    let connected: Vec<u32> = caller
        .node()
        .hub()
        .connections(app.id(), user)
        .iter()
        .filter_map(|connection| connection.with_session(|s| s.map(|s| s.inst_id)))
        .collect();
    let kept_ms = u64::from(app.facts().settings.presence_push_days) * DAY_MS;
    Ok(entity.read(|state| {
        state.account()?;
        let mut platforms: Vec<PlatformStatus> = Vec::new();
        for device in &state.devices.devices {
            let platform = Platform::from_number(device.platform);
            let online = connected.contains(&device.inst_id);
            let reachable = device.is_logged_in()
                && platform.takes_offline_push()
                && caller.now() < UnixMillis(device.lost_ms.max(device.login_ms) + kept_ms);
            let status = match (online, reachable) {
                (true, _) => Status::Online,
                (false, true) => Status::PushOnline,
                (false, false) => continue,
            };
            match platforms.iter_mut().find(|known| known.platform == platform) {
                Some(known) => known.status = known.status.max(status),
                None => platforms.push(PlatformStatus { platform, status }),
            }
        }
        Some(platforms)
    }))
}
