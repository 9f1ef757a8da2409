//! `group_open_http_svc/add_group_member`: lets up to 300 accounts into a group, or asks those who decide on it:
//! owner and admins where the group's `InviteJoinOption` wants their approval of what members do, those who are
//! added where the app wants their consent.
//!
//! Callers: administrators, and members where the group's `InviteJoinOption` allows it.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::group::{GroupType, Role};
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::push::TipKind;

use super::{NamedMember, accounts, check_some, distinct, faces, may_join_more, settle, standing};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::membership::{self, Act, Moving};
use crate::group::pendency::{Asking, PendencyType};
use crate::group::rules::Invitation;
use crate::group::{self, GroupState, change_group};
use crate::hook::table::Command;
use crate::hook::{self, before};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/add_group_member").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1: nobody is told.
        silence: Option<u32> = "Silence",
        /// 1 to 300 accounts.
        member_list: Vec<NamedMember> = "MemberList",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    member_list: Vec<Added>,
}

/// What became of one account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Added {
    #[serde(rename = "Member_Account")]
    member_account: UserId,
    /// 0 there is no such account, or it is banned, 1 added, 2 a member already, 3 waits for a decision, 4 in as many groups as
    /// possible.
    result: u8,
}

const MEMBERS_MAX: usize = 300;
const FAILED: u8 = 0;
const ADDED: u8 = 1;
const ALREADY: u8 = 2;
const WAITING: u8 = 3;
const OVER_LIMIT: u8 = 4;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    check_some("MemberList", request.member_list.len(), MEMBERS_MAX)?;
    let users = distinct(request.member_list.into_iter().map(|member| member.member_account));
    let operator = super::operator(&caller, None)?;
    // Asked before the accounts are looked up: who may not add learns nothing about them.
    let entity = group::group(node, app, id).await?;
    entity.read(|state| {
        state.rules()?.may_invite(standing(&caller, state), state.info()?.invite_option()).map(drop)
    })?;
    let kind = entity.read(GroupState::kind)?;
    let users = asked(&caller, id, kind, &operator, users).await?;
    let known = accounts(&caller, &users).await?;
    let fits = may_join_more(&caller, &users).await?;
    let faces = faces(&caller, &operator, &users).await?;
    let silent = request.silence == Some(1);
    let (settings, now) = (&app.facts().settings, node.now().seconds());
    let results = change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        let invitation =
            state.rules()?.may_invite(standing(&caller, state), state.info()?.invite_option())?;
        let decision = match invitation {
            Invitation::NeedsApproval => Some(PendencyType::Approval),
            Invitation::Approved if settings.group_invitee_consent => Some(PendencyType::Consent),
            Invitation::Approved => None,
        };
        let mut results = Vec::new();
        let mut joining: Vec<(UserId, TinyId, Role)> = Vec::new();
        for ((user, tiny_id), fits) in users.iter().zip(&known).zip(&fits) {
            results.push(match tiny_id {
                None => FAILED,
                Some(tiny_id) if state.member(user, *tiny_id).is_some() => ALREADY,
                Some(_) if state.check_ban(user, now).is_err() => FAILED,
                Some(_) if !fits => OVER_LIMIT,
                Some(tiny_id) => {
                    joining.push((user.clone(), *tiny_id, Role::Member));
                    if decision.is_some() { WAITING } else { ADDED }
                }
            });
        }
        membership::check_room(state, joining.len())?;
        if let Some(kind) = decision {
            state.check_pendencies(settings, node.now(), joining.len())?;
            for (user, tiny_id, _) in &joining {
                let inviter = operator.as_str();
                let asking = Asking { kind, user, tiny_id: *tiny_id, inviter, wording: "" };
                state.ask(node, settings, &group, &asking, change);
            }
        } else if !joining.is_empty() {
            let act = Act { node, group, operator: operator.as_str(), faces: &faces };
            let how = Moving {
                kind: TipKind::Invited,
                tip: !silent,
                notice: !silent,
                reason: "",
                origin: caller.origin(),
            };
            state.join(&act, &joining, &how, change)?;
        }
        Ok(results)
    })
    .await;
    let results = membership::tell_full(node, app, id, results).await?;
    settle(&caller, id).await?;
    let added = |(member_account, result)| Added { member_account, result };
    Ok(Response { member_list: users.into_iter().zip(results).map(added).collect() })
}

/// Asks the app's webhook; answers with those whom it lets in.
async fn asked(
    caller: &Caller,
    id: &GroupId,
    kind: GroupType,
    operator: &UserId,
    users: Vec<UserId>,
) -> Outcome<Vec<UserId>> {
    let command = Command::BeforeInviteJoinGroup;
    let answer = before::operation(caller, command, &hook::OF_GROUP, |body| {
        body.put("GroupId", id)
            .put("Type", kind.word())
            .put("Operator_Account", operator)
            .put_members("DestinationMembers", &users)
    });
    let refused = answer.await?.map(|answer| answer.refused_members).unwrap_or_default();
    let refused: HashSet<&str> = refused.iter().map(String::as_str).collect();
    Ok(users.into_iter().filter(|user| !refused.contains(user.as_str())).collect())
}
