//! What an app can be asked, the same for both sides.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::api::Api;
use crate::error::CallError;

/// Values by tag or by name.
pub(crate) type Items = BTreeMap<String, Value>;

/// Accounts that one call may name.
pub(crate) const ACCOUNTS_A_CALL: usize = 100;
/// Groups that one call may name.
pub(crate) const GROUPS_A_CALL: usize = 50;
/// Members that are read at once. Older services give no more.
pub(crate) const MEMBERS_A_PAGE: usize = 200;
/// Messages of a group that are read at once, as many as there may be.
pub(crate) const MESSAGES_A_PAGE: u64 = 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagged {
    tag: String,
    value: Value,
}

fn items(list: Vec<Tagged>) -> Items {
    list.into_iter().map(|item| (item.tag, item.value)).collect()
}

/// A friend of somebody.
pub(crate) struct Friend {
    pub(crate) user: String,
    /// `Tag_SNS_…`.
    pub(crate) items: Items,
}

/// A group, as its app describes it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Group {
    pub(crate) group_id: String,
    #[serde(rename = "Type")]
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) introduction: String,
    pub(crate) notification: String,
    pub(crate) face_url: String,
    #[serde(rename = "Owner_Account")]
    pub(crate) owner: String,
    pub(crate) create_time: u32,
    pub(crate) next_msg_seq: u64,
    pub(crate) max_member_num: u32,
    pub(crate) apply_join_option: Option<String>,
    pub(crate) invite_join_option: Option<String>,
    pub(crate) mute_all_member: Option<String>,
    pub(crate) support_topic: Option<u8>,
    pub(crate) error_code: i64,
    pub(crate) error_info: String,
}

impl Group {
    /// Its messages and members are in memory only.
    pub(crate) fn is_live_room(&self) -> bool {
        self.kind == "AVChatRoom"
    }

    /// Its members are listed by cursor.
    fn is_community(&self) -> bool {
        self.kind == "Community"
    }

    /// Messages are unread until they are read.
    pub(crate) fn counts_unread(&self) -> bool {
        self.kind != "ChatRoom" && !self.is_live_room()
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.next_msg_seq.saturating_sub(1)
    }
}

/// A member of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Member {
    #[serde(rename = "Member_Account")]
    pub(crate) user: String,
    pub(crate) role: String,
    pub(crate) join_time: u32,
    /// Up to where it has read.
    pub(crate) msg_seq: u64,
    pub(crate) msg_flag: String,
    pub(crate) name_card: String,
    #[serde(alias = "ShutUpUntil")]
    pub(crate) mute_until: u32,
}

/// A message of a group.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupMessage {
    #[serde(rename = "From_Account", default)]
    pub(crate) from: String,
    pub(crate) msg_seq: u64,
    /// Archives do not tell it.
    #[serde(default)]
    pub(crate) msg_random: Option<u32>,
    #[serde(rename = "MsgTimeStamp", alias = "MsgTimestamp")]
    pub(crate) time: u32,
    #[serde(default)]
    pub(crate) msg_priority: u32,
    /// 1: expired or deleted; 2: recalled.
    #[serde(default)]
    pub(crate) is_place_msg: u8,
    /// 1: a tip.
    #[serde(default)]
    pub(crate) is_system_msg: u8,
    #[serde(default)]
    pub(crate) msg_body: Option<Box<RawValue>>,
    #[serde(default)]
    pub(crate) cloud_custom_data: Option<String>,
}

impl GroupMessage {
    /// Older than the history, or deleted.
    pub(crate) fn is_expired(&self) -> bool {
        self.is_place_msg == 1
    }

    /// What tells it from others of its sender and second, the same each time that it is read.
    pub(crate) fn random(&self) -> u32 {
        let of_seq = u32::try_from(self.msg_seq % (1 << 32)).expect("32 bits");
        self.msg_random.unwrap_or(of_seq)
    }

    /// Why it cannot be carried over, if it cannot.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        match (self.is_system_msg, self.is_place_msg) {
            (1.., _) => Some("tips of groups"),
            (0, 2) => Some("recalled messages of groups"),
            (0, 1 | 3..) => Some("deleted messages of groups"),
            (0, 0) => None,
        }
    }
}

