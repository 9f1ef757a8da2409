//! What the simulation knows to be true of groups. The store says in which order messages, comings and
//! goings became durable; what was asked for and answered says what has to be there.

use std::collections::BTreeMap;

use crate::disk::GroupWrite;
use crate::group_changes::{Asked, Became};
use crate::ledger::{Author, NEVER, Step, Truth};
use crate::{Broken, Check, broken};

pub(crate) const GROUPS: usize = 3;

/// A group's id.
pub(crate) fn group_name(group: usize) -> String {
    format!("g{group}")
}

/// The group of an id.
pub(crate) fn group_of(name: &str) -> Result<usize, Broken> {
    let number = name.strip_prefix('g').and_then(|number| number.parse().ok());
    number.filter(|n| *n < GROUPS).ok_or_else(|| broken(format!("{name} is no group")))
}

/// One of them is a Meeting: without tips and counts, and newcomers see everything.
pub(crate) fn is_meeting(group: usize) -> bool {
    group == 1
}

/// A message to a group, from the moment somebody decided to send it.
#[derive(Debug, Clone)]
pub(crate) struct GroupMessage {
    pub(crate) group: usize,
    pub(crate) from: usize,
    pub(crate) author: Author,
    pub(crate) counted: bool,
    pub(crate) sent: Step,
    /// Sent again: it may be in the group that was made again, too.
    pub(crate) repeated: bool,
}

/// One place of a group's history: a message, or a tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) message: Option<u32>,
    pub(crate) step: Step,
    pub(crate) became: Became,
}

/// Somebody's time in a group, in terms of its history.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    pub(crate) user: usize,
    /// As the store calls it.
    number: u64,
    /// Sequence number before which he came.
    pub(crate) after: u64,
    /// The last one that was his.
    pub(crate) until: u64,
    pub(crate) joined: Step,
}

/// A group under an id, until it is dismissed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Incarnation {
    pub(crate) stored: Vec<Stored>,
    pub(crate) memberships: Vec<Membership>,
    pub(crate) born: Step,
    /// The latest decision to send of all that is stored: what follows was accepted later.
    newest: Step,
}

impl Incarnation {
    pub(crate) fn last(&self) -> u64 {
        self.stored.len() as u64
    }

    pub(crate) fn at(&self, seq: u64) -> Option<&Stored> {
        self.stored.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// Everything with its sequence number.
    pub(crate) fn places(&self) -> impl DoubleEndedIterator<Item = (u64, &Stored)> {
        self.stored.iter().enumerate().map(|(place, stored)| (place as u64 + 1, stored))
    }

    /// How much was there at a step.
    pub(crate) fn last_at(&self, step: Step) -> u64 {
        self.stored.partition_point(|stored| stored.step <= step) as u64
    }

    pub(crate) fn was_member(&self, user: usize, seq: u64) -> bool {
        self.memberships.iter().any(|m| m.user == user && (m.after + 1..=m.until).contains(&seq))
    }

    pub(crate) fn member(&self, user: usize) -> Option<&Membership> {
        self.memberships.iter().find(|m| m.user == user && m.until == u64::MAX)
    }

    fn ends(&mut self, user: usize) {
        let last = self.last();
        for membership in &mut self.memberships {
            if membership.user == user {
                membership.until = membership.until.min(last);
            }
        }
    }
}

/// A change that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// With an owner and another first member.
    Create(usize, usize),
    In(usize),
    Out(usize),
    Mute(usize),
    Unmute(usize),
    MakeAdmin(usize),
    MakeMember(usize),
    Dismiss,
    /// An account is deleted; it leaves its groups a moment later.
    Gone(usize),
}

/// What may be true or not of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    Exists,
    Member(usize),
    Muted(usize),
    /// Owner or admin.
    Manages(usize),
}

impl What {
    /// What it makes of a fact.
    fn makes(self, fact: Fact) -> Option<bool> {
        match (self, fact) {
            (Self::Create(..), Fact::Exists) => Some(true),
            (Self::Dismiss, _) | (Self::Create(..), Fact::Muted(_)) => Some(false),
            (Self::Create(owner, other), Fact::Member(user)) => {
                Some([owner, other].contains(&user))
            }
            (Self::Create(owner, _), Fact::Manages(user)) => Some(owner == user),
            (Self::MakeAdmin(who), Fact::Manages(user)) => (who == user).then_some(true),
            (Self::MakeMember(who) | Self::Out(who) | Self::Gone(who), Fact::Manages(user)) => {
                (who == user).then_some(false)
            }
            (Self::In(who), Fact::Member(user)) => (who == user).then_some(true),
            (Self::Out(who) | Self::Gone(who), Fact::Member(user)) => {
                (who == user).then_some(false)
            }
            (Self::Mute(who), Fact::Muted(user)) => (who == user).then_some(true),
            (Self::Unmute(who), Fact::Muted(user)) => (who == user).then_some(false),
            _ => None,
        }
    }
}

