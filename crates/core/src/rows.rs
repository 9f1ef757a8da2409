//! Everything this crate stores, in one file: partitions, keys, and rows.
//!
//! Rows are protobuf messages: a field, once released, keeps its number and meaning, so that today's
//! code opens yesterday's data. What is sent to clients are other types; a renamed JSON field never
//! touches a row.
//!
//! A partition is one entity. Its first byte is the kind, then come the app (u32, big-endian) and the
//! entity's id. Inside a partition the first byte of a key is its family (see `teahouse-store`).

use bytes::{BufMut, Bytes, BytesMut};
use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::time::UnixSeconds;
use teahouse_store::{Partition, family};

use crate::conversation::contacts::Contact;
use crate::group::pendency::PendencyType;

/// Version of all rows below. A store that was written with a newer one is refused.
pub(crate) const FORMAT: u32 = 1;

/// The entity that a partition holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Home {
    /// What is true for the whole deployment: the list of apps, the secret that signs session tokens.
    Cluster,
    /// One app: keys, administrators, settings.
    App(SdkAppId),
    /// One user: account, profile, devices, relations, index of conversations.
    User(SdkAppId, UserId),
    /// A one-to-one conversation. Named by both TinyIds (the smaller first), so an account that is
    /// deleted and made again starts with no history.
    Pair(SdkAppId, PairKey),
    /// A group: profile, members, messages. An id may be used again after a dismissal, so all rows but
    /// the head carry the number of the incarnation.
    Group(SdkAppId, GroupId),
    /// One shard of a list that no single partition could hold.
    Directory(SdkAppId, DirectoryKind, u16),
    /// The lists of merged messages that were stored on a day (since 1970).
    Merged(SdkAppId, u32),
    /// The log of events that an app's webhooks tell.
    Hooks(SdkAppId),
}

/// The two TinyIds of a one-to-one conversation, the smaller first. A user may write to himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PairKey {
    pub(crate) low: TinyId,
    pub(crate) high: TinyId,
}

impl PairKey {
    pub(crate) fn new(a: TinyId, b: TinyId) -> Self {
        Self { low: a.min(b), high: a.max(b) }
    }
}

/// What a directory lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum DirectoryKind {
    /// The accounts of an app.
    Accounts = 1,
    /// The conversations that stored a message on a day; the shard is the day since 1970, modulo 2^16.
    Day = 2,
    /// The groups of an app.
    Groups = 3,
}

/// Where a message of a one-to-one conversation stands: its second, and its ordinal.
pub(crate) type MessagePlace = (UnixSeconds, u64);

/// Conversations that keep their history apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    Pairs,
    Groups,
}

const CLUSTER: u8 = b'c';
const APP: u8 = b'a';
const USER: u8 = b'u';
const PAIR: u8 = b'p';
const GROUP: u8 = b'g';
const DIRECTORY: u8 = b'd';
const MERGED: u8 = b'm';
const HOOKS: u8 = b'h';

impl Home {
    pub(crate) fn partition(&self) -> Partition {
        let mut name = BytesMut::with_capacity(56);
        match self {
            Self::Cluster => name.put_u8(CLUSTER),
            Self::App(app) => {
                name.put_u8(APP);
                name.put_u32(app.0);
            }
            Self::User(app, user) => {
                name.put_u8(USER);
                name.put_u32(app.0);
                name.put_slice(user.as_bytes());
            }
            Self::Pair(app, pair) => {
                name.put_u8(PAIR);
                name.put_u32(app.0);
                name.put_u64(pair.low.0);
                name.put_u64(pair.high.0);
            }
            Self::Group(app, group) => {
                name.put_u8(GROUP);
                name.put_u32(app.0);
                name.put_slice(group.as_bytes());
            }
            Self::Directory(app, kind, shard) => {
                name.put_u8(DIRECTORY);
                name.put_u32(app.0);
                name.put_u8(*kind as u8);
                name.put_u16(*shard);
            }
            Self::Merged(app, day) => {
                name.put_u8(MERGED);
                name.put_u32(app.0);
                name.put_u32(*day);
            }
            Self::Hooks(app) => {
                name.put_u8(HOOKS);
                name.put_u32(app.0);
            }
        }
        Partition::new(name.freeze()).expect("names are at most 53 bytes")
    }

    /// The app that it belongs to.
    pub(crate) fn app(&self) -> Option<SdkAppId> {
        match self {
            Self::Cluster => None,
            Self::App(app)
            | Self::User(app, _)
            | Self::Pair(app, _)
            | Self::Group(app, _)
            | Self::Directory(app, ..)
            | Self::Merged(app, _)
            | Self::Hooks(app) => Some(*app),
        }
    }

    /// Which entity `partition` is; `None` for a name that this version does not write.
    pub(crate) fn of(partition: &Partition) -> Option<Self> {
        let (kind, rest) = partition.as_bytes().split_first()?;
        if *kind == CLUSTER {
            return rest.is_empty().then_some(Self::Cluster);
        }
        let (app, id) = rest.split_first_chunk::<4>()?;
        let app = SdkAppId(u32::from_be_bytes(*app));
        match *kind {
            APP => id.is_empty().then_some(Self::App(app)),
            HOOKS => id.is_empty().then_some(Self::Hooks(app)),
            USER => Some(Self::User(app, UserId::parse(std::str::from_utf8(id).ok()?).ok()?)),
            PAIR => {
                let (low, high) = id.split_first_chunk::<8>()?;
                let low = TinyId(u64::from_be_bytes(*low));
                let high = TinyId(u64::from_be_bytes(high.try_into().ok()?));
                Some(Self::Pair(app, PairKey { low, high }))
            }
            GROUP => Some(Self::Group(app, GroupId::parse(std::str::from_utf8(id).ok()?).ok()?)),
            DIRECTORY => {
                let [kind, high, low] = id else { return None };
                let kind = match kind {
                    1 => DirectoryKind::Accounts,
                    2 => DirectoryKind::Day,
                    3 => DirectoryKind::Groups,
                    _ => return None,
                };
                Some(Self::Directory(app, kind, u16::from_be_bytes([*high, *low])))
            }
            MERGED => Some(Self::Merged(app, u32::from_be_bytes(id.try_into().ok()?))),
            _ => None,
        }
    }
}

/// What one user is to another. Each relation has a row with both: with the user whom it belongs to, and, as
/// its mirror, with the other one. The numbers are part of the stored keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tie {
    /// The other is in the user's friend list.
    Friend = 0,
    /// The user is in the other's friend list.
    FriendOf = 1,
    /// The user has blocked the other.
    Blocked = 2,
    /// The other has blocked the user.
    BlockedBy = 3,
    /// The user asks to be the other's friend.
    Asked = 4,
    /// The other asks to be the user's friend.
    AskedBy = 5,
    /// The user follows the other.
    Follows = 6,
    /// The other follows the user.
    FollowedBy = 7,
}

impl Tie {
    pub(crate) const ALL: [Self; 8] = [
        Self::Friend,
        Self::FriendOf,
        Self::Blocked,
        Self::BlockedBy,
        Self::Asked,
        Self::AskedBy,
        Self::Follows,
        Self::FollowedBy,
    ];

    /// The relations that belong to the user himself, each with its mirror.
    pub(crate) const MIRRORED: [(Self, Self); 4] = [
        (Self::Friend, Self::FriendOf),
        (Self::Blocked, Self::BlockedBy),
        (Self::Asked, Self::AskedBy),
        (Self::Follows, Self::FollowedBy),
    ];
}

/// Keys. The families of mutable rows are numbered across all kinds of partition, so that a dump is
/// readable.
pub(crate) mod key {
    use super::*;

    const HEAD: u8 = 0x10;
    const PROFILE: u8 = 0x11;
    const DEVICES: u8 = 0x12;
    const WATCHED: u8 = 0x13;
    const RELATIONS: u8 = 0x18;
    const CONVERSATION: u8 = 0x20;
    /// The first of the families of [`Tie`].
    const TIES: u8 = 0x50;
    const GROUP_INFO: u8 = 0x28;
    const MEMBER: u8 = 0x29;
    const MUTE: u8 = 0x2a;
    const APPLICATION: u8 = 0x2b;
    const ENTRY: u8 = 0x30;
    const MERGED_PART: u8 = 0x31;
    const OVERLAY: u8 = 0x40;
    const CHANGE: u8 = 0x41;
    const UNCOUNTED: u8 = 0x42;
    const EXTENSIONS: u8 = 0x43;
    const EXTENSION: u8 = 0x44;
    const REACTIONS: u8 = 0x45;
    const ATTRIBUTES: u8 = 0x78;
    const COUNTERS: u8 = 0x79;
    const MENTIONED: u8 = 0x7a;
    const GROUP_OVERLAY: u8 = 0x70;
    const GROUP_CHANGE: u8 = 0x71;
    const GROUP_UNCOUNTED: u8 = 0x72;
    const GROUP_DELETED: u8 = 0x73;
    const GROUP_RECEIPT: u8 = 0x74;
    const GROUP_EXTENSIONS: u8 = 0x75;
    const GROUP_REACTIONS: u8 = 0x76;
    const GROUP_PINS: u8 = 0x77;
    const INVITATION: u8 = 0x7c;
    const LISTED_PENDENCY: u8 = 0x7d;
    const BAN: u8 = 0x7e;
    const MESSAGE: u8 = family::LOG;
    const HOOK: u8 = 0x84;
    const HOOK_DONE: u8 = 0x85;

    /// The entity's own row: account, pair head, app record, directory count.
    pub(crate) fn head() -> Bytes {
        Bytes::from_static(&[HEAD])
    }

    pub(crate) fn profile() -> Bytes {
        Bytes::from_static(&[PROFILE])
    }

    pub(crate) fn devices() -> Bytes {
        Bytes::from_static(&[DEVICES])
    }

    /// Whom a device watches.
    pub(crate) fn watched(inst_id: u32) -> Bytes {
        tagged(&[WATCHED], &inst_id.to_be_bytes())
    }

