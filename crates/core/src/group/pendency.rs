//! Who is to come into a group and waits for a decision: applications, and invitations that need somebody's
//! consent.
//!
//! What is asked, and what was answered, is a row of the group, in memory while the group is: of each candidate
//! one of each type, so that a newer one takes the place of an older. Who decides has a row that names it, so a
//! list is one scan of the user's rows and one batched read; a decision rewrites nothing but the group's row.
//! Both are forgotten after a while (a setting of the app).

use std::sync::Arc;

use bytes::Bytes;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::GroupType;
use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::time::UnixMillis;
use teahouse_store::{Direction, Partition};

use super::GroupState;
use super::message::GroupRef;
use super::rules::Standing;
use crate::account;
use crate::app::App;
use crate::entity::{Change, in_parallel};
use crate::error::Outcome;
use crate::event::{Event, JoinAsked};
use crate::node::{Node, decode_row};
use crate::rows::{
    AnswerRow, DeciderRow, GroupHeadRow, GroupInfoRow, Home, Job, ListPendenciesJob, ListedRow,
    MemberRow, PendencyRow, key,
};
use crate::settings::AppSettings;

/// What a group keeps of applications and invitations.
const PENDENCIES_MAX: usize = 1_000;
/// What a user finds of them in his list; of more, the oldest go.
const LISTED_MAX: usize = 100;
/// What is forgotten in one commit, when something is asked.
const FORGOTTEN_AT_ONCE: usize = 256;
const MS_A_DAY: u64 = 86_400_000;

/// What is asked, and who decides. The numbers are stored, and those of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PendencyType {
    /// Somebody applies; owner and admins decide.
    Application = 0,
    /// Somebody is invited and decides for himself.
    Consent = 1,
    /// A member invites somebody; owner and admins decide.
    Approval = 2,
}

impl PendencyType {
    pub(crate) const ALL: [Self; 3] = [Self::Application, Self::Consent, Self::Approval];

    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// Somebody is to come in.
#[derive(Debug, Clone)]
pub(crate) struct Asking<'a> {
    pub(crate) kind: PendencyType,
    /// Who would come in.
    pub(crate) user: &'a UserId,
    pub(crate) tiny_id: TinyId,
    /// Who invites him; nobody if he applies.
    pub(crate) inviter: &'a str,
    pub(crate) wording: &'a str,
}

/// What was asked before this time is forgotten.
pub(crate) fn since(settings: &AppSettings, now: UnixMillis) -> u64 {
    now.0.saturating_sub(u64::from(settings.group_pendency_days) * MS_A_DAY)
}

impl GroupState {
    /// Whether so much more may wait for a decision.
    ///
    /// # Errors
    /// `GroupTooFrequent`
    pub(crate) fn check_pendencies(
        &self,
        settings: &AppSettings,
        now: UnixMillis,
        more: usize,
    ) -> Result<(), Error> {
        let since = since(settings, now);
        let is_open = |row: &&PendencyRow| row.answer.is_none() && row.asked_ms >= since;
        if self.pendencies.values().filter(is_open).count() + more > PENDENCIES_MAX {
            let info = format!("{PENDENCIES_MAX} applications and invitations wait for a decision");
            return Err(Error::with(ErrorCode::GroupTooFrequent, info));
        }
        Ok(())
    }

    /// Asks those who decide. The caller has checked that it may be asked, and that there is room for it.
    pub(crate) fn ask(
        &mut self,
        node: &Node,
        settings: &AppSettings,
        group: &GroupRef,
        asking: &Asking<'_>,
        change: &mut Change,
    ) {
        let Asking { kind, user, tiny_id, inviter, wording } = asking;
        let name = (*kind, (*user).clone());
        self.forget_pendencies(since(settings, node.now()), change);
        // Two that follow each other within a millisecond are still two.
        let before = self.pendencies.get(&name).map_or(0, |row| row.asked_ms);
        let row = PendencyRow {
            tiny_id: tiny_id.0,
            asked_ms: node.now().0.max(before + 1),
            wording: (*wording).to_owned(),
            inviter: (*inviter).to_owned(),
            answer: None,
        };
        change.put(key::pendency(self.head.incarnation, *kind, user), &row);
        let deciders = self.deciders(*kind, user, *tiny_id);
        let listed = vec![listed(&group.id, &name, &row)];
        change.event(Event::JoinAsked(JoinAsked {
            group: group.clone(),
            kind: *kind,
            user: (*user).clone(),
            inviter: (*inviter).to_owned(),
            wording: (*wording).to_owned(),
            asked_ms: row.asked_ms,
            deciders: deciders.iter().filter_map(|to| UserId::parse(&to.user).ok()).collect(),
        }));
        change.job(node, Job::ListPendencies(ListPendenciesJob { deciders, listed }));
        self.pendencies.insert(name, row);
    }

