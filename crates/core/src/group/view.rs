//! Groups and members as callers see them: the shapes of answers, cut down to what a filter asks for.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{
    ApplyJoinOption, CustomField, GroupType, InviteJoinOption, ReceiveOption, Role, Switch,
};
use teahouse_proto::ids::{GroupId, SdkAppId, UserId};
use teahouse_proto::time::UnixSeconds;

use super::{GroupState, custom, rules};
use crate::app::App;
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::node::Node;
use crate::rows::{CustomFieldRow, GroupHeadRow, GroupIndexRow, GroupInfoRow, MemberRow};

/// `ResponseFilter`: without it everything is answered.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Filter {
    /// Fields of the group.
    pub(crate) group_base_info_filter: Option<BTreeSet<String>>,
    /// Fields of its members.
    pub(crate) member_info_filter: Option<BTreeSet<String>>,
    /// Fields of the asking or named member.
    pub(crate) self_info_filter: Option<BTreeSet<String>>,
    /// Custom fields of the group.
    #[serde(rename = "AppDefinedDataFilter_Group")]
    pub(crate) app_defined_data: Option<BTreeSet<String>>,
    /// Custom fields of members.
    #[serde(rename = "AppDefinedDataFilter_GroupMember")]
    pub(crate) app_member_defined_data: Option<BTreeSet<String>>,
}

impl Filter {
    /// What of the members is asked for.
    pub(crate) fn of_members(filter: Option<&Self>, names: Names) -> Wanted<'_> {
        Wanted {
            fields: filter.and_then(|filter| filter.member_info_filter.as_ref()),
            custom: filter.and_then(|filter| filter.app_member_defined_data.as_ref()),
            names,
        }
    }

    /// What of the group is asked for.
    pub(crate) fn of_group(filter: Option<&Self>, names: Names) -> Wanted<'_> {
        Wanted {
            fields: filter.and_then(|filter| filter.group_base_info_filter.as_ref()),
            custom: filter.and_then(|filter| filter.app_defined_data.as_ref()),
            names,
        }
    }
}

/// What of a group or a member is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// All fields when absent.
    pub(crate) fields: Option<&'a BTreeSet<String>>,
    /// Custom fields by key. When absent: to a backend all if it names no fields either, else none; to a
    /// client all, since its packages name fields in every request and show what they get.
    pub(crate) custom: Option<&'a BTreeSet<String>>,
    pub(crate) names: Names,
}

impl Wanted<'_> {
    fn has(self, name: &str) -> bool {
        self.has_any(&[name])
    }

    /// Whether a field is asked for: also by its older name.
    fn has_any(self, names: &[&str]) -> bool {
        self.fields.is_none_or(|fields| names.iter().any(|name| fields.contains(*name)))
    }

    fn custom(self, rows: &[CustomFieldRow]) -> Option<Vec<CustomField>> {
        match self.custom {
            Some(keys) => (!keys.is_empty()).then(|| custom::chosen(rows, keys)),
            None => {
                (self.fields.is_none() || self.names == Names::Old).then(|| custom::fields(rows))
            }
        }
    }

    /// Whether it is what only the members themselves know.
    fn needs_index(self) -> bool {
        self.has_any(&["MsgSeq", "MsgFlag"])
    }
}

/// Backends read the newer names, clients the older ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    New,
    Old,
}

impl Names {
    pub(crate) fn of(caller: &Caller) -> Self {
        if caller.is_admin() { Self::New } else { Self::Old }
    }
}

/// A group, or why there is none.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupView {
    group_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_info: Option<String>,
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    kind: Option<GroupType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<SdkAppId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    introduction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    face_url: Option<String>,
    /// Empty when nobody owns it.
    #[serde(rename = "Owner_Account", skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_time: Option<UnixSeconds>,
    /// Rises with each change of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    info_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_info_time: Option<UnixSeconds>,
    /// 0 when there is no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_msg_time: Option<UnixSeconds>,
    /// One more than the last stored message.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_msg_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_num: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_member_num: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    online_member_num: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    apply_join_option: Option<ApplyJoinOption>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_join_option: Option<InviteJoinOption>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mute_all_member: Option<Switch>,
    /// Older name of `MuteAllMember`, for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    shut_up_all_member: Option<Switch>,
    /// Custom fields that have a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_defined_data: Option<Vec<CustomField>>,
    /// 1: a community with topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    support_topic: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_info: Option<MemberView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_list: Option<Vec<MemberView>>,
}

