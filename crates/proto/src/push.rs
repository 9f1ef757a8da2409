//! What the server tells a client unasked: events, and the frames that carry them.
//!
//! The structs serialise to the names that clients read. They borrow, so that an event is written
//! straight from the server's state into the bytes that all recipients share. To whom an event goes
//! is not known here.

mod attached;
mod change;
mod group;
mod relation;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes};
use schemars::JsonSchema;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::frame::{self, PUSH_SEQ};
use crate::ids::{GroupId, MsgKey, TinyId, UserId};
use crate::message::{MessageBody, SendControl};
use crate::platform::Platform;
use crate::time::UnixSeconds;

pub use attached::{
    AttachedTo, ExtensionChange, ExtensionNotice, ExtensionValue, GroupMessageRef, GroupPin,
    GroupReceipt, GroupReceipts, PinnedMessage, Reaction, ReactionNotice,
};
pub use change::{MessageRef, ModifiedMessage, ReceiptNotice, WithdrawnMessage};
pub use group::{
    AttributeChange, EVENT_AT, EVENT_GROUP_MODIFIED, EVENT_MESSAGE, EVENT_NOTICE,
    EVENT_PASSING_TIP, EVENT_TIP, Face, GroupAt, GroupAtTip, GroupAttribute, GroupAttributes,
    GroupChanges, GroupContent, GroupCounter, GroupCounters, GroupInfo, GroupMessage, GroupNotice,
    GroupRead, GroupRecall, GroupTip, ModifiedGroupMessage, NameCard, NoticeKind, PLACE_GONE,
    PLACE_RECALLED, RecalledMessage, SYSTEM_ACCOUNT, TipKind,
};
pub use relation::{
    FollowDiff, FollowListChange, FriendListChange, FriendUpdate, FriendValue, RequestAdded,
};

/// Command of ordinary pushes.
pub const MSG_PUSH: &str = "im_open_push.msg_push";

/// Command of a kick notice.
pub const FORCE_OFFLINE: &str = "im_open_status.stat_forceoffline";

/// Number of the event that tells statuses.
const EVENT_STATUS: u32 = 15;
/// Number of the event that tells extensions.
const EVENT_EXTENSIONS: u32 = 20;
/// Number of the event that tells reactions.
const EVENT_REACTIONS: u32 = 21;

/// `MsgFlagBits` of a one-to-one message that was recalled.
pub const MSG_FLAG_RECALLED: u32 = 8;

/// A one-to-one message, as it is pushed and as it stands in the history.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct C2cMessage<'a> {
    /// The sender; the *receiver* in a copy for the sender's other devices (see `is_sync`).
    #[serde(rename = "From_Account")]
    pub from: &'a UserId,
    /// The receiver; the *sender* in a copy for the sender's other devices.
    #[serde(rename = "To_Account")]
    pub to: &'a UserId,
    /// Chosen by the sender.
    pub msg_seq: u32,
    /// Chosen by the sender.
    pub msg_random: u32,
    /// When the server accepted it.
    pub msg_time_stamp: UnixSeconds,
    /// The sender's clock; the server's time when a backend sent it.
    pub msg_client_time: UnixSeconds,
    /// Internal number of the sender.
    pub tiny_id: TinyId,
    /// The elements.
    pub msg_body: &'a MessageBody,
    /// Nick of the sender; may be empty.
    #[serde(rename = "From_AccountNick")]
    pub from_nick: &'a str,
    /// Avatar of the sender; may be empty.
    #[serde(rename = "From_AccountHeadurl")]
    pub from_avatar: &'a str,
    /// Goes along with the message; may be empty.
    pub cloud_custom_data: &'a str,
    /// Whether the receiver may return a receipt for this message.
    #[serde(serialize_with = "one_or_zero")]
    pub is_need_read_receipt: bool,
    /// Whether the receiver has returned one.
    #[serde(serialize_with = "one_or_zero")]
    pub is_peer_read: bool,
    /// 0 until the message is edited.
    pub msg_version: u32,
    /// Whether key-values may be attached.
    #[serde(serialize_with = "one_or_zero")]
    pub support_message_extension: bool,
    /// 0, or [`MSG_FLAG_RECALLED`].
    pub msg_flag_bits: u32,
    /// `Some(0)` on a message for online receivers only; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_life_time: Option<u32>,
    /// Left out when nothing is set.
    #[serde(skip_serializing_if = "SendControl::is_default")]
    pub send_msg_control: SendControl,
    /// A copy for the sender's other devices: sender and receiver are swapped.
    #[serde(
        rename = "IsSyncMsg",
        skip_serializing_if = "is_false",
        serialize_with = "one_or_zero"
    )]
    pub is_sync: bool,
    /// It says something else than was sent: the device that sent it replaces its own copy.
    #[serde(
        rename = "MsgModifiedFlag",
        skip_serializing_if = "is_false",
        serialize_with = "one_or_zero"
    )]
    pub is_rewritten: bool,
    /// Who recalled it and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoker_info: Option<RevokerInfo<'a>>,
    /// In histories only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_key: Option<MsgKey>,
}

/// Who recalled a message.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RevokerInfo<'a> {
    /// The user.
    #[serde(rename = "Revoker_Account")]
    pub revoker: &'a str,
    /// Free text; may be empty.
    pub reason: &'a str,
}

