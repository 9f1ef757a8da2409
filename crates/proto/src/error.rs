//! The error table: every number that the server can answer with, its meaning and whether a
//! repetition can help.
//!
//! The numbers exist here and nowhere else: the enum, the documentation page and the checks are made
//! from the one table. Where the protocol gives a number two meanings in two families of commands,
//! it is one entry whose text covers both.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// What most functions that serve a peer return.
pub type Result<T> = std::result::Result<T, Error>;

/// Whether the same request can succeed when it is simply repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It will be refused again: the caller must change something first.
    Never,
    /// It may succeed after a while.
    Later,
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "no",
            Self::Later => "later",
        })
    }
}

macro_rules! error_codes {
    ($($family:literal { $($name:ident = $number:literal, $retry:ident, $text:literal;)+ })+) => {
        /// A number of the error table. Zero, success, is not one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i32)]
        pub enum ErrorCode {
            $($(
                #[doc = concat!(stringify!($number), ": ", $text, ".")]
                $name = $number,
            )+)+
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [ErrorCode] = &[$($(Self::$name,)+)+];

            /// The code of a number, if the table has it.
            #[must_use]
            pub fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($($number => Some(Self::$name),)+)+
                    _ => None,
                }
            }

            /// The sentence sent as `ErrorInfo` when nothing more precise is known.
            #[must_use]
            pub fn default_text(self) -> &'static str {
                match self { $($(Self::$name => $text,)+)+ }
            }

            /// Whether repeating the request can help.
            #[must_use]
            pub fn retry(self) -> Retry {
                match self { $($(Self::$name => Retry::$retry,)+)+ }
            }

            /// The family of commands that the table lists it under.
            #[must_use]
            pub fn family(self) -> &'static str {
                match self { $($(Self::$name)|+ => $family,)+ }
            }

            /// Its name in this source, for logs, metrics and documentation.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name),)+)+ }
            }
        }
    };
}