    /// Makes room: what is too old goes, or if there is none what was answered first.
    fn forget_pendencies(&mut self, since: u64, change: &mut Change) {
        let old = self.pendencies.iter().filter(|(_, row)| row.asked_ms < since);
        let mut gone: Vec<_> = old.map(|(name, _)| name.clone()).take(FORGOTTEN_AT_ONCE).collect();
        if gone.is_empty() && self.pendencies.len() >= PENDENCIES_MAX {
            let answered = self.pendencies.iter().filter(|(_, row)| row.answer.is_some());
            gone.extend(answered.min_by_key(|(_, row)| row.asked_ms).map(|(name, _)| name.clone()));
        }
        for name in gone {
            change.delete(key::pendency(self.head.incarnation, name.0, &name.1));
            self.pendencies.remove(&name);
        }
    }

    /// Who decides now: the candidate on whom it depends, else owner and admins.
    fn deciders(&self, kind: PendencyType, user: &UserId, tiny_id: TinyId) -> Vec<DeciderRow> {
        if kind == PendencyType::Consent {
            return vec![DeciderRow { user: user.to_string(), tiny_id: tiny_id.0 }];
        }
        let manages = |member: &MemberRow| Standing::of(member.role()).manages();
        let managers = self.members.iter().filter(|(_, member)| manages(member));
        let decider = |(user, member): (&UserId, &MemberRow)| DeciderRow {
            user: user.to_string(),
            tiny_id: member.tiny_id,
        };
        managers.map(decider).collect()
    }

    /// Lets a new owner or admin find what is still to decide.
    pub(crate) fn list_pendencies_for(
        &self,
        node: &Node,
        group: &GroupId,
        user: &UserId,
        change: &mut Change,
    ) {
        let Some(member) = self.members.get(user) else { return };
        let is_open = |name: &PendencyType, row: &PendencyRow| {
            *name != PendencyType::Consent && row.answer.is_none()
        };
        let open = self.pendencies.iter().filter(|(name, row)| is_open(&name.0, row));
        let mut listed: Vec<ListedRow> = open.map(|(name, row)| listed(group, name, row)).collect();
        if listed.is_empty() {
            return;
        }
        listed.sort_by_key(|row| std::cmp::Reverse(row.asked_ms));
        listed.truncate(LISTED_MAX);
        let deciders = vec![DeciderRow { user: user.to_string(), tiny_id: member.tiny_id }];
        change.job(node, Job::ListPendencies(ListPendenciesJob { deciders, listed }));
    }

    /// What waits for a decision.
    ///
    /// # Errors
    /// `ApplicationHandled` if that is not so (any more).
    pub(crate) fn open_pendency(
        &self,
        kind: PendencyType,
        user: &UserId,
        since: u64,
    ) -> Result<&PendencyRow, Error> {
        let row = self.pendencies.get(&(kind, user.clone()));
        let is_open = |row: &&PendencyRow| row.answer.is_none() && row.asked_ms >= since;
        row.filter(is_open).ok_or_else(|| ErrorCode::ApplicationHandled.into())
    }

    /// Notes a decision.
    pub(crate) fn decide(
        &mut self,
        kind: PendencyType,
        user: &UserId,
        by: &str,
        accepted: bool,
        change: &mut Change,
    ) {
        let Some(row) = self.pendencies.get_mut(&(kind, user.clone())) else { return };
        if row.answer.is_none() {
            row.answer = Some(AnswerRow { by: by.to_owned(), accepted });
            change.put(key::pendency(self.head.incarnation, kind, user), row);
        }
    }

    /// Whatever was asked about somebody is decided: he is in, or may not come in.
    pub(crate) fn decide_all(
        &mut self,
        user: &UserId,
        by: &str,
        accepted: bool,
        change: &mut Change,
    ) {
        for kind in PendencyType::ALL {
            self.decide(kind, user, by, accepted, change);
        }
    }
}

fn listed(group: &GroupId, (kind, user): &(PendencyType, UserId), row: &PendencyRow) -> ListedRow {
    ListedRow {
        group: group.to_string(),
        kind: *kind as u32,
        user: user.to_string(),
        asked_ms: row.asked_ms,
    }
}

/// Puts what is to decide into the lists of those who decide; carried out by the outbox.
pub(crate) async fn list(node: &Arc<Node>, app: SdkAppId, job: &ListPendenciesJob) -> Outcome<()> {
    const AT_ONCE: usize = 16;
    let Some(app) = node.app(app) else { return Ok(()) };
    let listings = in_parallel(job.deciders.clone(), AT_ONCE, |decider| {
        let app = app.clone();
        async move { list_for(node, &app, job, &decider).await }
    });
    listings.await.into_iter().collect()
}

