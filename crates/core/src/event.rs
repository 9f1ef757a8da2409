//! Domain events: every change of state tells one. They are the only source of pushes and metrics, and
//! of whatever is added later (webhooks, robots, search): a new consumer needs no change in the operations.

use std::sync::Arc;

use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::message::{CallbackControl, MessageBody};
use teahouse_proto::platform::Platform;
use teahouse_proto::push::{AttributeChange, DoNotDisturb, GroupAttribute, GroupCounter, KickType};
use teahouse_proto::time::{UnixMillis, UnixSeconds};

use crate::attached::extensions::Told;
use crate::conversation::contacts::{Contact, Folder, Marked};
use crate::group::bans::Ban;
use crate::group::message::{Faces, GroupRef, GroupSaid};
use crate::group::pendency::PendencyType;
use crate::presence::Seen;
use crate::profile::{Face, ProfileItem};
use crate::relation::tags::FriendItem;
use crate::rows::{GroupMessageRow, PairKey};

/// Something that happened and is durable.
#[derive(Debug, Clone)]
pub enum Event {
    /// A one-to-one message was accepted.
    MessageSent(Arc<MessageSent>),
    /// A one-to-one message was withdrawn.
    MessageWithdrawn(Arc<MessageWithdrawn>),
    /// A one-to-one message says something else now.
    MessageModified(Arc<MessageModified>),
    /// The receiver has confirmed that he has read single messages.
    MessagesConfirmed(Arc<MessagesConfirmed>),
    /// Extensions of a message were written.
    ExtensionsChanged(Arc<ExtensionsChanged>),
    /// Somebody has reacted to a message, or has taken that back.
    ReactionsChanged(Arc<ReactionsChanged>),
    /// A user has read a conversation up to a time.
    MessagesRead(MessagesRead),
    /// A user has read many conversations at once.
    AllRead(AllRead),
    /// A user gets messages of some others in another way from now on.
    PeerOptionChanged(PeerOptionChanged),
    /// A user's overall receive option changed.
    DoNotDisturbChanged(DoNotDisturbChanged),
    /// Values of a profile changed.
    ProfileChanged(ProfileChanged),
    /// Conversations disappeared from a user's list.
    ConversationsDeleted(ConversationsDeleted),
    /// Something was attached to a user's conversations, or taken off.
    ConversationsChanged(ConversationsChanged),
    /// Devices of a user were logged out from outside.
    DevicesKicked(DevicesKicked),
    /// An account was made.
    AccountCreated(AccountRef),
    /// An account was deleted.
    AccountDeleted(AccountRef),
    /// A device logged in.
    LoggedIn(LoggedIn),
    /// A device logged out, or lost its connection.
    LoggedOut(LoggedOut),
    /// A user says something else about himself, or the same again.
    CustomStatusSet(CustomStatusSet),
    /// Others see something else of a user.
    StatusChanged(StatusChanged),
    /// An app's keys, administrators or settings changed.
    AppChanged(SdkAppId),
    /// A group was made.
    GroupCreated(GroupCreated),
    /// Accounts became members of a group.
    MembersJoined(MembersJoined),
    /// Members left a group, or were removed.
    MembersLeft(MembersLeft),
    /// Users may not come into a group, or may again.
    BanChanged(BanChanged),
    /// A member became an admin, or an admin a member.
    RoleChanged(RoleChanged),
    /// A group is gone.
    GroupDismissed(GroupDismissed),
    /// A message or tip of a group was accepted.
    GroupMessage(Arc<GroupSaid>),
    /// Messages of a group were recalled.
    GroupMessagesRecalled(Arc<GroupMessagesRecalled>),
    /// A message of a group says something else now.
    GroupMessageModified(Arc<GroupMessageModified>),
    /// Messages of a group have more readers.
    ReadersCounted(ReadersCounted),
    /// A message of a group was pinned, or is not pinned any more.
    PinChanged(Arc<PinChanged>),
    /// A member has read a group up to a message.
    GroupRead(GroupRead),
    /// A member gets a group's messages in another way from now on.
    ReceiveOptionChanged(ReceiveOptionChanged),
    /// Somebody is to come into a group, and others have to decide on it.
    JoinAsked(JoinAsked),
    /// An application or invitation has an answer.
    JoinAnswered(JoinAnswered),
    /// The app's backend says something to members of a group who are online.
    GroupNotified(GroupNotified),
    /// Attributes of a group were written.
    AttributesChanged(AttributesChanged),
    /// Counters of a group were moved or deleted.
    CountersChanged(CountersChanged),
    /// What a user is to others has changed.
    RelationsChanged(RelationsChanged),
    /// A group has another owner.
    OwnerChanged(OwnerChanged),
    /// A member has another name within a group.
    MemberNamed(MemberNamed),
    /// A group has as many members as it may have, or somebody found it so.
    GroupFull(GroupRef),
    /// A user came into a live room with his first device, or left it with his last one.
    ViewerMoved(ViewerMoved),
    /// A user has been away from a live room that he is in for a while, or is back.
    ViewerAway(ViewerMoved),
    /// A message to a group was refused.
    GroupSendFailed(GroupSendFailed),
}

