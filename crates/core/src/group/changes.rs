//! What becomes of messages after they were sent: recalled, modified, taken out of one member's history, or hidden
//! from all of them.
//!
//! A message's row is never rewritten. What changes lies in an overlay under the same number and is merged by
//! whoever reads ([`history`]). The head counts changes, so that groups without any pay nothing for them. A log
//! names the messages that were recalled or modified last, each once, for devices that come back.
//!
//! A recalled message that was unread does not count any more, nor does one that its reader takes out of his
//! history: [`uncounted`](super::uncounted).
//!
//! The rows that a change depends on are not in memory. They are read first, and under the lock they are true if
//! no message of the group was changed since; else both is done again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::message::MessageBody;
use teahouse_proto::time::{UnixMillis, UnixSeconds};
use teahouse_store::{Direction, ReadError};

use super::history::{self, Stored};
use super::message::{Faces, GroupSaid};
use super::rules::{self, Standing};
use super::uncounted::Chunks;
use super::{GroupState, change_group};
use crate::app::App;
use crate::caller::{Caller, Who};
use crate::conversation::groups::GroupSummary;
use crate::entity::Change;
use crate::error::Outcome;
use crate::event::{Event, GroupMessageModified, GroupMessageName, GroupMessagesRecalled, Origin};
use crate::node::{Node, decode_row};
use crate::numbers::Numbers;
use crate::pair::changes::{Content, LOG_MAX, Modification};
use crate::rows::{
    ChangeRow, GroupHeadRow, GroupMessageRow, Home, MemberRow, MessageFlags, OverlayRow,
    WithdrawnRow, key,
};

/// Who changes messages.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) user: UserId,
    /// Of a member; nothing: a backend acts.
    pub(crate) tiny_id: Option<TinyId>,
    pub(crate) origin: Option<Origin>,
}

impl Actor {
    /// # Errors
    /// `CallerNotLoggedIn` for a guest.
    pub(crate) fn of(caller: &Caller) -> Result<Self, ErrorCode> {
        let (user, tiny_id) = match caller.who() {
            Who::Admin(admin) => (admin.clone(), None),
            Who::User(identity) => (identity.user.clone(), Some(identity.tiny_id)),
            Who::Guest { .. } | Who::System => return Err(ErrorCode::CallerNotLoggedIn),
        };
        Ok(Self { user, tiny_id, origin: caller.origin_of_both() })
    }

    /// What it is in a group with history, and the first message that it may see.
    ///
    /// # Errors
    /// `GroupPermissionDenied` for a stranger.
    pub(super) fn in_group(&self, state: &GroupState) -> Result<(Standing, u64), Error> {
        let Some(tiny_id) = self.tiny_id else { return Ok((Standing::Backend, 1)) };
        let member = state.member(&self.user, tiny_id).ok_or_else(|| {
            Error::with(ErrorCode::GroupPermissionDenied, "you are not a member of the group")
        })?;
        Ok((Standing::of(member.role()), state.first_seen(member)))
    }

    /// Whether a message is one that it can see: a backend sees all.
    fn sees(&self, stored: &Stored) -> bool {
        self.tiny_id.is_none() || stored.row.is_for(self.tiny_id)
    }

    /// Whether it has sent a message.
    pub(super) fn sent(&self, from: &str, from_tiny_id: u64) -> bool {
        from == self.user.as_str() && self.tiny_id.is_some_and(|own| own.0 == from_tiny_id)
    }
}

impl GroupState {
    /// The first message that a member may see.
    pub(crate) fn first_seen(&self, member: &MemberRow) -> u64 {
        member.first_seq.max(self.head.first_live).max(self.head.cleared + 1)
    }
}

