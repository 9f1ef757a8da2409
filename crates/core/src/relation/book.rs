//! The only way to change a user's relations: a [`Book`] is opened under the user's lock with his relations to a
//! few others, is written in, and becomes one commit, from whose differences counts, sequence numbers and what
//! the user's devices are told follow by themselves.
//!
//! Only relations that are being changed are in memory: a user with thousands of friends costs nothing as long as
//! nobody changes them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{TinyId, UserId};
use teahouse_store::{Partition, ReadError};

use crate::account::{self, UserState};
use crate::app::App;
use crate::entity::{Change, Entity};
use crate::error::Outcome;
use crate::event::{Event, RelationChange, RelationsChanged};
use crate::node::{Node, decode_row};
use crate::profile::Face;
use crate::relation::recent::Recent;
use crate::relation::rules::{Edge, Refusal};
use crate::relation::tags;
use crate::rows::{ErrandRow, FriendGroupRow, Job, RelateJob, RelationsRow, Tie, TieRow, key};

/// What a user's state knows of his relations.
#[derive(Debug, Default)]
pub(crate) struct Relations {
    pub(crate) head: RelationsRow,
    /// To whom they are being changed, and a few more.
    edges: HashMap<UserId, Edge>,
    /// Changes under way: while there is one, nothing is dropped from `edges`.
    holders: usize,
    /// Whom he has blocked, or has as friends, once a message had to know it.
    known: BTreeMap<Tie, IdSet>,
    pub(crate) recent: Recent,
}

/// Numbers of accounts, ascending: eight bytes each.
#[derive(Debug, Default)]
pub(crate) struct IdSet(Vec<TinyId>);

impl IdSet {
    fn contains(&self, id: TinyId) -> bool {
        self.0.binary_search(&id).is_ok()
    }

    fn set(&mut self, id: TinyId, contained: bool) {
        match (self.0.binary_search(&id), contained) {
            (Err(place), true) => self.0.insert(place, id),
            (Ok(place), false) => drop(self.0.remove(place)),
            (Ok(_), true) | (Err(_), false) => {}
        }
    }
}

impl FromIterator<TinyId> for IdSet {
    fn from_iter<I: IntoIterator<Item = TinyId>>(ids: I) -> Self {
        let mut ids: Vec<TinyId> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids)
    }
}

impl RelationsRow {
    /// How many relations of a kind there are.
    pub(crate) fn count(&self, tie: Tie) -> u64 {
        self.counts.get(tie as usize).copied().unwrap_or_default()
    }

    fn add(&mut self, tie: Tie, more: i64) {
        self.counts.resize(Tie::ALL.len(), 0);
        let count = &mut self.counts[tie as usize];
        *count = count.saturating_add_signed(more);
    }

    /// The number of a friend group.
    pub(crate) fn group(&self, name: &str) -> Option<u32> {
        self.groups.iter().find(|group| group.name == name).map(|group| group.number)
    }
}

impl Relations {
    pub(crate) fn new(head: RelationsRow) -> Self {
        Self { head, ..Self::default() }
    }

    /// Whether the account `other` is blocked (or a friend): nothing if that is not in memory.
    pub(crate) fn holds(&self, tie: Tie, other: TinyId) -> Option<bool> {
        if self.head.count(tie) == 0 {
            return Some(false);
        }
        self.known.get(&tie).map(|ids| ids.contains(other))
    }

    pub(crate) fn know(&mut self, tie: Tie, ids: IdSet) {
        self.known.insert(tie, ids);
    }

    fn note(&mut self, tie: Tie, id: TinyId, holds: bool) {
        if let Some(ids) = self.known.get_mut(&tie) {
            ids.set(id, holds);
        }
    }
}

/// Whose relations are read and changed, and by which of his devices.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) node: &'a Arc<Node>,
    pub(crate) app: &'a Arc<App>,
    pub(crate) user: &'a UserId,
    pub(crate) origin: Option<u32>,
}

/// Keeps relations in memory until a change is done.
struct Held(Arc<Entity<UserState>>);

impl Held {
    fn new(entity: Arc<Entity<UserState>>) -> Self {
        entity.touch(|state| state.relations.holders += 1);
        Self(entity)
    }
}

/// Edges that stay in memory when nobody changes them.
const EDGES_KEPT: usize = 16;

impl Drop for Held {
    fn drop(&mut self) {
        self.0.touch(|state| {
            let relations = &mut state.relations;
            relations.holders = relations.holders.saturating_sub(1);
            if relations.holders == 0 && relations.edges.len() > EDGES_KEPT {
                relations.edges = HashMap::new();
            }
        });
    }
}

/// Relations to change in one commit: with all that can come of one, within what the store takes.
pub(crate) const EDGES_A_COMMIT: usize = 64;

