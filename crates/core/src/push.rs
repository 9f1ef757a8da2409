//! From domain events to frames: who is told what. The only place that makes pushes.

pub(crate) mod relation;

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use teahouse_proto::group::Priority;
use teahouse_proto::ids::{SdkAppId, TinyId, UserId};
use teahouse_proto::message::SendControl;
use teahouse_proto::platform::Platform;
use teahouse_proto::push::{
    self, C2cMessage, C2cNotice, ConversationChange, ConversationGroup, ConversationMark,
    ConversationRef, ExtensionNotice, ExtensionValue, GroupAtTip, GroupAttributes, GroupCounters,
    GroupMessageRef, GroupNotice, GroupPiece, GroupPin, GroupRecall, GroupReceipt, GroupReceipts,
    Kickout, MessageRef, ModifiedGroupMessage, ModifiedMessage, NameCard, NoticeKind,
    PinnedMessage, ProfileChange, ProfileField, PushOptions, Reaction, ReactionNotice,
    RecalledMessage, ReceiptNotice, RevokerInfo, TipKind, WithdrawnMessage,
};
use teahouse_proto::time::UnixSeconds;

use crate::conversation::contacts::{Contact, Folder, Marked};
use crate::event::{
    AllRead, AttachedTo, AttributesChanged, BanChanged, ContactChange, ConversationsChanged,
    ConversationsDeleted, CountersChanged, CustomStatusSet, DevicesKicked, DoNotDisturbChanged,
    Event, ExtensionsChanged, GroupCreated, GroupDismissed, GroupMessageModified, GroupMessageName,
    GroupMessagesRecalled, GroupNotified, GroupRead, JoinAnswered, JoinAsked, MembersJoined,
    MembersLeft, MessageModified, MessageName, MessageSent, MessageWithdrawn, MessagesConfirmed,
    MessagesRead, Origin, PeerOptionChanged, PinChanged, ProfileChanged, ReactionsChanged,
    ReadersCounted, ReceiveOptionChanged, RoleChanged, StatusChanged, counted,
};
use crate::group::message::{GroupRef, GroupSaid, face_of};
use crate::group::pendency::PendencyType;
use crate::group::{counters, room};
use crate::hub::topic::{Piece, Weight};
use crate::hub::{Channel, Frame, Place, Placed, TopicKey};
use crate::node::{Due, Node};
use crate::presence::{Seen, Status};
use crate::profile::{ProfileItem, ProfileValue};

/// Queues the pushes of `event`. Never waits.
pub(crate) fn deliver(node: &Node, event: &Event) {
    match event {
        Event::MessageSent(message) => message_sent(node, message),
        Event::MessageWithdrawn(withdrawn) => message_withdrawn(node, withdrawn),
        Event::MessageModified(modified) => message_modified(node, modified),
        Event::MessagesConfirmed(confirmed) => messages_confirmed(node, confirmed),
        Event::ExtensionsChanged(changed) => extensions_changed(node, changed),
        Event::ReactionsChanged(changed) => reactions_changed(node, changed),
        Event::MessagesRead(read) => messages_read(node, read),
        Event::AllRead(read) => all_read(node, read),
        Event::PeerOptionChanged(changed) => peer_option_changed(node, changed),
        Event::DoNotDisturbChanged(changed) => do_not_disturb_changed(node, changed),
        Event::ProfileChanged(changed) => profile_changed(node, changed),
        Event::ConversationsDeleted(deleted) => conversations_deleted(node, deleted),
        Event::ConversationsChanged(changed) => conversations_changed(node, changed),
        Event::DevicesKicked(kicked) => devices_kicked(node, kicked),
        Event::CustomStatusSet(set) => custom_status_set(node, set),
        Event::StatusChanged(changed) => status_changed(node, changed),
        Event::GroupCreated(created) => group_created(node, created),
        Event::MembersJoined(joined) => members_joined(node, joined),
        Event::MembersLeft(left) => members_left(node, left),
        Event::BanChanged(changed) => ban_changed(node, changed),
        Event::RoleChanged(changed) => role_changed(node, changed),
        Event::GroupDismissed(dismissed) => group_dismissed(node, dismissed),
        Event::GroupMessage(said) => group_message(node, said),
        Event::GroupMessagesRecalled(recalled) => group_messages_recalled(node, recalled),
        Event::GroupMessageModified(modified) => group_message_modified(node, modified),
        Event::ReadersCounted(counted) => readers_counted(node, counted),
        Event::PinChanged(changed) => pin_changed(node, changed),
        Event::GroupRead(read) => group_read(node, read),
        Event::ReceiveOptionChanged(changed) => receive_option_changed(node, changed),
        Event::JoinAsked(asked) => join_asked(node, asked),
        Event::JoinAnswered(answered) => join_answered(node, answered),
        Event::GroupNotified(notified) => group_notified(node, notified),
        Event::AttributesChanged(changed) => attributes_changed(node, changed),
        Event::CountersChanged(changed) => counters::tell(node, changed),
        Event::RelationsChanged(changed) => relation::deliver(node, changed),
        Event::OwnerChanged(_)
        | Event::MemberNamed(_)
        | Event::GroupFull(_)
        | Event::ViewerMoved(_)
        | Event::ViewerAway(_)
        | Event::GroupSendFailed(_)
        | Event::AccountCreated(_)
        | Event::AccountDeleted(_)
        | Event::LoggedIn(_)
        | Event::LoggedOut(_)
        | Event::AppChanged(_) => {}
    }
}

