//! What may become of two users, as functions on plain data: an [`Edge`] is all that one user is to another.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::TinyId;

use crate::rows::{ErrandRow, Tie, TieRow};

/// All relations of one user to another: their rows with the one user.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Edge {
    ties: [Option<Box<TieRow>>; Tie::ALL.len()],
}

impl Edge {
    pub(crate) fn get(&self, tie: Tie) -> Option<&TieRow> {
        self.ties[tie as usize].as_deref()
    }

    pub(crate) fn has(&self, tie: Tie) -> bool {
        self.get(tie).is_some()
    }

    pub(crate) fn set(&mut self, tie: Tie, row: TieRow) {
        self.ties[tie as usize] = Some(Box::new(row));
    }

    pub(crate) fn get_mut(&mut self, tie: Tie) -> Option<&mut TieRow> {
        self.ties[tie as usize].as_deref_mut()
    }

    /// Ends a relation; returns what it was.
    pub(crate) fn take(&mut self, tie: Tie) -> Option<TieRow> {
        self.ties[tie as usize].take().map(|row| *row)
    }
}

/// Why nothing became of one item of a batch: its code, and the name that clients know it by (or a sentence).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) info: &'static str,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, info: code.default_text() }
    }
}

impl Refusal {
    /// A parameter that does not fit, or a request that makes no sense now.
    pub(crate) const fn bad(info: &'static str) -> Self {
        Self { code: ErrorCode::RelationBadParameter, info }
    }
}

/// What a user lets happen when somebody wants him as a friend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    Anyone,
    Ask,
    Nobody,
}

/// What decides on a wish to add a friend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// All that the user is to the other.
    pub(crate) edge: &'a Edge,
    /// A backend has forbidden the user to ask anybody.
    pub(crate) forbidden: bool,
    /// The other is asked for nothing.
    pub(crate) forced: bool,
    /// The other shall have the user as friend, too.
    pub(crate) both: bool,
    pub(crate) consent: Consent,
    /// Friends that the user has.
    pub(crate) own_friends: u64,
    /// Friends that the other has.
    pub(crate) peer_friends: u64,
    pub(crate) friends_max: u64,
}

/// What happens to a wish that is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are friends at once.
    Befriend,
    /// The other is asked.
    Ask,
}

/// Whether a user may have another one as friend, or ask him. Nobody is asked who has the user as friend
/// already, or asks for it himself.
pub(crate) fn may_befriend(wish: &Wish<'_>) -> Result<Verdict, Refusal> {
    let edge = wish.edge;
    if wish.forbidden {
        return Err(ErrorCode::FriendRequestsForbidden.into());
    }
    if edge.has(Tie::Blocked) {
        return Err(ErrorCode::PeerInOwnBlocklist.into());
    }
    if edge.has(Tie::BlockedBy) {
        return Err(ErrorCode::BlockedByPeer.into());
    }
    if edge.has(Tie::Friend) {
        return Err(Refusal::bad("Err_SNS_FriendAdd_Friend_Exist"));
    }
    if wish.own_friends >= wish.friends_max {
        return Err(ErrorCode::OwnFriendsFull.into());
    }
    let agreed = edge.has(Tie::FriendOf) || edge.has(Tie::AskedBy);
    if wish.both && !edge.has(Tie::FriendOf) && wish.peer_friends >= wish.friends_max {
        return Err(ErrorCode::PeerFriendsFull.into());
    }
    match wish.consent {
        _ if wish.forced || agreed => Ok(Verdict::Befriend),
        Consent::Anyone => Ok(Verdict::Befriend),
        Consent::Ask => Ok(Verdict::Ask),
        Consent::Nobody => Err(ErrorCode::PeerDeniesFriends.into()),
    }
}

/// The friend that comes of a request.
pub(crate) fn granted(asked: TieRow, now: u32) -> TieRow {
    TieRow { since: now, request: 0, ..asked }
}

/// One of two users who are brought into agreement.
pub(crate) struct Side<'a> {
    pub(crate) tiny_id: TinyId,
    pub(crate) edge: &'a mut Edge,
}

/// Brings the rows of two users into agreement: does what `own` wants of `peer`, as far as `own` still wants it,
/// and mirrors on each side what belongs to the other. What comes out is the same in whatever order the errands
/// of both are carried out, and carrying one out again changes nothing.
pub(crate) fn settle(own: &mut Side<'_>, peer: &mut Side<'_>, errand: &ErrandRow, now: u32) {
    let asked = peer.edge.get(Tie::Asked).filter(|row| row.request == errand.ended_request);
    if errand.ended_request != 0 && asked.is_some() {
        let asked = peer.edge.take(Tie::Asked).expect("just seen");
        if errand.granted && !peer.edge.has(Tie::Friend) {
            peer.edge.set(Tie::Friend, granted(asked, now));
        }
    }
    if errand.unfriend && !own.edge.has(Tie::Friend) {
        peer.edge.take(Tie::Friend);
    }
    // Who asks for it himself gets what he has asked for, below.
    if errand.befriend
        && !peer.edge.has(Tie::Friend)
        && !peer.edge.has(Tie::Asked)
        && let Some(friend) = own.edge.get(Tie::Friend)
    {
        let (source, wording) = (friend.source.clone(), friend.wording.clone());
        let tiny_id = own.tiny_id.0;
        let row = TieRow { tiny_id, since: friend.since, source, wording, ..TieRow::default() };
        peer.edge.set(Tie::Friend, row);
    }
    agree(own, peer, now);
}