error_codes! {
    "Gateway and common REST" {
        HttpMalformed = 60002, Never, "the HTTP request could not be understood; check the URL";
        JsonMalformed = 60003, Never, "the request body is not valid JSON";
        AccountCheckFailed = 60004, Never, "the identifier or the UserSig in the URL is missing or wrong";
        AccountCheckRefused = 60005, Never, "the identifier or the UserSig in the URL was refused";
        SdkAppIdInvalid = 60006, Never, "the SDKAppID is not valid here";
        CommandTooFrequent = 60007, Later, "this command is called too often";
        ServiceTimeout = 60008, Later, "the service did not answer in time";
        UnknownCommand = 60009, Never, "there is no such service or command";
        NotAdmin = 60010, Never, "the identifier is not an administrator of the app";
        AppTooFrequent = 60011, Later, "the app calls too often";
        SdkAppIdMissing = 60012, Never, "sdkappid is missing";
        ResponseMalformed = 60013, Later, "the service gave an answer that could not be parsed";
        AccountCheckTimeout = 60014, Later, "checking the account took too long";
        UserIdNotString = 60015, Never, "a user id in the body is not a string";
        AppDisabled = 60016, Never, "the app is disabled";
        RequestDisabled = 60017, Never, "this request is disabled for the app";
        TooFrequent = 60018, Later, "requests come too often, try again later";
        TooFrequentOverall = 60019, Later, "the server receives too many requests, try again later";
        ServiceNotOffered = 60020, Never, "the service or feature is not available to this app";
        SourceAddressRefused = 60021, Never, "requests from this IP address are not allowed";
        UrlParameterWrong = 60025, Never, "sdkappid, identifier, usersig or contenttype is wrong";
        DomainMismatch = 60026, Never, "the app is not served under this domain";
        ProductMismatch = 60027, Never, "the request does not fit the kind of this app";
        TrialQuotaExceeded = 60028, Later, "the daily quota of calls of a trial app is used up";
        TextRefused = 80001, Never, "the text holds words that are not allowed";
        BodyTooLong = 80002, Never, "the message body is too long";
        BeforeHookFailed = 80003, Later, "the before-send webhook failed and its policy is not to deliver";
        ImageRefused = 80004, Never, "the image is not allowed";
        ServiceSuspended = 80005, Later, "the service of this app is suspended, or a content check timed out";
    }
    "Account and UserSig" {
        UserSigExpired = 70001, Never, "the UserSig has expired";
        UserSigEmpty = 70002, Never, "the UserSig is empty";
        UserSigMalformed = 70003, Never, "the UserSig cannot be decoded; it may have been cut off";
        UserSigRefused = 70005, Never, "the UserSig could not be verified";
        UserSigMismatch = 70009, Never, "the UserSig was not signed with a key of this app";
        UserSigOtherUser = 70013, Never, "the UserSig belongs to another user";
        UserSigOtherApp = 70014, Never, "the UserSig belongs to another app";
        KeyMissing = 70016, Never, "the app has no key to check the UserSig with";
        AppUnknown = 70020, Never, "there is no such SDKAppID";
        TooManyFailedChecks = 70050, Later, "too many failed checks of this user's UserSig, try again in a minute";
        AccountBlocked = 70051, Never, "the account is blocked";
        UserSigRevoked = 70052, Never, "the UserSig has been revoked";
        AccountNotImported = 70107, Never, "the account does not exist";
        AccountRestricted = 70114, Never, "the account is restricted for security reasons";
        AccountTimeout = 70169, Later, "the account service did not answer in time";
        AccountBackendTimeout = 70202, Later, "the account store did not answer in time";
        AccountBatchSize = 70206, Never, "the number of accounts in the batch is not allowed";
        AccountQuotaExceeded = 70398, Never, "the app has as many accounts as it may have";
        AccountDeletedRecently = 70399, Never, "a deleted account cannot be imported again yet";
        AccountBadParameter = 70402, Never, "a parameter is missing or wrong";
        AccountNotAdmin = 70403, Never, "only an administrator of the app may do this";
        ClientTooOld = 70404, Never, "the client's version is no longer supported";
        AccountInternal = 70500, Later, "internal error of the account service";
        AccountDeletionDisabled = 71000, Never, "the app does not allow accounts to be deleted";
        DailyUsersExceeded = 72000, Never, "the app has more daily active users than it may have";
        UserStatusDisabled = 72001, Never, "user status is not enabled for the app";
        MonthlyUsersExceeded = 72002, Never, "the app has more monthly active users than it may have";
        SessionTooFrequent = 72010, Later, "the user logs in, out or changes state too often";
        DoNotDisturbDisabled = 72011, Never, "the global do-not-disturb setting is not enabled";
        ProfileSubscriptionDisabled = 72012, Never, "subscribing to profile changes is not enabled";
    }
    "Profile" {
        ProfileBadParameter = 40001, Never, "a parameter is missing or wrong";
        ProfileNoTarget = 40002, Never, "To_Account is missing or empty";
        ProfileAccountUnknown = 40003, Never, "the account does not exist";
        ProfileNotAdmin = 40004, Never, "only an administrator of the app may do this";
        ProfileTextRefused = 40005, Never, "the profile holds words that are not allowed";
        ProfileInternal = 40006, Later, "internal error of the profile service";
        ProfileFieldNotReadable = 40007, Never, "the field may not be read";
        ProfileFieldNotWritable = 40008, Never, "the field may not be written";
        ProfileTagUnknown = 40009, Never, "there is no such profile field";
        ProfileValueTooLong = 40601, Never, "the value of a profile field is too long";
        ProfileValueInvalid = 40605, Never, "the value is not one that the standard field can have";
        ProfileValueType = 40610, Never, "the value of a profile field has the wrong type";
    }
    "Relationship" {
        RelationBadParameter = 30001, Never, "a parameter is missing or wrong";
        RelationAccountInvalid = 30002, Never, "the account is not valid in this app";
        RelationAccountUnknown = 30003, Never, "the account does not exist";
        RelationNotAdmin = 30004, Never, "only an administrator of the app may do this";
        FollowDisabled = 30005, Never, "following is not enabled, or a field holds words that are not allowed";
        RelationInternal = 30006, Later, "internal error of the relation service";
        RelationTimeout = 30007, Later, "the relation service did not answer in time";
        RelationConflict = 30008, Later, "someone else changed the relations at the same time";
        FriendRequestsForbidden = 30009, Never, "the user has been forbidden to send friend requests";
        OwnFriendsFull = 30010, Never, "your friend list is full";
        FriendGroupsFull = 30011, Never, "you have as many friend groups as you may have";
        PendencyFull = 30012, Never, "there are too many open friend requests";
        BlocklistFull = 30013, Never, "your blocklist is full";
        PeerFriendsFull = 30014, Never, "the other user's friend list is full";
        AlreadyFriends = 30015, Never, "you are friends already";
        PeerInOwnBlocklist = 30515, Never, "the other user is in your blocklist";
        PeerDeniesFriends = 30516, Never, "the other user accepts no friend requests";
        AlreadyFriendsLegacy = 30520, Never, "you are friends already (number of older clients)";
        BlockedByPeer = 30525, Never, "you are in the other user's blocklist";
        FriendConfirmationPending = 30539, Never, "the other user has to confirm the friend request";
        FriendRequestThrottled = 30540, Later, "the friend request was held back by a security policy";
        PendencyUnknown = 30614, Never, "there is no such friend request";
        NotFriends = 31704, Never, "you are not friends";
        FriendDeletionThrottled = 31707, Later, "the deletion was held back by a security policy";
        RelationTargetUnknown = 31804, Never, "the account, or the friend request to delete, does not exist";
        OwnFollowingFull = 32100, Never, "you follow as many users as you may";
        PeerFollowersFull = 32101, Never, "the other user has as many followers as possible";
        OwnMutualFollowsFull = 32102, Never, "you have as many mutual follows as you may have";
        PeerMutualFollowsFull = 32103, Never, "the other user has as many mutual follows as possible";
        GroupedUserNotFriend = 32216, Never, "a user to put into the friend group is not a friend";
    }
    "Conversation" {
        ConversationAccountUnknown = 50001, Never, "the account does not exist";
        ConversationBadParameter = 50002, Never, "a parameter is missing or wrong";
        ConversationNotAdmin = 50003, Never, "only an administrator of the app may do this";
        ConversationInternal = 50004, Later, "internal error of the conversation service";
        ConversationTimeout = 50005, Later, "the conversation service did not answer in time";
        ConversationCount = 51006, Never, "the number of conversations in the request is not allowed";
        ConversationGroupInvalid = 51007, Never, "not a member of the group of the conversation, or there is no such group";
        ConversationsMarkedFull = 51008, Never, "too many conversations are grouped or marked";
        ConversationFolderUnknown = 51009, Never, "there is no such conversation group";
        ConversationFoldersFull = 51010, Never, "there are as many conversation groups as there may be";
        ConversationFolderNameTooLong = 51011, Never, "the name of the conversation group is too long";
        PinnedConversationsFull = 51012, Never, "there are as many pinned conversations as there may be";
        ConversationFeatureNotOffered = 51013, Never, "the feature is not available to this app";
    }
    "Message" {
        RequestIllegal = 20001, Never, "the request is not valid";
        SessionInvalid = 20002, Never, "the UserSig or the session is no longer valid, log in again";
        SenderOrReceiverInvalid = 20003, Never, "the sender or the receiver does not exist";
        MessageNetwork = 20004, Later, "network error between parts of the server";
        MessageInternal = 20005, Later, "internal error of the message service";
        RefusedByHook = 20006, Never, "the message was refused by the app's webhook";
        BlockedByReceiver = 20007, Never, "the receiver has blocked the sender";
        DifferentApps = 20008, Never, "the sender and the receiver belong to different apps";
        NotMutualFriends = 20009, Never, "the sender and the receiver are not friends of each other";
        SenderNotPeersFriend = 20010, Never, "the receiver does not have the sender as friend";
        ReceiverNotOwnFriend = 20011, Never, "the sender does not have the receiver as friend";
        SenderMutedEverywhere = 20012, Never, "the sender is muted";
        RecallTooLate = 20016, Never, "the message is too old to be recalled";
        HistoryDeletionFailed = 20018, Later, "the message could not be deleted from the history";
        MessageKeyInvalid = 20021, Never, "the key of the message is not valid";
        MessageUnknown = 20022, Never, "there is no such message";
        AlreadyRecalled = 20023, Never, "the message has been recalled already";
        ModifiedMessageUnknown = 20026, Never, "there is no such message to modify";
        ModifyConflict = 20027, Never, "the message was changed meanwhile, read it again first";
        ModifyBusy = 20028, Later, "the message is being changed by someone else";
        PushTokenBeforeLogin = 21005, Never, "a push token can be set after login only";
        PushCertificateMissing = 22001, Never, "the app has no certificate for offline push";
        PushNetwork = 22002, Later, "network error of the push service";
        PushTokenEmpty = 22003, Never, "the push token is empty";
        PushTokenTooLong = 22004, Never, "the push token is too long";
        LoginDataTooLong = 22005, Never, "the data of the login request is too long";
        PushTooFrequent = 22006, Later, "push settings are changed too often";
        TrialSendersExceeded = 22007, Never, "the trial app has as many sending users as it may have";
        ExtensionConflict = 23001, Never, "the message extension was changed meanwhile";
        ExtensionsUnsupported = 23002, Never, "the message takes no extensions";
        ExtensionsTooFrequent = 23003, Later, "the extensions of the message are written too often";
        ExtensionTargetUnknown = 23004, Never, "the message, or the extension to delete, does not exist";
        ReactionsFull = 23005, Never, "the message has as many reactions as it may have";
        ReactionUsersFull = 23006, Never, "the reaction has as many users as it may have";
        AlreadyReacted = 23007, Never, "the user has reacted in this way already";
        ReactionUnknown = 23008, Never, "the message has no such reaction";
        NotReacted = 23009, Never, "the user has not reacted in this way";
        MsgJsonMalformed = 90001, Never, "the request is not a JSON object, or To_Account is empty";
        MsgBodyMalformed = 90002, Never, "MsgBody is malformed or empty";
        ToAccountInvalid = 90003, Never, "To_Account is missing, not a string or not valid";
        MsgRandomInvalid = 90005, Never, "MsgRandom is missing or not an unsigned 32-bit integer";
        MsgTimeStampInvalid = 90006, Never, "MsgTimeStamp is not an integer";
        MsgBodyNotArray = 90007, Never, "MsgBody is missing or not an array";
        FromAccountInvalid = 90008, Never, "From_Account is missing, not valid or does not exist";
        MsgNotAdmin = 90009, Never, "only an administrator of the app may do this";
        ElementInvalid = 90010, Never, "an element of MsgBody does not match the message format";
        TooManyTargets = 90011, Never, "To_Account lists more than 500 accounts";
        ToAccountUnknown = 90012, Never, "To_Account does not exist";
        TooManyAccounts = 90018, Never, "the request lists too many accounts";
        PushTagTooLong = 90020, Never, "a tag of the push condition is longer than 50 bytes";
        PushTagsOverlap = 90022, Never, "TagsOr and TagsAnd name the same tag";
        PushTooSoon = 90024, Later, "pushes must be at least one second apart";
        MsgLifeTimeTooLong = 90026, Never, "MsgLifeTime is longer than 7 days";
        ToAccountNotArray = 90028, Never, "To_Account is not an array";
        ToAccountEmpty = 90029, Never, "To_Account is an empty array";
        SyncFromOldSystemInvalid = 90030, Never, "SyncFromOldSystem is wrong, or an attribute name has a wrong length";
        SyncOtherMachineInvalid = 90031, Never, "SyncOtherMachine is not an allowed integer";
        TooManyTags = 90032, Never, "there are more than 10 tags";
        AttributeInvalid = 90033, Never, "the attribute is not valid";
        TagTooLong = 90034, Never, "a tag is longer than 50 bytes";
        PushConditionsMixed = 90039, Never, "attributes and tags cannot be combined in one push condition";
        TagEmpty = 90040, Never, "a tag is empty";
        OfflinePushInfoInvalid = 90043, Never, "OfflinePushInfo is malformed";
        MsgLifeTimeInvalid = 90044, Never, "MsgLifeTime is not an integer";
        AllPushDisabled = 90045, Never, "pushing to all users is not enabled";
        DailyPushesExceeded = 90047, Later, "the app has used up its pushes of the day";
        AccountUnknown = 90048, Never, "the account does not exist";
        MsgKeyInvalid = 90054, Never, "MsgKey is malformed";
        BatchBodyTooLong = 90055, Never, "the body of the batch message is too long";
        BatchTooFrequent = 90057, Later, "batchsendmsg is called too often";
        SendInternal = 90992, Later, "internal error, or the app's webhook failed";
        SendBackend = 90994, Later, "internal error while sending";
        SendBackendRefused = 90995, Later, "internal error while sending, often a body that is too long";
        OpenimInternal = 91000, Later, "internal error";
        WebInstancesExceeded = 91101, Never, "the user has too many web clients";
        PacketTooLong = 93000, Never, "the message or the content to check is too long";
    }
    "Group" {
        CallerNotLoggedIn = 10001, Never, "the caller is not logged in";
        GroupInternal = 10002, Later, "internal error";
        GroupUnknownCommand = 10003, Never, "there is no such command";
        GroupBadParameter = 10004, Never, "a parameter is missing or wrong";
        GroupTooManyAccounts = 10005, Never, "the request lists too many accounts";
        GroupTooFrequent = 10006, Later, "the operation is carried out too often";
        GroupPermissionDenied = 10007, Never, "the caller may not do this in this group";
        GroupRequestIllegal = 10008, Never, "the request is not allowed for this app or caller";
        OwnerCannotQuit = 10009, Never, "the owner cannot quit a group of this type";
        GroupNotFound = 10010, Never, "the group does not exist or was dismissed";
        GroupJsonMalformed = 10011, Never, "the request is not valid JSON";
        GroupOperatorInvalid = 10012, Never, "the operator's user id is not valid";
        AlreadyMember = 10013, Never, "the user is a member of the group already";
        GroupFull = 10014, Never, "the group is full";
        GroupIdInvalid = 10015, Never, "the group id is not valid";
        GroupRefusedByHook = 10016, Never, "the app's webhook refused the operation";
        SenderMuted = 10017, Never, "the sender is muted in this group";
        ResponseTooLong = 10018, Never, "the answer would be too long, ask for less";
        GroupAccountUnknown = 10019, Never, "the account does not exist";
        ImportedMessageTooLong = 10020, Never, "an imported message is too long";
        GroupIdUsed = 10021, Never, "the group id is used by someone else";
        GroupMessagesTooFrequent = 10023, Later, "messages are sent too frequently in this group";
        ApplicationHandled = 10024, Never, "the invitation or application has been handled already";
        GroupIdOwned = 10025, Never, "the group id is used by a group of the caller";
        GroupCommandDisabled = 10026, Never, "the command is disabled for the app";
        GroupMessageUnknown = 10030, Never, "there is no such message to recall";
        GroupRecallTooLate = 10031, Never, "the message is too old to be recalled";
        MessageNotRecallable = 10032, Never, "the message cannot be recalled";
        RecallUnsupported = 10033, Never, "messages of this type of group cannot be recalled";
        MessageNotDeletable = 10034, Never, "messages of this kind cannot be deleted";
        RoomDeletionUnsupported = 10035, Never, "messages of live rooms cannot be deleted";
        RoomsFull = 10036, Never, "the app has as many live rooms as it may have";
        OwnGroupsFull = 10037, Never, "the user has as many groups or topics as possible";
        MembersExceeded = 10038, Never, "the group would have more members than the app allows";
        RecallDisabled = 10041, Never, "recall is disabled for the app";
        HistoryUnsupported = 10044, Never, "groups of this type keep no history";
        AttributeKeyTooLong = 10045, Never, "the key of a group attribute is longer than 32 bytes";
        AttributeValueTooLong = 10046, Never, "the value of a group attribute is too long";
        AttributesFull = 10047, Never, "the group has more than 16 attributes";
        AttributesTooLong = 10048, Never, "the values of the group attributes are too long together";
        AttributesTooFrequent = 10049, Later, "group attributes are written too often";
        AttributeUnknown = 10050, Never, "there is no such group attribute";
        DeletionRangeTooLarge = 10051, Never, "the range of messages to delete is too large";
        DeletedMessageUnknown = 10052, Never, "there is no such message to delete";
        MentionsExceeded = 10053, Never, "the message mentions more than 30 members";
        MembersNeedPaging = 10054, Never, "the group has too many members for one answer, ask by page";
        AttributeConflict = 10056, Never, "the group attributes were changed meanwhile";
        TrialGroupsExceeded = 10058, Never, "the trial app has as many groups as it may have";
        GroupFeatureNotOffered = 10059, Never, "the feature is not available to this app";
        GroupTooLargeForReceipts = 10060, Never, "the group is too large for read receipts";
        OnlineMessageReceipt = 10061, Never, "an online-only message cannot ask for a read receipt";
        ReceiptUnknown = 10062, Never, "the message has no read receipts";
        CountersFull = 10063, Never, "the group has as many counters as it may have";
        PinnedMessagesFull = 10070, Never, "the group has as many pinned messages as it may have";
        MessageAlreadyPinned = 10071, Never, "the message is pinned already";
        CommunityDisabled = 11000, Never, "communities are not enabled, or the community has no topics";
        TopicDismissalFailed = 110002, Later, "the topic could not be dismissed";
        TopicDismissed = 110003, Never, "the topic has been dismissed already";
        PermissionGroupUnknown = 110006, Never, "there is no such permission group";
        PermissionGroupDeletionFailed = 110007, Later, "the permission group could not be deleted";
        PermissionGroupDeleted = 110008, Never, "the permission group does not exist any more";
        TopicInPermissionGroup = 110010, Never, "the topic is in the permission group already";
        TopicNotInPermissionGroup = 110011, Never, "the topic is not in the permission group";
        PermissionGroupFull = 110012, Never, "the permission group has as many members as it may have";
        TopicIdInvalid = 110013, Never, "the topic id is not valid";
        TopicPermissionDeleted = 110014, Never, "the permission of the topic has been deleted";
    }
    "Search" {
        SearchBadParameter = 27003, Never, "a parameter of the search is missing or wrong";
    }
    "Message files and kicked clients" {
        HistoryFileUrlWrong = 1001, Never, "the request for a message file is not valid";
        KickedOut = 1002, Never, "the client was kicked out, or a parameter of the message file is wrong";
        HistoryFileInternal = 1003, Later, "internal error of the message file service";
        HistoryFileNotReady = 1004, Later, "the file is not ready yet, or there were no messages";
        HistoryFileExpired = 1005, Never, "the file has expired";
    }
    "Content moderation" {
        ModerationBusy = 2001, Later, "content moderation is busy, try again later";
        ModerationUnknownCommand = 2002, Never, "the moderation command is not supported";
        ModerationBadParameter = 2003, Never, "a parameter of the moderation request is wrong";
        ModerationUnauthorized = 2004, Never, "the app may not use content moderation";
        ModerationOff = 2015, Never, "content moderation is switched off";
        ModerationTooManyWords = 2016, Never, "at most 10 words can be given in a request";
        ModerationDeletionFailed = 2100, Later, "the word could not be deleted";
        ModerationInternal = 93001, Later, "internal error of content moderation";
        ModerationBatchType = 93005, Never, "a batch can hold text and images only";
        ModerationTimeout = 93006, Later, "content moderation did not answer in time";
        ModerationContentIdRepeated = 93007, Never, "a ContentId is given twice";
        ModerationBatchTooLong = 93008, Never, "a batch can hold at most 10 items";
    }
    "App configuration and official accounts" {
        ConfigJsonMalformed = 130001, Never, "the request is not valid JSON";
        ConfigGetAccountMissing = 130002, Never, "Get_Account is missing, or the official account may not be used";
        ConfigGetAccountInvalid = 130003, Never, "Get_Account is not valid";
        ConfigSetAccountMissing = 130004, Never, "Set_Account is missing, or there is no such official account";
        ConfigSetAccountInvalid = 130005, Never, "Set_Account is not valid, or the user is subscribed already";
        OfficialSubscribersFull = 130006, Never, "the official account has as many subscribers as it may have";
        OfficialIdInvalid = 130007, Never, "the id of the official account is malformed";
        ConfigMuteTimeMissing = 130008, Never, "no muting time is given, or the id of the official account is used";
        StatisticsOpenFailed = 130009, Later, "the statistics cannot be opened, or the official account cannot be deleted";
        StatisticsUnreachable = 130010, Later, "the statistics cannot be reached, or there are too many official accounts";
        StatisticsQueryFailed = 130011, Later, "the statistics could not be queried";
        StatisticsDecodeFailed = 130012, Later, "the statistics could not be decoded";
        ConfigInternal = 130014, Later, "internal error of the configuration service";
        OfficialDisabled = 131000, Never, "official accounts are not enabled";
        OfficialNotSubscribed = 131003, Never, "the user is not subscribed to the official account";
        OfficialClientTooOld = 131005, Never, "the client is too old for official accounts";
    }
    "Files" {
        FileMissing = 114000, Never, "there is no such file";
        FileNotAccessible = 114001, Never, "the file cannot be accessed";
        FileTooBig = 114002, Never, "the file is too big";
        FileCancelled = 114003, Never, "the transfer was cancelled";
        FileReadFailed = 114004, Later, "the file could not be read";
        FileTimeout = 114005, Later, "the transfer took too long";
        FileBadParameter = 114011, Never, "a parameter of the file request is wrong";
        FileUploadCorrupt = 115066, Later, "the MD5 of the uploaded file does not match";
        FileDownloadCorrupt = 115068, Later, "the MD5 of the downloaded file does not match";
    }
    "Long connections of native clients" {
        ConnectionsExceeded = -302, Later, "there are too many connections";
        SessionKeyExpired = -10001, Never, "the session key has expired, log in again";
        SessionKeyInvalid = -10003, Never, "the session key is not valid, log in again";
        SessionTicketInvalid = -10004, Never, "the session ticket is not valid, log in again";
        SessionKeyEmpty = -10005, Never, "the session key is empty";
        SessionKeyOtherAccount = -10006, Never, "the session key belongs to another account";
        CaptchaTimeout = -10007, Later, "the captcha was not answered in time";
        SessionKeyAndTicketMissing = -10008, Never, "both session key and ticket are needed";
        CookieMismatch = -10009, Never, "the cookie does not match the session";
        DecryptionFailures = -10106, Never, "too many packets could not be decrypted";
        ConnectionArrears = -10108, Never, "the service of this app is suspended";
        PacketMalformed = -10109, Never, "the packet is malformed";
        ConnectionAppBlocked = -10110, Never, "the app is blocked";
        ConnectionCommandBlocked = -10111, Never, "the app is blocked for this command";
        ConnectionAppDisabled = -10112, Never, "the app is disabled";
        UserTooFrequent = -10113, Later, "the user sends requests too often";
        Overloaded = -10114, Later, "the server is overloaded";
        DeviceTooFrequent = -20009, Later, "the device sends requests too often";
    }
}

