//! Everything at rest is compared with the ledger: histories, lists, counts, devices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use teahouse_core::env::Clock;
use teahouse_core::hub::Connection;
use teahouse_proto::error::Error;
use teahouse_proto::platform::Platform;

use crate::device::{list, name, number, number_of, seconds, sign, text, user_of};
use crate::ledger::{Author, ChangeKind, MarkKind, NEVER, Step, Truth};
use crate::server::{Request, Slot, take};
use crate::sim::{Sim, USERS};
use crate::{Broken, Check, broken};

/// One user's view of everything, by a device that logs in anew.
struct View {
    tiny_id: u64,
    /// The list: unread by peer.
    listed: BTreeMap<usize, u64>,
    /// What the first sync after the login says: unread by peer.
    counted: BTreeMap<usize, u64>,
    /// The last message that the list shows, by peer.
    last: BTreeMap<usize, Option<u32>>,
    /// Messages by peer, oldest first.
    history: BTreeMap<usize, Vec<Seen>>,
    /// All peers of the index, listed or not.
    index: BTreeSet<usize>,
    /// Up to when each peer has read.
    peer_read: BTreeMap<usize, u32>,
}

/// A message as it stands in a history.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    number: u32,
    said: String,
    withdrawn: bool,
    version: u64,
    confirmed: bool,
}

impl Seen {
    fn of(item: &Value) -> Result<Self, Broken> {
        Ok(Self {
            number: number_of(item)?,
            said: text(&item["MsgBody"][0]["MsgContent"], "Text"),
            withdrawn: number(item, "MsgFlagBits") == 8,
            version: number(item, "MsgVersion"),
            confirmed: number(item, "IsPeerRead") == 1,
        })
    }
}

/// A client that only asks.
pub(crate) struct Probe {
    connection: Arc<Connection>,
    pub(crate) user: usize,
    token: String,
    seq: u64,
}

impl Sim {
    /// Lets everything come to rest, then checks all promises.
    pub(crate) fn audit(&mut self) -> Check {
        self.settle()?;
        self.check_rest()?;
        self.note(|| "audit".to_owned());
        self.statistics.audits += 1;
        if !self.disk.outbox_is_empty() {
            return Err(broken("jobs stay in the outbox".to_owned()));
        }
        let existing = self.existing_users()?;
        let accounts = self.count_accounts()?;
        // The administrator is an account, too.
        if accounts != existing.len() as u64 + 1 {
            return Err(broken(format!(
                "the directory counts {accounts} accounts, {} users exist",
                existing.len()
            )));
        }
        self.audit_groups(&existing)?;
        let mut views = BTreeMap::new();
        for user in existing {
            let view = self.view(user)?;
            views.insert(user, view);
        }
        for (user, view) in &views {
            self.check_view(*user, view, &views)?;
        }
        self.check_order_of_senders()?;
        for device in 0..self.devices.len() {
            let user = self.devices[device].user;
            if let Some(view) = views.get(&user) {
                self.check_device(device, view, &views)?;
            }
        }
        self.follow_the_store(&views);
        Ok(())
    }

    // ---- asking ----

    fn wait_for<T>(&mut self, mut look: impl FnMut(&mut Self) -> Option<T>) -> Result<T, Broken> {
        const STEPS_MAX: usize = 20_000;
        for _ in 0..STEPS_MAX {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            self.step += 1;
            if self.dice.chance(500) {
                self.run_a_task()?;
            } else {
                self.sync_some()?;
            }
            self.look_around()?;
        }
        Err(broken("a question of the audit is never answered".to_owned()))
    }

    fn slot<T>(&mut self, slot: &Slot<T>) -> Result<T, Broken> {
        self.wait_for(|_| take(slot))
    }

    pub(crate) fn rest(&mut self, path: &'static str, body: &Value) -> Result<Value, Broken> {
        let answer = self.try_rest(path, body)?;
        answer.map_err(|error| broken(format!("{path} {body}: {error}")))
    }

