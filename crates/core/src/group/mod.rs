//! Groups: the entity of one group, its members, and its messages.
//!
//! A group is a partition: head, profile, members, mutes, messages. All members are in memory while the
//! group is, so that every rule is checked under the entity's lock. What a member knows of the
//! conversation (read mark, pin, receive option) is a row of that user, written through the outbox when
//! somebody comes or goes; so a message never writes a row per member.
//!
//! [`rules`] says what may be done, [`membership`] who is in, [`bans`] who may not be, [`pendency`] who asks to
//! be, [`messages`] what is said, [`history`] what was said, [`changes`] what has become of it, [`attached`],
//! [`receipts`] and [`pins`] what members do with it, [`room`] how live rooms differ: of them only the profile is
//! stored, the bans, and [`attributes`] and [`counters`], which all groups have.
//! [`import`] writes what was said and done in another system.

pub(crate) mod attached;
pub(crate) mod attributes;
pub(crate) mod bans;
pub(crate) mod changes;
pub(crate) mod commands;
pub(crate) mod counters;
pub(crate) mod custom;
pub(crate) mod flow;
pub(crate) mod history;
pub(crate) mod import;
mod lanes;
pub mod matrix;
pub(crate) mod membership;
pub(crate) mod message;
pub(crate) mod messages;
pub(crate) mod pendency;
mod per_second;
pub(crate) mod pins;
pub(crate) mod profile;
pub(crate) mod receipts;
pub(crate) mod recycle;
pub(crate) mod room;
pub(crate) mod rules;
pub(crate) mod uncounted;
pub(crate) mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{ApplyJoinOption, GroupType, InviteJoinOption, Role};
use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::time::UnixSeconds;
use teahouse_store::{Direction, Partition, ReadError, Row};

use crate::app::App;
use crate::dedupe::{Dedupe, SENDS_MAX};
use crate::entity::{Change, Entity, State};
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::rows::key::GroupRows;
use crate::rows::{
    AttributesRow, BanRow, CountersRow, GroupHeadRow, GroupInfoRow, GroupMessageRow, Home,
    MemberRow, MessageFlags, MuteRow, PendencyRow, key,
};
use message::GroupRef;
use messages::SendKey;
use pendency::PendencyType;
use per_second::PerSecond;
use rules::{Mute, Standing, TypeRules};

/// Rows read at once when a group is loaded.
const ROWS_A_READ: usize = 4_096;

/// The state of one group id: the group under it, if there is one.
#[derive(Default)]
pub(crate) struct GroupState {
    pub(crate) head: GroupHeadRow,
    info: Option<GroupInfoRow>,
    pub(crate) members: BTreeMap<UserId, MemberRow>,
    /// Until when somebody is muted, member or not.
    pub(crate) mutes: BTreeMap<UserId, u32>,
    pub(crate) attributes: AttributesRow,
    attribute_writes: PerSecond,
    pub(crate) counters: CountersRow,
    /// Until when somebody may not come in.
    pub(crate) bans: BTreeMap<UserId, u32>,
    /// Who is to come in and waits for a decision, or has one.
    pub(crate) pendencies: BTreeMap<(PendencyType, UserId), PendencyRow>,
    pub(crate) dedupe: Dedupe<SendKey, u64>,
    /// Moves with each change of what is attached to messages. It begins anywhere, so that one who finds the group
    /// loaded again does not take it for what he has seen.
    attached: u64,
}

impl State for GroupState {
    fn load<'a>(
        node: &'a Node,
        home: &'a Home,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Self, ReadError>> {
        async move {
            loop {
                let before: GroupHeadRow = node.head_row(partition).await?.unwrap_or_default();
                let mut state = Self { attached: node.random(), ..Self::default() };
                if before.incarnation > 0 && before.dismissed_ms == 0 {
                    state.read_rows(node, partition, before.incarnation).await?;
                    state.know_again(node, home, partition, &before).await?;
                }
                // The head last: a commit of an earlier owner that is still on its way makes it newer than
                // the version that was read before, which our first commit notices.
                state.head = node.head_row(partition).await?.unwrap_or_default();
                let key = |head: &GroupHeadRow| (head.incarnation, head.dismissed_ms);
                if key(&state.head) == key(&before) {
                    return Ok(state);
                }
            }
        }
        .boxed()
    }
}