/// Changes a group from rows that are not in memory: `load` reads them for the group with that incarnation, `apply`
/// runs under the lock. It returns nothing if what was loaded does not do, and is then repeated with what is there now.
async fn edit<T, R, L>(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    load: impl Fn(u64) -> L,
    apply: impl Fn(&T, &mut GroupState, &mut Change) -> Outcome<Option<R>>,
) -> Outcome<R>
where
    L: Future<Output = Outcome<T>>,
{
    let version = |state: &GroupState| (state.head.incarnation, state.head.changes);
    loop {
        let entity = super::group(node, app, group).await?;
        let seen = entity.read(|state| state.info().map(|_| version(state)))?;
        // What was changed up to here is read by `load`.
        entity.settled_version().await?;
        let loaded = load(seen.0).await?;
        let apply = |state: &mut GroupState, change: &mut Change| {
            if version(state) == seen { apply(&loaded, state, change) } else { Ok(None) }
        };
        if let Some(result) = change_group(node, app, group, apply).await? {
            return Ok(result);
        }
    }
}

/// Messages as they are now, and what a change of them needs beside.
struct Loaded {
    messages: BTreeMap<u64, Stored>,
    /// Those that do not count any more, of everybody and of the senders.
    uncounted: Chunks,
}

async fn load(
    node: &Node,
    app: &App,
    group: &GroupId,
    incarnation: u64,
    seqs: &[u64],
) -> Outcome<Loaded> {
    let partition = Home::Group(app.id(), group.clone()).partition();
    let mut messages = history::stored_at(node, app, group, incarnation, seqs).await?;
    history::overlays(node, &partition, incarnation, &mut messages).await?;
    let counted = messages.iter().filter_map(|m| Some((m.row.from_tiny_id, m.counted_as()?)));
    let rows = counted.flat_map(|(from, number)| [(None, number), (Some(TinyId(from)), number)]);
    let uncounted = Chunks::load(node, &partition, incarnation, rows).await?;
    Ok(Loaded { messages: messages.into_iter().map(|m| (m.seq, m)).collect(), uncounted })
}

/// Changes of messages under the lock of their group. Nothing is changed before [`Edit::finish`].
struct Edit {
    head: GroupHeadRow,
    now: UnixSeconds,
    uncounted: Chunks,
    writes: Change,
}

impl Edit {
    fn new(state: &GroupState, uncounted: &Chunks, now: UnixMillis) -> Self {
        let head = GroupHeadRow { changes: state.head.changes + 1, ..state.head };
        let (now, uncounted) = (now.seconds(), uncounted.clone());
        Self { head, now, uncounted, writes: Change::default() }
    }

    /// Lays `overlay` over a message; with `is_told`, devices that come back learn of it, else of nothing that it was
    /// before either.
    fn lay_over(&mut self, stored: &Stored, mut overlay: OverlayRow, is_told: bool) {
        let incarnation = self.head.incarnation;
        let logged_as = std::mem::take(&mut overlay.logged_as);
        if logged_as > 0 {
            self.writes.delete(key::group_logged(incarnation, logged_as));
        }
        if is_told {
            let number = self.head.logged + 1;
            if let Some(forgotten) = number.checked_sub(LOG_MAX).filter(|number| *number > 0) {
                self.writes.delete(key::group_logged(incarnation, forgotten));
            }
            let at = self.now.0.max(self.head.logged_at);
            let row = ChangeRow { at, time: stored.row.time, ordinal: stored.seq };
            self.writes.put(key::group_logged(incarnation, number), &row);
            (self.head.logged, self.head.logged_at) = (number, at);
            overlay.logged_as = number;
        }
        self.writes.put(key::group_overlay(incarnation, stored.seq), &overlay);
    }

    /// Recalls a message; its content is gone, and it does not count any more.
    fn recall(&mut self, stored: &Stored, by: &UserId, reason: &str, is_told: bool) {
        let (by, reason) = (by.to_string(), reason.to_owned());
        let withdrawn = Some(WithdrawnRow { by, at: self.now.0, reason });
        let overlay = OverlayRow { withdrawn, modified: None, ..stored.overlay.clone() };
        self.lay_over(stored, overlay, is_told);
        if let Some(number) = stored.counted_as() {
            self.uncounted.recall(TinyId(stored.row.from_tiny_id), number);
            self.head.uncounted_through = self.head.uncounted_through.max(number);
        }
    }