    /// The index row of a one-to-one conversation (kind 1; kind 2 is for groups).
    pub(crate) fn conversation(peer: &UserId) -> Bytes {
        tagged(&[CONVERSATION, 1], peer.as_bytes())
    }

    /// The peer of an index row's key.
    pub(crate) fn conversation_peer(key: &[u8]) -> Option<UserId> {
        let peer = key.strip_prefix(&[CONVERSATION, 1])?;
        UserId::parse(std::str::from_utf8(peer).ok()?).ok()
    }

    /// The index row of a group conversation.
    pub(crate) fn group_conversation(group: &GroupId) -> Bytes {
        tagged(&[CONVERSATION, 2], group.as_bytes())
    }

    /// The group of an index row's key.
    pub(crate) fn conversation_group(key: &[u8]) -> Option<GroupId> {
        let group = key.strip_prefix(&[CONVERSATION, 2])?;
        GroupId::parse(std::str::from_utf8(group).ok()?).ok()
    }

    /// What the user has attached to a conversation.
    pub(crate) fn contact(contact: &Contact) -> Bytes {
        match contact {
            Contact::Pair(peer) => tagged(&[CONVERSATION, 3, 1], peer.as_bytes()),
            Contact::Group(group) => tagged(&[CONVERSATION, 3, 2], group.as_bytes()),
        }
    }

    /// The conversation of such a row.
    pub(crate) fn contact_of(key: &[u8]) -> Option<Contact> {
        let (kind, id) = key.strip_prefix(&[CONVERSATION, 3])?.split_first()?;
        let id = std::str::from_utf8(id).ok()?;
        match kind {
            1 => UserId::parse(id).ok().map(Contact::Pair),
            2 => GroupId::parse(id).ok().map(Contact::Group),
            _ => None,
        }
    }

    /// The folders of a user.
    pub(crate) fn folders() -> Bytes {
        Bytes::from_static(&[CONVERSATION, 4])
    }

    /// The profile of a group.
    pub(crate) fn group_info(incarnation: u64) -> Bytes {
        tagged(&[GROUP_INFO], &incarnation.to_be_bytes())
    }

    /// A member of a group.
    pub(crate) fn member(incarnation: u64, user: &UserId) -> Bytes {
        of_incarnation(MEMBER, incarnation, user.as_bytes())
    }

    /// Until when somebody is muted in a group, member or not.
    pub(crate) fn mute(incarnation: u64, user: &UserId) -> Bytes {
        of_incarnation(MUTE, incarnation, user.as_bytes())
    }

    /// Until when somebody may not come into a group.
    pub(crate) fn ban(incarnation: u64, user: &UserId) -> Bytes {
        of_incarnation(BAN, incarnation, user.as_bytes())
    }

    /// Somebody who is to come into a group, and waits for a decision of this kind.
    pub(crate) fn pendency(incarnation: u64, kind: PendencyType, user: &UserId) -> Bytes {
        match kind {
            PendencyType::Application => of_incarnation(APPLICATION, incarnation, user.as_bytes()),
            PendencyType::Consent | PendencyType::Approval => {
                let rest = [&[kind as u8], user.as_bytes()].concat();
                of_incarnation(INVITATION, incarnation, &rest)
            }
        }
    }

    /// The kind and the user of such a row's key.
    pub(crate) fn pendency_of(key: &[u8]) -> Option<(PendencyType, UserId)> {
        let user = |name| UserId::parse(std::str::from_utf8(name).ok()?).ok();
        match (key.first()?, key.get(9..)?) {
            (&APPLICATION, name) => Some((PendencyType::Application, user(name)?)),
            (&INVITATION, [kind, name @ ..]) => {
                Some((PendencyType::from_number((*kind).into())?, user(name)?))
            }
            _ => None,
        }
    }

    /// What a user finds in his list of what is to decide, by time.
    pub(crate) fn listed_pendency(row: &ListedRow) -> Bytes {
        let mut key = BytesMut::with_capacity(96);
        key.put_u8(LISTED_PENDENCY);
        key.put_u64(row.asked_ms);
        key.put_slice(row.group.as_bytes());
        key.put_u8(0);
        key.put_u8(row.kind as u8);
        key.put_slice(row.user.as_bytes());
        key.freeze()
    }

    /// The range that holds all of it that was asked until `through` (ms).
    pub(crate) fn listed_pendencies(through: u64) -> (Bytes, Bytes) {
        let to = match through.checked_add(1) {
            Some(next) => tagged(&[LISTED_PENDENCY], &next.to_be_bytes()),
            None => Bytes::from_static(&[LISTED_PENDENCY + 1]),
        };
        (Bytes::from_static(&[LISTED_PENDENCY]), to)
    }

    /// The attributes of a group.
    pub(crate) fn attributes(incarnation: u64) -> Bytes {
        of_incarnation(ATTRIBUTES, incarnation, b"")
    }

    /// The counters of a group.
    pub(crate) fn counters(incarnation: u64) -> Bytes {
        of_incarnation(COUNTERS, incarnation, b"")
    }

    /// A message of a group that mentions somebody.
    pub(crate) fn mentioned(incarnation: u64, seq: u64) -> Bytes {
        of_incarnation(MENTIONED, incarnation, &seq.to_be_bytes())
    }

    /// The user that a row of a group is about.
    pub(crate) fn user_of_group_row(key: &[u8]) -> Option<UserId> {
        UserId::parse(std::str::from_utf8(key.get(9..)?).ok()?).ok()
    }

    /// A message of a group.
    pub(crate) fn group_message(incarnation: u64, seq: u64) -> Bytes {
        of_incarnation(MESSAGE, incarnation, &seq.to_be_bytes())
    }

    /// The sequence number of the row of a group's message, or of one that mentions somebody.
    pub(crate) fn group_message_seq(key: &[u8]) -> Option<u64> {
        let (&(MESSAGE | MENTIONED), rest) = key.split_first()? else { return None };
        Some(u64::from_be_bytes(rest.get(8..)?.try_into().ok()?))
    }

    /// What has become of a message of a group since it was sent.
    pub(crate) fn group_overlay(incarnation: u64, seq: u64) -> Bytes {
        of_incarnation(GROUP_OVERLAY, incarnation, &seq.to_be_bytes())
    }

    /// An entry of a group's log of changes.
    pub(crate) fn group_logged(incarnation: u64, number: u64) -> Bytes {
        of_incarnation(GROUP_CHANGE, incarnation, &number.to_be_bytes())
    }

    /// Which of 256 counted messages of a group do not count as unread any more: for nobody, or for one account.
    pub(crate) fn group_uncounted(incarnation: u64, of: Option<TinyId>, chunk: u64) -> Bytes {
        let of = of.map_or(0, |account| account.0);
        let rest = [of.to_be_bytes(), chunk.to_be_bytes()].concat();
        of_incarnation(GROUP_UNCOUNTED, incarnation, &rest)
    }

    /// The chunk of a [`group_uncounted`] row.
    pub(crate) fn group_uncounted_chunk(key: &[u8]) -> Option<u64> {
        Some(u64::from_be_bytes(key.strip_prefix(&[GROUP_UNCOUNTED])?.get(16..)?.try_into().ok()?))
    }

    /// Which of 256 messages of a group an account has taken out of its history. Ordered by messages, so that
    /// they go with them.
    pub(crate) fn group_deleted(incarnation: u64, chunk: u64, account: TinyId) -> Bytes {
        let rest = [chunk.to_be_bytes(), account.0.to_be_bytes()].concat();
        of_incarnation(GROUP_DELETED, incarnation, &rest)
    }

    /// The range of what has become of the messages from `first` on, before `end`.
    pub(crate) fn beside_group_messages(incarnation: u64, first: u64, end: u64) -> (Bytes, Bytes) {
        (group_overlay(incarnation, first), group_overlay(incarnation, end))
    }

    /// The range of what all accounts have taken out of their histories, of the chunks from the first on, before the
    /// second.
    pub(crate) fn deletions_of_group(incarnation: u64, (first, end): (u64, u64)) -> (Bytes, Bytes) {
        let row = |chunk| group_deleted(incarnation, chunk, TinyId(0));
        (row(first), row(end))
    }

    /// A member of a group has read one message.
    pub(crate) fn group_receipt(incarnation: u64, seq: u64, reader: &UserId) -> Bytes {
        beside_group_message(GROUP_RECEIPT, incarnation, seq, reader.as_bytes())
    }

    /// The range that holds all receipts for a message of a group.
    pub(crate) fn group_receipts_of(incarnation: u64, seq: u64) -> (Bytes, Bytes) {
        let row = |seq| beside_group_message(GROUP_RECEIPT, incarnation, seq, b"");
        (row(seq), row(seq + 1))
    }

    /// The reader of a receipt.
    pub(crate) fn group_receipt_reader(key: &[u8]) -> Option<UserId> {
        UserId::parse(std::str::from_utf8(key.get(17..)?).ok()?).ok()
    }

    /// What is known of the extensions of a message of a group together.
    pub(crate) fn group_extensions(incarnation: u64, seq: u64) -> Bytes {
        beside_group_message(GROUP_EXTENSIONS, incarnation, seq, b"")
    }

    /// What the keys of all single extensions of a message of a group begin with; their names follow.
    pub(crate) fn group_extension(incarnation: u64, seq: u64) -> Bytes {
        beside_group_message(GROUP_EXTENSIONS, incarnation, seq, b"=")
    }

    /// The reactions to a message of a group.
    pub(crate) fn group_reactions(incarnation: u64, seq: u64) -> Bytes {
        beside_group_message(GROUP_REACTIONS, incarnation, seq, b"")
    }

    /// The pinned messages of a group.
    pub(crate) fn group_pins(incarnation: u64) -> Bytes {
        of_incarnation(GROUP_PINS, incarnation, b"")
    }

