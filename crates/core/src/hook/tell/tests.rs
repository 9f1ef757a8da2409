//! The body of every webhook after an event, to the letter.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::value::RawValue;
use teahouse_proto::group::{GroupType, Priority};
use teahouse_proto::ids::{SdkAppId, TinyId};
use teahouse_proto::message::{CallbackControl, MessageBody};
use teahouse_proto::platform::Platform;
use teahouse_proto::push::{ExtensionChange, GroupAttribute};

use super::*;
use crate::attached::extensions;
use crate::event::{
    AccountRef, AllRead, FollowChange, GroupMessagesRecalled, LoggedIn, LoggedOut, MemberNamed,
    MessageWithdrawn, MessagesRead, ProfileChanged, RoleChanged, ViewerMoved,
};
use crate::group::message::Faces;
use crate::hook::table::Kind;
use crate::profile::{Face, ProfileItem, ProfileValue};
use crate::rows::{GroupMessageRow, MentionRow, OverlayRow, PairKey, TipRow};

const APP: SdkAppId = SdkAppId(7);
const NOW: UnixMillis = UnixMillis(1_700_000_000_123);
const HI: &str = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}]"#;

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("valid")
}

fn body() -> MessageBody {
    let raw = RawValue::from_string(HI.to_owned()).expect("JSON");
    MessageBody::parse(&raw, 1_000).expect("valid")
}

fn group(kind: GroupType) -> GroupRef {
    GroupRef { app: APP, id: GroupId::parse("@TGS#1").expect("valid"), name: "Tea".into(), kind }
}

fn message(to: &str) -> MessageSent {
    MessageSent {
        app: APP,
        from: user("alice"),
        from_tiny_id: TinyId(1),
        from_nick: String::new(),
        from_image: String::new(),
        to: user(to),
        pair: PairKey::new(TinyId(1), TinyId(2)),
        seq: 48_374,
        random: 2_837_546,
        time: UnixSeconds(1_557_481_126),
        client_time: UnixSeconds(1_557_481_126),
        body: body(),
        cloud_custom_data: "\"x\"".to_owned(),
        no_unread: false,
        no_last: false,
        wants_receipt: false,
        extensible: false,
        online_only: false,
        discarded: false,
        unchecked: false,
        forbids: CallbackControl::default(),
        sync_to_sender: true,
        ordinal: 1,
        origin: None,
        rewritten: false,
    }
}

fn name() -> MessageName {
    MessageName {
        app: APP,
        from: user("alice"),
        from_tiny_id: TinyId(1),
        to: user("bob"),
        pair: PairKey::new(TinyId(1), TinyId(2)),
        seq: 1,
        random: 2,
        time: UnixSeconds(3),
        client_time: UnixSeconds(3),
        change: 1,
    }
}

fn said(kind: GroupType, mentions: &[&str]) -> GroupSaid {
    GroupSaid {
        group: group(kind),
        seq: 5,
        online_only: false,
        origin: None,
        row: GroupMessageRow {
            from: "alice".to_owned(),
            random: 9,
            time: 1_557_481_126,
            priority: Priority::Normal.number(),
            cloud_custom_data: "x".to_owned(),
            mentions: mentions
                .iter()
                .map(|user| MentionRow { all: false, user: (*user).to_owned() })
                .collect(),
            ..GroupMessageRow::default()
        },
        body: Some(body()),
        faces: Arc::new(Faces::new()),
        name_card: String::new(),
        only_for: Vec::new(),
        overlay: OverlayRow::default(),
    }
}

fn info_tip() -> GroupSaid {
    let changed = ChangedRow {
        name: Some("New".to_owned()),
        notification: Some("Note".to_owned()),
        mute_all: Some(true),
        ..ChangedRow::default()
    };
    let tip = TipRow {
        kind: TipKind::InfoChanged as u32,
        operator: "alice".to_owned(),
        changed: Some(changed),
        ..TipRow::default()
    };
    let mut tipped = said(GroupType::Public, &[]);
    tipped.row.tip = Some(tip);
    tipped.body = None;
    tipped
}