    pub(crate) fn try_rest(
        &mut self,
        path: &'static str,
        body: &Value,
    ) -> Result<Result<Value, Error>, Broken> {
        let process = self.process.as_mut().ok_or_else(|| broken("no process".to_owned()))?;
        let slot = process.rest(path, body.to_string());
        let answer = match self.slot(&slot)? {
            Ok(answer) => answer,
            Err(refused) => return Ok(Err(refused)),
        };
        serde_json::from_str(&answer).map(Ok).map_err(|problem| broken(problem.to_string()))
    }

    fn existing_users(&mut self) -> Result<Vec<usize>, Broken> {
        let items: Vec<Value> = (0..USERS).map(|user| json!({"UserID": name(user)})).collect();
        let answer = self.rest("im_open_login_svc/account_check", &json!({"CheckItem": items}))?;
        list(&answer, "ResultItem")
            .filter(|item| text(item, "AccountStatus") == "Imported")
            .map(|item| user_of(&text(item, "UserID")))
            .collect()
    }

    fn count_accounts(&mut self) -> Result<u64, Broken> {
        let process = self.process.as_mut().ok_or_else(|| broken("no process".to_owned()))?;
        let slot = process.count_accounts();
        self.slot(&slot)?.map_err(broken)
    }

    fn probe(&mut self, user: usize) -> Result<(Probe, u64), Broken> {
        // A signature of a later second than any kick.
        self.clock.advance(1_000);
        let connection = Connection::new(
            format!("probe-{user}"),
            Platform::Pc,
            false,
            0,
            1 << 24,
            None,
            self.clock.now(),
        );
        let mut probe = Probe { connection, user, token: String::new(), seq: 0 };
        let answer = self.ask(&mut probe, "im_open_status.wslogin", json!({}))?;
        probe.token = text(&answer, "A2Key");
        let tiny_id = text(&answer, "TinyId");
        let tiny_id = tiny_id.parse().map_err(|_| broken(format!("TinyId {tiny_id}")))?;
        Ok((probe, tiny_id))
    }

    pub(crate) fn ask(
        &mut self,
        probe: &mut Probe,
        servcmd: &'static str,
        body: Value,
    ) -> Result<Value, Broken> {
        probe.seq += 1;
        let usersig =
            if probe.token.is_empty() { sign(probe.user, self.now_ms()) } else { String::new() };
        let request = Request {
            servcmd,
            seq: probe.seq,
            identifier: name(probe.user),
            usersig,
            token: probe.token.clone(),
            body: body.to_string(),
        };
        let process = self.process.as_mut().ok_or_else(|| broken("no process".to_owned()))?;
        process.receive(&probe.connection, request);
        let (connection, seq) = (probe.connection.clone(), probe.seq);
        let mut frames: Vec<Bytes> = Vec::new();
        let answer = self.wait_for(|_| {
            connection.queue().take(&mut frames);
            frames.drain(..).find_map(|frame| {
                let frame: Value = serde_json::from_slice(&frame).ok()?;
                let is_answer = number(&frame["head"], "seq") == seq
                    && text(&frame["head"], "servcmd") == servcmd;
                is_answer.then(|| frame["body"].clone())
            })
        })?;
        if answer["ErrorCode"] == 0 {
            Ok(answer)
        } else {
            Err(broken(format!("{servcmd} of u{}: {answer}", probe.user)))
        }
    }

