//! Who is in a group: coming, going, roles, mutes, and what a dismissal leaves to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{CustomField, ReceiveOption, Role};
use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::push::{SYSTEM_ACCOUNT, TipKind};
use teahouse_proto::time::UnixSeconds;
use teahouse_store::Direction;

use super::message::{Faces, GroupRef};
use super::{GroupState, change_group, custom, group};
use crate::app::App;
use crate::conversation;
use crate::entity::{Change, in_parallel};
use crate::error::{Failure, Outcome};
use crate::event::{Event, GroupDismissed, MembersJoined, MembersLeft, OwnerChanged, RoleChanged};
use crate::node::{Node, decode_row};
use crate::numbers::Numbers;
use crate::rows::key::GroupRows;
use crate::rows::{
    BuryGroupJob, ChangedRow, GroupInfoRow, Home, IndexMembersJob, Job, JoinedRow, LeftRow,
    ListGroupJob, MemberRow, MuteRow, TipRow, key,
};

/// Mutes or bans that have ended and are forgotten in one commit, when others are made.
const ENDED_AT_ONCE: usize = 256;

/// Somebody does something in a group.
pub(crate) struct Act<'a> {
    pub(crate) node: &'a Node,
    pub(crate) group: GroupRef,
    /// Who does it.
    pub(crate) operator: &'a str,
    /// Of everybody whom a tip of it names.
    pub(crate) faces: &'a Arc<Faces>,
}

/// An account that becomes a member.
pub(super) struct Newcomer {
    pub(super) user: UserId,
    pub(super) tiny_id: TinyId,
    pub(super) role: Role,
    pub(super) joined: UnixSeconds,
    /// The first message that it may see.
    pub(super) first_seq: u64,
    /// The last messages that it has not read.
    pub(super) unread: u64,
    pub(super) name_card: String,
    pub(super) receive_option: ReceiveOption,
}

impl Newcomer {
    /// Somebody who has read everything, and has chosen nothing yet.
    pub(super) fn new(
        (user, tiny_id, role): (UserId, TinyId, Role),
        joined: UnixSeconds,
        first_seq: u64,
    ) -> Self {
        let (name_card, receive_option) = (String::new(), ReceiveOption::AcceptAndNotify);
        Self { user, tiny_id, role, joined, first_seq, unread: 0, name_card, receive_option }
    }
}

/// How members come in or go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moving<'a> {
    pub(crate) kind: TipKind,
    /// The group is told by a tip, if its type has one for it.
    pub(crate) tip: bool,
    /// Who comes or goes is told.
    pub(crate) notice: bool,
    /// Told to who is removed.
    pub(crate) reason: &'a str,
    /// The device that it came from.
    pub(crate) origin: Option<u32>,
}

/// Why a group ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dismissal<'a> {
    /// Somebody wants it.
    By(&'a str),
    /// Nothing has happened in it for long.
    Idle,
}

/// What a member is called in a group, and what else an app keeps of him; nothing stays as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Description {
    pub(crate) name_card: Option<String>,
    pub(crate) custom: Vec<CustomField>,
}

impl GroupState {
    /// Describes a member, if there is one.
    pub(crate) fn describe(&mut self, user: &UserId, new: &Description, change: &mut Change) {
        let incarnation = self.head.incarnation;
        let Some(member) = self.members.get_mut(user) else { return };
        if let Some(card) = &new.name_card {
            member.name_card.clone_from(card);
        }
        custom::set(&mut member.custom, &new.custom);
        change.put(key::member(incarnation, user), member);
    }

    /// Lets one account in that asked for it. The caller has checked that it may, and that there is room.
    pub(crate) fn join_as_asked(
        &mut self,
        act: &Act<'_>,
        (user, tiny_id): (&UserId, TinyId),
        origin: Option<u32>,
        change: &mut Change,
    ) -> Result<(), Error> {
        let how = Moving { kind: TipKind::Joined, tip: true, notice: false, reason: "", origin };
        self.join(act, &[(user.clone(), tiny_id, Role::Member)], &how, change)
    }

