//! Extensions of and reactions to messages of a group.
//!
//! What a change depends on is not in memory. It is read first, and under the lock it is true if no message of the
//! group was changed and nothing was attached to one since; else both is done again. Changes of one group take turns,
//! so that a hundred members who react at once do not make each other repeat.

use std::collections::BTreeMap;
use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::push::ExtensionChange;
use teahouse_store::Partition;

use super::changes::Actor;
use super::history::{self, Recalled, Stored};
use super::message::GroupRef;
use super::{GroupState, change_group};
use crate::app::App;
use crate::attached::extensions::{self, Extensions, Outcomes, Page, Shelf, Write};
use crate::attached::reactions::{self, React, Reaction};
use crate::entity::Change;
use crate::error::Outcome;
use crate::event::{AttachedTo, Event, ExtensionsChanged, GroupMessageName, ReactionsChanged};
use crate::node::{Node, decode_row};
use crate::rows::{
    GroupMessageRow, GroupReactionRow, GroupReactionsRow, Home, MemberRow, MessageFlags, key,
};

/// The messages of a group that somebody may see.
pub(crate) struct Sight {
    pub(super) group: GroupRef,
    pub(super) incarnation: u64,
    pub(super) partition: Partition,
    first: u64,
    last: u64,
    /// Something may lie beside the messages.
    is_changed: bool,
    /// Sees what is meant for him; nothing: what is meant for anybody.
    viewer: Option<TinyId>,
}

impl Sight {
    /// All that the group has.
    ///
    /// # Errors
    /// `GroupNotFound`; `GroupPermissionDenied` in a group without history.
    pub(super) async fn whole(node: &Node, app: &App, group: &GroupId) -> Outcome<Self> {
        Self::from(node, app, group, None, |_| Ok(1)).await
    }

    /// What `actor` may see.
    ///
    /// # Errors
    /// Those of [`Sight::whole`]; `GroupPermissionDenied` for a stranger.
    pub(super) async fn of(
        node: &Node,
        app: &App,
        group: &GroupId,
        actor: &Actor,
    ) -> Outcome<Self> {
        let first = |state: &GroupState| Ok(actor.in_group(state)?.1);
        Self::from(node, app, group, actor.tiny_id, first).await
    }

    async fn from(
        node: &Node,
        app: &App,
        group: &GroupId,
        viewer: Option<TinyId>,
        first: impl FnOnce(&GroupState) -> Result<u64, Error>,
    ) -> Outcome<Self> {
        let entity = super::group(node, app, group).await?;
        let sight = entity.read(|state| -> Result<Self, Error> {
            let rules = state.rules()?;
            rules.offers(rules.stored)?;
            Ok(Self {
                group: state.reference(app.id(), group)?,
                incarnation: state.head.incarnation,
                partition: partition(app, group),
                first: first(state)?.max(state.head.first_live),
                last: state.head.last,
                is_changed: state.head.changes > 0,
                viewer,
            })
        })?;
        Ok(sight)
    }

    /// The messages under these numbers as they are now, in their order; nothing for a tip, for one that is recalled or
    /// may not be seen, and for one that is not there.
    pub(super) async fn messages(
        &self,
        node: &Node,
        app: &App,
        seqs: &[u64],
    ) -> Outcome<Vec<Option<Stored>>> {
        let (group, incarnation) = (&self.group.id, self.incarnation);
        let mut stored = history::stored_at(node, app, group, incarnation, seqs).await?;
        if self.is_changed {
            history::overlays(node, &self.partition, incarnation, &mut stored).await?;
        }
        stored.retain(|message| {
            let is_there = (self.first..=self.last).contains(&message.seq);
            is_there && !message.is_recalled() && message.row.may_be_seen(self.viewer)
        });
        let mut found: BTreeMap<u64, Stored> = stored.into_iter().map(|m| (m.seq, m)).collect();
        found.values_mut().for_each(|message| message.lay_over(Recalled::Out));
        Ok(seqs.iter().map(|seq| found.get(seq).cloned()).collect())
    }
}

impl GroupMessageRow {
    /// Whether it is a message, and one that `viewer` sees; nobody in particular sees all.
    fn may_be_seen(&self, viewer: Option<TinyId>) -> bool {
        self.tip.is_none() && viewer.is_none_or(|viewer| self.is_for(Some(viewer)))
    }
}

pub(super) fn partition(app: &App, group: &GroupId) -> Partition {
    Home::Group(app.id(), group.clone()).partition()
}