    fn view(&mut self, user: usize) -> Result<View, Broken> {
        let (mut probe, tiny_id) = self.probe(user)?;
        let own = name(user);
        let answer = self.ask(
            &mut probe,
            "recentcontact.page_get",
            json!({"From_Account": own, "TimeStamp": 0, "StartIndex": 0}),
        )?;
        self.check_group_view(&mut probe, &answer)?;
        let (mut listed, mut last) = (BTreeMap::new(), BTreeMap::new());
        for item in list(&answer, "SessionItem").filter(|item| number(item, "Type") == 1) {
            let peer = user_of(&text(item, "To_Account"))?;
            listed.insert(peer, number(item, "UnreadMsgCount"));
            let is_shown = !item["LastMsg"].is_null();
            last.insert(peer, if is_shown { Some(number_of(item)?) } else { None });
        }
        let answer = self.ask(&mut probe, "openim.getmsg", json!({"Cookie": "", "SyncFlag": 0}))?;
        let mut counted = BTreeMap::new();
        for item in list(&answer, "C2CPairUnreadCount") {
            counted.insert(user_of(&text(item, "From_Account"))?, number(item, "UnreadCount"));
        }
        let mut history = BTreeMap::new();
        for peer in (0..USERS).filter(|peer| *peer != user) {
            let back = self.history_back(&mut probe, peer)?;
            let forward = self.history_forward(&mut probe, peer)?;
            if back != forward {
                return Err(broken(format!(
                    "u{user} reads {back:?} backwards and {forward:?} forwards with u{peer}"
                )));
            }
            history.insert(peer, back);
        }
        let peers: Vec<usize> = (0..USERS).filter(|peer| *peer != user).collect();
        let names: Vec<String> = peers.iter().map(|peer| name(*peer)).collect();
        let answer =
            self.ask(&mut probe, "openim.get_peer_read_time", json!({"To_Account": names}))?;
        let times = list(&answer, "ReadTime").filter_map(Value::as_u64);
        let times = times.map(|time| u32::try_from(time).unwrap_or(u32::MAX));
        let peer_read = peers.iter().copied().zip(times).collect();
        self.ask(&mut probe, "im_open_status.wslogout", json!({"wslogout_type": 0}))?;
        let answer = self.rest(
            "recentcontact/get_list",
            &json!({
                "From_Account": own, "TimeStamp": 0, "StartIndex": 0,
                "TopTimeStamp": 0, "TopStartIndex": 0, "AssistFlags": 15,
            }),
        )?;
        let pairs = list(&answer, "SessionItem").filter(|item| number(item, "Type") == 1);
        let index = pairs.map(|item| user_of(&text(item, "To_Account")));
        let index: BTreeSet<usize> = index.collect::<Result<_, _>>()?;
        Ok(View { tiny_id, listed, counted, last, history, index, peer_read })
    }

    fn history_back(&mut self, probe: &mut Probe, peer: usize) -> Result<Vec<Seen>, Broken> {
        let count = 1 + self.dice.below(40);
        let (mut time, mut key) = (0, String::new());
        let mut history: Vec<Seen> = Vec::new();
        loop {
            let body = json!({
                "Peer_Account": name(peer), "MaxCnt": count, "LastMsgTime": time, "MsgKey": key,
            });
            let answer = self.ask(probe, "openim.getroammsg", body)?;
            let page: Result<Vec<Seen>, _> = list(&answer, "MsgList").map(Seen::of).collect();
            let mut page = page?;
            let is_last = number(&answer, "Complete") == 1;
            if page.is_empty() && !is_last {
                return Err(broken(format!("an empty page that is not the last: {answer}")));
            }
            page.extend(history);
            history = page;
            if is_last {
                return Ok(history);
            }
            (time, key) = (seconds(&answer, "LastMsgTime"), text(&answer, "MsgKey"));
        }
    }

    /// As clients do it: by whole seconds, each page beginning with the last second of the one before.
    fn history_forward(&mut self, probe: &mut Probe, peer: usize) -> Result<Vec<Seen>, Broken> {
        let mut time = 1;
        let mut history: Vec<Seen> = Vec::new();
        loop {
            let body = json!({
                "Peer_Account": name(peer), "MaxCnt": 15, "LastMsgTime": time, "GetDirection": 1,
            });
            let answer = self.ask(probe, "openim.getroammsg", body)?;
            let page: Result<Vec<Seen>, _> = list(&answer, "MsgList").map(Seen::of).collect();
            let page = page?;
            let seen: BTreeSet<u32> = history.iter().map(|seen| seen.number).collect();
            history.extend(page.into_iter().filter(|message| !seen.contains(&message.number)));
            let last = list(&answer, "MsgList").last().map(|item| seconds(item, "MsgTimeStamp"));
            match last {
                Some(last) if number(&answer, "Complete") != 1 && last > time => time = last,
                Some(last) if number(&answer, "Complete") != 1 => {
                    return Err(broken(format!(
                        "second {last} leads to itself when u{} pulls u{peer}",
                        probe.user
                    )));
                }
                _ => return Ok(history),
            }
        }
    }

