//! Reactions: what the two sides of a conversation put under a message.

use std::sync::Arc;

use bytes::Bytes;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{MsgKey, UserId};
use teahouse_store::Partition;

use super::Ends;
use super::changes::{self, Edit, SentBy};
use super::history;
use crate::app::App;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::event::{Event, Origin, ReactionsChanged};
use crate::node::{Node, decode_row};
use crate::rows::{Home, MessagePlace, ReactionRow, ReactionsRow, key};

/// Different reactions to one message.
const REACTIONS_MAX: usize = 10;
const AT_ONCE: usize = 16;

/// Whether a reaction is given or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum React {
    Add,
    Remove,
}

impl ReactionRow {
    fn side(&mut self, high: bool) -> &mut bool {
        if high { &mut self.by_high } else { &mut self.by_low }
    }

    /// Who gives it, of the pair `ends`.
    pub(crate) fn users(&self, ends: &Ends) -> Vec<UserId> {
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
        let reaction = row.change(name, high, react)?;
        change.put(key::reactions(stored.place()), &row);
        change.event(Event::ReactionsChanged(Arc::new(ReactionsChanged {
            message: changes::name_of(app, ends, stored, edit.number()),
            reaction: name.to_owned(),
            users: reaction.users(ends),
            origin: origin.clone(),
        })));
        edit.finish(state, change);
        Ok(Some(()))
    })
    .await
}

impl ReactionsRow {
    /// One side gives a reaction or takes it back; what the reaction is then.
    fn change(&mut self, name: &str, high: bool, react: React) -> Result<ReactionRow, ErrorCode> {
        let place = self.reactions.iter().position(|reaction| reaction.name == name);
        let gives = react == React::Add;
        let place = match (place, react) {
            (Some(place), _) => place,
            (None, React::Remove) => return Err(ErrorCode::ReactionUnknown),
            (None, React::Add) if self.reactions.len() >= REACTIONS_MAX => {
                return Err(ErrorCode::ReactionsFull);
            }
            (None, React::Add) => {
                let name = name.to_owned();
                self.reactions.push(ReactionRow { name, by_low: false, by_high: false });
                self.reactions.len() - 1
            }
        };
        let side = self.reactions[place].side(high);
        if *side == gives {
            let refused = if gives { ErrorCode::AlreadyReacted } else { ErrorCode::NotReacted };
            return Err(refused);
        }
        *side = gives;
        let reaction = self.reactions[place].clone();
        if !reaction.by_low && !reaction.by_high {
            self.reactions.remove(place);
        }
        Ok(reaction)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reaction_is_given_once_a_side_and_goes_with_the_last_who_gives_it() {
        let mut row = ReactionsRow::default();
        let both = |low, high| ReactionRow { name: "a".into(), by_low: low, by_high: high };
        assert_eq!(row.change("a", false, React::Remove), Err(ErrorCode::ReactionUnknown));
        assert_eq!(row.change("a", false, React::Add), Ok(both(true, false)));
        assert_eq!(row.change("a", false, React::Add), Err(ErrorCode::AlreadyReacted));
        assert_eq!(row.change("a", true, React::Remove), Err(ErrorCode::NotReacted));
        assert_eq!(row.change("a", true, React::Add), Ok(both(true, true)));
        assert_eq!(row.change("a", false, React::Remove), Ok(both(false, true)));
        assert_eq!(row.change("a", true, React::Remove), Ok(both(false, false)));
        assert_eq!(row, ReactionsRow::default());
    }

    #[test]
    fn a_message_has_ten_different_reactions_at_most() {
        let mut row = ReactionsRow::default();
        for number in 0..REACTIONS_MAX {
            assert!(row.change(&number.to_string(), false, React::Add).is_ok());
        }
        assert_eq!(row.change("one more", true, React::Add), Err(ErrorCode::ReactionsFull));
        assert!(row.change("0", true, React::Add).is_ok(), "one that is there is not one more");
        assert!(row.change("1", false, React::Remove).is_ok());
        assert!(row.change("one more", true, React::Add).is_ok());
    }
}