fn message_sent(node: &Node, message: &MessageSent) {
    let mut deliveries = 0;
    if !message.discarded {
        deliveries += node.hub().push(message.app, &message.to, None, || {
            let counted = !message.no_unread;
            let place = message.place(Placed::Message { ordinal: message.ordinal, counted });
            (frame(&[push::Event::C2cMessages(&[c2c_message(message, false)])]), place)
        });
    }
    if message.sync_to_sender && message.from != message.to {
        // Its own device has it already, unless a webhook has made something else of it.
        let origin = message.origin.filter(|_| !message.rewritten);
        deliveries += node.hub().push(message.app, &message.from, origin, || {
            let copy = message.place(Placed::Copy { ordinal: message.ordinal });
            (frame(&[push::Event::C2cMessages(&[c2c_message(message, true)])]), copy)
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
        is_rewritten: message.rewritten,
        revoker_info: None,
        msg_key: None,
    }
}

/// Tells all devices of both sides but the one that it came from, if that has its answer: one that has logged in
/// again since lost it with its connection.
fn tell_both(
    node: &Node,
    message: &MessageName,
    origin: Option<&Origin>,
    events: &[push::Event<'_>],
) {
    let encoded = LazyCell::new(|| frame(events));
    let what = Placed::Change { number: message.change };
    let place = Place { pair: message.pair, what };
    let tell = |user: &UserId| {
        let origin = origin.filter(|origin| origin.user == *user);
        let origin = origin.filter(|origin| !node.hub().is_back(message.app, origin));
        let origin = origin.map(|origin| origin.inst_id);
        node.hub().push(message.app, user, origin, || (encoded.clone(), Some(place)));
    };
    tell(&message.to);
    if message.from != message.to {
        tell(&message.from);
    }
}

impl MessageName {
    fn reference(&self) -> MessageRef<'_> {
        MessageRef {
            from: &self.from,
            to: &self.to,
            msg_seq: self.seq,
            msg_random: self.random,
            msg_time: self.time,
            msg_client_time: self.client_time,
            tiny_id: self.from_tiny_id,
        }
    }
}

fn message_withdrawn(node: &Node, withdrawn: &MessageWithdrawn) {
    let MessageWithdrawn { message, by, origin } = withdrawn;
    let revoker_info = RevokerInfo { revoker: by, reason: "" };
    let told = [WithdrawnMessage { message: message.reference(), revoker_info }];
    let notices = [C2cNotice::Withdrawn(&told)];
    let events = [push::Event::C2cNotices(&notices)];
    tell_both(node, message, origin.as_ref(), &events);
}

fn message_modified(node: &Node, modified: &MessageModified) {
    let told = [ModifiedMessage {
        message: modified.message.reference(),
        msg_body: &modified.body,
        msg_version: modified.version,
        cloud_custom_data: &modified.cloud_custom_data,
    }];
    let events = [push::Event::MessagesModified(&told)];
    tell_both(node, &modified.message, modified.origin.as_ref(), &events);
}

fn messages_confirmed(node: &Node, confirmed: &MessagesConfirmed) {
    let Some(last) = confirmed.messages.last() else { return };
    node.hub().push(last.app, &last.from, None, || {
        let messages: Vec<_> = confirmed.messages.iter().map(MessageName::reference).collect();
        let notice = ReceiptNotice { reader: &last.to, time: confirmed.time, messages: &messages };
        let what = Placed::Change { number: last.change };
        (frame(&[push::Event::Receipts(notice)]), Some(Place { pair: last.pair, what }))
    });
}

impl AttachedTo {
    fn reference(&self) -> push::AttachedTo<'_> {
        match self {
            Self::C2c(message) => push::AttachedTo::C2c(message.reference()),
            Self::Group { group, message, .. } => push::AttachedTo::Group(message.reference(group)),
        }
    }
}

impl GroupMessageName {
    fn reference<'a>(&self, group: &'a GroupRef) -> GroupMessageRef<'a> {
        GroupMessageRef {
            group_id: &group.id,
            msg_seq: self.seq,
            msg_random: self.random,
            msg_time: self.time,
            msg_client_time: self.client_time,
            tiny_id: self.from_tiny_id,
        }
    }
}

