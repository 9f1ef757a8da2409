//! What devices and the backend do in groups, and how the answers, pushes and histories are compared
//! with the ledger.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::audit::Probe;
use crate::device::{Context, Device, Purpose, Stage, list, name, number, text, user_of};
use crate::group_changes::{Remembered, Shown};
use crate::groups::{
    Deed, Fact, GROUPS, GroupMark, GroupMessage, Incarnation, What, group_name, group_of,
    is_meeting,
};
use crate::ledger::{Author, NEVER, Step, Truth};
use crate::server::is_internal;
use crate::sim::{BackendWork, Sim, USERS};
use crate::{Broken, Check, broken};

const FOR_EVER: u32 = u32::MAX;
/// More than passes at once.
const GROUP_BURST: usize = 14;

/// What the client knows of its groups.
#[derive(Debug, Default)]
pub(crate) struct OwnGroups {
    /// The last sequence number that it has heard of.
    last: BTreeMap<usize, u64>,
    /// Numbers of the messages that it has.
    seen: BTreeSet<u32>,
    /// Messages as it shows them.
    pub(crate) has: BTreeMap<(usize, u64), Remembered>,
    /// When its last list was asked for.
    listed: Step,
}

/// What was pushed of groups on one link: group, which one under its id, sequence number.
pub(crate) type Pushed = BTreeSet<(usize, usize, u64)>;

pub(crate) fn random(number: u32) -> u32 {
    number.wrapping_mul(2_654_435_761)
}

impl Device {
    pub(crate) fn send_to_group(&mut self, context: &Context<'_>, message: u32) {
        let said = &context.ledger.groups.messages[message as usize];
        let mut body = json!({
            "GroupId": group_name(said.group),
            "From_Account": name(self.user),
            "Random": random(message),
            "ClientSeq": message + 1,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": format!("#{message}#")}}],
        });
        if !said.counted {
            body["SendMsgControl"] = json!(["NoUnread"]);
        }
        let purpose = Purpose::GroupSend { message };
        self.ask(context, "group_open_http_svc.send_group_msg", body, purpose);
    }

    /// The answer to a send.
    pub(crate) fn sent_to_group(
        &mut self,
        message: u32,
        body: &Value,
        context: &mut Context<'_>,
    ) -> Check {
        self.groups.seen.insert(message);
        let said = &context.ledger.groups.messages[message as usize];
        let (group, seq) = (said.group, number(body, "MsgSeq"));
        self.groups.last.insert(group, seq);
        self.remember_in_group(group, seq, message);
        Ok(())
    }

    /// Messages and tips of groups arrive; notices are told apart by their number.
    pub(crate) fn group_event(&mut self, event: &Value) -> Check {
        let tips = list(event, "GroupTips").filter(|_| number(event, "Event") == 4);
        for item in list(event, "GroupMsgArray").chain(tips) {
            let group = group_of(&text(item, "ToGroupId"))?;
            self.groups.last.insert(group, number(item, "MsgSeq"));
            self.groups.seen.extend(Shown::of(item)?.sent());
        }
        self.group_changed(event)
    }

    /// A page of history is a piece of the history of one group, as its members saw it at some time since `asked`.
    pub(crate) fn pulled(
        &self,
        group: usize,
        body: &Value,
        asked: Step,
        context: &Context<'_>,
    ) -> Check {
        let mut page = Vec::new();
        for item in list(body, "RspMsgList") {
            page.push((number(item, "MsgSeq"), Shown::of(item)?));
        }
        let groups = &context.ledger.groups;
        // What is missing between two he has taken out.
        let is_whole = page.windows(2).all(|pair| {
            let deleted = |seq| groups.is_deleted(group, self.user, seq, asked) != Truth::No;
            pair[0].0 > pair[1].0 && (pair[1].0 + 1..pair[0].0).all(deleted)
        });
        let is_newest =
            |own: &Incarnation| groups.newest(group).is_some_and(|newest| newest.born == own.born);
        let fits = |own: &Incarnation| {
            page.iter().all(|(seq, shown)| {
                let is_gone = is_newest(own)
                    && groups.is_deleted(group, self.user, *seq, asked) == Truth::Yes;
                own.may_show(*seq, *shown, asked)
                    && !is_gone
                    && (is_meeting(group) || own.was_member(self.user, *seq))
            })
        };
        // Of a group that is being made there is a page already, an empty one.
        if page.is_empty() || (is_whole && groups.of(group).any(fits)) {
            return Ok(());
        }
        Err(broken(format!("u{} is shown of g{group}: {page:?}", self.user)))
    }

