//! Relations of a user: friends, blocked users, friend requests, friend groups, and who follows whom.
//!
//! A relation is a row of each of the two users ([`crate::rows::Tie`]): that of the user whom it belongs to, and
//! its mirror. A command changes the caller's rows in one commit ([`book`]) and leaves an errand for the other
//! user ([`settle`]), which is carried out before the caller is answered. What may become of two users is said in
//! [`rules`], how a friend looks on the wire in [`tags`].

pub(crate) mod book;
pub(crate) mod commands;
pub(crate) mod recent;
pub(crate) mod rules;
pub(crate) mod settle;
pub(crate) mod tags;

use std::collections::HashMap;
use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{TinyId, UserId};
use teahouse_store::Direction;

use crate::account;
use crate::app::App;
use crate::caller::Caller;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::hub::Connection;
use crate::node::{Node, decode_row};
use crate::profile;
use crate::push;
use crate::rows::{ErrandRow, Home, Tie, TieRow, key};
use book::{Book, Desk, EDGES_A_COMMIT, IdSet};
use rules::{Consent, Edge, Refusal};

/// Accounts in one request.
pub(crate) const BATCH_MAX: usize = 1_000;

/// Whose relations: users are their own, administrators name somebody who exists.
pub(crate) async fn owner(caller: &Caller, named: Option<UserId>) -> Outcome<UserId> {
    if caller.is_admin() && named.is_none() {
        let info = "From_Account is missing";
        return Err(Error::with(ErrorCode::RelationBadParameter, info).into());
    }
    let owner = caller.acting_as(named, ErrorCode::RelationNotAdmin)?;
    let unknown = ErrorCode::RelationAccountUnknown;
    account::existing(caller.node(), caller.app(), &owner, unknown).await?;
    Ok(owner)
}

/// Refuses a batch of none or of too many.
pub(crate) fn check_batch(field: &str, items: usize, max: usize) -> Result<(), Error> {
    if (1..=max).contains(&items) {
        return Ok(());
    }
    let info = format!("{field} has {items} items, at least 1 and at most {max}");
    Err(Error::with(ErrorCode::RelationBadParameter, info))
}

/// What others need to know of an account before they relate to it.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) id: UserId,
    pub(crate) tiny_id: TinyId,
    pub(crate) consent: Consent,
    /// Friends that it has.
    pub(crate) friends: u64,
    /// Friend requests that wait for its answer.
    pub(crate) requests: u64,
}

impl Peer {
    /// A relation to this account that begins now.
    pub(crate) fn row(&self, since: u32) -> TieRow {
        TieRow { tiny_id: self.tiny_id.0, since, ..TieRow::default() }
    }

    /// An errand to this account.
    pub(crate) fn errand(&self) -> ErrandRow {
        ErrandRow {
            peer: self.id.to_string(),
            peer_tiny_id: self.tiny_id.0,
            ..ErrandRow::default()
        }
    }
}

/// What a batch does with one target.
pub(crate) type ItemOutcome = Result<(), Refusal>;

const PEERS_AT_ONCE: usize = 32;