/// A notice about a one-to-one conversation or about the session itself.
#[derive(Debug, Clone)]
pub enum C2cNotice<'a> {
    /// To the peer: `reader` has read everything up to a time.
    ReadByPeer {
        /// Who has read.
        reader: &'a UserId,
        /// Up to when.
        last_read_time: UnixSeconds,
    },
    /// To the reader's other devices: the conversation with `peer` was read up to a time.
    ReadElsewhere {
        /// The other party.
        peer: &'a UserId,
        /// Up to when.
        last_read_time: UnixSeconds,
    },
    /// To the user's other devices: how messages of `peer` are received changed.
    ReceiveOption {
        /// The other party.
        peer: &'a UserId,
        /// 0 notify, 1 discard, 2 do not notify.
        option: u32,
    },
    /// To both sides: these were withdrawn. Clients take one off the unread count for each.
    Withdrawn(&'a [WithdrawnMessage<'a>]),
    /// To a session that ends.
    Kickout(Kickout),
}

/// Why a session is ended, and by which newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kickout {
    /// The reason.
    pub kind: KickType,
    /// Where the login came from that ended it.
    pub new_platform: Platform,
    /// `InstId` of that login.
    pub new_inst_id: u32,
}

/// Why a session is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KickType {
    /// The same account logged in again on the same kind of device.
    MultipleAccount = 1,
    /// The account logged in on a device that excludes this one.
    MultipleDevice = 2,
    /// The application's backend ended it.
    RestApi = 3,
}

/// What others see of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserStatus<'a> {
    /// The user.
    pub user: &'a UserId,
    /// 1: online, 2: a phone or tablet that lost its connection, 3: not logged in.
    pub status: u32,
    /// What the user says about himself; may be empty.
    pub custom: &'a str,
}

/// A changed profile.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProfileChange<'a> {
    /// Whose profile.
    #[serde(rename = "Profile_Account")]
    pub user: &'a UserId,
    /// The changed fields.
    pub profile_list: Vec<ProfileField<'a>>,
}

/// A changed field of a profile.
#[derive(Debug, Clone)]
pub struct ProfileField<'a> {
    /// The field.
    pub tag: &'a str,
    /// Its new value.
    pub value: ProfileValue<'a>,
}

/// A value in a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileValue<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Number(u64),
}

/// A conversation as pushes name it.
///
/// Elsewhere the protocol writes `To_Account` and `ToGroupId`; in pushes the client libraries take
/// these for the receiver of a message and would not find the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversationRef<'a> {
    /// With a user.
    C2c(&'a UserId),
    /// In a group.
    Group(&'a GroupId),
}

/// What a conversation is marked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversationMark<'a> {
    /// Bit set of standard marks.
    Standard(u64),
    /// Custom data.
    Custom(&'a str),
}

/// A conversation group: a folder of conversations, not a group that one talks in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConversationGroup<'a> {
    /// Its number.
    #[serde(rename = "GroupId")]
    pub id: u32,
    /// Its name.
    #[serde(rename = "GroupName")]
    pub name: &'a str,
}

/// A change of the conversation list on another device.
#[derive(Debug, Clone)]
pub enum ConversationChange<'a> {
    /// These were deleted.
    Deleted(Vec<ConversationRef<'a>>),
    /// These were pinned.
    Pinned(Vec<ConversationRef<'a>>),
    /// These are not pinned any more.
    Unpinned(Vec<ConversationRef<'a>>),
    /// These have other marks or custom data. Only what differs is told: a client looks at the last item to
    /// see whether it has to show anything.
    Marked(Vec<(ConversationRef<'a>, ConversationMark<'a>)>),
    /// A conversation group was made, with these in it.
    GroupMade(ConversationGroup<'a>, Vec<ConversationRef<'a>>),
    /// These conversation groups were deleted.
    GroupsDeleted(Vec<ConversationGroup<'a>>),
    /// A conversation group has another name.
    GroupRenamed {
        /// As it is now.
        group: ConversationGroup<'a>,
        /// Its name before.
        old_name: &'a str,
    },
    /// Conversations came into a conversation group (true) or out of it.
    GroupChanged(ConversationGroup<'a>, Vec<(bool, ConversationRef<'a>)>),
}

/// The bit set of marks as clients read it: the rightmost character is bit 0, empty when none is set.
#[must_use]
pub fn standard_marks(bits: u64) -> String {
    if bits == 0 { String::new() } else { format!("{bits:b}") }
}

/// One event of a push.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// New one-to-one messages.
    C2cMessages(&'a [C2cMessage<'a>]),
    /// Notices.
    C2cNotices(&'a [C2cNotice<'a>]),
    /// Changed profiles.
    ProfileChanges(&'a [ProfileChange<'a>]),
    /// Changes of the conversation list.
    ConversationChanges(&'a [ConversationChange<'a>]),
    /// What others see of users.
    UserStatuses(&'a [UserStatus<'a>]),
    /// Notices about groups.
    GroupNotices(&'a [GroupNotice<'a>]),
    /// Messages of groups that mention the receiver.
    Mentions(&'a [GroupAtTip<'a>]),
    /// Groups that were read on another device.
    GroupReads(&'a [GroupRead<'a>]),
    /// How many have read messages of groups.
    GroupReceipts(&'a [GroupReceipts<'a>]),
    /// A change of a user's friends, friend requests or blocked users.
    FriendList {
        /// Whose.
        user: &'a UserId,
        /// What is different.
        list: FriendListChange<'a>,
    },
    /// Changes of whom a user follows, or who follows him.
    FollowLists(Vec<FollowListChange<'a>>),
    /// Everything was read on another device.
    AllRead(AllRead<'a>),
    /// The user's overall receive option changed on another device.
    DoNotDisturb(DoNotDisturb),
    /// One-to-one messages that were modified.
    MessagesModified(&'a [ModifiedMessage<'a>]),
    /// One-to-one messages that their receiver has read.
    Receipts(ReceiptNotice<'a>),
    /// Reactions to messages.
    Reactions(&'a [ReactionNotice<'a>]),
    /// Extensions of a message.
    Extensions(ExtensionNotice<'a>),
}

/// What was read at once on another device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllRead<'a> {
    /// All one-to-one conversations.
    pub c2c: bool,
    /// Groups, and up to which message.
    pub groups: &'a [(GroupId, u64)],
}