    /// Of groups a list has those that have moved, and fits.
    pub(crate) fn groups_listed(
        &mut self,
        body: &Value,
        fresh: bool,
        asked: Step,
        context: &Context<'_>,
    ) -> Check {
        let groups = &context.ledger.groups;
        let mut listed = BTreeSet::new();
        for item in list(body, "SessionItem").filter(|item| number(item, "Type") == 2) {
            let group = group_of(&text(item, "ToAccount"))?;
            let next = number(item, "GroupNextMsgSeq");
            listed.insert(group);
            self.groups.last.insert(group, next.saturating_sub(1));
            let Some(own) = groups.newest(group) else {
                return Err(broken(format!("g{group} is listed, and was never made")));
            };
            // The client pulls what it misses.
            let through = own.places().filter(|(seq, _)| *seq < next);
            self.groups.seen.extend(through.filter_map(|(_, stored)| stored.message));
            // Dismissed, made again, left or joined since: nothing more exact is known.
            if !groups.is_surely(group, Fact::Member(self.user), asked, context.step)
                || own.member(self.user).is_none_or(|member| member.joined >= asked)
            {
                continue;
            }
            let (least, most) = groups.unread(group, self.user, asked);
            let unread = number(item, "UnreadMsgCount");
            let is_next = (own.last_at(asked) + 1..=own.last() + 1).contains(&next);
            if !is_next || !(least..=most).contains(&unread) {
                return Err(broken(format!(
                    "device {} is told that g{group} has {unread} unread before {next}, right are \
                     {least} to {most} before {} to {}",
                    self.number,
                    own.last_at(asked) + 1,
                    own.last() + 1
                )));
            }
        }
        for group in 0..GROUPS {
            let Some(own) = groups.newest(group) else { continue };
            let is_member = groups.is_surely(group, Fact::Member(self.user), asked, context.step);
            let Some(member) = own.member(self.user).filter(|_| is_member) else { continue };
            let through = own.last_at(asked);
            // Who comes in while a device logs in is found by its list or not; it is told what follows.
            let before = self.groups.listed;
            let was_member = groups.is_surely(group, Fact::Member(self.user), before, asked);
            let news = own.places().find(|(seq, stored)| {
                let is_mine = |number: u32| {
                    groups.messages[number as usize].author == Author::Device(self.number)
                };
                let is_new = |number: u32| !self.groups.seen.contains(&number) && !is_mine(number);
                *seq > member.after
                    && *seq <= through
                    && (was_member || stored.step > before)
                    && stored.message.is_some_and(is_new)
            });
            if let Some((seq, stored)) = news
                && !listed.contains(&group)
            {
                return Err(broken(format!(
                    "device {} is not told that g{group} moved: {seq} is {stored:?}, fresh {fresh}",
                    self.number
                )));
            }
            // What this list did not have to tell, the next one has not either.
            let told = own.places().take_while(|(seq, _)| *seq <= through);
            self.groups.seen.extend(told.filter_map(|(_, stored)| stored.message));
        }
        self.groups.listed = asked;
        Ok(())
    }
}

impl Sim {
    // ---- what happens ----

    pub(crate) fn new_group_message(
        &mut self,
        group: usize,
        from: usize,
        author: Author,
        counted: bool,
    ) -> u32 {
        let messages = &mut self.ledger.groups.messages;
        let number = u32::try_from(messages.len()).expect("few messages");
        let sent = self.step;
        messages.push(GroupMessage { group, from, author, counted, sent, repeated: false });
        number
    }

    fn deed(&mut self, group: Option<usize>, what: What) -> usize {
        self.note(|| format!("it is asked for {what:?} in {group:?}"));
        let (asked, over, done) = (self.step, NEVER, Truth::Perhaps);
        self.ledger.groups.deeds.push(Deed { group, what, asked, over, done });
        self.ledger.groups.deeds.len() - 1
    }

    /// An account is about to be deleted.
    pub(crate) fn user_goes(&mut self, user: usize) {
        self.deed(None, What::Gone(user));
    }

    pub(crate) fn user_is_gone(&mut self, user: usize, asked: Step) {
        let deeds = &self.ledger.groups.deeds;
        let is_it = |deed: &Deed| (deed.what, deed.asked) == (What::Gone(user), asked);
        if let Some(deed) = deeds.iter().position(is_it) {
            self.ledger.groups.answered(deed, Truth::Yes, self.step);
        }
    }