/// A counter with its labels looked up once: the hot path only adds.
macro_rules! counted {
    ($name:literal $(, $label:literal => $value:literal)*) => {{
        static COUNTER: std::sync::LazyLock<metrics::Counter> =
            std::sync::LazyLock::new(|| metrics::counter!($name $(, $label => $value)*));
        &*COUNTER
    }};
}
pub(crate) use counted;

impl Event {
    /// Counts it, by kind.
    pub(crate) fn count(&self) {
        let counter = match self {
            Self::MessageSent(_) => counted!("teahouse_events_total", "event" => "message_sent"),
            Self::MessageWithdrawn(_) => {
                counted!("teahouse_events_total", "event" => "message_withdrawn")
            }
            Self::MessageModified(_) => {
                counted!("teahouse_events_total", "event" => "message_modified")
            }
            Self::MessagesConfirmed(_) => {
                counted!("teahouse_events_total", "event" => "messages_confirmed")
            }
            Self::ExtensionsChanged(_) => {
                counted!("teahouse_events_total", "event" => "extensions_changed")
            }
            Self::ReactionsChanged(_) => {
                counted!("teahouse_events_total", "event" => "reactions_changed")
            }
            Self::MessagesRead(_) => counted!("teahouse_events_total", "event" => "messages_read"),
            Self::AllRead(_) => counted!("teahouse_events_total", "event" => "all_read"),
            Self::PeerOptionChanged(_) => {
                counted!("teahouse_events_total", "event" => "peer_option_changed")
            }
            Self::DoNotDisturbChanged(_) => {
                counted!("teahouse_events_total", "event" => "do_not_disturb_changed")
            }
            Self::ProfileChanged(_) => {
                counted!("teahouse_events_total", "event" => "profile_changed")
            }
            Self::ConversationsDeleted(_) => {
                counted!("teahouse_events_total", "event" => "conversations_deleted")
            }
            Self::ConversationsChanged(_) => {
                counted!("teahouse_events_total", "event" => "conversations_changed")
            }
            Self::DevicesKicked(_) => {
                counted!("teahouse_events_total", "event" => "devices_kicked")
            }
            Self::AccountCreated(_) => {
                counted!("teahouse_events_total", "event" => "account_created")
            }
            Self::AccountDeleted(_) => {
                counted!("teahouse_events_total", "event" => "account_deleted")
            }
            Self::LoggedIn(_) => counted!("teahouse_events_total", "event" => "logged_in"),
            Self::LoggedOut(_) => counted!("teahouse_events_total", "event" => "logged_out"),
            Self::CustomStatusSet(_) => {
                counted!("teahouse_events_total", "event" => "custom_status_set")
            }
            Self::StatusChanged(_) => {
                counted!("teahouse_events_total", "event" => "status_changed")
            }
            Self::AppChanged(_) => counted!("teahouse_events_total", "event" => "app_changed"),
            Self::GroupCreated(_) => counted!("teahouse_events_total", "event" => "group_created"),
            Self::MembersJoined(_) => {
                counted!("teahouse_events_total", "event" => "members_joined")
            }
            Self::MembersLeft(_) => counted!("teahouse_events_total", "event" => "members_left"),
            Self::BanChanged(_) => counted!("teahouse_events_total", "event" => "ban_changed"),
            Self::RoleChanged(_) => counted!("teahouse_events_total", "event" => "role_changed"),
            Self::GroupDismissed(_) => {
                counted!("teahouse_events_total", "event" => "group_dismissed")
            }
            Self::GroupMessage(_) => counted!("teahouse_events_total", "event" => "group_message"),
            Self::GroupMessagesRecalled(_) => {
                counted!("teahouse_events_total", "event" => "group_messages_recalled")
            }
            Self::GroupMessageModified(_) => {
                counted!("teahouse_events_total", "event" => "group_message_modified")
            }
            Self::ReadersCounted(_) => {
                counted!("teahouse_events_total", "event" => "readers_counted")
            }
            Self::PinChanged(_) => counted!("teahouse_events_total", "event" => "pin_changed"),
            Self::GroupRead(_) => counted!("teahouse_events_total", "event" => "group_read"),
            Self::ReceiveOptionChanged(_) => {
                counted!("teahouse_events_total", "event" => "receive_option_changed")
            }
            Self::JoinAsked(_) => counted!("teahouse_events_total", "event" => "join_asked"),
            Self::JoinAnswered(_) => counted!("teahouse_events_total", "event" => "join_answered"),
            Self::GroupNotified(_) => {
                counted!("teahouse_events_total", "event" => "group_notified")
            }
            Self::AttributesChanged(_) => {
                counted!("teahouse_events_total", "event" => "attributes_changed")
            }
            Self::CountersChanged(_) => {
                counted!("teahouse_events_total", "event" => "counters_changed")
            }
            Self::RelationsChanged(_) => {
                counted!("teahouse_events_total", "event" => "relations_changed")
            }
            Self::OwnerChanged(_) => counted!("teahouse_events_total", "event" => "owner_changed"),
            Self::MemberNamed(_) => counted!("teahouse_events_total", "event" => "member_named"),
            Self::GroupFull(_) => counted!("teahouse_events_total", "event" => "group_full"),
            Self::ViewerMoved(_) => counted!("teahouse_events_total", "event" => "viewer_moved"),
            Self::ViewerAway(_) => counted!("teahouse_events_total", "event" => "viewer_away"),
            Self::GroupSendFailed(_) => {
                counted!("teahouse_events_total", "event" => "group_send_failed")
            }
        };
        counter.increment(1);
    }

