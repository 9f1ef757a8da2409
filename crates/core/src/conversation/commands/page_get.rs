//! `recentcontact/page_get`: the conversation list as clients read it.
//!
//! Callers: users. With the cursors of a finished list, only what is not delivered as messages
//! afterwards (see `missed`).

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::group::GroupType;
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::push::{EVENT_TIP, MSG_FLAG_RECALLED, PLACE_RECALLED, standard_marks};
use teahouse_proto::time::{UnixMillis, UnixSeconds};

use super::{C2C, Cursor, FolderItem, GROUP, Page, owner, page};
use crate::account;
use crate::caller::{Caller, Identity, Who};
use crate::conversation::contacts::Contacts;
use crate::conversation::groups::{self, GroupSummary};
use crate::conversation::missed::{self, Asked};
use crate::conversation::{self, Listed, ReadMark, Summary, read_marks, summaries};
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::group::history::Wanted;
use crate::group::message::GroupSaid;
use crate::group::{self, changes};
use crate::operation::Operation;
use crate::pair::history::{self, Stored};
use crate::profile;
use crate::push;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/page_get").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// Of the last answer; 0 for the whole list.
        time_stamp: Option<UnixSeconds> = "TimeStamp",
        /// Of the last answer; 0 for the first page.
        start_index: Option<u32> = "StartIndex",
        /// Of the last answer; 0 for the first page.
        top_start_index: Option<u32> = "TopStartIndex",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// 1: the list is complete.
    complete_flag: u8,
    /// Conversations: pinned ones first, then by their last message, newest first.
    session_item: Vec<SessionItem>,
    /// Cursor of the next page, or of what changes later.
    time_stamp: UnixSeconds,
    /// Cursor of the next page.
    start_index: usize,
    /// Unused: pinned conversations come in the first page.
    top_time_stamp: u32,
    /// Cursor of the next page: the list under way, whose order stays as it was when it began.
    top_start_index: u32,
    /// Conversation groups.
    group_item: Vec<FolderItem>,
}

/// One conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum SessionItem {
    Pair(Box<PairItem>),
    Group(Box<GroupItem>),
}

/// A one-to-one conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct PairItem {
    #[serde(rename = "Type")]
    kind: u32,
    #[serde(rename = "To_Account")]
    to_account: UserId,
    msg_time: UnixSeconds,
    msg_time_stamp: UnixSeconds,
    #[serde(flatten)]
    last: Option<LastMessage>,
    /// 8: the last message was withdrawn.
    last_msg_flags: u32,
    #[serde(rename = "C2cPeerReadTime")]
    peer_read_time: UnixSeconds,
    unread_msg_count: u64,
    #[serde(rename = "C2cNick")]
    nick: String,
    #[serde(rename = "C2cImage")]
    image: String,
    #[serde(rename = "C2cRemark")]
    remark: String,
    top_flags: u8,
    standard_mark: String,
    custom_mark: String,
    contact_group_id: Vec<u32>,
    msg_recv_option: u32,
}

/// A group conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct GroupItem {
    #[serde(rename = "Type")]
    kind: u32,
    /// The group.
    to_account: GroupId,
    msg_time: UnixSeconds,
    msg_time_stamp: UnixSeconds,
    /// Of the last stored message: clients page back from here, also when it is not the one that is shown.
    msg_seq: u64,
    #[serde(rename = "MsgGroupFrom_Account", skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(rename = "MsgGroupFromNickName")]
    from_nick: String,
    #[serde(rename = "MsgGroupFromCardName")]
    from_card: String,
    /// A message, or a tip with its event; absent when it is not stored any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_msg: Option<LastOfGroup>,
    /// 2: the last message was recalled.
    last_msg_flags: u32,
    unread_msg_count: u64,
    /// What of it does not count: it is left out of the count already.
    group_ignored_unread_seq_count: u32,
    /// Up to where the caller has read.
    msg_group_readed_seq: u64,
    /// One more than the last stored message.
    group_next_msg_seq: u64,
    group_nick: String,
    group_image: String,
    group_type: GroupType,
    top_flags: u8,
    standard_mark: String,
    custom_mark: String,
    contact_group_id: Vec<u32>,
    msg_recv_option: u32,
}

