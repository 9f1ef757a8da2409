//! What becomes of group messages: recalled, modified, taken out of one member's history. What is asked for, what of it
//! became durable, and how the answers, pushes, histories and memories of devices are compared with that.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::device::{Context, Device, Purpose, Stage, list, message_in, name, number, text};
use crate::disk::{Overlay, marked};
use crate::groups::{
    Deed, Fact, Groups, Incarnation, Membership, What, group_name, group_of, is_meeting,
};
use crate::in_groups::random;
use crate::ledger::{NEVER, Step, Truth};
use crate::server::is_internal;
use crate::sim::{BackendWork, Sim, USERS};
use crate::{Broken, Check, broken};

/// What a place of a history shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Tip,
    /// A message as it was sent.
    Sent(u32),
    /// What a modification made of it.
    Modified(u32),
    Recalled,
}

impl Shown {
    /// Of an answer or a push.
    pub(crate) fn of(item: &Value) -> Result<Self, Broken> {
        if item["MsgBody"].is_object() || number(item, "IsSystemMsg") == 1 {
            return Ok(Self::Tip);
        }
        if number(item, "IsPlaceMsg") == 2 {
            return Ok(Self::Recalled);
        }
        let body = text(&item["MsgBody"][0]["MsgContent"], "Text");
        match marked(body.as_bytes(), MODIFICATION) {
            Some(change) => Ok(Self::Modified(change)),
            None => message_in(item).map(Self::Sent),
        }
    }

    /// The message, if it is as it was sent.
    pub(crate) fn sent(self) -> Option<u32> {
        if let Self::Sent(message) = self { Some(message) } else { None }
    }
}

/// Around the numbers of modifications in texts, and of recalls in their reasons.
pub(crate) const MODIFICATION: u8 = b'?';
pub(crate) const RECALL: u8 = b'!';

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changing {
    Recall,
    Modify,
    /// Out of the history of whoever asks.
    Delete,
}

/// A change that was asked for; its number is its place in the list.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) group: usize,
    pub(crate) seq: u64,
    pub(crate) changing: Changing,
    /// A backend if nobody.
    pub(crate) by: Option<usize>,
    pub(crate) asked: Step,
    pub(crate) over: Step,
    pub(crate) done: Truth,
}

/// What has become of a stored message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Became {
    pub(crate) recalled: Option<Step>,
    /// Nobody was told.
    pub(crate) is_silent: bool,
    pub(crate) modified: Vec<(Step, u32)>,
}

impl Incarnation {
    /// What a place shows now.
    pub(crate) fn shows(&self, seq: u64) -> Option<Shown> {
        let stored = self.at(seq)?;
        let Some(message) = stored.message else { return Some(Shown::Tip) };
        let became = &stored.became;
        Some(match (became.recalled, became.modified.last()) {
            (Some(_), _) => Shown::Recalled,
            (None, Some((_, change))) => Shown::Modified(*change),
            (None, None) => Shown::Sent(message),
        })
    }

    /// Whether a place may have been shown so at some time since `from`.
    pub(crate) fn may_show(&self, seq: u64, shown: Shown, from: Step) -> bool {
        let Some(stored) = self.at(seq) else { return false };
        let became = &stored.became;
        let is_over = |end: Option<Step>| end.is_some_and(|end| end <= from);
        match shown {
            Shown::Tip => stored.message.is_none(),
            Shown::Recalled => became.recalled.is_some(),
            Shown::Sent(message) => {
                let end = became.modified.first().map(|(step, _)| *step).or(became.recalled);
                stored.message == Some(message) && !is_over(end)
            }
            Shown::Modified(change) => {
                let place = became.modified.iter().position(|(_, other)| *other == change);
                place.is_some_and(|place| {
                    let next = became.modified.get(place + 1).map(|(step, _)| *step);
                    !is_over(next.or(became.recalled))
                })
            }
        }
    }
}