fn relations(changes: Vec<RelationChange>) -> Event {
    Event::RelationsChanged(RelationsChanged {
        app: APP,
        user: user("alice"),
        changes,
        origin: None,
    })
}

fn follow(added: bool) -> Event {
    let change = FollowChange {
        peer: user("bob"),
        face: Face::default(),
        kind: FollowKind::Following,
        added,
    };
    relations(vec![RelationChange::Follow(change)])
}

fn all(events: &[Event], via: &Via) -> Vec<Told> {
    told(events, |_| true, via, NOW)
}

/// What is told of these events is exactly one webhook of that command with that body, and what it counts.
fn check(
    seen: &mut BTreeSet<&'static str>,
    events: &[Event],
    via: &Via,
    command: Command,
    counted: Option<&str>,
    fields: &str,
) {
    let told = all(events, via);
    let own: Vec<_> = told.iter().filter(|told| told.command == command).collect();
    let [own] = &own[..] else { panic!("{}: {told:?}", command.word()) };
    let time = r#""EventTime":1700000000123"#;
    let expected = format!(r#"{{"CallbackCommand":"{}",{fields},{time}}}"#, command.word());
    assert_eq!(own.body, expected);
    assert_eq!(own.unread_of.as_ref().map(UserId::as_str), counted);
    seen.insert(command.word());
}

fn extended(message: AttachedTo) -> Event {
    let values = vec![("k".to_owned(), "v".to_owned(), 4)];
    let told = extensions::Told { change: ExtensionChange::Set, values, last: 4, cleared: 0 };
    Event::ExtensionsChanged(Arc::new(ExtensionsChanged { message, told, origin: None }))
}

#[test]
fn every_webhook_after_an_event_has_its_body() {
    let mut seen = BTreeSet::new();
    let quiet = Via::default();
    let admin = Via {
        operator: Some(user("administrator")),
        by_backend: true,
        path: "sns/friend_add",
        ..Via::default()
    };
    let sent = concat!(
        r#""From_Account":"alice","To_Account":"bob","MsgSeq":48374,"MsgRandom":2837546,"#,
        r#""MsgTime":1557481126,"MsgKey":"48374_2837546_1557481126","OnlineOnlyFlag":0,"#,
        r#""SendMsgResult":0,"ErrorInfo":"send msg succeed","#,
        r#""MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}],"CloudCustomData":"\"x\"""#
    );
    let in_group = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","From_Account":"alice","Operator_Account":"alice","#,
        r#""Random":9,"MsgSeq":5,"MsgTime":1557481126,"OnlineOnlyFlag":0,"#,
        r#""MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}],"CloudCustomData":"x""#
    );
    let public = || group(GroupType::Public);
    let mut is = |event: Event, via: &Via, command, counted, fields: &str| {
        check(&mut seen, &[event], via, command, counted, fields);
    };
    let event = Event::MessageSent(Arc::new(message("bob")));
    is(event, &quiet, Command::AfterSendC2c, Some("bob"), sent);
    let to_robot = sent.replace("bob", "@RBT#tea");
    let event = Event::MessageSent(Arc::new(message("@RBT#tea")));
    is(event, &quiet, Command::BotC2cMessage, Some("@RBT#tea"), &to_robot);
    let event = Event::MessageWithdrawn(Arc::new(MessageWithdrawn {
        message: name(),
        by: "alice".to_owned(),
        origin: None,
    }));
    let fields = r#""From_Account":"alice","To_Account":"bob","MsgKey":"1_2_3""#;
    is(event, &quiet, Command::AfterC2cWithdraw, Some("bob"), fields);
    let event = extended(AttachedTo::C2c(name()));
    let fields = concat!(
        r#""From_Account":"alice","To_Account":"bob","MsgKey":"1_2_3","OperateType":1,"#,
        r#""ExtensionList":[{"Key":"k","Value":"v","Seq":4}],"Seq":4"#
    );
    is(event, &quiet, Command::AfterC2cExtension, None, fields);
    let event = Event::MessagesRead(MessagesRead {
        app: APP,
        reader: user("bob"),
        peer: user("alice"),
        peer_tiny_id: TinyId(1),
        time: UnixSeconds(3),
        origin: None,
    });
    let fields = r#""Report_Account":"bob","Peer_Account":"alice","LastReadTime":3"#;
    is(event, &quiet, Command::AfterC2cReport, Some("bob"), fields);
    let event = Event::ProfileChanged(ProfileChanged {
        app: APP,
        user: user("alice"),
        items: vec![
            ProfileItem {
                tag: "Tag_Profile_IM_Nick".to_owned(),
                value: ProfileValue::Text("A".to_owned()),
            },
            ProfileItem { tag: "Tag_Profile_IM_Level".to_owned(), value: ProfileValue::Number(3) },
        ],
        origin: None,
    });
    let fields = concat!(
        r#""Operator_Account":"administrator","From_Account":"alice","ProfileItem":["#,
        r#"{"Tag":"Tag_Profile_IM_Nick","Value":"A"},{"Tag":"Tag_Profile_IM_Level","Value":3}]"#
    );
    is(event, &admin, Command::PortraitSet, None, fields);
    let event = relations(vec![RelationChange::FriendAdded(user("bob"))]);
    let fields = concat!(
        r#""PairList":[{"From_Account":"alice","To_Account":"bob","Initiator_Account":"alice"}],"#,
        r#""ClientCmd":"friend_add","Admin_Account":"administrator","ForceFlag":0"#
    );
    is(event, &admin, Command::FriendAdd, None, fields);
    let pair = r#""PairList":[{"From_Account":"alice","To_Account":"bob"}]"#;
    for (change, command) in [
        (RelationChange::FriendRemoved(user("bob")), Command::FriendDelete),
        (RelationChange::Blocked(user("bob")), Command::BlackListAdd),
        (RelationChange::Unblocked(user("bob")), Command::BlackListDelete),
    ] {
        is(relations(vec![change]), &quiet, command, None, pair);
    }
    let list = r#""From_Account":"alice","FollowList":[{"To_Account":"bob"}]"#;
    is(follow(true), &quiet, Command::FollowAdd, None, list);
    is(follow(false), &quiet, Command::FollowDelete, None, list);
    let device = |kicked| LoggedIn {
        app: APP,
        user: user("alice"),
        inst_id: 1,
        platform: Platform::Web,
        kicked,
    };
    let fields = concat!(
        r#""Info":{"Action":"Login","To_Account":"alice","Reason":"Register"},"#,
        r#""KickedDevice":[{"Platform":"Windows"}]"#
    );
    let event = Event::LoggedIn(device(vec![Platform::Pc]));
    is(event, &quiet, Command::StateChange, None, fields);
    let event = Event::GroupCreated(GroupCreated {
        group: public(),
        owner: Some(user("alice")),
        members: vec![user("alice"), user("bob")],
        operator: "alice".to_owned(),
        origin: None,
    });
    let fields = concat!(
        r#""GroupId":"@TGS#1","Operator_Account":"alice","Owner_Account":"alice","Type":"Public","#,
        r#""Name":"Tea","MemberList":[{"Member_Account":"alice"},{"Member_Account":"bob"}]"#
    );
    is(event, &quiet, Command::AfterCreateGroup, None, fields);
    let event = Event::MembersJoined(MembersJoined {
        group: public(),
        users: vec![user("bob")],
        operator: "alice".to_owned(),
        invited: true,
        silent: false,
    });
    let fields = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","JoinType":"Invited","Operator_Account":"alice","#,
        r#""NewMemberList":[{"Member_Account":"bob"}]"#
    );
    is(event, &quiet, Command::AfterNewMemberJoin, None, fields);
    let event = Event::MembersLeft(MembersLeft {
        group: public(),
        users: vec![user("bob")],
        operator: "alice".to_owned(),
        kicked: true,
        reason: String::new(),
        silent: false,
        origin: None,
    });
    let fields = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","ExitType":"Kicked","Operator_Account":"alice","#,
        r#""ExitMemberList":[{"Member_Account":"bob"}]"#
    );
    is(event, &quiet, Command::AfterMemberExit, None, fields);
    let event = Event::GroupMessage(Arc::new(said(GroupType::Public, &[])));
    is(event, &quiet, Command::AfterSendGroup, None, in_group);
    let event = Event::GroupMessage(Arc::new(said(GroupType::Public, &["@RBT#tea", "bob"])));
    let fields = format!(r#"{in_group},"AtRobots_Account":["@RBT#tea"]"#);
    is(event, &quiet, Command::BotGroupMessage, None, &fields);
    let event = Event::GroupSendFailed(GroupSendFailed {
        group: public(),
        from: user("alice"),
        random: 9,
        online_only: false,
        body: body(),
        cloud_custom_data: "x".to_owned(),
        error: (10_017, "muted".to_owned()),
    });
    let fields = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","From_Account":"alice","Operator_Account":"alice","#,
        r#""Random":9,"OnlineOnlyFlag":0,"#,
        r#""MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}],"#,
        r#""CloudCustomData":"x","ErrorCode":10017,"ErrorInfo":"muted""#
    );
    is(event, &quiet, Command::SendGroupException, None, fields);
    let fields = r#""GroupId":"@TGS#1""#;
    is(Event::GroupFull(public()), &quiet, Command::AfterGroupFull, None, fields);
    let event = Event::GroupDismissed(GroupDismissed {
        group: public(),
        owner: "alice".to_owned(),
        members: vec![user("alice")],
        operator: "alice".to_owned(),
        recycled: false,
    });
    let fields = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","Owner_Account":"alice","Name":"Tea","#,
        r#""MemberList":[{"Member_Account":"alice"}]"#
    );
    is(event, &quiet, Command::AfterGroupDestroyed, None, fields);
    let event = Event::GroupMessage(Arc::new(info_tip()));
    let fields = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","Operator_Account":"alice","Name":"New","#,
        r#""Notification":"Note""#
    );
    is(event, &quiet, Command::AfterGroupInfoChanged, None, fields);
    let event = Event::ViewerAway(ViewerMoved {
        group: group(GroupType::AvChatRoom),
        user: user("bob"),
        is_in: false,
    });
    let fields =
        r#""GroupId":"@TGS#1","EventType":"Offline","MemberList":[{"Member_Account":"bob"}]"#;
    is(event, &quiet, Command::OnMemberStateChange, None, fields);
    let event = Event::MemberNamed(MemberNamed {
        group: public(),
        user: user("bob"),
        name_card: "B".to_owned(),
        operator: "alice".to_owned(),
    });
    let fields = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","Operator_Account":"alice","#,
        r#""Member_Account":"bob","NameCard":"B""#
    );
    is(event, &quiet, Command::AfterMemberFieldChanged, None, fields);
    let event = Event::AttributesChanged(AttributesChanged {
        group: public(),
        change: AttributeChange::Modify,
        attributes: vec![GroupAttribute {
            key: "color".to_owned(),
            value: "green".to_owned(),
            seq: 3,
        }],
        main_seq: 3,
        operator: user("alice"),
        origin: None,
    });
    let fields = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","Operator_Account":"alice","OptionType":"modify","#,
        r#""GroupAttr":[{"key":"color","value":"green"}]"#
    );
    is(event, &quiet, Command::AfterGroupAttrChanged, None, fields);
    let event = Event::GroupMessagesRecalled(Arc::new(GroupMessagesRecalled {
        group: public(),
        messages: vec![said(GroupType::Public, &[]).name()],
        by: "alice".to_owned(),
        reason: String::new(),
        faces: Arc::new(Faces::new()),
        origin: None,
        only_for: Vec::new(),
    }));
    let fields = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","Operator_Account":"alice","#,
        r#""MsgSeqList":[{"MsgSeq":5}]"#
    );
    is(event, &quiet, Command::AfterRecallGroup, None, fields);
    let message = said(GroupType::Public, &[]).name();
    let event = extended(AttachedTo::Group { group: public(), message, only_for: None });
    let fields = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","MsgSeq":5,"OperateType":1,"#,
        r#""ExtensionList":[{"Key":"k","Value":"v","Seq":4}],"Seq":4"#
    );
    is(event, &quiet, Command::AfterGroupExtension, None, fields);
    let event = Event::OwnerChanged(OwnerChanged {
        group: public(),
        before: "alice".to_owned(),
        owner: user("bob"),
        operator: "alice".to_owned(),
    });
    let fields = concat!(
        r#""GroupId":"@TGS#1","Type":"Public","Operator_Account":"alice","#,
        r#""OldOwner_Account":"alice","NewOwner_Account":"bob""#
    );
    is(event, &quiet, Command::AfterChangeGroupOwner, None, fields);
    let after = Command::ALL.iter().filter(|command| command.kind() == Kind::After);
    let missing: Vec<_> =
        after.map(|command| command.word()).filter(|word| !seen.contains(word)).collect();
    assert_eq!(missing, [] as [&str; 0], "each webhook is shown here");
}