impl ErrorCode {
    /// The number that is sent.
    #[must_use]
    pub fn number(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for ErrorCode {
    /// The number and the default text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.number(), self.default_text())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_i32(self.number())
    }
}

/// A refusal as it is answered: a code of the table, a sentence, and at times more fields.
#[derive(Debug, Clone)]
pub struct Error {
    /// Which refusal.
    pub code: ErrorCode,
    /// Sent as `ErrorInfo`; names the offending value where that helps the caller.
    pub info: Cow<'static, str>,
    /// A JSON object whose fields are sent beside the error, for the few refusals that carry data.
    pub extra: Option<Box<RawValue>>,
    /// The number that the application's own webhook has chosen, sent in place of the code's.
    app_code: Option<AppCode>,
}

/// A number in a range that is the application's to give meaning to: its webhook refuses with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppCode(i32);

impl AppCode {
    /// What a webhook before a group operation may answer with.
    pub const GROUP: RangeInclusive<i64> = 10_100..=10_200;
    /// What a webhook before a change of relations may answer with.
    pub const RELATION: RangeInclusive<i64> = 38_000..=39_000;
    /// What a webhook before a one-to-one message may answer with.
    pub const C2C: RangeInclusive<i64> = 120_001..=130_000;

    /// The number, if it is within `range`.
    #[must_use]
    pub fn within(range: &RangeInclusive<i64>, number: i64) -> Option<Self> {
        range.contains(&number).then(|| i32::try_from(number).ok().map(Self)).flatten()
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }
}

impl Error {
    /// A refusal with the table's own sentence.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self::with(code, code.default_text())
    }