impl Desk<'_> {
    /// The accounts of these names, in the same order: nothing where there is none.
    pub(crate) async fn peers(&self, names: &[String]) -> Outcome<Vec<Option<Peer>>> {
        let found = in_parallel(names.to_vec(), PEERS_AT_ONCE, |name| async move {
            let Ok(id) = UserId::parse(&name) else { return Ok(None) };
            let entity = account::user(self.node, self.app, &id).await?;
            Outcome::Ok(entity.read(|state| {
                Some(Peer {
                    tiny_id: state.tiny_id()?,
                    consent: profile::consent(&state.profile),
                    friends: state.relations.head.count(Tie::Friend),
                    requests: state.relations.head.count(Tie::AskedBy),
                    id: id.clone(),
                })
            }))
        });
        found.await.into_iter().collect()
    }

    /// Does something with each target, and what follows of it with the others; returns what became of each, in
    /// order. An account that does not exist, and the user himself, are refused.
    pub(crate) async fn each<T>(
        &self,
        targets: &[(String, T)],
        apply: impl Fn(&mut Book, &Peer, &T) -> ItemOutcome,
    ) -> Outcome<Vec<(String, ItemOutcome)>> {
        let names: Vec<String> = targets.iter().map(|(name, _)| name.clone()).collect();
        let peers = self.peers(&names).await?;
        let targets: Vec<(Option<Peer>, &T)> =
            peers.into_iter().zip(targets.iter().map(|(_, item)| item)).collect();
        let mut outcomes = Vec::with_capacity(targets.len());
        for targets in targets.chunks(EDGES_A_COMMIT) {
            let peers: Vec<UserId> =
                targets.iter().filter_map(|(peer, _)| Some(peer.as_ref()?.id.clone())).collect();
            let done = self.change(&peers, |book| {
                let one = |(peer, item): &(Option<Peer>, &T)| match peer {
                    None => Err(ErrorCode::RelationAccountUnknown.into()),
                    Some(peer) if peer.id == *self.user => {
                        Err(Refusal::bad("nobody is in a relation with himself"))
                    }
                    Some(peer) => apply(book, peer, item),
                };
                Ok(targets.iter().map(one).collect::<Vec<ItemOutcome>>())
            });
            outcomes.extend(done.await?);
        }
        self.carry_over().await?;
        Ok(names.into_iter().zip(outcomes).collect())
    }

    /// Looks at the relations to each target; returns what is seen of each, in order.
    pub(crate) async fn look<R>(
        &self,
        names: Vec<String>,
        ties: &[Tie],
        see: impl Fn(&Peer, &Edge) -> Result<R, Refusal>,
    ) -> Outcome<Vec<(String, Result<R, Refusal>)>> {
        let peers = self.peers(&names).await?;
        let ids: Vec<UserId> = peers.iter().flatten().map(|peer| peer.id.clone()).collect();
        let edges: HashMap<UserId, Edge> =
            ids.iter().cloned().zip(self.edges(&ids, ties).await?).collect();
        let seen = peers.iter().map(|peer| match peer {
            Some(peer) => see(peer, &edges[&peer.id]),
            None => Err(ErrorCode::RelationAccountUnknown.into()),
        });
        let seen: Vec<_> = seen.collect();
        Ok(names.into_iter().zip(seen).collect())
    }

    /// Returns when the others know what this user has changed.
    pub(crate) async fn carry_over(&self) -> Outcome<()> {
        self.node.run_jobs(Home::User(self.app.id(), self.user.clone())).await
    }

    /// All relations of one kind (of those that are bounded), by id.
    pub(crate) async fn all(&self, tie: Tie) -> Outcome<Vec<(UserId, TieRow)>> {
        page(self.node, self.app, self.user, tie, None, usize::MAX).await
    }
}

/// Up to `limit` relations of one kind, by id, after `after`.
pub(crate) async fn page(
    node: &Node,
    app: &App,
    user: &UserId,
    tie: Tie,
    after: Option<&UserId>,
    limit: usize,
) -> Outcome<Vec<(UserId, TieRow)>> {
    let (from, to) = key::ties_after(tie, after);
    let partition = Home::User(app.id(), user.clone()).partition();
    let rows = node.store().scan(&partition, &from..&to, Direction::Ascending, limit).await?;
    let mut ties = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(peer) = key::tie_peer(&row.key) {
            ties.push((peer, decode_row(&row.value)?));
        }
    }
    Ok(ties)
}

/// Tells a device that came back who came into its user's friend list, or left it, since it was last heard.
pub(crate) async fn tell_missed(
    node: &Node,
    app: &App,
    user: &UserId,
    inst_id: u32,
    connection: &Connection,
) -> Outcome<()> {
    let missed = account::user(node, app, user).await?.read(|state| {
        let heard = state.last_heard.get(&inst_id)?;
        Some(state.relations.recent.missed(heard.last))
    });
    if let Some(missed) = missed {
        push::relation::missed(connection, user, &missed);
    }
    Ok(())
}

/// Whether `user` has blocked the account `other`, or has it as a friend. Reads the store at most once for each
/// user in memory, and not at all for one who has blocked nobody (or has no friends).
pub(crate) async fn holds(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    tie: Tie,
    other: TinyId,
) -> Outcome<bool> {
    let entity = account::user(node, app, user).await?;
    loop {
        if let Some(holds) = entity.read(|state| state.relations.holds(tie, other)) {
            return Ok(holds);
        }
        let version = entity.settled_version().await?;
        let rows = page(node, app, user, tie, None, usize::MAX).await?;
        let ids: IdSet = rows.iter().map(|(_, row)| TinyId(row.tiny_id)).collect();
        // A row that was committed while we read may be missing: then it is read again.
        entity.set_at(version, |state| state.relations.know(tie, ids));
    }
}
