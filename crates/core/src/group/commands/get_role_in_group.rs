//! `group_open_http_svc/get_role_in_group`: what up to 500 users are in a group.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::Error;
use teahouse_proto::group::Role;
use teahouse_proto::ids::{GroupId, UserId};

use super::check_count;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_role_in_group").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// At most 500.
        users: Vec<UserId> = "User_Account",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    user_id_list: Vec<UserRole>,
}

/// One user.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct UserRole {
    #[serde(rename = "Member_Account")]
    member_account: UserId,
    /// `Owner`, `Admin`, `Member` or `NotMember`.
    role: &'static str,
}

const USERS_MAX: usize = 500;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    check_count(request.users.len(), USERS_MAX)?;
    let entity = group::group(caller.node(), caller.app(), &request.group_id).await?;
    let user_id_list = entity.read(|state| -> Result<_, Error> {
        let rules = state.rules()?;
        rules.offers(rules.stored)?;
        let of = |user: UserId| {
            let role = state.role(&user).map_or("NotMember", Role::word);
            UserRole { member_account: user, role }
        };
        Ok(request.users.into_iter().map(of).collect())
    })?;
    Ok(Response { user_id_list })
}
