//! The profile of a group: making it, editing it.

use std::collections::BTreeMap;
use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{ApplyJoinOption, CustomField, GroupType, InviteJoinOption, Role};
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::push::TipKind;
use teahouse_proto::time::UnixSeconds;

use super::membership::{Act, Description, Moving, Newcomer};
use super::message::{Faces, GroupRef};
use super::{GroupState, change_group, custom, rules};
use crate::app::App;
use crate::entity::Change;
use crate::error::Outcome;
use crate::event::{Event, GroupCreated};
use crate::node::Node;
use crate::rows::{ChangedRow, GroupHeadRow, GroupInfoRow, Job, ListGroupJob, TipRow, key};
use crate::settings::AppSettings;

/// A group to make.
#[derive(Debug, Clone)]
pub(crate) struct NewGroup {
    pub(crate) kind: GroupType,
    pub(crate) name: String,
    pub(crate) introduction: String,
    pub(crate) notification: String,
    pub(crate) face_url: String,
    pub(crate) owner: Option<UserId>,
    pub(crate) owner_tiny_id: Option<TinyId>,
    pub(crate) max_members: u32,
    pub(crate) apply_option: Option<ApplyJoinOption>,
    pub(crate) invite_option: Option<InviteJoinOption>,
    pub(crate) supports_topics: bool,
    pub(crate) custom: Vec<CustomField>,
    /// The owner first.
    pub(crate) members: Vec<(UserId, TinyId, Role)>,
    /// What is said of some of them.
    pub(crate) descriptions: BTreeMap<UserId, Description>,
    pub(crate) mute_all: bool,
    /// When another system made it, if it comes from there: then nobody is told.
    pub(crate) imported: Option<UnixSeconds>,
    /// Who makes it, and from which device.
    pub(crate) operator: UserId,
    pub(crate) origin: Option<u32>,
}

/// What is to change; nothing stays as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edit {
    pub(crate) looks: ChangedRow,
    pub(crate) custom: Vec<CustomField>,
    pub(crate) max_members: Option<u32>,
}

/// The most members that an app allows a type of group.
pub(crate) fn members_max(settings: &AppSettings, kind: GroupType) -> u32 {
    match kind {
        GroupType::Community => settings.community_members_max,
        GroupType::AvChatRoom => u32::MAX,
        GroupType::Work | GroupType::Public | GroupType::Meeting => settings.group_members_max,
    }
}

/// Makes a group under `id`.
///
/// # Errors
/// `GroupIdOwned` or `GroupIdUsed`.
pub(crate) async fn create(
    node: &Arc<Node>,
    app: &App,
    id: &GroupId,
    new: &NewGroup,
    faces: &Arc<Faces>,
) -> Outcome<()> {
    change_group(node, app, id, |state, change| {
        if let Ok(there) = state.info() {
            let owned = new.owner.as_ref().is_some_and(|owner| owner.as_str() == there.owner);
            let code = if owned { ErrorCode::GroupIdOwned } else { ErrorCode::GroupIdUsed };
            return Err(code.into());
        }
        let incarnation = node.next_id().0;
        let head = GroupHeadRow { incarnation, ..GroupHeadRow::default() };
        *state = GroupState { head, info: Some(new.row(node)), ..GroupState::default() };
        state.put_info(change);
        change.put(key::head(), &state.head);
        let kind = new.kind.number();
        change.job(node, Job::ListGroup(ListGroupJob { incarnation, kind, dismissed: false }));
        if let Some(joined) = new.imported {
            let newcomers =
                new.members.iter().map(|account| Newcomer::new(account.clone(), joined, 1));
            state.let_in(node, newcomers, change);
            return Ok(());
        }
        let group = state.reference(app.id(), id)?;
        change.event(Event::GroupCreated(GroupCreated {
            group: group.clone(),
            owner: new.owner.clone(),
            members: new.members.iter().map(|(user, ..)| user.clone()).collect(),
            operator: new.operator.to_string(),
            origin: new.origin,
        }));
        if !new.members.is_empty() {
            // The members are told by a notice each; there is nobody yet to be told by a tip.
            let act = Act { node, group, operator: new.operator.as_str(), faces };
            let how = Moving {
                kind: TipKind::Invited,
                tip: false,
                notice: true,
                reason: "",
                origin: new.origin,
            };
            state.join(&act, &new.members, &how, change)?;
            for (user, description) in &new.descriptions {
                state.describe(user, description, change);
            }
        }
        Ok(())
    })
    .await
}