    /// The ranges of all that members have attached to the messages from `first` on, before `end`.
    pub(crate) fn attached_to_group_messages(
        incarnation: u64,
        first: u64,
        end: u64,
    ) -> [(Bytes, Bytes); 3] {
        [GROUP_RECEIPT, GROUP_EXTENSIONS, GROUP_REACTIONS].map(|family| {
            let row = |seq| beside_group_message(family, incarnation, seq, b"");
            (row(first), row(end))
        })
    }

    fn beside_group_message(family: u8, incarnation: u64, seq: u64, rest: &[u8]) -> Bytes {
        let mut key = BytesMut::with_capacity(17 + rest.len());
        key.put_u8(family);
        key.put_u64(incarnation);
        key.put_u64(seq);
        key.put_slice(rest);
        key.freeze()
    }

    /// Row families of a group that one reads, or removes, as a whole.
    #[derive(Debug, Clone, Copy)]
    pub(crate) enum GroupRows {
        Info,
        Members,
        Mutes,
        Applications,
        Attributes,
        Counters,
        Mentioned,
        Invitations,
        Bans,
        Messages,
        Changes,
        Uncounted,
        Pins,
    }

    /// The range that holds all rows of one family of an incarnation.
    pub(crate) fn group_rows(rows: GroupRows, incarnation: u64) -> (Bytes, Bytes) {
        let family = match rows {
            GroupRows::Info => GROUP_INFO,
            GroupRows::Members => MEMBER,
            GroupRows::Mutes => MUTE,
            GroupRows::Applications => APPLICATION,
            GroupRows::Attributes => ATTRIBUTES,
            GroupRows::Counters => COUNTERS,
            GroupRows::Mentioned => MENTIONED,
            GroupRows::Invitations => INVITATION,
            GroupRows::Bans => BAN,
            GroupRows::Messages => MESSAGE,
            GroupRows::Changes => GROUP_CHANGE,
            GroupRows::Uncounted => GROUP_UNCOUNTED,
            GroupRows::Pins => GROUP_PINS,
        };
        let to = match incarnation.checked_add(1) {
            Some(next) => of_incarnation(family, next, b""),
            None => Bytes::copy_from_slice(&[family + 1]),
        };
        (of_incarnation(family, incarnation, b""), to)
    }

    fn of_incarnation(family: u8, incarnation: u64, rest: &[u8]) -> Bytes {
        let mut key = BytesMut::with_capacity(9 + rest.len());
        key.put_u8(family);
        key.put_u64(incarnation);
        key.put_slice(rest);
        key.freeze()
    }

    /// The range that holds the index rows of all conversations of a user.
    pub(crate) fn conversations() -> (Bytes, Bytes) {
        (Bytes::from_static(&[CONVERSATION]), Bytes::from_static(&[CONVERSATION + 1]))
    }

    /// What is counted and numbered of a user's relations.
    pub(crate) fn relations() -> Bytes {
        Bytes::from_static(&[RELATIONS])
    }

    /// A relation of a user to `peer`.
    pub(crate) fn tie(tie: Tie, peer: &UserId) -> Bytes {
        tagged(&[TIES + tie as u8], peer.as_bytes())
    }

    /// The range that holds all relations of one kind, or those after `peer`, by id.
    pub(crate) fn ties_after(tie: Tie, peer: Option<&UserId>) -> (Bytes, Bytes) {
        let family = TIES + tie as u8;
        let after = peer.map_or_else(Vec::new, |peer| [peer.as_bytes(), b"\0"].concat());
        (tagged(&[family], &after), Bytes::copy_from_slice(&[family + 1]))
    }

    /// The other user of a relation's row.
    pub(crate) fn tie_peer(key: &[u8]) -> Option<UserId> {
        UserId::parse(std::str::from_utf8(key.get(1..)?).ok()?).ok()
    }

    /// All mutable rows after the entity's own one: what goes when an account is deleted.
    pub(crate) fn all_but_head() -> (Bytes, Bytes) {
        (Bytes::from_static(&[HEAD + 1]), Bytes::from_static(&[MESSAGE - 1, 0xff]))
    }

    /// An entry of a list (an app of the cluster, an account of a directory), by ascending number.
    pub(crate) fn entry(number: u64) -> Bytes {
        tagged(&[ENTRY], &number.to_be_bytes())
    }

    pub(crate) fn entries() -> (Bytes, Bytes) {
        (Bytes::from_static(&[ENTRY]), Bytes::from_static(&[ENTRY + 1]))
    }

    /// An entry of a list of partitions.
    pub(crate) fn named_entry(partition: &Partition) -> Bytes {
        tagged(&[ENTRY], partition.as_bytes())
    }

    /// The named entries of one kind of conversation.
    pub(crate) fn entries_of(history: History) -> (Bytes, Bytes) {
        let kind = match history {
            History::Pairs => PAIR,
            History::Groups => GROUP,
        };
        (tagged(&[ENTRY], &[kind]), tagged(&[ENTRY], &[kind + 1]))
    }

    /// The partition of a named entry.
    pub(crate) fn entry_name(key: &[u8]) -> Option<Partition> {
        Partition::new(Bytes::copy_from_slice(key.strip_prefix(&[ENTRY])?)).ok()
    }

    pub(crate) fn entry_number(key: &[u8]) -> Option<u64> {
        Some(u64::from_be_bytes(key.strip_prefix(&[ENTRY])?.try_into().ok()?))
    }

    /// A part of a list of merged messages.
    pub(crate) fn merged_part(digest: u128, number: u16) -> Bytes {
        let mut key = BytesMut::with_capacity(19);
        key.put_u8(MERGED_PART);
        key.put_u128(digest);
        key.put_u16(number);
        key.freeze()
    }

    /// The parts of one list.
    pub(crate) fn merged_parts(digest: u128) -> (Bytes, Bytes) {
        (merged_part(digest, 0), merged_part(digest, u16::MAX))
    }

    /// The parts of all lists.
    pub(crate) fn all_merged() -> (Bytes, Bytes) {
        (Bytes::from_static(&[MERGED_PART]), Bytes::from_static(&[MERGED_PART + 1]))
    }

    /// A message of a one-to-one conversation: ordered by second, then by arrival.
    pub(crate) fn message(time: UnixSeconds, ordinal: u64) -> Bytes {
        at_place(MESSAGE, (time, ordinal), b"")
    }

    /// Second and ordinal of a message row.
    pub(crate) fn message_place(key: &[u8]) -> Option<MessagePlace> {
        place_in(MESSAGE, key)
    }

    /// What has become of the message at this place since it was sent.
    pub(crate) fn overlay(place: MessagePlace) -> Bytes {
        at_place(OVERLAY, place, b"")
    }

    /// The place of the message that an overlay belongs to.
    pub(crate) fn overlay_place(key: &[u8]) -> Option<MessagePlace> {
        place_in(OVERLAY, key)
    }

    /// What is known of the extensions of a message together.
    pub(crate) fn extensions(place: MessagePlace) -> Bytes {
        at_place(EXTENSIONS, place, b"")
    }

    /// What the keys of all single extensions of a message begin with; their names follow.
    pub(crate) fn extension(place: MessagePlace) -> Bytes {
        at_place(EXTENSION, place, b"")
    }

    /// The reactions to a message.
    pub(crate) fn reactions(place: MessagePlace) -> Bytes {
        at_place(REACTIONS, place, b"")
    }

    /// The ranges of all that lies beside the messages of before a second.
    pub(crate) fn beside_messages_before(before: UnixSeconds) -> [(Bytes, Bytes); 4] {
        [OVERLAY, EXTENSIONS, EXTENSION, REACTIONS]
            .map(|family| (Bytes::copy_from_slice(&[family]), at_place(family, (before, 0), b"")))
    }

    /// An entry of a pair's log of changes.
    pub(crate) fn logged(number: u64) -> Bytes {
        tagged(&[CHANGE], &number.to_be_bytes())
    }

    /// Which of one side's counted messages do not count as unread any more: 256 of them.
    pub(crate) fn uncounted(from_high: bool, chunk: u64) -> Bytes {
        tagged(&[UNCOUNTED, u8::from(from_high)], &chunk.to_be_bytes())
    }

    /// The chunk of an [`uncounted`] row.
    pub(crate) fn uncounted_chunk(key: &[u8]) -> Option<u64> {
        Some(u64::from_be_bytes(key.strip_prefix(&[UNCOUNTED])?.get(1..)?.try_into().ok()?))
    }

    fn at_place(family: u8, (time, ordinal): MessagePlace, rest: &[u8]) -> Bytes {
        let mut key = BytesMut::with_capacity(13 + rest.len());
        key.put_u8(family);
        key.put_u32(time.0);
        key.put_u64(ordinal);
        key.put_slice(rest);
        key.freeze()
    }

    fn place_in(family: u8, key: &[u8]) -> Option<MessagePlace> {
        let (time, ordinal) = key.strip_prefix(&[family])?.split_first_chunk::<4>()?;
        let ordinal = u64::from_be_bytes(ordinal.try_into().ok()?);
        Some((UnixSeconds(u32::from_be_bytes(*time)), ordinal))
    }

    /// After the last possible message.
    pub(crate) fn messages_end() -> Bytes {
        Bytes::from_static(&[MESSAGE + 1])
    }

    /// An outbox row; jobs run in ascending order of `id`.
    pub(crate) fn job(id: TinyId) -> Bytes {
        tagged(&[family::OUTBOX], &id.0.to_be_bytes())
    }

    pub(crate) fn jobs() -> (Bytes, Bytes) {
        (Bytes::from_static(&[family::OUTBOX]), Bytes::from_static(&[family::OUTBOX + 1]))
    }

    /// An event that webhooks tell.
    pub(crate) fn hook(seq: u64) -> Bytes {
        tagged(&[HOOK], &seq.to_be_bytes())
    }

    /// What has become of it.
    pub(crate) fn hook_done(seq: u64) -> Bytes {
        tagged(&[HOOK_DONE], &seq.to_be_bytes())
    }

    /// The range of the events from one number to before another.
    pub(crate) fn hooks(from: u64, to: u64) -> (Bytes, Bytes) {
        (hook(from), hook(to.max(from)))
    }

