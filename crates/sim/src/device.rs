//! A model of one client device: what the public client package sends, remembers, counts and ignores.
//!
//! It knows messages by sender, receiver, random, sequence and second, and fires its event for each it did
//! not know. After a login it asks for its list and what it missed; after a lost connection it first
//! repeats what was not answered, then logs in with its token, asks for what changed in its list, pulls
//! forward the conversations which that names, and asks for what it missed with its last cookie.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use teahouse_proto::platform::Platform;
use teahouse_proto::time::UnixSeconds;
use teahouse_proto::usersig::{self, SignRequest};

use crate::disk::message_number;
use crate::in_groups::OwnGroups;
use crate::ledger::{ChangeKind, Ledger, MarkKind, NEVER, Step, Truth};
use crate::server::{APP, KEY, Request, is_internal};
use crate::{Broken, Check, broken};

/// A device that was away longer asks for its whole list again.
const LIST_KEPT_MS: u64 = 300_000;
/// Conversations whose last message is further ahead than this are not pulled forward.
const RECOVERED_S: u32 = 600;
/// After this a send has failed for its user.
const GIVE_UP_MS: u64 = 60_000;

/// What a device is doing about its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody is logged in.
    Out,
    LoggingIn,
    Listing,
    Recovering,
    Syncing,
    Ready,
    LoggingOut,
}

/// Why a request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Login { fresh: bool },
    List { fresh: bool },
    Recover { peer: usize, target: u32 },
    Sync { first: bool },
    Send { message: u32 },
    Mark { mark: usize },
    Page { peer: usize },
    GroupSend { message: u32 },
    GroupDeed { deed: usize },
    GroupMark { mark: usize },
    GroupPage { group: usize },
    GroupChange { change: usize },
    Change { change: usize },
    Other,
    Logout,
}

impl Purpose {
    /// Sent again after a lost connection.
    fn is_repeated(self) -> bool {
        matches!(self, Self::Send { .. } | Self::Mark { .. } | Self::GroupSend { .. })
    }
}

#[derive(Debug, Clone)]
struct Outstanding {
    seq: u64,
    servcmd: &'static str,
    body: String,
    purpose: Purpose,
    asked: Step,
    asked_ms: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) token: String,
    /// Steps in which the login was asked for and answered.
    pub(crate) asked: Step,
    pub(crate) started: Step,
}

/// How clients tell messages apart.
pub(crate) type MessageId = (String, String, u64, u64, u64);

/// What a device remembers of a message.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    time: u32,
    counts: bool,
    pub(crate) withdrawn: bool,
    pub(crate) version: u64,
    pub(crate) confirmed: bool,
}

impl Known {
    fn of(item: &Value, counts: bool) -> Self {
        Self {
            time: seconds(item, "MsgTimeStamp"),
            counts,
            withdrawn: number(item, "MsgFlagBits") == 8,
            version: number(item, "MsgVersion"),
            confirmed: number(item, "IsPeerRead") == 1,
        }
    }
}

/// What a device remembers of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) known: BTreeMap<MessageId, Known>,
    pub(crate) unread: u64,
    last_time: u32,
    /// Step of the answer that the number goes back to.
    pub(crate) counted: Step,
    /// The number is vague: something happened of which the client is known not to get the count.
    pub(crate) vague: bool,
}

/// What a device needs to know of the world while it handles something.
pub(crate) struct Context<'a> {
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) step: Step,
    pub(crate) now_ms: u64,
}

/// See the module.
pub(crate) struct Device {
    pub(crate) user: usize,
    pub(crate) number: usize,
    pub(crate) platform: Platform,
    pub(crate) link: Option<u64>,
    pub(crate) session: Option<Session>,
    pub(crate) stage: Stage,
    /// Requests to put on the link.
    pub(crate) sending: Vec<Request>,
    /// The link is of no use any more.
    pub(crate) hang_up: bool,
    cookie: String,
    list_cursor: u32,
    lost_ms: u64,
    outstanding: Vec<Outstanding>,
    last_seq: u64,
    fresh_answers: u8,
    pub(crate) conversations: BTreeMap<usize, Conversation>,
    /// How often each message's event was fired since the login.
    pub(crate) fired: BTreeMap<u32, u32>,
    /// Known without an event: in the first answer after the login, or from the history.
    pub(crate) seen: BTreeSet<u32>,
    /// Everything that becomes durable from this step on must arrive.
    pub(crate) since: Step,
    /// Peers with more missed messages than a client pulls; it has gaps until its user looks.
    pub(crate) gaps: BTreeSet<usize>,
    /// The answer after the login was lost: only counts that came later are right.
    pub(crate) uncounted: bool,
    pub(crate) groups: OwnGroups,
}