    pub(crate) fn device_in_group(&mut self, device: usize) {
        let group = self.dice.below(GROUPS);
        let user = self.devices[device].user;
        let body = json!({"GroupId": group_name(group)});
        match self.dice.below(100) {
            0..40 => {
                for _ in 0..1 + self.dice.below(3) {
                    let counted = !self.dice.chance(100);
                    let author = Author::Device(device);
                    let message = self.new_group_message(group, user, author, counted);
                    self.note(|| format!("device {device} sends {message} to g{group}"));
                    self.with_device(device, |d, context| d.send_to_group(context, message));
                }
            }
            40..50 => self.device_changes_in_group(device, group),
            50..65 => {
                let deed = self.deed(Some(group), What::In(user));
                self.with_device(device, |device, context| {
                    let servcmd = "group_open_http_svc.apply_join_group";
                    device.ask(context, servcmd, body, Purpose::GroupDeed { deed });
                });
            }
            65..70 => {
                let deed = self.deed(Some(group), What::Out(user));
                self.with_device(device, |device, context| {
                    let servcmd = "group_open_http_svc.quit_group";
                    device.ask(context, servcmd, body, Purpose::GroupDeed { deed });
                });
            }
            70..85 => self.device_reads_group(device, group),
            _ => {
                let body = json!({
                    "GroupId": group_name(group), "ReqMsgNumber": 1 + self.dice.below(20),
                    "WithRecalledMsg": 1,
                });
                self.with_device(device, |device, context| {
                    let servcmd = "group_open_http_svc.group_msg_get";
                    device.ask(context, servcmd, body, Purpose::GroupPage { group });
                });
            }
        }
    }

    fn device_reads_group(&mut self, device: usize, group: usize) {
        let Some(last) = self.devices[device].groups.last.get(&group).copied() else { return };
        // Sometimes not all of it.
        let seq = last.saturating_sub(self.dice.below(3) as u64);
        let mark = self.ledger.groups.marks.len();
        self.ledger.groups.marks.push(GroupMark {
            user: self.devices[device].user,
            group,
            seq,
            asked: self.step,
            over: NEVER,
            done: Truth::Perhaps,
            saved: false,
        });
        let body = json!({"GroupId": group_name(group), "MsgReadedSeq": seq});
        self.with_device(device, |device, context| {
            let servcmd = "group_open_http_svc.msg_read_report";
            device.ask(context, servcmd, body, Purpose::GroupMark { mark });
        });
    }

    pub(crate) fn backend_in_group(&mut self) {
        let (group, user) = (self.dice.below(GROUPS), self.dice.below(USERS));
        let id = group_name(group);
        match self.dice.below(100) {
            0..20 => self.backend_sends_to_group(group, user, 1),
            20..30 => self.backend_changes_in_group(group),
            30..35 => {
                let (role, what) = match self.dice.chance(500) {
                    true => ("Admin", What::MakeAdmin(user)),
                    false => ("Member", What::MakeMember(user)),
                };
                let body = json!({"GroupId": id, "Member_Account": name(user), "Role": role});
                let path = "group_open_http_svc/modify_group_member_info";
                self.backend_does(path, group, body, what);
            }
            35..39 => self.backend_sends_to_group(group, user, GROUP_BURST),
            39..55 => {
                let other = self.another(user);
                let mut body = json!({
                    "GroupId": id, "Name": id, "Type": "Public", "Owner_Account": name(user),
                    "ApplyJoinOption": "FreeAccess",
                    "MemberList": [{"Member_Account": name(other)}],
                });
                if is_meeting(group) {
                    body["Type"] = json!("ChatRoom");
                }
                self.backend_does(
                    "group_open_http_svc/create_group",
                    group,
                    body,
                    What::Create(user, other),
                );
            }
            55..70 => {
                let body = json!({"GroupId": id, "MemberList": [{"Member_Account": name(user)}]});
                self.backend_does(
                    "group_open_http_svc/add_group_member",
                    group,
                    body,
                    What::In(user),
                );
            }
            70..80 => {
                let body = json!({"GroupId": id, "MemberToDel_Account": [name(user)]});
                self.backend_does(
                    "group_open_http_svc/delete_group_member",
                    group,
                    body,
                    What::Out(user),
                );
            }
            80..96 => {
                let mutes = self.dice.chance(400);
                let seconds = if mutes { FOR_EVER } else { 0 };
                let body =
                    json!({"GroupId": id, "Members_Account": [name(user)], "MuteTime": seconds});
                self.backend_does(
                    "group_open_http_svc/forbid_send_msg",
                    group,
                    body,
                    if mutes { What::Mute(user) } else { What::Unmute(user) },
                );
            }
            _ => {
                let body = json!({"GroupId": id});
                self.backend_does("group_open_http_svc/destroy_group", group, body, What::Dismiss);
            }
        }
    }

