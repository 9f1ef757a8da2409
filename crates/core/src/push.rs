//! From domain events to frames: who is told what. The only place that makes pushes.

use std::sync::Arc;

use teahouse_proto::ids::{SdkAppId, UserId};
use teahouse_proto::message::SendControl;
use teahouse_proto::platform::Platform;
use teahouse_proto::push::{
    self, C2cMessage, C2cNotice, ConversationChange, ConversationRef, Kickout, ProfileChange,
    ProfileField, PushOptions,
};

use crate::event::{
    ConversationsDeleted, DevicesKicked, Event, MessageSent, MessagesRead, ProfileChanged, counted,
};
use crate::hub::Frame;
use crate::node::Node;
use crate::profile::{ProfileItem, ProfileValue};

/// Queues the pushes of `event`. Never waits.
pub(crate) fn deliver(node: &Node, event: &Event) {
    match event {
        Event::MessageSent(message) => message_sent(node, message),
        Event::MessagesRead(read) => messages_read(node, read),
        Event::ProfileChanged(changed) => profile_changed(node, changed),
        Event::ConversationsDeleted(deleted) => conversations_deleted(node, deleted),
        Event::DevicesKicked(kicked) => devices_kicked(node, kicked),
        Event::AccountCreated(_)
        | Event::AccountDeleted(_)
        | Event::LoggedIn(_)
        | Event::LoggedOut(_)
        | Event::AppChanged(_) => {}
    }
}

fn message_sent(node: &Node, message: &MessageSent) {
    let to = node.hub().push(message.app, &message.to, None, || {
        (frame(&[push::Event::C2cMessages(&[c2c_message(message, false)])]), message.place())
    });
    let mut deliveries = to;
    if message.sync_to_sender && message.from != message.to {
        deliveries += node.hub().push(message.app, &message.from, message.origin, || {
            (frame(&[push::Event::C2cMessages(&[c2c_message(message, true)])]), None)
        });
    }
    counted!("teahouse_messages_total", "kind" => "c2c").increment(1);
    counted!("teahouse_deliveries_total", "kind" => "c2c").increment(deliveries as u64);
}

/// The copy for the sender's own devices names the two ends the other way round: the client swaps them
/// back.
fn c2c_message(message: &MessageSent, for_sender: bool) -> C2cMessage<'_> {
    let (from, to) =
        if for_sender { (&message.to, &message.from) } else { (&message.from, &message.to) };
    C2cMessage {
        from,
        to,
        msg_seq: message.seq,
        msg_random: message.random,
        msg_time_stamp: message.time,
        msg_client_time: message.client_time,
        tiny_id: message.from_tiny_id,
        msg_body: &message.body,
        from_nick: &message.from_nick,
        from_avatar: &message.from_image,
        cloud_custom_data: &message.cloud_custom_data,
        is_need_read_receipt: message.wants_receipt,
        is_peer_read: false,
        msg_version: 0,
        support_message_extension: message.extensible,
        msg_flag_bits: 0,
        msg_life_time: message.online_only.then_some(0),
        send_msg_control: SendControl {
            no_unread: message.no_unread,
            no_last_msg: message.no_last,
            ..SendControl::default()
        },
        is_sync: for_sender,
        revoker_info: None,
        msg_key: None,
    }
}

fn messages_read(node: &Node, read: &MessagesRead) {
    let MessagesRead { app, reader, peer, time, origin } = read;
    let by_peer = C2cNotice::ReadByPeer { reader, last_read_time: *time };
    notify(node, *app, peer, None, by_peer);
    let elsewhere = C2cNotice::ReadElsewhere { peer, last_read_time: *time };
    notify(node, *app, reader, *origin, elsewhere);
}

fn notify(node: &Node, app: SdkAppId, user: &UserId, except: Option<u32>, notice: C2cNotice<'_>) {
    node.hub().push(app, user, except, || (frame(&[push::Event::C2cNotices(&[notice])]), None));
}

fn profile_changed(node: &Node, changed: &ProfileChanged) {
    node.hub().push(changed.app, &changed.user, changed.origin, || {
        let profile_list = changed
            .items
            .iter()
            .map(|ProfileItem { tag, value }| ProfileField {
                tag,
                value: match value {
                    ProfileValue::Text(text) => push::ProfileValue::Text(text),
                    ProfileValue::Number(number) => push::ProfileValue::Number(*number),
                },
            })
            .collect();
        let change = ProfileChange { user: &changed.user, profile_list };
        (frame(&[push::Event::ProfileChanges(&[change])]), None)
    });
}

fn conversations_deleted(node: &Node, deleted: &ConversationsDeleted) {
    if !deleted.sync {
        return;
    }
    node.hub().push(deleted.app, &deleted.user, deleted.origin, || {
        let peers = deleted.peers.iter().map(ConversationRef::C2c).collect();
        (frame(&[push::Event::ConversationChanges(&[ConversationChange::Deleted(peers)])]), None)
    });
}

/// Tells the devices and ends their sessions. Their sockets stay: a client says goodbye, and may log
/// in again, on the same one.
fn devices_kicked(node: &Node, kicked: &DevicesKicked) {
    let (new_inst_id, new_platform) = kicked.by.unwrap_or((0, Platform::Web));
    let frame = Arc::new(Frame::new(push::kick_frame(Kickout {
        kind: kicked.reason,
        new_platform,
        new_inst_id,
    })));
    for connection in node.hub().connections(kicked.app, &kicked.user) {
        let out = |inst_id| kicked.devices.contains(&inst_id);
        if connection.with_session(|session| session.is_some_and(|s| out(s.inst_id))) {
            connection.push(&frame, None);
            node.hub().logout(&connection);
        }
    }
}

/// A push with these events.
pub(crate) fn frame(events: &[push::Event<'_>]) -> Arc<Frame> {
    Arc::new(Frame::new(push::event_frame(events, PushOptions::default())))
}
