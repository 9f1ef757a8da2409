//! `group_open_http_svc/get_pendency`: applications and invitations that the caller decides on, and what was decided
//! of them, the newest first; those of the last days (a setting), at most 100.
//!
//! Callers: users. Clients ask for communities under the service of those, with the same command.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};

use crate::account;
use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::group::pendency::{self, Listed, PendencyType};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_pendency").gateway();

/// The same for communities.
pub(crate) const OF_COMMUNITIES: Operation<Request, Response> =
    Operation::new("million_group_open_http_svc/get_pendency").gateway();

request! {
    pub(crate) struct Request {
        /// 0 for the newest, else `NextStartTime` of the answer before.
        start_time: Option<u64> = "StartTime",
        /// How many, 1 to 100; 20 when absent. For communities all are answered at once.
        limit: Option<u32> = "Limit",
        /// The caller.
        handle_account: Option<UserId> = "Handle_Account",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// 0: there is nothing older.
    next_start_time: u64,
    pendency_list: Vec<Pendency>,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Pendency {
    group_id: GroupId,
    group_name: String,
    /// 0 an application, 1 an invitation of the caller, 2 a member's invitation.
    pendency_type: u32,
    /// The applicant, or who invited.
    #[serde(rename = "From_Account")]
    from: String,
    from_user_nick_name: String,
    from_user_face_url: String,
    /// Who is invited; of an application, the caller.
    #[serde(rename = "To_Account")]
    to: UserId,
    /// What the applicant says.
    apply_invite_msg: String,
    /// Names it, and rises with time (ms).
    add_time: u64,
    /// Goes back with the decision.
    authentication: String,
    /// 0 open, 1 decided by somebody else, 2 decided by the caller.
    handled: u8,
    /// Of what was decided: 0 refused, 1 accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    handle_result: Option<u8>,
}

const LIMIT: u32 = 20;
const LIMIT_MAX: u32 = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let limit = request.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let info = format!("Limit is {limit}, 1 to {LIMIT_MAX} are possible");
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    page(&caller, request, limit as usize, false).await
}

/// The packages ask for the second page of communities under the other service: so there is only one.
pub(crate) async fn run_of_communities(caller: Caller, request: Request) -> Outcome<Response> {
    page(&caller, request, usize::MAX, true).await
}

async fn page(
    caller: &Caller,
    request: Request,
    limit: usize,
    of_communities: bool,
) -> Outcome<Response> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::CallerNotLoggedIn.into()) };
    let user = super::operator(caller, request.handle_account)?;
    let (node, app) = (caller.node(), caller.app());
    let through = request.start_time.filter(|time| *time > 0).unwrap_or(u64::MAX);
    let mut listed = pendency::listed_for(node, app, (&user, identity.tiny_id), through).await?;
    listed.retain(|entry| entry.is_community == of_communities);
    // What was asked in the same millisecond stays together: the next page begins with a time.
    let last = listed.get(limit.saturating_sub(1)).map(|entry| entry.row.asked_ms);
    let shown =
        listed.iter().take_while(|entry| last.is_none_or(|last| entry.row.asked_ms >= last));
    let rest = listed.split_off(shown.count());
    let from: Vec<UserId> =
        listed.iter().filter_map(|entry| UserId::parse(from(entry)).ok()).collect();
    let faces: HashMap<String, _> = account::faces(node, app, &from).await?.into_iter().collect();
    let pendency_list = listed.into_iter().map(|entry| {
        let (nick, image) = faces.get(self::from(&entry)).cloned().unwrap_or_default();
        view(entry, &user, nick, image)
    });
    Ok(Response {
        next_start_time: rest.first().map_or(0, |entry| entry.row.asked_ms),
        pendency_list: pendency_list.collect(),
    })
}

fn from(entry: &Listed) -> &str {
    match entry.kind {
        PendencyType::Application => entry.user.as_str(),
        PendencyType::Consent | PendencyType::Approval => &entry.row.inviter,
    }
}

fn view(entry: Listed, caller: &UserId, nick: String, image: String) -> Pendency {
    let from = from(&entry).to_owned();
    let Listed { group, group_name, kind, user, row, .. } = entry;
    let handled =
        row.answer.as_ref().map_or(0, |answer| if answer.by == caller.as_str() { 2 } else { 1 });
    Pendency {
        group_id: group,
        group_name,
        pendency_type: kind as u32,
        from,
        from_user_nick_name: nick,
        from_user_face_url: image,
        to: if kind == PendencyType::Application { caller.clone() } else { user },
        apply_invite_msg: row.wording,
        add_time: row.asked_ms,
        authentication: row.asked_ms.to_string(),
        handled,
        handle_result: row.answer.map(|answer| u8::from(answer.accepted)),
    }
}
