//! What is imported. All of it may be imported again.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::api::Api;
use crate::error::CallError;
use crate::read::{Friend, Group, Items, Member, PairMessage};

/// Messages of a group that one call takes.
pub(crate) const MESSAGES_A_CALL: usize = 7;
/// Friends and blocked users that one call takes.
pub(crate) const RELATIONS_A_CALL: usize = 500;

pub(crate) const NICK: &str = "Tag_Profile_IM_Nick";
pub(crate) const IMAGE: &str = "Tag_Profile_IM_Image";

/// A part of a call that was refused.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Item {
    #[serde(rename = "To_Account")]
    pub(crate) user: String,
    #[serde(default)]
    pub(crate) result_code: i64,
    #[serde(default)]
    pub(crate) result_info: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outcomes {
    #[serde(default)]
    result_item: Vec<Item>,
}

impl Outcomes {
    fn refused(self) -> Vec<Item> {
        self.result_item.into_iter().filter(|item| item.result_code != 0).collect()
    }
}

/// Makes accounts, with nickname and avatar. Those that cannot be made.
pub(crate) async fn accounts<'a>(
    api: &Api,
    accounts: impl IntoIterator<Item = (&'a String, Option<&'a Items>)>,
) -> Result<Vec<String>, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        fail_accounts: Vec<String>,
    }
    let account = |(id, profile): (&String, Option<&Items>)| {
        let value = |tag| profile.and_then(|profile| profile.get(tag));
        json!({ "UserID": id, "Nick": value(NICK), "FaceUrl": value(IMAGE) })
    };
    let accounts: Vec<Value> = accounts.into_iter().map(account).collect();
    let request = json!({ "AccountList": accounts });
    let answer: Answer = api.call("im_open_login_svc/multiaccount_import", &request).await?;
    Ok(answer.fail_accounts)
}

/// Sets what a profile holds besides nickname and avatar.
pub(crate) async fn profile(api: &Api, user: &str, profile: &Items) -> Result<(), CallError> {
    let others = profile.iter().filter(|(tag, _)| ![NICK, IMAGE].contains(&tag.as_str()));
    let items: Vec<Value> =
        others.map(|(tag, value)| json!({ "Tag": tag, "Value": value })).collect();
    if items.is_empty() {
        return Ok(());
    }
    let request = json!({ "From_Account": user, "ProfileItem": items });
    api.call::<Value>("profile/portrait_set", &request).await.map(drop)
}

/// Blocks users. Those for whom that was refused; who is blocked already is no such.
pub(crate) async fn blocked(
    api: &Api,
    user: &str,
    blocked: &[String],
) -> Result<Vec<Item>, CallError> {
    let request = json!({ "From_Account": user, "To_Account": blocked });
    let answer: Outcomes = api.call("sns/black_list_add", &request).await?;
    let is_there = |item: &Item| item.result_info.contains("Already_Exist");
    Ok(answer.refused().into_iter().filter(|item| !is_there(item)).collect())
}

/// Writes friends. Those for whom that was refused.
pub(crate) async fn friends(
    api: &Api,
    user: &str,
    friends: &[Friend],
) -> Result<Vec<Item>, CallError> {
    let friend = |friend: &Friend| {
        let value = |tag: &str| friend.items.get(tag);
        let custom = friend.items.iter().filter(|(tag, _)| tag.starts_with("Tag_SNS_Custom_"));
        let custom: Vec<Value> =
            custom.map(|(tag, value)| json!({ "Tag": tag, "Value": value })).collect();
        let unknown = json!("AddSource_Type_Unknown");
        json!({
            "To_Account": friend.user,
            "AddSource": value("Tag_SNS_IM_AddSource").unwrap_or(&unknown),
            "Remark": value("Tag_SNS_IM_Remark"),
            "RemarkTime": value("Tag_SNS_IM_RemarkTime"),
            "GroupName": value("Tag_SNS_IM_Group"),
            "AddWording": value("Tag_SNS_IM_AddWording"),
            "AddTime": value("Tag_SNS_IM_AddTime"),
            "CustomItem": custom,
        })
    };
    let list: Vec<Value> = friends.iter().map(friend).collect();
    let request = json!({ "From_Account": user, "AddFriendItem": list });
    Ok(api.call::<Outcomes>("sns/friend_import", &request).await?.refused())
}