    /// The app that it belongs to.
    pub(crate) fn app(&self) -> SdkAppId {
        match self {
            Self::MessageSent(sent) => sent.app,
            Self::MessageWithdrawn(withdrawn) => withdrawn.message.app,
            Self::MessageModified(modified) => modified.message.app,
            Self::MessagesConfirmed(confirmed) => {
                confirmed.messages.first().map_or(SdkAppId(0), |message| message.app)
            }
            Self::ExtensionsChanged(changed) => changed.message.app(),
            Self::ReactionsChanged(changed) => changed.message.app(),
            Self::MessagesRead(read) => read.app,
            Self::AllRead(read) => read.app,
            Self::PeerOptionChanged(changed) => changed.app,
            Self::DoNotDisturbChanged(changed) => changed.app,
            Self::ProfileChanged(changed) => changed.app,
            Self::ConversationsDeleted(deleted) => deleted.app,
            Self::ConversationsChanged(changed) => changed.app,
            Self::DevicesKicked(kicked) => kicked.app,
            Self::AccountCreated(account) | Self::AccountDeleted(account) => account.app,
            Self::LoggedIn(device) => device.app,
            Self::LoggedOut(device) => device.app,
            Self::CustomStatusSet(set) => set.app,
            Self::StatusChanged(changed) => changed.app,
            Self::AppChanged(app) => *app,
            Self::GroupCreated(created) => created.group.app,
            Self::MembersJoined(joined) => joined.group.app,
            Self::MembersLeft(left) => left.group.app,
            Self::RoleChanged(changed) => changed.group.app,
            Self::GroupDismissed(dismissed) => dismissed.group.app,
            Self::GroupMessage(said) => said.group.app,
            Self::GroupRead(read) => read.group.app,
            Self::ReceiveOptionChanged(changed) => changed.group.app,
            Self::JoinAsked(asked) => asked.group.app,
            Self::JoinAnswered(answered) => answered.group.app,
            Self::RelationsChanged(changed) => changed.app,
            Self::OwnerChanged(changed) => changed.group.app,
            Self::MemberNamed(named) => named.group.app,
            Self::GroupFull(group) => group.app,
            Self::ViewerMoved(moved) | Self::ViewerAway(moved) => moved.group.app,
            Self::GroupSendFailed(failed) => failed.group.app,
            Self::GroupMessagesRecalled(recalled) => recalled.group.app,
            Self::GroupMessageModified(modified) => modified.group.app,
            Self::GroupNotified(notified) => notified.group.app,
            Self::AttributesChanged(changed) => changed.group.app,
            Self::CountersChanged(changed) => changed.group.app,
            Self::BanChanged(changed) => changed.group.app,
            Self::ReadersCounted(counted) => counted.group.app,
            Self::PinChanged(changed) => changed.said.group.app,
        }
    }
}

