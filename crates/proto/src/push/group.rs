//! Messages, tips and notices of groups, in the shapes that clients read.

use schemars::JsonSchema;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::{RevokerInfo, is_false, one_or_zero};
use crate::group::{ApplyJoinOption, CustomField, GroupType, InviteJoinOption, Priority, Switch};
use crate::ids::{GroupId, TinyId, UserId};
use crate::message::{MessageBody, SendControl};
use crate::time::UnixSeconds;

/// Who speaks when the server itself does.
pub const SYSTEM_ACCOUNT: &str = "@TIM#SYSTEM";

/// `Event` of a group message.
pub const EVENT_MESSAGE: u32 = 3;
/// `Event` of a tip that has a place in the group's sequence.
pub const EVENT_TIP: u32 = 4;
/// `Event` of a notice to one user.
pub const EVENT_NOTICE: u32 = 5;
/// `Event` of a tip without a place in the group's sequence.
pub const EVENT_PASSING_TIP: u32 = 6;

/// `Event` of what is told to those who are mentioned.
pub const EVENT_AT: u32 = 12;

/// `Event` of what a modified message of a group says now.
pub const EVENT_GROUP_MODIFIED: u32 = 19;

/// `IsPlaceMsg` of a message that is not there any more.
pub const PLACE_GONE: u8 = 1;
/// `IsPlaceMsg` of a message that was recalled.
pub const PLACE_RECALLED: u8 = 2;

/// A message or tip of a group, as it is pushed and as it stands in the history.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupMessage<'a> {
    /// [`EVENT_MESSAGE`] or [`EVENT_TIP`].
    pub event: u32,
    /// The sender, or [`SYSTEM_ACCOUNT`].
    #[serde(rename = "From_Account")]
    pub from: &'a str,
    /// The group.
    pub to_group_id: &'a GroupId,
    /// The group again.
    pub group_id: &'a GroupId,
    /// Its place in the group, from 1.
    pub msg_seq: u64,
    /// Chosen by the sender.
    pub msg_random: u32,
    /// Chosen by the sender.
    pub client_seq: u32,
    /// When the server accepted it.
    pub msg_time_stamp: UnixSeconds,
    /// The sender's clock.
    pub msg_client_time: UnixSeconds,
    /// Internal number of the sender.
    pub tiny_id: TinyId,
    /// Its priority.
    pub msg_priority: Priority,
    /// What it says.
    pub msg_body: GroupContent<'a>,
    /// Goes along with the message; may be empty.
    pub cloud_custom_data: &'a str,
    /// Whether receivers may return receipts.
    #[serde(serialize_with = "one_or_zero")]
    pub need_read_receipt: bool,
    /// Whether key-values may be attached.
    #[serde(serialize_with = "one_or_zero")]
    pub support_message_extension: bool,
    /// 0 until the message is edited.
    pub msg_version: u32,
    /// For online members only, not stored.
    #[serde(serialize_with = "one_or_zero")]
    pub online_only_flag: bool,
    /// 0, [`PLACE_GONE`] or [`PLACE_RECALLED`].
    pub is_place_msg: u8,
    /// Who recalled it and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoker_info: Option<RevokerInfo<'a>>,
    /// Left out when nothing is set.
    #[serde(skip_serializing_if = "SendControl::is_default")]
    pub send_msg_control: SendControl,
    /// It says something else than was sent: the device that sent it replaces its own copy.
    #[serde(
        rename = "MsgModifiedFlag",
        skip_serializing_if = "is_false",
        serialize_with = "one_or_zero"
    )]
    pub is_rewritten: bool,
    /// Who is mentioned.
    #[serde(skip_serializing_if = "<[GroupAt]>::is_empty")]
    pub group_at_info: &'a [GroupAt],
    /// The group, and how the sender is shown.
    pub group_info: GroupInfo<'a>,
}

/// What a message of a group says.
#[derive(Debug, Clone)]
pub enum GroupContent<'a> {
    /// Elements.
    Elements(&'a MessageBody),
    /// A tip.
    Tip(&'a GroupTip<'a>),
    /// Nothing any more.
    Gone,
}

impl Serialize for GroupContent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Elements(body) => body.serialize(serializer),
            Self::Tip(tip) => tip.serialize(serializer),
            Self::Gone => serializer.collect_seq(std::iter::empty::<u8>()),
        }
    }
}

