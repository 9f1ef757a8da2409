//! What a user's devices are told of his relations.

use teahouse_proto::ids::UserId;
use teahouse_proto::push::{
    Event, FollowDiff, FollowListChange, FriendListChange, FriendUpdate, FriendValue, RequestAdded,
};

use super::frame;
use crate::event::{FollowChange, FriendRequest, RelationChange, RelationsChanged};
use crate::hub::Connection;
use crate::node::Node;
use crate::relation::recent::Missed;
use crate::relation::tags;

/// All devices, also the one that it came from: the packages wait for the push before they show a change. Only
/// new values of a friend they have taken over already.
pub(super) fn deliver(node: &Node, changed: &RelationsChanged) {
    let RelationsChanged { app, user, changes, origin } = changed;
    let (updates, others): (Vec<_>, Vec<_>) =
        changes.iter().partition(|change| matches!(change, RelationChange::FriendChanged { .. }));
    for (changes, except) in [(others, None), (updates, *origin)] {
        if !changes.is_empty() {
            node.hub().push(*app, user, except, || (frame(&events(user, &changes)), None));
        }
    }
}

/// What one device has missed of its user's friend list.
pub(crate) fn missed(connection: &Connection, user: &UserId, missed: &Missed) {
    let lists = [
        FriendListChange::Added(missed.added.iter().collect()),
        FriendListChange::Removed(missed.removed.iter().collect()),
    ];
    let lists = lists.into_iter().filter(|list| !list.is_empty());
    let events: Vec<Event<'_>> = lists.map(|list| Event::FriendList { user, list }).collect();
    if !events.is_empty() {
        connection.push(&frame(&events), None);
    }
}

/// One event for each kind of change: the packages mix up requests that come together with those of the other
/// direction.
fn events<'a>(user: &'a UserId, changes: &[&'a RelationChange]) -> Vec<Event<'a>> {
    let (mut added, mut removed, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    let (mut blocked, mut unblocked) = (Vec::new(), Vec::new());
    let (mut lists, mut updates, mut follows) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        match change {
            RelationChange::FriendAdded(peer) => added.push(peer),
            RelationChange::FriendRemoved(peer) => removed.push(peer),
            RelationChange::FriendChanged { peer, items } => updates.push(update(peer, items)),
            RelationChange::RequestAdded(request) => lists.push(request_added(user, request)),
            RelationChange::RequestRemoved(peer) => ended.push(peer),
            RelationChange::RequestsRead(time) => lists.push(FriendListChange::RequestsRead(*time)),
            RelationChange::Blocked(peer) => blocked.push(peer),
            RelationChange::Unblocked(peer) => unblocked.push(peer),
            RelationChange::Follow(change) => follows.push(follow(change)),
        }
    }
    lists.extend([
        FriendListChange::Added(added),
        FriendListChange::Removed(removed),
        FriendListChange::RequestsEnded(ended),
        FriendListChange::Blocked(blocked),
        FriendListChange::Unblocked(unblocked),
        FriendListChange::Updated(updates),
    ]);
    let lists = lists.into_iter().filter(|list| !list.is_empty());
    let mut events: Vec<Event<'a>> = lists.map(|list| Event::FriendList { user, list }).collect();
    if !follows.is_empty() {
        events.push(Event::FollowLists(follows));
    }
    events
}

fn request_added<'a>(user: &'a UserId, request: &'a FriendRequest) -> FriendListChange<'a> {
    let FriendRequest { peer, face: (nick, image), received, source, wording, time } = request;
    let from = if *received { peer } else { user };
    FriendListChange::RequestAdded(RequestAdded {
        from,
        peer,
        nick,
        image,
        source,
        wording,
        time: *time,
        received: *received,
    })
}

fn update<'a>(peer: &'a UserId, items: &'a [tags::FriendItem]) -> FriendUpdate<'a> {
    let value = |value: &'a tags::FriendValue| match value {
        tags::FriendValue::Text(text) => FriendValue::Text(text),
        tags::FriendValue::Number(number) => FriendValue::Number(*number),
        tags::FriendValue::Names(names) => FriendValue::Names(names),
    };
    let items = items.iter().map(|item| (item.tag.as_str(), value(&item.value)));
    FriendUpdate { peer, items: items.collect() }
}

fn follow(change: &FollowChange) -> FollowListChange<'_> {
    let FollowChange { peer, face: (nick, image), kind, added } = change;
    FollowListChange { peer, nick, image, diff: FollowDiff { kind: *kind as u8, added: *added } }
}