impl Groups {
    /// An overlay became durable: what it says was asked for, and whoever asked for it could.
    pub(crate) fn overlaid(
        &mut self,
        group: usize,
        place: usize,
        seq: u64,
        overlay: Overlay,
        step: Step,
    ) -> Check {
        let (own, from) = {
            let own = self.of(group).nth(place).expect("just found");
            let message = own.at(seq).and_then(|stored| stored.message);
            let Some(message) = message else {
                return Err(broken(format!("{overlay:?} lies over {seq} of g{group}, no message")));
            };
            (own.at(seq).expect("just found").became.clone(), self.message(message)?.from)
        };
        if own.recalled.is_some() {
            return Err(broken(format!("{seq} of g{group} is recalled already: {overlay:?}")));
        }
        if let Overlay::Recalled(Some(change)) | Overlay::Modified(change) = overlay {
            let asked = self.changes.get(change as usize).cloned();
            let changing = match overlay {
                Overlay::Recalled(_) => Changing::Recall,
                Overlay::Modified(_) => Changing::Modify,
            };
            let is_it = |a: &Asked| (a.group, a.seq, a.changing) == (group, seq, changing);
            let Some(asked) = asked.filter(is_it) else {
                return Err(broken(format!("nobody asked for {overlay:?} of {seq} of g{group}")));
            };
            if let Some(by) = asked.by {
                let may_be = |fact| self.may_be(group, fact, true, asked.asked, step);
                let manages = may_be(Fact::Manages(by));
                let may = changing == Changing::Modify || by == from || manages;
                if !may_be(Fact::Member(by)) || !may {
                    return Err(broken(format!(
                        "u{by} may not do {overlay:?} to {seq} of g{group}, which u{from} has sent"
                    )));
                }
            }
        }
        let became = self.became_mut(group, place, seq).expect("just found");
        match overlay {
            Overlay::Recalled(change) => {
                (became.recalled, became.is_silent) = (Some(step), change.is_none());
            }
            Overlay::Modified(change) => became.modified.push((step, change)),
        }
        Ok(())
    }

    pub(crate) fn change(&mut self, asked: Asked) -> usize {
        self.changes.push(asked);
        self.changes.len() - 1
    }

    /// A change is answered.
    pub(crate) fn change_answered(&mut self, change: usize, done: Truth, step: Step) {
        let change = &mut self.changes[change];
        (change.done, change.over) = (done, step);
    }

    /// Whether a member has taken a message of the present group out of his history before `from`; perhaps, if that was
    /// under way then.
    pub(crate) fn is_deleted(&self, group: usize, user: usize, seq: u64, from: Step) -> Truth {
        let Some(own) = self.newest(group) else { return Truth::No };
        let mut truth = Truth::No;
        for asked in self.changes.iter().filter(|asked| {
            (asked.group, asked.by, asked.seq) == (group, Some(user), seq)
                && asked.changing == Changing::Delete
                && asked.done != Truth::No
                && asked.over >= own.born
        }) {
            // Another account of that name sees it all.
            let goes = |deed: &Deed| {
                deed.what == What::Gone(user) && deed.done != Truth::No && deed.over >= asked.asked
            };
            let is_gone = self.deeds.iter().any(goes);
            let is_sure = asked.done == Truth::Yes && asked.over <= from && asked.asked > own.born;
            if is_sure && !is_gone {
                return Truth::Yes;
            }
            truth = Truth::Perhaps;
        }
        truth
    }