/// See [`Event::MessageSent`].
#[derive(Debug)]
pub struct MessageSent {
    /// The app.
    pub app: SdkAppId,
    /// Sender.
    pub from: UserId,
    /// The sender's number, part of the message's public id.
    pub from_tiny_id: TinyId,
    /// Sender's nickname at that time.
    pub from_nick: String,
    /// Sender's avatar at that time.
    pub from_image: String,
    /// Receiver.
    pub to: UserId,
    /// The conversation.
    pub(crate) pair: PairKey,
    /// Chosen by the sender.
    pub seq: u32,
    /// Chosen by the sender.
    pub random: u32,
    /// The server's second.
    pub time: UnixSeconds,
    /// The sender's second.
    pub client_time: UnixSeconds,
    /// The elements.
    pub body: MessageBody,
    /// Opaque to the server.
    pub cloud_custom_data: String,
    /// Does not count as unread.
    pub no_unread: bool,
    /// Does not become the conversation's last message.
    pub no_last: bool,
    /// The receiver may send a receipt for it.
    pub wants_receipt: bool,
    /// Key-values may be attached to it.
    pub extensible: bool,
    /// For connected devices only, not stored.
    pub online_only: bool,
    /// The receiver wants nothing of the sender delivered: it only stands in the history.
    pub discarded: bool,
    /// Content moderation is skipped.
    pub unchecked: bool,
    /// Webhooks that are not called.
    pub forbids: CallbackControl,
    /// Also for the sender's other devices.
    pub sync_to_sender: bool,
    /// Its place in the conversation: the first stored message is 1; 0 if it is not stored.
    pub ordinal: u64,
    /// The device it came from, which needs no copy.
    pub origin: Option<u32>,
    /// A webhook has made something else of what was sent.
    pub rewritten: bool,
}

/// The device that something came from, which needs no copy of it while it waits for the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its user.
    pub user: UserId,
    /// Its number among the user's devices.
    pub inst_id: u32,
    /// When it had logged in.
    pub since: UnixMillis,
}

/// A stored one-to-one message, and the number of what was changed.
#[derive(Debug, Clone)]
pub struct MessageName {
    /// The app.
    pub app: SdkAppId,
    /// Its sender.
    pub from: UserId,
    /// The sender's number.
    pub from_tiny_id: TinyId,
    /// Its receiver.
    pub to: UserId,
    /// The conversation.
    pub(crate) pair: PairKey,
    /// Chosen by the sender.
    pub seq: u32,
    /// Chosen by the sender.
    pub random: u32,
    /// The server's second.
    pub time: UnixSeconds,
    /// The sender's second.
    pub client_time: UnixSeconds,
    /// Number of the change within the conversation.
    pub change: u64,
}

/// See [`Event::MessageWithdrawn`].
#[derive(Debug)]
pub struct MessageWithdrawn {
    /// The message.
    pub message: MessageName,
    /// Who has withdrawn it.
    pub by: String,
    /// The device that it came from, which needs no copy.
    pub origin: Option<Origin>,
}

/// See [`Event::MessageModified`].
#[derive(Debug)]
pub struct MessageModified {
    /// The message.
    pub message: MessageName,
    /// The elements.
    pub body: MessageBody,
    /// Rises with each modification.
    pub version: u32,
    /// Opaque to the server.
    pub cloud_custom_data: String,
    /// The device that it came from, which needs no copy.
    pub origin: Option<Origin>,
}

/// See [`Event::MessagesConfirmed`].
#[derive(Debug)]
pub struct MessagesConfirmed {
    /// Messages of one sender to one receiver, at least one.
    pub messages: Vec<MessageName>,
    /// When the receiver confirmed.
    pub time: UnixSeconds,
}

/// A message that something is attached to.
#[derive(Debug, Clone)]
pub enum AttachedTo {
    /// A one-to-one message.
    C2c(MessageName),
    /// A message of a group.
    Group {
        /// Where.
        group: GroupRef,
        /// The message.
        message: GroupMessageName,
        /// Members who see it, if not all do.
        only_for: Option<Vec<UserId>>,
    },
}

impl AttachedTo {
    /// The app of the message.
    pub(crate) fn app(&self) -> SdkAppId {
        match self {
            Self::C2c(message) => message.app,
            Self::Group { group, .. } => group.app,
        }
    }
}

