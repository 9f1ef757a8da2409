//! From domain events to webhooks: which event tells what to whom. The only place that makes bodies of webhooks
//! after an event.

use serde::Serialize;
use teahouse_proto::ids::{GroupId, MsgKey, UserId};
use teahouse_proto::push::{AttributeChange, KickType, TipKind};
use teahouse_proto::time::{UnixMillis, UnixSeconds};

use super::body::{Body, MEMBERS_MAX, Named};
use super::post::Client;
use super::table::Command;
use super::via::{Via, platform_word};
use crate::event::{
    AttachedTo, AttributesChanged, DevicesKicked, Ending, Event, ExtensionsChanged, FollowKind,
    GroupCreated, GroupDismissed, GroupSendFailed, MembersJoined, MembersLeft, MessageName,
    MessageSent, OwnerChanged, RelationChange, RelationsChanged,
};
use crate::group::message::{GroupRef, GroupSaid};
use crate::rows::ChangedRow;

/// A webhook after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) command: Command,
    /// Webhooks of one lane are sent one after the other.
    pub(crate) lane: String,
    pub(crate) body: String,
    /// Whose one-to-one messages that are not read are counted when it is sent: that takes reads.
    pub(crate) unread_of: Option<UserId>,
    pub(crate) client: Client,
}

/// What is told of events that happened together.
pub(crate) fn told(
    events: &[Event],
    wants: impl Fn(Command) -> bool,
    via: &Via,
    now: UnixMillis,
) -> Vec<Told> {
    let made = events.iter().any(|event| matches!(event, Event::GroupCreated(_)));
    let mut teller = Teller { wants: &wants, via, now, told: Vec::new() };
    for event in events {
        // Who is in a group from the beginning did not come in.
        if !(made && matches!(event, Event::MembersJoined(_) | Event::GroupFull(_))) {
            teller.tell(event);
        }
    }
    teller.told
}

struct Teller<'a> {
    wants: &'a dyn Fn(Command) -> bool,
    via: &'a Via,
    now: UnixMillis,
    told: Vec<Told>,
}

