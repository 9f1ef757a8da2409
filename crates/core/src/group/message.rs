//! A message or tip of a group, with all that clients are shown of it: the same for pushes and histories,
//! so that all copies agree.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::group::{ApplyJoinOption, GroupType, InviteJoinOption, Priority, Switch};
use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::message::{MessageBody, SendControl};
use teahouse_proto::push::{
    EVENT_MESSAGE, EVENT_TIP, Face, GroupAt, GroupChanges, GroupContent, GroupInfo, GroupMessage,
    GroupPiece, GroupTip, NameCard, PLACE_GONE, PLACE_RECALLED, RevokerInfo, SYSTEM_ACCOUNT,
    TipKind,
};
use teahouse_proto::time::UnixSeconds;
use teahouse_store::ReadError;

use super::{custom, rules};
use crate::account;
use crate::app::App;
use crate::error::Outcome;
use crate::event::{GroupMessageModified, GroupMessageName, GroupMessagesRecalled};
use crate::node::Node;
use crate::rows::{ChangedRow, GroupMessageRow, MentionRow, MessageFlags, OverlayRow, TipRow};

/// Nick and avatar by user.
pub(crate) type Faces = HashMap<String, (String, String)>;

/// Nick and avatar of these users.
pub(crate) async fn faces(node: &Node, app: &App, users: Vec<&str>) -> Outcome<Faces> {
    let users: BTreeSet<&str> = users.into_iter().collect();
    let users: Vec<UserId> =
        users.into_iter().filter_map(|user| UserId::parse(user).ok()).collect();
    Ok(account::faces(node, app, &users).await?.into_iter().collect())
}

/// A group as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRef {
    /// The app.
    pub app: SdkAppId,
    /// The group.
    pub id: GroupId,
    /// Its name at that time.
    pub name: Arc<str>,
    /// Its type.
    pub kind: GroupType,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct GroupSaid {
    /// Where.
    pub group: GroupRef,
    /// Its place in the group.
    pub seq: u64,
    /// For online members only, not stored.
    pub online_only: bool,
    /// The sender's device, which needs no copy.
    pub origin: Option<u32>,
    /// What it says now.
    pub(crate) row: GroupMessageRow,
    /// What has become of it since it was sent.
    pub(crate) overlay: OverlayRow,
    /// Of an ordinary message.
    pub(crate) body: Option<MessageBody>,
    /// Of everybody who is named.
    pub(crate) faces: Arc<Faces>,
    /// The sender's name in the group.
    pub(crate) name_card: String,
    /// Who is told, if not everybody: receivers and sender. Known when it is sent.
    pub(crate) only_for: Vec<UserId>,
}

impl GroupSaid {
    /// The sender; nobody if the server speaks.
    pub(crate) fn sender(&self) -> Option<&str> {
        (!self.row.from.is_empty()).then_some(self.row.from.as_str())
    }

    /// The sender's nick; may be empty.
    pub(crate) fn sender_nick(&self) -> &str {
        self.face(&self.row.from).nick_name
    }

    /// A webhook has made something else of what was sent.
    pub(crate) fn is_rewritten(&self) -> bool {
        self.row.asked_crc.is_some()
    }

    /// Its priority.
    pub(crate) fn priority(&self) -> Priority {
        Priority::from_number(self.row.priority).unwrap_or(Priority::Normal)
    }

    /// Encoded for a frame.
    pub(crate) fn piece(&self) -> GroupPiece {
        self.with_message(GroupPiece::new)
    }

    /// Encoded for an answer.
    pub(crate) fn to_json(&self) -> Box<RawValue> {
        self.with_message(|message| {
            serde_json::value::to_raw_value(message).expect("a message is JSON")
        })
    }