/// See [`Event::ExtensionsChanged`].
#[derive(Debug)]
pub struct ExtensionsChanged {
    /// The message.
    pub message: AttachedTo,
    /// What is different.
    pub told: Told,
    /// The device that it came from, which needs no copy.
    pub origin: Option<Origin>,
}

/// See [`Event::ReactionsChanged`].
#[derive(Debug)]
pub struct ReactionsChanged {
    /// The message.
    pub message: AttachedTo,
    /// The reaction that somebody gave or took back.
    pub reaction: String,
    /// Who gives it now.
    pub users: Vec<UserId>,
    /// The device that it came from, which needs no copy.
    pub origin: Option<Origin>,
}

/// See [`Event::MessagesRead`].
#[derive(Debug, Clone)]
pub struct MessagesRead {
    /// The app.
    pub app: SdkAppId,
    /// Who has read.
    pub reader: UserId,
    /// Whose messages.
    pub peer: UserId,
    /// Which account wrote them: one that was made again under the same name did not.
    pub peer_tiny_id: TinyId,
    /// Up to this second.
    pub time: UnixSeconds,
    /// The reader's device, which needs no copy.
    pub origin: Option<u32>,
}

/// See [`Event::AllRead`].
#[derive(Debug, Clone)]
pub struct AllRead {
    /// The app.
    pub app: SdkAppId,
    /// Who has read.
    pub reader: UserId,
    /// All one-to-one conversations were read; `peers` are those that had something to read.
    pub c2c: bool,
    /// Who wrote what was read, which account that is, and up to which second.
    pub peers: Vec<(UserId, TinyId, UnixSeconds)>,
    /// Groups, and up to which message.
    pub groups: Vec<(GroupId, u64)>,
    /// The reader's device, which needs no copy.
    pub origin: Option<u32>,
}

/// See [`Event::PeerOptionChanged`].
#[derive(Debug, Clone)]
pub struct PeerOptionChanged {
    /// The app.
    pub app: SdkAppId,
    /// Who receives.
    pub user: UserId,
    /// Who sends.
    pub peers: Vec<UserId>,
    /// 0 notify, 1 discard, 2 do not notify.
    pub option: u32,
    /// The device that changed it, which needs no copy.
    pub origin: Option<u32>,
}

/// See [`Event::DoNotDisturbChanged`].
#[derive(Debug, Clone)]
pub struct DoNotDisturbChanged {
    /// The app.
    pub app: SdkAppId,
    /// Whose setting.
    pub user: UserId,
    /// The new setting.
    pub setting: DoNotDisturb,
    /// The device that changed it, which needs no copy.
    pub origin: Option<u32>,
}

/// See [`Event::ProfileChanged`].
#[derive(Debug, Clone)]
pub struct ProfileChanged {
    /// The app.
    pub app: SdkAppId,
    /// Whose profile.
    pub user: UserId,
    /// The new values.
    pub items: Vec<ProfileItem>,
    /// The device that changed it, which needs no copy.
    pub origin: Option<u32>,
}

/// See [`Event::ConversationsDeleted`].
#[derive(Debug, Clone)]
pub struct ConversationsDeleted {
    /// The app.
    pub app: SdkAppId,
    /// Whose list.
    pub user: UserId,
    /// Peers of the one-to-one conversations.
    pub peers: Vec<UserId>,
    /// Groups of the group conversations.
    pub groups: Vec<GroupId>,
    /// The other devices of the user are told (a setting of the app).
    pub sync: bool,
    /// The device that deleted, which needs no copy.
    pub origin: Option<u32>,
}

/// See [`Event::ConversationsChanged`].
#[derive(Debug, Clone)]
pub struct ConversationsChanged {
    /// The app.
    pub app: SdkAppId,
    /// Whose conversations.
    pub user: UserId,
    /// What changed, in this order.
    pub changes: Vec<ContactChange>,
    /// The device that did it, which needs no copy.
    pub origin: Option<u32>,
}

/// One change of what is attached to conversations.
#[derive(Debug, Clone)]
pub enum ContactChange {
    /// They come before all others.
    Pinned(Vec<Contact>),
    /// They do not any more.
    Unpinned(Vec<Contact>),
    /// Marks and custom data.
    Marked(Vec<Marked>),
    /// A folder was made, with conversations in it.
    FolderMade(Folder, Vec<Contact>),
    /// Folders were deleted.
    FoldersDeleted(Vec<Folder>),
    /// A folder has another name than this one.
    FolderRenamed(Folder, String),
    /// Conversations came into a folder (true) or out of it.
    FolderChanged(Folder, Vec<(bool, Contact)>),
}

