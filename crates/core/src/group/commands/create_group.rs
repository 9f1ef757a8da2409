//! `group_open_http_svc/create_group`: makes a group, with its first members.
//!
//! Callers: administrators for any owner or none, users for themselves. The owner and the members are in at
//! once; of a live room the owner is only recorded, he joins like everybody.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{ApplyJoinOption, CustomField, GroupType, InviteJoinOption, Role};
use teahouse_proto::ids::{GroupId, InvalidId, TinyId, UserId};
use teahouse_proto::time::UnixSeconds;

use super::{
    NamedMember, check_count, check_description, distinct, existing, faces, may_join_more, settle,
};
use crate::caller::Caller;
use crate::conversation::groups::{self, GroupSummary};
use crate::error::Outcome;
use crate::group::custom::Declared;
use crate::group::membership::Description;
use crate::group::profile::{self, NewGroup};
use crate::group::room;
use crate::group::rules::{self, TypeRules};
use crate::hook::table::Command;
use crate::hook::{self, before};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/create_group").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// `Private` (Work), `Public`, `ChatRoom` (Meeting), `AVChatRoom` or `Community`.
        kind: GroupType = "Type",
        /// 1 to 100 bytes (a setting).
        name: String = "Name",
        /// The owner; REST: nobody when absent, clients: the caller.
        owner: Option<UserId> = "Owner_Account" else GroupAccountUnknown,
        /// An id of your own; of a community it begins with `@TGS#_`. Made by the server when absent.
        group_id: Option<String> = "GroupId" malformed GroupIdInvalid,
        /// At most 240 bytes (a setting).
        introduction: Option<String> = "Introduction",
        /// At most 300 bytes (a setting).
        notification: Option<String> = "Notification",
        /// At most 500 bytes (a setting).
        face_url: Option<String> = "FaceUrl",
        /// Most members; by default what the app allows.
        max_member_count: Option<u32> = "MaxMemberCount" | "MaxMemberNum",
        /// What happens to those who ask to join.
        apply_join_option: Option<ApplyJoinOption> = "ApplyJoinOption",
        /// What happens to invitations.
        invite_join_option: Option<InviteJoinOption> = "InviteJoinOption",
        /// 1: a community with topics.
        support_topic: Option<u32> = "SupportTopic",
        /// Custom fields, of those that the app has declared.
        app_defined_data: Option<Vec<CustomField>> = "AppDefinedData",
        /// First members, at most 100 (clients: 500).
        member_list: Option<Vec<NamedMember>> = "MemberList",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// The group.
    group_id: GroupId,
    /// Members who were left out: they are in as many groups as they may be.
    #[serde(rename = "OverJoinedGroupLimit_Account", skip_serializing_if = "Vec::is_empty")]
    over_limit: Vec<UserId>,
}

const MEMBERS_MAX: usize = 100;
const MEMBERS_OF_CLIENT_MAX: usize = 500;

/// A group that somebody asks for.
pub(super) struct Asked {
    pub(super) kind: GroupType,
    pub(super) name: String,
    pub(super) owner: Option<UserId>,
    pub(super) group_id: Option<String>,
    pub(super) introduction: Option<String>,
    pub(super) notification: Option<String>,
    pub(super) face_url: Option<String>,
    pub(super) max_member_count: Option<u32>,
    pub(super) apply_join_option: Option<ApplyJoinOption>,
    pub(super) invite_join_option: Option<InviteJoinOption>,
    pub(super) support_topic: Option<u32>,
    pub(super) app_defined_data: Option<Vec<CustomField>>,
    pub(super) member_list: Option<Vec<NamedMember>>,
    pub(super) mute_all: bool,
    /// When another system made it.
    pub(super) imported: Option<UnixSeconds>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let asked = Asked {
        kind: request.kind,
        name: request.name,
        owner: request.owner,
        group_id: request.group_id,
        introduction: request.introduction,
        notification: request.notification,
        face_url: request.face_url,
        max_member_count: request.max_member_count,
        apply_join_option: request.apply_join_option,
        invite_join_option: request.invite_join_option,
        support_topic: request.support_topic,
        app_defined_data: request.app_defined_data,
        member_list: request.member_list,
        mute_all: false,
        imported: None,
    };
    make(&caller, asked).await
}