/// A member.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MemberView {
    #[serde(rename = "Member_Account")]
    member_account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    join_time: Option<UnixSeconds>,
    /// Up to where the member has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_flag: Option<ReceiveOption>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_send_msg_time: Option<UnixSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_card: Option<String>,
    /// Until when the member is muted; 0: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    mute_until: Option<UnixSeconds>,
    /// Older name of `MuteUntil`, for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    shut_up_until: Option<UnixSeconds>,
    /// Clients: `Online` or `Offline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    online_status: Option<&'static str>,
    /// Custom fields that have a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_member_defined_data: Option<Vec<CustomField>>,
}

impl GroupView {
    /// Why there is no group to show.
    pub(crate) fn refused(id: &str, error: &Error) -> Self {
        Self {
            group_id: id.to_owned(),
            error_code: Some(error.code.number()),
            error_info: Some(error.info.to_string()),
            ..Self::default()
        }
    }

    /// The profile, as far as it is asked for.
    pub(crate) fn of(
        app: &App,
        id: &GroupId,
        head: &GroupHeadRow,
        info: &GroupInfoRow,
        member_num: u64,
        wanted: Wanted<'_>,
    ) -> Self {
        let has = |name: &str| wanted.has(name);
        let names = wanted.names;
        let mute_all = wanted
            .has_any(&["MuteAllMember", "ShutUpAllMember"])
            .then_some(if info.mute_all { Switch::On } else { Switch::Off });
        Self {
            group_id: id.to_string(),
            error_code: Some(0),
            error_info: Some(String::new()),
            kind: has("Type").then(|| info.kind()),
            appid: (names == Names::New && has("Appid")).then(|| app.id()),
            name: has("Name").then(|| info.name.clone()),
            introduction: has("Introduction").then(|| info.introduction.clone()),
            notification: has("Notification").then(|| info.notification.clone()),
            face_url: has("FaceUrl").then(|| info.face_url.clone()),
            owner: has("Owner_Account").then(|| info.owner.clone()),
            create_time: has("CreateTime").then_some(UnixSeconds(info.created)),
            info_seq: has("InfoSeq").then_some(info.info_seq),
            last_info_time: has("LastInfoTime").then_some(UnixSeconds(info.changed)),
            last_msg_time: has("LastMsgTime").then_some(UnixSeconds(head.last_time)),
            next_msg_seq: has("NextMsgSeq").then_some(head.last + 1),
            member_num: has("MemberNum").then_some(member_num),
            max_member_num: wanted
                .has_any(&["MaxMemberNum", "MaxMemberCount"])
                .then_some(info.max_members),
            online_member_num: None,
            apply_join_option: has("ApplyJoinOption").then(|| info.apply_option()),
            invite_join_option: has("InviteJoinOption").then(|| info.invite_option()),
            mute_all_member: mute_all.filter(|_| names == Names::New),
            shut_up_all_member: mute_all.filter(|_| names == Names::Old),
            app_defined_data: wanted.custom(&info.custom),
            support_topic: has("SupportTopic").then(|| u8::from(info.supports_topics)),
            self_info: None,
            member_list: None,
        }
    }

    /// The same without the result of its own: in lists that name only what is there.
    pub(crate) fn without_result(mut self) -> Self {
        (self.error_code, self.error_info) = (None, None);
        self
    }

    /// The same without a count of members: a live room has viewers, `get_online_member_num` counts them.
    pub(crate) fn without_member_num(self) -> Self {
        Self { member_num: None, ..self }
    }

    pub(crate) fn with_self(mut self, member: MemberView) -> Self {
        self.self_info = Some(member);
        self
    }

    pub(crate) fn with_members(mut self, members: Vec<MemberView>) -> Self {
        self.member_list = Some(members);
        self
    }
}

/// What is known of a member in two places: the group's row, and the member's own one.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    pub(crate) user: UserId,
    pub(crate) member: MemberRow,
    pub(crate) muted_until: u32,
    /// Connected now.
    pub(crate) online: bool,
    pub(crate) index: Option<GroupIndexRow>,
}

impl MemberView {
    /// The member, as far as it is asked for.
    pub(crate) fn of(membership: &Membership, wanted: Wanted<'_>, now: UnixSeconds) -> Self {
        let has = |name: &str| wanted.has(name);
        let names = wanted.names;
        let Membership { user, member, muted_until, online, index } = membership;
        let option = index.as_ref().map_or(0, |index| index.receive_option);
        let until = UnixSeconds(if *muted_until > now.0 { *muted_until } else { 0 });
        let until = wanted.has_any(&["MuteUntil", "ShutUpUntil"]).then_some(until);
        Self {
            member_account: user.to_string(),
            role: has("Role").then(|| member.role().unwrap_or(Role::Member)),
            join_time: has("JoinTime").then_some(UnixSeconds(member.joined)),
            msg_seq: has("MsgSeq").then(|| index.as_ref().map_or(0, |index| index.read_seq)),
            msg_flag: has("MsgFlag").then(|| {
                ReceiveOption::from_number(option).unwrap_or(ReceiveOption::AcceptAndNotify)
            }),
            last_send_msg_time: has("LastSendMsgTime").then_some(UnixSeconds(member.last_sent)),
            name_card: has("NameCard").then(|| member.name_card.clone()),
            mute_until: until.filter(|_| names == Names::New),
            shut_up_until: until.filter(|_| names == Names::Old),
            online_status: (names == Names::Old).then_some(if *online {
                "Online"
            } else {
                "Offline"
            }),
            app_member_defined_data: wanted.custom(&member.custom),
        }
    }
}