    /// The same of what has become of them.
    pub(crate) fn hooks_done(from: u64, to: u64) -> (Bytes, Bytes) {
        (hook_done(from), hook_done(to.max(from)))
    }

    /// The number of such a row.
    pub(crate) fn hook_seq(key: &[u8]) -> Option<u64> {
        Some(u64::from_be_bytes(key.get(1..)?.try_into().ok()?))
    }

    fn tagged(prefix: &[u8], rest: &[u8]) -> Bytes {
        let mut key = BytesMut::with_capacity(prefix.len() + rest.len());
        key.put_slice(prefix);
        key.put_slice(rest);
        key.freeze()
    }
}

/// `Home::Cluster`, head.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ClusterRow {
    /// [`FORMAT`] of the program that created the data.
    #[prost(uint32, tag = "1")]
    pub(crate) format: u32,
    /// Signs session tokens; 32 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) token_key: Bytes,
    /// Ids made before this time may be in use; moved ahead before it is reached.
    #[prost(uint64, tag = "3")]
    pub(crate) ids_reserved_ms: u64,
}

/// `Home::App`, head.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AppRow {
    #[prost(uint64, tag = "1")]
    pub(crate) created_ms: u64,
    /// UserSig keys, the primary one first.
    #[prost(string, repeated, tag = "2")]
    pub(crate) keys: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    pub(crate) admins: Vec<String>,
    /// Settings that differ from their default, by name, as written by `ctl app set`.
    #[prost(btree_map = "string, string", tag = "4")]
    pub(crate) settings: std::collections::BTreeMap<String, String>,
    /// Rises with each change of the settings; clients compare it.
    #[prost(uint64, tag = "5")]
    pub(crate) settings_version: u64,
    /// One-to-one messages of this day (since 1970) and before have been removed.
    #[prost(uint32, tag = "6")]
    pub(crate) history_cut_day: u32,
    /// The same for group messages.
    #[prost(uint32, tag = "7")]
    pub(crate) group_history_cut_day: u32,
    /// Robots that exist, the oldest first.
    #[prost(string, repeated, tag = "8")]
    pub(crate) robots: Vec<String>,
    /// Lists of merged messages of this day and before have been removed.
    #[prost(uint32, tag = "9")]
    pub(crate) merged_cut_day: u32,
}

/// `Home::User`, head. Kept as a tombstone when the account is deleted.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AccountRow {
    #[prost(uint64, tag = "1")]
    pub(crate) tiny_id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) created_ms: u64,
    /// 0 while the account exists.
    #[prost(uint64, tag = "3")]
    pub(crate) deleted_ms: u64,
    /// UserSigs issued in this second or before, and session tokens issued before, are dead.
    #[prost(uint64, tag = "4")]
    pub(crate) kicked_ms: u64,
    /// May not write to users before this second; the greatest number is for ever.
    #[prost(uint32, tag = "5")]
    pub(crate) c2c_muted_until: u32,
    /// May not write in groups before this second; the greatest number is for ever.
    #[prost(uint32, tag = "6")]
    pub(crate) groups_muted_until: u32,
    #[prost(message, optional, tag = "7")]
    pub(crate) do_not_disturb: Option<DoNotDisturbRow>,
    /// What the user says about himself.
    #[prost(string, tag = "8")]
    pub(crate) custom_status: String,
}

/// `Home::User`, whom one device watches.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WatchedRow {
    /// The earliest first.
    #[prost(string, repeated, tag = "1")]
    pub(crate) users: Vec<String>,
}

/// How a user wants to be notified of messages, and when.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct DoNotDisturbRow {
    /// 0 notify, 1 discard, 2 do not notify.
    #[prost(uint32, tag = "1")]
    pub(crate) level: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) start_time: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) end_time: u32,
    /// Every day at these hours.
    #[prost(bool, tag = "4")]
    pub(crate) is_repeated: bool,
}

/// `Home::User`, profile: tag to value.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ProfileRow {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) items: std::collections::BTreeMap<String, ProfileValueRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ProfileValueRow {
    #[prost(oneof = "ProfileKind", tags = "1, 2")]
    pub(crate) kind: Option<ProfileKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum ProfileKind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(uint64, tag = "2")]
    Number(u64),
}

/// `Home::User`, devices: the instances that are logged in, and the last ones whose session ended (their
/// tokens are still around, and each deserves its own answer).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DevicesRow {
    #[prost(message, repeated, tag = "1")]
    pub(crate) devices: Vec<DeviceRow>,
    /// The last number given out.
    #[prost(uint32, tag = "2")]
    pub(crate) last_inst_id: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DeviceRow {
    #[prost(uint32, tag = "1")]
    pub(crate) inst_id: u32,
    /// Chosen by the client, stable over its reconnects.
    #[prost(string, tag = "2")]
    pub(crate) instance: String,
    #[prost(uint32, tag = "3")]
    pub(crate) platform: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) login_ms: u64,
    /// When its connection was last lost; 0 if not since the login.
    #[prost(uint64, tag = "5")]
    pub(crate) lost_ms: u64,
    /// Why its session ended: a kick's type, or [`DeviceRow::LOGGED_OUT`]; 0 while it is logged in.
    #[prost(uint32, tag = "6")]
    pub(crate) ended: u32,
    /// The instance that took its place.
    #[prost(uint32, tag = "7")]
    pub(crate) kicked_by: u32,
    #[prost(uint32, tag = "8")]
    pub(crate) kicked_by_platform: u32,
    /// Live rooms that it is in: a room is in memory only, but a client that comes back after a restart
    /// takes itself to be still in it.
    #[prost(string, repeated, tag = "9")]
    pub(crate) rooms: Vec<String>,
}

impl DeviceRow {
    /// It has logged out itself.
    pub(crate) const LOGGED_OUT: u32 = 255;

    pub(crate) fn is_logged_in(&self) -> bool {
        self.ended == 0
    }
}

/// `Home::User`, one conversation of the user's list. Tags 7 and 9 to 11 were never written: what the user
/// attaches to a conversation is a [`ContactRow`].
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ConversationRow {
    /// The pair is this user's TinyId and this one.
    #[prost(uint64, tag = "1")]
    pub(crate) peer_tiny_id: u64,
    /// All of the peer's messages up to this second are read.
    #[prost(uint32, tag = "2")]
    pub(crate) read_time: u32,
    /// How many counted messages of the peer those are.
    #[prost(uint64, tag = "3")]
    pub(crate) read_count: u64,
    /// Hidden from the list until a message with a higher ordinal arrives.
    #[prost(uint64, tag = "4")]
    pub(crate) hidden_through: u64,
    /// History up to this second and ordinal is gone for this user.
    #[prost(uint32, tag = "5")]
    pub(crate) cleared_time: u32,
    #[prost(uint64, tag = "6")]
    pub(crate) cleared_through: u64,
    /// 0 notify, 1 discard, 2 do not notify.
    #[prost(uint32, tag = "8")]
    pub(crate) receive_option: u32,
    /// When it was last marked as read.
    #[prost(uint32, tag = "12")]
    pub(crate) read_at: u32,
}

/// `Home::User`, what the user has attached to a conversation, whether his list has it or not. A row with
/// nothing is kept for a while: it tells devices that were away.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ContactRow {
    /// When it was pinned, unix seconds; 0 if it is not.
    #[prost(uint32, tag = "1")]
    pub(crate) pinned_at: u32,
    /// Bit set of standard marks.
    #[prost(fixed64, tag = "2")]
    pub(crate) marks: u64,
    #[prost(string, tag = "3")]
    pub(crate) custom_mark: String,
    /// Folders that it is in. Some may be gone: a folder is deleted without touching the rows.
    #[prost(uint32, repeated, tag = "4")]
    pub(crate) folders: Vec<u32>,
    /// When any of it last changed.
    #[prost(uint64, tag = "5")]
    pub(crate) changed_ms: u64,
}

/// `Home::User`, the folders: what the protocol calls conversation groups.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FoldersRow {
    #[prost(message, repeated, tag = "1")]
    pub(crate) folders: Vec<FolderRow>,
    /// The last number given out; none is given twice.
    #[prost(uint32, tag = "2")]
    pub(crate) last_id: u32,
    /// Those that were deleted last, for devices that were away.
    #[prost(message, repeated, tag = "3")]
    pub(crate) deleted: Vec<FolderRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FolderRow {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    /// When it was made, named, or deleted.
    #[prost(uint64, tag = "3")]
    pub(crate) changed_ms: u64,
}

/// `Home::User`, relations: what is counted and numbered of them.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RelationsRow {
    /// How many relations of each kind there are, by the number of [`Tie`].
    #[prost(uint64, repeated, tag = "1")]
    pub(crate) counts: Vec<u64>,
    /// Followed users who follow back.
    #[prost(uint64, tag = "2")]
    pub(crate) mutual_follows: u64,
    /// Rises with each change of the friend list but of custom fields.
    #[prost(uint64, tag = "3")]
    pub(crate) friends_seq: u64,
    /// Rises with each change of a friend's custom fields.
    #[prost(uint64, tag = "4")]
    pub(crate) custom_seq: u64,
    /// Rises with each change of the block list.
    #[prost(uint64, tag = "5")]
    pub(crate) blocked_seq: u64,
    /// Rises with each change of the friend requests.
    #[prost(uint64, tag = "6")]
    pub(crate) requests_seq: u64,
    /// Rises with each change of friend groups or of who is in them.
    #[prost(uint64, tag = "7")]
    pub(crate) groups_seq: u64,
    /// Requests received up to this second have been seen.
    #[prost(uint32, tag = "8")]
    pub(crate) requests_read: u32,
    #[prost(message, repeated, tag = "9")]
    pub(crate) groups: Vec<FriendGroupRow>,
    /// The last number given to a friend group.
    #[prost(uint32, tag = "10")]
    pub(crate) last_group: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FriendGroupRow {
    /// What friends' rows say; never used again.
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
}