    /// The same with who has pinned it.
    pub(crate) fn to_pinned_json(&self, pinner: &str) -> Box<RawValue> {
        #[derive(Serialize)]
        struct Pinned<'a> {
            #[serde(flatten)]
            message: &'a GroupMessage<'a>,
            #[serde(rename = "Pinner_Account")]
            pinner: &'a str,
        }
        self.with_message(|message| {
            let pinned = Pinned { message, pinner };
            serde_json::value::to_raw_value(&pinned).expect("a message is JSON")
        })
    }

    /// What it says, encoded for an answer.
    pub(crate) fn body_json(&self) -> Box<RawValue> {
        self.with_message(|message| {
            serde_json::value::to_raw_value(&message.msg_body).expect("a body is JSON")
        })
    }

    fn with_message<R>(&self, look: impl FnOnce(&GroupMessage<'_>) -> R) -> R {
        let at = mentions(&self.row.mentions);
        match (&self.row.tip, &self.body) {
            (Some(tip), _) => self
                .with_tip(tip, |tip| look(&self.message(EVENT_TIP, GroupContent::Tip(tip), &at))),
            (None, Some(body)) => {
                look(&self.message(EVENT_MESSAGE, GroupContent::Elements(body), &at))
            }
            (None, None) => look(&self.message(EVENT_MESSAGE, GroupContent::Gone, &at)),
        }
    }

    fn message<'a>(
        &'a self,
        event: u32,
        msg_body: GroupContent<'a>,
        group_at_info: &'a [GroupAt],
    ) -> GroupMessage<'a> {
        let (row, flags) = (&self.row, MessageFlags(self.row.flags));
        let face = self.face(&row.from);
        let is_gone = matches!(msg_body, GroupContent::Gone);
        let revoker_info = self.revoker_info();
        GroupMessage {
            event,
            from: self.sender().unwrap_or(SYSTEM_ACCOUNT),
            to_group_id: &self.group.id,
            group_id: &self.group.id,
            msg_seq: self.seq,
            msg_random: row.random,
            client_seq: row.client_seq,
            msg_time_stamp: UnixSeconds(row.time),
            msg_client_time: UnixSeconds(row.client_time),
            tiny_id: TinyId(row.from_tiny_id),
            msg_priority: self.priority(),
            msg_body,
            cloud_custom_data: &row.cloud_custom_data,
            need_read_receipt: flags.has(MessageFlags::WANTS_RECEIPT),
            support_message_extension: flags.has(MessageFlags::EXTENSIBLE),
            msg_version: self.version(),
            online_only_flag: self.online_only,
            is_place_msg: match revoker_info {
                Some(_) => PLACE_RECALLED,
                None if is_gone => PLACE_GONE,
                None => 0,
            },
            revoker_info,
            send_msg_control: SendControl {
                no_unread: self.is_uncounted() || revoker_info.is_some(),
                no_last_msg: flags.has(MessageFlags::NO_LAST),
                ..SendControl::default()
            },
            is_rewritten: self.is_rewritten(),
            group_at_info,
            group_info: GroupInfo {
                group_id: &self.group.id,
                group_name: &self.group.name,
                group_type: self.group.kind,
                from_nick: face.nick_name,
                from_avatar: face.image_url,
                from_extra: NameCard { name_card: &self.name_card },
                to: None,
            },
        }
    }

    /// How often it was modified.
    pub(crate) fn version(&self) -> u32 {
        self.overlay.modified.as_ref().map_or(0, |modified| modified.version)
    }

    /// Who has recalled it, if somebody has.
    pub(crate) fn revoker_info(&self) -> Option<RevokerInfo<'_>> {
        let withdrawn = self.overlay.withdrawn.as_ref()?;
        Some(RevokerInfo { revoker: &withdrawn.by, reason: &withdrawn.reason })
    }

    /// As notices name it.
    pub(crate) fn name(&self) -> GroupMessageName {
        GroupMessageName::of(self.seq, &self.row)
    }

    /// What tells of its recall, if it is recalled.
    pub(crate) fn recall(&self) -> Option<GroupMessagesRecalled> {
        let withdrawn = self.overlay.withdrawn.as_ref()?;
        Some(GroupMessagesRecalled {
            group: self.group.clone(),
            messages: vec![self.name()],
            by: withdrawn.by.clone(),
            reason: withdrawn.reason.clone(),
            faces: self.faces.clone(),
            origin: None,
            only_for: Vec::new(),
        })
    }

    /// What tells of its modification; nothing if it was not modified, or is recalled since.
    pub(crate) fn modification(&self) -> Option<GroupMessageModified> {
        let is_modified = self.version() > 0 && self.overlay.withdrawn.is_none();
        let body = self.body.clone().filter(|_| is_modified)?;
        Some(GroupMessageModified {
            group: self.group.clone(),
            message: self.name(),
            from: self.row.from.clone(),
            body,
            version: self.version(),
            cloud_custom_data: self.row.cloud_custom_data.clone(),
            origin: None,
            only_for: Vec::new(),
        })
    }

    /// Whether it adds nothing to unread counts. Clients count by themselves what is pushed, tips too,
    /// unless they are told. Of live rooms they count nothing.
    fn is_uncounted(&self) -> bool {
        let rules = rules::of(self.group.kind);
        rules.stored && !(rules.unread && self.row.is_counted())
    }

    fn face<'a>(&'a self, user: &'a str) -> Face<'a> {
        face_of(&self.faces, user)
    }

    fn with_tip<R>(&self, row: &TipRow, look: impl FnOnce(&GroupTip<'_>) -> R) -> R {
        let members: Vec<Face<'_>> = row.members.iter().map(|user| self.face(user)).collect();
        let changed = row.changed.as_ref().map(changes);
        let mutes: Vec<(UserId, u32)> = row
            .muted_s
            .into_iter()
            .flat_map(|seconds| row.members.iter().map(move |user| (user, seconds)))
            .filter_map(|(user, seconds)| Some((UserId::parse(user).ok()?, seconds)))
            .collect();
        look(&GroupTip {
            kind: TipKind::from_number(row.kind).unwrap_or_default(),
            operator: &row.operator,
            members: &members,
            operator_face: self.face(&row.operator),
            member_num: row.member_num,
            changed: changed.as_ref(),
            mutes: &mutes,
        })
    }
}