    fn backend_does(&mut self, path: &'static str, group: usize, body: Value, what: What) {
        let deed = self.deed(Some(group), what);
        self.call(path, body, BackendWork::Deed(deed));
    }

    fn backend_sends_to_group(&mut self, group: usize, from: usize, count: usize) {
        for _ in 0..count {
            let message = self.new_group_message(group, from, Author::Backend, true);
            self.note(|| format!("backend sends {message} to g{group} for u{from}"));
            let text = format!("#{message}#");
            let body = json!({
                "GroupId": group_name(group),
                "From_Account": name(from),
                "Random": random(message),
                "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}],
            });
            let work = BackendWork::GroupSend(message);
            self.call("group_open_http_svc/send_group_msg", body, work);
        }
    }

    /// What a backend's change has come to.
    pub(crate) fn deed_done(&mut self, deed: usize, path: &str, answer: Result<&Value, i64>) {
        let done = match answer {
            Err(code) if is_internal(&path.replace('/', "."), code) => Truth::Perhaps,
            Err(_) => Truth::No,
            // An account that does not exist.
            Ok(answer) if list(answer, "MemberList").any(|m| number(m, "Result") == 0) => Truth::No,
            Ok(_) => Truth::Yes,
        };
        self.ledger.groups.answered(deed, done, self.step);
    }

    /// Acknowledged is durable, in that place.
    pub(crate) fn check_group_ack(&self, message: u32, answer: &Value) -> Check {
        let seq = number(answer, "MsgSeq");
        if self.ledger.groups.is_at(message, seq) {
            return Ok(());
        }
        Err(broken(format!(
            "group message {message} is acknowledged at {seq}, and not stored there"
        )))
    }

    // ---- pushes ----

    pub(crate) fn check_group_event(&mut self, id: u64, event: &Value) -> Check {
        let tips = list(event, "GroupTips").filter(|_| number(event, "Event") == 4);
        for item in list(event, "GroupMsgArray").chain(tips) {
            self.statistics.pushes += 1;
            self.check_group_push(id, item)?;
        }
        self.check_change_event(event)
    }

    fn check_group_push(&mut self, id: u64, item: &Value) -> Check {
        let group = group_of(&text(item, "ToGroupId"))?;
        let (seq, message) = (number(item, "MsgSeq"), Shown::of(item)?.sent());
        let (user, now) = (self.devices[self.links[&id].device].user, self.step);
        let groups = &self.ledger.groups;
        let last = self.links[&id].groups.iter().rfind(|pushed| pushed.0 == group).copied();
        let mut why = format!("is not durable at {seq}");
        // Tips look alike: of two groups under one id it is the present one's.
        let places: Vec<_> = groups.of(group).enumerate().collect();
        for (place, own) in places.into_iter().rev() {
            let Some(stored) = own.at(seq).filter(|stored| stored.message == message) else {
                continue;
            };
            if last.is_some_and(|last| last >= (group, place, seq)) {
                why = format!("comes after {last:?}");
                continue;
            }
            let sent = message.map_or(stored.step, |m| groups.messages[m as usize].sent);
            // Whoever logs in while he is taken out may hear a little more, until that is answered: of a group
            // that was dismissed also when its id is used again.
            let may_be = || {
                groups.of(group).flat_map(|own| &own.memberships).any(|m| m.user == user)
                    && groups.may_be(group, Fact::Member(user), true, sent, now)
            };
            if !own.was_member(user, seq) && !may_be() {
                why = format!("is not for u{user}");
                continue;
            }
            let link = self.links.get_mut(&id).expect("it has the frame");
            link.groups.insert((group, place, seq));
            return Ok(());
        }
        Err(broken(format!("a push on link {id} {why}: {item}")))
    }

    // ---- at rest ----