fn extensions_changed(node: &Node, changed: &ExtensionsChanged) {
    let (told, origin) = (&changed.told, changed.origin.as_ref());
    let values = told.values.iter();
    let values: Vec<_> =
        values.map(|(key, value, seq)| ExtensionValue { key, value, seq: *seq }).collect();
    let notice = ExtensionNotice {
        message: changed.message.reference(),
        change: told.change,
        values: &values,
        last: told.last,
        cleared: told.cleared,
    };
    let event = push::Event::Extensions(notice);
    tell_attached(node, &changed.message, origin, event, || GroupPiece::extensions(&notice));
}

fn reactions_changed(node: &Node, changed: &ReactionsChanged) {
    /// How many are named of those who give a reaction.
    const ACCOUNTS_MAX: usize = 10;
    let origin = changed.origin.as_ref();
    let notice = ReactionNotice {
        message: changed.message.reference(),
        reactions: vec![Reaction {
            reaction: &changed.reaction,
            count: changed.users.len(),
            accounts: changed.users.iter().take(ACCOUNTS_MAX).collect(),
        }],
    };
    let notices = std::slice::from_ref(&notice);
    let event = push::Event::Reactions(notices);
    tell_attached(node, &changed.message, origin, event, || GroupPiece::reactions(&notice));
}

/// Tells all devices of those who see a message but the one that it came from.
fn tell_attached(
    node: &Node,
    message: &AttachedTo,
    origin: Option<&Origin>,
    event: push::Event<'_>,
    piece: impl FnOnce() -> GroupPiece,
) {
    match message {
        AttachedTo::C2c(message) => tell_both(node, message, origin, &[event]),
        AttachedTo::Group { group, only_for: None, .. } => tell_all(node, group, origin, piece),
        AttachedTo::Group { group, only_for: Some(users), .. } => {
            let encoded = frame(&[event]);
            for user in users {
                let origin = origin.filter(|origin| origin.user == *user).map(|o| o.inst_id);
                node.hub().push(group.app, user, origin, || (encoded.clone(), None));
            }
        }
    }
}

fn messages_read(node: &Node, read: &MessagesRead) {
    let MessagesRead { app, reader, peer, peer_tiny_id, time, origin } = read;
    tell_writer(node, *app, reader, (peer, *peer_tiny_id), *time);
    node.hub().push(*app, reader, *origin, || {
        let elsewhere = C2cNotice::ReadElsewhere { peer, last_read_time: *time };
        (frame(&[push::Event::C2cNotices(&[elsewhere])]), None)
    });
}

/// Tells an account how far `reader` has read what it wrote.
fn tell_writer(
    node: &Node,
    app: SdkAppId,
    reader: &UserId,
    (writer, tiny_id): (&UserId, TinyId),
    last_read_time: UnixSeconds,
) {
    tell_account(node, app, (writer, tiny_id), || {
        let by_peer = C2cNotice::ReadByPeer { reader, last_read_time };
        frame(&[push::Event::C2cNotices(&[by_peer])])
    });
}

/// Tells the devices of an account, not those of another one that was made under its name.
fn tell_account(
    node: &Node,
    app: SdkAppId,
    (user, tiny_id): (&UserId, TinyId),
    frame: impl FnOnce() -> Arc<Frame>,
) {
    let mut devices = node.hub().connections(app, user);
    devices.retain(|c| c.with_session(|s| s.is_some_and(|s| s.tiny_id == tiny_id)));
    if !devices.is_empty() {
        let frame = frame();
        devices.iter().for_each(|connection| connection.push(&frame, None));
    }
}