    /// Lets one account in that was invited, in the name of who invited it. The caller has checked that it may,
    /// and that there is room.
    pub(crate) fn join_as_invited(
        &mut self,
        act: &Act<'_>,
        (user, tiny_id): (&UserId, TinyId),
        change: &mut Change,
    ) -> Result<(), Error> {
        let how =
            Moving { kind: TipKind::Invited, tip: true, notice: true, reason: "", origin: None };
        self.join(act, &[(user.clone(), tiny_id, Role::Member)], &how, change)
    }

    /// Lets accounts in that are not in yet. The caller has checked that they may, and that there is room.
    pub(crate) fn join(
        &mut self,
        act: &Act<'_>,
        accounts: &[(UserId, TinyId, Role)],
        how: &Moving<'_>,
        change: &mut Change,
    ) -> Result<(), Error> {
        let rules = self.rules()?;
        let joined = act.node.now().seconds();
        let first_seq = if rules.newcomers_see_history { 1 } else { self.head.last + 1 };
        let newcomers =
            accounts.iter().map(|account| Newcomer::new(account.clone(), joined, first_seq));
        self.let_in(act.node, newcomers, change);
        // Whatever was asked about them is decided by this.
        for (user, ..) in accounts {
            self.decide_all(user, act.operator, true, change);
        }
        let users: Vec<UserId> = accounts.iter().map(|(user, ..)| user.clone()).collect();
        change.event(Event::MembersJoined(MembersJoined {
            group: act.group.clone(),
            users: users.clone(),
            operator: act.operator.to_owned(),
            invited: how.kind == TipKind::Invited,
            silent: !how.notice || self.is_inactive(),
        }));
        let most = self.info()?.max_members as usize;
        if rules.stored && self.members.len() >= most {
            change.event(Event::GroupFull(act.group.clone()));
        }
        if rules.membership_tips && how.tip {
            let tip = self.members_tip(how.kind, act.operator, &users);
            self.tip(act, tip, change);
        }
        Ok(())
    }

    /// Makes members of accounts, without telling anybody.
    pub(super) fn let_in(
        &mut self,
        node: &Node,
        newcomers: impl IntoIterator<Item = Newcomer>,
        change: &mut Change,
    ) {
        let mut joined = Vec::new();
        for newcomer in newcomers {
            let Newcomer { user, tiny_id, role, first_seq, unread, .. } = newcomer;
            let receive_option = newcomer.receive_option.number();
            self.head.joins += 1;
            let member = MemberRow {
                tiny_id: tiny_id.0,
                role: role.number(),
                joined: newcomer.joined.0,
                joined_as: self.head.joins,
                first_seq,
                name_card: newcomer.name_card,
                ..MemberRow::default()
            };
            change.put(key::member(self.head.incarnation, &user), &member);
            joined.push(JoinedRow {
                user: user.to_string(),
                tiny_id: tiny_id.0,
                joined_as: member.joined_as,
                read_seq: self.head.last - unread,
                read_count: self.head.counted,
                hidden_through: first_seq - 1,
                unread_imported: unread,
                receive_option,
            });
            self.members.insert(user, member);
        }
        change.put(key::head(), &self.head);
        let incarnation = self.head.incarnation;
        let job = IndexMembersJob { incarnation, joined, left: Vec::new() };
        change.job(node, Job::IndexMembers(job));
    }

    /// Takes members out. The caller has checked that they may go.
    pub(crate) fn leave(
        &mut self,
        act: &Act<'_>,
        users: &[UserId],
        how: &Moving<'_>,
        change: &mut Change,
    ) -> Result<(), Error> {
        let rules = self.rules()?;
        let incarnation = self.head.incarnation;
        let mut left = Vec::new();
        for user in users {
            let Some(member) = self.members.remove(user) else { continue };
            change.delete(key::member(incarnation, user));
            left.push(LeftRow { user: user.to_string(), joined_as: member.joined_as });
        }
        let owner_left =
            |info: &&mut GroupInfoRow| users.iter().any(|user| user.as_str() == info.owner);
        if let Some(info) = self.info.as_mut().filter(owner_left) {
            info.owner.clear();
            self.put_info(change);
        }
        let job = IndexMembersJob { incarnation, joined: Vec::new(), left };
        change.job(act.node, Job::IndexMembers(job));
        change.event(Event::MembersLeft(MembersLeft {
            group: act.group.clone(),
            users: users.to_vec(),
            operator: act.operator.to_owned(),
            kicked: how.kind == TipKind::Kicked,
            reason: how.reason.to_owned(),
            silent: !how.notice,
            origin: how.origin,
        }));
        if rules.membership_tips && how.tip {
            let tip = self.members_tip(how.kind, act.operator, users);
            self.tip(act, tip, change);
        }
        Ok(())
    }