/// See [`Event::DevicesKicked`].
#[derive(Debug, Clone)]
pub struct DevicesKicked {
    /// The app.
    pub app: SdkAppId,
    /// The user.
    pub user: UserId,
    /// The devices that are out.
    pub devices: Vec<u32>,
    /// Why.
    pub reason: KickType,
    /// The device that took their place.
    pub by: Option<(u32, Platform)>,
}

/// An account of an app.
#[derive(Debug, Clone)]
pub struct AccountRef {
    /// The app.
    pub app: SdkAppId,
    /// The account.
    pub user: UserId,
}

/// A device of a user.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The app.
    pub app: SdkAppId,
    /// The user.
    pub user: UserId,
    /// The device.
    pub inst_id: u32,
    /// What kind of device.
    pub platform: Platform,
    /// Devices whose place it took.
    pub kicked: Vec<Platform>,
}

/// See [`Event::LoggedOut`].
#[derive(Debug, Clone)]
pub struct LoggedOut {
    /// The app.
    pub app: SdkAppId,
    /// The user.
    pub user: UserId,
    /// The device.
    pub inst_id: u32,
    /// How it came.
    pub ending: Ending,
}

/// How a device went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It logged out.
    Logout,
    /// Its connection was closed.
    LinkClose,
    /// It was silent for too long.
    TimeOut,
}

/// See [`Event::CustomStatusSet`].
#[derive(Debug, Clone)]
pub struct CustomStatusSet {
    /// The app.
    pub app: SdkAppId,
    /// Who says it.
    pub user: UserId,
    /// What he says; may be empty.
    pub text: String,
}

/// See [`Event::StatusChanged`].
#[derive(Debug, Clone)]
pub struct StatusChanged {
    /// The app.
    pub app: SdkAppId,
    /// Whose status.
    pub user: UserId,
    /// What others see now.
    pub seen: Seen,
}

/// See [`Event::GroupCreated`].
#[derive(Debug, Clone)]
pub struct GroupCreated {
    /// The group.
    pub group: GroupRef,
    /// Its owner, if somebody owns it.
    pub owner: Option<UserId>,
    /// Who is in it from the beginning.
    pub members: Vec<UserId>,
    /// Who made it.
    pub operator: String,
    /// The device that made it.
    pub origin: Option<u32>,
}

/// See [`Event::MembersJoined`].
#[derive(Debug, Clone)]
pub struct MembersJoined {
    /// The group.
    pub group: GroupRef,
    /// The new members.
    pub users: Vec<UserId>,
    /// Who let them in.
    pub operator: String,
    /// They did not ask for it.
    pub invited: bool,
    /// They are not told.
    pub silent: bool,
}

/// See [`Event::MembersLeft`].
#[derive(Debug, Clone)]
pub struct MembersLeft {
    /// The group.
    pub group: GroupRef,
    /// Who is out.
    pub users: Vec<UserId>,
    /// Who did it.
    pub operator: String,
    /// They did not want it.
    pub kicked: bool,
    /// Told to those who were removed.
    pub reason: String,
    /// They are not told.
    pub silent: bool,
    /// The device that it came from.
    pub origin: Option<u32>,
}

/// See [`Event::BanChanged`].
#[derive(Debug, Clone)]
pub struct BanChanged {
    /// The group.
    pub group: GroupRef,
    /// Whose bans.
    pub users: Vec<UserId>,
    /// Who did it.
    pub operator: String,
    /// Nothing if they may come in again.
    pub ban: Option<Ban>,
    /// Of everybody who is named.
    pub(crate) faces: Arc<Faces>,
}

/// See [`Event::RoleChanged`].
#[derive(Debug, Clone)]
pub struct RoleChanged {
    /// The group.
    pub group: GroupRef,
    /// The member.
    pub user: UserId,
    /// What the member is now.
    pub is_admin: bool,
    /// Who did it.
    pub operator: String,
}

/// See [`Event::GroupDismissed`].
#[derive(Debug, Clone)]
pub struct GroupDismissed {
    /// The group.
    pub group: GroupRef,
    /// Its owner, if somebody owned it.
    pub owner: String,
    /// Who was in it.
    pub members: Vec<UserId>,
    /// Who did it.
    pub operator: String,
    /// Nobody did: nothing has happened in it for long.
    pub recycled: bool,
}