    fn finish(mut self, state: &mut GroupState, change: &mut Change) {
        self.uncounted.write(self.head.incarnation, &mut self.writes);
        self.writes.put(key::head(), &self.head);
        change.take(self.writes);
        state.head = self.head;
    }
}

/// How messages are recalled.
pub(crate) struct Recall<'a> {
    pub(crate) actor: &'a Actor,
    pub(crate) reason: &'a str,
    /// Of whoever recalls.
    pub(crate) faces: Arc<Faces>,
    /// For how long members may recall their own messages, seconds.
    pub(crate) within_s: u32,
}

/// What became of each message that was to be recalled, in the order of the request.
pub(crate) type Recalls = Vec<(u64, Result<(), Error>)>;

/// Recalls messages of a group with history: each keeps its place, and its content is gone.
///
/// # Errors
/// `GroupNotFound`, `GroupPermissionDenied`. Of a single message: `GroupMessageUnknown`, `MessageNotRecallable` for a
/// tip and for one that is recalled already, and those of [`rules::may_recall`].
pub(crate) async fn recall(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    seqs: &[u64],
    recall: &Recall<'_>,
) -> Outcome<Recalls> {
    let load = |incarnation| load(node, app, group, incarnation, seqs);
    edit(node, app, group, load, |loaded, state, change| {
        let now = node.now();
        let (standing, first) = recall.actor.in_group(state)?;
        let mut edit = Edit::new(state, &loaded.uncounted, now);
        let (mut recalls, mut told) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for seq in seqs {
            let is_there =
                |m: &&Stored| m.seq >= first.max(state.first_kept()) && recall.actor.sees(m);
            let Some(stored) = loaded.messages.get(seq).filter(is_there) else {
                recalls.push((*seq, Err(ErrorCode::GroupMessageUnknown.into())));
                continue;
            };
            let is_own = recall.actor.sent(&stored.row.from, stored.row.from_tiny_id);
            let age_s = now.seconds().since(UnixSeconds(stored.row.time)).as_secs();
            let allowed = if stored.row.tip.is_some() || stored.is_recalled() {
                Err(ErrorCode::MessageNotRecallable.into())
            } else {
                rules::may_recall(standing, is_own, age_s, recall.within_s)
            };
            if allowed.is_ok() {
                edit.recall(stored, &recall.actor.user, recall.reason, true);
                let name = GroupMessageName::of(stored.seq, &stored.row);
                told.entry(state.audience_of(&stored.row)).or_default().push(name);
            }
            recalls.push((*seq, allowed));
        }
        if !told.is_empty() {
            let group = state.reference(app.id(), group)?;
            for (only_for, messages) in told {
                change.event(Event::GroupMessagesRecalled(Arc::new(GroupMessagesRecalled {
                    group: group.clone(),
                    messages,
                    by: recall.actor.user.to_string(),
                    reason: recall.reason.to_owned(),
                    faces: recall.faces.clone(),
                    origin: recall.actor.origin.clone(),
                    only_for,
                })));
            }
            edit.finish(state, change);
        }
        Ok(Some(recalls))
    })
    .await
}

impl GroupState {
    /// The first message that retention has left.
    fn first_kept(&self) -> u64 {
        self.head.first_live.max(1)
    }

    /// The members who see a message; nobody is named if all do.
    fn audience_of(&self, row: &GroupMessageRow) -> Vec<UserId> {
        let sees = |member: &MemberRow| row.is_for(Some(TinyId(member.tiny_id)));
        match row.only_for.is_empty() {
            true => Vec::new(),
            false => {
                let members = self.members.iter().filter(|(_, member)| sees(member));
                members.map(|(user, _)| user.clone()).collect()
            }
        }
    }
}