/// One mention in a message, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct GroupAt {
    /// 1: everybody.
    #[serde(default)]
    pub group_at_all_flag: u8,
    /// Whom; absent for everybody.
    #[serde(rename = "GroupAt_Account", default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// The group of a message, and the sender's display data in it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupInfo<'a> {
    /// The group.
    pub group_id: &'a GroupId,
    /// Its name.
    pub group_name: &'a str,
    /// Its type.
    pub group_type: GroupType,
    /// Nick of the sender; may be empty.
    #[serde(rename = "From_AccountNick")]
    pub from_nick: &'a str,
    /// Avatar of the sender; may be empty.
    #[serde(rename = "From_AccountHeadurl")]
    pub from_avatar: &'a str,
    /// The sender's name card.
    #[serde(rename = "MsgFrom_AccountExtraInfo")]
    pub from_extra: NameCard<'a>,
    /// The receiver of a notice.
    #[serde(rename = "To_Account", skip_serializing_if = "Option::is_none")]
    pub to: Option<&'a UserId>,
}

/// A name within a group.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NameCard<'a> {
    /// May be empty.
    pub name_card: &'a str,
}

/// Something that happened in a group, told to all members as part of its history.
#[derive(Debug, Clone, Default)]
pub struct GroupTip<'a> {
    /// What happened.
    pub kind: TipKind,
    /// Who did it.
    pub operator: &'a str,
    /// To whom.
    pub members: &'a [Face<'a>],
    /// Nick and avatar of the operator.
    pub operator_face: Face<'a>,
    /// Members afterwards.
    pub member_num: Option<u64>,
    /// What changed of the group.
    pub changed: Option<&'a GroupChanges>,
    /// Members and the seconds for which they are muted from now on.
    pub mutes: &'a [(UserId, u32)],
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TipKind {
    /// Members joined by themselves.
    #[default]
    Joined = 1,
    /// Members were invited.
    Invited = 101,
    /// A member left.
    Quit = 2,
    /// Members were removed.
    Kicked = 3,
    /// Members became admins.
    AdminSet = 4,
    /// Admins became members.
    AdminUnset = 5,
    /// The group's profile changed.
    InfoChanged = 6,
    /// Members were muted or unmuted.
    Muted = 7,
    /// Live rooms: viewers were banned.
    Banned = 10,
    /// Live rooms: users may come in again.
    Unbanned = 11,
}

impl TipKind {
    /// The kind that is stored as `number`.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Joined,
            101 => Self::Invited,
            2 => Self::Quit,
            3 => Self::Kicked,
            4 => Self::AdminSet,
            5 => Self::AdminUnset,
            6 => Self::InfoChanged,
            7 => Self::Muted,
            10 => Self::Banned,
            11 => Self::Unbanned,
            _ => return None,
        })
    }

    /// `OpType`, and `GroupJoinType` of a join.
    fn wire(self) -> (u32, Option<u32>) {
        match self {
            Self::Joined => (1, Some(1)),
            Self::Invited => (1, Some(2)),
            Self::Quit
            | Self::Kicked
            | Self::AdminSet
            | Self::AdminUnset
            | Self::InfoChanged
            | Self::Muted
            | Self::Banned
            | Self::Unbanned => (self as u32, None),
        }
    }
}

/// A user as tips show it.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Face<'a> {
    /// The user.
    pub user_id: &'a str,
    /// May be empty.
    pub nick_name: &'a str,
    /// Avatar; may be empty.
    pub image_url: &'a str,
}

/// The fields of a group that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GroupChanges {
    /// New name.
    #[serde(rename = "GroupName", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New avatar.
    #[serde(rename = "GroupFaceUrl", skip_serializing_if = "Option::is_none")]
    pub face_url: Option<String>,
    /// New introduction.
    #[serde(rename = "GroupIntroduction", skip_serializing_if = "Option::is_none")]
    pub introduction: Option<String>,
    /// New notice.
    #[serde(rename = "GroupNotification", skip_serializing_if = "Option::is_none")]
    pub notification: Option<String>,
    /// New way to join.
    #[serde(rename = "GroupApplyJoinOption", skip_serializing_if = "Option::is_none")]
    pub apply_join_option: Option<ApplyJoinOption>,
    /// New way to invite.
    #[serde(rename = "InviteJoinOption", skip_serializing_if = "Option::is_none")]
    pub invite_join_option: Option<InviteJoinOption>,
    /// New owner.
    #[serde(rename = "Owner_Account", skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    /// Everybody was muted (1) or unmuted (0).
    #[serde(
        rename = "ShutupAll",
        skip_serializing_if = "Option::is_none",
        serialize_with = "switch_number"
    )]
    pub mute_all: Option<Switch>,
    /// All custom fields if some changed (clients replace those that they know by these); what was removed
    /// has an empty value.
    #[serde(rename = "MsgAppDefinedData", skip_serializing_if = "Vec::is_empty")]
    pub custom: Vec<CustomField>,
}