/// A one-to-one message.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PairMessage {
    #[serde(rename = "From_Account")]
    pub(crate) from: String,
    #[serde(rename = "To_Account")]
    pub(crate) to: String,
    pub(crate) msg_seq: u32,
    pub(crate) msg_random: u32,
    #[serde(rename = "MsgTimeStamp", alias = "MsgTimestamp")]
    pub(crate) time: u32,
    #[serde(default)]
    pub(crate) msg_flag_bits: u32,
    pub(crate) msg_body: Box<RawValue>,
    #[serde(default)]
    pub(crate) cloud_custom_data: Option<String>,
}

impl PairMessage {
    /// What makes it one message, whoever has said it.
    pub(crate) fn key(&self) -> (u32, u32, u32) {
        (self.time, self.msg_seq, self.msg_random)
    }

    pub(crate) fn is_recalled(&self) -> bool {
        const RECALLED: u32 = 8;
        self.msg_flag_bits & RECALLED != 0
    }
}

/// Those of at most [`ACCOUNTS_A_CALL`] ids that are no accounts.
pub(crate) async fn missing(api: &Api, ids: &[String]) -> Result<Vec<String>, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        result_item: Vec<Item>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        #[serde(rename = "UserID", alias = "UserId")]
        user_id: String,
        #[serde(default)]
        account_status: String,
    }
    let named: Vec<Value> = ids.iter().map(|id| json!({ "UserID": id })).collect();
    let request = json!({ "CheckItem": named });
    let answer: Answer = api.call("im_open_login_svc/account_check", &request).await?;
    let missing = answer.result_item.into_iter().filter(|item| item.account_status != "Imported");
    Ok(missing.map(|item| item.user_id).collect())
}

/// The profiles of at most [`ACCOUNTS_A_CALL`] accounts; those that do not exist are missing.
pub(crate) async fn profiles(
    api: &Api,
    ids: &[String],
    tags: &[String],
) -> Result<BTreeMap<String, Items>, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        user_profile_item: Vec<Item>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        #[serde(rename = "To_Account")]
        to_account: String,
        #[serde(default)]
        profile_item: Vec<Tagged>,
        #[serde(default)]
        result_code: i64,
    }
    let request = json!({ "To_Account": ids, "TagList": tags });
    let answer: Answer = api.call("profile/portrait_get", &request).await?;
    let found = answer.user_profile_item.into_iter().filter(|item| item.result_code == 0);
    Ok(found.map(|item| (item.to_account, items(item.profile_item))).collect())
}

/// All friends of somebody.
pub(crate) async fn friends(api: &Api, user: &str) -> Result<Vec<Friend>, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        user_data_item: Vec<Item>,
        complete_flag: i64,
        next_start_index: u64,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        #[serde(rename = "To_Account")]
        to_account: String,
        #[serde(default)]
        value_item: Vec<Tagged>,
    }
    let (mut friends, mut start) = (Vec::new(), 0);
    loop {
        let request = json!({
            "From_Account": user, "StartIndex": start, "StandardSequence": 0, "CustomSequence": 0,
        });
        let answer: Answer = api.call("sns/friend_get", &request).await?;
        let page = answer.user_data_item.into_iter();
        friends.extend(
            page.map(|item| Friend { user: item.to_account, items: items(item.value_item) }),
        );
        if answer.complete_flag != 0 || answer.next_start_index <= start {
            return Ok(friends);
        }
        start = answer.next_start_index;
    }
}

/// Everybody whom somebody has blocked.
pub(crate) async fn blocked(api: &Api, user: &str) -> Result<BTreeSet<String>, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        black_list_item: Vec<Item>,
        #[serde(default)]
        start_index: u64,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        #[serde(rename = "To_Account")]
        to_account: String,
    }
    let (mut blocked, mut start) = (BTreeSet::new(), 0);
    loop {
        let request = json!({
            "From_Account": user, "StartIndex": start, "MaxLimited": 100, "LastSequence": 0,
        });
        let answer: Answer = api.call("sns/black_list_get", &request).await?;
        blocked.extend(answer.black_list_item.into_iter().map(|item| item.to_account));
        if answer.start_index <= start {
            return Ok(blocked);
        }
        start = answer.start_index;
    }
}