fn all_read(node: &Node, read: &AllRead) {
    let AllRead { app, reader, c2c, peers, groups, origin } = read;
    for (peer, tiny_id, time) in peers {
        tell_writer(node, *app, reader, (peer, *tiny_id), *time);
    }
    node.hub().push(*app, reader, *origin, || {
        (frame(&[push::Event::AllRead(push::AllRead { c2c: *c2c, groups })]), None)
    });
}

fn peer_option_changed(node: &Node, changed: &PeerOptionChanged) {
    let PeerOptionChanged { app, user, peers, option, origin } = changed;
    node.hub().push(*app, user, *origin, || {
        let option = |peer| C2cNotice::ReceiveOption { peer, option: *option };
        let notices: Vec<C2cNotice<'_>> = peers.iter().map(option).collect();
        (frame(&[push::Event::C2cNotices(&notices)]), None)
    });
}

fn do_not_disturb_changed(node: &Node, changed: &DoNotDisturbChanged) {
    node.hub().push(changed.app, &changed.user, changed.origin, || {
        (frame(&[push::Event::DoNotDisturb(changed.setting)]), None)
    });
}

/// His own other devices; those of his friends follow through the outbox.
fn profile_changed(node: &Node, changed: &ProfileChanged) {
    node.hub().push(changed.app, &changed.user, changed.origin, || {
        (profile_frame(&changed.user, &changed.items), None)
    });
}

/// Tells new values of a profile.
pub(crate) fn profile_frame(user: &UserId, items: &[ProfileItem]) -> Arc<Frame> {
    let fields = items.iter().map(|ProfileItem { tag, value }| ProfileField {
        tag,
        value: match value {
            ProfileValue::Text(text) => push::ProfileValue::Text(text),
            ProfileValue::Number(number) => push::ProfileValue::Number(*number),
        },
    });
    let change = ProfileChange { user, profile_list: fields.collect() };
    frame(&[push::Event::ProfileChanges(&[change])])
}

fn conversations_deleted(node: &Node, deleted: &ConversationsDeleted) {
    if !deleted.sync {
        return;
    }
    node.hub().push(deleted.app, &deleted.user, deleted.origin, || {
        let peers = deleted.peers.iter().map(ConversationRef::C2c);
        let all = peers.chain(deleted.groups.iter().map(ConversationRef::Group)).collect();
        (frame(&[push::Event::ConversationChanges(&[ConversationChange::Deleted(all)])]), None)
    });
}

fn conversations_changed(node: &Node, changed: &ConversationsChanged) {
    node.hub().push(changed.app, &changed.user, changed.origin, || {
        let changes: Vec<_> = changed.changes.iter().map(conversation_change).collect();
        (frame(&[push::Event::ConversationChanges(&changes)]), None)
    });
}

/// The change as a push names it.
pub(crate) fn conversation_change(change: &ContactChange) -> ConversationChange<'_> {
    match change {
        ContactChange::Pinned(contacts) => ConversationChange::Pinned(conversations(contacts)),
        ContactChange::Unpinned(contacts) => ConversationChange::Unpinned(conversations(contacts)),
        ContactChange::Marked(marked) => {
            ConversationChange::Marked(marked.iter().flat_map(marks).collect())
        }
        ContactChange::FolderMade(made, contacts) => {
            ConversationChange::GroupMade(folder(made), conversations(contacts))
        }
        ContactChange::FoldersDeleted(deleted) => {
            ConversationChange::GroupsDeleted(deleted.iter().map(folder).collect())
        }
        ContactChange::FolderRenamed(renamed, old_name) => {
            ConversationChange::GroupRenamed { group: folder(renamed), old_name }
        }
        ContactChange::FolderChanged(changed, contacts) => {
            let contacts = contacts.iter().map(|(is_in, c)| (*is_in, conversation(c))).collect();
            ConversationChange::GroupChanged(folder(changed), contacts)
        }
    }
}

fn marks(marked: &Marked) -> impl Iterator<Item = (ConversationRef<'_>, ConversationMark<'_>)> {
    let standard = marked.marks.map(ConversationMark::Standard);
    let custom = marked.custom.as_deref().map(ConversationMark::Custom);
    standard.into_iter().chain(custom).map(|mark| (conversation(&marked.contact), mark))
}

fn conversations(contacts: &[Contact]) -> Vec<ConversationRef<'_>> {
    contacts.iter().map(conversation).collect()
}