/// A user's name.
pub(crate) fn name(user: usize) -> String {
    format!("u{user}")
}

/// The user of a name.
pub(crate) fn user_of(name: &str) -> Result<usize, Broken> {
    let number = name.strip_prefix('u').and_then(|number| number.parse().ok());
    number.ok_or_else(|| broken(format!("{name} is nobody")))
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_default()
}

pub(crate) fn seconds(value: &Value, field: &str) -> u32 {
    u32::try_from(number(value, field)).unwrap_or(u32::MAX)
}

/// The number that the simulation wrote into a message.
pub(crate) fn message_in(item: &Value) -> Result<u32, Broken> {
    let body = text(&item["MsgBody"][0]["MsgContent"], "Text");
    message_number(body.as_bytes()).ok_or_else(|| broken(format!("not a message of ours: {item}")))
}

/// The number of a one-to-one message, whatever has become of it.
pub(crate) fn number_of(item: &Value) -> Result<u32, Broken> {
    let seq = u32::try_from(number(item, "MsgSeq")).ok().and_then(|seq| seq.checked_sub(1));
    seq.ok_or_else(|| broken(format!("not a message of ours: {item}")))
}

pub(crate) fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

/// How an item counts on arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Push,
    /// Counts only if it is not older than the conversation's last message.
    Missed,
    Recovered,
}

impl Device {
    pub(crate) fn new(number: usize, user: usize, platform: Platform) -> Self {
        Self {
            user,
            number,
            platform,
            link: None,
            session: None,
            stage: Stage::Out,
            sending: Vec::new(),
            hang_up: false,
            cookie: String::new(),
            list_cursor: 0,
            lost_ms: 0,
            outstanding: Vec::new(),
            last_seq: 0,
            fresh_answers: 0,
            conversations: BTreeMap::new(),
            fired: BTreeMap::new(),
            seen: BTreeSet::new(),
            since: NEVER,
            gaps: BTreeSet::new(),
            uncounted: false,
            groups: OwnGroups::default(),
        }
    }

    pub(crate) fn instance(&self) -> String {
        format!("device-{}", self.number)
    }

    /// Logged in, synced, and nothing is unanswered.
    pub(crate) fn is_settled(&self) -> bool {
        self.outstanding.is_empty()
            && match self.stage {
                Stage::Out => true,
                Stage::Ready => self.link.is_some(),
                Stage::LoggingIn
                | Stage::Listing
                | Stage::Recovering
                | Stage::Syncing
                | Stage::LoggingOut => false,
            }
    }

    pub(crate) fn peers(&self) -> Vec<usize> {
        self.conversations.keys().copied().collect()
    }

    pub(crate) fn last_time(&self, peer: usize) -> u32 {
        self.conversations.get(&peer).map_or(0, |conversation| conversation.last_time)
    }

    /// Something happened to a conversation that this device is not told.
    pub(crate) fn becomes_vague(&mut self, peer: usize) {
        self.conversations.entry(peer).or_default().vague = true;
    }

    /// A new link: logs in, or goes on where it was.
    pub(crate) fn connected(&mut self, link: u64, context: &mut Context<'_>) {
        self.link = Some(link);
        self.hang_up = false;
        if self.session.is_none() {
            return self.log_in(context);
        }
        self.stage = Stage::LoggingIn;
        self.outstanding.retain(|asked| asked.purpose.is_repeated());
        let given_up = |asked: &Outstanding| context.now_ms - asked.asked_ms > GIVE_UP_MS;
        self.outstanding.retain(|asked| !given_up(asked));
        for asked in self.outstanding.clone() {
            self.put_on_link(asked.seq, asked.servcmd, &asked.body);
            if let Purpose::Send { message } = asked.purpose {
                context.ledger.messages[message as usize].repeated = true;
            }
            if let Purpose::GroupSend { message } = asked.purpose {
                context.ledger.groups.messages[message as usize].repeated = true;
            }
            if let Purpose::Mark { mark } = asked.purpose {
                context.ledger.marks[mark].repeated = true;
            }
        }
        self.ask(context, "im_open_status.wslogin", json!({}), Purpose::Login { fresh: false });
    }