/// Replaces what a message says.
///
/// # Errors
/// `GroupNotFound`, `GroupPermissionDenied`; `ModifiedMessageUnknown` for a tip, too; `AlreadyRecalled`; those of
/// [`Modification::apply`].
pub(crate) async fn modify(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    seq: u64,
    actor: &Actor,
    modification: &Modification,
) -> Outcome<Content> {
    let load = |incarnation| load(node, app, group, incarnation, std::slice::from_ref(&seq));
    edit(node, app, group, load, |loaded, state, change| {
        let (_, first) = actor.in_group(state)?;
        let first = first.max(state.first_kept());
        let is_there = |m: &&Stored| m.seq >= first && m.row.tip.is_none() && actor.sees(m);
        let stored = loaded.messages.get(&seq).filter(is_there);
        let stored = stored.ok_or(ErrorCode::ModifiedMessageUnknown)?;
        if stored.is_recalled() {
            return Err(ErrorCode::AlreadyRecalled.into());
        }
        let content = modification.apply(stored.content()?)?;
        let mut edit = Edit::new(state, &loaded.uncounted, node.now());
        let overlay = OverlayRow { modified: Some(content.row()), ..stored.overlay.clone() };
        edit.lay_over(stored, overlay, true);
        change.event(Event::GroupMessageModified(Arc::new(GroupMessageModified {
            group: state.reference(app.id(), group)?,
            message: GroupMessageName::of(seq, &stored.row),
            from: stored.row.from.clone(),
            body: content.msg_body.clone(),
            version: content.msg_version,
            cloud_custom_data: content.cloud_custom_data.clone(),
            origin: actor.origin.clone(),
            only_for: state.audience_of(&stored.row),
        })));
        edit.finish(state, change);
        Ok(Some(content))
    })
    .await
}

impl Stored {
    /// What it says now.
    fn content(&self) -> Result<Content, ReadError> {
        let (body, custom_data, msg_version) = match &self.overlay.modified {
            Some(modified) => (&modified.body, &modified.cloud_custom_data, modified.version),
            None => (&self.row.body, &self.row.cloud_custom_data, 0),
        };
        let msg_body = MessageBody::from_stored(body.clone())
            .map_err(|problem| ReadError::Corrupt(format!("a stored message: {problem}")))?;
        Ok(Content { msg_body, msg_version, cloud_custom_data: custom_data.clone() })
    }
}

/// Recalls what somebody has sent among the last messages of a group. Nobody is told.
///
/// # Errors
/// `GroupNotFound`.
pub(crate) async fn recall_silently(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    sender: &UserId,
    by: &UserId,
) -> Outcome<()> {
    const LOOKED_THROUGH_MAX: u64 = 1_000;
    const MESSAGES_A_COMMIT: usize = 100;
    let entity = super::group(node, app, group).await?;
    let (of, last) = entity.read(|state| -> Result<_, Error> {
        state.info()?;
        Ok((state.head.incarnation, state.head.last))
    })?;
    let seqs: Vec<u64> = (last.saturating_sub(LOOKED_THROUGH_MAX) + 1..=last).collect();
    let latest = history::stored_at(node, app, group, of, &seqs).await?;
    let is_meant = |m: &&Stored| m.row.from == sender.as_str() && m.row.tip.is_none();
    let seqs: Vec<u64> = latest.iter().filter(is_meant).map(|m| m.seq).collect();
    for seqs in seqs.chunks(MESSAGES_A_COMMIT) {
        let load = |incarnation| load(node, app, group, incarnation, seqs);
        edit(node, app, group, load, |loaded, state, change| {
            // Another group since: nothing of it was meant.
            if state.head.incarnation != of {
                return Ok(Some(()));
            }
            let mut edit = Edit::new(state, &loaded.uncounted, node.now());
            let left = loaded.messages.values().filter(|m| m.seq >= state.first_kept());
            left.filter(|m| !m.is_recalled()).for_each(|m| edit.recall(m, by, "", false));
            edit.finish(state, change);
            Ok(Some(()))
        })
        .await?;
    }
    Ok(())
}

