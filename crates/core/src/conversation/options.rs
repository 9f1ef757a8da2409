//! Receive options: how a user gets what each peer writes to him.
//!
//! They stand in the index row of the conversation, which is made for it if the two have never written to
//! each other. Who discards a peer's messages finds them in the history, and counts them, as in a group.

use std::sync::Arc;

use teahouse_proto::group::ReceiveOption;
use teahouse_proto::ids::{TinyId, UserId};

use super::{change_index, finish_index, indexed};
use crate::app::App;
use crate::error::Outcome;
use crate::event::{Event, PeerOptionChanged};
use crate::node::Node;
use crate::pair::Ends;
use crate::rows::{ConversationRow, key};

/// Whether nothing of this conversation is delivered.
pub(super) fn discards(row: &ConversationRow) -> bool {
    row.receive_option == ReceiveOption::Discard.number()
}

/// Whether what `ends.own` writes is not to be delivered to `ends.peer`. Of a receiver who is not connected
/// nothing is looked up: there is nobody to deliver to.
pub(crate) async fn is_discarded(node: &Node, app: &App, ends: &Ends) -> Outcome<bool> {
    if !node.hub().is_online(app.id(), &ends.peer) {
        return Ok(false);
    }
    Ok(indexed(node, app, &ends.peer).await?.read(|state| {
        let row = state.conversations.as_ref().and_then(|index| index.pairs.get(&ends.own));
        row.is_some_and(|row| row.peer_tiny_id == ends.own_tiny.0 && discards(row))
    }))
}

/// The peers with another option than the default, by name.
pub(crate) async fn changed(node: &Node, app: &App, user: &UserId) -> Outcome<Vec<(UserId, u32)>> {
    Ok(indexed(node, app, user).await?.read(|state| {
        let rows = state.conversations.iter().flat_map(|index| &index.pairs);
        let changed = rows.filter(|(_, row)| row.receive_option > 0);
        changed.map(|(peer, row)| (peer.clone(), row.receive_option)).collect()
    }))
}

/// Sets how a user gets what these accounts write. His other devices are told of what changed.
pub(crate) async fn set(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    peers: &[(UserId, TinyId)],
    option: ReceiveOption,
    origin: Option<u32>,
) -> Outcome<()> {
    finish_index(node, app, user).await?;
    change_index(node, app, user, None, |index, change| {
        let mut changed = Vec::new();
        for (peer, tiny_id) in peers {
            let known = index.pairs.get(peer).filter(|row| row.peer_tiny_id == tiny_id.0).cloned();
            let fresh =
                || ConversationRow { peer_tiny_id: tiny_id.0, ..ConversationRow::default() };
            let mut row = known.unwrap_or_else(fresh);
            if row.receive_option == option.number() {
                continue;
            }
            row.receive_option = option.number();
            change.put(key::conversation(peer), &row);
            index.pairs.insert(peer.clone(), row);
            changed.push(peer.clone());
        }
        if !changed.is_empty() {
            change.event(Event::PeerOptionChanged(PeerOptionChanged {
                app: app.id(),
                user: user.clone(),
                peers: changed,
                option: option.number(),
                origin,
            }));
        }
    })
    .await
}
