//! `im_open_login_svc/multiaccount_import`: makes up to 100 accounts.
//!
//! Callers: administrators. An account that cannot be made is listed in `FailAccounts` and does not
//! keep the others from being made.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{check_batch, profile_of};
use crate::account;
use crate::caller::Caller;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;
use crate::robot;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("im_open_login_svc/multiaccount_import").rest().calls_per_second(100);

request! {
    pub(crate) struct Request {
        /// Accounts with their nickname and avatar; wins over `Accounts`.
        account_list: Option<Vec<NewAccount>> = "AccountList",
        /// Accounts by id only.
        accounts: Option<Vec<String>> = "Accounts",
    }
}

/// One account to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NewAccount {
    /// The account: 1 to 32 bytes of printable ASCII.
    #[serde(rename = "UserID", alias = "UserId")]
    user_id: String,
    /// Nickname, at most 500 bytes.
    nick: Option<String>,
    /// Avatar URL, at most 500 bytes.
    face_url: Option<String>,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Accounts that were not made: an id that is not valid, is for robots or stands twice, a value that is too
    /// long.
    fail_accounts: Vec<String>,
}

const AT_ONCE: usize = 32;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let bare = |user_id| NewAccount { user_id, nick: None, face_url: None };
    let accounts: Vec<NewAccount> = match (request.account_list, request.accounts) {
        (Some(list), _) => list,
        (None, Some(ids)) => ids.into_iter().map(bare).collect(),
        (None, None) => return Err(ErrorCode::AccountBadParameter.into()),
    };
    check_batch(accounts.len(), ErrorCode::AccountBatchSize)?;
    let mut seen = BTreeSet::new();
    let distinct: Vec<(bool, NewAccount)> =
        accounts.into_iter().map(|new| (seen.insert(new.user_id.clone()), new)).collect();
    let made = in_parallel(distinct, AT_ONCE, |(first, new)| {
        let caller = caller.clone();
        async move {
            let id = new.user_id.clone();
            let failed = !first || !import(&caller, new).await?;
            Ok(failed.then_some(id))
        }
    })
    .await;
    let failed = made.into_iter().collect::<Outcome<Vec<_>>>()?;
    Ok(Response { fail_accounts: failed.into_iter().flatten().collect() })
}

/// Says whether the account could be made.
async fn import(caller: &Caller, new: NewAccount) -> Outcome<bool> {
    let Ok(user) = UserId::parse(&new.user_id) else { return Ok(false) };
    let settings = &caller.app().facts().settings;
    let Ok(profile) = profile_of(new.nick, new.face_url, settings) else { return Ok(false) };
    let entity = account::user(caller.node(), caller.app(), &user).await?;
    if entity.read(|state| robot::check_importable(state, &user)).is_err() {
        return Ok(false);
    }
    account::import(caller.node(), caller.app(), &user, &profile).await?;
    Ok(true)
}
