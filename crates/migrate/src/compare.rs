//! Looks whether both sides have the same: everything that a migration carries over, read from both and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::Migration;
use crate::error::MigrateError;
use crate::people::chunks;
use crate::read::{self, Group, GroupHistory, GroupMessage, Items, Member, Members, PairHistory};

impl Migration {
    /// Compares the two sides; the report names what differs.
    ///
    /// # Errors
    /// One of them cannot be asked. Differences are no errors.
    pub(crate) async fn compare(&self) -> Result<(), MigrateError> {
        let accounts = self.journal.accounts();
        self.report.begin("comparing accounts");
        self.in_parallel(chunks(&accounts), async |ids: Vec<String>| {
            self.compare_profiles(&ids).await
        })
        .await?;
        self.report.begin("comparing relations");
        self.in_parallel(accounts, async |user: String| self.compare_relations(&user).await)
            .await?;
        self.report.begin("comparing groups");
        self.compare_groups().await?;
        self.report.begin("comparing one-to-one messages");
        self.in_parallel(self.journal.pairs(), async |(one, other): (String, String)| {
            self.compare_pair(&one, &other).await
        })
        .await
    }

    async fn compare_profiles(&self, ids: &[String]) -> Result<(), MigrateError> {
        for id in read::missing(&self.target, ids).await? {
            self.report.differ(1, "accounts that are missing", id);
        }
        let tags = &self.plan.profile_tags;
        let here = read::profiles(&self.source, ids, tags).await?;
        let there = read::profiles(&self.target, ids, tags).await?;
        for (id, profile) in &here {
            let other = there.get(id).cloned().unwrap_or_default();
            if told(profile) != told(&other) {
                self.report.differ(1, "profiles", id);
            }
        }
        Ok(())
    }

    async fn compare_relations(&self, user: &str) -> Result<(), MigrateError> {
        let here = self.of_account(user, read::blocked(&self.source, user).await)?;
        let there = self.of_account(user, read::blocked(&self.target, user).await)?;
        self.compare_sets(
            "blocked users",
            user,
            &here.unwrap_or_default(),
            &there.unwrap_or_default(),
        );
        let friends = |friends: Option<Vec<read::Friend>>| -> BTreeMap<String, Items> {
            let friends = friends.into_iter().flatten();
            friends.map(|friend| (friend.user, told(&friend.items))).collect()
        };
        let here = friends(self.of_account(user, read::friends(&self.source, user).await)?);
        let there = friends(self.of_account(user, read::friends(&self.target, user).await)?);
        let names = |friends: &BTreeMap<String, Items>| friends.keys().cloned().collect();
        self.compare_sets("friends", user, &names(&here), &names(&there));
        for (friend, items) in &here {
            if there.get(friend).is_some_and(|other| other != items) {
                self.report.differ(1, "what is known of friends", format!("{user} of {friend}"));
            }
        }
        Ok(())
    }

    fn compare_sets(
        &self,
        what: &str,
        of: impl Display,
        here: &BTreeSet<String>,
        there: &BTreeSet<String>,
    ) {
        for name in here.difference(there) {
            self.report.differ(1, format!("{what} that are missing"), format!("{name} of {of}"));
        }
        for name in there.difference(here) {
            let reason = format!("{what} that only the target has");
            self.report.differ(1, reason, format!("{name} of {of}"));
        }
    }

    async fn compare_groups(&self) -> Result<(), MigrateError> {
        let by_id = |groups: Vec<Group>| -> BTreeMap<String, Group> {
            let there = groups.into_iter().filter(|group| group.error_code == 0);
            there.map(|group| (group.group_id.clone(), group)).collect()
        };
        let here = by_id(read::all_groups(&self.source).await?);
        let there = by_id(read::all_groups(&self.target).await?);
        let names = |groups: &BTreeMap<String, Group>| groups.keys().cloned().collect();
        self.compare_sets("groups", "the app", &names(&here), &names(&there));
        let both = here.into_iter().filter_map(|(id, group)| Some((group, there.get(&id)?)));
        self.in_parallel(both.collect(), async |(here, there): (Group, &Group)| {
            self.compare_group(&here, there).await
        })
        .await
    }