    /// A refusal with a more precise sentence.
    #[must_use]
    pub fn with(code: ErrorCode, info: impl Into<Cow<'static, str>>) -> Self {
        Self { code, info: info.into(), extra: None, app_code: None }
    }

    /// Answers with the application's own number in place of the code's.
    #[must_use]
    pub fn with_app_code(mut self, number: AppCode) -> Self {
        self.app_code = Some(number);
        self
    }

    /// The number that is sent.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.app_code.map_or(self.code.number(), AppCode::number)
    }

    /// Adds fields to the answer; `extra` is a JSON object.
    #[must_use]
    pub fn with_extra(mut self, extra: Box<RawValue>) -> Self {
        self.extra = Some(extra);
        self
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.number(), self.info)
    }
}

impl std::error::Error for Error {}

/// The error table as a Markdown page, for the documentation.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
         Generated from the error table of `crates/proto/src/error.rs`; do not edit.\n\n\
         Every answer carries `ErrorCode`; 0 is success. `Retry` says whether the same request can\n\
         succeed when it is simply repeated.\n",
    );
    let mut family = "";
    for code in ErrorCode::ALL {
        if code.family() != family {
            family = code.family();
            page.push_str(&format!(
                "\n## {family}\n\n| Code | Name | Retry | Meaning |\n| ---: | --- | --- | --- |\n"
            ));
        }
        page.push_str(&format!(
            "| {} | `{}` | {} | {} |\n",
            code.number(),
            code.name(),
            code.retry(),
            code.default_text()
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        // The compiler refuses equal discriminants already; names differ by being identifiers.
        let numbers: HashSet<i32> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers.len(), ErrorCode::ALL.len());
        assert!(!numbers.contains(&0), "0 means success");
    }

    #[test]
    fn every_code_is_found_by_its_number() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_number(code.number()), Some(code));
        }
        assert_eq!(ErrorCode::from_number(0), None);
        assert_eq!(ErrorCode::from_number(i32::MIN), None);
    }

    #[test]
    fn texts_are_short_sentences_without_markup() {
        for code in ErrorCode::ALL {
            let text = code.default_text();
            assert!((10..=90).contains(&text.len()), "{code}");
            assert!(!text.ends_with('.') && !text.contains(['|', '\n', '"']), "{code}");
        }
    }

    #[test]
    fn the_page_lists_every_code_once_under_its_family() {
        let page = markdown();
        for code in ErrorCode::ALL {
            let row = format!("\n| {} | `{}` |", code.number(), code.name());
            assert_eq!(page.matches(&row).count(), 1, "{code}");
        }
        assert_eq!(page.matches("\n## Group\n").count(), 1);
        assert!(page.contains("| 70001 | `UserSigExpired` | no | the UserSig has expired |\n"));
    }

    #[test]
    fn the_numbers_that_clients_treat_specially() {
        let expected = [
            (ErrorCode::KickedOut, 1002),
            (ErrorCode::SessionInvalid, 20002),
            (ErrorCode::UserSigExpired, 70001),
            (ErrorCode::HttpMalformed, 60002),
            (ErrorCode::GroupPermissionDenied, 10007),
            (ErrorCode::GroupNotFound, 10010),
            (ErrorCode::ResponseTooLong, 10018),
            (ErrorCode::CommunityDisabled, 11000),
            (ErrorCode::ModifyConflict, 20027),
            (ErrorCode::FriendConfirmationPending, 30539),
            (ErrorCode::TextRefused, 80001),
            (ErrorCode::ImageRefused, 80004),
        ];
        for (code, number) in expected {
            assert_eq!(code.number(), number);
            assert_eq!(serde_json::to_string(&code).unwrap(), number.to_string());
        }
    }

    #[test]
    fn errors_carry_code_and_sentence() {
        let plain = Error::from(ErrorCode::NotAdmin);
        assert_eq!(plain.to_string(), format!("60010: {}", ErrorCode::NotAdmin.default_text()));
        let precise = Error::with(ErrorCode::BodyTooLong, format!("body is {} bytes", 13_107));
        assert_eq!(precise.to_string(), "80002: body is 13107 bytes");
        assert!(precise.extra.is_none());
    }
}