/// The ids of all groups.
pub(crate) async fn group_ids(api: &Api) -> Result<Vec<String>, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        group_id_list: Vec<Named>,
        #[serde(default)]
        next: u64,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Named {
        group_id: String,
    }
    let (mut ids, mut next) = (Vec::new(), 0);
    loop {
        let request = json!({ "Limit": 10_000, "Next": next });
        let command = "group_open_http_svc/get_appid_group_list";
        let answer: Answer = api.call(command, &request).await?;
        ids.extend(answer.group_id_list.into_iter().map(|named| named.group_id));
        if answer.next == 0 {
            return Ok(ids);
        }
        next = answer.next;
    }
}

/// At most [`GROUPS_A_CALL`] groups; one that is gone has an error code.
pub(crate) async fn groups(api: &Api, ids: &[String]) -> Result<Vec<Group>, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        group_info: Vec<Group>,
    }
    let fields = [
        "Type",
        "Name",
        "Introduction",
        "Notification",
        "FaceUrl",
        "Owner_Account",
        "CreateTime",
        "NextMsgSeq",
        "MaxMemberNum",
        "ApplyJoinOption",
        "InviteJoinOption",
        "MuteAllMember",
        "SupportTopic",
    ];
    let request =
        json!({ "GroupIdList": ids, "ResponseFilter": { "GroupBaseInfoFilter": fields } });
    let answer: Answer = api.call("group_open_http_svc/get_group_info", &request).await?;
    Ok(answer.group_info)
}

/// All groups of an app that are there, a few at a time.
pub(crate) async fn all_groups(api: &Api) -> Result<Vec<Group>, CallError> {
    let mut all = Vec::new();
    for ids in group_ids(api).await?.chunks(GROUPS_A_CALL) {
        all.extend(groups(api, ids).await?);
    }
    Ok(all)
}

/// Reads the members of a group page by page.
pub(crate) struct Members<'a> {
    api: &'a Api,
    group: &'a Group,
    /// Of a community its cursor, else how many were read; nothing at the end.
    next: Option<(String, usize)>,
}

impl<'a> Members<'a> {
    pub(crate) fn of(api: &'a Api, group: &'a Group) -> Self {
        Self { api, group, next: Some((String::new(), 0)) }
    }

    /// The next page; an empty one is the end.
    pub(crate) async fn page(&mut self) -> Result<Vec<Member>, CallError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            #[serde(default)]
            member_list: Vec<Member>,
            #[serde(default)]
            next: Option<Value>,
        }
        let Some((cursor, skip)) = self.next.take() else { return Ok(Vec::new()) };
        let fields = ["Role", "JoinTime", "MsgSeq", "MsgFlag", "NameCard", "MuteUntil"];
        let mut request = json!({
            "GroupId": self.group.group_id, "Limit": MEMBERS_A_PAGE, "MemberInfoFilter": fields,
        });
        if self.group.is_community() {
            request["Next"] = json!(cursor);
        } else {
            request["Offset"] = json!(skip);
        }
        let command = "group_open_http_svc/get_group_member_info";
        let answer: Answer = self.api.call(command, &request).await?;
        let read = skip + answer.member_list.len();
        let cursor = match answer.next {
            Some(Value::String(cursor)) => cursor,
            Some(Value::Number(number)) if number.as_u64() != Some(0) => number.to_string(),
            _ => String::new(),
        };
        let is_last = match self.group.is_community() {
            true => cursor.is_empty(),
            false => answer.member_list.len() < MEMBERS_A_PAGE,
        };
        self.next = (!is_last).then_some((cursor, read));
        Ok(answer.member_list)
    }
}

/// Messages `first` to `last` of a group, at most [`MESSAGES_A_PAGE`], in their order. Some may be missing.
pub(crate) async fn group_messages(
    api: &Api,
    group: &str,
    (first, last): (u64, u64),
) -> Result<Vec<GroupMessage>, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        rsp_msg_list: Vec<GroupMessage>,
    }
    let request = json!({
        "GroupId": group, "ReqMsgNumber": last + 1 - first, "ReqMsgSeq": last,
    });
    let command = "group_open_http_svc/group_msg_get_simple";
    let mut messages = api.call::<Answer>(command, &request).await?.rsp_msg_list;
    messages.retain(|message| (first..=last).contains(&message.msg_seq));
    messages.sort_by_key(|message| message.msg_seq);
    Ok(messages)
}

/// Reads the messages of a group from the oldest on.
pub(crate) struct GroupHistory<'a> {
    api: &'a Api,
    group: &'a str,
    /// The next number to ask for, and the last that there is.
    next: u64,
    last: u64,
    read: VecDeque<GroupMessage>,
}