/// What was said or told last.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum LastOfGroup {
    Message(LastBody),
    #[serde(rename_all = "PascalCase")]
    Tip {
        event: u32,
        #[schemars(with = "serde_json::Value")]
        group_tips: Box<RawValue>,
    },
}

/// The last message, while it is stored and the owner sees it. Two client packages spell the sender's field differently.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct LastMessage {
    msg_seq: u32,
    msg_random: u32,
    #[serde(rename = "LastC2CMsgFrom_Account")]
    from: UserId,
    #[serde(rename = "LastC2cMsgFrom_Account")]
    from_lite: UserId,
    last_msg: LastBody,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct LastBody {
    #[schemars(with = "Vec<serde_json::Value>")]
    msg_body: Box<RawValue>,
    cloud_custom_data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoker_info: Option<Revoker>,
}

/// Who has recalled a message.
#[derive(Debug, Serialize, JsonSchema)]
struct Revoker {
    #[serde(rename = "Revoker_Account")]
    account: String,
}

const AT_ONCE: usize = 32;
/// A message that waits for longer than this between its second and its push has a disk that stalls.
const PUBLISHED_S: u64 = 2;

const WANTED: conversation::Wanted = conversation::Wanted { pinned_first: true, empty_too: false };

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let cursor = Cursor {
        begun: request.time_stamp.unwrap_or_default(),
        index: request.start_index.unwrap_or_default() as usize,
        listing: request.top_start_index.unwrap_or_default(),
    };
    let Page { begun, listed, next } = match caller.who() {
        // In one page: what is left out of the first would not be what the second skips.
        Who::User(identity) if cursor.index == 0 && has_list(&caller, identity, cursor).await? => {
            let begun = caller.now().seconds();
            Page { begun, listed: undelivered(&caller, identity, cursor.begun).await?, next: None }
        }
        Who::User(identity) => {
            if cursor.index == 0 && is_resumed(identity) {
                tell_changes_since_login(&caller, identity).await?;
            }
            page(&caller, &user, WANTED, cursor).await?
        }
        Who::Admin(_) | Who::Guest { .. } | Who::System => {
            page(&caller, &user, WANTED, cursor).await?
        }
    };
    let folders = |contacts: &Contacts| contacts.folders().map(FolderItem::from).collect();
    let group_item = conversation::contacts(caller.node(), caller.app(), &user, folders).await?;
    Ok(Response {
        complete_flag: u8::from(next.is_none()),
        session_item: items(&caller, &user, listed).await?,
        time_stamp: begun,
        start_index: next.map_or(0, |next| next.index),
        top_time_stamp: 0,
        top_start_index: next.map_or(0, |next| next.listing),
        group_item,
    })
}

/// Whether the client has its conversations, and only wants to know what is new. Its cursor says so; but
/// the newer client package asks without one after every quick reconnect.
async fn has_list(caller: &Caller, identity: &Identity, cursor: Cursor) -> Outcome<bool> {
    if cursor.begun.0 > 0 {
        return Ok(true);
    }
    Ok(is_resumed(identity) && missed::has_list(caller.node(), caller.app(), identity).await?)
}

/// Whether the client came back with what it had before.
fn is_resumed(identity: &Identity) -> bool {
    identity.connection.with_session(|session| session.is_some_and(|s| s.resumed))
}

/// A device that asks for its whole list has its messages all the same: all those that came since its login.
async fn tell_changes_since_login(caller: &Caller, identity: &Identity) -> Outcome<()> {
    let (node, app) = (caller.node(), caller.app());
    let logged_in = missed::logged_in(node, app, identity).await?;
    let since = missed::since(node, app, identity, Asked::List(logged_in)).await?;
    let groups = groups::summaries(node, app, &identity.user).await?;
    tell_changes(caller, identity, &groups, since).await
}