fn switch_number<S: Serializer>(switch: &Option<Switch>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(switch.map_or(0, Switch::number))
}

impl Serialize for GroupTip<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Muted<'a> {
            #[serde(rename = "User_Account")]
            user: &'a UserId,
            shutup_time: u32,
        }
        let (op_type, join_type) = self.kind.wire();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("OpType", &op_type)?;
        map.serialize_entry("Operator_Account", self.operator)?;
        let names: Vec<&str> = self.members.iter().map(|face| face.user_id).collect();
        map.serialize_entry("List_Account", &names)?;
        if let Some(member_num) = self.member_num {
            map.serialize_entry("MemberNum", &member_num)?;
        }
        map.serialize_entry("MsgOperatorMemberExtraInfo", &self.operator_face)?;
        map.serialize_entry("MsgMemberExtraInfo", self.members)?;
        if let Some(join_type) = join_type {
            map.serialize_entry("GroupJoinType", &join_type)?;
        }
        if let Some(changed) = self.changed {
            map.serialize_entry("MsgGroupNewInfo", changed)?;
        }
        if !self.mutes.is_empty() {
            let mutes = self.mutes.iter();
            let mutes: Vec<Muted<'_>> =
                mutes.map(|(user, time)| Muted { user, shutup_time: *time }).collect();
            map.serialize_entry("MsgMemberInfo", &mutes)?;
        }
        map.end()
    }
}

/// What a notice tells one user. The numbers are `ReportType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// To owner and admins: somebody asks to join.
    Applied = 1,
    /// To the applicant: he is in.
    Accepted = 2,
    /// To the applicant: he is not.
    Refused = 3,
    /// To somebody who was removed.
    Kicked = 4,
    /// To all: the group is gone.
    Dismissed = 5,
    /// To the creator's devices.
    Created = 6,
    /// To somebody who was added.
    Invited = 7,
    /// To the other devices of somebody who left.
    Quit = 8,
    /// To a new admin.
    AdminSet = 9,
    /// To somebody who is no admin any more.
    AdminUnset = 10,
    /// To all: the group is gone, since nothing has happened in it for long.
    Recycled = 11,
    /// To somebody who is invited: he decides.
    ConsentAsked = 12,
    /// To who invited: he is in.
    InvitationAccepted = 13,
    /// To who invited: he is not.
    InvitationRefused = 14,
    /// To somebody who is banned.
    Banned = 21,
    /// To somebody who is banned no longer.
    Unbanned = 22,
    /// To owner and admins: a member invites somebody, they decide.
    ApprovalAsked = 24,
    /// To members who are online: what the app's backend says.
    Custom = 255,
}

/// A notice about a group, to one user.
#[derive(Debug, Clone)]
pub struct GroupNotice<'a> {
    /// What it tells.
    pub kind: NoticeKind,
    /// The receiver; nothing in what everybody gets.
    pub to: Option<&'a UserId>,
    /// The group.
    pub group: GroupInfo<'a>,
    /// Who did it.
    pub operator: &'a str,
    /// Unique, so that clients know repetitions.
    pub seq: u32,
    /// Unique together with `seq`.
    pub random: u32,
    /// When.
    pub time: UnixSeconds,
    /// The text of an application, or the reason of an answer or a removal.
    pub remark: &'a str,
    /// Goes back with the answer to an application.
    pub authentication: &'a str,
    /// Names the application; goes back with the answer.
    pub msg_key: Option<u64>,
    /// What the backend says.
    pub content: &'a str,
    /// Who would come in.
    pub users: &'a [&'a str],
    /// Of a ban: seconds, and what is said along with it.
    pub ban: Option<(u32, &'a str)>,
}