impl GroupState {
    async fn read_rows(
        &mut self,
        node: &Node,
        partition: &Partition,
        incarnation: u64,
    ) -> Result<(), ReadError> {
        let single = [key::group_info, key::attributes, key::counters];
        let single = single.map(|key| (partition.clone(), key(incarnation)));
        let single = node.store().get_many(&single).await?;
        let [info, attributes, counters] = &single[..] else {
            unreachable!("as many rows as were asked for")
        };
        let no_info = || ReadError::Corrupt("a group has no profile".to_owned());
        self.info = Some(decode_row(info.as_ref().ok_or_else(no_info)?)?);
        self.attributes = row_or_default(attributes.as_ref())?;
        self.counters = row_or_default(counters.as_ref())?;
        for row in all_rows(node, partition, GroupRows::Members, incarnation).await? {
            if let Some(user) = key::user_of_group_row(&row.key) {
                self.members.insert(user, decode_row(&row.value)?);
            }
        }
        for row in all_rows(node, partition, GroupRows::Mutes, incarnation).await? {
            if let Some(user) = key::user_of_group_row(&row.key) {
                self.mutes.insert(user, decode_row::<MuteRow>(&row.value)?.until);
            }
        }
        for row in all_rows(node, partition, GroupRows::Bans, incarnation).await? {
            if let Some(user) = key::user_of_group_row(&row.key) {
                self.bans.insert(user, decode_row::<BanRow>(&row.value)?.until);
            }
        }
        for rows in [GroupRows::Applications, GroupRows::Invitations] {
            for row in all_rows(node, partition, rows, incarnation).await? {
                if let Some(name) = key::pendency_of(&row.key) {
                    self.pendencies.insert(name, decode_row(&row.value)?);
                }
            }
        }
        Ok(())
    }

    /// Reads what a repetition would still be recognised by.
    async fn know_again(
        &mut self,
        node: &Node,
        home: &Home,
        partition: &Partition,
        head: &GroupHeadRow,
    ) -> Result<(), ReadError> {
        let Home::Group(app, _) = home else { return Ok(()) };
        let window_s = node.app(*app).map_or(0, |app| app.facts().settings.group_dedupe_s);
        let since = node.now().seconds().minus_seconds(window_s.into());
        if head.last_time < since.0 {
            return Ok(());
        }
        let (from, to) = key::group_rows(GroupRows::Messages, head.incarnation);
        let newest = node.store().scan(partition, &from..&to, Direction::Descending, SENDS_MAX);
        for row in newest.await?.iter().rev() {
            let Some(seq) = key::group_message_seq(&row.key) else { continue };
            let message: GroupMessageRow = decode_row(&row.value)?;
            let is_sent =
                message.tip.is_none() && !MessageFlags(message.flags).has(MessageFlags::IMPORTED);
            if message.time >= since.0 && is_sent {
                self.dedupe.insert(SendKey::of_row(&message), UnixSeconds(message.time), seq);
            }
        }
        Ok(())
    }

    /// The group.
    ///
    /// # Errors
    /// `GroupNotFound`.
    pub(crate) fn info(&self) -> Result<&GroupInfoRow, Error> {
        self.info.as_ref().ok_or_else(|| ErrorCode::GroupNotFound.into())
    }

    pub(crate) fn kind(&self) -> Result<GroupType, Error> {
        Ok(self.info()?.kind())
    }