fn conversation(contact: &Contact) -> ConversationRef<'_> {
    match contact {
        Contact::Pair(peer) => ConversationRef::C2c(peer),
        Contact::Group(group) => ConversationRef::Group(group),
    }
}

fn folder(folder: &Folder) -> ConversationGroup<'_> {
    ConversationGroup { id: folder.id, name: &folder.name }
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
            if let Some(session) = node.hub().logout(&connection)
                && let Some(app) = node.app(kicked.app)
            {
                room::leave_all(node, &app, &kicked.user, session.inst_id);
            }
        }
    }
}

/// All devices are told, also the one that it came from.
fn custom_status_set(node: &Node, set: &CustomStatusSet) {
    let CustomStatusSet { app, user, text } = set;
    node.hub().push(*app, user, None, || {
        let seen = Seen { status: Status::Online, custom: text.clone() };
        (frame(&[push::Event::UserStatuses(&[seen.of(user)])]), None)
    });
}

fn status_changed(node: &Node, changed: &StatusChanged) {
    let StatusChanged { app, user, seen } = changed;
    let piece = GroupPiece::status(&seen.of(user));
    let piece = Piece { piece, weight: Weight::High, except: Vec::new(), only: None };
    publish(node, &(*app, Channel::Status(user.clone())), piece);
}

fn key(group: &GroupRef) -> TopicKey {
    (group.app, Channel::Group(group.id.clone()))
}

fn group_message(node: &Node, said: &GroupSaid) {
    let Some(app) = node.app(said.group.app) else { return };
    let key = key(&said.group);
    // Its device has the message already, unless a webhook has made something else of it.
    let from = said.sender().filter(|_| !said.is_rewritten()).and_then(|sender| {
        let sender = UserId::parse(sender).ok()?;
        node.hub().device(said.group.app, &sender, said.origin?)
    });
    let except = from.into_iter().collect();
    let devices = |user| node.hub().connections(said.group.app, user);
    let only =
        (!said.only_for.is_empty()).then(|| said.only_for.iter().flat_map(devices).collect());
    let is_room = room::is_room(said.group.kind);
    // Comings and goings are of low priority; what else a room tells of itself reaches everybody.
    let is_told = said.row.tip.is_some() && said.priority() != Priority::Low;
    let weight = if is_room && !is_told { Weight::of_room(said.priority()) } else { Weight::Keep };
    let hand_on = |piece: GroupPiece| {
        publish(node, &key, Piece { piece, weight, except, only });
    };
    if is_room {
        room::deliver(node, &app, said, hand_on);
    } else {
        counted!("teahouse_messages_total", "kind" => "group").increment(1);
        if node.hub().topic(&key).is_some() {
            hand_on(said.piece());
            mentioned(node, said);
        }
    }
}

fn group_messages_recalled(node: &Node, recalled: &GroupMessagesRecalled) {
    let GroupMessagesRecalled { group, origin, only_for, .. } = recalled;
    tell_group(node, group, origin.as_ref(), only_for, || recall_piece(node, recalled));
}

fn group_message_modified(node: &Node, modified: &GroupMessageModified) {
    let GroupMessageModified { group, origin, only_for, .. } = modified;
    tell_group(node, group, origin.as_ref(), only_for, || modified_piece(modified));
}

fn recall_piece(node: &Node, recalled: &GroupMessagesRecalled) -> GroupPiece {
    let GroupMessagesRecalled { group, messages, by, reason, faces, .. } = recalled;
    let revoker_info = RevokerInfo { revoker: by, reason };
    let message = |name: &GroupMessageName| RecalledMessage {
        group_id: &group.id,
        msg_seq: name.seq,
        msg_random: name.random,
        msg_time_stamp: name.time,
        msg_client_time: name.client_time,
        tiny_id: name.from_tiny_id,
        revoker_info,
    };
    let face = face_of(faces, by);
    GroupPiece::recall(&GroupRecall {
        group: push::GroupInfo {
            group_id: &group.id,
            group_name: &group.name,
            group_type: group.kind,
            from_nick: face.nick_name,
            from_avatar: face.image_url,
            from_extra: NameCard::default(),
            to: None,
        },
        revoker_info,
        time: node.now().seconds(),
        messages: messages.iter().map(message).collect(),
    })
}