impl Serialize for GroupNotice<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            report_type: u32,
            #[serde(rename = "Operator_Account")]
            operator: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            authentication: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            msg_key: Option<u64>,
            remark_info: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            user_defined_field: &'a str,
            #[serde(rename = "List_Account", skip_serializing_if = "<[&str]>::is_empty")]
            users: &'a [&'a str],
            #[serde(skip_serializing_if = "Option::is_none")]
            ban_duration: Option<u32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            ban_description: Option<&'a str>,
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("Event", &EVENT_NOTICE)?;
        map.serialize_entry("From_Account", SYSTEM_ACCOUNT)?;
        if let Some(to) = self.to {
            map.serialize_entry("To_Account", to)?;
        }
        map.serialize_entry("ToGroupId", self.group.group_id)?;
        map.serialize_entry("GroupId", self.group.group_id)?;
        map.serialize_entry("MsgSeq", &self.seq)?;
        map.serialize_entry("ClientSeq", &self.seq)?;
        map.serialize_entry("MsgRandom", &self.random)?;
        map.serialize_entry("MsgTimeStamp", &self.time)?;
        map.serialize_entry("MsgClientTime", &self.time)?;
        map.serialize_entry("GroupInfo", &self.group)?;
        let body = Body {
            report_type: self.kind as u32,
            operator: self.operator,
            authentication: self.authentication,
            msg_key: self.msg_key,
            remark_info: self.remark,
            user_defined_field: self.content,
            users: self.users,
            ban_duration: self.ban.map(|(seconds, _)| seconds),
            ban_description: self.ban.map(|(_, description)| description),
        };
        map.serialize_entry("MsgBody", &body)?;
        map.end()
    }
}

/// Told to those who are mentioned in a message, beside the message itself.
#[derive(Debug, Clone)]
pub struct GroupAtTip<'a> {
    /// The sender.
    pub from: &'a str,
    /// Of the message.
    pub random: u32,
    /// Of the message.
    pub client_seq: u32,
    /// The group.
    pub group_id: &'a GroupId,
    /// Of the message.
    pub seq: u64,
    /// The receiver himself is mentioned.
    pub you: bool,
    /// Everybody is mentioned.
    pub all: bool,
}

impl Serialize for GroupAtTip<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Tips<'a> {
            #[serde(rename = "From_Account")]
            from: &'a str,
            group_id: &'a GroupId,
            at_msg_seq: u64,
            at_flag_list: Vec<u32>,
        }
        /// `AtFlagList` of a mention of the receiver, and of everybody.
        const YOU: u32 = 1;
        const ALL: u32 = 2;
        let flags = [(self.you, YOU), (self.all, ALL)];
        let tips = Tips {
            from: self.from,
            group_id: self.group_id,
            at_msg_seq: self.seq,
            at_flag_list: flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag).collect(),
        };
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("From_Account", self.from)?;
        map.serialize_entry("MsgRandom", &self.random)?;
        map.serialize_entry("ClientSeq", &self.client_seq)?;
        map.serialize_entry("GroupAtTips", &tips)?;
        map.end()
    }
}

/// How attributes of a group were written. The numbers are `OpType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeChange {
    /// They replace all that were there.
    Set = 1,
    /// They were added, or have other values.
    Modify = 2,
    /// All are gone.
    Clear = 3,
    /// They are gone.
    Delete = 4,
}

/// To the members of a group: its attributes were written. Clients that have seen all writes before it take
/// it in; others ask for the attributes.
#[derive(Debug, Clone)]
pub struct GroupAttributes<'a> {
    /// The group.
    pub group: GroupInfo<'a>,
    /// How they were written.
    pub change: AttributeChange,
    /// Counts the writes: one more than at the write before.
    pub main_seq: u64,
    /// What was written; of a deletion the values are empty.
    pub attributes: &'a [GroupAttribute],
    /// When.
    pub time: UnixSeconds,
}

/// An attribute of a group, as lists and pushes show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GroupAttribute {
    /// Its name.
    pub key: String,
    /// What it says.
    pub value: String,
    /// The number of the write that it is from.
    pub seq: u64,
}

impl Serialize for GroupAttributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            msg_group_new_info: New<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct New<'a> {
            group_attr_option: Written<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Written<'a> {
            op_type: u32,
            attr_main_seq: u64,
            push_changed_attr_val_flag: u8,
            group_attr_info: &'a [GroupAttribute],
        }
        let group_attr_option = Written {
            op_type: self.change as u32,
            attr_main_seq: self.main_seq,
            // The values are in the push.
            push_changed_attr_val_flag: 1,
            group_attr_info: self.attributes,
        };
        let body = Body { msg_group_new_info: New { group_attr_option } };
        passing_tip(serializer, &self.group, self.time, &body)
    }
}