/// A change, when it was asked for, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Deed {
    /// All groups if none.
    pub(crate) group: Option<usize>,
    pub(crate) what: What,
    pub(crate) asked: Step,
    /// From then on nothing comes of it any more.
    pub(crate) over: Step,
    pub(crate) done: Truth,
}

/// Somebody marked a group as read.
#[derive(Debug, Clone)]
pub(crate) struct GroupMark {
    pub(crate) user: usize,
    pub(crate) group: usize,
    pub(crate) seq: u64,
    pub(crate) asked: Step,
    pub(crate) over: Step,
    pub(crate) done: Truth,
    pub(crate) saved: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    pub(crate) messages: Vec<GroupMessage>,
    /// By group, in their order; the number of each is what the store calls it.
    incarnations: BTreeMap<usize, Vec<(u64, Incarnation)>>,
    pub(crate) deeds: Vec<Deed>,
    pub(crate) marks: Vec<GroupMark>,
    pub(crate) changes: Vec<Asked>,
}

impl Groups {
    pub(crate) fn message(&self, number: u32) -> Result<&GroupMessage, Broken> {
        let found = self.messages.get(number as usize);
        found.ok_or_else(|| broken(format!("group message {number} was never sent")))
    }

    /// The groups that an id has named, the present one last.
    pub(crate) fn of(&self, group: usize) -> impl DoubleEndedIterator<Item = &Incarnation> {
        self.incarnations.get(&group).into_iter().flatten().map(|(_, incarnation)| incarnation)
    }

    pub(crate) fn newest(&self, group: usize) -> Option<&Incarnation> {
        self.of(group).next_back()
    }

    /// A commit of a group became durable.
    pub(crate) fn became_durable(&mut self, write: &GroupWrite, step: Step) -> Check {
        let group = group_of(&write.group)?;
        let known = self.incarnations.entry(group).or_default();
        if write.born {
            if known.last().is_some_and(|(number, _)| *number > write.incarnation) {
                return Err(broken(format!("g{group} is made again with a smaller number")));
            }
            if known.last().is_none_or(|(number, _)| *number != write.incarnation) {
                known.push((
                    write.incarnation,
                    Incarnation { born: step, ..Incarnation::default() },
                ));
            }
        }
        let place = known.iter().position(|(number, _)| *number == write.incarnation);
        let Some(place) = place else {
            return Err(broken(format!("rows of a group that was never made: {write:?}")));
        };
        let is_newest = place + 1 == known.len();
        let own = &mut known[place].1;
        write.left.iter().for_each(|user| own.ends(*user));
        let after = own.last();
        for (user, number) in &write.members {
            if own.member(*user).is_some_and(|member| member.number == *number) {
                continue;
            }
            own.ends(*user);
            let (user, number, until) = (*user, *number, u64::MAX);
            own.memberships.push(Membership { user, number, after, until, joined: step });
        }
        for (seq, message) in &write.messages {
            if *seq != own.last() + 1 || !is_newest {
                return Err(broken(format!("g{group} stores {seq} behind {}", own.last())));
            }
            own.stored.push(Stored { message: *message, step, became: Became::default() });
        }
        for (seq, message) in &write.messages {
            if let Some(message) = message {
                self.check_place(group, place, *seq, *message, step)?;
            }
        }
        for (seq, overlay) in &write.overlays {
            self.overlaid(group, place, *seq, *overlay, step)?;
        }
        Ok(())
    }

    pub(crate) fn became_mut(
        &mut self,
        group: usize,
        place: usize,
        seq: u64,
    ) -> Option<&mut Became> {
        let (_, own) = self.incarnations.get_mut(&group)?.get_mut(place)?;
        let stored = own.stored.get_mut(usize::try_from(seq.checked_sub(1)?).ok()?)?;
        Some(&mut stored.became)
    }

    /// A message stands where it may, and nowhere else.
    fn check_place(
        &mut self,
        group: usize,
        place: usize,
        seq: u64,
        number: u32,
        step: Step,
    ) -> Check {
        let message = self.message(number)?.clone();
        let is_it = |stored: &&Stored| stored.message == Some(number);
        let counts: Vec<usize> =
            self.of(group).map(|own| own.stored.iter().filter(is_it).count()).collect();
        let total: usize = counts.iter().sum();
        if message.group != group || counts[place] > 1 || (total > 1 && !message.repeated) {
            return Err(broken(format!(
                "group message {number} to g{} is stored in g{group} {counts:?} times",
                message.group
            )));
        }
        let own = &mut self.incarnations.get_mut(&group).expect("just written")[place].1;
        own.newest = own.newest.max(message.sent);
        let since = own.newest;
        let was_member = own.was_member(message.from, seq);
        if let Author::Device(_) = message.author {
            let is_member = self.may_be(group, Fact::Member(message.from), true, since, step);
            let may_speak = self.may_be(group, Fact::Muted(message.from), false, since, step);
            if !(was_member && is_member && may_speak) {
                return Err(broken(format!(
                    "group message {number} stands at {seq} of g{group}, where u{} may not speak \
                     (member {was_member}/{is_member}, unmuted {may_speak})",
                    message.from
                )));
            }
        }
        Ok(())
    }