    /// Everything that can be asked about groups is compared.
    pub(crate) fn audit_groups(&mut self, existing: &[usize]) -> Check {
        let step = self.step;
        self.ledger.groups.over(step, false);
        let mut members_of = BTreeMap::new();
        for group in 0..GROUPS {
            let members = self.members(group)?;
            let is_there = members.is_some();
            if !self.ledger.groups.may_be(group, Fact::Exists, is_there, step, step) {
                return Err(broken(format!("g{group} exists: {is_there}")));
            }
            let members = members.unwrap_or_default();
            for user in 0..USERS {
                let is_in = members.contains(&user);
                let stored = self.ledger.groups.newest(group).filter(|_| is_there);
                let is_stored = stored.is_some_and(|own| own.member(user).is_some());
                let fact = Fact::Member(user);
                if is_in != is_stored
                    || !self.ledger.groups.may_be(group, fact, is_in, step, step)
                    || (is_in && !existing.contains(&user))
                {
                    return Err(broken(format!(
                        "u{user} is in g{group}: {is_in}, stored {is_stored}, exists {}; {:?}",
                        existing.contains(&user),
                        self.deeds_of(group, fact)
                    )));
                }
            }
            if is_there {
                self.check_group_history(group)?;
            }
            members_of.insert(group, members);
        }
        for user in existing {
            let answer = self.rest(
                "group_open_http_svc/get_joined_group_list",
                &json!({"Member_Account": name(*user)}),
            )?;
            let joined: Result<BTreeSet<usize>, Broken> =
                list(&answer, "GroupIdList").map(|item| group_of(&text(item, "GroupId"))).collect();
            let joined = joined?;
            let is_in = |(group, members): (&usize, &BTreeSet<usize>)| {
                members.contains(user).then_some(*group)
            };
            let right: BTreeSet<usize> = members_of.iter().filter_map(is_in).collect();
            if joined != right {
                return Err(broken(format!("u{user} lists {joined:?}, and is in {right:?}")));
            }
        }
        self.check_changes()?;
        (0..self.devices.len()).try_for_each(|device| {
            self.check_device_in_groups(device)?;
            self.check_remembered_in_groups(device)
        })
    }

    fn deeds_of(&self, group: usize, fact: Fact) -> Vec<&Deed> {
        let deeds = &self.ledger.groups.deeds;
        let wanted = |deed: &&Deed| {
            deed.group.is_none_or(|own| own == group)
                && match (deed.what, fact) {
                    (What::In(user) | What::Out(user) | What::Gone(user), Fact::Member(of)) => {
                        user == of
                    }
                    (What::Create(..) | What::Dismiss, _) => true,
                    _ => false,
                }
        };
        let found: Vec<&Deed> = deeds.iter().filter(wanted).collect();
        found[found.len().saturating_sub(6)..].to_vec()
    }