/// The conversations that have changed too much for the following `getmsg`.
///
/// Of groups all that have changed: clients pull what they miss of them. What has become of messages that they may
/// have is told before the answer, since clients take each recalled one off the count that they have, and then take
/// over that of the answer.
async fn undelivered(
    caller: &Caller,
    identity: &Identity,
    asked: UnixSeconds,
) -> Outcome<Vec<Listed>> {
    let (node, app) = (caller.node(), caller.app());
    let summaries = summaries(node, app, &identity.user).await?;
    let asked = UnixMillis(u64::from(asked.0) * 1000);
    let since = missed::since(node, app, identity, Asked::List(asked)).await?;
    let missed = missed::missed(node, app, identity, &summaries, since).await?;
    let too_many = missed.into_iter().filter(|m| !m.complete && m.summary.is_listed());
    // What was on its way to the disk when the device got its last list has an earlier second.
    let since = since.minus_seconds(PUBLISHED_S);
    let groups = groups::summaries(node, app, &identity.user).await?;
    tell_changes(caller, identity, &groups, since).await?;
    let is_new = |group: &GroupSummary| {
        group.is_listed() && group.head.last_time.max(group.head.logged_at) >= since.0
    };
    let groups = groups.into_iter().filter(is_new);
    let groups = groups.map(|group| Listed::Group(Box::new(group)));
    Ok(too_many.map(|m| Listed::Pair(Box::new(m.summary))).chain(groups).collect())
}

/// Tells a device that was away what was recalled and modified in the groups with the latest changes.
async fn tell_changes(
    caller: &Caller,
    identity: &Identity,
    groups: &[GroupSummary],
    since: UnixSeconds,
) -> Outcome<()> {
    const GROUPS_MAX: usize = 100;
    let (node, app) = (caller.node(), caller.app());
    let is_changed = |group: &&GroupSummary| group.head.logged_at >= since.0.max(1);
    let mut latest: Vec<GroupSummary> = groups.iter().filter(is_changed).cloned().collect();
    latest.sort_by_key(|group| std::cmp::Reverse(group.head.logged_at));
    latest.truncate(GROUPS_MAX);
    let changed = in_parallel(latest, AT_ONCE, |group| async move {
        changes::changed_since(node, app, &group, since).await
    });
    for changed in changed.await {
        if let Some(frame) = push::group_changes(node, &changed?) {
            identity.connection.push_past_sync(&frame);
        }
    }
    Ok(())
}

async fn items(caller: &Caller, user: &UserId, listed: Vec<Listed>) -> Outcome<Vec<SessionItem>> {
    let (node, app) = (caller.node(), caller.app());
    let pairs = listed.iter().filter_map(|listed| match listed {
        Listed::Pair(summary) => Some(&**summary),
        Listed::Group(_) => None,
    });
    let pairs: Vec<&Summary> = pairs.collect();
    let places = pairs.iter().map(|summary| {
        let (ordinal, time) = summary.shown();
        (&summary.ends, summary.view(), (time, ordinal))
    });
    let places: Vec<_> = places.collect();
    let last = history::at_places(node, app.id(), &places).await?;
    let own_tiny = pairs.first().map_or(TinyId(0), |summary| summary.ends.own_tiny);
    let peers: Vec<UserId> = pairs.iter().map(|summary| summary.ends.peer.clone()).collect();
    let read = read_marks(node, app, &peers, (user, own_tiny)).await?;
    let mut of_pairs = last.into_iter().zip(read);
    let with_more: Vec<_> = listed
        .into_iter()
        .map(|listed| match listed {
            Listed::Pair(_) => (listed, of_pairs.next().unwrap_or_default()),
            Listed::Group(_) => (listed, Default::default()),
        })
        .collect();
    let items = in_parallel(with_more, AT_ONCE, |(listed, (last, read))| async move {
        Ok(match listed {
            Listed::Pair(summary) => {
                SessionItem::Pair(Box::new(item(caller, *summary, last, read).await?))
            }
            Listed::Group(summary) => {
                SessionItem::Group(Box::new(group_item(caller, *summary).await?))
            }
        })
    });
    items.await.into_iter().collect()
}