    /// Logs in with a new signature.
    pub(crate) fn log_in(&mut self, context: &Context<'_>) {
        self.forget_everything();
        self.stage = Stage::LoggingIn;
        let usersig = sign(self.user, context.now_ms);
        let seq = self.next_seq();
        let purpose = Purpose::Login { fresh: true };
        let servcmd = "im_open_status.wslogin";
        let body = "{}".to_owned();
        self.outstanding.push(Outstanding {
            seq,
            servcmd,
            body: body.clone(),
            purpose,
            asked: context.step,
            asked_ms: context.now_ms,
        });
        let identifier = name(self.user);
        self.sending.push(Request {
            servcmd,
            seq,
            identifier,
            usersig,
            token: String::new(),
            body,
        });
    }

    /// Its link is gone.
    pub(crate) fn lost(&mut self, now_ms: u64) {
        self.link = None;
        self.sending.clear();
        self.lost_ms = now_ms;
        if self.stage == Stage::LoggingOut || self.session.is_none() {
            self.forget_everything();
        }
    }

    /// The session is over; what it knew is gone.
    pub(crate) fn forget_everything(&mut self) {
        self.session = None;
        self.stage = Stage::Out;
        self.cookie.clear();
        self.list_cursor = 0;
        self.outstanding.clear();
        self.fresh_answers = 0;
        self.conversations.clear();
        self.fired.clear();
        self.seen.clear();
        self.since = NEVER;
        self.gaps.clear();
        self.uncounted = false;
        self.groups = OwnGroups::default();
    }

    pub(crate) fn send(&mut self, context: &Context<'_>, message: u32, to: usize, no_unread: bool) {
        let mut body = json!({
            "From_Account": name(self.user),
            "To_Account": name(to),
            "MsgSeq": message + 1,
            "MsgRandom": message.wrapping_mul(2_654_435_761),
            "MsgClientTime": context.now_ms / 1000,
            "IsNeedReadReceipt": 1,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": format!("#{message}#")}}],
        });
        if no_unread {
            body["SendMsgControl"] = json!(["NoUnread"]);
        }
        self.ask(context, "openim.sendmsg", body, Purpose::Send { message });
    }

    /// Marks a conversation as read up to the last message that it knows.
    pub(crate) fn mark_read(&mut self, context: &Context<'_>, peer: usize, mark: usize, time: u32) {
        let item = json!({"To_Account": name(peer), "LastedMsgTime": time});
        let body = json!({"C2CMsgReaded": {"C2CMsgReadedItem": [item]}});
        self.ask(context, "openim.msgreaded", body, Purpose::Mark { mark });
    }

    pub(crate) fn delete(&mut self, context: &Context<'_>, peer: usize, mark: usize, clear: bool) {
        let body = json!({
            "From_Account": name(self.user),
            "ContactItem": [{"Type": 1, "To_Account": name(peer)}],
            "ClearRamble": u8::from(clear),
        });
        self.ask(context, "recentcontact.batch_delete", body, Purpose::Mark { mark });
    }