/// Hides the messages up to `through`, or all there are, from members.
///
/// # Errors
/// `GroupNotFound`.
pub(crate) async fn clear(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    through: Option<u64>,
) -> Outcome<()> {
    change_group(node, app, group, |state, change| {
        state.info()?;
        let last = state.head.last;
        state.head.cleared = state.head.cleared.max(through.unwrap_or(last).min(last));
        change.put(key::head(), &state.head);
        Ok(())
    })
    .await
}

/// Takes messages out of one member's history. The others keep them.
///
/// # Errors
/// `GroupNotFound`, `GroupPermissionDenied`; `DeletedMessageUnknown` when he sees none of them;
/// `MessageNotDeletable` when one of them is a tip.
pub(crate) async fn delete(
    node: &Arc<Node>,
    app: &App,
    summary: &GroupSummary,
    account: (&UserId, TinyId),
    seqs: &[u64],
) -> Outcome<()> {
    let ((user, tiny_id), group) = (account, &summary.group);
    let partition = Home::Group(app.id(), group.clone()).partition();
    let load = |incarnation| {
        let partition = &partition;
        async move {
            let messages = history::stored_at(node, app, group, incarnation, seqs).await?;
            let numbers = messages.iter().filter_map(Stored::counted_as);
            let rows = numbers.map(|number| (Some(tiny_id), number));
            let uncounted = Chunks::load(node, partition, incarnation, rows).await?;
            let all = seqs.iter().copied();
            let deleted = history::deleted(node, partition, incarnation, tiny_id, all).await?;
            let shown = shown_to(node, app, group, user).await?;
            let before = match shown.filter(|(_, shown)| seqs.contains(shown)) {
                Some((_, shown)) => shown_before(node, app, summary, shown, seqs).await?,
                None => None,
            };
            Ok((messages, uncounted, deleted, shown, before))
        }
    };
    edit(node, app, group, load, |(messages, uncounted, deleted, shown, before), state, change| {
        let member = state.member(user, tiny_id).ok_or(ErrorCode::GroupPermissionDenied)?;
        if state.shown_to(member) != *shown {
            // Another last message than when it was looked for.
            return Ok(None);
        }
        let (mut member, first) = (member.clone(), state.first_seen(member));
        let is_seen =
            |m: &&Stored| m.seq >= first && !deleted.contains(m.seq) && m.row.is_for(Some(tiny_id));
        let there: Vec<&Stored> = messages.iter().filter(is_seen).collect();
        if there.is_empty() {
            return Err(ErrorCode::DeletedMessageUnknown.into());
        }
        if let Some(tip) = there.iter().find(|m| m.row.tip.is_some()) {
            let info = format!("message {} tells what happened, and stays", tip.seq);
            return Err(Error::with(ErrorCode::MessageNotDeletable, info).into());
        }
        let (mut edit, mut deleted) = (Edit::new(state, uncounted, node.now()), deleted.clone());
        for stored in &there {
            deleted.insert(stored.seq);
            let is_own = stored.row.from_tiny_id == tiny_id.0;
            if let Some(number) = stored.counted_as().filter(|_| !is_own) {
                edit.uncounted.delete(tiny_id, number);
                member.uncounted_through = member.uncounted_through.max(number);
            }
        }
        if let Some((seq, time)) = before {
            member.shown_for = state.head.shown;
            (member.shown, member.shown_time) = (*seq, time.0);
        }
        let incarnation = state.head.incarnation;
        let chunks: BTreeSet<u64> = there.iter().map(|m| Numbers::chunk_of(m.seq)).collect();
        for chunk in chunks {
            let row = deleted.row(chunk);
            edit.writes.put(key::group_deleted(incarnation, chunk, tiny_id), &row);
        }
        edit.writes.put(key::member(incarnation, user), &member);
        edit.finish(state, change);
        state.members.insert(user.clone(), member);
        Ok(Some(()))
    })
    .await
}

