//! The one admission point: whoever wants to write into a conversation passes here, after the request
//! itself was found valid and before anything changes. A new check (a webhook, moderation) is added here and then holds on every face.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, MsgKey, TinyId, UserId};
use teahouse_proto::time::UnixSeconds;

use crate::account;
use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::group::message::GroupRef;
use crate::group::messages::{self, NewGroupMessage};
use crate::group::rules::Standing;
use crate::group::{self, room};
use crate::hook;
use crate::hook::before::{self, Passage, Says};
use crate::hook::table::Command;
use crate::mute::{self, Mutes};
use crate::pair::{self, Ends, NewMessage};
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

/// Lets whoever sends `message` write into a group. What is behind this: [`ask_of_group`], and the group's limit.
///
/// # Errors
/// `GroupNotFound`, `GroupPermissionDenied`, `SenderMuted`; `SessionInvalid` as for [`to_user`].
pub(crate) async fn may_write(
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
    Ok(reference)
}

/// Asks the app's webhook about a one-to-one message that is not a repetition; answers with what it has made of
/// it, if that is something else.
///
/// # Errors
/// What the webhook refuses with; `BeforeHookFailed`.
pub(crate) async fn ask_of_pair(
    caller: &Caller,
    message: &NewMessage,
) -> Outcome<Passage<Option<NewMessage>>> {
    let (command, app) = (Command::BeforeSendC2c, caller.app());
    let is_asked = app.wants(command) && !message.forbids.forbid_before_send;
    if !is_asked || pair::is_repeated(caller.node(), app, message).await? {
        return Ok(Passage::Send(None));
    }
    let says = Says { body: &message.body, cloud_custom_data: &message.cloud_custom_data };
    let bytes_max = app.facts().settings.c2c_body_bytes_max;
    let time = caller.now().seconds();
    let passage = before::message(caller, command, &hook::OF_C2C, bytes_max, says, |body| {
        let key = MsgKey { seq: message.seq, random: message.random, time };
        body.put("From_Account", &message.ends.own)
            .put("To_Account", &message.ends.peer)
            .put("MsgSeq", &message.seq)
            .put("MsgRandom", &message.random)
            .put("MsgTime", &time)
            .put("MsgKey", &key.to_string())
            .put("OnlineOnlyFlag", &u8::from(message.life_s == 0))
            .put("MsgBody", &message.body)
            .put("CloudCustomData", &message.cloud_custom_data)
    });
    Ok(match passage.await? {
        Passage::Send(rewritten) => Passage::Send(rewritten.map(|(body, cloud_custom_data)| {
            let asked_crc = Some(message.content_crc());
            NewMessage { body, cloud_custom_data, asked_crc, ..message.clone() }
        })),
        Passage::Drop => Passage::Drop,
    })
}

/// The same for a message to a group.
///
/// # Errors
/// As for [`ask_of_pair`].
pub(crate) async fn ask_of_group(
    caller: &Caller,
    group: &GroupRef,
    message: &NewGroupMessage,
) -> Outcome<Passage<Option<NewGroupMessage>>> {
    let (command, app) = (Command::BeforeSendGroup, caller.app());
    let is_asked = app.wants(command) && !message.forbids.forbid_before_send;
    if !is_asked || messages::is_repeated(caller.node(), app, group, message).await? {
        return Ok(Passage::Send(None));
    }
    let says = Says { body: &message.body, cloud_custom_data: &message.cloud_custom_data };
    let bytes_max = app.facts().settings.group_body_bytes_max;
    let operator = caller.acting_as(None, ErrorCode::CallerNotLoggedIn)?;
    let refusals = &hook::OF_GROUP_MESSAGE;
    let passage = before::message(caller, command, refusals, bytes_max, says, |body| {
        body.put("GroupId", &group.id)
            .put("Type", group.kind.word())
            .put("From_Account", &message.from)
            .put("Operator_Account", &operator)
            .put("Random", &message.random)
            .put("OnlineOnlyFlag", &u8::from(message.online_only))
            .put("MsgBody", &message.body)
            .put("CloudCustomData", &message.cloud_custom_data)
    });
    Ok(match passage.await? {
        Passage::Send(rewritten) => Passage::Send(rewritten.map(|(body, cloud_custom_data)| {
            let asked_crc = Some(message.content_crc());
            NewGroupMessage { body, cloud_custom_data, asked_crc, ..message.clone() }
        })),
        Passage::Drop => Passage::Drop,
    })
}
