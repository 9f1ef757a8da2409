//! Carries changed relations over to the other users: the jobs that a change of relations leaves behind.
//!
//! Two users are in two partitions, and both may change what they are to each other at the same time. So an
//! errand is no order to write a row: it is looked at again when it is carried out, with the rows of both sides,
//! under a lock that only errands between these two take ([`rules::settle`]).

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{SdkAppId, TinyId, UserId};

use crate::account;
use crate::app::App;
use crate::entity::in_parallel;
use crate::error::{Failure, Outcome};
use crate::node::Node;
use crate::relation::book::{Book, Desk, EDGES_A_COMMIT};
use crate::relation::rules::{self, Side};
use crate::rows::{ErrandRow, RelateJob, Tie};

/// One lock for the errands between two users; unrelated pairs may share one. Nobody holds two of them.
pub(crate) struct PairLocks([tokio::sync::Mutex<()>; 64]);

impl Default for PairLocks {
    fn default() -> Self {
        Self(std::array::from_fn(|_| tokio::sync::Mutex::default()))
    }
}

impl PairLocks {
    async fn lock(&self, a: &UserId, b: &UserId) -> tokio::sync::MutexGuard<'_, ()> {
        let pair = (a.min(b), a.max(b));
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(pair);
        let place = usize::try_from(hash % self.0.len() as u64).expect("below 64");
        self.0[place].lock().await
    }
}

const ERRANDS_AT_ONCE: usize = 16;

/// Carries out the errands of one change.
pub(crate) async fn relate(
    node: &Arc<Node>,
    app: SdkAppId,
    user: &UserId,
    job: &RelateJob,
) -> Outcome<()> {
    let Some(app) = node.app(app) else { return Ok(()) };
    let desk = Desk { node, app: &app, user, origin: None };
    let done = in_parallel(job.errands.clone(), ERRANDS_AT_ONCE, |errand| async move {
        let Ok(peer) = UserId::parse(&errand.peer) else { return Ok(()) };
        match run(&desk, TinyId(job.tiny_id), &peer, &errand).await {
            // One of the accounts was deleted meanwhile, and its relations with it.
            Err(Failure::Refused(_)) => Ok(()),
            done => done,
        }
    });
    done.await.into_iter().collect()
}

async fn run(desk: &Desk<'_>, own: TinyId, peer: &UserId, errand: &ErrandRow) -> Outcome<()> {
    let Desk { node, app, user, .. } = *desk;
    let other = Desk { user: peer, ..*desk };
    let (own_side, peer_side) = (std::slice::from_ref(user), std::slice::from_ref(peer));
    let now = node.now().seconds().0;
    let peer_tiny = TinyId(errand.peer_tiny_id);
    let _turn = app.pair_locks.lock(user, peer).await;
    if account::tiny_id(node, app, peer).await? != Some(peer_tiny) {
        return desk
            .change(peer_side, |book| {
                forget(book.edge(peer), Some(peer_tiny));
                Ok(())
            })
            .await;
    }
    loop {
        let mine = desk.change(peer_side, |book| is(book, own).map(|book| book.edge(peer).clone()));
        let mine = mine.await?;
        let agreed = other.change(own_side, |book| {
            let mut agreed = mine.clone();
            let theirs = is(book, peer_tiny)?.edge(user);
            let mut own = Side { tiny_id: own, edge: &mut agreed };
            rules::settle(&mut own, &mut Side { tiny_id: peer_tiny, edge: theirs }, errand, now);
            Ok(agreed)
        });
        let agreed = agreed.await?;
        let done = desk.change(peer_side, |book| {
            let edge = is(book, own)?.edge(peer);
            // The user himself may have changed it meanwhile: then what was agreed on is out of date.
            let is_current = *edge == mine;
            if is_current {
                edge.clone_from(&agreed);
            }
            Ok(is_current)
        });
        if done.await? {
            return Ok(());
        }
    }
}

/// The book, if it is that of this account and not of another one of its name.
fn is(book: &mut Book, account: TinyId) -> Outcome<&mut Book> {
    if book.own == account { Ok(book) } else { Err(ErrorCode::RelationAccountUnknown.into()) }
}

/// Ends all relations to an account, to whichever had the name if none is given.
fn forget(edge: &mut rules::Edge, account: Option<TinyId>) {
    for tie in Tie::ALL {
        if edge.get(tie).is_some_and(|row| account.is_none_or(|account| row.tiny_id == account.0)) {
            edge.take(tie);
        }
    }
}

/// Takes a user out of everybody's relations, in steps; he is about to be deleted. His own rows go after those of
/// the others, so that a step that fails is repeated by the next attempt.
pub(crate) async fn part_from_all(node: &Arc<Node>, app: &Arc<App>, user: &UserId) -> Outcome<()> {
    let desk = Desk { node, app, user, origin: None };
    for tie in Tie::ALL {
        loop {
            let page = super::page(node, app, user, tie, None, EDGES_A_COMMIT).await?;
            if page.is_empty() {
                break;
            }
            let parted =
                in_parallel(
                    page,
                    ERRANDS_AT_ONCE,
                    |(peer, _)| async move { part(&desk, &peer).await },
                );
            parted.await.into_iter().collect::<Outcome<()>>()?;
        }
    }
    Ok(())
}

async fn part(desk: &Desk<'_>, peer: &UserId) -> Outcome<()> {
    let other = Desk { user: peer, ..*desk };
    let _turn = desk.app.pair_locks.lock(desk.user, peer).await;
    match forget_all(&other, desk.user).await {
        // The other one is gone, too.
        Ok(()) | Err(Failure::Refused(_)) => {}
        Err(failure) => return Err(failure),
    }
    forget_all(desk, peer).await
}

async fn forget_all(desk: &Desk<'_>, peer: &UserId) -> Outcome<()> {
    desk.change(std::slice::from_ref(peer), |book| {
        forget(book.edge(peer), None);
        Ok(())
    })
    .await
}