impl GroupState {
    /// Edits the profile; tells the members what changed, if something did.
    pub(crate) fn edit(
        &mut self,
        act: &Act<'_>,
        edit: &Edit,
        change: &mut Change,
    ) -> Result<(), Error> {
        let now = act.node.now().seconds().0;
        let info = self.info_mut()?;
        let looks = &edit.looks;
        let set = |field: &mut String, new: &Option<String>| {
            new.as_ref().filter(|new| *new != field).map(|new| field.clone_from(new)).is_some()
        };
        let number = |field: &mut u32, new: Option<u32>| {
            new.filter(|new| new != field).map(|new| *field = new).is_some()
        };
        let mut told = ChangedRow::default();
        if set(&mut info.name, &looks.name) {
            told.name.clone_from(&looks.name);
        }
        if set(&mut info.introduction, &looks.introduction) {
            told.introduction.clone_from(&looks.introduction);
        }
        if set(&mut info.notification, &looks.notification) {
            told.notification.clone_from(&looks.notification);
        }
        if set(&mut info.face_url, &looks.face_url) {
            told.face_url.clone_from(&looks.face_url);
        }
        if number(&mut info.apply_option, looks.apply_option) {
            told.apply_option = looks.apply_option;
        }
        if number(&mut info.invite_option, looks.invite_option) {
            told.invite_option = looks.invite_option;
        }
        if let Some(mute_all) = looks.mute_all.filter(|mute_all| *mute_all != info.mute_all) {
            info.mute_all = mute_all;
            told.mute_all = Some(mute_all);
        }
        let custom_before = info.custom.clone();
        if custom::set(&mut info.custom, &edit.custom) {
            told.custom = custom::told(&custom_before, &info.custom);
        }
        let resized = number(&mut info.max_members, edit.max_members);
        if told == ChangedRow::default() && !resized {
            return Ok(());
        }
        info.info_seq += 1;
        info.changed = now;
        self.put_info(change);
        if told != ChangedRow::default() {
            // Under its new name.
            let group = GroupRef { name: Arc::from(&*self.info()?.name), ..act.group.clone() };
            let tip = TipRow {
                kind: TipKind::InfoChanged as u32,
                operator: act.operator.to_owned(),
                changed: Some(told),
                ..TipRow::default()
            };
            self.tip(&Act { group, ..*act }, tip, change);
        }
        Ok(())
    }
}

impl NewGroup {
    fn row(&self, node: &Node) -> GroupInfoRow {
        let created = self.imported.unwrap_or_else(|| node.now().seconds()).0;
        let rules = rules::of(self.kind);
        let mut custom = Vec::new();
        custom::set(&mut custom, &self.custom);
        GroupInfoRow {
            kind: self.kind.number(),
            name: self.name.clone(),
            introduction: self.introduction.clone(),
            notification: self.notification.clone(),
            face_url: self.face_url.clone(),
            owner: self.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
            owner_tiny_id: self.owner_tiny_id.map_or(0, |tiny_id| tiny_id.0),
            created,
            info_seq: 1,
            changed: created,
            max_members: self.max_members,
            apply_option: self.apply_option.unwrap_or(rules.apply).number(),
            invite_option: self.invite_option.unwrap_or(rules.invite).number(),
            mute_all: self.mute_all,
            supports_topics: self.supports_topics,
            custom,
            imported: self.imported.is_some(),
        }
    }
}