    /// A member's history is the places from `first` on, as they are shown now, without those that he has taken out.
    pub(crate) fn check_history_of(
        &self,
        group: usize,
        user: usize,
        first: u64,
        history: &[(u64, Shown)],
    ) -> Check {
        let own = self.newest(group).cloned().unwrap_or_default();
        let mut shown: BTreeMap<u64, Shown> = history.iter().copied().collect();
        let in_order = history.is_sorted_by(|a, b| a.0 < b.0);
        for (seq, _) in own.places().filter(|(seq, _)| *seq > first) {
            let deleted = self.is_deleted(group, user, seq, Step::MAX);
            let fits = match (shown.remove(&seq), deleted) {
                (None, Truth::Yes | Truth::Perhaps) => true,
                (Some(shown), Truth::No | Truth::Perhaps) => own.shows(seq) == Some(shown),
                (None, Truth::No) | (Some(_), Truth::Yes) => false,
            };
            if !fits || !in_order {
                return Err(broken(format!(
                    "u{user} reads {history:?} of g{group} above {first}; {seq} is {:?}, deleted {deleted:?}",
                    own.at(seq)
                )));
            }
        }
        match shown.into_iter().next() {
            Some(more) => {
                Err(broken(format!("u{user} reads {more:?} of g{group}, and should not")))
            }
            None => Ok(()),
        }
    }
}

/// A message that a device has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remembered {
    message: u32,
    version: u64,
    pub(crate) shown: Shown,
}

impl Device {
    /// What a push of groups makes of what the device has.
    pub(crate) fn group_changed(&mut self, event: &Value) -> Check {
        for item in list(event, "GroupMsgArray") {
            let (group, seq) = (group_of(&text(item, "ToGroupId"))?, number(item, "MsgSeq"));
            if let Shown::Sent(message) = Shown::of(item)? {
                self.remember_in_group(group, seq, message);
            }
        }
        for item in list(event, "GroupTips").filter(|_| number(event, "Event") == 5) {
            for info in list(&item["MsgBody"], "GroupWithdrawInfoArray") {
                let group = group_of(&text(info, "GroupId"))?;
                let sent_as = number(info, "MsgRandom");
                if let Some(had) = self.groups.has.get_mut(&(group, number(info, "MsgSeq")))
                    && u64::from(random(had.message)) == sent_as
                {
                    had.shown = Shown::Recalled;
                }
            }
        }
        for item in list(event, "GroupMsgModNotifys") {
            let group = group_of(&text(item, "GroupId"))?;
            self.modified(group, item, number(item, "MsgRandom"))?;
        }
        Ok(())
    }

    fn modified(&mut self, group: usize, item: &Value, sent_as: u64) -> Check {
        let (version, shown) = (number(item, "MsgVersion"), Shown::of(item)?);
        if let Some(had) = self.groups.has.get_mut(&(group, number(item, "MsgSeq")))
            && u64::from(random(had.message)) == sent_as
            && had.version < version
            && had.shown != Shown::Recalled
        {
            (had.version, had.shown) = (version, shown);
        }
        Ok(())
    }

    /// A message that it has already stays as it is.
    pub(crate) fn remember_in_group(&mut self, group: usize, seq: u64, message: u32) {
        let new = Remembered { message, version: 0, shown: Shown::Sent(message) };
        let had = self.groups.has.entry((group, seq)).or_insert(new);
        if had.message != message {
            *had = new;
        }
    }

    pub(crate) fn group_change_answered(
        &mut self,
        change: usize,
        body: &Value,
        context: &mut Context<'_>,
    ) -> Check {
        let asked = context.ledger.groups.changes[change].clone();
        let code = number(&body["RecallRetList"][0], "RetCode");
        let done = if code == 0 { Truth::Yes } else { Truth::No };
        context.ledger.groups.change_answered(change, done, context.step);
        let Some(had) = self.groups.has.get_mut(&(asked.group, asked.seq)) else { return Ok(()) };
        match asked.changing {
            Changing::Recall if code == 0 => had.shown = Shown::Recalled,
            Changing::Modify => {
                let (version, shown) = (number(body, "MsgVersion"), Shown::of(body)?);
                if had.version < version && had.shown != Shown::Recalled {
                    (had.version, had.shown) = (version, shown);
                }
            }
            Changing::Recall | Changing::Delete => {}
        }
        Ok(())
    }
}