/// To the members of a group: counters have other values, or are gone.
#[derive(Debug, Clone)]
pub struct GroupCounters<'a> {
    /// The group.
    pub group: GroupInfo<'a>,
    /// They are gone.
    pub deleted: bool,
    /// Rises with each change of the group's counters: clients drop what is older than they know.
    pub seq: u64,
    /// The counters; of deleted ones the last values.
    pub counters: &'a [GroupCounter],
    /// When.
    pub time: UnixSeconds,
}

/// A counter of a group, as requests, lists and pushes have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct GroupCounter {
    /// Its name.
    pub key: String,
    /// How far it has counted, or by how much it is to be moved.
    pub value: i64,
}

impl Serialize for GroupCounters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            group_counter_info: [Changed<'a>; 1],
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Changed<'a> {
            #[serde(rename = "Type")]
            kind: u32,
            group_counter_seq: u64,
            group_counter: &'a [GroupCounter],
        }
        /// `Type` of new values, and of a deletion.
        const CHANGED: u32 = 0;
        const DELETED: u32 = 1;
        let changed = Changed {
            kind: if self.deleted { DELETED } else { CHANGED },
            group_counter_seq: self.seq,
            group_counter: self.counters,
        };
        let body = Body { group_counter_info: [changed] };
        passing_tip(serializer, &self.group, self.time, &body)
    }
}

/// A tip without a place in the group's sequence.
pub(super) fn passing_tip<S: Serializer>(
    serializer: S,
    group: &GroupInfo<'_>,
    time: UnixSeconds,
    body: &impl Serialize,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("Event", &EVENT_PASSING_TIP)?;
    map.serialize_entry("From_Account", SYSTEM_ACCOUNT)?;
    map.serialize_entry("ToGroupId", group.group_id)?;
    map.serialize_entry("GroupId", group.group_id)?;
    map.serialize_entry("MsgTimeStamp", &time)?;
    map.serialize_entry("GroupInfo", group)?;
    map.serialize_entry("MsgBody", body)?;
    map.end()
}

/// To the reader's other devices: a group was read up to a sequence number.
#[derive(Debug, Clone)]
pub struct GroupRead<'a> {
    /// The group.
    pub group: GroupInfo<'a>,
    /// Up to where.
    pub seq: u64,
    /// When.
    pub time: UnixSeconds,
}

impl Serialize for GroupRead<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Read<'a> {
            group_id: &'a GroupId,
            last_read_msg_seq: u64,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            report_type: u32,
            group_read_info_array: [Read<'a>; 1],
        }
        /// `ReportType` of a read mark that was set on another device.
        const READ_ELSEWHERE: u32 = 15;
        let group_id = self.group.group_id;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("Event", &EVENT_NOTICE)?;
        map.serialize_entry("From_Account", SYSTEM_ACCOUNT)?;
        map.serialize_entry("ToGroupId", group_id)?;
        map.serialize_entry("MsgTimeStamp", &self.time)?;
        map.serialize_entry("GroupInfo", &self.group)?;
        let read = Read { group_id, last_read_msg_seq: self.seq };
        let body = Body { report_type: READ_ELSEWHERE, group_read_info_array: [read] };
        map.serialize_entry("MsgBody", &body)?;
        map.end()
    }
}

/// A message of a group, as a notice of its recall names it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecalledMessage<'a> {
    /// The group.
    pub group_id: &'a GroupId,
    /// Its place in the group.
    pub msg_seq: u64,
    /// Chosen by the sender.
    pub msg_random: u32,
    /// When the server accepted it.
    pub msg_time_stamp: UnixSeconds,
    /// The sender's clock.
    pub msg_client_time: UnixSeconds,
    /// Internal number of the sender.
    pub tiny_id: TinyId,
    /// Who has recalled it.
    pub revoker_info: RevokerInfo<'a>,
}

/// Messages of a group were recalled. Clients take one off the unread count for each.
#[derive(Debug, Clone)]
pub struct GroupRecall<'a> {
    /// The group; as sender whoever has recalled them.
    pub group: GroupInfo<'a>,
    /// Who has recalled them, and why.
    pub revoker_info: RevokerInfo<'a>,
    /// When.
    pub time: UnixSeconds,
    /// At least one.
    pub messages: Vec<RecalledMessage<'a>>,
}