    /// Does something with a message that it knows.
    pub(crate) fn change(
        &mut self,
        context: &Context<'_>,
        change: usize,
        id: &MessageId,
        version: u64,
    ) {
        let (from, to, random, seq, time) = id;
        let (servcmd, body) = match context.ledger.changes[change].kind {
            ChangeKind::Withdraw => (
                "openim.msgwithdraw",
                json!({"MsgInfo": {
                    "From_Account": from, "To_Account": to,
                    "MsgSeq": seq, "MsgRandom": random, "MsgTimeStamp": time,
                }}),
            ),
            ChangeKind::Modify => {
                let said = json!({"Text": format!("#{}# as change {change}", seq - 1)});
                let body = json!({
                    "From_Account": from, "To_Account": to,
                    "MsgSeq": seq, "MsgRandom": random, "MsgTime": time, "MsgVersion": version,
                    "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": said}],
                });
                ("openim.modify_c2c_msg", body)
            }
            ChangeKind::Confirm => (
                "openim.c2c_msg_read_receipt",
                json!({"Peer_Account": from, "C2CMsgInfo": [{
                    "From_Account": from, "To_Account": to,
                    "MsgSeq": seq, "MsgRandom": random, "MsgTime": time,
                }]}),
            ),
            ChangeKind::Delete(_) => {
                let own = name(self.user);
                let peer = if *from == own { to } else { from };
                let keys = [format!("{seq}_{random}_{time}")];
                let body = json!({"From_Account": own, "To_Account": peer, "MsgKeyList": keys});
                ("openim.delete_c2c_msg_ramble", body)
            }
        };
        self.ask(context, servcmd, body, Purpose::Change { change });
    }

    pub(crate) fn pull_page(&mut self, context: &Context<'_>, peer: usize) {
        let body =
            json!({"Peer_Account": name(peer), "MaxCnt": 15, "LastMsgTime": 0, "MsgKey": ""});
        self.ask(context, "openim.getroammsg", body, Purpose::Page { peer });
    }

    pub(crate) fn hello(&mut self, context: &Context<'_>) {
        self.ask(context, "im_open_status.wshello", json!({}), Purpose::Other);
    }

    pub(crate) fn log_out(&mut self, context: &Context<'_>) {
        self.stage = Stage::LoggingOut;
        self.ask(context, "im_open_status.wslogout", json!({"wslogout_type": 0}), Purpose::Logout);
    }

    fn next_seq(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    pub(crate) fn ask(
        &mut self,
        context: &Context<'_>,
        servcmd: &'static str,
        body: Value,
        purpose: Purpose,
    ) {
        let seq = self.next_seq();
        let body = body.to_string();
        self.put_on_link(seq, servcmd, &body);
        let (asked, asked_ms) = (context.step, context.now_ms);
        self.outstanding.push(Outstanding { seq, servcmd, body, purpose, asked, asked_ms });
    }

    fn put_on_link(&mut self, seq: u64, servcmd: &'static str, body: &str) {
        let token = self.session.as_ref().map(|session| session.token.clone()).unwrap_or_default();
        if self.link.is_some() {
            let (identifier, usersig) = (name(self.user), String::new());
            let body = body.to_owned();
            self.sending.push(Request { servcmd, seq, identifier, usersig, token, body });
        }
    }

    /// Which message the request was about.
    pub(crate) fn group_message_asked(&self, seq: u64) -> Option<u32> {
        let asked = self.outstanding.iter().find(|asked| asked.seq == seq)?;
        if let Purpose::GroupSend { message } = asked.purpose { Some(message) } else { None }
    }

    /// A frame arrives. `queued` is the step in which the server put it into its queue.
    pub(crate) fn receive(
        &mut self,
        frame: &Value,
        queued: Step,
        context: &mut Context<'_>,
    ) -> Check {
        let servcmd = text(&frame["head"], "servcmd");
        if servcmd == "im_open_push.msg_push" {
            return list(&frame["body"], "EventArray")
                .try_for_each(|event| self.event(event, queued, context));
        }
        if servcmd == "im_open_status.stat_forceoffline" {
            self.forget_everything();
            self.hang_up = true;
            return Ok(());
        }
        let seq = number(&frame["head"], "seq");
        let Some(place) = self.outstanding.iter().position(|asked| asked.seq == seq) else {
            return Ok(()); // of a session that is over
        };
        let asked = self.outstanding.remove(place);
        let code = frame["body"]["ErrorCode"].as_i64().unwrap_or(-1);
        if code == 0 {
            self.answered(&asked, &frame["body"], queued, context)
        } else {
            self.refused(&asked, code, context);
            Ok(())
        }
    }

    fn refused(&mut self, asked: &Outstanding, code: i64, context: &mut Context<'_>) {
        let done = if is_internal(asked.servcmd, code) { Truth::Perhaps } else { Truth::No };
        if let Purpose::GroupDeed { deed } = asked.purpose {
            context.ledger.groups.answered(deed, done, context.step);
        }
        if let Purpose::GroupMark { mark } = asked.purpose {
            let mark = &mut context.ledger.groups.marks[mark];
            (mark.done, mark.over) = (done, context.step);
        }
        if let Purpose::GroupChange { change } = asked.purpose {
            context.ledger.groups.change_answered(change, done, context.step);
        }
        if let Purpose::Change { change } = asked.purpose {
            context.ledger.change_is_over(change, done, context.step);
        }
        let is_session_over = matches!(code, 1002 | 20_002 | 70_001 | 70_052);
        match asked.purpose {
            Purpose::Login { .. } => {
                if !is_internal(asked.servcmd, code) {
                    self.forget_everything();
                }
                self.hang_up = true;
            }
            Purpose::Logout => {
                self.forget_everything();
                self.hang_up = true;
            }
            _ if is_session_over => {
                self.forget_everything();
                self.hang_up = true;
            }
            Purpose::List { .. } | Purpose::Recover { .. } | Purpose::Sync { .. } => {
                self.hang_up = true;
            }
            Purpose::Send { .. }
            | Purpose::Mark { .. }
            | Purpose::Page { .. }
            | Purpose::GroupSend { .. }
            | Purpose::GroupDeed { .. }
            | Purpose::GroupMark { .. }
            | Purpose::GroupPage { .. }
            | Purpose::GroupChange { .. }
            | Purpose::Change { .. }
            | Purpose::Other => {}
        }
    }

    fn answered(
        &mut self,
        asked: &Outstanding,
        body: &Value,
        queued: Step,
        context: &mut Context<'_>,
    ) -> Check {
        match asked.purpose {
            Purpose::Login { fresh } => {
                let token = text(body, "A2Key");
                let (asked, started) = match &self.session {
                    Some(session) => (session.asked, session.started),
                    None => (asked.asked, context.step),
                };
                self.session = Some(Session { token, asked, started });
                self.ask_for_list(fresh, context);
                Ok(())
            }
            Purpose::List { fresh } => {
                self.groups_listed(body, fresh, asked.asked, context)?;
                self.listed(body, fresh, context)
            }
            Purpose::Recover { peer, target } => self.recovered(peer, target, body, context),
            Purpose::Sync { first } => self.synced(body, first, queued, context),
            Purpose::Send { message } => self.sent(message, body, context),
            Purpose::Mark { mark } => {
                self.marked(mark, context);
                Ok(())
            }
            Purpose::Page { peer } => {
                let mut pulled = Vec::new();
                for item in list(body, "MsgList") {
                    pulled.push(number_of(item)?);
                }
                if !pulled.is_sorted() {
                    // Numbers rise with the decision to send, not with the order of arrival.
                    pulled.sort_unstable();
                }
                let before = pulled.len();
                pulled.dedup();
                if pulled.len() != before {
                    return Err(broken(format!("a page with {peer} has a message twice: {body}")));
                }
                Ok(())
            }
            Purpose::GroupSend { message } => self.sent_to_group(message, body, context),
            Purpose::GroupDeed { deed } => {
                context.ledger.groups.answered(deed, Truth::Yes, context.step);
                Ok(())
            }
            Purpose::GroupMark { mark } => {
                let mark = &mut context.ledger.groups.marks[mark];
                (mark.done, mark.over) = (Truth::Yes, context.step);
                Ok(())
            }
            Purpose::GroupPage { group } => self.pulled(group, body, asked.asked, context),
            Purpose::GroupChange { change } => self.group_change_answered(change, body, context),
            Purpose::Change { change } => {
                self.changed(change, body, context);
                Ok(())
            }
            Purpose::Other => Ok(()),
            Purpose::Logout => {
                self.forget_everything();
                Ok(())
            }
        }
    }

    fn ask_for_list(&mut self, fresh: bool, context: &Context<'_>) {
        let away = context.now_ms.saturating_sub(self.lost_ms) > LIST_KEPT_MS;
        let cursor = if fresh || away { 0 } else { self.list_cursor };
        let body = json!({"From_Account": name(self.user), "TimeStamp": cursor, "StartIndex": 0});
        self.stage = Stage::Listing;
        self.ask(context, "recentcontact.page_get", body, Purpose::List { fresh });
        if fresh {
            self.ask_missed(true, context);
        }
    }

    fn ask_missed(&mut self, first: bool, context: &Context<'_>) {
        let body = json!({"Cookie": self.cookie, "SyncFlag": 0, "IsOnlineSync": 0});
        self.ask(context, "openim.getmsg", body, Purpose::Sync { first });
    }

    fn listed(&mut self, body: &Value, fresh: bool, context: &mut Context<'_>) -> Check {
        if number(body, "CompleteFlag") != 1 {
            return Err(broken(format!("a list of few conversations has more pages: {body}")));
        }
        self.list_cursor = seconds(body, "TimeStamp");
        let mut ahead = Vec::new();
        for item in list(body, "SessionItem").filter(|item| number(item, "Type") == 1) {
            let peer = user_of(&text(item, "To_Account"))?;
            let time = seconds(item, "MsgTime");
            let conversation = self.conversations.entry(peer).or_default();
            let newest = conversation.known.values().map(|known| known.time).max();
            if !fresh && newest.is_some_and(|n| (n + 1..=n + RECOVERED_S).contains(&time)) {
                conversation.vague = true;
                ahead.push((peer, newest.unwrap_or_default(), time));
            } else if !fresh {
                // Nothing to start from, or too far ahead: the client leaves it to its user.
                conversation.vague = true;
                self.gaps.insert(peer);
            }
            let conversation = self.conversations.entry(peer).or_default();
            conversation.last_time = conversation.last_time.max(time);
        }
        if fresh {
            self.fresh_answers += 1;
            self.ready_after_login();
            return Ok(());
        }
        self.stage = Stage::Recovering;
        for (peer, from, target) in ahead {
            self.recover(peer, from, target, context);
        }
        self.continue_after_recovery(context);
        Ok(())
    }

    fn recover(&mut self, peer: usize, from: u32, target: u32, context: &Context<'_>) {
        let body = json!({
            "Peer_Account": name(peer), "MaxCnt": 15, "LastMsgTime": from, "GetDirection": 1,
        });
        self.ask(context, "openim.getroammsg", body, Purpose::Recover { peer, target });
    }

    fn recovered(
        &mut self,
        peer: usize,
        target: u32,
        body: &Value,
        context: &mut Context<'_>,
    ) -> Check {
        for item in list(body, "MsgList") {
            self.arrive(item, false, Arrival::Recovered, context)?;
        }
        let last = list(body, "MsgList").last().map(|item| seconds(item, "MsgTimeStamp"));
        match last {
            Some(last) if last < target && number(body, "Complete") != 1 => {
                self.recover(peer, last, target, context);
            }
            _ => {}
        }
        self.continue_after_recovery(context);
        Ok(())
    }

    fn continue_after_recovery(&mut self, context: &Context<'_>) {
        let busy = |asked: &Outstanding| matches!(asked.purpose, Purpose::Recover { .. });
        if self.stage == Stage::Recovering && !self.outstanding.iter().any(busy) {
            self.stage = Stage::Syncing;
            self.ask_missed(false, context);
        }
    }

    fn synced(
        &mut self,
        body: &Value,
        first: bool,
        queued: Step,
        context: &mut Context<'_>,
    ) -> Check {
        if number(body, "SyncFlag") != 2 {
            return Err(broken(format!("an answer to a sync is not whole: {body}")));
        }
        self.cookie = text(body, "Cookie");
        list(body, "EventArray").try_for_each(|event| self.event(event, queued, context))?;
        let mut counted_anew = BTreeSet::new();
        for item in list(body, "MsgList") {
            if !item["EventArray"].is_null() {
                self.notices_among_messages(item, context)?;
                continue;
            }
            if first {
                self.remember(item)?;
                continue;
            }
            let (peer, time) = (self.peer_of(item, false)?, seconds(item, "MsgTimeStamp"));
            let is_newest = time >= self.last_time(peer);
            if self.arrive(item, false, Arrival::Missed, context)? && is_newest {
                counted_anew.insert(peer);
            }
        }
        for item in list(body, "C2CPairUnreadCount") {
            let peer = user_of(&text(item, "From_Account"))?;
            if first || counted_anew.contains(&peer) {
                let marking = self.is_marking(peer, context.ledger);
                let conversation = self.conversations.entry(peer).or_default();
                conversation.unread = number(item, "UnreadCount");
                conversation.counted = queued;
                conversation.vague = marking;
            }
        }
        if self.since == NEVER {
            self.since = queued;
            self.uncounted = !first;
        }
        if first {
            self.fresh_answers += 1;
            self.ready_after_login();
        } else {
            self.stage = Stage::Ready;
        }
        Ok(())
    }

    fn ready_after_login(&mut self) {
        if self.fresh_answers == 2 {
            self.stage = Stage::Ready;
        }
    }

    /// An own mark is under way: which of it and a count comes first is open.
    fn is_marking(&self, peer: usize, ledger: &Ledger) -> bool {
        let marks = |asked: &Outstanding| matches!(asked.purpose, Purpose::Mark { mark } if ledger.marks[mark].peer == peer);
        self.outstanding.iter().any(marks)
    }

    fn sent(&mut self, message: u32, body: &Value, context: &mut Context<'_>) -> Check {
        let time = seconds(body, "MsgTime");
        let sent = &mut context.ledger.messages[message as usize];
        sent.acked = sent.acked.min(context.step);
        let to = sent.to;
        let id = (
            name(self.user),
            name(to),
            u64::from(message.wrapping_mul(2_654_435_761)),
            u64::from(message) + 1,
            u64::from(time),
        );
        let conversation = self.conversations.entry(to).or_default();
        conversation.known.insert(id, Known { time, ..Known::default() });
        conversation.last_time = conversation.last_time.max(time);
        Ok(())
    }

    /// What it has done with a message is done.
    fn changed(&mut self, change: usize, body: &Value, context: &mut Context<'_>) {
        let ledger = &mut context.ledger;
        ledger.change_is_over(change, Truth::Yes, context.step);
        let (message, kind) = (ledger.changes[change].message, ledger.changes[change].kind);
        match kind {
            ChangeKind::Withdraw => self.each_known(message, |known| known.withdrawn = true),
            ChangeKind::Modify => {
                let version = number(body, "MsgVersion");
                let said = text(&body["MsgBody"][0]["MsgContent"], "Text");
                ledger.versions.entry(message).or_default().insert(version, said);
                self.each_known(message, |known| known.version = known.version.max(version));
            }
            ChangeKind::Confirm | ChangeKind::Delete(_) => {}
        }
    }

    fn each_known(&mut self, message: u32, change: impl Fn(&mut Known)) {
        let known = self.conversations.values_mut().flat_map(|c| c.known.iter_mut());
        let known = known.filter(|((_, _, _, seq, _), _)| *seq == u64::from(message) + 1);
        known.for_each(|(_, known)| change(known));
    }

    fn marked(&mut self, mark: usize, context: &mut Context<'_>) {
        let step = context.step;
        let mark = &mut context.ledger.marks[mark];
        mark.done = mark.done.min(step);
        let (peer, kind) = (mark.peer, mark.kind);
        match kind {
            MarkKind::Read(through) => self.recount(peer, through),
            MarkKind::Delete(_) => {
                self.conversations.remove(&peer);
                // Whether a message that came meanwhile is deleted too is open.
                self.becomes_vague(peer);
            }
        }
    }

    /// Unread is what it remembers after that second.
    fn recount(&mut self, peer: usize, through: u32) {
        let Some(conversation) = self.conversations.get_mut(&peer) else { return };
        let later = |known: &&Known| known.counts && known.time > through;
        conversation.unread = conversation.known.values().filter(later).count() as u64;
        // The client counts what was withdrawn, too.
        conversation.vague |= conversation.known.values().filter(later).any(|k| k.withdrawn);
    }

    fn event(&mut self, event: &Value, queued: Step, context: &mut Context<'_>) -> Check {
        self.group_event(event)?;
        for item in list(event, "C2cMsgArray") {
            self.arrive(item, true, Arrival::Push, context)?;
        }
        for notice in list(event, "C2cNotifyMsgArray") {
            for read in list(&notice["ReadC2cMsgNotify"], "UinPairReadArray") {
                let peer = user_of(&text(read, "From_Account"))?;
                self.recount(peer, seconds(read, "LastReadTime"));
                self.check_recount(peer, seconds(read, "LastReadTime"), context);
            }
            for item in list(&notice["WithdrawC2cMsgNotify"], "C2cWithdrawInfoArray") {
                self.withdrawn(item, Some(queued), context)?;
            }
            if !notice["KickoutMsgNotify"].is_null() {
                self.forget_everything();
                self.hang_up = true;
            }
        }
        for item in list(event, "C2cMsgModNotifys") {
            let version = number(item, "MsgVersion");
            if let Some(known) = self.known(item, "MsgTime")? {
                known.version = known.version.max(version);
            }
        }
        for item in list(event, "C2cMsgInfo") {
            if let Some(known) = self.known(item, "MsgTime")? {
                known.confirmed = true;
            }
        }
        Ok(())
    }

    /// What it remembers of the message that a notice names.
    fn known(&mut self, item: &Value, time: &str) -> Result<Option<&mut Known>, Broken> {
        let peer = self.peer_of(item, false)?;
        let (from, to) = ends(item, false);
        let time = seconds(item, time).into();
        let id = (from, to, number(item, "MsgRandom"), number(item, "MsgSeq"), time);
        Ok(self.conversations.get_mut(&peer).and_then(|c| c.known.get_mut(&id)))
    }

    /// A message was withdrawn. For a notice that is pushed (in that step) the client takes one off its count,
    /// whether the message was unread or not.
    fn withdrawn(&mut self, item: &Value, pushed: Option<Step>, context: &Context<'_>) -> Check {
        let peer = self.peer_of(item, false)?;
        if let Some(known) = self.known(item, "MsgTimeStamp")? {
            known.withdrawn = true;
        }
        let message = context.ledger.message(number_of(item)?)?;
        let user = self.user;
        let is_unread = message
            .durable
            .is_some_and(|durable| context.ledger.is_read(user, peer, &durable) == Truth::No);
        let counts = message.from == peer && message.counted && is_unread;
        let conversation = self.conversations.entry(peer).or_default();
        // Whether the client goes on with its own count, or has taken over one that knows of it, the server
        // cannot always tell.
        conversation.vague |= counts != pushed.is_some() || pushed == Some(conversation.counted);
        conversation.unread = conversation.unread.saturating_sub(u64::from(pushed.is_some()));
        Ok(())
    }

    fn notices_among_messages(&mut self, item: &Value, context: &Context<'_>) -> Check {
        for notice in list(item, "EventArray").flat_map(|event| list(event, "C2cNotifyMsgArray")) {
            for item in list(&notice["WithdrawC2cMsgNotify"], "C2cWithdrawInfoArray") {
                self.withdrawn(item, None, context)?;
            }
        }
        Ok(())
    }

    /// A recount is exact only if everything unread is remembered.
    fn check_recount(&mut self, peer: usize, through: u32, context: &Context<'_>) {
        let all = context.ledger.messages.iter();
        let forgotten = all.filter(|m| m.from == peer && m.to == self.user && m.counted).any(|m| {
            m.durable
                .is_some_and(|d| d.time >= through && (d.step <= self.since || d.time == through))
        });
        if let Some(conversation) = self.conversations.get_mut(&peer)
            && forgotten
        {
            conversation.vague = true;
        }
    }

    fn peer_of(&self, item: &Value, swaps: bool) -> Result<usize, Broken> {
        let (from, to) = ends(item, swaps);
        let own = name(self.user);
        match (from == own, to == own) {
            (true, false) => user_of(&to),
            (false, true) => user_of(&from),
            _ => Err(broken(format!("{own} gets a message of others: {item}"))),
        }
    }

    /// In the first answer after a login: known from now on, without an event.
    fn remember(&mut self, item: &Value) -> Check {
        let peer = self.peer_of(item, false)?;
        self.seen.insert(number_of(item)?);
        let time = seconds(item, "MsgTimeStamp");
        let (from, to) = ends(item, false);
        let counts = from != name(self.user) && counts(item);
        let id = (from, to, number(item, "MsgRandom"), number(item, "MsgSeq"), time.into());
        let conversation = self.conversations.entry(peer).or_default();
        conversation.known.insert(id, Known::of(item, counts));
        Ok(())
    }

    /// A message; says whether it was new.
    fn arrive(
        &mut self,
        item: &Value,
        swaps: bool,
        how: Arrival,
        context: &Context<'_>,
    ) -> Result<bool, Broken> {
        let peer = self.peer_of(item, swaps)?;
        let message = number_of(item)?;
        let time = seconds(item, "MsgTimeStamp");
        let (from, to) = ends(item, swaps);
        let own = from == name(self.user);
        let counts = !own && counts(item);
        let id = (from, to, number(item, "MsgRandom"), number(item, "MsgSeq"), time.into());
        let conversation = self.conversations.entry(peer).or_default();
        if conversation.known.contains_key(&id) {
            return Ok(false);
        }
        conversation.known.insert(id, Known::of(item, counts));
        match how {
            Arrival::Push => conversation.unread += u64::from(counts),
            Arrival::Missed if time >= conversation.last_time => {
                conversation.unread += u64::from(counts);
            }
            // The client does not count what comes behind something newer.
            Arrival::Missed | Arrival::Recovered => conversation.vague |= counts,
        }
        conversation.last_time = conversation.last_time.max(time);
        let fired = self.fired.entry(message).or_default();
        *fired += 1;
        let sent = context.ledger.message(message)?;
        let durable = sent.durable.ok_or_else(|| broken(format!("{message} is not durable")))?;
        let deleted = context.ledger.is_read(self.user, peer, &durable) != Truth::No
            && context.ledger.marks.iter().any(|mark| {
                matches!(mark.kind, MarkKind::Delete(_))
                    && (mark.reader, mark.peer) == (self.user, peer)
            });
        if *fired > 1 && *fired as usize > context.ledger.times_stored(message) && !deleted {
            return Err(broken(format!(
                "device {} fires message {message} {fired} times",
                self.number
            )));
        }
        Ok(true)
    }
}

fn ends(item: &Value, swaps: bool) -> (String, String) {
    let (from, to) = (text(item, "From_Account"), text(item, "To_Account"));
    if swaps && number(item, "IsSyncMsg") == 1 { (to, from) } else { (from, to) }
}

fn counts(item: &Value) -> bool {
    let names = format!("{}", item["SendMsgControl"]);
    !names.contains("NoUnread")
}

/// A UserSig made now.
pub(crate) fn sign(user: usize, now_ms: u64) -> String {
    usersig::sign(&SignRequest {
        app: APP,
        user: &name(user),
        key: KEY,
        now: UnixSeconds(u32::try_from(now_ms / 1000).expect("before 2106")),
        expire_s: 86_400 * 30,
        userbuf: None,
    })
}