/// How a user wants to be notified of messages, and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DoNotDisturb {
    /// 0 notify, 1 discard, 2 do not notify.
    pub level: u32,
    /// When it begins, unix seconds.
    pub start_time: UnixSeconds,
    /// When it ends, unix seconds.
    pub end_time: UnixSeconds,
    /// Every day at these hours.
    #[serde(serialize_with = "one_or_zero")]
    #[schemars(with = "u8")]
    pub is_repeated: bool,
}

/// A message or tip of a group, what was attached to one, or a status of a user, encoded once, for a frame that
/// holds one or many.
#[derive(Debug, Clone)]
pub struct GroupPiece {
    event: u32,
    json: Bytes,
}

impl GroupPiece {
    /// Encodes `message`.
    #[must_use]
    pub fn new(message: &GroupMessage<'_>) -> Self {
        Self::of(message.event, message)
    }

    /// Encodes a mention.
    #[must_use]
    pub fn mention(tip: &GroupAtTip<'_>) -> Self {
        Self::of(EVENT_AT, tip)
    }

    /// Encodes a notice that everybody gets.
    #[must_use]
    pub fn notice(notice: &GroupNotice<'_>) -> Self {
        Self::of(EVENT_NOTICE, notice)
    }

    /// Encodes a write of attributes.
    #[must_use]
    pub fn attributes(written: &GroupAttributes<'_>) -> Self {
        Self::of(EVENT_PASSING_TIP, written)
    }

    /// Encodes changed counters.
    #[must_use]
    pub fn counters(changed: &GroupCounters<'_>) -> Self {
        Self::of(EVENT_PASSING_TIP, changed)
    }

    /// Encodes a recall.
    #[must_use]
    pub fn recall(recall: &GroupRecall<'_>) -> Self {
        Self::of(EVENT_NOTICE, recall)
    }

    /// Encodes what a modified message says now.
    #[must_use]
    pub fn modified(message: &ModifiedGroupMessage<'_>) -> Self {
        Self::of(EVENT_GROUP_MODIFIED, message)
    }

    /// Encodes reactions.
    #[must_use]
    pub fn reactions(notice: &ReactionNotice<'_>) -> Self {
        Self::of(EVENT_REACTIONS, notice)
    }

    /// Encodes extensions.
    #[must_use]
    pub fn extensions(notice: &ExtensionNotice<'_>) -> Self {
        Self::of(EVENT_EXTENSIONS, notice)
    }

    /// Encodes what was pinned, or unpinned.
    #[must_use]
    pub fn pin(pin: &GroupPin<'_>) -> Self {
        Self::of(EVENT_PASSING_TIP, pin)
    }

    /// Encodes the status of a user.
    #[must_use]
    pub fn status(status: &UserStatus<'_>) -> Self {
        Self::of(EVENT_STATUS, status)
    }

    /// Whether it is a status, and not a message or tip.
    #[must_use]
    pub fn is_status(&self) -> bool {
        self.event == EVENT_STATUS
    }

    fn of(event: u32, data: &impl Serialize) -> Self {
        // A guess at the size that spares most messages a reallocation.
        let mut buffer = Vec::with_capacity(1_024);
        frame::write_json(&mut buffer, data);
        Self { event, json: buffer.into() }
    }

    /// Bytes it takes in a frame.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.json.len()
    }
}

/// Whether an event holds a list of pieces. Of extensions it holds one.
fn is_list(event: u32) -> bool {
    event != EVENT_EXTENSIONS
}

/// Whether an event may hold several pieces. Of recalls in one array clients take each off as often as there are any.
fn takes_more(event: u32) -> bool {
    is_list(event) && event != EVENT_NOTICE
}

/// A push frame with these messages and tips, in their order.
#[must_use]
pub fn group_frame<'a>(pieces: impl IntoIterator<Item = &'a GroupPiece> + Clone) -> Bytes {
    let bytes: usize = pieces.clone().into_iter().map(|piece| piece.json.len() + 1).sum();
    let mut buffer = frame::begin(MSG_PUSH, PUSH_SEQ, bytes + 128);
    buffer.put_slice(b"{\"EventArray\":[");
    let mut open = None;
    for piece in pieces {
        if open == Some(piece.event) && takes_more(piece.event) {
            buffer.put_u8(b',');
        } else {
            if let Some(event) = open {
                buffer.put_slice(if is_list(event) { b"]}," } else { b"}," });
            }
            buffer.put_slice(match piece.event {
                EVENT_MESSAGE => b"{\"Event\":3,\"GroupMsgArray\":[",
                EVENT_NOTICE => b"{\"Event\":5,\"GroupTips\":[",
                EVENT_AT => b"{\"Event\":12,\"GroupTips\":[",
                EVENT_PASSING_TIP => b"{\"Event\":6,\"GroupTips\":[",
                EVENT_GROUP_MODIFIED => b"{\"Event\":19,\"GroupMsgModNotifys\":[",
                EVENT_STATUS => b"{\"Event\":15,\"UserStatusList\":[",
                EVENT_EXTENSIONS => b"{\"Event\":20,\"MsgExtensionNotify\":",
                EVENT_REACTIONS => b"{\"Event\":21,\"MsgReactionNotifyList\":[",
                _ => b"{\"Event\":4,\"GroupTips\":[" as &[u8],
            });
            open = Some(piece.event);
        }
        buffer.put_slice(&piece.json);
    }
    if let Some(event) = open {
        buffer.put_slice(if is_list(event) { b"]}" } else { b"}" });
    }
    buffer.put_slice(b"]}");
    frame::end(buffer)
}