/// Makes a group, unless it is there.
pub(crate) async fn group(api: &Api, group: &Group) -> Result<(), CallError> {
    /// Another's group, and one of the same owner.
    const THERE_ALREADY: [i64; 2] = [10_021, 10_025];
    let owner = (!group.owner.is_empty()).then_some(&group.owner);
    let mut request = json!({
        "Type": group.kind, "GroupId": group.group_id, "Name": group.name, "Owner_Account": owner,
        "Introduction": group.introduction, "Notification": group.notification,
        "FaceUrl": group.face_url, "ApplyJoinOption": group.apply_join_option,
        "InviteJoinOption": group.invite_join_option, "SupportTopic": group.support_topic,
    });
    // Members of live rooms are not limited.
    let command = if group.is_live_room() {
        "group_open_http_svc/create_group"
    } else {
        request["MaxMemberCount"] = json!(group.max_member_num);
        request["CreateTime"] = json!(group.create_time);
        request["MuteAllMember"] = json!(group.mute_all_member);
        "group_open_http_svc/import_group"
    };
    match api.call::<Value>(command, &request).await {
        Err(error) if error.code().is_some_and(|code| THERE_ALREADY.contains(&code)) => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Writes members with what each has not read. Those that could not be written.
pub(crate) async fn members(
    api: &Api,
    group: &str,
    members: &[(Member, u64)],
) -> Result<Vec<String>, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        member_list: Vec<Entered>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Entered {
        #[serde(rename = "Member_Account")]
        user: String,
        result: i64,
    }
    let member = |(member, unread): &(Member, u64)| {
        json!({
            "Member_Account": member.user,
            "Role": (member.role == "Admin").then_some("Admin"),
            "JoinTime": member.join_time,
            "UnreadMsgNum": unread,
            "NameCard": member.name_card,
            "MsgFlag": (!member.msg_flag.is_empty()).then_some(&member.msg_flag),
            "MuteUntil": member.mute_until,
        })
    };
    let list: Vec<Value> = members.iter().map(member).collect();
    let request = json!({ "GroupId": group, "MemberList": list });
    let answer: Answer = api.call("group_open_http_svc/import_group_member", &request).await?;
    let failed = answer.member_list.into_iter().filter(|member| member.result == 0);
    Ok(failed.map(|member| member.user).collect())
}

/// Writes what the owner has chosen and not read; he is a member since the group is there.
pub(crate) async fn owner(
    api: &Api,
    group: &str,
    (owner, unread): &(Member, u64),
) -> Result<(), CallError> {
    let flag = (!owner.msg_flag.is_empty()).then_some(&owner.msg_flag);
    let request = json!({
        "GroupId": group, "Member_Account": owner.user, "NameCard": owner.name_card, "MsgFlag": flag,
    });
    api.call::<Value>("group_open_http_svc/modify_group_member_info", &request).await?;
    let request = json!({ "GroupId": group, "Member_Account": owner.user, "UnreadMsgNum": unread });
    api.call::<Value>("group_open_http_svc/set_unread_msg_num", &request).await.map(drop)
}

/// A message of a group as it is imported.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupMessage {
    #[serde(rename = "From_Account")]
    pub(crate) from: String,
    pub(crate) send_time: u32,
    pub(crate) random: u32,
    pub(crate) msg_priority: &'static str,
    pub(crate) msg_body: Box<RawValue>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) cloud_custom_data: String,
}

/// What became of one message: 0, or why it is not there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Stored {
    pub(crate) result: i64,
    #[serde(default)]
    pub(crate) error_info: String,
}

/// Writes at most [`MESSAGES_A_CALL`] messages behind those that are there.
pub(crate) async fn group_messages(
    api: &Api,
    group: &str,
    messages: &[GroupMessage],
) -> Result<Vec<Stored>, CallError> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request<'a> {
        group_id: &'a str,
        recent_contact_flag: u8,
        msg_list: &'a [GroupMessage],
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        import_msg_result: Vec<Stored>,
    }
    /// No message of the call is short enough.
    const ALL_TOO_LONG: i64 = 10_020;
    let request = Request { group_id: group, recent_contact_flag: 1, msg_list: messages };
    let command = "group_open_http_svc/import_group_msg";
    match api.call::<Answer>(command, &request).await {
        Ok(answer) => Ok(answer.import_msg_result),
        Err(CallError::Refused { code: ALL_TOO_LONG, info, .. }) => {
            let stored = |_| Stored { result: ALL_TOO_LONG, error_info: info.clone() };
            Ok(messages.iter().map(stored).collect())
        }
        Err(error) => Err(error),
    }
}

/// Writes one message into the history of two users.
pub(crate) async fn pair_message(api: &Api, message: &PairMessage) -> Result<(), CallError> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request<'a> {
        /// History: not unread, told to nobody.
        sync_from_old_system: u8,
        #[serde(rename = "From_Account")]
        from: &'a str,
        #[serde(rename = "To_Account")]
        to: &'a str,
        msg_seq: u32,
        msg_random: u32,
        msg_time_stamp: u32,
        msg_body: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        cloud_custom_data: Option<&'a str>,
    }
    let request = Request {
        sync_from_old_system: 2,
        from: &message.from,
        to: &message.to,
        msg_seq: message.msg_seq,
        msg_random: message.msg_random,
        msg_time_stamp: message.time,
        msg_body: &message.msg_body,
        cloud_custom_data: message.cloud_custom_data.as_deref(),
    };
    api.call::<Value>("openim/importmsg", &request).await.map(drop)
}
