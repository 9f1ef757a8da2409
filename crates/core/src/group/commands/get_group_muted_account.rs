//! `group_open_http_svc/get_group_muted_account`: who is muted in a group, and until when.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::Error;
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::UnixSeconds;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::group;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_muted_account").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    group_id: GroupId,
    /// Mutes that have not ended.
    muted_account_list: Vec<Muted>,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Muted {
    #[serde(rename = "Member_Account")]
    member_account: UserId,
    muted_until: UnixSeconds,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (group_id, muted) = muted(&caller, request).await?;
    let muted = muted
        .into_iter()
        .map(|(member_account, muted_until)| Muted { member_account, muted_until });
    Ok(Response { group_id, muted_account_list: muted.collect() })
}

/// The mutes of a group that have not ended.
pub(super) async fn muted(
    caller: &Caller,
    request: Request,
) -> Outcome<(GroupId, Vec<(UserId, UnixSeconds)>)> {
    let (now, id) = (caller.now().seconds(), request.group_id);
    let entity = group::group(caller.node(), caller.app(), &id).await?;
    let muted = entity.read(|state| -> Result<_, Error> {
        state.info()?;
        let muted = state.mutes.iter().filter(|(_, until)| **until > now.0);
        Ok(muted.map(|(user, until)| (user.clone(), UnixSeconds(*until))).collect())
    });
    Ok((id, muted?))
}