    fn members_tip(&self, kind: TipKind, operator: &str, users: &[UserId]) -> TipRow {
        TipRow {
            kind: kind as u32,
            operator: operator.to_owned(),
            members: users.iter().map(ToString::to_string).collect(),
            member_num: Some(self.members.len() as u64),
            ..TipRow::default()
        }
    }

    /// Makes a member an admin, or an admin a member.
    pub(crate) fn set_role(
        &mut self,
        act: &Act<'_>,
        user: &UserId,
        role: Role,
        change: &mut Change,
    ) -> Result<(), Error> {
        let incarnation = self.head.incarnation;
        let Some(member) = self.members.get_mut(user).filter(|m| m.role() != Some(role)) else {
            return Ok(());
        };
        member.role = role.number();
        change.put(key::member(incarnation, user), member);
        change.event(Event::RoleChanged(RoleChanged {
            group: act.group.clone(),
            user: user.clone(),
            is_admin: role == Role::Admin,
            operator: act.operator.to_owned(),
        }));
        if role == Role::Admin {
            self.list_pendencies_for(act.node, &act.group.id, user, change);
        }
        if self.rules()?.member_tips {
            let kind = if role == Role::Admin { TipKind::AdminSet } else { TipKind::AdminUnset };
            let tip = TipRow {
                kind: kind as u32,
                operator: act.operator.to_owned(),
                members: vec![user.to_string()],
                ..TipRow::default()
            };
            self.tip(act, tip, change);
        }
        Ok(())
    }

    /// Mutes users for so many seconds; 0 ends it, the greatest number is for ever.
    pub(crate) fn set_mutes(
        &mut self,
        act: &Act<'_>,
        users: &[UserId],
        seconds: u32,
        change: &mut Change,
    ) -> Result<(), Error> {
        let now = act.node.now().seconds();
        for user in ended(&self.mutes, now) {
            change.delete(key::mute(self.head.incarnation, &user));
            self.mutes.remove(&user);
        }
        let until = end_of(now, seconds);
        for user in users {
            let row = key::mute(self.head.incarnation, user);
            if seconds == 0 {
                self.mutes.remove(user);
                change.delete(row);
            } else {
                self.mutes.insert(user.clone(), until);
                change.put(row, &MuteRow { until });
            }
        }
        if self.rules()?.member_tips {
            let tip = TipRow {
                kind: TipKind::Muted as u32,
                operator: act.operator.to_owned(),
                members: users.iter().map(ToString::to_string).collect(),
                muted_s: Some(seconds),
                ..TipRow::default()
            };
            self.tip(act, tip, change);
        }
        Ok(())
    }

    /// Makes a member the owner; the one before becomes a member.
    pub(crate) fn transfer(
        &mut self,
        act: &Act<'_>,
        to: &UserId,
        change: &mut Change,
    ) -> Result<(), Error> {
        let incarnation = self.head.incarnation;
        let info = self.info_mut()?;
        let before = std::mem::replace(&mut info.owner, to.to_string());
        info.info_seq += 1;
        info.changed = act.node.now().seconds().0;
        self.put_info(change);
        let roles = [(UserId::parse(&before).ok(), Role::Member), (Some(to.clone()), Role::Owner)];
        for (user, role) in roles {
            let Some(user) = user else { continue };
            if let Some(member) = self.members.get_mut(&user) {
                member.role = role.number();
                change.put(key::member(incarnation, &user), member);
            }
        }
        self.list_pendencies_for(act.node, &act.group.id, to, change);
        change.event(Event::OwnerChanged(OwnerChanged {
            group: act.group.clone(),
            before,
            owner: to.clone(),
            operator: act.operator.to_owned(),
        }));
        let changed = ChangedRow { owner: Some(to.to_string()), ..ChangedRow::default() };
        let tip = TipRow {
            kind: TipKind::InfoChanged as u32,
            operator: act.operator.to_owned(),
            changed: Some(changed),
            ..TipRow::default()
        };
        self.tip(act, tip, change);
        Ok(())
    }