    /// Whether a fact may have been so at some time of a span.
    pub(crate) fn may_be(
        &self,
        group: usize,
        fact: Fact,
        value: bool,
        from: Step,
        to: Step,
    ) -> bool {
        let deeds = || {
            let own = self.deeds.iter().filter(|d| d.group.is_none_or(|own| own == group));
            own.filter_map(|deed| Some((deed, deed.what.makes(fact)?)))
        };
        let has_changed = |since: Step| {
            deeds().any(|(deed, makes)| {
                deed.done == Truth::Yes && makes != value && deed.asked > since && deed.over < from
            })
        };
        (!value && !has_changed(0))
            || deeds().any(|(deed, makes)| {
                deed.done != Truth::No
                    && makes == value
                    && deed.asked <= to
                    && !has_changed(deed.over)
            })
    }

    pub(crate) fn is_surely(&self, group: usize, fact: Fact, from: Step, to: Step) -> bool {
        !self.may_be(group, fact, false, from, to)
    }

    /// A change is answered.
    pub(crate) fn answered(&mut self, deed: usize, done: Truth, step: Step) {
        let deed = &mut self.deeds[deed];
        deed.done = done;
        if !matches!(deed.what, What::Gone(_)) {
            deed.over = step;
        }
    }

    /// Nothing is under way any more; after a crash, but what the outbox has left to do.
    pub(crate) fn over(&mut self, step: Step, is_crash: bool) {
        for deed in self.deeds.iter_mut().filter(|deed| deed.over == NEVER) {
            if !(is_crash && matches!(deed.what, What::Gone(_))) {
                deed.over = step;
            }
        }
        for mark in self.marks.iter_mut().filter(|mark| mark.over == NEVER) {
            mark.over = step;
        }
        for change in self.changes.iter_mut().filter(|change| change.over == NEVER) {
            change.over = step;
        }
    }

    /// A crash: marks that no tick has saved are perhaps lost.
    pub(crate) fn crash(&mut self, step: Step) {
        self.over(step, true);
        for mark in self.marks.iter_mut().filter(|mark| !mark.saved && mark.done == Truth::Yes) {
            mark.done = Truth::Perhaps;
        }
    }

    /// Whether a message is stored there.
    pub(crate) fn is_at(&self, number: u32, seq: u64) -> bool {
        let Ok(message) = self.message(number) else { return false };
        self.of(message.group)
            .any(|own| own.at(seq).is_some_and(|stored| stored.message == Some(number)))
    }

    /// Fewest and most unread messages that are right for a member in an answer to a question of step
    /// `asked` that was made at `step`.
    pub(crate) fn unread(&self, group: usize, user: usize, asked: Step) -> (u64, u64) {
        let Some(own) = self.newest(group).filter(|_| !is_meeting(group)) else { return (0, 0) };
        let Some(member) = own.member(user) else { return (0, 0) };
        let (mut surely, mut perhaps) = (member.after, member.after);
        let marks = self.marks.iter().filter(|m| (m.user, m.group) == (user, group));
        for mark in marks.filter(|m| m.done != Truth::No && m.over >= member.joined) {
            perhaps = perhaps.max(mark.seq.min(own.last_at(mark.over)));
            if mark.done == Truth::Yes && mark.over <= asked && mark.asked > member.joined {
                surely = surely.max(mark.seq.min(own.last_at(mark.asked)));
            }
        }
        let count = |after: u64, through: u64, counts_still: &dyn Fn(u64, &Stored) -> bool| {
            let counts = |seq: u64, stored: &Stored| {
                let message = stored.message.and_then(|number| self.message(number).ok());
                message.is_some_and(|message| message.counted && message.from != user)
                    && counts_still(seq, stored)
            };
            own.places()
                .filter(|(seq, stored)| *seq > after && *seq <= through && counts(*seq, stored))
                .count() as u64
        };
        let surely_counts = |seq: u64, stored: &Stored| {
            stored.became.recalled.is_none()
                && self.is_deleted(group, user, seq, asked) == Truth::No
        };
        let perhaps_counts = |seq: u64, stored: &Stored| {
            stored.became.recalled.is_none_or(|step| step > asked)
                && self.is_deleted(group, user, seq, asked) != Truth::Yes
        };
        (
            count(perhaps.max(surely), own.last_at(asked), &surely_counts),
            count(surely, own.last(), &perhaps_counts),
        )
    }
}