/// `Home::User`, one relation to another user.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TieRow {
    /// Of the other account.
    #[prost(uint64, tag = "1")]
    pub(crate) tiny_id: u64,
    /// When it began, unix seconds.
    #[prost(uint32, tag = "2")]
    pub(crate) since: u32,
    /// How a friend was found.
    #[prost(string, tag = "3")]
    pub(crate) source: String,
    /// What was said when a friend was asked.
    #[prost(string, tag = "4")]
    pub(crate) wording: String,
    #[prost(string, tag = "5")]
    pub(crate) remark: String,
    /// When the remark was made, unix seconds; 0 if that is not known.
    #[prost(uint32, tag = "6")]
    pub(crate) remark_since: u32,
    /// Numbers of friend groups; those that are gone count for nothing.
    #[prost(uint32, repeated, tag = "7")]
    pub(crate) groups: Vec<u32>,
    /// Custom fields, named without the tag's prefix.
    #[prost(btree_map = "string, string", tag = "8")]
    pub(crate) custom: std::collections::BTreeMap<String, String>,
    /// Tells a friend request from an earlier one.
    #[prost(uint64, tag = "9")]
    pub(crate) request: u64,
}

/// `Home::Pair`, head: under 256 bytes, rewritten by each message.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PairRow {
    /// Ordinal of the last stored message; the first is 1.
    #[prost(uint64, tag = "1")]
    pub(crate) last: u64,
    /// Second of the last stored message; later ones never get an earlier second.
    #[prost(uint32, tag = "2")]
    pub(crate) last_time: u32,
    #[prost(message, required, tag = "3")]
    pub(crate) low: SideRow,
    #[prost(message, required, tag = "4")]
    pub(crate) high: SideRow,
    /// Both users have the conversation in their index.
    #[prost(bool, tag = "5")]
    pub(crate) indexed: bool,
    /// Day (since 1970) of the last entry in the day directory.
    #[prost(uint32, tag = "6")]
    pub(crate) last_day: u32,
    /// Number of the last change of a message; 0 while nothing lies beside the messages.
    #[prost(uint64, tag = "7")]
    pub(crate) changes: u64,
    /// Number of the last entry in the log of changes.
    #[prost(uint64, tag = "8")]
    pub(crate) logged: u64,
    /// Second of that entry; later ones never get an earlier second.
    #[prost(uint32, tag = "9")]
    pub(crate) logged_at: u32,
    /// Messages of before this second are removed by retention, or will be at once.
    #[prost(uint32, tag = "10")]
    pub(crate) kept_from: u32,
}

/// One side of a pair.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct SideRow {
    /// Messages this side has sent that count as unread for the other.
    #[prost(uint64, tag = "1")]
    pub(crate) counted: u64,
    /// The last message this side shows in its list.
    #[prost(uint64, tag = "2")]
    pub(crate) shown: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) shown_time: u32,
    /// The highest number of a counted message of this side that does not count as unread any more.
    #[prost(uint64, tag = "4")]
    pub(crate) uncounted_through: u64,
}

/// `Home::Pair` or `Home::Group`, what has become of a message since it was sent; the message's own row stays as
/// it is. Of a group only the first three are used.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OverlayRow {
    /// Its entry in the log of changes; 0 if it has none.
    #[prost(uint64, tag = "1")]
    pub(crate) logged_as: u64,
    #[prost(message, optional, tag = "2")]
    pub(crate) withdrawn: Option<WithdrawnRow>,
    #[prost(message, optional, tag = "3")]
    pub(crate) modified: Option<ModifiedRow>,
    /// When its receiver confirmed that he has read it; 0 if he has not.
    #[prost(uint32, tag = "4")]
    pub(crate) receipt_at: u32,
    /// Out of the low side's history.
    #[prost(bool, tag = "5")]
    pub(crate) deleted_by_low: bool,
    #[prost(bool, tag = "6")]
    pub(crate) deleted_by_high: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WithdrawnRow {
    #[prost(string, tag = "1")]
    pub(crate) by: String,
    #[prost(uint32, tag = "2")]
    pub(crate) at: u32,
    /// What was said about it; may be empty.
    #[prost(string, tag = "20")]
    pub(crate) reason: String,
}

/// What a message says now.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ModifiedRow {
    /// How often it was modified.
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    /// Compact JSON array of elements.
    #[prost(string, tag = "2")]
    pub(crate) body: String,
    #[prost(string, tag = "3")]
    pub(crate) cloud_custom_data: String,
}

/// `Home::Pair` or `Home::Group`, an entry of the log of changes: a message has changed, its overlay says how.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct ChangeRow {
    #[prost(uint32, tag = "1")]
    pub(crate) at: u32,
    /// Place of the message.
    #[prost(uint32, tag = "2")]
    pub(crate) time: u32,
    /// In a group its sequence number.
    #[prost(uint64, tag = "3")]
    pub(crate) ordinal: u64,
}

/// `Home::Pair`, 256 counted messages of one side that may not count as unread any more; `Home::Group`, 256
/// messages that a member may have taken out of his history.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct NumbersRow {
    /// A bit each, the first message is the lowest bit of the first word.
    #[prost(fixed64, repeated, tag = "1")]
    pub(crate) bits: Vec<u64>,
}

/// `Home::Group`, 256 counted messages, of which some do not count as unread any more: for everybody (recalled) or
/// for one account (taken out of its history).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GroupUncountedRow {
    /// A bit each, as in [`NumbersRow`].
    #[prost(fixed64, repeated, tag = "1")]
    pub(crate) bits: Vec<u64>,
    /// Of an account: its own ones that are recalled. They never counted for it.
    #[prost(fixed64, repeated, tag = "2")]
    pub(crate) own: Vec<u64>,
}

/// `Home::Pair`, the extensions of one message together.
/// `Home::Pair` or `Home::Group`, the extensions of one message together.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct ExtensionsRow {
    /// Number of the last write.
    #[prost(uint64, tag = "1")]
    pub(crate) last: u64,
    /// Number of the last write that removed all.
    #[prost(uint64, tag = "2")]
    pub(crate) cleared: u64,
    /// How many keys there are, deleted ones included.
    #[prost(uint32, tag = "3")]
    pub(crate) keys: u32,
    /// The minute since 1970 of the last write, and how many it has had.
    #[prost(uint32, tag = "4")]
    pub(crate) minute: u32,
    #[prost(uint32, tag = "5")]
    pub(crate) writes: u32,
}

/// `Home::Pair` or `Home::Group`, one extension of a message.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExtensionRow {
    /// Empty: deleted.
    #[prost(string, tag = "1")]
    pub(crate) value: String,
    /// Number of the write.
    #[prost(uint64, tag = "2")]
    pub(crate) seq: u64,
}

/// `Home::Pair`, the reactions to one message, oldest first.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReactionsRow {
    #[prost(message, repeated, tag = "1")]
    pub(crate) reactions: Vec<ReactionRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReactionRow {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// Of one side or of both.
    #[prost(bool, tag = "2")]
    pub(crate) by_low: bool,
    #[prost(bool, tag = "3")]
    pub(crate) by_high: bool,
}

/// `Home::Group`, the reactions to one message, oldest first.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GroupReactionsRow {
    #[prost(message, repeated, tag = "1")]
    pub(crate) reactions: Vec<GroupReactionRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GroupReactionRow {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// Who gives it, the first one first.
    #[prost(string, repeated, tag = "2")]
    pub(crate) users: Vec<String>,
}

/// `Home::Group`, a member has read one message.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct ReceiptRow {
    /// [`MemberRow::joined_as`] of the reader.
    #[prost(uint64, tag = "1")]
    pub(crate) joined_as: u64,
    /// When he confirmed it.
    #[prost(uint32, tag = "2")]
    pub(crate) at: u32,
}

/// `Home::Group`, the pinned messages, oldest pin first.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PinsRow {
    #[prost(message, repeated, tag = "1")]
    pub(crate) pins: Vec<PinRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PinRow {
    /// Sequence number of the message.
    #[prost(uint64, tag = "1")]
    pub(crate) seq: u64,
    #[prost(string, tag = "2")]
    pub(crate) by: String,
    #[prost(uint32, tag = "3")]
    pub(crate) at: u32,
}

/// `Home::Pair`, a message as sent. Never changed.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MessageRow {
    #[prost(bool, tag = "1")]
    pub(crate) from_high: bool,
    #[prost(uint32, tag = "2")]
    pub(crate) seq: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) random: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) client_time: u32,
    /// Compact JSON array of elements.
    #[prost(string, tag = "5")]
    pub(crate) body: String,
    #[prost(string, tag = "6")]
    pub(crate) cloud_custom_data: String,
    /// Bits of [`MessageFlags`].
    #[prost(uint32, tag = "7")]
    pub(crate) flags: u32,
    /// [`SideRow::counted`] of both sides after this message.
    #[prost(uint64, tag = "8")]
    pub(crate) counted_low: u64,
    #[prost(uint64, tag = "9")]
    pub(crate) counted_high: u64,
    /// Delivered as an offline message until this second.
    #[prost(uint32, tag = "10")]
    pub(crate) offline_until: u32,
    /// The sender's device; 0 if it was sent over REST.
    #[prost(uint32, tag = "11")]
    pub(crate) origin: u32,
    /// What makes a repetition the same send, if a webhook has made something else of what was sent.
    #[prost(fixed32, optional, tag = "45")]
    pub(crate) asked_crc: Option<u32>,
}

/// `Home::Merged`, a part of a list.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MergedPartRow {
    /// Bytes of the list's JSON.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) part: Bytes,
}

/// Bits of a stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MessageFlags(pub(crate) u32);

impl MessageFlags {
    /// Only the receiver's history has it.
    pub(crate) const HIDDEN_FROM_SENDER: u32 = 1;
    pub(crate) const NO_UNREAD: u32 = 2;
    pub(crate) const NO_LAST: u32 = 4;
    pub(crate) const WANTS_RECEIPT: u32 = 8;
    pub(crate) const EXTENSIBLE: u32 = 16;
    /// Written by an import: a send that is like it is no repetition.
    pub(crate) const IMPORTED: u32 = 32;
    /// An imported one that was never unread.
    pub(crate) const NEVER_UNREAD: u32 = 64;