impl Teller<'_> {
    fn tell(&mut self, event: &Event) {
        match event {
            Event::MessageSent(sent) => self.message_sent(sent),
            Event::MessageWithdrawn(withdrawn) => self.withdrawn(&withdrawn.message),
            Event::ExtensionsChanged(changed) => self.extensions_changed(changed),
            Event::MessagesRead(read) => self.read(&read.reader, &read.peer, read.time),
            Event::AllRead(read) => {
                for (peer, _, time) in &read.peers {
                    self.read(&read.reader, peer, *time);
                }
            }
            Event::ProfileChanged(changed) => {
                let operator = self.via.operator.clone().unwrap_or_else(|| changed.user.clone());
                self.add(
                    Command::PortraitSet,
                    || user_lane(&changed.user),
                    |body| {
                        body.put("Operator_Account", &operator)
                            .put("From_Account", &changed.user)
                            .put("ProfileItem", &changed.items)
                    },
                );
            }
            Event::RelationsChanged(changed) => self.relations_changed(changed),
            Event::LoggedIn(device) => {
                let kicked = device.kicked.iter().copied().map(platform_word);
                self.state(&device.user, "Login", "Register", &kicked.collect::<Vec<_>>());
            }
            Event::LoggedOut(device) => {
                let (action, reason) = match device.ending {
                    Ending::Logout => ("Logout", "Unregister"),
                    Ending::LinkClose => ("Disconnect", "LinkClose"),
                    Ending::TimeOut => ("Disconnect", "TimeOut"),
                };
                self.state(&device.user, action, reason, &[]);
            }
            Event::DevicesKicked(kicked) => self.devices_kicked(kicked),
            Event::GroupCreated(created) => self.group_created(created),
            Event::MembersJoined(joined) => self.members_joined(joined),
            Event::MembersLeft(left) => self.members_left(left),
            Event::ViewerMoved(moved) if moved.is_in => {
                self.new_members(&moved.group, "Apply", moved.user.as_str(), [&moved.user]);
            }
            Event::ViewerMoved(moved) => {
                self.exit(&moved.group, "Quit", moved.user.as_str(), [&moved.user]);
            }
            Event::ViewerAway(moved) => {
                let id = moved.group.id.clone();
                let event_type = if moved.is_in { "Online" } else { "Offline" };
                self.add(
                    Command::OnMemberStateChange,
                    || group_lane(&id),
                    |body| {
                        body.put("GroupId", &id)
                            .put("EventType", event_type)
                            .put_members("MemberList", [&moved.user])
                    },
                );
            }
            Event::RoleChanged(changed) => {
                let role = if changed.is_admin { "Admin" } else { "Member" };
                self.group(Command::AfterMemberFieldChanged, &changed.group, |body| {
                    body.put("Operator_Account", &changed.operator)
                        .put("Member_Account", &changed.user)
                        .put("Role", role)
                });
            }
            Event::MemberNamed(named) => {
                self.group(Command::AfterMemberFieldChanged, &named.group, |body| {
                    body.put("Operator_Account", &named.operator)
                        .put("Member_Account", &named.user)
                        .put("NameCard", &named.name_card)
                });
            }
            Event::GroupDismissed(dismissed) => self.group_dismissed(dismissed),
            Event::OwnerChanged(changed) => self.owner_changed(changed),
            Event::GroupFull(group) => {
                let id = group.id.clone();
                self.add(
                    Command::AfterGroupFull,
                    || group_lane(&group.id),
                    |body| body.put("GroupId", &id),
                );
            }
            Event::GroupMessage(said) => self.group_message(said),
            Event::GroupSendFailed(failed) => self.send_failed(failed),
            Event::GroupMessagesRecalled(recalled) => {
                let names = recalled.messages.iter();
                let seqs: Vec<_> = names.map(|message| Named("MsgSeq", &message.seq)).collect();
                self.group(Command::AfterRecallGroup, &recalled.group, |body| {
                    body.put("Operator_Account", &recalled.by).put("MsgSeqList", &seqs)
                });
            }
            Event::AttributesChanged(changed) => self.attributes_changed(changed),
            Event::MessageModified(_)
            | Event::MessagesConfirmed(_)
            | Event::ReactionsChanged(_)
            | Event::PeerOptionChanged(_)
            | Event::DoNotDisturbChanged(_)
            | Event::ConversationsDeleted(_)
            | Event::ConversationsChanged(_)
            | Event::AccountCreated(_)
            | Event::AccountDeleted(_)
            | Event::CustomStatusSet(_)
            | Event::StatusChanged(_)
            | Event::AppChanged(_)
            | Event::GroupRead(_)
            | Event::ReceiveOptionChanged(_)
            | Event::JoinAsked(_)
            | Event::JoinAnswered(_)
            | Event::GroupNotified(_)
            | Event::CountersChanged(_)
            | Event::GroupMessageModified(_)
            | Event::BanChanged(_)
            | Event::ReadersCounted(_)
            | Event::PinChanged(_) => {}
        }
    }

    /// Adds a webhook if it is wanted; each body ends with the time of the event.
    fn add(
        &mut self,
        command: Command,
        lane: impl FnOnce() -> String,
        fields: impl FnOnce(Body) -> Body,
    ) -> Option<&mut Told> {
        if !(self.wants)(command) {
            return None;
        }
        let body = fields(Body::new(command)).put("EventTime", &self.now.0).finish();
        let client = Client::of(command, self.via);
        self.told.push(Told { command, lane: lane(), body, unread_of: None, client });
        self.told.last_mut()
    }

    /// The same for a webhook that counts what somebody has not read.
    fn add_counting(
        &mut self,
        command: Command,
        unread_of: &UserId,
        lane: impl FnOnce() -> String,
        fields: impl FnOnce(Body) -> Body,
    ) {
        if let Some(told) = self.add(command, lane, fields) {
            told.unread_of = Some(unread_of.clone());
        }
    }

    /// A webhook about a group.
    fn group(&mut self, command: Command, group: &GroupRef, fields: impl FnOnce(Body) -> Body) {
        self.add(command, || group_lane(&group.id), |body| fields(named(body, group)));
    }

    fn message_sent(&mut self, sent: &MessageSent) {
        if sent.forbids.forbid_after_send {
            return;
        }
        let lane = || pair_lane(&sent.from, &sent.to);
        let fields = |body: Body| {
            let key = MsgKey { seq: sent.seq, random: sent.random, time: sent.time };
            body.put("From_Account", &sent.from)
                .put("To_Account", &sent.to)
                .put("MsgSeq", &sent.seq)
                .put("MsgRandom", &sent.random)
                .put("MsgTime", &sent.time)
                .put("MsgKey", &key.to_string())
                .put("OnlineOnlyFlag", &u8::from(sent.online_only))
                .put("SendMsgResult", &0)
                .put("ErrorInfo", "send msg succeed")
                .put("MsgBody", &sent.body)
                .put("CloudCustomData", &sent.cloud_custom_data)
        };
        self.add_counting(Command::AfterSendC2c, &sent.to, lane, fields);
        // What robots say to each other would never end.
        if sent.to.is_robot() && !sent.from.is_robot() {
            self.add_counting(Command::BotC2cMessage, &sent.to, lane, fields);
        }
    }

    fn withdrawn(&mut self, message: &MessageName) {
        self.add_counting(
            Command::AfterC2cWithdraw,
            &message.to,
            || pair_lane(&message.from, &message.to),
            |body| message_of_pair(body, message),
        );
    }

    fn extensions_changed(&mut self, changed: &ExtensionsChanged) {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Extension<'a> {
            key: &'a str,
            value: &'a str,
            seq: u64,
        }
        let told = &changed.told;
        let values = told.values.iter();
        let values: Vec<_> =
            values.map(|(key, value, seq)| Extension { key, value, seq: *seq }).collect();
        let fields = |body: Body| {
            body.put("OperateType", &(told.change as u32))
                .put("ExtensionList", &values)
                .put("Seq", &told.last)
        };
        match &changed.message {
            AttachedTo::C2c(message) => {
                let lane = || pair_lane(&message.from, &message.to);
                self.add(Command::AfterC2cExtension, lane, |body| {
                    fields(message_of_pair(body, message))
                });
            }
            AttachedTo::Group { group, message, .. } => {
                self.group(Command::AfterGroupExtension, group, |body| {
                    fields(body.put("MsgSeq", &message.seq))
                });
            }
        }
    }

    fn read(&mut self, reader: &UserId, peer: &UserId, time: UnixSeconds) {
        let lane = || pair_lane(reader, peer);
        self.add_counting(Command::AfterC2cReport, reader, lane, |body| {
            body.put("Report_Account", reader).put("Peer_Account", peer).put("LastReadTime", &time)
        });
    }

    fn relations_changed(&mut self, changed: &RelationsChanged) {
        let user = &changed.user;
        let lane = || user_lane(user);
        let pairs = |pick: fn(&RelationChange) -> Option<&UserId>| {
            let peers = changed.changes.iter().filter_map(pick);
            peers.map(|to| Pair { from: user, to, initiator: None }).collect::<Vec<_>>()
        };
        let mut friends = pairs(friend_added);
        if !friends.is_empty() && self.via.path != "sns/friend_import" {
            let is_answer = self.via.path == "sns/friend_response";
            let operator = self.via.operator.as_ref().filter(|_| !self.via.by_backend);
            for pair in &mut friends {
                let by_peer = operator == Some(pair.to);
                // Who answers has been asked by the other one.
                pair.initiator = Some(if by_peer == is_answer { user } else { pair.to });
            }
            let admin = self.via.operator.as_ref().filter(|_| self.via.by_backend);
            self.add(Command::FriendAdd, lane, |body| {
                body.put("PairList", &friends)
                    .put("ClientCmd", if is_answer { "friend_response" } else { "friend_add" })
                    .put("Admin_Account", admin.map_or("", UserId::as_str))
                    .put("ForceFlag", &u8::from(self.via.forced))
            });
        }
        for (command, pairs) in [
            (Command::FriendDelete, pairs(friend_removed)),
            (Command::BlackListAdd, pairs(blocked)),
            (Command::BlackListDelete, pairs(unblocked)),
        ] {
            if !pairs.is_empty() {
                self.add(command, lane, |body| body.put("PairList", &pairs));
            }
        }
        for (command, is_added) in [(Command::FollowAdd, true), (Command::FollowDelete, false)] {
            let followed = changed.changes.iter().filter_map(followed);
            let list: Vec<_> = followed
                .filter(|(_, added)| *added == is_added)
                .map(|(peer, _)| Named("To_Account", peer))
                .collect();
            if !list.is_empty() {
                self.add(command, lane, |body| {
                    body.put("From_Account", user).put("FollowList", &list)
                });
            }
        }
    }

    fn state(&mut self, user: &UserId, action: &str, reason: &str, kicked: &[&'static str]) {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Info<'a> {
            action: &'a str,
            #[serde(rename = "To_Account")]
            to_account: &'a UserId,
            reason: &'a str,
        }
        let info = Info { action, to_account: user, reason };
        let kicked: Vec<_> = kicked.iter().map(|word| Named("Platform", word)).collect();
        self.add(
            Command::StateChange,
            || user_lane(user),
            |body| {
                let body = body.put("Info", &info);
                if kicked.is_empty() { body } else { body.put("KickedDevice", &kicked) }
            },
        );
    }

    /// Who is displaced by another device is told of with that device's login.
    fn devices_kicked(&mut self, kicked: &DevicesKicked) {
        if kicked.reason == KickType::RestApi {
            for _ in &kicked.devices {
                self.state(&kicked.user, "Logout", "Unregister", &[]);
            }
        }
    }

    fn group_created(&mut self, created: &GroupCreated) {
        let group = &created.group;
        self.add(
            Command::AfterCreateGroup,
            || group_lane(&group.id),
            |body| {
                body.put("GroupId", &group.id)
                    .put("Operator_Account", &created.operator)
                    .put("Owner_Account", created.owner.as_ref().map_or("", UserId::as_str))
                    .put("Type", group.kind.word())
                    .put("Name", &*group.name)
                    .put_members("MemberList", &created.members)
            },
        );
    }

    fn members_joined(&mut self, joined: &MembersJoined) {
        let how = if joined.invited { "Invited" } else { "Apply" };
        self.new_members(&joined.group, how, &joined.operator, &joined.users);
    }

    fn new_members<'u>(
        &mut self,
        group: &GroupRef,
        how: &str,
        operator: &str,
        users: impl IntoIterator<Item = &'u UserId>,
    ) {
        self.group(Command::AfterNewMemberJoin, group, |body| {
            body.put("JoinType", how)
                .put("Operator_Account", operator)
                .put_members("NewMemberList", users)
        });
    }

    fn members_left(&mut self, left: &MembersLeft) {
        let how = if left.kicked { "Kicked" } else { "Quit" };
        self.exit(&left.group, how, &left.operator, &left.users);
    }

    fn exit<'u>(
        &mut self,
        group: &GroupRef,
        how: &str,
        operator: &str,
        users: impl IntoIterator<Item = &'u UserId>,
    ) {
        self.group(Command::AfterMemberExit, group, |body| {
            body.put("ExitType", how)
                .put("Operator_Account", operator)
                .put_members("ExitMemberList", users)
        });
    }

    fn group_dismissed(&mut self, dismissed: &GroupDismissed) {
        self.group(Command::AfterGroupDestroyed, &dismissed.group, |body| {
            body.put("Owner_Account", &dismissed.owner)
                .put("Name", &*dismissed.group.name)
                .put_members("MemberList", &dismissed.members)
        });
    }

    fn owner_changed(&mut self, changed: &OwnerChanged) {
        self.group(Command::AfterChangeGroupOwner, &changed.group, |body| {
            body.put("Operator_Account", &changed.operator)
                .put("OldOwner_Account", &changed.before)
                .put("NewOwner_Account", &changed.owner)
        });
    }

    fn group_message(&mut self, said: &GroupSaid) {
        match (&said.row.tip, &said.body) {
            (Some(tip), _) => {
                let changed = tip.changed.as_ref().filter(|_| is_info(tip.kind));
                if let Some(changed) = changed.filter(|changed| has_looks(changed)) {
                    self.group(Command::AfterGroupInfoChanged, &said.group, |body| {
                        body.put("Operator_Account", &tip.operator)
                            .put_some("Name", changed.name.as_ref())
                            .put_some("Introduction", changed.introduction.as_ref())
                            .put_some("Notification", changed.notification.as_ref())
                            .put_some("FaceUrl", changed.face_url.as_ref())
                    });
                }
            }
            (None, Some(_)) => self.group_message_sent(said),
            (None, None) => {}
        }
    }

    fn group_message_sent(&mut self, said: &GroupSaid) {
        if self.via.silent {
            return;
        }
        let operator = self.via.operator.as_ref().map_or(said.row.from.as_str(), UserId::as_str);
        let fields = |body: Body| {
            body.put("From_Account", &said.row.from)
                .put("Operator_Account", operator)
                .put("Random", &said.row.random)
                .put("MsgSeq", &said.seq)
                .put("MsgTime", &said.row.time)
                .put("OnlineOnlyFlag", &u8::from(said.online_only))
                .put_some("MsgBody", said.body.as_ref())
                .put("CloudCustomData", &said.row.cloud_custom_data)
        };
        self.group(Command::AfterSendGroup, &said.group, fields);
        let robots: Vec<&String> = said
            .row
            .mentions
            .iter()
            .map(|mention| &mention.user)
            .filter(|user| user.starts_with(UserId::ROBOT_PREFIX))
            .take(MEMBERS_MAX)
            .collect();
        if !robots.is_empty() && !said.row.from.starts_with(UserId::ROBOT_PREFIX) {
            self.group(Command::BotGroupMessage, &said.group, |body| {
                fields(body).put("AtRobots_Account", &robots)
            });
        }
    }

    fn attributes_changed(&mut self, changed: &AttributesChanged) {
        #[derive(Serialize)]
        struct Attribute<'a> {
            key: &'a str,
            value: &'a str,
        }
        let how = match changed.change {
            AttributeChange::Set => "set",
            AttributeChange::Modify => "modify",
            AttributeChange::Clear => "clear",
            AttributeChange::Delete => "delete",
        };
        let attributes = changed.attributes.iter();
        let attributes: Vec<_> = attributes
            .map(|written| Attribute { key: &written.key, value: &written.value })
            .collect();
        self.group(Command::AfterGroupAttrChanged, &changed.group, |body| {
            body.put("Operator_Account", &changed.operator)
                .put("OptionType", how)
                .put("GroupAttr", &attributes)
        });
    }

    fn send_failed(&mut self, failed: &GroupSendFailed) {
        let operator = self.via.operator.as_ref().unwrap_or(&failed.from);
        self.group(Command::SendGroupException, &failed.group, |body| {
            body.put("From_Account", &failed.from)
                .put("Operator_Account", operator)
                .put("Random", &failed.random)
                .put("OnlineOnlyFlag", &u8::from(failed.online_only))
                .put("MsgBody", &failed.body)
                .put("CloudCustomData", &failed.cloud_custom_data)
                .put("ErrorCode", &failed.error.0)
                .put("ErrorInfo", &failed.error.1)
        });
    }
}