    async fn compare_group(&self, here: &Group, there: &Group) -> Result<(), MigrateError> {
        let id = &here.group_id;
        for (field, differs) in [
            ("Type", here.kind != there.kind),
            ("Name", here.name != there.name),
            ("Introduction", here.introduction != there.introduction),
            ("Notification", here.notification != there.notification),
            ("FaceUrl", here.face_url != there.face_url),
            ("Owner_Account", here.owner != there.owner),
            ("ApplyJoinOption", here.apply_join_option != there.apply_join_option),
            ("InviteJoinOption", here.invite_join_option != there.invite_join_option),
            ("MuteAllMember", here.mute_all_member != there.mute_all_member),
            ("SupportTopic", here.support_topic != there.support_topic),
        ] {
            if differs {
                self.report.differ(1, format!("{field} of groups"), id);
            }
        }
        if here.is_live_room() {
            return Ok(());
        }
        if here.create_time != there.create_time {
            self.report.differ(1, "CreateTime of groups", id);
        }
        if here.max_member_num != there.max_member_num {
            self.report.differ(1, "MaxMemberNum of groups", id);
        }
        self.compare_members(here, there).await?;
        self.compare_messages(here, there).await
    }

    async fn compare_members(&self, here: &Group, there: &Group) -> Result<(), MigrateError> {
        let id = &here.group_id;
        let now = self.plan.started.0;
        let ours = all_members(&mut Members::of(&self.source, here), now).await?;
        let theirs = all_members(&mut Members::of(&self.target, there), now).await?;
        let names = |members: &BTreeMap<String, Member>| members.keys().cloned().collect();
        self.compare_sets("members", id, &names(&ours), &names(&theirs));
        for (user, member) in &ours {
            if theirs.get(user).is_some_and(|other| other != member) {
                self.report.differ(1, "what is known of members", format!("{user} of {id}"));
            }
        }
        Ok(())
    }

    /// Compares two histories, which both run by seconds, second by second.
    async fn compare_messages(&self, here: &Group, there: &Group) -> Result<(), MigrateError> {
        let id = &here.group_id;
        let mut ours = Seconds::of(GroupHistory::of(&self.source, here), here.create_time);
        let mut theirs = Seconds::of(GroupHistory::of(&self.target, there), there.create_time);
        let (mut mine, mut other) = (ours.next().await?, theirs.next().await?);
        let mut only = Vec::new();
        loop {
            let times = [&mine, &other].map(|said| said.first().map(|said| said.time));
            let (take_mine, take_other) = match times {
                [None, None] => break,
                [Some(_), None] => (true, false),
                [None, Some(_)] => (false, true),
                [Some(here), Some(there)] => (here <= there, there <= here),
            };
            let said = if take_mine { std::mem::take(&mut mine) } else { Vec::new() };
            let told = if take_other { std::mem::take(&mut other) } else { Vec::new() };
            self.compare_second(id, &said, told, &mut only);
            if take_mine {
                mine = ours.next().await?;
            }
            if take_other {
                other = theirs.next().await?;
            }
        }
        if let Some(first) = only.first() {
            let what = format!("{} of {id}, from number {first} on", only.len());
            let reason = "group messages that only the target has";
            self.only_there(only.len() as u64, reason, what);
        }
        Ok(())
    }

    /// Compares what was said in one second; the numbers of what only the target has go to `only`.
    fn compare_second(&self, id: &str, said: &[Said], mut told: Vec<Said>, only: &mut Vec<u64>) {
        let mut last = 0;
        for message in said {
            let what = format!("{id} {}", message.seq);
            let Some(place) = told.iter().position(|other| other.is(message)) else {
                self.report.differ(1, "group messages that are missing", what);
                continue;
            };
            let other = told.remove(place);
            if (other.priority, &other.content) != (message.priority, &message.content) {
                self.report.differ(1, "content of group messages", &what);
            }
            if other.seq < last {
                self.report.differ(1, "order of group messages", what);
            }
            last = other.seq;
        }
        only.extend(told.into_iter().map(|other| other.seq));
    }