    pub(crate) fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    pub(crate) fn with(self, bit: u32, on: bool) -> Self {
        Self(if on { self.0 | bit } else { self.0 })
    }
}

/// `Home::User`, one group of the user: he is a member, and this is what he knows of the conversation. Tags 8
/// and 10 to 12 were never written.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GroupIndexRow {
    /// Of the group.
    #[prost(uint64, tag = "1")]
    pub(crate) incarnation: u64,
    /// [`MemberRow::joined_as`]: tells a later membership from an earlier one.
    #[prost(uint64, tag = "2")]
    pub(crate) joined_as: u64,
    /// All messages up to this one are read.
    #[prost(uint64, tag = "3")]
    pub(crate) read_seq: u64,
    /// [`GroupHeadRow::counted`] there.
    #[prost(uint64, tag = "4")]
    pub(crate) read_count: u64,
    /// [`MemberRow::sent`] there.
    #[prost(uint64, tag = "5")]
    pub(crate) read_sent: u64,
    /// Hidden from the list until a message with a higher sequence number.
    #[prost(uint64, tag = "6")]
    pub(crate) hidden_through: u64,
    /// History up to this one is gone for this user.
    #[prost(uint64, tag = "7")]
    pub(crate) cleared_through: u64,
    /// Number of the receive option.
    #[prost(uint32, tag = "9")]
    pub(crate) receive_option: u32,
    /// Imported messages that are unread, because an import says so: the head does not count them.
    #[prost(uint64, tag = "40")]
    pub(crate) unread_imported: u64,
    /// They end with this one.
    #[prost(uint64, tag = "41")]
    pub(crate) unread_through: u64,
}

/// `Home::Group`, head: under 256 bytes, rewritten by each message. Kept as a tombstone when the group is
/// dismissed.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct GroupHeadRow {
    /// Number of the group under this id, higher than that of any before.
    #[prost(uint64, tag = "1")]
    pub(crate) incarnation: u64,
    /// 0 while the group exists.
    #[prost(uint64, tag = "2")]
    pub(crate) dismissed_ms: u64,
    /// Sequence number of the last stored message; the first is 1.
    #[prost(uint64, tag = "3")]
    pub(crate) last: u64,
    /// Its second; later ones never get an earlier second.
    #[prost(uint32, tag = "4")]
    pub(crate) last_time: u32,
    /// How many messages count as unread for whoever did not send them.
    #[prost(uint64, tag = "5")]
    pub(crate) counted: u64,
    /// The last message that lists show.
    #[prost(uint64, tag = "6")]
    pub(crate) shown: u64,
    #[prost(uint32, tag = "7")]
    pub(crate) shown_time: u32,
    /// The first message that retention has left.
    #[prost(uint64, tag = "8")]
    pub(crate) first_live: u64,
    /// Day (since 1970) of the last entry in the day directory.
    #[prost(uint32, tag = "9")]
    pub(crate) last_day: u32,
    /// Counts memberships: each gets a number of its own.
    #[prost(uint64, tag = "10")]
    pub(crate) joins: u64,
    /// The last message that is for some members only, and that lists show to them.
    #[prost(uint64, tag = "30")]
    pub(crate) targeted: u64,
    /// The last message that mentions somebody.
    #[prost(uint64, tag = "31")]
    pub(crate) mentioned: u64,
    /// Number of the last change of a message; 0 while nothing lies beside the messages.
    #[prost(uint64, tag = "20")]
    pub(crate) changes: u64,
    /// Number of the last entry in the log of changes.
    #[prost(uint64, tag = "21")]
    pub(crate) logged: u64,
    /// Second of that entry; later ones never get an earlier second.
    #[prost(uint32, tag = "22")]
    pub(crate) logged_at: u32,
    /// The highest number of a counted message that does not count as unread any more.
    #[prost(uint64, tag = "23")]
    pub(crate) uncounted_through: u64,
    /// Members do not see messages up to this one.
    #[prost(uint64, tag = "24")]
    pub(crate) cleared: u64,
    /// The last imported message.
    #[prost(uint64, tag = "40")]
    pub(crate) imported: u64,
}

/// `Home::Group`, profile.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GroupInfoRow {
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(string, tag = "3")]
    pub(crate) introduction: String,
    #[prost(string, tag = "4")]
    pub(crate) notification: String,
    #[prost(string, tag = "5")]
    pub(crate) face_url: String,
    /// Empty when nobody owns it.
    #[prost(string, tag = "6")]
    pub(crate) owner: String,
    #[prost(uint32, tag = "7")]
    pub(crate) created: u32,
    /// Rises with each change of the profile.
    #[prost(uint64, tag = "8")]
    pub(crate) info_seq: u64,
    #[prost(uint32, tag = "9")]
    pub(crate) changed: u32,
    #[prost(uint32, tag = "10")]
    pub(crate) max_members: u32,
    #[prost(uint32, tag = "11")]
    pub(crate) apply_option: u32,
    #[prost(uint32, tag = "12")]
    pub(crate) invite_option: u32,
    #[prost(bool, tag = "13")]
    pub(crate) mute_all: bool,
    #[prost(bool, tag = "14")]
    pub(crate) supports_topics: bool,
    /// Of the owner's account: of a live room no member row tells it.
    #[prost(uint64, tag = "15")]
    pub(crate) owner_tiny_id: u64,
    #[prost(message, repeated, tag = "35")]
    pub(crate) custom: Vec<CustomFieldRow>,
    /// It comes from another system, and was in use there.
    #[prost(bool, tag = "40")]
    pub(crate) imported: bool,
}

/// A custom field of a group or member, by key in ascending order; one without a value has no row.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CustomFieldRow {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

/// `Home::Group`, one member.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MemberRow {
    /// Of the account.
    #[prost(uint64, tag = "1")]
    pub(crate) tiny_id: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) role: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) joined: u32,
    /// Number of the membership within the group.
    #[prost(uint64, tag = "4")]
    pub(crate) joined_as: u64,
    /// The first message that the member may see.
    #[prost(uint64, tag = "5")]
    pub(crate) first_seq: u64,
    #[prost(string, tag = "6")]
    pub(crate) name_card: String,
    /// Messages of this membership that count as unread for others.
    #[prost(uint64, tag = "7")]
    pub(crate) sent: u64,
    #[prost(uint32, tag = "8")]
    pub(crate) last_sent: u32,
    /// The highest number of a counted message that the member has taken out of his history.
    #[prost(uint64, tag = "20")]
    pub(crate) uncounted_through: u64,
    /// He has taken this message out of his history, which was the last one that lists show: as long as it is,
    /// his list shows another one.
    #[prost(uint64, tag = "21")]
    pub(crate) shown_for: u64,
    #[prost(uint64, tag = "22")]
    pub(crate) shown: u64,
    #[prost(uint32, tag = "23")]
    pub(crate) shown_time: u32,
    #[prost(message, repeated, tag = "35")]
    pub(crate) custom: Vec<CustomFieldRow>,
}

/// `Home::Group`, a mute.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MuteRow {
    /// Last muted second; the greatest number is for ever.
    #[prost(uint32, tag = "1")]
    pub(crate) until: u32,
}

/// `Home::Group`, a ban.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BanRow {
    /// The first second without it; the greatest number is for ever.
    #[prost(uint32, tag = "1")]
    pub(crate) until: u32,
}

/// `Home::Group`, somebody who is to come in and waits, or waited, for a decision.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PendencyRow {
    /// Of who would come in.
    #[prost(uint64, tag = "1")]
    pub(crate) tiny_id: u64,
    /// Names it: what is asked again has another time.
    #[prost(uint64, tag = "2")]
    pub(crate) asked_ms: u64,
    #[prost(string, tag = "3")]
    pub(crate) wording: String,
    /// Who invites; empty if somebody applies.
    #[prost(string, tag = "35")]
    pub(crate) inviter: String,
    #[prost(message, optional, tag = "36")]
    pub(crate) answer: Option<AnswerRow>,
}

/// What was decided.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AnswerRow {
    #[prost(string, tag = "1")]
    pub(crate) by: String,
    #[prost(bool, tag = "2")]
    pub(crate) accepted: bool,
}

/// `Home::User`, what is to decide: names a [`PendencyRow`] of a group.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ListedRow {
    #[prost(string, tag = "1")]
    pub(crate) group: String,
    /// Number of the [`PendencyType`].
    #[prost(uint32, tag = "2")]
    pub(crate) kind: u32,
    /// Who would come in.
    #[prost(string, tag = "3")]
    pub(crate) user: String,
    /// [`PendencyRow::asked_ms`].
    #[prost(uint64, tag = "4")]
    pub(crate) asked_ms: u64,
}

/// `Home::Group`, all its attributes.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AttributesRow {
    /// Counts the writes.
    #[prost(uint64, tag = "1")]
    pub(crate) main_seq: u64,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(crate) by_key: std::collections::BTreeMap<String, AttributeRow>,
}

/// One of them.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AttributeRow {
    #[prost(string, tag = "1")]
    pub(crate) value: String,
    /// [`AttributesRow::main_seq`] of the write that it is from.
    #[prost(uint64, tag = "2")]
    pub(crate) seq: u64,
}

/// `Home::Group`, all its counters.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CountersRow {
    /// Counts the changes.
    #[prost(uint64, tag = "1")]
    pub(crate) seq: u64,
    #[prost(btree_map = "string, sint64", tag = "2")]
    pub(crate) by_key: std::collections::BTreeMap<String, i64>,
}

/// `Home::Group`, what those who are mentioned in a message are told of it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MentionedRow {
    #[prost(string, tag = "1")]
    pub(crate) from: String,
    #[prost(uint32, tag = "2")]
    pub(crate) random: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) client_seq: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) time: u32,
    #[prost(message, repeated, tag = "5")]
    pub(crate) mentions: Vec<MentionRow>,
}