    /// Ends the group. Its rows, and those of its members, are removed by the outbox.
    pub(crate) fn dismiss(
        &mut self,
        node: &Node,
        group: &GroupRef,
        dismissal: Dismissal<'_>,
        change: &mut Change,
    ) {
        self.head.dismissed_ms = node.now().0;
        change.put(key::head(), &self.head);
        let (incarnation, last) = (self.head.incarnation, self.head.last);
        change.job(node, Job::BuryGroup(BuryGroupJob { incarnation, last }));
        let kind = group.kind.number();
        change.job(node, Job::ListGroup(ListGroupJob { incarnation, kind, dismissed: true }));
        let head = self.head;
        let Self { info, members, .. } = std::mem::take(self);
        self.head = head;
        change.event(Event::GroupDismissed(GroupDismissed {
            group: group.clone(),
            owner: info.map(|info| info.owner).unwrap_or_default(),
            members: members.into_keys().collect(),
            operator: match dismissal {
                Dismissal::By(operator) => operator.to_owned(),
                Dismissal::Idle => SYSTEM_ACCOUNT.to_owned(),
            },
            recycled: matches!(dismissal, Dismissal::Idle),
        }));
    }
}

/// The first second without a mute or ban of so many seconds from now.
pub(super) fn end_of(now: UnixSeconds, seconds: u32) -> u32 {
    now.plus_seconds(seconds.into()).0
}

/// Mutes or bans that have ended: as many as are forgotten at once.
pub(super) fn ended(until: &BTreeMap<UserId, u32>, now: UnixSeconds) -> Vec<UserId> {
    let ended = until.iter().filter(|(_, until)| **until <= now.0);
    ended.map(|(user, _)| user.clone()).take(ENDED_AT_ONCE).collect()
}

/// Carries out what [`GroupState::join`] and [`GroupState::leave`] have left to do.
pub(crate) async fn index_members(
    node: &Arc<Node>,
    app: SdkAppId,
    group: &GroupId,
    job: &IndexMembersJob,
) -> Outcome<()> {
    const AT_ONCE: usize = 32;
    let Some(app) = node.app(app) else { return Ok(()) };
    let incarnation = job.incarnation;
    let joins = in_parallel(job.joined.clone(), AT_ONCE, |joined| {
        let (app, group) = (app.clone(), group.clone());
        async move {
            if conversation::groups::index(node, &app, &group, incarnation, &joined).await? {
                return Ok(());
            }
            // Deleted while it came in: nobody knew yet that there was a group to leave.
            let Ok(user) = UserId::parse(&joined.user) else { return Ok(()) };
            leave(node, &app, &group, &user, TinyId(joined.tiny_id)).await
        }
    });
    joins.await.into_iter().collect::<Outcome<()>>()?;
    let leaves = in_parallel(job.left.clone(), AT_ONCE, |left| {
        let (app, group) = (app.clone(), group.clone());
        async move { conversation::groups::unindex(node, &app, &group, incarnation, &left).await }
    });
    leaves.await.into_iter().collect()
}