fn modified_piece(modified: &GroupMessageModified) -> GroupPiece {
    let GroupMessageModified { group, message, from, body, version, cloud_custom_data, .. } =
        modified;
    GroupPiece::modified(&ModifiedGroupMessage {
        group_id: &group.id,
        from,
        msg_seq: message.seq,
        msg_random: message.random,
        msg_time: message.time,
        msg_client_time: message.client_time,
        tiny_id: message.from_tiny_id,
        msg_body: body,
        msg_version: *version,
        cloud_custom_data,
    })
}

/// What has become of messages, for a device that was away; nothing if they are as they were sent.
pub(crate) fn group_changes(node: &Node, messages: &[GroupSaid]) -> Option<Arc<Frame>> {
    let piece = |said: &GroupSaid| match said.recall() {
        Some(recalled) => Some(recall_piece(node, &recalled)),
        None => said.modification().as_ref().map(modified_piece),
    };
    let pieces: Vec<GroupPiece> = messages.iter().filter_map(piece).collect();
    (!pieces.is_empty()).then(|| Arc::new(Frame::new(push::group_frame(&pieces))))
}

/// All who listen: the device that it came from learns it from this, too.
fn pin_changed(node: &Node, changed: &PinChanged) {
    let PinChanged { said, pinned, operator, faces } = changed;
    tell_all(node, &said.group, None, || {
        let message = said.to_json();
        GroupPiece::pin(&GroupPin {
            group: group_info(&said.group, None),
            time: node.now().seconds(),
            operator: face_of(faces, operator.as_str()),
            message: match pinned {
                true => PinnedMessage::Pinned(&message),
                false => PinnedMessage::Unpinned(said.name().reference(&said.group)),
            },
        })
    });
}

/// The devices of the account that has sent the messages.
fn readers_counted(node: &Node, counted: &ReadersCounted) {
    let ReadersCounted { group, sender, messages } = counted;
    let Some(tiny_id) = messages.first().map(|count| count.message.from_tiny_id) else { return };
    tell_account(node, group.app, (sender, tiny_id), || {
        let receipts: Vec<_> = messages
            .iter()
            .map(|count| GroupReceipt {
                message: count.message.reference(group),
                read_num: count.read,
                unread_num: count.unread,
            })
            .collect();
        let group = group_info(group, Some(sender));
        let notice = GroupReceipts { group, time: node.now().seconds(), receipts: &receipts };
        frame(&[push::Event::GroupReceipts(&[notice])])
    });
}

/// Tells those who are mentioned in a message, behind the message itself.
fn mentioned(node: &Node, said: &GroupSaid) {
    let mentions = &said.row.mentions;
    let all = mentions.iter().any(|mention| mention.all);
    let tip = |you| GroupAtTip {
        from: &said.row.from,
        random: said.row.random,
        client_seq: said.row.client_seq,
        group_id: &said.group.id,
        seq: said.seq,
        you,
        all,
    };
    let users: BTreeSet<&str> = mentions.iter().map(|mention| mention.user.as_str()).collect();
    let users = users.into_iter().filter_map(|user| UserId::parse(user).ok());
    let devices: Vec<_> =
        users.flat_map(|user| node.hub().connections(said.group.app, &user)).collect();
    let key = key(&said.group);
    let publish = |you, except, only| {
        let piece = GroupPiece::mention(&tip(you));
        publish(node, &key, Piece { piece, weight: Weight::Keep, except, only });
    };
    if !devices.is_empty() {
        publish(true, Vec::new(), Some(devices.clone()));
    }
    if all {
        // Who is mentioned by name knows it.
        publish(false, devices, None);
    }
}

/// Tells everybody who is in a group something that is no part of its history.
fn tell_all(
    node: &Node,
    group: &GroupRef,
    origin: Option<&Origin>,
    encode: impl FnOnce() -> GroupPiece,
) {
    tell_group(node, group, origin, &[], encode);
}

/// The same; if anybody is named, only those.
fn tell_group(
    node: &Node,
    group: &GroupRef,
    origin: Option<&Origin>,
    only_for: &[UserId],
    encode: impl FnOnce() -> GroupPiece,
) {
    let (Some(app), key) = (node.app(group.app), key(group)) else { return };
    if node.hub().topic(&key).is_none() {
        return;
    }
    let from = origin.and_then(|o| node.hub().device(group.app, &o.user, o.inst_id));
    let except = from.into_iter().collect();
    let devices = |user| node.hub().connections(group.app, user);
    let only = (!only_for.is_empty()).then(|| only_for.iter().flat_map(devices).collect());
    let hand_on = |piece| {
        publish(node, &key, Piece { piece, weight: Weight::Keep, except, only });
    };
    if room::is_room(group.kind) {
        room::pass(node, &app, &group.id, encode(), hand_on);
    } else {
        hand_on(encode());
    }
}