impl<'a> GroupHistory<'a> {
    pub(crate) fn of(api: &'a Api, group: &'a Group) -> Self {
        let (next, last) = (1, group.last_seq());
        Self { api, group: &group.group_id, next, last, read: VecDeque::new() }
    }

    /// The next message that is no tip and has not been recalled or deleted.
    pub(crate) async fn next(&mut self) -> Result<Option<GroupMessage>, CallError> {
        loop {
            while let Some(message) = self.read.pop_front() {
                if message.obstacle().is_none() {
                    return Ok(Some(message));
                }
            }
            if self.next > self.last {
                return Ok(None);
            }
            let through = (self.next + MESSAGES_A_PAGE - 1).min(self.last);
            self.read = group_messages(self.api, self.group, (self.next, through)).await?.into();
            self.next = through + 1;
        }
    }
}

/// Whom somebody has one-to-one conversations with.
pub(crate) async fn peers(api: &Api, user: &str) -> Result<BTreeSet<String>, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        session_item: Vec<Item>,
        complete_flag: i64,
        #[serde(default)]
        time_stamp: u64,
        #[serde(default)]
        start_index: u64,
        #[serde(default)]
        top_time_stamp: u64,
        #[serde(default)]
        top_start_index: u64,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        #[serde(rename = "To_Account")]
        to_account: Option<String>,
    }
    let (mut peers, mut cursor) = (BTreeSet::new(), [0; 4]);
    loop {
        let [time, index, top_time, top_index] = cursor;
        let request = json!({
            "From_Account": user, "TimeStamp": time, "StartIndex": index, "TopTimeStamp": top_time,
            "TopStartIndex": top_index, "AssistFlags": 7,
        });
        let answer: Answer = api.call("recentcontact/get_list", &request).await?;
        let count = answer.session_item.len();
        peers.extend(answer.session_item.into_iter().filter_map(|item| item.to_account));
        let next =
            [answer.time_stamp, answer.start_index, answer.top_time_stamp, answer.top_start_index];
        if answer.complete_flag == 1 || (count == 0 && next == cursor) {
            return Ok(peers);
        }
        cursor = next;
    }
}

/// Reads what one of two users sees of their messages, from the newest page to the oldest.
pub(crate) struct PairHistory<'a> {
    api: &'a Api,
    own: &'a str,
    peer: &'a str,
    /// Nothing at the end.
    next: Option<(u32, String)>,
}

impl<'a> PairHistory<'a> {
    pub(crate) fn of(api: &'a Api, own: &'a str, peer: &'a str) -> Self {
        Self { api, own, peer, next: Some((u32::MAX, String::new())) }
    }

    /// The next page, in itself from old to new; nothing at the end.
    pub(crate) async fn page(&mut self) -> Result<Option<Vec<PairMessage>>, CallError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            complete: i64,
            #[serde(default)]
            last_msg_time: u32,
            #[serde(default)]
            last_msg_key: String,
            #[serde(default)]
            msg_list: Vec<PairMessage>,
        }
        let Some((time, key)) = self.next.take() else { return Ok(None) };
        let mut request = json!({
            // The names that old services know.
            "From_Account": self.own, "To_Account": self.peer,
            "Operator_Account": self.own, "Peer_Account": self.peer,
            "MaxCnt": 100, "MinTime": 0, "MaxTime": time,
        });
        if !key.is_empty() {
            request["LastMsgKey"] = json!(key);
        }
        let answer: Answer = self.api.call("openim/admin_getroammsg", &request).await?;
        let next = (answer.last_msg_time, answer.last_msg_key);
        let is_stuck = answer.msg_list.is_empty() && next == (time, key);
        self.next = (answer.complete != 1 && !is_stuck).then_some(next);
        Ok(Some(answer.msg_list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tips_and_what_is_gone_stay_where_they_are() {
        let message = |system, place| -> GroupMessage {
            let body = json!({ "MsgSeq": 1, "MsgTimestamp": 2, "IsSystemMsg": system, "IsPlaceMsg": place });
            serde_json::from_value(body).unwrap()
        };
        assert_eq!(message(0, 0).obstacle(), None);
        assert_eq!(message(0, 0).time, 2, "the name that archives use");
        for (system, place) in [(1, 0), (0, 1), (0, 2), (1, 1)] {
            assert!(message(system, place).obstacle().is_some());
        }
    }
}