/// `From_Account` and whom it is about.
#[derive(Serialize)]
struct Pair<'a> {
    #[serde(rename = "From_Account")]
    from: &'a UserId,
    #[serde(rename = "To_Account")]
    to: &'a UserId,
    #[serde(rename = "Initiator_Account", skip_serializing_if = "Option::is_none")]
    initiator: Option<&'a UserId>,
}

fn friend_added(change: &RelationChange) -> Option<&UserId> {
    if let RelationChange::FriendAdded(peer) = change { Some(peer) } else { None }
}

fn friend_removed(change: &RelationChange) -> Option<&UserId> {
    if let RelationChange::FriendRemoved(peer) = change { Some(peer) } else { None }
}

fn blocked(change: &RelationChange) -> Option<&UserId> {
    if let RelationChange::Blocked(peer) = change { Some(peer) } else { None }
}

fn unblocked(change: &RelationChange) -> Option<&UserId> {
    if let RelationChange::Unblocked(peer) = change { Some(peer) } else { None }
}

/// Whom the user follows now, or not any more.
fn followed(change: &RelationChange) -> Option<(&UserId, bool)> {
    let RelationChange::Follow(change) = change else { return None };
    (change.kind == FollowKind::Following).then_some((&change.peer, change.added))
}

fn message_of_pair(body: Body, message: &MessageName) -> Body {
    let key = MsgKey { seq: message.seq, random: message.random, time: message.time };
    body.put("From_Account", &message.from)
        .put("To_Account", &message.to)
        .put("MsgKey", &key.to_string())
}

fn named(body: Body, group: &GroupRef) -> Body {
    body.put("GroupId", &group.id).put("Type", group.kind.word())
}

fn is_info(kind: u32) -> bool {
    TipKind::from_number(kind) == Some(TipKind::InfoChanged)
}

/// Only these are told of.
fn has_looks(changed: &ChangedRow) -> bool {
    [&changed.name, &changed.introduction, &changed.notification, &changed.face_url]
        .iter()
        .any(|field| field.is_some())
}

fn pair_lane(a: &UserId, b: &UserId) -> String {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    format!("c{first}\0{second}")
}

fn user_lane(user: &UserId) -> String {
    format!("u{user}")
}

fn group_lane(group: &GroupId) -> String {
    format!("g{group}")
}

#[cfg(test)]
mod tests;