/// `Home::Group`, a message or tip as sent. Never changed.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GroupMessageRow {
    #[prost(string, tag = "1")]
    pub(crate) from: String,
    #[prost(uint64, tag = "2")]
    pub(crate) from_tiny_id: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) random: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) client_seq: u32,
    #[prost(uint32, tag = "5")]
    pub(crate) time: u32,
    #[prost(uint32, tag = "6")]
    pub(crate) client_time: u32,
    /// Compact JSON array of elements; empty for a tip.
    #[prost(string, tag = "7")]
    pub(crate) body: String,
    #[prost(string, tag = "8")]
    pub(crate) cloud_custom_data: String,
    #[prost(uint32, tag = "9")]
    pub(crate) priority: u32,
    /// Bits of [`MessageFlags`].
    #[prost(uint32, tag = "10")]
    pub(crate) flags: u32,
    /// [`GroupHeadRow::counted`] after this message.
    #[prost(uint64, tag = "11")]
    pub(crate) counted: u64,
    #[prost(message, repeated, tag = "12")]
    pub(crate) mentions: Vec<MentionRow>,
    #[prost(message, optional, tag = "13")]
    pub(crate) tip: Option<TipRow>,
    /// Accounts that see it, the sender among them; all members if there are none.
    #[prost(fixed64, repeated, tag = "30")]
    pub(crate) only_for: Vec<u64>,
    /// [`GroupHeadRow::joins`] when it was sent, of one that asks for receipts: those who joined later do not count.
    #[prost(uint64, tag = "25")]
    pub(crate) joins: u64,
    /// What makes a repetition the same send, if a webhook has made something else of what was sent.
    #[prost(fixed32, optional, tag = "45")]
    pub(crate) asked_crc: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MentionRow {
    #[prost(bool, tag = "1")]
    pub(crate) all: bool,
    #[prost(string, tag = "2")]
    pub(crate) user: String,
}

/// What a tip tells.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TipRow {
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(string, tag = "2")]
    pub(crate) operator: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) members: Vec<String>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) member_num: Option<u64>,
    #[prost(message, optional, tag = "5")]
    pub(crate) changed: Option<ChangedRow>,
    /// Seconds for which `members` are muted.
    #[prost(uint32, optional, tag = "6")]
    pub(crate) muted_s: Option<u32>,
}

/// What a tip tells of a changed profile.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ChangedRow {
    #[prost(string, optional, tag = "1")]
    pub(crate) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) introduction: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) notification: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) face_url: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) owner: Option<String>,
    #[prost(uint32, optional, tag = "6")]
    pub(crate) apply_option: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    pub(crate) invite_option: Option<u32>,
    #[prost(bool, optional, tag = "8")]
    pub(crate) mute_all: Option<bool>,
    /// If some changed: all custom fields, those that were removed with an empty value.
    #[prost(message, repeated, tag = "35")]
    pub(crate) custom: Vec<CustomFieldRow>,
}

/// Outbox: what must follow elsewhere. Carried out at least once, so each job is idempotent.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JobRow {
    #[prost(oneof = "Job", tags = "1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 35, 45")]
    pub(crate) job: Option<Job>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Job {
    /// Put the pair into both users' index of conversations.
    #[prost(message, tag = "1")]
    IndexPair(IndexPairJob),
    /// List (or unlist) an account in its directory.
    #[prost(message, tag = "2")]
    ListAccount(ListAccountJob),
    /// Name this partition in the directory of a day.
    #[prost(message, tag = "3")]
    ListDay(ListDayJob),
    /// Make the account of an administrator or robot, so that it can be a sender.
    #[prost(message, tag = "4")]
    ImportAccount(ImportAccountJob),
    /// Put a group into its new members' index of conversations, or take it out.
    #[prost(message, tag = "5")]
    IndexMembers(IndexMembersJob),
    /// Remove what a dismissed group has left: from its members' index, then its rows.
    #[prost(message, tag = "6")]
    BuryGroup(BuryGroupJob),
    /// List (or unlist) a group in its directory.
    #[prost(message, tag = "7")]
    ListGroup(ListGroupJob),
    /// Take a deleted account out of its groups.
    #[prost(message, tag = "8")]
    LeaveGroups(LeaveGroupsJob),
    /// Carry changed relations over to the other users.
    #[prost(message, tag = "16")]
    Relate(RelateJob),
    /// Tell those who have a user in their friend list that his profile has changed.
    #[prost(message, tag = "17")]
    TellFriends(TellFriendsJob),
    /// Put applications and invitations into the lists of those who decide.
    #[prost(message, tag = "35")]
    ListPendencies(ListPendenciesJob),
    /// Tell the app's webhooks: put an event into their log.
    #[prost(message, tag = "45")]
    Tell(HookRow),
}

/// An event that a webhook tells.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HookRow {
    /// Names it, also when it is sent again.
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    /// As in `CallbackCommand`.
    #[prost(string, tag = "2")]
    pub(crate) command: String,
    /// Events of one lane are sent one after the other.
    #[prost(string, tag = "3")]
    pub(crate) lane: String,
    #[prost(uint64, tag = "4")]
    pub(crate) at_ms: u64,
    /// As in `OptPlatform`; empty if the webhook does not name it.
    #[prost(string, tag = "5")]
    pub(crate) platform: String,
    #[prost(string, tag = "6")]
    pub(crate) ip: String,
    /// JSON, but for what is counted when it is sent.
    #[prost(bytes = "bytes", tag = "7")]
    pub(crate) body: Bytes,
    /// `body` is deflated.
    #[prost(bool, tag = "8")]
    pub(crate) deflated: bool,
    /// Whose one-to-one messages that are not read are counted; empty for nobody's.
    #[prost(string, tag = "9")]
    pub(crate) unread_of: String,
    /// 1: it was sent, or given up, before.
    #[prost(uint32, tag = "10")]
    pub(crate) replayed: u32,
}

/// `Home::Hooks`, head.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct HookHeadRow {
    /// Number of the oldest event.
    #[prost(uint64, tag = "1")]
    pub(crate) first: u64,
    /// Number of the next event.
    #[prost(uint64, tag = "2")]
    pub(crate) next: u64,
    /// All before this one were delivered, given up, or dropped.
    #[prost(uint64, tag = "3")]
    pub(crate) done_through: u64,
    /// Bytes of all events that ever were.
    #[prost(uint64, tag = "4")]
    pub(crate) bytes_through: u64,
    /// Bytes of those that were removed.
    #[prost(uint64, tag = "5")]
    pub(crate) bytes_removed: u64,
    /// Events that were removed before they were sent.
    #[prost(uint64, tag = "6")]
    pub(crate) dropped: u64,
}

/// `Home::Hooks`, an event.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LoggedHookRow {
    #[prost(message, required, tag = "1")]
    pub(crate) row: HookRow,
    /// [`HookHeadRow::bytes_through`] with this event.
    #[prost(uint64, tag = "2")]
    pub(crate) bytes_through: u64,
}

/// `Home::Hooks`, what has become of an event.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HookDoneRow {
    #[prost(uint64, tag = "1")]
    pub(crate) at_ms: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) latency_ms: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) attempts: u32,
    /// Given up.
    #[prost(bool, tag = "4")]
    pub(crate) dead: bool,
    #[prost(string, tag = "5")]
    pub(crate) problem: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RelateJob {
    /// Of the user whose relations have changed.
    #[prost(uint64, tag = "1")]
    pub(crate) tiny_id: u64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) errands: Vec<ErrandRow>,
}

/// What a user wants of another one beyond the mirrors of his own relations.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ErrandRow {
    #[prost(string, tag = "1")]
    pub(crate) peer: String,
    #[prost(uint64, tag = "2")]
    pub(crate) peer_tiny_id: u64,
    /// The user shall be in the other's friend list, too.
    #[prost(bool, tag = "3")]
    pub(crate) befriend: bool,
    /// The user shall not be in the other's friend list any more.
    #[prost(bool, tag = "4")]
    pub(crate) unfriend: bool,
    /// The other's request with this number has ended; 0 for none.
    #[prost(uint64, tag = "5")]
    pub(crate) ended_request: u64,
    /// It was granted.
    #[prost(bool, tag = "6")]
    pub(crate) granted: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TellFriendsJob {
    /// Of the account whose profile has changed.
    #[prost(uint64, tag = "1")]
    pub(crate) tiny_id: u64,
    #[prost(string, repeated, tag = "2")]
    pub(crate) tags: Vec<String>,
}

/// Members of a group who came or went, in one commit.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct IndexMembersJob {
    #[prost(uint64, tag = "1")]
    pub(crate) incarnation: u64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) joined: Vec<JoinedRow>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) left: Vec<LeftRow>,
}