/// A message of a group, as notices name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMessageName {
    /// Its place in the group.
    pub seq: u64,
    /// Chosen by the sender.
    pub random: u32,
    /// The server's second.
    pub time: UnixSeconds,
    /// The sender's second.
    pub client_time: UnixSeconds,
    /// The sender's number.
    pub from_tiny_id: TinyId,
}

impl GroupMessageName {
    pub(crate) fn of(seq: u64, row: &GroupMessageRow) -> Self {
        Self {
            seq,
            random: row.random,
            time: UnixSeconds(row.time),
            client_time: UnixSeconds(row.client_time),
            from_tiny_id: TinyId(row.from_tiny_id),
        }
    }
}

/// See [`Event::GroupMessagesRecalled`].
#[derive(Debug)]
pub struct GroupMessagesRecalled {
    /// Where.
    pub group: GroupRef,
    /// At least one.
    pub messages: Vec<GroupMessageName>,
    /// Who has recalled them.
    pub by: String,
    /// What was said about it; may be empty.
    pub reason: String,
    /// Nick and avatar of who has recalled them.
    pub(crate) faces: Arc<Faces>,
    /// The device that it came from, which needs no copy.
    pub origin: Option<Origin>,
    /// Who is told, if not everybody.
    pub only_for: Vec<UserId>,
}

/// See [`Event::GroupMessageModified`].
#[derive(Debug)]
pub struct GroupMessageModified {
    /// Where.
    pub group: GroupRef,
    /// The message.
    pub message: GroupMessageName,
    /// Its sender.
    pub from: String,
    /// The elements.
    pub body: MessageBody,
    /// Rises with each modification.
    pub version: u32,
    /// Opaque to the server.
    pub cloud_custom_data: String,
    /// The device that it came from, which needs no copy.
    pub origin: Option<Origin>,
    /// Who is told, if not everybody.
    pub only_for: Vec<UserId>,
}

/// See [`Event::ReadersCounted`].
#[derive(Debug, Clone)]
pub struct ReadersCounted {
    /// The group.
    pub group: GroupRef,
    /// Who has sent the messages.
    pub sender: UserId,
    /// Messages of one account, at least one.
    pub messages: Vec<ReaderCount>,
}

/// How many have read a message.
#[derive(Debug, Clone)]
pub struct ReaderCount {
    /// The message.
    pub message: GroupMessageName,
    /// Members who have.
    pub read: u64,
    /// Members who have not.
    pub unread: u64,
}

/// See [`Event::PinChanged`].
#[derive(Debug)]
pub struct PinChanged {
    /// The message.
    pub said: GroupSaid,
    /// It is pinned.
    pub pinned: bool,
    /// Who did it.
    pub operator: UserId,
    /// Nick and avatar of who did it.
    pub(crate) faces: Arc<Faces>,
}

/// See [`Event::GroupRead`].
#[derive(Debug, Clone)]
pub struct GroupRead {
    /// The group.
    pub group: GroupRef,
    /// Who has read.
    pub reader: UserId,
    /// Up to this message.
    pub seq: u64,
    /// The reader's device, which needs no copy.
    pub origin: Option<u32>,
}

/// See [`Event::ReceiveOptionChanged`].
#[derive(Debug, Clone)]
pub struct ReceiveOptionChanged {
    /// The group.
    pub group: GroupRef,
    /// Whose.
    pub user: UserId,
    /// The member gets no messages at all.
    pub discards: bool,
}

/// See [`Event::JoinAsked`].
#[derive(Debug, Clone)]
pub struct JoinAsked {
    /// The group.
    pub group: GroupRef,
    /// What is asked.
    pub kind: PendencyType,
    /// Who would come in.
    pub user: UserId,
    /// Who invites him; empty if he applies.
    pub inviter: String,
    /// What the applicant says.
    pub wording: String,
    /// Names the application or invitation.
    pub asked_ms: u64,
    /// Who decides.
    pub deciders: Vec<UserId>,
}

/// See [`Event::JoinAnswered`].
#[derive(Debug, Clone)]
pub struct JoinAnswered {
    /// The group.
    pub group: GroupRef,
    /// What was asked.
    pub kind: PendencyType,
    /// Who asked: the applicant, or who invited.
    pub to: UserId,
    /// The answer.
    pub accepted: bool,
    /// What is said along with it.
    pub wording: String,
    /// Who answered.
    pub operator: String,
}

/// See [`Event::GroupNotified`].
#[derive(Debug, Clone)]
pub struct GroupNotified {
    /// The group.
    pub group: GroupRef,
    /// The administrator who says it.
    pub operator: UserId,
    /// What he says.
    pub content: String,
    /// To these members; to everybody who is in if nobody is named.
    pub to: Option<Vec<UserId>>,
}