/// Its device knows it from the answer to its request.
fn attributes_changed(node: &Node, changed: &AttributesChanged) {
    tell_all(node, &changed.group, changed.origin.as_ref(), || {
        GroupPiece::attributes(&GroupAttributes {
            group: group_info(&changed.group, None),
            change: changed.change,
            main_seq: changed.main_seq,
            attributes: &changed.attributes,
            time: node.now().seconds(),
        })
    });
}

fn group_notified(node: &Node, notified: &GroupNotified) {
    let GroupNotified { group, operator, content, to } = notified;
    let custom =
        |to| GroupNotice { content, ..bare_notice(node, group, NoticeKind::Custom, to, operator) };
    match to {
        None => tell_all(node, group, None, || GroupPiece::notice(&custom(None))),
        Some(users) => users.iter().for_each(|user| {
            node.hub().push(group.app, user, None, || {
                (frame(&[push::Event::GroupNotices(&[custom(Some(user))])]), None)
            });
        }),
    }
}

/// Tells all devices: clients learn the new values of their own moves from this, too.
pub(crate) fn counters_changed(node: &Node, changed: &CountersChanged) {
    let key = key(&changed.group);
    if node.hub().topic(&key).is_none() {
        return;
    }
    let piece = GroupPiece::counters(&GroupCounters {
        group: group_info(&changed.group, None),
        deleted: changed.deleted,
        seq: changed.seq,
        counters: &changed.counters,
        time: node.now().seconds(),
    });
    publish(node, &key, Piece { piece, weight: Weight::Keep, except: Vec::new(), only: None });
}

fn publish(node: &Node, key: &TopicKey, piece: Piece) {
    if let Some((due, topic)) = node.hub().publish(key, node.now(), piece) {
        node.agenda().enter(due, Due::Flush(topic));
    }
}

/// Lets the devices of new members listen, and tells those who did not ask for it.
fn members_joined(node: &Node, joined: &MembersJoined) {
    let key = key(&joined.group);
    for user in &joined.users {
        for connection in node.hub().connections(joined.group.app, user) {
            node.hub().listen(&key, &connection, user);
        }
        if joined.invited && !joined.silent && user.as_str() != joined.operator {
            notice(node, &joined.group, NoticeKind::Invited, user, &joined.operator, "", None);
        }
    }
}

fn members_left(node: &Node, left: &MembersLeft) {
    let key = key(&left.group);
    let kind = if left.kicked { NoticeKind::Kicked } else { NoticeKind::Quit };
    for user in &left.users {
        for connection in node.hub().connections(left.group.app, user) {
            node.hub().unlisten(&key, &connection);
        }
        if !left.silent {
            notice(node, &left.group, kind, user, &left.operator, &left.reason, left.origin);
        }
    }
}

fn ban_changed(node: &Node, changed: &BanChanged) {
    let BanChanged { group, users, operator, ban, faces } = changed;
    let (kind, tip) = match ban {
        Some(_) => (NoticeKind::Banned, TipKind::Banned),
        None => (NoticeKind::Unbanned, TipKind::Unbanned),
    };
    for user in users {
        node.hub().push(group.app, user, None, || {
            let ban = ban.as_ref().map(|ban| (ban.seconds, ban.description.as_str()));
            let made = GroupNotice { ban, ..bare_notice(node, group, kind, Some(user), operator) };
            (frame(&[push::Event::GroupNotices(&[made])]), None)
        });
    }
    // Of a stored group the members were told that they are out. Who is in a room is known here only.
    if let Some(app) = node.app(group.app).filter(|_| room::is_room(group.kind)) {
        if ban.is_some() {
            room::expel(node, &app, &group.id, users);
        }
        room::tell_of(node, &app, &group.id, tip, (operator, users), faces);
    }
}

fn group_created(node: &Node, created: &GroupCreated) {
    if let Some(owner) = &created.owner {
        let kind = NoticeKind::Created;
        notice(node, &created.group, kind, owner, owner.as_str(), "", created.origin);
    }
}

