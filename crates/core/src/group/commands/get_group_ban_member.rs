//! `group_open_http_svc/get_group_ban_member`: who is banned from a group, by page, in the order of their ids.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::UnixSeconds;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::group;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_ban_member").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// Users wanted, 1 to 100; 100 when absent.
        limit: Option<u32> = "Limit",
        /// 0 for the first page, else `NextOffset` of the answer before.
        offset: u32 = "Offset",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Bans that have not ended.
    banned_account_list: Vec<Banned>,
    /// Where the next page begins; 0 at the end.
    next_offset: usize,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Banned {
    #[serde(rename = "Member_Account")]
    member_account: UserId,
    banned_until: UnixSeconds,
}

const LIMIT_MAX: u32 = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let limit = request.limit.unwrap_or(LIMIT_MAX);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let info = format!("Limit is {limit}, 1 to {LIMIT_MAX} are possible");
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let (now, offset) = (caller.now().seconds(), request.offset as usize);
    let entity = group::group(caller.node(), caller.app(), &request.group_id).await?;
    let mut banned = entity.read(|state| -> Result<Vec<Banned>, Error> {
        let rules = state.rules()?;
        rules.offers(rules.ban)?;
        let bans = state.bans.iter().filter(|(_, until)| **until > now.0);
        let banned = bans.map(|(user, until)| Banned {
            member_account: user.clone(),
            banned_until: UnixSeconds(*until),
        });
        // One more than wanted tells whether there is a next page.
        Ok(banned.skip(offset).take(limit as usize + 1).collect())
    })?;
    let is_last = banned.len() <= limit as usize;
    banned.truncate(limit as usize);
    let next_offset = if is_last { 0 } else { offset + banned.len() };
    Ok(Response { banned_account_list: banned, next_offset })
}