impl Serialize for GroupRecall<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            group_withdraw_info_array: &'a [RecalledMessage<'a>],
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("Event", &EVENT_NOTICE)?;
        map.serialize_entry("From_Account", SYSTEM_ACCOUNT)?;
        map.serialize_entry("ToGroupId", self.group.group_id)?;
        map.serialize_entry("MsgTimeStamp", &self.time)?;
        map.serialize_entry("GroupInfo", &self.group)?;
        map.serialize_entry("RevokerInfo", &self.revoker_info)?;
        map.serialize_entry("MsgBody", &Body { group_withdraw_info_array: &self.messages })?;
        map.end()
    }
}

/// What a modified message of a group says now.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifiedGroupMessage<'a> {
    /// The group.
    pub group_id: &'a GroupId,
    /// Its sender.
    #[serde(rename = "From_Account")]
    pub from: &'a str,
    /// Its place in the group.
    pub msg_seq: u64,
    /// Chosen by the sender.
    pub msg_random: u32,
    /// When the server accepted it.
    pub msg_time: UnixSeconds,
    /// The sender's clock.
    pub msg_client_time: UnixSeconds,
    /// Internal number of the sender.
    pub tiny_id: TinyId,
    /// The elements.
    pub msg_body: &'a MessageBody,
    /// Rises with each modification.
    pub msg_version: u32,
    /// Goes along with the message; may be empty.
    pub cloud_custom_data: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(group: &GroupId) -> GroupInfo<'_> {
        GroupInfo {
            group_id: group,
            group_name: "Tea",
            group_type: GroupType::AvChatRoom,
            from_nick: "",
            from_avatar: "",
            from_extra: NameCard::default(),
            to: None,
        }
    }

    const HEAD: &str = concat!(
        r#"{"Event":6,"From_Account":"@TIM#SYSTEM","ToGroupId":"tea","GroupId":"tea","#,
        r#""MsgTimeStamp":1795390095,"GroupInfo":{"GroupId":"tea","GroupName":"Tea","#,
        r#""GroupType":"AVChatRoom","From_AccountNick":"","From_AccountHeadurl":"","#,
        r#""MsgFrom_AccountExtraInfo":{"NameCard":""}},"MsgBody":"#
    );
    const TIME: UnixSeconds = UnixSeconds(1_795_390_095);

    #[test]
    fn attributes_exactly() {
        let group = GroupId::parse("tea").unwrap();
        let attribute = |key: &str, value: &str| GroupAttribute {
            key: key.to_owned(),
            value: value.to_owned(),
            seq: 7,
        };
        for (change, attributes, expected) in [
            (
                AttributeChange::Modify,
                vec![attribute("seat1", "ann"), attribute("seat2", "")],
                r#"{"OpType":2,"AttrMainSeq":7,"PushChangedAttrValFlag":1,"GroupAttrInfo":[{"key":"seat1","value":"ann","seq":7},{"key":"seat2","value":"","seq":7}]}"#,
            ),
            (
                AttributeChange::Clear,
                Vec::new(),
                r#"{"OpType":3,"AttrMainSeq":7,"PushChangedAttrValFlag":1,"GroupAttrInfo":[]}"#,
            ),
        ] {
            let written = GroupAttributes {
                group: info(&group),
                change,
                main_seq: 7,
                attributes: &attributes,
                time: TIME,
            };
            let expected =
                format!(r#"{HEAD}{{"MsgGroupNewInfo":{{"GroupAttrOption":{expected}}}}}}}"#);
            assert_eq!(serde_json::to_string(&written).unwrap(), expected);
        }
    }

    #[test]
    fn counters_exactly() {
        let group = GroupId::parse("tea").unwrap();
        let counters = [GroupCounter { key: "like".to_owned(), value: i64::MIN }];
        for (deleted, kind) in [(false, 0), (true, 1)] {
            let changed = GroupCounters {
                group: info(&group),
                deleted,
                seq: 4,
                counters: &counters,
                time: TIME,
            };
            let expected = format!(
                r#"{HEAD}{{"GroupCounterInfo":[{{"Type":{kind},"GroupCounterSeq":4,"GroupCounter":[{{"Key":"like","Value":-9223372036854775808}}]}}]}}}}"#
            );
            assert_eq!(serde_json::to_string(&changed).unwrap(), expected);
        }
    }
}