    fn members(&mut self, group: usize) -> Result<Option<BTreeSet<usize>>, Broken> {
        let path = "group_open_http_svc/get_group_member_info";
        let answer = self.try_rest(path, &json!({"GroupId": group_name(group)}))?;
        let Ok(answer) = answer else { return Ok(None) };
        let members = list(&answer, "MemberList");
        members
            .map(|item| user_of(&text(item, "Member_Account")))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The history is what is stored, whole, and its seconds never go back.
    fn check_group_history(&mut self, group: usize) -> Check {
        let mut history: Vec<(u64, Shown)> = Vec::new();
        let mut earliest = u64::MAX;
        let mut next = None;
        loop {
            let count = 1 + self.dice.below(20);
            let mut body = json!({"GroupId": group_name(group), "ReqMsgNumber": count});
            if let Some(next) = next {
                body["ReqMsgSeq"] = json!(next);
            }
            let answer = self.rest("group_open_http_svc/group_msg_get_simple", &body)?;
            for item in list(&answer, "RspMsgList") {
                let time = number(item, "MsgTimeStamp");
                if time > earliest {
                    return Err(broken(format!("seconds of g{group} go back: {answer}")));
                }
                earliest = time;
                history.push((number(item, "MsgSeq"), Shown::of(item)?));
            }
            let first = history.last().map_or(1, |(seq, _)| *seq);
            if first <= 1 || list(&answer, "RspMsgList").next().is_none() {
                break;
            }
            next = Some(first - 1);
        }
        history.reverse();
        let own = self.ledger.groups.newest(group).cloned().unwrap_or_default();
        let right: Vec<_> =
            own.places().filter_map(|(seq, _)| Some((seq, own.shows(seq)?))).collect();
        if history != right {
            return Err(broken(format!(
                "the history of g{group} is {history:?}, right is {right:?}"
            )));
        }
        Ok(())
    }

    /// A device that listens has been pushed everything since it came.
    fn check_device_in_groups(&self, device: usize) -> Check {
        let own = &self.devices[device];
        let Some(link) = own.link.and_then(|id| self.links.get(&id)) else { return Ok(()) };
        if own.stage != Stage::Ready {
            return Ok(());
        }
        let groups = &self.ledger.groups;
        for group in 0..GROUPS {
            let Some((place, history)) = groups.of(group).enumerate().last() else { continue };
            let Some(member) = history.member(own.user) else { continue };
            // A device that logs in while its user is taken in hears from when that is done.
            let joined = groups.deeds.iter().filter(|deed| {
                deed.group == Some(group) && (deed.asked..=deed.over).contains(&member.joined)
            });
            let since = match joined.map(|deed| deed.over).max() {
                Some(over) if member.joined <= link.listens => over.max(link.listens),
                Some(_) | None => link.listens,
            };
            let missing = history.places().find(|(seq, stored)| {
                let author = stored.message.map(|number| groups.messages[number as usize].author);
                *seq > member.after
                    && stored.step > since
                    && author != Some(Author::Device(device))
                    && !link.groups.contains(&(group, place, *seq))
            });
            if let Some((seq, stored)) = missing {
                return Err(broken(format!(
                    "device {device} is not pushed {seq} of g{group}, {stored:?}, since {since}"
                )));
            }
        }
        Ok(())
    }

    /// A fresh list has all groups of a user that have something to show; a member's history is the end
    /// of the group's.
    pub(crate) fn check_group_view(&mut self, probe: &mut Probe, listed: &Value) -> Check {
        let (user, step) = (probe.user, self.step);
        let mut items = BTreeMap::new();
        for item in list(listed, "SessionItem").filter(|item| number(item, "Type") == 2) {
            items.insert(group_of(&text(item, "ToAccount"))?, item.clone());
        }
        for group in 0..GROUPS {
            let groups = &self.ledger.groups;
            let exists = groups.may_be(group, Fact::Exists, true, step, step);
            let own = groups.newest(group).filter(|_| exists).cloned();
            let member = own.as_ref().and_then(|own| own.member(user).cloned());
            // Whether a dismissal that was not answered took place is looked up by the members.
            let is_gone = groups.may_be(group, Fact::Exists, false, step, step);
            let first = member.as_ref().map(|m| if is_meeting(group) { 0 } else { m.after });
            let (shown, right) = (items.get(&group), groups.unread(group, user, step));
            let last = own.as_ref().map_or(0, Incarnation::last);
            let is_listed = first.is_some_and(|first| last > first);
            let fits = shown.is_none_or(|item| {
                number(item, "GroupNextMsgSeq") == last + 1
                    && (right.0..=right.1).contains(&number(item, "UnreadMsgCount"))
            });
            if (is_listed != shown.is_some() && !is_gone) || !fits {
                return Err(broken(format!(
                    "u{user} has g{group} in its list as {shown:?}; right is {is_listed} with {last} \
                     messages, {right:?} unread; {:?}",
                    groups
                        .marks
                        .iter()
                        .filter(|m| (m.user, m.group) == (user, group))
                        .collect::<Vec<_>>()
                )));
            }
            if let Some(first) = first.filter(|_| !is_gone) {
                if let Some(item) = shown {
                    self.check_last_shown(group, user, item)?;
                }
                self.check_member_history(probe, group, first)?;
            }
        }
        Ok(())
    }

    fn check_member_history(&mut self, probe: &mut Probe, group: usize, first: u64) -> Check {
        let (mut history, mut next) = (Vec::new(), 0);
        loop {
            let count = 1 + self.dice.below(30);
            let body = json!({
                "GroupId": group_name(group), "ReqMsgNumber": count, "ReqMsgSeq": next,
                "WithRecalledMsg": 1,
            });
            let answer = self.ask(probe, "group_open_http_svc.group_msg_get", body)?;
            for item in list(&answer, "RspMsgList") {
                history.push((number(item, "MsgSeq"), Shown::of(item)?));
            }
            next = number(&answer, "NextReqMsgSeq");
            if next == 0 {
                break;
            }
        }
        history.reverse();
        self.ledger.groups.check_history_of(group, probe.user, first, &history)
    }
}