impl Sim {
    fn asks_for_change(
        &mut self,
        group: usize,
        seq: u64,
        changing: Changing,
        by: Option<usize>,
    ) -> usize {
        self.note(|| format!("{by:?} asks for {changing:?} of {seq} in g{group}"));
        let (asked, over, done) = (self.step, NEVER, Truth::Perhaps);
        self.ledger.groups.change(Asked { group, seq, changing, by, asked, over, done })
    }

    /// One of the messages that the device has is changed.
    pub(crate) fn device_changes_in_group(&mut self, device: usize, group: usize) {
        let own = &self.devices[device];
        let (user, of_group) = (own.user, (group, 0)..(group + 1, 0));
        let had: Vec<(u64, Remembered)> =
            own.groups.has.range(of_group).map(|((_, seq), had)| (*seq, *had)).collect();
        let Some((seq, had)) = self.dice.pick(&had) else { return };
        let changing = match self.dice.below(3) {
            0 => Changing::Recall,
            1 => Changing::Modify,
            _ => Changing::Delete,
        };
        let change = self.asks_for_change(group, seq, changing, Some(user));
        let id = group_name(group);
        let (servcmd, body) = match changing {
            Changing::Recall => (
                "group_open_http_svc.group_msg_recall",
                json!({"GroupId": id, "MsgSeqList": [{"MsgSeq": seq}], "Reason": format!("!{change}!")}),
            ),
            Changing::Modify => (
                "openim.modify_group_msg",
                json!({
                    "GroupId": id, "MsgSeq": seq, "MsgVersion": had.version,
                    "MsgBody": modified_body(change),
                }),
            ),
            Changing::Delete => (
                "group_open_http_svc.delete_group_ramble_msg_by_seq",
                json!({"GroupId": id, "Deleter_Account": name(user), "Seqs": [seq]}),
            ),
        };
        self.with_device(device, |device, context| {
            device.ask(context, servcmd, body, Purpose::GroupChange { change });
        });
    }

    pub(crate) fn backend_changes_in_group(&mut self, group: usize) {
        let last = self.ledger.groups.newest(group).map_or(0, Incarnation::last);
        if last == 0 {
            return;
        }
        let (id, seq) = (group_name(group), 1 + self.dice.below(last as usize) as u64);
        match self.dice.below(10) {
            0..5 => {
                let change = self.asks_for_change(group, seq, Changing::Recall, None);
                let body = json!({
                    "GroupId": id, "MsgSeqList": [{"MsgSeq": seq}], "Reason": format!("!{change}!"),
                });
                let work = BackendWork::GroupChange(change);
                self.call("group_open_http_svc/group_msg_recall", body, work);
            }
            5..9 => {
                let change = self.asks_for_change(group, seq, Changing::Modify, None);
                let body = json!({"GroupId": id, "MsgSeq": seq, "MsgBody": modified_body(change)});
                self.call("openim/modify_group_msg", body, BackendWork::GroupChange(change));
            }
            _ => {
                let user = name(self.dice.below(USERS));
                let body = json!({"GroupId": id, "Sender_Account": user});
                let path = "group_open_http_svc/delete_group_msg_by_sender";
                self.call(path, body, BackendWork::Other);
            }
        }
    }

    pub(crate) fn backend_change_answered(
        &mut self,
        change: usize,
        path: &str,
        answer: Result<&Value, i64>,
    ) {
        let done = match answer {
            Err(code) if is_internal(&path.replace('/', "."), code) => Truth::Perhaps,
            Err(_) => Truth::No,
            Ok(answer) if number(&answer["RecallRetList"][0], "RetCode") != 0 => Truth::No,
            Ok(_) => Truth::Yes,
        };
        self.ledger.groups.change_answered(change, done, self.step);
    }