    // ---- comparing ----

    fn check_view(&self, user: usize, view: &View, views: &BTreeMap<usize, View>) -> Check {
        for (peer, history) in &view.history {
            // A conversation belongs to two accounts; of one that is gone only its peer has it.
            let pair = match views.get(peer) {
                Some(other) => pair_of(view.tiny_id, other.tiny_id),
                None => match history.first() {
                    Some(first) => self.pair_of_message(first.number)?,
                    None => continue,
                },
            };
            let numbers: Vec<u32> = history.iter().map(|seen| seen.number).collect();
            let is_current = views.contains_key(peer);
            self.check_history(user, *peer, view.tiny_id, pair, &numbers, is_current)?;
            history.iter().try_for_each(|seen| self.check_content(user, seen))?;
            if is_current {
                self.check_counts(user, *peer, pair, view)?;
                self.check_last(user, *peer, view)?;
            }
        }
        Ok(())
    }

    fn pair_of_message(&self, number: u32) -> Result<(u64, u64), Broken> {
        let durable = self.ledger.message(number)?.durable;
        let durable = durable.ok_or_else(|| broken(format!("{number} is read, not durable")))?;
        Ok(durable.pair)
    }

    /// A history is what its pair has stored, in that order, but what this side has not or has cleared.
    fn check_history(
        &self,
        user: usize,
        peer: usize,
        tiny_id: u64,
        pair: (u64, u64),
        history: &[u32],
        is_current: bool,
    ) -> Check {
        if pair.0 != tiny_id && pair.1 != tiny_id {
            return Err(broken(format!("u{user} reads the history of an account that is gone")));
        }
        // A peer that was made again has a new, perhaps empty, conversation; the old one may stay
        // readable until then.
        let stored = self.ledger.stored.get(&pair);
        let has = |first: u32| stored.into_iter().flatten().any(|(number, _)| *number == first);
        let pair = match history.first() {
            // A send that was repeated may be stored with both, with the old one perhaps later.
            Some(first) if is_current && !has(*first) => {
                if stored.is_some() {
                    return Err(broken(format!("u{user} reads an old history with u{peer}")));
                }
                self.pair_of_message(*first)?
            }
            _ => pair,
        };
        let expected = self.ledger.stored.get(&pair).into_iter().flatten();
        let mut found = history.iter().peekable();
        for (number, durable) in expected {
            let message = self.ledger.message(*number)?;
            let hidden = message.hidden_from_sender && message.from == user;
            let cleared = self.ledger.is_cleared(user, peer, durable);
            let is_there = found.next_if_eq(&number).is_some();
            let deleted = self.ledger.is_changed(*number, ChangeKind::Delete(user));
            if is_there && (hidden || cleared == Truth::Yes || deleted == Truth::Yes) {
                return Err(broken(format!("u{user} still reads message {number} with u{peer}")));
            }
            if !is_there && !hidden && cleared == Truth::No && deleted == Truth::No {
                return Err(broken(format!(
                    "u{user} does not read message {number} with u{peer}: {history:?}"
                )));
            }
        }
        match found.next() {
            Some(extra) => Err(broken(format!(
                "u{user} reads message {extra} with u{peer} out of order or twice: {history:?}"
            ))),
            None => Ok(()),
        }
    }

