//! Groups: first the groups themselves, then what was said in each, then who is in: a member sees what was said
//! since he came.

use std::collections::BTreeMap;

use crate::Migration;
use crate::error::MigrateError;
use crate::journal::Record;
use crate::read::{self, Group, MESSAGES_A_PAGE, Member, Members};
use crate::report::Kind;
use crate::write::{self, MESSAGES_A_CALL};

/// Pages that are read back to count what members have not read.
const TAIL_PAGES_MAX: u64 = 50;

impl Migration {
    /// All groups, without what is in them. Those that can be filled.
    pub(crate) async fn groups(&self) -> Result<Vec<Group>, MigrateError> {
        let all = read::all_groups(&self.source).await?;
        let make = self.in_parallel(all.clone(), async |group: Group| self.make(&group).await);
        make.await?;
        let there =
            |group: &Group| !group.is_live_room() && self.journal.has_group(&group.group_id);
        Ok(all.into_iter().filter(there).collect())
    }

    async fn make(&self, group: &Group) -> Result<(), MigrateError> {
        let id = &group.group_id;
        if group.error_code != 0 || self.journal.has_group(id) {
            return Ok(());
        }
        self.ensure([group.owner.as_str()]).await?;
        match write::group(&self.target, group).await {
            Ok(()) => {
                self.report.count(Kind::Groups, 1);
                self.journal.note(Record::Group(id.clone()))
            }
            Err(error) if error.code().is_some() => {
                self.report.leave_out(1, "groups that were refused", format!("{id} ({error})"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What was said in groups, and who is in them.
    pub(crate) async fn contents(&self, groups: Vec<Group>) -> Result<(), MigrateError> {
        let fill = self.in_parallel(groups, async |group: Group| {
            self.history(&group, group.last_seq(), BTreeMap::new()).await?;
            self.members(&group).await
        });
        fill.await
    }

    /// What was said in a group, from where it is at the target up to number `last`: what the source's history still
    /// has, and of `archived` what it has not any more.
    pub(crate) async fn history(
        &self,
        group: &Group,
        last: u64,
        mut archived: BTreeMap<u64, read::GroupMessage>,
    ) -> Result<(), MigrateError> {
        let id = &group.group_id;
        let mut seq = self.journal.through(id).seq;
        while seq < last {
            let through = (seq + MESSAGES_A_PAGE).min(last);
            let later = archived.split_off(&(through + 1));
            let mut page = std::mem::replace(&mut archived, later);
            page.retain(|number, _| *number > seq);
            for message in read::group_messages(&self.source, id, (seq + 1, through)).await? {
                // The history knows more of a message than an archive, and that it was recalled.
                if !message.is_expired() || !page.contains_key(&message.msg_seq) {
                    page.insert(message.msg_seq, message);
                }
            }
            self.import(group, page.into_values(), through).await?;
            seq = through;
        }
        Ok(())
    }

    /// Writes messages of a group, in their order, behind those that are there. Then all up to number `through` of the
    /// source are there.
    async fn import(
        &self,
        group: &Group,
        messages: impl Iterator<Item = read::GroupMessage>,
        through: u64,
    ) -> Result<(), MigrateError> {
        let id = &group.group_id;
        let mut time = self.journal.through(id).time.max(group.create_time);
        let mut list = Vec::new();
        for message in messages {
            if let Some(obstacle) = message.obstacle() {
                let what = format!("{id} {}", message.msg_seq);
                self.report.leave_out(1, obstacle, what);
                continue;
            }
            if message.time < time {
                let what = format!("{id} {}", message.msg_seq);
                self.report.leave_out(1, "seconds that went back within a group", what);
            }
            list.extend(imported(message, &mut time));
        }
        self.ensure(list.iter().map(|(_, message)| message.from.as_str())).await?;
        while !list.is_empty() {
            let rest = list.split_off(list.len().min(MESSAGES_A_CALL));
            let (seqs, call): (Vec<u64>, Vec<write::GroupMessage>) = list.into_iter().unzip();
            let results = write::group_messages(&self.target, id, &call).await?;
            for (seq, stored) in seqs.iter().zip(&results) {
                if stored.result == 0 {
                    self.report.count(Kind::GroupMessages, 1);
                } else {
                    let reason = format!("group messages that were refused with {}", stored.result);
                    let what = format!("{id} {seq} ({})", stored.error_info);
                    self.report.leave_out(1, reason, what);
                }
            }
            list = rest;
        }
        self.journal.note(Record::Messages { group: id.clone(), through, time })
    }

    async fn members(&self, group: &Group) -> Result<(), MigrateError> {
        let id = &group.group_id;
        if self.journal.has_members(id) {
            return Ok(());
        }
        let mut pages = Members::of(&self.source, group);
        let mut tail = Tail::default();
        loop {
            let page = pages.page().await?;
            if page.is_empty() {
                return self.journal.note(Record::Members(id.clone()));
            }
            self.ensure(page.iter().map(|member| member.user.as_str())).await?;
            let mut members = Vec::new();
            for member in page {
                let unread = self.unread(group, &member, &mut tail).await?;
                members.push((member, unread));
            }
            self.write_members(group, members).await?;
        }
    }

    async fn write_members(
        &self,
        group: &Group,
        members: Vec<(Member, u64)>,
    ) -> Result<(), MigrateError> {
        let id = &group.group_id;
        let (owners, others): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|(member, _)| member.user == group.owner);
        for owner in &owners {
            write::owner(&self.target, id, owner).await?;
        }
        let mut failed = Vec::new();
        if !others.is_empty() {
            failed = match write::members(&self.target, id, &others).await {
                Ok(failed) => failed,
                Err(error) if error.code().is_some() => {
                    let what = format!("{id} ({error})");
                    let count = others.len() as u64;
                    self.report.leave_out(count, "members that were refused", what);
                    others.iter().map(|(member, _)| member.user.clone()).collect()
                }
                Err(error) => return Err(error.into()),
            };
            for user in &failed {
                let what = format!("{user} of {id}");
                self.report.leave_out(1, "members that could not be written", what);
            }
        }
        self.report.count(Kind::Members, owners.len() + others.len() - failed.len());
        Ok(())
    }

    /// How many messages of others a member has not read.
    async fn unread(
        &self,
        group: &Group,
        member: &Member,
        tail: &mut Tail,
    ) -> Result<u64, MigrateError> {
        let last = group.last_seq();
        if !group.counts_unread() || member.msg_seq >= last {
            return Ok(0);
        }
        tail.reach(self, group, member.msg_seq).await?;
        Ok(tail.unread(member))
    }
}

/// A message as it is imported, with its number at the source. Seconds do not go back within a group: one that does
/// gets that of the message before it.
fn imported(message: read::GroupMessage, time: &mut u32) -> Option<(u64, write::GroupMessage)> {
    *time = message.time.max(*time);
    let random = message.random();
    Some((
        message.msg_seq,
        write::GroupMessage {
            from: message.from,
            send_time: *time,
            random,
            msg_priority: priority(message.msg_priority),
            msg_body: message.msg_body?,
            cloud_custom_data: message.cloud_custom_data.unwrap_or_default(),
        },
    ))
}

/// The name of a priority that history numbers.
fn priority(number: u32) -> &'static str {
    match number {
        1 => "High",
        3 => "Low",
        4 => "Lowest",
        _ => "Normal",
    }
}

/// The last messages of a group, as far back as somebody has not read them.
#[derive(Default)]
struct Tail {
    /// Numbers and senders, newest page first.
    messages: Vec<(u64, String)>,
    /// The first number that was looked at; 0: none was.
    first: u64,
}

impl Tail {
    async fn reach(
        &mut self,
        migration: &Migration,
        group: &Group,
        read_through: u64,
    ) -> Result<(), MigrateError> {
        let last = group.last_seq();
        let bound = last.saturating_sub(TAIL_PAGES_MAX * MESSAGES_A_PAGE).max(read_through);
        if self.first == 0 {
            self.first = last + 1;
        }
        while self.first > bound + 1 {
            let page = (self.first.saturating_sub(MESSAGES_A_PAGE).max(1), self.first - 1);
            let messages = read::group_messages(&migration.source, &group.group_id, page).await?;
            let said = messages.into_iter().filter(|message| message.obstacle().is_none());
            self.messages.extend(said.map(|message| (message.msg_seq, message.from)));
            self.first = page.0;
        }
        Ok(())
    }

    /// Of what lies before the messages that were looked at, everything.
    fn unread(&self, member: &Member) -> u64 {
        let of_others = self
            .messages
            .iter()
            .filter(|(seq, from)| *seq > member.msg_seq && *from != member.user)
            .count();
        of_others as u64 + self.first.saturating_sub(member.msg_seq + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(seq: u64, time: u32, random: Option<u32>) -> read::GroupMessage {
        let body = json!({
            "From_Account": "ann", "MsgSeq": seq, "MsgTimeStamp": time, "MsgRandom": random,
            "MsgPriority": 1, "MsgBody": [],
        });
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn seconds_do_not_go_back_and_each_message_can_be_told_from_others() {
        let mut time = 100;
        let times = [(1, 90), (2, 120), (3, 110)].map(|(seq, at)| {
            let (seq_there, message) = imported(message(seq, at, None), &mut time).unwrap();
            assert_eq!((seq_there, u64::from(message.random)), (seq, seq));
            message.send_time
        });
        assert_eq!(times, [100, 120, 120]);
        let (_, sent) = imported(message(9, 130, Some(0)), &mut time).unwrap();
        assert_eq!((sent.random, sent.msg_priority), (0, "High"));
    }

    #[test]
    fn unread_is_what_others_have_said_since() {
        let said = [(5, "ann"), (4, "ben"), (3, "ann")];
        let messages = said.map(|(seq, from)| (seq, from.to_owned())).to_vec();
        let tail = Tail { messages, first: 3 };
        let member =
            |user: &str, msg_seq| Member { user: user.to_owned(), msg_seq, ..Member::default() };
        assert_eq!(tail.unread(&member("ben", 2)), 2);
        assert_eq!(tail.unread(&member("ann", 2)), 1);
        assert_eq!(tail.unread(&member("ann", 4)), 0);
        assert_eq!(tail.unread(&member("eve", 0)), 5, "two that were not looked at");
    }
}
