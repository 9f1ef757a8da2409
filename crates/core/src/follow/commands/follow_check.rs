//! `follow/follow_check`: tells in which directions a user and up to 100 others follow each other.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::FEATURE_BIT;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::follow::owner;
use crate::operation::Operation;
use crate::relation::check_batch;
use crate::relation::commands::{ItemResult, desk, failed};
use crate::relation::rules::Refusal;
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("follow/follow_check").rest().gateway().feature_bit(FEATURE_BIT);

request! {
    pub(crate) struct Request {
        /// The user.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 100 others.
        to_account: Vec<String> = "To_Account",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    result_item: Vec<Checked>,
    /// Accounts that could not be checked.
    #[serde(rename = "Fail_Account", skip_serializing_if = "Vec::is_empty")]
    fail_account: Vec<String>,
}

/// One account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Checked {
    #[serde(flatten)]
    result: ItemResult,
    /// 0: none, 1: the user follows the other, 2: the other follows the user, 3: both.
    follow_type: u8,
}

const USERS_MAX: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("To_Account", request.to_account.len(), USERS_MAX)?;
    let ties = [Tie::Follows, Tie::FollowedBy];
    let desk = desk(&caller, &user);
    let seen = desk.look(request.to_account, &ties, |_, edge| {
        Ok(u8::from(edge.has(Tie::Follows)) + 2 * u8::from(edge.has(Tie::FollowedBy)))
    });
    let seen = seen.await?;
    let fail_account = failed(&seen);
    let checked = |(to, seen): (String, Result<_, Refusal>)| Checked {
        follow_type: *seen.as_ref().unwrap_or(&0),
        result: ItemResult::new(to, &seen),
    };
    Ok(Response { result_item: seen.into_iter().map(checked).collect(), fail_account })
}