/// What must hold between two users: who is blocked is no friend and asks for nothing, two who ask each other
/// are friends, a friend is not asked, who is in the other's list needs no consent, and each side knows what
/// belongs to the other.
fn agree(a: &mut Side<'_>, b: &mut Side<'_>, now: u32) {
    if a.edge.has(Tie::Blocked) || b.edge.has(Tie::Blocked) {
        for edge in [&mut *a.edge, &mut *b.edge] {
            edge.take(Tie::Friend);
            edge.take(Tie::Asked);
        }
    }
    if a.edge.has(Tie::Asked) && b.edge.has(Tie::Asked) {
        for edge in [&mut *a.edge, &mut *b.edge] {
            let asked = edge.take(Tie::Asked).expect("just seen");
            edge.set(Tie::Friend, granted(asked, now));
        }
    }
    let listed = [b.edge.has(Tie::Friend), a.edge.has(Tie::Friend)];
    for (edge, is_listed) in [&mut *a.edge, &mut *b.edge].into_iter().zip(listed) {
        let is_settled = is_listed || edge.has(Tie::Friend);
        let asked = if is_settled { edge.take(Tie::Asked) } else { None };
        if let Some(asked) = asked.filter(|_| !edge.has(Tie::Friend)) {
            edge.set(Tie::Friend, granted(asked, now));
        }
    }
    mirror(a, b);
    mirror(b, a);
}