impl Desk<'_> {
    /// Changes what the user and `peers` (at most [`EDGES_A_COMMIT`]) are to each other. What the errands ask of
    /// the others follows through the outbox.
    ///
    /// # Errors
    /// `RelationAccountUnknown` when the user is gone; those of `apply`, and then nothing has changed.
    pub(crate) async fn change<R>(
        &self,
        peers: &[UserId],
        mut apply: impl FnMut(&mut Book) -> Outcome<R>,
    ) -> Outcome<R> {
        loop {
            let _held = self.load(peers).await?;
            let faces: HashMap<UserId, Face> = self.faces(peers).await?;
            let done = account::change_user(self.node, self.app, self.user, |state, change| {
                let own = state.tiny_id().ok_or(ErrorCode::RelationAccountUnknown)?;
                // Gone from memory since: read them again first.
                let Some(mut book) = Book::open(&state.relations, own, peers, self.node) else {
                    return Ok(None);
                };
                let result = apply(&mut book)?;
                book.close(self, &faces, &mut state.relations, change);
                Ok(Some(result))
            })
            .await?;
            if let Some(result) = done {
                return Ok(result);
            }
        }
    }

    /// All relations to `peers`, as they are stored now.
    pub(crate) async fn edges(&self, peers: &[UserId], ties: &[Tie]) -> Outcome<Vec<Edge>> {
        let entity = account::user(self.node, self.app, self.user).await?;
        Ok(read_edges(self.node, entity.partition(), peers, ties).await?)
    }

    /// The row that counts and numbers the relations.
    pub(crate) async fn head(&self) -> Outcome<RelationsRow> {
        let entity = account::user(self.node, self.app, self.user).await?;
        let head = entity.read(|state| state.relations.head.clone());
        // Whoever reads rows next shall not find less than what is numbered here.
        entity.settled_version().await?;
        Ok(head)
    }

    async fn faces(&self, peers: &[UserId]) -> Outcome<HashMap<UserId, Face>> {
        let faces = account::faces(self.node, self.app, peers).await?;
        Ok(peers.iter().cloned().zip(faces.into_iter().map(|(_, face)| face)).collect())
    }

    async fn load(&self, peers: &[UserId]) -> Outcome<Held> {
        let held = Held::new(account::user(self.node, self.app, self.user).await?);
        let entity = &held.0;
        let (account, missing) = entity.read(|state| {
            let is_missing = |peer: &&UserId| !state.relations.edges.contains_key(*peer);
            let missing: Vec<UserId> = peers.iter().filter(is_missing).cloned().collect();
            (state.tiny_id(), missing)
        });
        if !missing.is_empty() {
            // What was changed and then dropped from memory may still be on its way to the disk.
            entity.settled_version().await?;
            let edges = read_edges(self.node, entity.partition(), &missing, &Tie::ALL).await?;
            entity.touch(|state| {
                if state.tiny_id() == account {
                    for (peer, edge) in missing.into_iter().zip(edges) {
                        // Whoever was faster may have changed it already.
                        state.relations.edges.entry(peer).or_insert(edge);
                    }
                }
            });
        }
        Ok(held)
    }
}

async fn read_edges(
    node: &Node,
    partition: &Partition,
    peers: &[UserId],
    ties: &[Tie],
) -> Result<Vec<Edge>, ReadError> {
    let key = |peer, tie: &Tie| (partition.clone(), key::tie(*tie, peer));
    let keys: Vec<_> =
        peers.iter().flat_map(|peer| ties.iter().map(move |tie| key(peer, tie))).collect();
    let rows = node.store().get_many(&keys).await?;
    let mut rows = rows.iter();
    let mut edges = vec![Edge::default(); peers.len()];
    for edge in &mut edges {
        for (tie, row) in ties.iter().zip(&mut rows) {
            if let Some(row) = row {
                edge.set(*tie, decode_row(row)?);
            }
        }
    }
    Ok(edges)
}

/// A user's relations to a few others while they are changed.
pub(crate) struct Book {
    /// The user's account.
    pub(crate) own: TinyId,
    pub(crate) head: RelationsRow,
    edges: BTreeMap<UserId, Draft>,
    errands: Vec<ErrandRow>,
    node: Arc<Node>,
}

struct Draft {
    before: Edge,
    after: Edge,
}

impl Book {
    fn open(
        relations: &Relations,
        own: TinyId,
        peers: &[UserId],
        node: &Arc<Node>,
    ) -> Option<Self> {
        let draft = |peer: &UserId| {
            let edge = relations.edges.get(peer)?;
            Some((peer.clone(), Draft { before: edge.clone(), after: edge.clone() }))
        };
        let edges = peers.iter().map(draft).collect::<Option<_>>()?;
        let head = relations.head.clone();
        Some(Self { own, head, edges, errands: Vec::new(), node: node.clone() })
    }