/// What goes along with the events of one frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct PushOptions<'a> {
    /// Asks for an acknowledgement that returns this text.
    pub ack_session_data: Option<&'a str>,
    /// Tells the client to ask for messages: there is more than was pushed.
    pub more_waiting: bool,
}

/// A push frame with these events.
#[must_use]
pub fn event_frame(events: &[Event<'_>], options: PushOptions<'_>) -> Bytes {
    frame_of(MSG_PUSH, events, options)
}

/// The frame that ends a session at the client.
#[must_use]
pub fn kick_frame(kickout: Kickout) -> Bytes {
    let notices = [C2cNotice::Kickout(kickout)];
    frame_of(FORCE_OFFLINE, &[Event::C2cNotices(&notices)], PushOptions::default())
}

fn frame_of(servcmd: &str, events: &[Event<'_>], options: PushOptions<'_>) -> Bytes {
    let body = WirePush {
        event_array: events,
        need_ack: options.ack_session_data.map(|_| 1),
        session_data: options.ack_session_data,
        flag: options.more_waiting.then_some(1),
    };
    // A guess at the size that spares most frames a reallocation.
    let mut buffer = frame::begin(servcmd, PUSH_SEQ, 512);
    frame::write_json(&mut buffer, &body);
    frame::end(buffer)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WirePush<'a> {
    event_array: &'a [Event<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    need_ack: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<u8>,
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Clients choose the handler by the data key; the numbers are those that they expect.
        fn entry<S: Serializer, T: Serialize>(
            serializer: S,
            number: u32,
            key: &'static str,
            data: T,
        ) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(2))?;
            map.serialize_entry("Event", &number)?;
            map.serialize_entry(key, &data)?;
            map.end()
        }
        match self {
            Self::C2cMessages(messages) => entry(serializer, 1, "C2cMsgArray", messages),
            Self::C2cNotices(notices) => entry(serializer, 10, "C2cNotifyMsgArray", notices),
            Self::ProfileChanges(changes) => entry(serializer, 11, "ProfileDataMod", changes),
            Self::ConversationChanges(changes) => {
                entry(serializer, 13, "RecentContactMod", changes)
            }
            Self::UserStatuses(statuses) => {
                entry(serializer, EVENT_STATUS, "UserStatusList", statuses)
            }
            Self::GroupNotices(notices) => entry(serializer, EVENT_NOTICE, "GroupTips", notices),
            Self::Mentions(tips) => entry(serializer, EVENT_AT, "GroupTips", tips),
            Self::GroupReads(reads) => entry(serializer, EVENT_NOTICE, "GroupTips", reads),
            Self::GroupReceipts(receipts) => entry(serializer, EVENT_NOTICE, "GroupTips", receipts),
            Self::AllRead(read) => read.serialize(serializer),
            Self::DoNotDisturb(setting) => {
                Numbered { event: EVENT_DO_NOT_DISTURB, data: setting }.serialize(serializer)
            }
            Self::MessagesModified(messages) => entry(serializer, 18, "C2cMsgModNotifys", messages),
            Self::Receipts(notice) => notice.serialize(serializer),
            Self::Reactions(notices) => {
                entry(serializer, EVENT_REACTIONS, "MsgReactionNotifyList", notices)
            }
            Self::Extensions(notice) => {
                entry(serializer, EVENT_EXTENSIONS, "MsgExtensionNotify", notice)
            }
            Self::FriendList { user, list } => {
                entry(serializer, 12, "FriendListMod", [list.of(user)])
            }
            Self::FollowLists(changes) => entry(serializer, 22, "FollowChangeList", changes),
        }
    }
}

/// `Event` of what was read at once.
const EVENT_ALL_READ: u32 = 14;
/// `Event` of an overall receive option.
const EVENT_DO_NOT_DISTURB: u32 = 24;

/// An event whose data stand beside its number.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Numbered<T> {
    event: u32,
    #[serde(flatten)]
    data: T,
}

impl Serialize for AllRead<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Read<'a> {
            group_id: &'a GroupId,
            last_read_msg_seq: u64,
        }

        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("Event", &EVENT_ALL_READ)?;
        map.serialize_entry("C2CReadAllMsg", &u8::from(self.c2c))?;
        let groups = self.groups.iter();
        let groups: Vec<Read<'_>> =
            groups.map(|(group_id, seq)| Read { group_id, last_read_msg_seq: *seq }).collect();
        map.serialize_entry("GroupReadInfoArray", &groups)?;
        map.end()
    }
}

/// An object with a single entry, as notices are wrapped.
struct Single<T>(&'static str, T);

impl<T: Serialize> Serialize for Single<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, &self.1)])
    }
}