fn mirror(of: &Side<'_>, on: &mut Side<'_>) {
    for (tie, mirror) in Tie::MIRRORED {
        match of.edge.get(tie) {
            Some(row) => {
                let asked = if tie == Tie::Asked { row.clone() } else { TieRow::default() };
                let row = TieRow {
                    tiny_id: of.tiny_id.0,
                    since: row.since,
                    request: row.request,
                    source: asked.source,
                    wording: asked.wording,
                    ..TieRow::default()
                };
                on.edge.set(mirror, row);
            }
            None => {
                on.edge.take(mirror);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u32 = 1_795_390_094;

    fn row(tiny_id: u64) -> TieRow {
        TieRow { tiny_id, since: NOW - 60, request: 7, ..TieRow::default() }
    }

    fn edge(ties: &[Tie]) -> Edge {
        let mut edge = Edge::default();
        ties.iter().for_each(|tie| edge.set(*tie, row(2)));
        edge
    }

    fn decided(change: impl FnOnce(&mut Wish<'_>), ties: &[Tie]) -> Result<Verdict, i32> {
        let edge = edge(ties);
        let mut wish = Wish {
            edge: &edge,
            forbidden: false,
            forced: false,
            both: true,
            consent: Consent::Anyone,
            own_friends: 2,
            peer_friends: 2,
            friends_max: 3,
        };
        change(&mut wish);
        may_befriend(&wish).map_err(|refusal| refusal.code.number())
    }

    #[test]
    fn consent_decides_unless_it_is_forced_or_given() {
        let by = |consent| move |wish: &mut Wish<'_>| wish.consent = consent;
        assert_eq!(decided(by(Consent::Anyone), &[]), Ok(Verdict::Befriend));
        assert_eq!(decided(by(Consent::Ask), &[]), Ok(Verdict::Ask));
        assert_eq!(decided(by(Consent::Nobody), &[]), Err(30516));
        for consent in [Consent::Ask, Consent::Nobody] {
            let force = |wish: &mut Wish<'_>| (wish.consent, wish.forced) = (consent, true);
            assert_eq!(decided(force, &[]), Ok(Verdict::Befriend));
            for given in [Tie::FriendOf, Tie::AskedBy] {
                assert_eq!(decided(by(consent), &[given]), Ok(Verdict::Befriend));
            }
        }
    }

    #[test]
    fn refusals_come_in_the_published_order() {
        let worst = |wish: &mut Wish<'_>| {
            (wish.forbidden, wish.own_friends, wish.peer_friends) = (true, 3, 3);
        };
        let full = |wish: &mut Wish<'_>| (wish.own_friends, wish.peer_friends) = (3, 3);
        let all = [Tie::Blocked, Tie::BlockedBy, Tie::Friend];
        assert_eq!(decided(worst, &all), Err(30009));
        assert_eq!(decided(full, &all), Err(30515));
        assert_eq!(decided(full, &all[1..]), Err(30525));
        assert_eq!(decided(full, &all[2..]), Err(30001));
        assert_eq!(decided(full, &[]), Err(30010));
        assert_eq!(decided(|wish| wish.peer_friends = 3, &[]), Err(30014));
        assert_eq!(
            decided(|wish| (wish.peer_friends, wish.both) = (3, false), &[]),
            Ok(Verdict::Befriend)
        );
        assert_eq!(decided(|wish| wish.peer_friends = 3, &[Tie::FriendOf]), Ok(Verdict::Befriend));
    }

    /// Everything that must hold between two users, whatever happened.
    fn check(a: &Edge, b: &Edge) {
        for (one, other) in [(a, b), (b, a)] {
            for (tie, mirror) in Tie::MIRRORED {
                assert_eq!(one.has(tie), other.has(mirror), "{tie:?}: {one:?} and {other:?}");
            }
            assert!(!(one.has(Tie::Friend) && one.has(Tie::Asked)), "a friend is not asked");
            assert!(!(one.has(Tie::FriendOf) && one.has(Tie::Asked)), "who is listed need not ask");
            assert!(
                !(one.has(Tie::Asked) && one.has(Tie::AskedBy)),
                "who ask each other are friends"
            );
            if one.has(Tie::Blocked) {
                assert!(!one.has(Tie::Friend) && !one.has(Tie::FriendOf), "blocked friend");
                assert!(!one.has(Tie::Asked) && !one.has(Tie::AskedBy), "blocked asks");
            }
        }
    }

    fn settled(a: &Edge, b: &Edge, errand: &ErrandRow) -> (Edge, Edge) {
        let (mut a, mut b) = (a.clone(), b.clone());
        let mut own = Side { tiny_id: TinyId(1), edge: &mut a };
        settle(&mut own, &mut Side { tiny_id: TinyId(2), edge: &mut b }, errand, NOW);
        (a, b)
    }

    /// Whatever belongs to a user himself, beside mirrors that are all missing or all there.
    fn edges() -> Vec<Edge> {
        let with = |bits: u32, mirrors: bool| {
            let own = Tie::MIRRORED.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0);
            let mut ties: Vec<Tie> = own.map(|(_, (tie, _))| *tie).collect();
            ties.extend(Tie::MIRRORED.iter().filter(|_| mirrors).map(|(_, mirror)| *mirror));
            edge(&ties)
        };
        (0..16).flat_map(|bits| [with(bits, false), with(bits, true)]).collect()
    }

    fn every_errand() -> impl Iterator<Item = ErrandRow> {
        (0..16_u32).map(|bits| ErrandRow {
            befriend: bits & 1 != 0,
            unfriend: bits & 2 != 0,
            ended_request: if bits & 4 != 0 { 7 } else { 0 },
            granted: bits & 8 != 0,
            ..ErrandRow::default()
        })
    }

    #[test]
    fn whatever_two_sides_hold_they_agree_afterwards_and_a_repetition_changes_nothing() {
        let edges = edges();
        for errand in every_errand() {
            for a in &edges {
                for b in &edges {
                    let once = settled(a, b, &errand);
                    check(&once.0, &once.1);
                    assert_eq!(settled(&once.0, &once.1, &errand), once, "{errand:?}");
                }
            }
        }
    }

    #[test]
    fn opposite_wishes_end_the_same_whichever_is_carried_out_first() {
        // One side has added the other and wants it both ways; the other has removed the one, both ways.
        let (added, removed) = (edge(&[Tie::Friend]), edge(&[Tie::FriendOf]));
        let befriend = ErrandRow { befriend: true, ..ErrandRow::default() };
        let unfriend = ErrandRow { unfriend: true, ..ErrandRow::default() };
        let (a, b) = settled(&added, &removed, &befriend);
        let (b, a) = settled(&b, &a, &unfriend);
        assert!(a.has(Tie::Friend) && b.has(Tie::Friend), "still wanted when it was carried out");
        let (b, a) = settled(&removed, &added, &unfriend);
        let (a, b) = settled(&a, &b, &befriend);
        assert!(!a.has(Tie::Friend) && !b.has(Tie::Friend), "not wanted any more");
        check(&a, &b);
    }

    #[test]
    fn a_granted_request_brings_what_was_asked_with_it() {
        let mut a = Edge::default();
        let mut b = edge(&[]);
        let remark = "my tea friend".to_owned();
        b.set(
            Tie::Asked,
            TieRow { remark: remark.clone(), source: "AddSource_Type_Tea".into(), ..row(1) },
        );
        let errand = ErrandRow { ended_request: 7, granted: true, ..ErrandRow::default() };
        (a, b) = settled(&a, &b, &errand);
        let friend = b.get(Tie::Friend).expect("granted");
        assert_eq!((friend.since, friend.request, &friend.remark), (NOW, 0, &remark));
        assert!(a.get(Tie::FriendOf).is_some_and(|mirror| mirror.remark.is_empty()));
        let other = ErrandRow { ended_request: 8, granted: true, ..ErrandRow::default() };
        let (_, b) = settled(&Edge::default(), &edge(&[Tie::Asked]), &other);
        assert!(b.has(Tie::Asked), "an earlier request was answered, not this one");
    }
}