    pub(crate) fn edge(&mut self, peer: &UserId) -> &mut Edge {
        &mut self.edges.get_mut(peer).expect("a book holds what it was opened with").after
    }

    /// What is counted now, with what this change has done so far.
    pub(crate) fn count(&self, tie: Tie) -> u64 {
        let changes = self.edges.values().map(|draft| difference(draft, tie)).sum();
        self.head.count(tie).saturating_add_signed(changes)
    }

    /// What must follow with the other user; without any wish, the mirrors.
    pub(crate) fn errand(&mut self, errand: ErrandRow) {
        self.errands.push(errand);
    }

    /// A number for a new friend request.
    pub(crate) fn new_request(&self) -> u64 {
        self.node.next_id().0
    }

    /// The numbers of these friend groups; those that are not there are made.
    ///
    /// # Errors
    /// A name does not fit; there would be too many.
    pub(crate) fn groups(&mut self, names: &[String], max: usize) -> Result<Vec<u32>, Refusal> {
        let mut wanted: Vec<&String> = names.iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        tags::check_group_names(names)?;
        let is_new = |name: &&&String| self.head.group(name).is_none();
        if self.head.groups.len() + wanted.iter().filter(is_new).count() > max {
            return Err(ErrorCode::FriendGroupsFull.into());
        }
        let numbers = wanted.into_iter().map(|name| match self.head.group(name) {
            Some(number) => number,
            None => {
                self.head.last_group += 1;
                let number = self.head.last_group;
                self.head.groups.push(FriendGroupRow { number, name: name.clone() });
                number
            }
        });
        Ok(numbers.collect())
    }

    /// Writes what has changed, counts it, and tells it.
    fn close(
        mut self,
        desk: &Desk<'_>,
        faces: &HashMap<UserId, Face>,
        relations: &mut Relations,
        change: &mut Change,
    ) {
        let before = std::mem::take(&mut relations.head);
        let mut told = Vec::new();
        for (peer, draft) in &self.edges {
            for tie in Tie::ALL {
                let row = draft.after.get(tie);
                if draft.before.get(tie) == row {
                    continue;
                }
                match row {
                    Some(row) => change.put(key::tie(tie, peer), row),
                    None => change.delete(key::tie(tie, peer)),
                }
                if let Some(row) = row.or(draft.before.get(tie)) {
                    relations.note(tie, TinyId(row.tiny_id), draft.after.has(tie));
                }
            }
            count(&mut self.head, draft);
            let face = faces.get(peer).cloned().unwrap_or_default();
            changes(&before, &self.head, peer, draft, &face, &mut told);
        }
        for change in &told {
            number(&mut self.head, change);
            let (friend, added) = match change {
                RelationChange::FriendAdded(friend) => (friend, true),
                RelationChange::FriendRemoved(friend) => (friend, false),
                RelationChange::FriendChanged { .. }
                | RelationChange::RequestAdded(_)
                | RelationChange::RequestRemoved(_)
                | RelationChange::RequestsRead(_)
                | RelationChange::Blocked(_)
                | RelationChange::Unblocked(_)
                | RelationChange::Follow(_) => continue,
            };
            relations.recent.note(desk.node.now(), friend.clone(), added);
        }
        if before.groups != self.head.groups {
            self.head.groups_seq += 1;
        }
        if before.requests_read != self.head.requests_read {
            told.push(RelationChange::RequestsRead(self.head.requests_read));
        }
        if before != self.head {
            change.put(key::relations(), &self.head);
        }
        if !self.errands.is_empty() {
            let errands = std::mem::take(&mut self.errands);
            change.job(desk.node, Job::Relate(RelateJob { tiny_id: self.own.0, errands }));
        }
        if !told.is_empty() {
            change.event(Event::RelationsChanged(RelationsChanged {
                app: desk.app.id(),
                user: desk.user.clone(),
                changes: told,
                origin: desk.origin,
            }));
        }
        relations.head = self.head;
        for (peer, draft) in self.edges {
            relations.edges.insert(peer, draft.after);
        }
    }
}

fn difference(draft: &Draft, tie: Tie) -> i64 {
    i64::from(draft.after.has(tie)) - i64::from(draft.before.has(tie))
}

fn count(head: &mut RelationsRow, draft: &Draft) {
    for tie in Tie::ALL {
        head.add(tie, difference(draft, tie));
    }
    let mutual = |edge: &Edge| edge.has(Tie::Follows) && edge.has(Tie::FollowedBy);
    let more = i64::from(mutual(&draft.after)) - i64::from(mutual(&draft.before));
    head.mutual_follows = head.mutual_follows.saturating_add_signed(more);
}

