//! `im_open_status` (what clients ask of each other's status) and the status queries of `openim`.

pub(crate) mod query_online_status;
pub(crate) mod querystate;
pub(crate) mod ws_get_user_status;
pub(crate) mod ws_set_custom_status;
pub(crate) mod ws_status_subscribe;
pub(crate) mod ws_status_unsubscribe;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use crate::caller::{Caller, Identity, Who};
use crate::error::Outcome;
use crate::presence::Device;

/// Users of one request that begins or ends to watch them.
const WATCHED_MAX: usize = 100;

/// A user of whom the answer says nothing.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UnknownUser {
    #[serde(rename = "To_Account")]
    to_account: String,
    error_code: i32,
    error_info: &'static str,
}

impl UnknownUser {
    fn new(to_account: String) -> Self {
        let code = ErrorCode::AccountNotImported;
        Self { to_account, error_code: code.number(), error_info: code.default_text() }
    }
}

/// A status text as clients read it.
pub(crate) fn encoded(custom: &str) -> String {
    STANDARD.encode(custom)
}

/// The user on his device.
///
/// # Errors
/// `SessionInvalid` for somebody who shows a signature: what he watches would be no device's.
fn identity(caller: &Caller) -> Outcome<&Identity> {
    match caller.who() {
        Who::User(identity) if identity.inst_id > 0 => Ok(identity),
        Who::User(_) | Who::Admin(_) | Who::Guest { .. } | Who::System => {
            Err(ErrorCode::SessionInvalid.into())
        }
    }
}

fn device(identity: &Identity) -> Device<'_> {
    let Identity { user, inst_id, connection, .. } = identity;
    Device { user, inst_id: *inst_id, connection }
}

/// # Errors
/// More than `max`, or none.
fn check_count(count: usize, max: usize) -> Result<(), Error> {
    if (1..=max).contains(&count) {
        return Ok(());
    }
    let info = format!("To_Account has {count} users, at least 1 and at most {max}");
    Err(Error::with(ErrorCode::RequestIllegal, info))
}

/// Those ids that users can have, in the order of the request, and the others.
fn parse_all(accounts: Vec<String>) -> (Vec<UserId>, Vec<UnknownUser>) {
    let (mut users, mut unknown) = (Vec::new(), Vec::new());
    for account in accounts {
        match UserId::parse(&account) {
            Ok(user) => users.push(user),
            Err(_) => unknown.push(UnknownUser::new(account)),
        }
    }
    (users, unknown)
}
