//! `sns/friend_check`: tells in which directions up to 1000 accounts are friends of a user.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::ids::UserId;

use super::{ItemResult, desk, failed};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::rules::Refusal;
use crate::relation::{BATCH_MAX, check_batch, owner};
use crate::request;
use crate::rows::Tie;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/friend_check").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose friends.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 1000 accounts.
        to_account: Vec<String> = "To_Account",
        /// `CheckResult_Type_Single` looks at this user's list only, `CheckResult_Type_Both` at both.
        check_type: CheckType = "CheckType",
    }
}

/// Which lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum CheckType {
    #[serde(rename = "CheckResult_Type_Single")]
    Single,
    #[serde(rename = "CheckResult_Type_Both")]
    Both,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    info_item: Vec<Checked>,
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
    /// A is the user, B the account: who has whom.
    relation: Relation,
}

/// Who has whom as friend.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
enum Relation {
    #[serde(rename = "CheckResult_Type_BothWay")]
    BothWay,
    #[serde(rename = "CheckResult_Type_AWithB")]
    AWithB,
    #[serde(rename = "CheckResult_Type_BWithA")]
    BWithA,
    #[serde(rename = "CheckResult_Type_NoRelation")]
    None,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("To_Account", request.to_account.len(), BATCH_MAX)?;
    let both = request.check_type == CheckType::Both;
    let ties = [Tie::Friend, Tie::FriendOf];
    let desk = desk(&caller, &user);
    let seen = desk.look(request.to_account, &ties, |_, edge| {
        Ok(match (edge.has(Tie::Friend), both && edge.has(Tie::FriendOf)) {
            (true, true) => Relation::BothWay,
            (true, false) => Relation::AWithB,
            (false, true) => Relation::BWithA,
            (false, false) => Relation::None,
        })
    });
    let seen = seen.await?;
    let fail_account = failed(&seen);
    let checked = |(to, seen): (String, Result<_, Refusal>)| Checked {
        relation: *seen.as_ref().unwrap_or(&Relation::None),
        result: ItemResult::new(to, &seen),
    };
    Ok(Response { info_item: seen.into_iter().map(checked).collect(), fail_account })
}