#[test]
fn a_login_its_end_and_a_lost_connection_are_told_apart() {
    let gone =
        |ending| Event::LoggedOut(LoggedOut { app: APP, user: user("alice"), inst_id: 1, ending });
    for (ending, action, reason) in [
        (Ending::Logout, "Logout", "Unregister"),
        (Ending::LinkClose, "Disconnect", "LinkClose"),
        (Ending::TimeOut, "Disconnect", "TimeOut"),
    ] {
        let told = all(&[gone(ending)], &Via::default());
        let info =
            format!(r#""Info":{{"Action":"{action}","To_Account":"alice","Reason":"{reason}"}}"#);
        assert!(told.len() == 1 && told[0].body.contains(&info), "{told:?}");
    }
}

#[test]
fn robots_hear_people_and_not_each_other() {
    let of_bot = |told: &[Told]| told.iter().any(|told| told.command.word().starts_with("Bot."));
    let mut among = message("@RBT#b");
    assert!(of_bot(&all(&[Event::MessageSent(Arc::new(message("@RBT#b")))], &Via::default())));
    among.from = user("@RBT#a");
    assert!(!of_bot(&all(&[Event::MessageSent(Arc::new(among))], &Via::default())));
    let mut in_group = said(GroupType::Public, &["@RBT#b"]);
    in_group.row.from = "@RBT#a".to_owned();
    assert!(!of_bot(&all(&[Event::GroupMessage(Arc::new(in_group))], &Via::default())));
    let of_people = said(GroupType::Public, &["bob"]);
    assert!(!of_bot(&all(&[Event::GroupMessage(Arc::new(of_people))], &Via::default())));
}

#[test]
fn what_a_message_forbids_is_not_told() {
    let mut silent = message("@RBT#b");
    silent.forbids = CallbackControl::ALL;
    assert_eq!(all(&[Event::MessageSent(Arc::new(silent))], &Via::default()), []);
    let via = Via { silent: true, ..Via::default() };
    let event = Event::GroupMessage(Arc::new(said(GroupType::Public, &["@RBT#b"])));
    assert_eq!(all(&[event], &via), []);
}

#[test]
fn who_began_a_friendship_is_told_whoever_finds_it_first() {
    let initiator = |operator: &str, path| {
        let via = Via { operator: Some(user(operator)), path, ..Via::default() };
        let told = all(&[relations(vec![RelationChange::FriendAdded(user("bob"))])], &via);
        let begin = told[0].body.find("Initiator_Account\":\"").expect("there") + 20;
        told[0].body[begin..].split('"').next().expect("there").to_owned()
    };
    // The list is alice's.
    assert_eq!(initiator("alice", "sns/friend_add"), "alice");
    assert_eq!(initiator("bob", "sns/friend_add"), "bob");
    assert_eq!(initiator("alice", "sns/friend_response"), "bob");
    assert_eq!(initiator("bob", "sns/friend_response"), "alice");
}

#[test]
fn members_from_the_beginning_did_not_come_in() {
    let created = Event::GroupCreated(GroupCreated {
        group: group(GroupType::Public),
        owner: None,
        members: Vec::new(),
        operator: "a".to_owned(),
        origin: None,
    });
    let joined = Event::MembersJoined(MembersJoined {
        group: group(GroupType::Public),
        users: vec![user("bob")],
        operator: "a".to_owned(),
        invited: true,
        silent: false,
    });
    let commands = |events: &[Event]| -> Vec<Command> {
        all(events, &Via::default()).iter().map(|told| told.command).collect()
    };
    assert_eq!(commands(&[created, joined.clone()]), [Command::AfterCreateGroup]);
    assert_eq!(commands(&[joined]), [Command::AfterNewMemberJoin]);
}

#[test]
fn long_lists_are_cut() {
    let members = (0..MEMBERS_MAX + 1).map(|n| user(&format!("u{n}"))).collect();
    let dismissed = Event::GroupDismissed(GroupDismissed {
        group: group(GroupType::Public),
        owner: String::new(),
        members,
        operator: "a".to_owned(),
        recycled: false,
    });
    let told = all(&[dismissed], &Via::default());
    assert_eq!(told[0].body.matches("Member_Account").count(), MEMBERS_MAX);
}

#[test]
fn what_is_not_wanted_is_not_made_and_some_events_tell_nothing() {
    let sent = Event::MessageSent(Arc::new(message("@RBT#b")));
    let only = |command| {
        told(std::slice::from_ref(&sent), |wanted| wanted == command, &Via::default(), NOW)
    };
    assert_eq!(only(Command::BotC2cMessage).len(), 1);
    assert_eq!(only(Command::StateChange), []);
    let quiet = Event::AccountCreated(AccountRef { app: APP, user: user("alice") });
    assert_eq!(all(&[quiet], &Via::default()), []);
}

#[test]
fn rooms_tell_who_comes_and_goes_and_what_is_said() {
    let placed = Event::GroupMessage(Arc::new(said(GroupType::AvChatRoom, &[])));
    assert_eq!(all(&[placed], &Via::default()).len(), 1);
    for (is_in, command) in [(true, Command::AfterNewMemberJoin), (false, Command::AfterMemberExit)]
    {
        let moved = ViewerMoved { group: group(GroupType::AvChatRoom), user: user("bob"), is_in };
        let told = all(&[Event::ViewerMoved(moved)], &Via::default());
        assert_eq!(told.iter().map(|told| told.command).collect::<Vec<_>>(), [command]);
    }
}

#[test]
fn one_conversation_is_one_lane_from_either_side() {
    let read = |reader: &str, peer: &str| {
        Event::AllRead(AllRead {
            app: APP,
            reader: user(reader),
            c2c: true,
            peers: vec![(user(peer), TinyId(2), UnixSeconds(3))],
            groups: Vec::new(),
            origin: None,
        })
    };
    let lane = |event| all(&[event], &Via::default())[0].lane.clone();
    assert_eq!(lane(read("alice", "bob")), lane(read("bob", "alice")));
    assert_ne!(lane(read("alice", "bob")), lane(read("alice", "carol")));
    let role = RoleChanged {
        group: group(GroupType::Public),
        user: user("bob"),
        is_admin: true,
        operator: "alice".to_owned(),
    };
    let message = Event::GroupMessage(Arc::new(said(GroupType::Public, &[])));
    assert_eq!(lane(Event::RoleChanged(role)), lane(message));
}