/// Changes what is attached to messages: `load` reads it for the group with that incarnation, `apply` runs under the
/// lock. It returns nothing if what was loaded does not do, and is then repeated with what is there now.
pub(super) async fn edit<T, R, L>(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    load: impl Fn(u64) -> L,
    apply: impl Fn(&T, &mut GroupState, &mut Change) -> Outcome<R>,
) -> Outcome<R>
where
    L: Future<Output = Outcome<T>>,
{
    let version = |state: &GroupState| (state.head.incarnation, state.head.changes, state.attached);
    let work = async {
        loop {
            let entity = super::group(node, app, group).await?;
            let seen = entity.read(|state| state.info().map(|_| version(state)))?;
            // What was changed up to here is read by `load`.
            entity.settled_version().await?;
            let loaded = load(seen.0).await?;
            let apply = |state: &mut GroupState, change: &mut Change| {
                if version(state) != seen {
                    return Ok(None);
                }
                let result = apply(&loaded, state, change)?;
                state.attached = state.attached.wrapping_add(1);
                Ok(Some(result))
            };
            if let Some(result) = change_group(node, app, group, apply).await? {
                return Ok(result);
            }
        }
    };
    app.attaching.run(group, work).await
}

impl GroupState {
    /// The message, if it is one that `actor` may attach something to.
    ///
    /// # Errors
    /// `ExtensionTargetUnknown`; `GroupPermissionDenied` for a stranger, and in a group without history.
    fn attachable<'a>(
        &self,
        actor: &Actor,
        seq: u64,
        row: Option<&'a GroupMessageRow>,
    ) -> Result<&'a GroupMessageRow, Error> {
        let rules = self.rules()?;
        rules.offers(rules.stored)?;
        let first = actor.in_group(self)?.1.max(self.head.first_live);
        let row = row.filter(|row| seq >= first && row.may_be_seen(actor.tiny_id));
        row.ok_or_else(|| ErrorCode::ExtensionTargetUnknown.into())
    }

    /// As events name a message, with who sees it.
    fn attached_to(
        &self,
        app: &App,
        group: &GroupId,
        seq: u64,
        row: &GroupMessageRow,
    ) -> Result<AttachedTo, Error> {
        let sees = |member: &MemberRow| row.is_for(Some(TinyId(member.tiny_id)));
        let named = || self.members.iter().filter(|(_, member)| sees(member));
        let users = || named().map(|(user, _)| user.clone()).collect();
        Ok(AttachedTo::Group {
            group: self.reference(app.id(), group)?,
            message: GroupMessageName::of(seq, row),
            only_for: (!row.only_for.is_empty()).then(users),
        })
    }
}

fn shelf(partition: Partition, incarnation: u64, seq: u64) -> Shelf {
    Shelf {
        partition,
        together: key::group_extensions(incarnation, seq),
        single: key::group_extension(incarnation, seq),
    }
}

/// Writes extensions of a message.
///
/// # Errors
/// `GroupNotFound`, `GroupPermissionDenied`, `ExtensionTargetUnknown`, `ExtensionsUnsupported`; those of
/// [`Extensions::write`].
pub(crate) async fn write_extensions(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    seq: u64,
    actor: &Actor,
    (change, writes): (ExtensionChange, &[Write]),
) -> Outcome<Outcomes> {
    let partition = partition(app, group);
    let load = |incarnation| {
        let shelf = shelf(partition.clone(), incarnation, seq);
        async move {
            let row = message_at(node, app, group, incarnation, seq).await?;
            let present = extensions::load(node, &shelf, writes).await?;
            Ok((row, shelf, present))
        }
    };
    type Loaded = (Option<GroupMessageRow>, Shelf, Extensions);
    edit(node, app, group, load, |(row, shelf, present): &Loaded, state, commit| {
        let row = extensible(state.attachable(actor, seq, row.as_ref())?)?;
        let now = node.now().seconds();
        let (outcomes, told) = present.write(shelf, change, writes, now, commit)?;
        if let Some(told) = told {
            commit.event(Event::ExtensionsChanged(Arc::new(ExtensionsChanged {
                message: state.attached_to(app, group, seq, row)?,
                told,
                origin: actor.origin.clone(),
            })));
        }
        Ok(outcomes)
    })
    .await
}

/// A message as it was sent, unless it is recalled.
async fn message_at(
    node: &Node,
    app: &App,
    group: &GroupId,
    incarnation: u64,
    seq: u64,
) -> Outcome<Option<GroupMessageRow>> {
    let mut stored = history::stored_at(node, app, group, incarnation, &[seq]).await?;
    history::overlays(node, &partition(app, group), incarnation, &mut stored).await?;
    Ok(stored.pop().filter(|message| !message.is_recalled()).map(|message| message.row))
}

