//! The one admission point: whoever wants to write into a conversation passes here, after the request
//! itself was found valid and before anything changes. A new check (a webhook, moderation) is added here and then holds on every face.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::time::UnixSeconds;

use crate::account;
use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::group::message::GroupRef;
use crate::group::messages::NewGroupMessage;
use crate::group::rules::Standing;
use crate::group::{self, flow, room};
use crate::mute::{self, Mutes};
use crate::pair::Ends;
use crate::relation;
use crate::rows::Tie;

/// Lets `from` write to `to`: both accounts exist, a user who writes himself is not muted, and what the two are to
/// each other allows it. Returns the two ends of their conversation.
///
/// # Errors
/// `AccountUnknown` for the sender, `ToAccountUnknown` for the receiver; `SenderMutedEverywhere`; those of
/// [`check_relations`]; `SessionInvalid` when the caller's account was deleted since the request was let in, and
/// another one of that name is there.
pub(crate) async fn to_user(caller: &Caller, from: UserId, to: UserId) -> Outcome<Ends> {
    let (node, app) = (caller.node(), caller.app());
    let own_tiny = account::existing(node, app, &from, ErrorCode::AccountUnknown).await?;
    check_account(caller, own_tiny)?;
    check_mute(caller, |mutes| mutes.c2c_until, ErrorCode::SenderMutedEverywhere).await?;
    let peer_tiny = account::existing(node, app, &to, ErrorCode::ToAccountUnknown).await?;
    let ends = Ends { own: from, own_tiny, peer: to, peer_tiny };
    check_relations(caller, &ends).await?;
    Ok(ends)
}

/// Whether what two users are to each other lets the one write to the other. Backends may always write, robots may,
/// too, and everybody to himself.
///
/// # Errors
/// `BlockedByReceiver`; if the app wants friends only, `NotMutualFriends`, `SenderNotPeersFriend`,
/// `ReceiverNotOwnFriend`.
async fn check_relations(caller: &Caller, ends: &Ends) -> Outcome<()> {
    if caller.is_admin() || ends.own == ends.peer || ends.own.is_robot() {
        return Ok(());
    }
    let (node, app) = (caller.node(), caller.app());
    if relation::holds(node, app, &ends.peer, Tie::Blocked, ends.own_tiny).await? {
        return Err(ErrorCode::BlockedByReceiver.into());
    }
    if !app.facts().settings.c2c_friends_only || ends.peer.is_robot() {
        return Ok(());
    }
    let own_has = relation::holds(node, app, &ends.own, Tie::Friend, ends.peer_tiny).await?;
    let peer_has = relation::holds(node, app, &ends.peer, Tie::Friend, ends.own_tiny).await?;
    match (own_has, peer_has) {
        (true, true) => Ok(()),
        (false, false) => Err(ErrorCode::NotMutualFriends.into()),
        (true, false) => Err(ErrorCode::SenderNotPeersFriend.into()),
        (false, true) => Err(ErrorCode::ReceiverNotOwnFriend.into()),
    }
}

/// Refuses a caller whose account was deleted since the request was let in, when another one of its name
/// is there.
fn check_account(caller: &Caller, there: TinyId) -> Result<(), Error> {
    match caller.who() {
        Who::User(identity) if identity.tiny_id != there => Err(ErrorCode::SessionInvalid.into()),
        Who::User(_) | Who::Admin(_) | Who::Guest { .. } | Who::System => Ok(()),
    }
}

/// Refuses a user whom the app's backend has muted everywhere. What it sends in his name itself, it may.
async fn check_mute(
    caller: &Caller,
    until: fn(Mutes) -> UnixSeconds,
    refused: ErrorCode,
) -> Outcome<()> {
    let Who::User(identity) = caller.who() else { return Ok(()) };
    let mutes = mute::of(caller.node(), caller.app(), &identity.user).await?;
    if caller.now().seconds() < until(mutes) {
        return Err(Error::with(refused, "the sender is muted everywhere").into());
    }
    Ok(())
}

/// Lets a message into a group: whoever sends it may do so, and it is within the group's limit. A live
/// room has its own limit, behind this.
///
/// # Errors
/// `GroupNotFound`, `GroupPermissionDenied`, `SenderMuted`, `GroupMessagesTooFrequent`; `SessionInvalid` as
/// for [`to_user`].
pub(crate) async fn to_group(
    caller: &Caller,
    id: &GroupId,
    message: &NewGroupMessage,
) -> Outcome<GroupRef> {
    let (node, app) = (caller.node(), caller.app());
    check_account(caller, message.from_tiny_id)?;
    check_mute(caller, |mutes| mutes.groups_until, ErrorCode::SenderMuted).await?;
    let entity = group::group(node, app, id).await?;
    let now = node.now();
    let reference = entity.read(|state| {
        let reference = state.reference(app.id(), id)?;
        if room::is_room(reference.kind) {
            let is_in = |room: std::sync::Arc<room::Room>| {
                room.has_viewer(&message.from, message.from_tiny_id)
            };
            let standing = if message.by_backend {
                Standing::Backend
            } else if app.rooms.find(id).is_some_and(is_in) {
                state.room_standing(&message.from, message.from_tiny_id).min(Standing::Member)
            } else {
                Standing::Stranger
            };
            state.rules()?.may_send(standing, state.mute(&message.from), now.seconds())?;
        } else {
            state.may_send(message, now)?;
        }
        Ok::<_, Error>(reference)
    })?;
    if !room::is_room(reference.kind) {
        flow::admit(node, app, id, message.priority).await?;
    }
    Ok(reference)
}