    pub(crate) fn rules(&self) -> Result<&'static TypeRules, Error> {
        Ok(rules::of(self.kind()?))
    }

    /// As messages name it.
    pub(crate) fn reference(&self, app: SdkAppId, id: &GroupId) -> Result<GroupRef, Error> {
        let info = self.info()?;
        Ok(GroupRef { app, id: id.clone(), name: Arc::from(&*info.name), kind: info.kind() })
    }

    /// The member of this account.
    pub(crate) fn member(&self, user: &UserId, tiny_id: TinyId) -> Option<&MemberRow> {
        self.members.get(user).filter(|member| member.tiny_id == tiny_id.0)
    }

    /// What somebody is. Of a live room only the owner is known here.
    pub(crate) fn role(&self, user: &UserId) -> Option<Role> {
        match self.members.get(user) {
            Some(member) => member.role(),
            None => {
                let info = self.info.as_ref()?;
                let owns = info.kind() == GroupType::AvChatRoom && info.owner == user.as_str();
                owns.then_some(Role::Owner)
            }
        }
    }

    /// How many admins there are.
    pub(crate) fn admins(&self) -> usize {
        let admin = Role::Admin.number();
        self.members.values().filter(|member| member.role == admin).count()
    }

    pub(crate) fn standing(&self, user: &UserId) -> Standing {
        Standing::of(self.role(user))
    }

    /// What an account is in a live room, as far as that is stored: its owner or nobody.
    pub(crate) fn room_standing(&self, user: &UserId, tiny_id: TinyId) -> Standing {
        let is_same = |info: &GroupInfoRow| info.owner_tiny_id == tiny_id.0;
        if self.info.as_ref().is_some_and(is_same) {
            self.standing(user)
        } else {
            Standing::Stranger
        }
    }

    pub(crate) fn mute(&self, user: &UserId) -> Mute {
        Mute {
            until: UnixSeconds(self.mutes.get(user).copied().unwrap_or_default()),
            all: self.info.as_ref().is_some_and(|info| info.mute_all),
        }
    }

    /// Nobody but the owner sees it yet.
    pub(crate) fn is_inactive(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.is_inactive(&self.head))
    }

    /// Changes the profile and counts the change.
    pub(crate) fn put_info(&mut self, change: &mut Change) {
        if let Some(info) = &self.info {
            change.put(key::group_info(self.head.incarnation), info);
        }
    }

    fn info_mut(&mut self) -> Result<&mut GroupInfoRow, Error> {
        self.info.as_mut().ok_or_else(|| ErrorCode::GroupNotFound.into())
    }
}

fn row_or_default<R: prost::Message + Default>(row: Option<&Bytes>) -> Result<R, ReadError> {
    row.map_or_else(|| Ok(R::default()), |row| decode_row(row))
}

async fn all_rows(
    node: &Node,
    partition: &Partition,
    rows: GroupRows,
    incarnation: u64,
) -> Result<Vec<Row>, ReadError> {
    let (mut from, to) = key::group_rows(rows, incarnation);
    let mut all = Vec::new();
    loop {
        let page = node.store().scan(partition, &from..&to, Direction::Ascending, ROWS_A_READ);
        let page = page.await?;
        let is_last = page.len() < ROWS_A_READ;
        if let Some(last) = page.last() {
            from = [&last.key[..], &[0]].concat().into();
        }
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

impl GroupInfoRow {
    /// Nobody but the owner sees it yet: nothing was said in it, here or elsewhere.
    pub(crate) fn is_inactive(&self, head: &GroupHeadRow) -> bool {
        rules::of(self.kind()).begins_inactive && head.last == 0 && !self.imported
    }

    pub(crate) fn kind(&self) -> GroupType {
        GroupType::from_number(self.kind).unwrap_or(GroupType::Work)
    }

    pub(crate) fn apply_option(&self) -> ApplyJoinOption {
        let of_type = rules::of(self.kind()).apply;
        ApplyJoinOption::from_number(self.apply_option).unwrap_or(of_type)
    }

    pub(crate) fn invite_option(&self) -> InviteJoinOption {
        let of_type = rules::of(self.kind()).invite;
        InviteJoinOption::from_number(self.invite_option).unwrap_or(of_type)
    }
}

impl MemberRow {
    pub(crate) fn role(&self) -> Option<Role> {
        Role::from_number(self.role)
    }
}

/// The entity of a group id, whether there is a group or not.
pub(crate) async fn group(
    node: &Node,
    app: &App,
    id: &GroupId,
) -> Outcome<Arc<Entity<GroupState>>> {
    app.groups.get(node, id, || Home::Group(app.id(), id.clone())).await
}

/// Changes a group.
pub(crate) async fn change_group<R>(
    node: &Arc<Node>,
    app: &App,
    id: &GroupId,
    change: impl FnMut(&mut GroupState, &mut Change) -> Outcome<R>,
) -> Outcome<R> {
    app.groups.change(node, id, || Home::Group(app.id(), id.clone()), change).await
}