fn extensible(row: &GroupMessageRow) -> Result<&GroupMessageRow, Error> {
    if !MessageFlags(row.flags).has(MessageFlags::EXTENSIBLE) {
        return Err(ErrorCode::ExtensionsUnsupported.into());
    }
    Ok(row)
}

/// The extensions of a message that were written with this number or later.
///
/// # Errors
/// `GroupNotFound`, `GroupPermissionDenied`, `ExtensionTargetUnknown`, `ExtensionsUnsupported`.
pub(crate) async fn read_extensions(
    node: &Node,
    app: &App,
    group: &GroupId,
    seq: u64,
    actor: &Actor,
    from: u64,
) -> Outcome<Page> {
    let sight = Sight::of(node, app, group, actor).await?;
    let message = sight.messages(node, app, &[seq]).await?.pop().flatten();
    extensible(&message.ok_or(ErrorCode::ExtensionTargetUnknown)?.row)?;
    let shelf = shelf(sight.partition, sight.incarnation, seq);
    Ok(extensions::load_all(node, &shelf).await?.page(from))
}

impl Reaction for GroupReactionRow {
    type User = UserId;

    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), users: Vec::new() }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn is_given_by(&self, user: &UserId) -> bool {
        self.users.iter().any(|other| other == user.as_str())
    }

    fn set(&mut self, user: &UserId, gives: bool) {
        match gives {
            true => self.users.push(user.to_string()),
            false => self.users.retain(|other| other != user.as_str()),
        }
    }

    fn users(&self) -> usize {
        self.users.len()
    }
}

impl GroupReactionRow {
    /// Who gives it, the first one first.
    pub(crate) fn given_by(&self) -> Vec<UserId> {
        self.users.iter().filter_map(|user| UserId::parse(user).ok()).collect()
    }
}

/// Lets a member react to a message, or take that back.
///
/// # Errors
/// `GroupNotFound`, `GroupPermissionDenied`, `ExtensionTargetUnknown`; those of [`reactions::change`].
pub(crate) async fn react(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    seq: u64,
    actor: &Actor,
    (react, name): (React, &str),
) -> Outcome<()> {
    let partition = &partition(app, group);
    let load = |incarnation| async move {
        let row = message_at(node, app, group, incarnation, seq).await?;
        let stored = node.store().get(partition, &key::group_reactions(incarnation, seq)).await?;
        let stored: Option<GroupReactionsRow> = stored.map(|row| decode_row(&row)).transpose()?;
        Ok((row, stored.unwrap_or_default()))
    };
    type Loaded = (Option<GroupMessageRow>, GroupReactionsRow);
    edit(node, app, group, load, |(row, stored): &Loaded, state, change| {
        let row = state.attachable(actor, seq, row.as_ref())?;
        let mut stored = stored.clone();
        let reaction = reactions::change(&mut stored.reactions, name, &actor.user, react)?;
        change.put(key::group_reactions(state.head.incarnation, seq), &stored);
        change.event(Event::ReactionsChanged(Arc::new(ReactionsChanged {
            message: state.attached_to(app, group, seq, row)?,
            reaction: name.to_owned(),
            users: reaction.given_by(),
            origin: actor.origin.clone(),
        })));
        Ok(())
    })
    .await
}

/// The reactions to messages, in the order of `seqs`. A message that may not be seen, or is not there, has none.
///
/// # Errors
/// `GroupNotFound`, `GroupPermissionDenied`.
pub(crate) async fn reactions_to(
    node: &Node,
    app: &App,
    group: &GroupId,
    seqs: &[u64],
    actor: &Actor,
) -> Outcome<Vec<Vec<GroupReactionRow>>> {
    let sight = Sight::of(node, app, group, actor).await?;
    let key = |seq: &u64| (sight.partition.clone(), key::group_reactions(sight.incarnation, *seq));
    let keys: Vec<_> = seqs.iter().map(key).collect();
    let messages = sight.messages(node, app, seqs).await?;
    let found = messages.into_iter().zip(node.store().get_many(&keys).await?);
    let of_message = |(message, row): (Option<Stored>, Option<bytes::Bytes>)| {
        let row = row.filter(|_| message.is_some());
        let row: Option<GroupReactionsRow> = row.map(|row| decode_row(&row)).transpose()?;
        Ok(row.unwrap_or_default().reactions)
    };
    found.map(of_message).collect()
}