impl Serialize for C2cNotice<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Reads<'a> {
            #[serde(rename = "To_Account", skip_serializing_if = "Option::is_none")]
            reader: Option<&'a UserId>,
            uin_pair_read_array: [ReadUpTo<'a>; 1],
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct ReadUpTo<'a> {
            #[serde(rename = "From_Account", skip_serializing_if = "Option::is_none")]
            peer: Option<&'a UserId>,
            last_read_time: UnixSeconds,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct OptionSync<'a> {
            #[serde(rename = "To_Account")]
            peer: &'a UserId,
            mute_notifications: u32,
        }
        match *self {
            Self::ReadByPeer { reader, last_read_time } => {
                let uin_pair_read_array = [ReadUpTo { peer: None, last_read_time }];
                let reads = Reads { reader: Some(reader), uin_pair_read_array };
                Single("C2cReadedReceipt", reads).serialize(serializer)
            }
            Self::ReadElsewhere { peer, last_read_time } => {
                let uin_pair_read_array = [ReadUpTo { peer: Some(peer), last_read_time }];
                let reads = Reads { reader: None, uin_pair_read_array };
                Single("ReadC2cMsgNotify", reads).serialize(serializer)
            }
            Self::ReceiveOption { peer, option } => {
                let sync = OptionSync { peer, mute_notifications: option };
                Single("MuteNotificationsSync", sync).serialize(serializer)
            }
            Self::Withdrawn(messages) => {
                let messages = Single("C2cWithdrawInfoArray", messages);
                Single("WithdrawC2cMsgNotify", messages).serialize(serializer)
            }
            Self::Kickout(kickout) => Single("KickoutMsgNotify", kickout).serialize(serializer),
        }
    }
}

impl Serialize for Kickout {
    /// `KickType` and `NewInstInfo`, also the fields of an answer with code 1002.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct NewInstInfo {
            platform: Platform,
            inst_id: u32,
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("KickType", &(self.kind as u8))?;
        let new = NewInstInfo { platform: self.new_platform, inst_id: self.new_inst_id };
        map.serialize_entry("NewInstInfo", &new)?;
        map.end()
    }
}

impl Serialize for UserStatus<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("To_Account", self.user)?;
        map.serialize_entry("Status", &self.status)?;
        map.serialize_entry("CustomStatus", &STANDARD.encode(self.custom))?;
        map.end()
    }
}

impl Serialize for ProfileField<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("Tag", self.tag)?;
        match self.value {
            ProfileValue::Text(text) => map.serialize_entry("ValueBytes", text)?,
            ProfileValue::Number(number) => map.serialize_entry("ValueNum", &number)?,
        }
        map.end()
    }
}

impl Serialize for ProfileValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
        }
    }
}

impl Serialize for ConversationRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        match self {
            Self::C2c(user) => {
                map.serialize_entry("Type", &1)?;
                map.serialize_entry("UserId", user)?;
            }
            Self::Group(group) => {
                map.serialize_entry("Type", &2)?;
                map.serialize_entry("GroupId", group)?;
            }
        }
        map.end()
    }
}

impl Serialize for ConversationChange<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Marked<'a> {
            recent_contact_item: ConversationRef<'a>,
            /// There is a 3 for both, which older clients do not know.
            opt_type: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            standard_mark: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            custom_mark: Option<&'a str>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Made<'a> {
            msg_group_item: ConversationGroup<'a>,
            msg_recent_contact_item: &'a [ConversationRef<'a>],
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Moved<'a> {
            contact_opt_type: u8,
            recent_contact_item: ConversationRef<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Update<'a> {
            update_type: u8,
            msg_update_group: Updated<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Updated<'a> {
            update_group_type: u8,
            #[serde(flatten)]
            group: ConversationGroup<'a>,
            old_group_name: &'a str,
            recent_contact_update_group_item: Vec<Moved<'a>>,
        }
        fn entry<S: Serializer>(
            serializer: S,
            number: u32,
            key: &'static str,
            data: impl Serialize,
        ) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(2))?;
            map.serialize_entry("PushType", &number)?;
            map.serialize_entry(key, &data)?;
            map.end()
        }
        fn update<'a>(
            update_group_type: u8,
            group: ConversationGroup<'a>,
            old_group_name: &'a str,
            moved: Vec<Moved<'a>>,
        ) -> Update<'a> {
            let msg_update_group = Updated {
                update_group_type,
                group,
                old_group_name,
                recent_contact_update_group_item: moved,
            };
            Update { update_type: 1, msg_update_group }
        }
        let list = |conversations| Single("RecentContactList", conversations);
        match self {
            Self::Deleted(conversations) => {
                entry(serializer, 1, "RecentContactDeleteItem", list(conversations))
            }
            Self::Pinned(conversations) => {
                entry(serializer, 2, "RecentContactTopItem", list(conversations))
            }
            Self::Unpinned(conversations) => {
                entry(serializer, 3, "RecentContactTopItem", list(conversations))
            }
            Self::Marked(marked) => {
                let item = |&(recent_contact_item, mark)| match mark {
                    ConversationMark::Standard(bits) => Marked {
                        recent_contact_item,
                        opt_type: 1,
                        standard_mark: Some(standard_marks(bits)),
                        custom_mark: None,
                    },
                    ConversationMark::Custom(custom) => Marked {
                        recent_contact_item,
                        opt_type: 2,
                        standard_mark: None,
                        custom_mark: Some(custom),
                    },
                };
                let items: Vec<_> = marked.iter().map(item).collect();
                let items = Single("RecentContactMarkContactItem", items);
                entry(serializer, 4, "RecentContactMarkContact", items)
            }
            Self::GroupMade(group, conversations) => {
                let made = Made { msg_group_item: *group, msg_recent_contact_item: conversations };
                let made = Single("MsgContactGroupContactItem", [made]);
                entry(serializer, 5, "RecentContactCreateContactGroup", made)
            }
            Self::GroupsDeleted(groups) => {
                let groups = Single("MsgGroupItem", groups);
                entry(serializer, 6, "RecentContactDelContactGroup", groups)
            }
            Self::GroupRenamed { group, old_name } => {
                let update = update(1, *group, old_name, Vec::new());
                entry(serializer, 7, "RecentContactUpdateContactGroup", update)
            }
            Self::GroupChanged(group, moved) => {
                let item = |&(is_in, conversation)| Moved {
                    contact_opt_type: if is_in { 1 } else { 2 },
                    recent_contact_item: conversation,
                };
                // Clients find the group by its old name, also when it has no other one now.
                let update = update(2, *group, group.name, moved.iter().map(item).collect());
                entry(serializer, 7, "RecentContactUpdateContactGroup", update)
            }
        }
    }
}