/// See [`Event::AttributesChanged`].
#[derive(Debug, Clone)]
pub struct AttributesChanged {
    /// The group.
    pub group: GroupRef,
    /// How they were written.
    pub change: AttributeChange,
    /// What was written; of a deletion the values are empty.
    pub attributes: Vec<GroupAttribute>,
    /// The number of the write.
    pub main_seq: u64,
    /// Who did it.
    pub operator: UserId,
    /// The device that did it, which needs no copy.
    pub origin: Option<Origin>,
}

/// See [`Event::CountersChanged`].
#[derive(Debug, Clone)]
pub struct CountersChanged {
    /// The group.
    pub group: GroupRef,
    /// They are gone.
    pub deleted: bool,
    /// The number of the change.
    pub seq: u64,
    /// The counters with their values now; with the last ones if they are gone.
    pub counters: Vec<GroupCounter>,
}

/// See [`Event::RelationsChanged`].
#[derive(Debug, Clone)]
pub struct RelationsChanged {
    /// The app.
    pub app: SdkAppId,
    /// Whose relations.
    pub user: UserId,
    /// What is different now.
    pub(crate) changes: Vec<RelationChange>,
    /// The device that it came from.
    pub origin: Option<u32>,
}

/// One change of a user's relations.
#[derive(Debug, Clone)]
pub(crate) enum RelationChange {
    /// Somebody is in his friend list.
    FriendAdded(UserId),
    /// Somebody is not in his friend list any more.
    FriendRemoved(UserId),
    /// A friend's remark, groups or other values.
    FriendChanged { peer: UserId, items: Vec<FriendItem> },
    /// He asks somebody, or is asked.
    RequestAdded(FriendRequest),
    /// A request to somebody, or of somebody, has ended.
    RequestRemoved(UserId),
    /// He has seen the requests up to this second.
    RequestsRead(u32),
    /// He has blocked somebody.
    Blocked(UserId),
    /// He has blocked somebody no longer.
    Unblocked(UserId),
    /// He follows somebody, or is followed, or not any more.
    Follow(FollowChange),
}

/// See [`RelationChange::RequestAdded`].
#[derive(Debug, Clone)]
pub(crate) struct FriendRequest {
    /// The other one.
    pub(crate) peer: UserId,
    /// His nickname and avatar.
    pub(crate) face: Face,
    /// The other one asks.
    pub(crate) received: bool,
    pub(crate) source: String,
    pub(crate) wording: String,
    pub(crate) time: u32,
}

/// See [`RelationChange::Follow`].
#[derive(Debug, Clone)]
pub(crate) struct FollowChange {
    /// The other one.
    pub(crate) peer: UserId,
    /// His nickname and avatar.
    pub(crate) face: Face,
    pub(crate) kind: FollowKind,
    /// He is on that list now.
    pub(crate) added: bool,
}

/// Which of a user's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FollowKind {
    Followers = 1,
    Following = 2,
    Mutual = 3,
}

/// See [`Event::OwnerChanged`].
#[derive(Debug, Clone)]
pub struct OwnerChanged {
    /// The group.
    pub group: GroupRef,
    /// The owner before; may be empty.
    pub before: String,
    /// The owner now.
    pub owner: UserId,
    /// Who did it.
    pub operator: String,
}

/// See [`Event::MemberNamed`].
#[derive(Debug, Clone)]
pub struct MemberNamed {
    /// The group.
    pub group: GroupRef,
    /// The member.
    pub user: UserId,
    /// The name; may be empty.
    pub name_card: String,
    /// Who did it.
    pub operator: String,
}

/// See [`Event::ViewerMoved`] and [`Event::ViewerAway`].
#[derive(Debug, Clone)]
pub struct ViewerMoved {
    /// The room.
    pub group: GroupRef,
    /// Who.
    pub user: UserId,
    /// In, or else out or away.
    pub is_in: bool,
}

/// See [`Event::GroupSendFailed`].
#[derive(Debug, Clone)]
pub struct GroupSendFailed {
    /// The group.
    pub group: GroupRef,
    /// The sender.
    pub from: UserId,
    /// Chosen by the sender.
    pub random: u32,
    /// For connected members only.
    pub online_only: bool,
    /// The elements.
    pub body: MessageBody,
    /// Opaque to the server.
    pub cloud_custom_data: String,
    /// Number and sentence of the refusal.
    pub error: (i32, String),
}