/// Makes the group.
pub(super) async fn make(caller: &Caller, request: Asked) -> Outcome<Response> {
    let (node, app) = (caller.node(), caller.app());
    let owner = owner(caller, &request)?;
    let id = check(caller, &request)?;
    let id = id.unwrap_or_else(|| rules::generated_id(request.kind, node.next_id().0));
    let (members, over_limit) = members(caller, &request, owner.as_ref()).await?;
    let settings = &app.facts().settings;
    let most = profile::members_max(settings, request.kind);
    let max_members = request.max_member_count.unwrap_or(most);
    if max_members == 0 {
        let info = "MaxMemberCount is 0".to_owned();
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    if max_members > most || members.len() > max_members as usize {
        let info =
            format!("a group of this type has at most {most} members, and no more than it says");
        return Err(Error::with(ErrorCode::MembersExceeded, info).into());
    }
    let descriptions = descriptions(&request);
    let operator = super::operator(caller, None)?;
    if request.imported.is_none() {
        ask(caller, &request, owner.as_ref(), &members).await?;
    }
    let named = members.iter().map(|(user, ..)| user);
    let faces = faces(caller, &operator, named).await?;
    let owner_tiny_id = members.iter().find(|(user, ..)| owner.as_ref() == Some(user));
    let new = NewGroup {
        owner_tiny_id: owner_tiny_id.map(|(_, tiny_id, _)| *tiny_id),
        kind: request.kind,
        name: request.name,
        introduction: request.introduction.unwrap_or_default(),
        notification: request.notification.unwrap_or_default(),
        face_url: request.face_url.unwrap_or_default(),
        owner,
        max_members,
        apply_option: request.apply_join_option,
        invite_option: request
            .invite_join_option
            .filter(|_| rules::of(request.kind).invite_may_change),
        supports_topics: request.kind == GroupType::Community && request.support_topic == Some(1),
        custom: request.app_defined_data.unwrap_or_default(),
        members: if room::is_room(request.kind) { Vec::new() } else { members },
        descriptions,
        mute_all: request.mute_all,
        imported: request.imported,
        operator,
        origin: caller.origin(),
    };
    profile::create(node, app, &id, &new, &faces).await?;
    settle(caller, &id).await?;
    Ok(Response { group_id: id, over_limit })
}

/// Asks the app's webhook.
async fn ask(
    caller: &Caller,
    request: &Asked,
    owner: Option<&UserId>,
    members: &[(UserId, TinyId, Role)],
) -> Outcome<()> {
    let command = Command::BeforeCreateGroup;
    if !caller.app().wants(command) {
        return Ok(());
    }
    let operator = super::operator(caller, None)?;
    let founder = owner.unwrap_or(&operator);
    let joined = groups::summaries(caller.node(), caller.app(), founder).await?;
    let is_made = |summary: &&GroupSummary| {
        summary.info.kind() == request.kind && summary.info.owner == founder.as_str()
    };
    let made = joined.iter().filter(is_made).count();
    before::operation(caller, command, &hook::OF_GROUP, |body| {
        body.put("Operator_Account", &operator)
            .put("Owner_Account", owner.map_or("", UserId::as_str))
            .put("Type", request.kind.word())
            .put("Name", &request.name)
            .put("CreateGroupNum", &made)
            .put_members("MemberList", members.iter().map(|(user, ..)| user))
    })
    .await?;
    Ok(())
}

fn owner(caller: &Caller, request: &Asked) -> Outcome<Option<UserId>> {
    if caller.is_admin() {
        return Ok(request.owner.clone());
    }
    let owner = caller.acting_as(request.owner.clone(), ErrorCode::GroupPermissionDenied)?;
    Ok(Some(owner))
}

/// Checks what needs no look at the accounts; returns the id that is asked for.
fn check(caller: &Caller, request: &Asked) -> Outcome<Option<GroupId>> {
    let settings = &caller.app().facts().settings;
    rules::check_texts(
        settings,
        Some(&request.name),
        request.introduction.as_deref(),
        request.notification.as_deref(),
        request.face_url.as_deref(),
    )?;
    Declared::of_groups(settings).check(request.app_defined_data.as_deref().unwrap_or_default())?;
    descriptions(request).values().try_for_each(|new| check_description(settings, new))?;
    let count = request.member_list.as_ref().map_or(0, Vec::len);
    check_count(count, if caller.is_admin() { MEMBERS_MAX } else { MEMBERS_OF_CLIENT_MAX })?;
    if room::is_room(request.kind) && count > 0 {
        let info = "viewers join a live room by themselves".to_owned();
        return Err(Error::with(ErrorCode::GroupPermissionDenied, info).into());
    }
    // Clients send an empty one when they have none.
    let Some(id) = request.group_id.as_ref().filter(|id| !id.is_empty()) else { return Ok(None) };
    let invalid = |problem: InvalidId| Error::with(ErrorCode::GroupIdInvalid, problem.to_string());
    let id = GroupId::parse(id).map_err(invalid)?;
    match request.imported {
        Some(_) => rules::check_imported_id(&id, request.kind)?,
        None => rules::check_id(&id, request.kind)?,
    }
    Ok(Some(id))
}

/// What the request says of members.
fn descriptions(request: &Asked) -> BTreeMap<UserId, Description> {
    let described = |member: &NamedMember| {
        let custom = member.app_member_defined_data.clone().unwrap_or_default();
        (member.member_account.clone(), Description { name_card: member.name_card.clone(), custom })
    };
    request.member_list.iter().flatten().map(described).collect()
}

/// The role that a newcomer is given.
///
/// # Errors
/// It is another one than `Admin`, or the type has no admins.
pub(super) fn role(rules: &TypeRules, named: Option<&str>) -> Result<Role, Error> {
    match named {
        None | Some("" | "Member") => Ok(Role::Member),
        Some("Admin") if rules.admins => Ok(Role::Admin),
        Some(other) => {
            let info = format!("Role is {other}, Admin is possible where a group has admins");
            Err(Error::with(ErrorCode::GroupBadParameter, info))
        }
    }
}

/// The owner and the members, and those who are in too many groups already.
async fn members(
    caller: &Caller,
    request: &Asked,
    owner: Option<&UserId>,
) -> Outcome<(Vec<(UserId, TinyId, Role)>, Vec<UserId>)> {
    let rules = rules::of(request.kind);
    let mut admins = Vec::new();
    let mut users: Vec<UserId> = owner.cloned().into_iter().collect();
    for member in request.member_list.iter().flatten() {
        if role(rules, member.role.as_deref())? == Role::Admin {
            admins.push(member.member_account.clone());
        }
        users.push(member.member_account.clone());
    }
    rules::check_admins(&caller.app().facts().settings, distinct(admins.iter().cloned()).len())?;
    let users = distinct(users);
    let accounts = existing(caller, &users).await?;
    let mut members = Vec::new();
    let mut over_limit = Vec::new();
    for ((user, tiny_id), fits) in accounts.into_iter().zip(may_join_more(caller, &users).await?) {
        let is_owner = owner == Some(&user);
        if !fits && is_owner && rules.stored {
            return Err(ErrorCode::OwnGroupsFull.into());
        }
        let role = match (is_owner, admins.contains(&user)) {
            (true, _) => Role::Owner,
            (false, true) => Role::Admin,
            (false, false) => Role::Member,
        };
        if fits || is_owner {
            members.push((user, tiny_id, role));
        } else {
            over_limit.push(user);
        }
    }
    Ok((members, over_limit))
}