    async fn compare_pair(&self, one: &str, other: &str) -> Result<(), MigrateError> {
        let mut sides = Vec::new();
        for api in [&self.source, &self.target] {
            let mut said = BTreeMap::new();
            for (own, peer) in [(one, other), (other, one)] {
                let mut pages = PairHistory::of(api, own, peer);
                while let Some(Some(page)) = self.of_account(own, pages.page().await)? {
                    let stays = page.into_iter().filter(|message| !message.is_recalled());
                    said.extend(stays.map(|message| {
                        let content = content(Some(&message.msg_body), &message.cloud_custom_data);
                        (message.key(), (message.from, content))
                    }));
                }
            }
            sides.push(said);
        }
        let what = |key: &(u32, u32, u32)| format!("{one} and {other} at {}", key.0);
        for (key, message) in &sides[0] {
            match sides[1].get(key) {
                Some(there) if there == message => {}
                Some(_) => self.report.differ(1, "content of one-to-one messages", what(key)),
                None => self.report.differ(1, "one-to-one messages that are missing", what(key)),
            }
        }
        for key in sides[1].keys().filter(|key| !sides[0].contains_key(key)) {
            self.only_there(1, "one-to-one messages that only the target has", what(key));
        }
        Ok(())
    }

    fn only_there(&self, count: u64, reason: &str, what: String) {
        match self.journal.has_archives() {
            true => self.report.keep(count, reason, what),
            false => self.report.differ(count, reason, what),
        }
    }
}

/// Members by name, without what is another matter at each side: how far somebody has read is a number of
/// messages there, and mutes that have ended are none.
async fn all_members(
    pages: &mut Members<'_>,
    now: u32,
) -> Result<BTreeMap<String, Member>, MigrateError> {
    let mut members = BTreeMap::new();
    loop {
        let page = pages.page().await?;
        if page.is_empty() {
            return Ok(members);
        }
        members.extend(page.into_iter().map(|member| {
            let mute_until = if member.mute_until > now { member.mute_until } else { 0 };
            (member.user.clone(), Member { msg_seq: 0, mute_until, ..member })
        }));
    }
}

/// Items that say something: what is empty may be left out.
fn told(items: &Items) -> Items {
    let says_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Object(_) => false,
    };
    let told = items.iter().filter(|(_, value)| !says_nothing(value));
    told.map(|(tag, value)| (tag.clone(), value.clone())).collect()
}

/// What a message says, however it is written.
fn content(body: Option<&RawValue>, cloud_custom_data: &Option<String>) -> (Value, String) {
    let body = body.and_then(|body| serde_json::from_str(body.get()).ok()).unwrap_or_default();
    (body, cloud_custom_data.clone().unwrap_or_default())
}

/// A message of a group, as far as it is compared.
struct Said {
    seq: u64,
    from: String,
    time: u32,
    random: u32,
    priority: u32,
    content: (Value, String),
}

impl Said {
    fn of(message: GroupMessage, time: u32) -> Self {
        Self {
            seq: message.msg_seq,
            random: message.random(),
            content: content(message.msg_body.as_deref(), &message.cloud_custom_data),
            from: message.from,
            time,
            priority: message.msg_priority,
        }
    }

    /// Whether it is the same message of one second, whatever it says.
    fn is(&self, other: &Self) -> bool {
        (&self.from, self.random) == (&other.from, other.random)
    }
}

/// Reads a history second by second. A second that goes back counts as the one before it, as it does when it is
/// carried over.
struct Seconds<'a> {
    history: GroupHistory<'a>,
    time: u32,
    /// Read already, of the next second.
    next: Option<Said>,
}

impl<'a> Seconds<'a> {
    fn of(history: GroupHistory<'a>, created: u32) -> Self {
        Self { history, time: created, next: None }
    }

    /// What was said in the next second in which something was; empty at the end.
    async fn next(&mut self) -> Result<Vec<Said>, MigrateError> {
        let mut said: Vec<Said> = self.next.take().into_iter().collect();
        while let Some(message) = self.history.next().await? {
            self.time = self.time.max(message.time);
            let message = Said::of(message, self.time);
            if said.first().is_some_and(|first| first.time != message.time) {
                self.next = Some(message);
                break;
            }
            said.push(message);
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_says_nothing_is_not_compared() {
        let items: Items = [("a", json!("")), ("b", json!(0)), ("c", json!([])), ("d", json!("x"))]
            .map(|(tag, value)| (tag.to_owned(), value))
            .into();
        assert_eq!(told(&items), Items::from([("d".to_owned(), json!("x"))]));
    }

    #[test]
    fn messages_are_told_apart() {
        let said = |from: &str, random| Said {
            seq: 1,
            from: from.to_owned(),
            time: 100,
            random,
            priority: 2,
            content: (json!("hi"), String::new()),
        };
        assert!(said("ann", 7).is(&said("ann", 7)));
        assert!(!said("ann", 7).is(&said("ann", 8)) && !said("ann", 7).is(&said("ben", 7)));
    }
}