fn group_dismissed(node: &Node, dismissed: &GroupDismissed) {
    let GroupDismissed { group, members, operator, recycled, .. } = dismissed;
    let kind = if *recycled { NoticeKind::Recycled } else { NoticeKind::Dismissed };
    let viewers = room::dismiss(node, group.app, &group.id);
    for user in members.iter().chain(&viewers) {
        notice(node, group, kind, user, operator, "", None);
    }
    node.hub().close_topic(&key(group));
}

fn role_changed(node: &Node, changed: &RoleChanged) {
    let kind = if changed.is_admin { NoticeKind::AdminSet } else { NoticeKind::AdminUnset };
    notice(node, &changed.group, kind, &changed.user, &changed.operator, "", None);
}

fn receive_option_changed(node: &Node, changed: &ReceiveOptionChanged) {
    let key = key(&changed.group);
    for connection in node.hub().connections(changed.group.app, &changed.user) {
        if changed.discards {
            node.hub().unlisten(&key, &connection);
        } else {
            node.hub().listen(&key, &connection, &changed.user);
        }
    }
}

fn group_read(node: &Node, read: &GroupRead) {
    node.hub().push(read.group.app, &read.reader, read.origin, || {
        let group = group_info(&read.group, Some(&read.reader));
        let time = node.now().seconds();
        (frame(&[push::Event::GroupReads(&[push::GroupRead { group, seq: read.seq, time }])]), None)
    });
}

fn join_asked(node: &Node, asked: &JoinAsked) {
    let (kind, operator) = match asked.kind {
        PendencyType::Application => (NoticeKind::Applied, asked.user.as_str()),
        PendencyType::Consent => (NoticeKind::ConsentAsked, asked.inviter.as_str()),
        PendencyType::Approval => (NoticeKind::ApprovalAsked, asked.inviter.as_str()),
    };
    for decider in &asked.deciders {
        node.hub().push(asked.group.app, decider, None, || {
            let made = GroupNotice {
                authentication: &asked.asked_ms.to_string(),
                msg_key: Some(asked.asked_ms),
                remark: &asked.wording,
                users: &[asked.user.as_str()],
                ..bare_notice(node, &asked.group, kind, Some(decider), operator)
            };
            (frame(&[push::Event::GroupNotices(&[made])]), None)
        });
    }
}

fn join_answered(node: &Node, answered: &JoinAnswered) {
    let kind = match (answered.kind, answered.accepted) {
        (PendencyType::Application, true) => NoticeKind::Accepted,
        (PendencyType::Application, false) => NoticeKind::Refused,
        (PendencyType::Consent | PendencyType::Approval, true) => NoticeKind::InvitationAccepted,
        (PendencyType::Consent | PendencyType::Approval, false) => NoticeKind::InvitationRefused,
    };
    let JoinAnswered { group, to, operator, wording, .. } = answered;
    notice(node, group, kind, to, operator, wording, None);
}

/// Tells one user, on all devices but `except`.
fn notice(
    node: &Node,
    group: &GroupRef,
    kind: NoticeKind,
    to: &UserId,
    operator: &str,
    remark: &str,
    except: Option<u32>,
) {
    node.hub().push(group.app, to, except, || {
        let made = GroupNotice { remark, ..bare_notice(node, group, kind, Some(to), operator) };
        (frame(&[push::Event::GroupNotices(&[made])]), None)
    });
}

fn bare_notice<'a>(
    node: &Node,
    group: &'a GroupRef,
    kind: NoticeKind,
    to: Option<&'a UserId>,
    operator: &'a str,
) -> GroupNotice<'a> {
    let random = node.random();
    // Two small numbers stand for something else at the client.
    let seq = u32::try_from(random >> 33).expect("31 bits") + 16;
    let random = u32::try_from(random & 0x7fff_ffff).expect("31 bits") + 16;
    GroupNotice {
        kind,
        to,
        group: group_info(group, to),
        operator,
        seq,
        random,
        time: node.now().seconds(),
        remark: "",
        authentication: "",
        msg_key: None,
        content: "",
        users: &[],
        ban: None,
    }
}

fn group_info<'a>(group: &'a GroupRef, to: Option<&'a UserId>) -> push::GroupInfo<'a> {
    push::GroupInfo {
        group_id: &group.id,
        group_name: &group.name,
        group_type: group.kind,
        from_nick: "",
        from_avatar: "",
        from_extra: NameCard::default(),
        to,
    }
}

/// A push with these events.
pub(crate) fn frame(events: &[push::Event<'_>]) -> Arc<Frame> {
    Arc::new(Frame::new(push::event_frame(events, PushOptions::default())))
}