    /// A message says what was sent, or what it was changed to last; withdrawn ones say nothing.
    fn check_content(&self, user: usize, seen: &Seen) -> Check {
        let wrong = |what: &str| Err(broken(format!("u{user} reads {seen:?}, {what}")));
        let is_changed = |kind| self.ledger.is_changed(seen.number, kind);
        match is_changed(ChangeKind::Withdraw) {
            Truth::Yes if !seen.withdrawn => return wrong("which was withdrawn"),
            Truth::No if seen.withdrawn => return wrong("which nobody has withdrawn"),
            Truth::Yes | Truth::No | Truth::Perhaps => {}
        }
        match is_changed(ChangeKind::Confirm) {
            // One that did not ask, or was withdrawn before, is not confirmed.
            Truth::No if seen.confirmed => return wrong("which nobody has confirmed"),
            Truth::Yes | Truth::No | Truth::Perhaps => {}
        }
        if seen.withdrawn {
            return if seen.said.is_empty() { Ok(()) } else { wrong("which was withdrawn") };
        }
        if self.ledger.times_stored(seen.number) > 1 {
            return Ok(());
        }
        let versions = self.ledger.versions.get(&seen.number);
        let answered = versions.and_then(|versions| versions.keys().next_back().copied());
        if seen.version < answered.unwrap_or_default() {
            return wrong("which is older than what was answered");
        }
        let sent = format!("#{}#", seen.number);
        let said = match seen.version {
            0 => Some(&sent),
            version => versions.and_then(|versions| versions.get(&version)),
        };
        match said {
            Some(said) if *said != seen.said => wrong(&format!("which says {said:?}")),
            None if is_changed(ChangeKind::Modify) == Truth::No => {
                wrong("which nobody has changed")
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The list shows the last message of the history.
    fn check_last(&self, user: usize, peer: usize, view: &View) -> Check {
        // What was deleted with its conversation is in the history, and in no list.
        let is_deleted = self.ledger.marks.iter().any(|mark| {
            matches!(mark.kind, MarkKind::Delete(_)) && (mark.reader, mark.peer) == (user, peer)
        });
        let Some(shown) = view.last.get(&peer).filter(|_| !is_deleted) else { return Ok(()) };
        let last = view.history.get(&peer).and_then(|history| history.last());
        if last.map(|seen| seen.number) == *shown {
            return Ok(());
        }
        Err(broken(format!("the list of u{user} shows {shown:?} of u{peer}, the last is {last:?}")))
    }

    fn check_counts(&self, user: usize, peer: usize, pair: (u64, u64), view: &View) -> Check {
        let stored = self.ledger.stored.get(&pair);
        // What was deleted is in no list until its next message.
        let is_deleted = self.ledger.marks.iter().any(|mark| {
            matches!(mark.kind, MarkKind::Delete(_)) && (mark.reader, mark.peer) == (user, peer)
        });
        if stored.is_some() && !is_deleted && !view.index.contains(&peer) {
            return Err(broken(format!("u{user} has no conversation with u{peer} in its index")));
        }
        if stored.is_none() {
            // What a peer has read of an account that is gone is no receipt for the one made again.
            return match view.peer_read.get(&peer) {
                Some(read) if *read > 0 => {
                    Err(broken(format!("u{peer} has read u{user} up to {read}, who never wrote")))
                }
                Some(_) | None => Ok(()),
            };
        }
        let (least, most) = self.ledger.unread(user, peer, pair);
        let counted = view.counted.get(&peer).copied().unwrap_or(0);
        let listed = view.listed.get(&peer).copied();
        if listed.is_some_and(|listed| listed != counted) || (listed.is_none() && counted > 0) {
            return Err(broken(format!(
                "u{user} has {listed:?} unread of u{peer} in its list and {counted} at login"
            )));
        }
        if listed.is_some() && !(least..=most).contains(&counted) {
            return Err(broken(format!(
                "u{user} has {counted} unread of u{peer}, right are {least} to {most}; {}",
                self.describe(user, peer, pair)
            )));
        }
        if listed.is_none() && least > 0 {
            return Err(broken(format!("u{user} has {least} unread of u{peer} and no list entry")));
        }
        Ok(())
    }

    /// What one device sent to one peer is stored in the order of its decisions, and what was sent after
    /// an answer stands behind what was answered.
    fn check_order_of_senders(&self) -> Check {
        for stored in self.ledger.stored.values() {
            let mut last_of: BTreeMap<(usize, usize), u32> = BTreeMap::new();
            let mut latest_sent: BTreeMap<usize, Step> = BTreeMap::new();
            for (number, _) in stored {
                let message = self.ledger.message(*number)?;
                if let Author::Device(device) = message.author
                    && let Some(before) = last_of.insert((device, message.to), *number)
                    && before > *number
                    && !message.repeated
                {
                    return Err(broken(format!(
                        "device {device} sent {number} before {before}, stored behind it"
                    )));
                }
                let latest = latest_sent.entry(message.from).or_default();
                // Of one that is stored with an old and a new account the answer may be the other's.
                let is_one = self.ledger.times_stored(*number) == 1;
                if is_one && message.acked != NEVER && message.acked < *latest {
                    return Err(broken(format!(
                        "message {number} was answered in step {}, and stands behind one that was \
                         sent in step {latest}",
                        message.acked
                    )));
                }
                *latest = (*latest).max(message.sent);
            }
        }
        Ok(())
    }

    /// A device that is logged in knows everything that became durable since, and counts right.
    fn check_device(&self, device: usize, view: &View, views: &BTreeMap<usize, View>) -> Check {
        let own = &self.devices[device];
        let Some(session) = &own.session else { return Ok(()) };
        for (number, message) in (0_u32..).zip(&self.ledger.messages) {
            let Some(durable) = message.durable.filter(|durable| durable.step > own.since) else {
                continue;
            };
            let peer = if message.from == own.user { message.to } else { message.from };
            let to_me = message.to == own.user;
            let from_me = message.from == own.user && message.synced;
            let by_me = message.author == Author::Device(device);
            if !(to_me || from_me) || by_me || own.gaps.contains(&peer) {
                continue;
            }
            // With an account that is gone its conversations are, too.
            let Some(other) = views.get(&peer) else { continue };
            if durable.pair != pair_of(view.tiny_id, other.tiny_id) {
                continue;
            }
            let fired = own.fired.get(&number).copied().unwrap_or(0);
            let deleted = self.is_deleted(own.user, peer, number)
                || self.ledger.is_changed(number, ChangeKind::Delete(own.user)) != Truth::No;
            if fired == 0 && !own.seen.contains(&number) && !deleted {
                return Err(broken(format!(
                    "device {device} never hears of message {number}, durable {durable:?}"
                )));
            }
        }
        for peer in view.listed.keys() {
            let Some(other) = views.get(peer) else { continue };
            let pair = pair_of(view.tiny_id, other.tiny_id);
            // What a device has sent itself it is not told, not even if it never got the answer; nor what a
            // backend has sent in its user's name and hidden from him.
            let others = |number: u32| {
                let message = &self.ledger.messages[number as usize];
                let hidden = message.hidden_from_sender && message.from == own.user;
                message.author != Author::Device(device) && !hidden
            };
            let stored = self.ledger.stored.get(&pair).into_iter().flatten();
            let is_current = self.ledger.is_only_pair(pair, own.user, *peer)
                && stored.into_iter().any(|(number, _)| others(*number))
                && !own.uncounted;
            if is_current && !own.conversations.contains_key(peer) {
                return Err(broken(format!("device {device} does not list u{peer}")));
            }
        }
        for (peer, conversation) in &own.conversations {
            let Some(other) = views.get(peer) else { continue };
            let pair = pair_of(view.tiny_id, other.tiny_id);
            let (least, most) = self.ledger.unread(own.user, *peer, pair);
            let counted = conversation.counted.max(own.since);
            let is_vague = conversation.vague
                || (own.uncounted && conversation.counted == 0)
                || self.ledger.is_split_second(own.user, *peer, pair)
                // Of deletions on another device it is not told.
                || self.ledger.is_thinned_since(own.user, *peer, counted.min(session.asked))
                || self.is_deleted_since(own.user, *peer, counted.min(session.asked));
            let is_exact = self.ledger.is_only_pair(pair, own.user, *peer) && !is_vague;
            if self.ledger.is_only_pair(pair, own.user, *peer) {
                self.check_known(device, *peer, view)?;
            }
            if is_exact && !(least..=most).contains(&conversation.unread) {
                return Err(broken(format!(
                    "device {device} shows {} unread of u{peer}, right are {least} to {most}; {}",
                    conversation.unread,
                    self.describe(own.user, *peer, pair)
                )));
            }
        }
        Ok(())
    }

    /// What a device remembers of messages is what the store says now.
    fn check_known(&self, device: usize, peer: usize, view: &View) -> Check {
        let own = &self.devices[device];
        let (Some(conversation), Some(history)) =
            (own.conversations.get(&peer), view.history.get(&peer))
        else {
            return Ok(());
        };
        for ((from, _, _, seq, _), known) in &conversation.known {
            let found = history.iter().find(|seen| u64::from(seen.number) + 1 == *seq);
            let Some(seen) = found else { continue };
            if self.ledger.is_changed_unanswered(device, seen.number) {
                continue;
            }
            let is_own = *from == name(own.user);
            let is_right = known.withdrawn == seen.withdrawn
                && (known.withdrawn || known.version == seen.version)
                && (known.withdrawn || !is_own || known.confirmed == seen.confirmed);
            if !is_right {
                return Err(broken(format!(
                    "device {device} remembers {known:?} of u{peer}, and it is {seen:?}"
                )));
            }
        }
        Ok(())
    }

    /// What decides an unread count, for people.
    fn describe(&self, user: usize, peer: usize, pair: (u64, u64)) -> String {
        let marks = self.ledger.marks.iter().filter(|m| (m.reader, m.peer) == (user, peer));
        let marks: Vec<String> = marks
            .map(|m| {
                let (asked, done) = (m.asked, m.done);
                let doubt = if m.doubtful { "?" } else { "" };
                format!("{:?}{doubt} in {asked}, done {done}", m.kind)
            })
            .collect();
        let stored = self.ledger.stored.get(&pair).into_iter().flatten();
        let messages: Vec<String> = stored
            .filter(|(number, _)| {
                let message = &self.ledger.messages[*number as usize];
                message.from == peer && message.counted
            })
            .map(|(number, durable)| format!("{number} at {} in {}", durable.time, durable.step))
            .collect();
        format!("marks {marks:?}, messages {messages:?}")
    }

    fn is_deleted_since(&self, user: usize, peer: usize, step: Step) -> bool {
        self.ledger.marks.iter().any(|mark| {
            matches!(mark.kind, MarkKind::Delete(_))
                && (mark.reader, mark.peer) == (user, peer)
                && mark.over() >= step
        })
    }

    fn is_deleted(&self, user: usize, peer: usize, number: u32) -> bool {
        let durable = self.ledger.messages[number as usize].durable;
        durable.is_some_and(|durable| {
            self.ledger.marks.iter().any(|mark| {
                matches!(mark.kind, MarkKind::Delete(_))
                    && (mark.reader, mark.peer) == (user, peer)
                    && durable.step <= mark.over()
            })
        })
    }

    /// Marks that a crash may have lost are from now on what the store says, and so are changes without an
    /// answer.
    fn follow_the_store(&mut self, views: &BTreeMap<usize, View>) {
        for change in self.ledger.changes.iter_mut().filter(|c| c.done == Truth::Perhaps) {
            let message = &self.ledger.messages[change.message as usize];
            let seen = [(message.from, message.to), (message.to, message.from)].map(|(a, b)| {
                let history = views.get(&a).and_then(|view| view.history.get(&b));
                history.map(|history| history.iter().find(|seen| seen.number == change.message))
            });
            let is_withdrawn = |seen: &Option<Option<&Seen>>| seen.flatten().map(|s| s.withdrawn);
            if change.kind == ChangeKind::Withdraw
                && let Some(withdrawn) = seen.iter().find_map(is_withdrawn)
            {
                change.done = if withdrawn { Truth::Yes } else { Truth::No };
            }
        }
        for mark in self.ledger.marks.iter_mut().filter(|mark| mark.doubtful) {
            let read = views.get(&mark.peer).and_then(|view| view.peer_read.get(&mark.reader));
            if let (MarkKind::Read(through), Some(read)) = (mark.kind, read)
                && *read > through
            {
                mark.doubtful = false;
            }
        }
    }
}

fn pair_of(a: u64, b: u64) -> (u64, u64) {
    (a.min(b), a.max(b))
}