/// Removes what a dismissed group has left, a few hundred rows a commit.
pub(crate) async fn bury(
    node: &Arc<Node>,
    app: SdkAppId,
    group: &GroupId,
    job: &BuryGroupJob,
) -> Outcome<()> {
    const MEMBERS_A_COMMIT: usize = 256;
    const MESSAGES_A_COMMIT: u64 = 2_000;
    let Some(app) = node.app(app) else { return Ok(()) };
    let partition = Home::Group(app.id(), group.clone()).partition();
    let (from, to) = key::group_rows(GroupRows::Members, job.incarnation);
    loop {
        let rows =
            node.store().scan(&partition, &from..&to, Direction::Ascending, MEMBERS_A_COMMIT);
        let rows = rows.await?;
        if rows.is_empty() {
            break;
        }
        let mut left = Vec::new();
        for row in &rows {
            let Some(user) = key::user_of_group_row(&row.key) else { continue };
            let member: MemberRow = decode_row(&row.value)?;
            left.push(LeftRow { user: user.to_string(), joined_as: member.joined_as });
        }
        let left = IndexMembersJob { incarnation: job.incarnation, joined: Vec::new(), left };
        index_members(node, app.id(), group, &left).await?;
        change_group(node, &app, group, |_, change| {
            rows.iter().for_each(|row| change.delete(row.key.clone()));
            Ok(())
        })
        .await?;
    }
    let mut first = 0;
    while first <= job.last {
        let range = (first, first + MESSAGES_A_COMMIT);
        let key = |seq| key::group_message(job.incarnation, seq);
        change_group(node, &app, group, |_, change| {
            change.delete_range((key(range.0), key(range.1)));
            let beside = key::beside_group_messages(job.incarnation, range.0, range.1);
            change.delete_range(beside);
            let chunks = (Numbers::chunk_of(range.0), Numbers::chunk_of(range.1) + 1);
            change.delete_range(key::deletions_of_group(job.incarnation, chunks));
            for attached in key::attached_to_group_messages(job.incarnation, range.0, range.1) {
                change.delete_range(attached);
            }
            Ok(())
        })
        .await?;
        first = range.1;
    }
    change_group(node, &app, group, |_, change| {
        for rows in [
            GroupRows::Info,
            GroupRows::Mutes,
            GroupRows::Applications,
            GroupRows::Attributes,
            GroupRows::Counters,
            GroupRows::Mentioned,
            GroupRows::Changes,
            GroupRows::Uncounted,
            GroupRows::Pins,
            GroupRows::Invitations,
            GroupRows::Bans,
        ] {
            change.delete_range(key::group_rows(rows, job.incarnation));
        }
        Ok(())
    })
    .await
}

/// Takes a deleted account out of its groups.
pub(crate) async fn leave_all(
    node: &Arc<Node>,
    app: SdkAppId,
    user: &UserId,
    tiny_id: TinyId,
    groups: &[String],
) -> Outcome<()> {
    let Some(app) = node.app(app) else { return Ok(()) };
    for id in groups.iter().filter_map(|id| GroupId::parse(id).ok()) {
        leave(node, &app, &id, user, tiny_id).await?;
    }
    Ok(())
}

/// Takes a deleted account out of a group, if it is in.
async fn leave(
    node: &Arc<Node>,
    app: &App,
    id: &GroupId,
    user: &UserId,
    tiny_id: TinyId,
) -> Outcome<()> {
    let faces = Arc::new(Faces::new());
    change_group(node, app, id, |state, change| {
        if state.member(user, tiny_id).is_none() {
            return Ok(());
        }
        let group = state.reference(app.id(), id)?;
        let act = Act { node, group, operator: user.as_str(), faces: &faces };
        let how = Moving { kind: TipKind::Quit, tip: true, notice: true, reason: "", origin: None };
        Ok(state.leave(&act, std::slice::from_ref(user), &how, change)?)
    })
    .await
}

/// Tells that a group was found full, if that is why nobody came in.
pub(crate) async fn tell_full<R>(
    node: &Node,
    app: &App,
    id: &GroupId,
    outcome: Outcome<R>,
) -> Outcome<R> {
    if let Err(Failure::Refused(error)) = &outcome
        && error.code == ErrorCode::GroupFull
        && let Ok(group) = group(node, app, id).await?.read(|state| state.reference(app.id(), id))
    {
        node.publish(&Event::GroupFull(group));
    }
    outcome
}

/// How many more members a group may have, and whether so many fit.
///
/// # Errors
/// `GroupFull`.
pub(crate) fn check_room(state: &GroupState, newcomers: usize) -> Result<(), Error> {
    let most = state.info()?.max_members as usize;
    if state.members.len() + newcomers > most {
        let info = format!("the group has {} members, at most {most}", state.members.len());
        return Err(Error::with(ErrorCode::GroupFull, info));
    }
    Ok(())
}