/// The sequence numbers that a change moves.
fn number(head: &mut RelationsRow, change: &RelationChange) {
    match change {
        RelationChange::FriendAdded(_) | RelationChange::FriendRemoved(_) => {
            head.friends_seq += 1;
            head.custom_seq += 1;
            head.groups_seq += 1;
        }
        RelationChange::FriendChanged { items, .. } => {
            let is_custom = |item: &tags::FriendItem| item.tag.starts_with(tags::CUSTOM);
            head.custom_seq += u64::from(items.iter().any(is_custom));
            head.friends_seq += u64::from(!items.iter().all(is_custom));
            head.groups_seq += u64::from(items.iter().any(|item| item.tag == tags::GROUP));
        }
        RelationChange::Blocked(_) | RelationChange::Unblocked(_) => head.blocked_seq += 1,
        RelationChange::RequestAdded(_) | RelationChange::RequestRemoved(_) => {
            head.requests_seq += 1;
        }
        RelationChange::Follow(_) | RelationChange::RequestsRead(_) => {}
    }
}

/// What the user's devices are told of one edge.
fn changes(
    old: &RelationsRow,
    new: &RelationsRow,
    peer: &UserId,
    draft: &Draft,
    face: &Face,
    told: &mut Vec<RelationChange>,
) {
    use crate::event::{FollowChange, FollowKind, FriendRequest};
    let Draft { before, after } = draft;
    match (before.get(Tie::Friend), after.get(Tie::Friend)) {
        (None, Some(_)) => told.push(RelationChange::FriendAdded(peer.clone())),
        (Some(_), None) => told.push(RelationChange::FriendRemoved(peer.clone())),
        (Some(was), Some(is)) if was != is => {
            let items = tags::changed(old, was, new, is);
            if !items.is_empty() {
                told.push(RelationChange::FriendChanged { peer: peer.clone(), items });
            }
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    for (tie, received) in [(Tie::Asked, false), (Tie::AskedBy, true)] {
        let request = |row: &TieRow| FriendRequest {
            peer: peer.clone(),
            face: face.clone(),
            received,
            source: row.source.clone(),
            wording: row.wording.clone(),
            time: row.since,
        };
        match (before.get(tie), after.get(tie)) {
            (was, Some(is)) if was.is_none_or(|was| was.request != is.request) => {
                told.push(RelationChange::RequestAdded(request(is)));
            }
            (Some(_), None) => told.push(RelationChange::RequestRemoved(peer.clone())),
            (_, Some(_)) | (None, None) => {}
        }
    }
    match difference(draft, Tie::Blocked) {
        0 => {}
        1.. => told.push(RelationChange::Blocked(peer.clone())),
        _ => told.push(RelationChange::Unblocked(peer.clone())),
    }
    let mutual = |edge: &Edge| edge.has(Tie::Follows) && edge.has(Tie::FollowedBy);
    for (kind, was, is) in [
        (FollowKind::Followers, before.has(Tie::FollowedBy), after.has(Tie::FollowedBy)),
        (FollowKind::Following, before.has(Tie::Follows), after.has(Tie::Follows)),
        (FollowKind::Mutual, mutual(before), mutual(after)),
    ] {
        if was != is {
            let change = FollowChange { peer: peer.clone(), face: face.clone(), kind, added: is };
            told.push(RelationChange::Follow(change));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_ids_keeps_each_once_and_in_order() {
        let mut ids: IdSet = [7, 3, 7].map(TinyId).into_iter().collect();
        ids.set(TinyId(5), true);
        ids.set(TinyId(5), true);
        ids.set(TinyId(3), false);
        ids.set(TinyId(4), false);
        assert_eq!(ids.0, [TinyId(5), TinyId(7)]);
        assert!(ids.contains(TinyId(5)) && !ids.contains(TinyId(3)));
    }

    #[test]
    fn what_a_send_asks_needs_the_rows_once_and_only_where_there_are_some() {
        let mut relations = Relations::default();
        assert_eq!(relations.holds(Tie::Blocked, TinyId(7)), Some(false), "nobody is blocked");
        relations.head.add(Tie::Blocked, 2);
        assert_eq!(relations.holds(Tie::Blocked, TinyId(7)), None, "to be read");
        assert_eq!(relations.holds(Tie::Friend, TinyId(7)), Some(false), "there are no friends");
        relations.know(Tie::Blocked, [TinyId(3), TinyId(7)].into_iter().collect());
        assert_eq!(relations.holds(Tie::Blocked, TinyId(7)), Some(true));
        relations.note(Tie::Blocked, TinyId(7), false);
        relations.note(Tie::Blocked, TinyId(9), true);
        let holds = [7, 9].map(|id| relations.holds(Tie::Blocked, TinyId(id)));
        assert_eq!(holds, [Some(false), Some(true)], "what changes is taken over");
    }
}