/// How a user is shown; without nick and avatar if they are not known.
pub(crate) fn face_of<'a>(faces: &'a Faces, user: &'a str) -> Face<'a> {
    let (nick, image) =
        faces.get(user).map_or(("", ""), |(nick, image)| (nick.as_str(), image.as_str()));
    Face { user_id: user, nick_name: nick, image_url: image }
}

fn changes(row: &ChangedRow) -> GroupChanges {
    GroupChanges {
        name: row.name.clone(),
        face_url: row.face_url.clone(),
        introduction: row.introduction.clone(),
        notification: row.notification.clone(),
        apply_join_option: row.apply_option.and_then(ApplyJoinOption::from_number),
        invite_join_option: row.invite_option.and_then(InviteJoinOption::from_number),
        owner: row.owner.as_deref().and_then(|owner| UserId::parse(owner).ok()),
        mute_all: row.mute_all.map(|on| if on { Switch::On } else { Switch::Off }),
        custom: custom::fields(&row.custom),
    }
}

impl GroupMessageRow {
    /// Whether an account sees it; whether everybody does if none is named.
    pub(crate) fn is_for(&self, viewer: Option<TinyId>) -> bool {
        let is_named = |viewer: TinyId| self.only_for.contains(&viewer.0);
        self.only_for.is_empty() || viewer.is_some_and(is_named)
    }
}

/// Everybody whom a message names: the sender, and the people of a tip.
pub(crate) fn named(row: &GroupMessageRow) -> impl Iterator<Item = &str> {
    let tip = row.tip.iter().flat_map(|tip| {
        tip.members.iter().map(String::as_str).chain(std::iter::once(tip.operator.as_str()))
    });
    std::iter::once(row.from.as_str()).chain(tip).filter(|user| !user.is_empty())
}

/// The elements of a stored message; nothing for a tip.
pub(crate) fn take_body(row: &mut GroupMessageRow) -> Result<Option<MessageBody>, ReadError> {
    if row.tip.is_some() {
        return Ok(None);
    }
    let body = MessageBody::from_stored(std::mem::take(&mut row.body));
    body.map(Some).map_err(|problem| ReadError::Corrupt(format!("a stored message: {problem}")))
}

pub(crate) fn mention_rows(mentions: &[GroupAt]) -> Vec<MentionRow> {
    let row = |at: &GroupAt| MentionRow {
        all: at.group_at_all_flag == 1,
        user: at.account.clone().unwrap_or_default(),
    };
    mentions.iter().map(row).collect()
}

fn mentions(rows: &[MentionRow]) -> Vec<GroupAt> {
    let at = |row: &MentionRow| GroupAt {
        group_at_all_flag: u8::from(row.all),
        account: (!row.user.is_empty()).then(|| row.user.clone()),
    };
    rows.iter().map(at).collect()
}
