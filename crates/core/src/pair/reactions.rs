//! Reactions to one-to-one messages: both sides give them.

use std::sync::Arc;

use bytes::Bytes;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{MsgKey, UserId};
use teahouse_store::Partition;

use super::Ends;
use super::changes::{self, Edit, SentBy};
use super::history;
use crate::app::App;
use crate::attached::reactions::{self, React, Reaction};
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::event::{AttachedTo, Event, Origin, ReactionsChanged};
use crate::node::{Node, decode_row};
use crate::rows::{Home, MessagePlace, ReactionRow, ReactionsRow, key};

const AT_ONCE: usize = 16;

impl Reaction for ReactionRow {
    /// The high side, or the low one.
    type User = bool;

    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), by_low: false, by_high: false }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn is_given_by(&self, high: &bool) -> bool {
        if *high { self.by_high } else { self.by_low }
    }

    fn set(&mut self, high: &bool, gives: bool) {
        *(if *high { &mut self.by_high } else { &mut self.by_low }) = gives;
    }

    fn users(&self) -> usize {
        usize::from(self.by_low) + usize::from(self.by_high)
    }
}

impl ReactionRow {
    /// Who gives it, of the pair `ends`.
    pub(crate) fn given_by(&self, ends: &Ends) -> Vec<UserId> {
        let (low, high) = match ends.own_is_high() {
            true => (&ends.peer, &ends.own),
            false => (&ends.own, &ends.peer),
        };
        let users = [(self.by_low, low), (self.by_high, high)];
        users.into_iter().filter(|(gives, _)| *gives).map(|(_, user)| user.clone()).collect()
    }
}

async fn row_at(node: &Node, app: &App, ends: &Ends, place: MessagePlace) -> Outcome<ReactionsRow> {
    let partition = Home::Pair(app.id(), ends.pair()).partition();
    let row = node.store().get(&partition, &key::reactions(place)).await?;
    Ok(row.map(|row| decode_row(&row)).transpose()?.unwrap_or_default())
}

/// Lets `user`, one of the two, react to a message that `ends.own` has sent, or take that back.
///
/// # Errors
/// `ExtensionTargetUnknown`: no such message. `ReactionsFull`, `AlreadyReacted`; `ReactionUnknown`,
/// `NotReacted`.
pub(crate) async fn react(
    node: &Arc<Node>,
    app: &App,
    ends: &Ends,
    key: MsgKey,
    user: &UserId,
    (react, name): (React, &str),
    origin: Option<Origin>,
) -> Outcome<()> {
    // Who writes to himself is the low side.
    let high = (*user == ends.own) == ends.own_is_high() && ends.own != ends.peer;
    let load = || async {
        let message = changes::load(node, app, ends, &[key], SentBy::Own).await?;
        let row = match message.first() {
            Some(stored) => row_at(node, app, ends, stored.place()).await?,
            None => ReactionsRow::default(),
        };
        Ok((message, row))
    };
    changes::edit(node, app, ends, load, |(message, row), state, change| {
        let edit = Edit::new(state, message, node.now());
        let stored = edit.message(message, ErrorCode::ExtensionTargetUnknown)?;
        if stored.is_withdrawn() {
            return Err(ErrorCode::ExtensionTargetUnknown.into());
        }
        let mut row = row.clone();
        let reaction = reactions::change(&mut row.reactions, name, &high, react)?;
        change.put(key::reactions(stored.place()), &row);
        change.event(Event::ReactionsChanged(Arc::new(ReactionsChanged {
            message: AttachedTo::C2c(changes::name_of(app, ends, stored, edit.number())),
            reaction: name.to_owned(),
            users: reaction.given_by(ends),
            origin: origin.clone(),
        })));
        edit.finish(state, change);
        Ok(Some(()))
    })
    .await
}

/// The reactions to messages that `ends.own` has sent, in the order of `keys`. A message that is not there
/// has none.
pub(crate) async fn of_messages(
    node: &Node,
    app: &App,
    ends: &Ends,
    keys: &[MsgKey],
) -> Outcome<Vec<Vec<ReactionRow>>> {
    let places = in_parallel(keys.to_vec(), AT_ONCE, |key| async move {
        history::place_of_own(node, app.id(), ends, &key).await
    })
    .await;
    let places: Vec<Option<MessagePlace>> = places.into_iter().collect::<Outcome<_>>()?;
    let partition = Home::Pair(app.id(), ends.pair()).partition();
    let keys: Vec<(Partition, Bytes)> =
        places.iter().flatten().map(|place| (partition.clone(), key::reactions(*place))).collect();
    let mut rows = node.store().get_many(&keys).await?.into_iter();
    let of_place = |place: Option<MessagePlace>| {
        let row = place.and_then(|_| rows.next().flatten());
        let row: Option<ReactionsRow> = row.map(|row| decode_row(&row)).transpose()?;
        Ok(row.unwrap_or_default().reactions)
    };
    places.into_iter().map(of_place).collect()
}