async fn group_item(caller: &Caller, summary: GroupSummary) -> Outcome<GroupItem> {
    let (node, app) = (caller.node(), caller.app());
    let (seq, msg_time) = summary.shown();
    let wanted = Wanted { last: seq, ..summary.wanted(app, 1) };
    let last = match seq {
        0 => None,
        _ => group::history::page(node, app, &wanted).await?.messages.pop(),
    };
    let from = last.as_ref().and_then(|last| last.sender().map(str::to_owned));
    let (unread_msg_count, row, info) = (summary.unread(), summary.row, summary.info);
    Ok(GroupItem {
        kind: GROUP,
        msg_time,
        msg_time_stamp: msg_time,
        msg_seq: summary.head.last,
        from_nick: last.as_ref().map(GroupSaid::sender_nick).unwrap_or_default().to_owned(),
        from_card: last.as_ref().map(|last| last.name_card.clone()).unwrap_or_default(),
        from,
        last_msg_flags: match last.as_ref().and_then(GroupSaid::revoker_info) {
            Some(_) => u32::from(PLACE_RECALLED),
            None => 0,
        },
        last_msg: last.map(|last| match last.row.tip {
            Some(_) => LastOfGroup::Tip { event: EVENT_TIP, group_tips: last.to_json() },
            None => LastOfGroup::Message(LastBody {
                msg_body: last.body_json(),
                cloud_custom_data: last.row.cloud_custom_data.clone(),
                revoker_info: last
                    .revoker_info()
                    .map(|by| Revoker { account: by.revoker.to_owned() }),
            }),
        }),
        unread_msg_count,
        group_ignored_unread_seq_count: 0,
        msg_group_readed_seq: row.read_through(&summary.head),
        group_next_msg_seq: summary.head.last + 1,
        group_nick: info.name.clone(),
        group_image: info.face_url.clone(),
        group_type: info.kind(),
        top_flags: u8::from(summary.attached.is_pinned()),
        standard_mark: standard_marks(summary.attached.marks),
        custom_mark: summary.attached.custom_mark,
        contact_group_id: summary.attached.folders,
        msg_recv_option: row.receive_option,
        to_account: summary.group,
    })
}

async fn item(
    caller: &Caller,
    summary: Summary,
    last: Option<Stored>,
    read: ReadMark,
) -> Outcome<PairItem> {
    let (node, app) = (caller.node(), caller.app());
    let peer = &summary.ends.peer;
    let face = account::user(node, app, peer).await?.read(|state| profile::face(&state.profile));
    let (_, msg_time) = summary.shown();
    Ok(PairItem {
        kind: C2C,
        to_account: peer.clone(),
        msg_time,
        msg_time_stamp: msg_time,
        last_msg_flags: match &last {
            Some(last) if last.is_withdrawn() => MSG_FLAG_RECALLED,
            Some(_) | None => 0,
        },
        last: last.map(|last| last_message(&summary, &last)),
        peer_read_time: read.time,
        unread_msg_count: summary.unread(),
        nick: face.0,
        image: face.1,
        remark: String::new(),
        top_flags: u8::from(summary.attached.is_pinned()),
        standard_mark: standard_marks(summary.attached.marks),
        custom_mark: summary.attached.custom_mark,
        contact_group_id: summary.attached.folders,
        msg_recv_option: summary.row.receive_option,
    })
}

fn last_message(summary: &Summary, last: &Stored) -> LastMessage {
    let message = last.message(&summary.ends);
    LastMessage {
        msg_seq: message.msg_seq,
        msg_random: message.msg_random,
        from: message.from.clone(),
        from_lite: message.from.clone(),
        last_msg: LastBody {
            msg_body: serde_json::value::to_raw_value(message.msg_body).expect("a body is JSON"),
            cloud_custom_data: message.cloud_custom_data.to_owned(),
            revoker_info: message.revoker_info.map(|by| Revoker { account: by.revoker.to_owned() }),
        },
    }
}