/// What a new member's index row begins with.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JoinedRow {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(uint64, tag = "2")]
    pub(crate) tiny_id: u64,
    /// [`MemberRow::joined_as`].
    #[prost(uint64, tag = "3")]
    pub(crate) joined_as: u64,
    /// Read up to here, and the ordinal there.
    #[prost(uint64, tag = "4")]
    pub(crate) read_seq: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) read_count: u64,
    /// Not in the list before a message with a higher sequence number.
    #[prost(uint64, tag = "6")]
    pub(crate) hidden_through: u64,
    /// [`GroupIndexRow::unread_imported`]: the messages behind [`Self::read_seq`].
    #[prost(uint64, tag = "40")]
    pub(crate) unread_imported: u64,
    /// [`GroupIndexRow::receive_option`].
    #[prost(uint32, tag = "41")]
    pub(crate) receive_option: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LeftRow {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(uint64, tag = "2")]
    pub(crate) joined_as: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BuryGroupJob {
    #[prost(uint64, tag = "1")]
    pub(crate) incarnation: u64,
    /// Sequence number of its last message.
    #[prost(uint64, tag = "2")]
    pub(crate) last: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ListGroupJob {
    #[prost(uint64, tag = "1")]
    pub(crate) incarnation: u64,
    /// Number of the type.
    #[prost(uint32, tag = "2")]
    pub(crate) kind: u32,
    #[prost(bool, tag = "3")]
    pub(crate) dismissed: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ListPendenciesJob {
    #[prost(message, repeated, tag = "1")]
    pub(crate) deciders: Vec<DeciderRow>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) listed: Vec<ListedRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DeciderRow {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(uint64, tag = "2")]
    pub(crate) tiny_id: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LeaveGroupsJob {
    #[prost(uint64, tag = "1")]
    pub(crate) tiny_id: u64,
    #[prost(string, repeated, tag = "2")]
    pub(crate) groups: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct IndexPairJob {
    #[prost(string, tag = "1")]
    pub(crate) low_user: String,
    #[prost(string, tag = "2")]
    pub(crate) high_user: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ListAccountJob {
    #[prost(uint64, tag = "1")]
    pub(crate) tiny_id: u64,
    #[prost(bool, tag = "2")]
    pub(crate) deleted: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ListDayJob {
    #[prost(uint32, tag = "1")]
    pub(crate) day: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ImportAccountJob {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
}

/// An entry of a directory.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EntryRow {
    /// A user's or group's id; empty where the key says it all.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) name: Bytes,
    /// Number of a group's type.
    #[prost(uint32, tag = "2")]
    pub(crate) kind: u32,
}

/// `Home::Directory`, head.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DirectoryRow {
    #[prost(uint64, tag = "1")]
    pub(crate) count: u64,
    /// How many of each type of group.
    #[prost(btree_map = "uint32, uint64", tag = "2")]
    pub(crate) by_kind: std::collections::BTreeMap<u32, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn a_partition_name_leads_back_to_its_entity() {
        let app = SdkAppId(1_400_000_000);
        let user = UserId::parse("alice").expect("valid");
        let pair = PairKey::new(TinyId(9), TinyId(4));
        for home in [
            Home::Cluster,
            Home::App(app),
            Home::User(app, user),
            Home::Pair(app, pair),
            Home::Directory(app, DirectoryKind::Accounts, 513),
            Home::Directory(app, DirectoryKind::Day, 7),
            Home::Merged(app, 20_784),
            Home::Hooks(app),
            Home::Directory(app, DirectoryKind::Groups, 3),
            Home::Group(app, GroupId::parse("@TGS#1").expect("valid")),
        ] {
            assert_eq!(Home::of(&home.partition()), Some(home));
        }
    }

    #[test]
    fn messages_sort_by_second_then_by_arrival() {
        let place = |s, o| key::message(UnixSeconds(s), o);
        assert!(place(5, 300) < place(6, 2) && place(6, 2) < place(6, 256));
        assert!(place(u32::MAX, u64::MAX) < key::messages_end());
        assert_eq!(key::message_place(&place(6, 2)), Some((UnixSeconds(6), 2)));
    }

    #[test]
    fn what_lies_beside_old_messages_goes_with_them_and_nothing_else() {
        let ranges = key::beside_messages_before(UnixSeconds(100));
        let is_in = |row: &Bytes| ranges.iter().any(|(from, to)| from <= row && row < to);
        for (place, old) in [((UnixSeconds(99), u64::MAX), true), ((UnixSeconds(100), 0), false)] {
            for row in [
                key::overlay(place),
                key::extensions(place),
                [&key::extension(place)[..], b"vote"].concat().into(),
                key::reactions(place),
            ] {
                assert_eq!(is_in(&row), old, "{row:?}");
            }
            assert_eq!(key::overlay_place(&key::overlay(place)), Some(place));
        }
        for row in [key::head(), key::logged(0), key::uncounted(false, 0)] {
            assert!(!is_in(&row), "{row:?}");
        }
    }

    #[test]
    fn what_is_attached_to_a_group_message_goes_with_it_and_with_no_other() {
        let user = UserId::parse("~").expect("valid");
        let is_in = |row: &Bytes, ranges: &[(Bytes, Bytes)]| {
            ranges.iter().any(|(from, to)| from <= row && row < to)
        };
        for seq in [3, 4, 5, 6] {
            let ranges = key::attached_to_group_messages(7, 4, 6);
            let rows = [
                key::group_receipt(7, seq, &user),
                key::group_extensions(7, seq),
                [&key::group_extension(7, seq)[..], b"vote"].concat().into(),
                key::group_reactions(7, seq),
            ];
            for row in &rows {
                assert_eq!(is_in(row, &ranges), (4..6).contains(&seq), "{seq} {row:?}");
                assert!(!is_in(row, &key::attached_to_group_messages(8, 0, u64::MAX)));
            }
            assert_eq!(is_in(&rows[0], &[key::group_receipts_of(7, 4)]), seq == 4);
        }
        let row = key::group_receipt(7, u64::MAX, &user);
        assert_eq!(key::group_receipt_reader(&row), Some(user));
    }

    #[test]
    fn the_head_of_a_busy_pair_stays_under_256_bytes() {
        let side = SideRow {
            counted: u64::MAX,
            shown: u64::MAX,
            shown_time: u32::MAX,
            uncounted_through: u64::MAX,
        };
        let head = PairRow {
            last: u64::MAX,
            last_time: u32::MAX,
            low: side,
            high: side,
            indexed: true,
            last_day: u32::MAX,
            changes: u64::MAX,
            logged: u64::MAX,
            logged_at: u32::MAX,
            kept_from: u32::MAX,
        };
        assert!(head.encoded_len() < 256);
    }

    #[test]
    fn the_head_of_a_busy_group_stays_under_256_bytes() {
        let head = GroupHeadRow {
            incarnation: u64::MAX,
            dismissed_ms: u64::MAX,
            last: u64::MAX,
            last_time: u32::MAX,
            counted: u64::MAX,
            shown: u64::MAX,
            shown_time: u32::MAX,
            first_live: u64::MAX,
            last_day: u32::MAX,
            joins: u64::MAX,
            targeted: u64::MAX,
            mentioned: u64::MAX,
            changes: u64::MAX,
            logged: u64::MAX,
            logged_at: u32::MAX,
            uncounted_through: u64::MAX,
            cleared: u64::MAX,
            imported: u64::MAX,
        };
        assert!(head.encoded_len() < 256);
    }

    #[test]
    fn rows_of_one_incarnation_are_apart_from_those_of_all_others() {
        let user = UserId::parse("~").expect("valid");
        for (rows, row) in [
            (key::GroupRows::Members, key::member(7, &user)),
            (key::GroupRows::Messages, key::group_message(7, u64::MAX)),
            (key::GroupRows::Mutes, key::mute(7, &user)),
            (key::GroupRows::Attributes, key::attributes(7)),
            (key::GroupRows::Counters, key::counters(7)),
            (key::GroupRows::Mentioned, key::mentioned(7, u64::MAX)),
            (key::GroupRows::Changes, key::group_logged(7, u64::MAX)),
            (key::GroupRows::Uncounted, key::group_uncounted(7, Some(TinyId(u64::MAX)), u64::MAX)),
            (key::GroupRows::Pins, key::group_pins(7)),
        ] {
            let (from, to) = key::group_rows(rows, 7);
            assert!(from <= row && row < to);
            for other in [6, 8, u64::MAX] {
                let (from, to) = key::group_rows(rows, other);
                assert!(row < from || row >= to);
            }
        }
        assert_eq!(key::user_of_group_row(&key::member(7, &user)), Some(user));
        for row in [key::group_message(7, 9), key::mentioned(7, 9)] {
            assert_eq!(key::group_message_seq(&row), Some(9));
        }
        let uncounted = key::group_uncounted(7, Some(TinyId(8)), 9);
        assert_eq!(key::group_uncounted_chunk(&uncounted), Some(9));
    }

    #[test]
    fn the_index_of_a_user_is_one_range_and_its_keys_tell_what_they_are() {
        let peer = UserId::parse("~").expect("valid");
        let group = GroupId::parse("~").expect("valid");
        let (from, to) = key::conversations();
        for contact in [Contact::Pair(peer.clone()), Contact::Group(group.clone())] {
            let row = key::contact(&contact);
            assert!(from <= row && row < to);
            assert_eq!(key::contact_of(&row), Some(contact));
            assert_eq!((key::conversation_peer(&row), key::conversation_group(&row)), (None, None));
        }
        for other in [key::conversation(&peer), key::group_conversation(&group), key::folders()] {
            assert!(from <= other && other < to);
            assert_eq!(key::contact_of(&other), None);
        }
    }

    #[test]
    fn relations_of_one_kind_are_together_and_lead_back_to_the_other_user() {
        let [a, b] = ["a", "a b"].map(|id| UserId::parse(id).expect("valid"));
        let row = key::tie(Tie::Blocked, &b);
        let (from, to) = key::ties_after(Tie::Blocked, None);
        assert!(from < row && row < to && key::tie(Tie::BlockedBy, &a) >= to);
        let (from, _) = key::ties_after(Tie::Blocked, Some(&a));
        assert!(key::tie(Tie::Blocked, &a) < from && from < row, "the page after `a` begins there");
        assert_eq!(key::tie_peer(&row), Some(b));
    }

    #[test]
    fn deleting_all_but_the_head_spares_the_head_and_reaches_every_mutable_row() {
        let (from, to) = key::all_but_head();
        assert!(key::head() < from);
        let peer = UserId::parse("~").expect("valid");
        let contact = key::contact(&Contact::Pair(peer.clone()));
        let ties = Tie::ALL.map(|tie| key::tie(tie, &peer));
        let others = [
            key::profile(),
            key::devices(),
            key::relations(),
            key::conversation(&peer),
            contact,
            key::folders(),
            key::watched(u32::MAX),
            key::entry(7),
        ];
        for row in others.into_iter().chain(ties) {
            assert!(row >= from && row < to);
        }
        assert!(to < key::message(UnixSeconds(0), 0));
    }
}