fn one_or_zero<S: Serializer>(flag: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(u8::from(*flag))
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn body() -> MessageBody {
        let json = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello bob"}}]"#;
        MessageBody::from_stored(json.to_owned()).unwrap()
    }

    fn message<'a>(from: &'a UserId, to: &'a UserId, body: &'a MessageBody) -> C2cMessage<'a> {
        C2cMessage {
            from,
            to,
            msg_seq: 2_328_140_001,
            msg_random: 6_882_155,
            msg_time_stamp: UnixSeconds(1_795_390_094),
            msg_client_time: UnixSeconds(1_795_390_093),
            tiny_id: TinyId(144_115_200_000_000_001),
            msg_body: body,
            from_nick: "",
            from_avatar: "",
            cloud_custom_data: "",
            is_need_read_receipt: false,
            is_peer_read: false,
            msg_version: 0,
            support_message_extension: false,
            msg_flag_bits: 0,
            msg_life_time: None,
            send_msg_control: SendControl::default(),
            is_sync: false,
            is_rewritten: false,
            revoker_info: None,
            msg_key: None,
        }
    }

    #[test]
    fn pieces_of_one_kind_stand_in_one_array_and_keep_their_order() {
        let piece = |event, json: &'static str| GroupPiece { event, json: json.into() };
        let pieces = [
            piece(EVENT_MESSAGE, r#"{"n":1}"#),
            piece(EVENT_MESSAGE, r#"{"n":2}"#),
            piece(EVENT_TIP, r#"{"n":3}"#),
            piece(EVENT_MESSAGE, r#"{"n":4}"#),
            piece(EVENT_GROUP_MODIFIED, r#"{"n":5}"#),
            piece(EVENT_GROUP_MODIFIED, r#"{"n":6}"#),
        ];
        let frame = group_frame(&pieces);
        let frame: serde_json::Value = serde_json::from_slice(&frame).unwrap();
        let expected = serde_json::json!([
            { "Event": 3, "GroupMsgArray": [{ "n": 1 }, { "n": 2 }] },
            { "Event": 4, "GroupTips": [{ "n": 3 }] },
            { "Event": 3, "GroupMsgArray": [{ "n": 4 }] },
            { "Event": 19, "GroupMsgModNotifys": [{ "n": 5 }, { "n": 6 }] },
        ]);
        assert_eq!(frame["body"]["EventArray"], expected);
    }

    #[test]
    fn each_recall_stands_in_an_array_of_its_own() {
        let (id, revoker_info) =
            (GroupId::parse("tea").unwrap(), RevokerInfo { revoker: "bob", reason: "" });
        let recall = GroupPiece::recall(&GroupRecall {
            group: GroupInfo {
                group_id: &id,
                group_name: "Tea",
                group_type: crate::group::GroupType::Public,
                from_nick: "Bob",
                from_avatar: "",
                from_extra: NameCard::default(),
                to: None,
            },
            revoker_info,
            time: UnixSeconds(9),
            messages: vec![RecalledMessage {
                group_id: &id,
                msg_seq: 7,
                msg_random: 3,
                msg_time_stamp: UnixSeconds(5),
                msg_client_time: UnixSeconds(4),
                tiny_id: TinyId(2),
                revoker_info,
            }],
        });
        let frame: serde_json::Value =
            serde_json::from_slice(&group_frame([&recall, &recall])).unwrap();
        let one = serde_json::json!({ "Event": 5, "GroupTips": [{
            "Event": 5, "From_Account": "@TIM#SYSTEM", "ToGroupId": "tea", "MsgTimeStamp": 9,
            "GroupInfo": {
                "GroupId": "tea", "GroupName": "Tea", "GroupType": "Public",
                "From_AccountNick": "Bob", "From_AccountHeadurl": "",
                "MsgFrom_AccountExtraInfo": { "NameCard": "" },
            },
            "RevokerInfo": { "Revoker_Account": "bob", "Reason": "" },
            "MsgBody": { "GroupWithdrawInfoArray": [{
                "GroupId": "tea", "MsgSeq": 7, "MsgRandom": 3, "MsgTimeStamp": 5,
                "MsgClientTime": 4, "TinyId": "2",
                "RevokerInfo": { "Revoker_Account": "bob", "Reason": "" },
            }] },
        }] });
        assert_eq!(frame["body"]["EventArray"], serde_json::json!([one, one]));
    }

    #[test]
    fn a_status_is_the_same_in_a_frame_of_its_own_and_in_a_gathered_one() {
        let alice = user("alice");
        let status = UserStatus { user: &alice, status: 1, custom: "\u{2615} tea" };
        let expected = concat!(
            r#"{"head":{"ver":"v4","servcmd":"im_open_push.msg_push","seq":1},"body":"#,
            r#"{"EventArray":[{"Event":15,"UserStatusList":["#,
            r#"{"To_Account":"alice","Status":1,"CustomStatus":"4piVIHRlYQ=="}]}]}}"#
        );
        let own = event_frame(&[Event::UserStatuses(&[status])], PushOptions::default());
        assert_eq!(own, expected);
        assert_eq!(group_frame([&GroupPiece::status(&status)]), expected);
    }

    #[test]
    fn a_message_push_exactly() {
        let (alice, bob, body) = (user("alice"), user("bob"), body());
        let messages = [message(&alice, &bob, &body)];
        let options = PushOptions { ack_session_data: Some("s-bob-4"), more_waiting: false };
        assert_eq!(
            event_frame(&[Event::C2cMessages(&messages)], options),
            concat!(
                r#"{"head":{"ver":"v4","servcmd":"im_open_push.msg_push","seq":1},"body":"#,
                r#"{"EventArray":[{"Event":1,"C2cMsgArray":[{"From_Account":"alice","To_Account":"bob","#,
                r#""MsgSeq":2328140001,"MsgRandom":6882155,"MsgTimeStamp":1795390094,"#,
                r#""MsgClientTime":1795390093,"TinyId":"144115200000000001","#,
                r#""MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello bob"}}],"#,
                r#""From_AccountNick":"","From_AccountHeadurl":"","CloudCustomData":"","#,
                r#""IsNeedReadReceipt":0,"IsPeerRead":0,"MsgVersion":0,"#,
                r#""SupportMessageExtension":0,"MsgFlagBits":0}]}],"#,
                r#""NeedAck":1,"SessionData":"s-bob-4"}}"#
            )
        );
    }

    #[test]
    fn optional_fields_of_a_message() {
        let (alice, bob, body) = (user("alice"), user("bob"), body());
        let message = C2cMessage {
            is_need_read_receipt: true,
            is_peer_read: true,
            support_message_extension: true,
            msg_flag_bits: MSG_FLAG_RECALLED,
            msg_life_time: Some(0),
            send_msg_control: SendControl { no_unread: true, ..SendControl::default() },
            is_sync: true,
            is_rewritten: false,
            revoker_info: Some(RevokerInfo { revoker: alice.as_str(), reason: "typo" }),
            msg_key: Some(MsgKey { seq: 1, random: 2, time: UnixSeconds(3) }),
            ..message(&bob, &alice, &body)
        };
        let json = serde_json::to_string(&message).unwrap();
        assert!(json.ends_with(concat!(
            r#""IsNeedReadReceipt":1,"IsPeerRead":1,"MsgVersion":0,"SupportMessageExtension":1,"#,
            r#""MsgFlagBits":8,"MsgLifeTime":0,"SendMsgControl":{"NoUnread":1},"IsSyncMsg":1,"#,
            r#""RevokerInfo":{"Revoker_Account":"alice","Reason":"typo"},"MsgKey":"1_2_3"}"#
        )));
        assert!(json.starts_with(r#"{"From_Account":"bob","To_Account":"alice","#));
    }

    #[test]
    fn notices_exactly() {
        let (alice, bob) = (user("alice"), user("bob"));
        let time = UnixSeconds(1_795_390_095);
        let notices = [
            C2cNotice::ReadByPeer { reader: &bob, last_read_time: time },
            C2cNotice::ReadElsewhere { peer: &alice, last_read_time: time },
        ];
        assert_eq!(
            serde_json::to_string(&Event::C2cNotices(&notices)).unwrap(),
            concat!(
                r#"{"Event":10,"C2cNotifyMsgArray":["#,
                r#"{"C2cReadedReceipt":{"To_Account":"bob","UinPairReadArray":[{"LastReadTime":1795390095}]}},"#,
                r#"{"ReadC2cMsgNotify":{"UinPairReadArray":[{"From_Account":"alice","LastReadTime":1795390095}]}}]}"#
            )
        );
    }

    #[test]
    fn settings_of_other_devices_exactly() {
        let bob = user("bob");
        let group = GroupId::parse("@TGS#1").unwrap();
        let option = [C2cNotice::ReceiveOption { peer: &bob, option: 2 }];
        let setting = DoNotDisturb {
            level: 2,
            start_time: UnixSeconds(1_795_390_000),
            end_time: UnixSeconds(1_795_426_000),
            is_repeated: true,
        };
        for (event, expected) in [
            (
                Event::C2cNotices(&option),
                concat!(
                    r#"{"Event":10,"C2cNotifyMsgArray":[{"MuteNotificationsSync":"#,
                    r#"{"To_Account":"bob","MuteNotifications":2}}]}"#
                ),
            ),
            (
                Event::AllRead(AllRead { c2c: true, groups: &[(group, 7)] }),
                concat!(
                    r#"{"Event":14,"C2CReadAllMsg":1,"#,
                    r#""GroupReadInfoArray":[{"GroupId":"@TGS#1","LastReadMsgSeq":7}]}"#
                ),
            ),
            (
                Event::DoNotDisturb(setting),
                concat!(
                    r#"{"Event":24,"Level":2,"StartTime":1795390000,"#,
                    r#""EndTime":1795426000,"IsRepeated":1}"#
                ),
            ),
        ] {
            assert_eq!(serde_json::to_string(&event).unwrap(), expected);
        }
    }

    #[test]
    fn a_kick_exactly() {
        let kickout = Kickout {
            kind: KickType::MultipleAccount,
            new_platform: Platform::Web,
            new_inst_id: 1,
        };
        assert_eq!(
            kick_frame(kickout),
            concat!(
                r#"{"head":{"ver":"v4","servcmd":"im_open_status.stat_forceoffline","seq":1},"body":"#,
                r#"{"EventArray":[{"Event":10,"C2cNotifyMsgArray":[{"KickoutMsgNotify":"#,
                r#"{"KickType":1,"NewInstInfo":{"Platform":"Web","InstId":1}}}]}]}}"#
            )
        );
        assert_eq!(KickType::MultipleDevice as u8, 2);
        assert_eq!(KickType::RestApi as u8, 3);
    }

    #[test]
    fn changes_of_what_is_attached_to_conversations_exactly() {
        let (alice, group) = (user("alice"), GroupId::parse("@TGS#1").unwrap());
        let (pair, in_group) = (ConversationRef::C2c(&alice), ConversationRef::Group(&group));
        let work = ConversationGroup { id: 7, name: "work" };
        let marks = [ConversationMark::Standard(0b101), ConversationMark::Custom("vip")];
        let changes = [
            ConversationChange::Pinned(vec![pair]),
            ConversationChange::Unpinned(vec![in_group]),
            ConversationChange::Marked(marks.map(|mark| (pair, mark)).into()),
            ConversationChange::GroupMade(work, vec![pair, in_group]),
            ConversationChange::GroupsDeleted(vec![work]),
            ConversationChange::GroupRenamed { group: work, old_name: "tea" },
            ConversationChange::GroupChanged(work, vec![(true, pair), (false, in_group)]),
        ];
        let written: Vec<_> = changes.map(|c| serde_json::to_string(&c).unwrap()).into();
        let expected = [
            r#"{"PushType":2,"RecentContactTopItem":{"RecentContactList":[{"Type":1,"UserId":"alice"}]}}"#,
            r#"{"PushType":3,"RecentContactTopItem":{"RecentContactList":[{"Type":2,"GroupId":"@TGS#1"}]}}"#,
            concat!(
                r#"{"PushType":4,"RecentContactMarkContact":{"RecentContactMarkContactItem":[{"#,
                r#""RecentContactItem":{"Type":1,"UserId":"alice"},"OptType":1,"StandardMark":"101"},{"#,
                r#""RecentContactItem":{"Type":1,"UserId":"alice"},"OptType":2,"CustomMark":"vip"}]}}"#
            ),
            concat!(
                r#"{"PushType":5,"RecentContactCreateContactGroup":{"MsgContactGroupContactItem":[{"#,
                r#""MsgGroupItem":{"GroupId":7,"GroupName":"work"},"MsgRecentContactItem":["#,
                r#"{"Type":1,"UserId":"alice"},{"Type":2,"GroupId":"@TGS#1"}]}]}}"#
            ),
            concat!(
                r#"{"PushType":6,"RecentContactDelContactGroup":{"MsgGroupItem":[{"#,
                r#""GroupId":7,"GroupName":"work"}]}}"#
            ),
            concat!(
                r#"{"PushType":7,"RecentContactUpdateContactGroup":{"UpdateType":1,"MsgUpdateGroup":{"#,
                r#""UpdateGroupType":1,"GroupId":7,"GroupName":"work","OldGroupName":"tea","#,
                r#""RecentContactUpdateGroupItem":[]}}}"#
            ),
            concat!(
                r#"{"PushType":7,"RecentContactUpdateContactGroup":{"UpdateType":1,"MsgUpdateGroup":{"#,
                r#""UpdateGroupType":2,"GroupId":7,"GroupName":"work","OldGroupName":"work","#,
                r#""RecentContactUpdateGroupItem":[{"ContactOptType":1,"RecentContactItem":{"Type":1,"UserId":"alice"}},"#,
                r#"{"ContactOptType":2,"RecentContactItem":{"Type":2,"GroupId":"@TGS#1"}}]}}}"#
            ),
        ];
        assert_eq!(written, expected);
    }

    #[test]
    fn profile_and_conversation_changes_exactly() {
        let alice = user("alice");
        let group = GroupId::parse("@TGS#1").unwrap();
        let profiles = [ProfileChange {
            user: &alice,
            profile_list: vec![
                ProfileField { tag: "Tag_Profile_IM_Nick", value: ProfileValue::Text("Al\"ice") },
                ProfileField { tag: "Tag_Profile_IM_Level", value: ProfileValue::Number(3) },
            ],
        }];
        let conversations = [ConversationChange::Deleted(vec![
            ConversationRef::C2c(&alice),
            ConversationRef::Group(&group),
        ])];
        let events = [Event::ProfileChanges(&profiles), Event::ConversationChanges(&conversations)];
        let options = PushOptions { ack_session_data: None, more_waiting: true };
        assert_eq!(
            event_frame(&events, options),
            concat!(
                r#"{"head":{"ver":"v4","servcmd":"im_open_push.msg_push","seq":1},"body":"#,
                r#"{"EventArray":[{"Event":11,"ProfileDataMod":[{"Profile_Account":"alice","ProfileList":["#,
                r#"{"Tag":"Tag_Profile_IM_Nick","ValueBytes":"Al\"ice"},"#,
                r#"{"Tag":"Tag_Profile_IM_Level","ValueNum":3}]}]},"#,
                r#"{"Event":13,"RecentContactMod":[{"PushType":1,"RecentContactDeleteItem":"#,
                r#"{"RecentContactList":[{"Type":1,"UserId":"alice"},{"Type":2,"GroupId":"@TGS#1"}]}}]}],"#,
                r#""Flag":1}}"#
            )
        );
    }
}