async fn list_for(
    node: &Arc<Node>,
    app: &App,
    job: &ListPendenciesJob,
    decider: &DeciderRow,
) -> Outcome<()> {
    let Ok(user) = UserId::parse(&decider.user) else { return Ok(()) };
    let there = scan(node, app, &user, u64::MAX).await?;
    account::change_user(node, app, &user, |state, change| {
        if state.tiny_id() != Some(TinyId(decider.tiny_id)) {
            return Ok(());
        }
        let new: Vec<Bytes> = job.listed.iter().map(key::listed_pendency).collect();
        new.iter().zip(&job.listed).for_each(|(key, row)| change.put(key.clone(), row));
        let kept = LISTED_MAX.saturating_sub(new.len());
        let old = there.iter().filter(|(key, _)| !new.contains(key));
        old.skip(kept).for_each(|(key, _)| change.delete(key.clone()));
        Ok(())
    })
    .await
}

/// What is in a user's list since `through`, the newest first.
async fn scan(
    node: &Node,
    app: &App,
    user: &UserId,
    through: u64,
) -> Outcome<Vec<(Bytes, ListedRow)>> {
    // A few more than are kept: two groups may have listed something at the same time.
    const READ: usize = 2 * LISTED_MAX;
    let partition = Home::User(app.id(), user.clone()).partition();
    let (from, to) = key::listed_pendencies(through);
    let rows = node.store().scan(&partition, &from..&to, Direction::Descending, READ).await?;
    rows.into_iter().map(|row| Ok((row.key, decode_row(&row.value)?))).collect()
}

/// One entry of a user's list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) group: GroupId,
    pub(crate) group_name: String,
    pub(crate) is_community: bool,
    pub(crate) kind: PendencyType,
    /// Who would come in.
    pub(crate) user: UserId,
    pub(crate) row: PendencyRow,
}

/// What a user has to decide, and what was decided of it, the newest first: what was asked until `through`.
pub(crate) async fn listed_for(
    node: &Node,
    app: &App,
    (user, tiny_id): (&UserId, TinyId),
    through: u64,
) -> Outcome<Vec<Listed>> {
    let since = since(&app.facts().settings, node.now());
    let mut named = Vec::new();
    for (_, row) in scan(node, app, user, through).await? {
        let names = (GroupId::parse(&row.group), UserId::parse(&row.user));
        if let ((Ok(group), Ok(candidate)), Some(kind)) =
            (names, PendencyType::from_number(row.kind))
            && row.asked_ms >= since
        {
            named.push((group, kind, candidate, row.asked_ms));
        }
    }
    let partitions: Vec<Partition> =
        named.iter().map(|(group, ..)| Home::Group(app.id(), group.clone()).partition()).collect();
    let heads: Vec<_> =
        partitions.iter().map(|partition| (partition.clone(), key::head())).collect();
    let heads = node.store().get_many(&heads).await?;
    let mut there = Vec::new();
    let mut keys = Vec::new();
    for ((entry, partition), head) in named.into_iter().zip(partitions).zip(heads) {
        let head: GroupHeadRow = head.map(|row| decode_row(&row)).transpose()?.unwrap_or_default();
        if head.incarnation > 0 && head.dismissed_ms == 0 {
            let row = key::pendency(head.incarnation, entry.1, &entry.2);
            let member = key::member(head.incarnation, user);
            let rows = [row, key::group_info(head.incarnation), member];
            keys.extend(rows.map(|key| (partition.clone(), key)));
            there.push(entry);
        }
    }
    let found = node.store().get_many(&keys).await?;
    let mut list = Vec::new();
    for ((group, kind, candidate, asked_ms), found) in there.into_iter().zip(found.chunks_exact(3))
    {
        let [Some(row), Some(info), member] = found else { continue };
        let (row, info): (PendencyRow, GroupInfoRow) = (decode_row(row)?, decode_row(info)?);
        let member: Option<MemberRow> = member.as_ref().map(|row| decode_row(row)).transpose()?;
        let decides = match kind {
            PendencyType::Consent => candidate == *user && row.tiny_id == tiny_id.0,
            PendencyType::Application | PendencyType::Approval => member.is_some_and(|member| {
                member.tiny_id == tiny_id.0 && Standing::of(member.role()).manages()
            }),
        };
        // Of what was asked again only the latest is listed.
        if decides && row.asked_ms == asked_ms {
            let is_community = info.kind() == GroupType::Community;
            let group_name = info.name;
            list.push(Listed { group, group_name, is_community, kind, user: candidate, row });
        }
    }
    Ok(list)
}