    /// What is told of a change is durable.
    pub(crate) fn check_change_event(&self, event: &Value) -> Check {
        let told = |item: &Value, fits: &dyn Fn(&Became) -> bool| -> Check {
            let (group, seq) = (group_of(&text(item, "GroupId"))?, number(item, "MsgSeq"));
            let mut of_group = self.ledger.groups.of(group);
            if of_group.any(|own| own.at(seq).is_some_and(|stored| fits(&stored.became))) {
                return Ok(());
            }
            Err(broken(format!("a change is told that is not durable: {item}")))
        };
        for item in list(event, "GroupTips").filter(|_| number(event, "Event") == 5) {
            for info in list(&item["MsgBody"], "GroupWithdrawInfoArray") {
                told(info, &|became| became.recalled.is_some() && !became.is_silent)?;
            }
        }
        for item in list(event, "GroupMsgModNotifys") {
            let Shown::Modified(change) = Shown::of(item)? else {
                return Err(broken(format!("a modification without its number: {item}")));
            };
            told(item, &|became| became.modified.iter().any(|(_, other)| *other == change))?;
        }
        Ok(())
    }

    /// What was acknowledged is there.
    pub(crate) fn check_changes(&self) -> Check {
        let groups = &self.ledger.groups;
        for (change, asked) in (0..).zip(&groups.changes) {
            let is_there = groups.of(asked.group).any(|own| {
                let became = own.at(asked.seq).map(|stored| &stored.became);
                became.is_some_and(|became| match asked.changing {
                    Changing::Recall => became.recalled.is_some(),
                    Changing::Modify => became.modified.iter().any(|(_, other)| *other == change),
                    Changing::Delete => true,
                })
            });
            if asked.done == Truth::Yes && !is_there {
                return Err(broken(format!(
                    "change {change} is acknowledged, and not there: {asked:?}"
                )));
            }
        }
        Ok(())
    }

    /// A device that is connected shows its messages as they are now.
    pub(crate) fn check_remembered_in_groups(&self, device: usize) -> Check {
        let own = &self.devices[device];
        let is_linked = own.link.is_some_and(|id| self.links.contains_key(&id));
        if !is_linked || own.stage != Stage::Ready {
            return Ok(());
        }
        let groups = &self.ledger.groups;
        for ((group, seq), had) in &own.groups.has {
            let Some(history) = groups.newest(*group) else { continue };
            let Some(stored) = history.at(*seq).filter(|s| s.message == Some(had.message)) else {
                continue;
            };
            let became = &stored.became;
            let last = became.modified.iter().map(|(step, _)| *step).chain(became.recalled).max();
            // Who was out then is not told, nor who does not see it any more, nor anybody of what is recalled silently.
            let is_deleted = groups.is_deleted(*group, own.user, *seq, Step::MAX) != Truth::No;
            let sees =
                |member: &&Membership| !is_deleted && (*seq > member.after || is_meeting(*group));
            let member = history.member(own.user).filter(sees);
            let is_told = |step: Step| member.is_some_and(|m| m.joined < step);
            if became.is_silent || !last.is_none_or(is_told) {
                continue;
            }
            if history.shows(*seq) != Some(had.shown) {
                return Err(broken(format!(
                    "device {device} shows {had:?} at {seq} of g{group}, right is {became:?}"
                )));
            }
        }
        Ok(())
    }

    /// The last message that a list shows is recalled if it is said to be.
    pub(crate) fn check_last_shown(&self, group: usize, user: usize, item: &Value) -> Check {
        let groups = &self.ledger.groups;
        let Some(own) = groups.newest(group) else { return Ok(()) };
        let is_recalled = number(item, "LastMsgFlags") == 2;
        for (seq, _) in own.places().rev() {
            match groups.is_deleted(group, user, seq, Step::MAX) {
                Truth::Yes => {}
                Truth::Perhaps => return Ok(()),
                Truth::No if (own.shows(seq) == Some(Shown::Recalled)) == is_recalled => {
                    return Ok(());
                }
                Truth::No => {
                    return Err(broken(format!(
                        "u{user} has in its list as last of g{group} {item}; {seq} is {:?}",
                        own.at(seq)
                    )));
                }
            }
        }
        Ok(())
    }
}

fn modified_body(change: usize) -> Value {
    json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": format!("?{change}?")}}])
}