/// Which members.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice<'a> {
    /// Only these.
    pub(crate) users: Option<&'a [UserId]>,
    /// Only those with one of these roles.
    pub(crate) roles: Option<&'a [Role]>,
    pub(crate) skip: usize,
    /// All when absent.
    pub(crate) take: Option<usize>,
}

impl GroupState {
    /// Members by the time of their joining, the owner first.
    fn choose(&self, choice: &Choice<'_>) -> Vec<Membership> {
        let mut found: Vec<(&UserId, &MemberRow)> = match choice.users {
            Some(users) => {
                users.iter().filter_map(|user| self.members.get_key_value(user)).collect()
            }
            None => self.members.iter().collect(),
        };
        if let Some(roles) = choice.roles {
            found.retain(|(_, member)| member.role().is_some_and(|role| roles.contains(&role)));
        }
        if choice.users.is_none() {
            let is_owner = |member: &MemberRow| member.role() == Some(Role::Owner);
            found.sort_by_key(|(_, member)| (!is_owner(member), member.joined_as));
        }
        found
            .into_iter()
            .skip(choice.skip)
            .take(choice.take.unwrap_or(usize::MAX))
            .map(|(user, member)| Membership {
                user: user.clone(),
                member: member.clone(),
                muted_until: self.mutes.get(user).copied().unwrap_or_default(),
                online: false,
                index: None,
            })
            .collect()
    }
}

/// Members of a group, with what only they know if that is asked for.
pub(crate) async fn members(
    node: &Node,
    app: &App,
    group: &GroupId,
    choice: &Choice<'_>,
    wanted: Wanted<'_>,
) -> Outcome<Vec<Membership>> {
    let entity = super::group(node, app, group).await?;
    let (mut found, head) = entity.read(|state| (state.choose(choice), state.head));
    for membership in &mut found {
        membership.online = node.hub().is_online(app.id(), &membership.user);
    }
    if wanted.needs_index() {
        let users: Vec<UserId> = found.iter().map(|membership| membership.user.clone()).collect();
        let rows = conversation::groups::rows_of(node, app, group, &users).await?;
        for (membership, row) in found.iter_mut().zip(rows) {
            let row = row.filter(|row| row.joined_as == membership.member.joined_as);
            membership.index =
                row.map(|row| GroupIndexRow { read_seq: row.read_through(&head), ..row });
        }
    }
    Ok(found)
}

/// Those of `users` who are in a live room, or own it.
pub(crate) async fn viewers(
    node: &Node,
    app: &App,
    group: &GroupId,
    users: &[UserId],
) -> Outcome<Vec<Membership>> {
    let room = app.rooms.find(group);
    let entity = super::group(node, app, group).await?;
    Ok(entity.read(|state| {
        let viewer = |user: &UserId| {
            let role = state.role(user);
            let is_in = room.as_ref().is_some_and(|room| room.has_user(user));
            (is_in || role.is_some()).then(|| Membership {
                user: user.clone(),
                member: MemberRow {
                    role: role.unwrap_or(Role::Member).number(),
                    ..MemberRow::default()
                },
                muted_until: state.mutes.get(user).copied().unwrap_or_default(),
                online: is_in,
                index: None,
            })
        };
        users.iter().filter_map(viewer).collect()
    }))
}

/// How many users of a group are connected.
pub(crate) async fn online(node: &Node, app: &App, group: &GroupId) -> Outcome<u64> {
    if let Some(room) = app.rooms.find(group) {
        return Ok(room.viewers() as u64);
    }
    let entity = super::group(node, app, group).await?;
    let members = entity.read(|state| -> Result<Vec<UserId>, Error> {
        state.info()?;
        Ok(state.members.keys().cloned().collect())
    })?;
    // Not under the group's lock: of 100,000 members each is asked for.
    Ok(members.iter().filter(|user| node.hub().is_online(app.id(), user)).count() as u64)
}

/// What a stranger may know: whether a group can be found by its id.
pub(crate) fn check_found(state: &GroupState) -> Result<(), Error> {
    let info = state.info()?;
    if rules::of(info.kind()).found_by_id {
        return Ok(());
    }
    Err(ErrorCode::GroupPermissionDenied.into())
}