impl GroupState {
    /// The last message that lists show, and the one that a member's list shows instead.
    fn shown_to(&self, member: &MemberRow) -> Option<(u64, u64)> {
        let (shown, _) = member.shown_of(&self.head);
        (shown > 0).then_some((self.head.shown, shown))
    }
}

impl MemberRow {
    /// Sequence number and second of the last message that the member's list shows; 0 if there is none.
    pub(crate) fn shown_of(&self, head: &GroupHeadRow) -> (u64, UnixSeconds) {
        if self.shown_for > 0 && self.shown_for == head.shown {
            (self.shown, UnixSeconds(self.shown_time))
        } else {
            (head.shown, UnixSeconds(head.shown_time))
        }
    }
}

async fn shown_to(
    node: &Node,
    app: &App,
    group: &GroupId,
    user: &UserId,
) -> Outcome<Option<(u64, u64)>> {
    let entity = super::group(node, app, group).await?;
    Ok(entity.read(|state| state.shown_to(state.members.get(user)?)))
}

/// Messages that are looked through at most for one that a list can show, and how many at once.
const LOOKED_THROUGH_MAX: u64 = 1_000;
const LOOKED_THROUGH_AT_ONCE: u64 = 100;

/// The last message before `shown` that a member's list can show. Nothing if there is none, or none near: then the
/// list goes on with the conversation and no message of it.
async fn shown_before(
    node: &Node,
    app: &App,
    summary: &GroupSummary,
    shown: u64,
    deleted: &[u64],
) -> Outcome<Option<(u64, UnixSeconds)>> {
    let lowest = shown.saturating_sub(LOOKED_THROUGH_MAX).max(summary.row.hidden_through);
    let mut wanted = summary.wanted(app, LOOKED_THROUGH_AT_ONCE);
    wanted.is_changed = true;
    wanted.first = wanted.first.max(lowest + 1);
    wanted.last = shown - 1;
    while wanted.last >= wanted.first {
        let page = history::page(node, app, &wanted).await?;
        let can_be_shown = |m: &&GroupSaid| {
            !MessageFlags(m.row.flags).has(MessageFlags::NO_LAST) && !deleted.contains(&m.seq)
        };
        if let Some(found) = page.messages.iter().find(can_be_shown) {
            return Ok(Some((found.seq, UnixSeconds(found.row.time))));
        }
        wanted.last = page.first - 1;
    }
    Ok(None)
}

/// Messages of a conversation that were recalled or modified at `since` or later, as they are now, the oldest change
/// first; of the last ones that the log has, up to the moment of the summary.
pub(crate) async fn changed_since(
    node: &Node,
    app: &App,
    summary: &GroupSummary,
    since: UnixSeconds,
) -> Outcome<Vec<GroupSaid>> {
    let head = &summary.head;
    if head.logged == 0 || head.logged_at < since.0 {
        return Ok(Vec::new());
    }
    let partition = Home::Group(app.id(), summary.group.clone()).partition();
    let logged = |number| key::group_logged(head.incarnation, number);
    let (from, to) = (logged(0), logged(head.logged + 1));
    let limit = usize::try_from(LOG_MAX).expect("small");
    let rows = node.store().scan(&partition, &from..&to, Direction::Descending, limit).await?;
    let mut seqs = Vec::new();
    for row in &rows {
        let change: ChangeRow = decode_row(&row.value)?;
        if change.at < since.0 {
            break;
        }
        seqs.push(change.ordinal);
    }
    seqs.reverse();
    history::at(node, app, &summary.wanted(app, 1), &seqs).await
}
