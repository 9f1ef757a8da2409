//! What the simulation knows to be true: what was sent, answered and made durable, and when. Clients and
//! audits are compared with it. "When" is the number of the step, so that it says what came before what.

use std::collections::BTreeMap;

use crate::disk::MessageRow;
use crate::groups::Groups;
use crate::{Broken, Check, broken};

/// The number of a step.
pub(crate) type Step = u64;
/// Still under way, or never answered.
pub(crate) const NEVER: Step = Step::MAX;

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    Device(usize),
    Backend,
}

/// A message, from the moment somebody decided to send it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) author: Author,
    /// Counts as unread.
    pub(crate) counted: bool,
    /// Only in the receiver's history.
    pub(crate) hidden_from_sender: bool,
    /// Delivered to the sender's other devices.
    pub(crate) synced: bool,
    /// Step of the decision.
    pub(crate) sent: Step,
    /// Step of the first good answer.
    pub(crate) acked: Step,
    /// Sent again: its first attempt may have been refused, and others been faster since.
    pub(crate) repeated: bool,
    /// Where it is stored last: once in every pair. An account that is deleted and made again has new
    /// pairs, and a send that is repeated after that is a new message.
    pub(crate) durable: Option<Durable>,
}

/// Where a message is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Durable {
    pub(crate) pair: (u64, u64),
    pub(crate) time: u32,
    pub(crate) ordinal: u64,
    pub(crate) step: Step,
}

/// Somebody marked a conversation as read (or deleted it, which reads everything).
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) reader: usize,
    pub(crate) peer: usize,
    pub(crate) kind: MarkKind,
    /// Steps of the request and of its good answer.
    pub(crate) asked: Step,
    pub(crate) done: Step,
    /// A crash may lose it, or has perhaps lost it.
    pub(crate) saved: bool,
    pub(crate) doubtful: bool,
    /// Sent again: a second copy may take effect after the first one was answered.
    pub(crate) repeated: bool,
}

impl Mark {
    /// After this step it has no effect any more.
    pub(crate) fn over(&self) -> Step {
        const UNDER_WAY: Step = 3_000;
        if self.repeated { self.done.saturating_add(UNDER_WAY) } else { self.done }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkKind {
    /// All of the peer's messages up to this second.
    Read(u32),
    /// The whole conversation; with `true` the history went too.
    Delete(bool),
}

/// Somebody changed a message after it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) message: u32,
    pub(crate) kind: ChangeKind,
    /// Whether it took effect; open until it is answered, and after that if no answer came.
    pub(crate) done: Truth,
    /// Steps of the decision and of the answer.
    pub(crate) asked: Step,
    pub(crate) over: Step,
}

/// What somebody does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Withdraw,
    Modify,
    /// The receiver confirms that he has read it.
    Confirm,
    /// This user takes it out of his history.
    Delete(usize),
}

/// Bounds of what is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    Yes,
    No,
    Perhaps,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) messages: Vec<Message>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) changes: Vec<Change>,
    /// What was answered to who modified a message: what it said, by version.
    pub(crate) versions: BTreeMap<u32, BTreeMap<u64, String>>,
    /// Message numbers by pair, in commit order.
    pub(crate) stored: BTreeMap<(u64, u64), Vec<(u32, Durable)>>,
    pub(crate) groups: Groups,
}

impl Ledger {
    pub(crate) fn message(&self, number: u32) -> Result<&Message, Broken> {
        let found = self.messages.get(number as usize);
        found.ok_or_else(|| broken(format!("message {number} was never sent")))
    }

    /// A row became durable: the first and only one of its message, after all others of its pair.
    pub(crate) fn became_durable(&mut self, row: &MessageRow, step: Step) -> Check {
        self.message(row.message)?;
        let (time, ordinal) = row.place();
        let durable = Durable { pair: row.pair(), time, ordinal, step };
        let stored = self.stored.entry(row.pair()).or_default();
        if let Some((number, before)) = stored.iter().find(|(number, _)| *number == row.message) {
            return Err(broken(format!(
                "message {number} is stored twice: {before:?} and {durable:?}"
            )));
        }
        if let Some((_, before)) = stored.last()
            && (before.time > time || before.ordinal >= ordinal)
        {
            let number = row.message;
            return Err(broken(format!("message {number} at {durable:?} is behind {before:?}")));
        }
        stored.push((row.message, durable));
        self.messages[row.message as usize].durable = Some(durable);
        Ok(())
    }

    /// In how many pairs a message is stored.
    pub(crate) fn times_stored(&self, number: u32) -> usize {
        self.stored.values().flatten().filter(|(stored, _)| *stored == number).count()
    }

    /// Whether this is the only pair that two users ever had: what clients count of accounts that are gone
    /// is nobody's promise.
    pub(crate) fn is_only_pair(&self, pair: (u64, u64), a: usize, b: usize) -> bool {
        let is_of_both = |number: u32| {
            let message = &self.messages[number as usize];
            [(a, b), (b, a)].contains(&(message.from, message.to))
        };
        let is_other = |(other, stored): (&(u64, u64), &Vec<(u32, Durable)>)| {
            *other != pair && stored.first().is_some_and(|(number, _)| is_of_both(*number))
        };
        self.stored.contains_key(&pair) && !self.stored.iter().any(is_other)
    }

    /// Whether a message is stored anywhere with this second.
    pub(crate) fn is_stored_at(&self, number: u32, time: u32) -> bool {
        let all = self.stored.values().flatten();
        self.messages.get(number as usize).and_then(|m| m.durable).is_some_and(|d| d.time == time)
            || all.filter(|(n, _)| *n == number).any(|(_, durable)| durable.time == time)
    }

    /// Whether `reader` has read (or deleted) a message of `peer`.
    pub(crate) fn is_read(&self, reader: usize, peer: usize, durable: &Durable) -> Truth {
        let mut truth = Truth::No;
        for mark in self.marks.iter().filter(|mark| (mark.reader, mark.peer) == (reader, peer)) {
            let covers = match mark.kind {
                MarkKind::Read(through) => through >= durable.time,
                MarkKind::Delete(_) => true,
            };
            if !covers || durable.step > mark.over() {
                continue;
            }
            let older = match mark.kind {
                MarkKind::Read(through) => through > durable.time || durable.step < mark.asked,
                MarkKind::Delete(_) => durable.step < mark.asked,
            };
            if mark.done != NEVER && older && !mark.doubtful {
                return Truth::Yes;
            }
            truth = Truth::Perhaps;
        }
        truth
    }

    /// Whether a message of a device was changed before the device had the answer to its sending: of such a
    /// message it does not know yet by which second it is named.
    pub(crate) fn is_changed_unanswered(&self, device: usize, number: u32) -> bool {
        let message = &self.messages[number as usize];
        let mut changes = self.changes.iter();
        message.author == Author::Device(device)
            && changes.any(|change| change.message == number && change.asked < message.acked)
    }

    /// A change was answered.
    pub(crate) fn change_is_over(&mut self, change: usize, done: Truth, step: Step) {
        let change = &mut self.changes[change];
        (change.done, change.over) = (done, step);
    }

    /// Whether a message was changed in this way.
    pub(crate) fn is_changed(&self, message: u32, kind: ChangeKind) -> Truth {
        let changes = self.changes.iter();
        let changes = changes.filter(|c| (c.message, c.kind) == (message, kind)).map(|c| c.done);
        let truth = changes.fold(Truth::No, |truth, done| match (truth, done) {
            (Truth::Yes, _) | (_, Truth::Yes) => Truth::Yes,
            (Truth::No, Truth::No) => Truth::No,
            (Truth::Perhaps, _) | (_, Truth::Perhaps) => Truth::Perhaps,
        });
        // Which of the two was changed does not show.
        if truth != Truth::No && self.times_stored(message) > 1 { Truth::Perhaps } else { truth }
    }

    /// Whether `reader` took single messages of `peer` out of his history after that step, or perhaps did: his
    /// other devices are not told.
    pub(crate) fn is_thinned_since(&self, reader: usize, peer: usize, step: Step) -> bool {
        self.changes.iter().any(|change| {
            change.kind == ChangeKind::Delete(reader)
                && self.messages[change.message as usize].from == peer
                && change.over >= step
        })
    }

    /// Whether a message counts for its receiver no matter what he has read.
    fn is_uncounted(&self, message: u32, receiver: usize) -> Truth {
        let kinds = [ChangeKind::Withdraw, ChangeKind::Delete(receiver)];
        match kinds.map(|kind| self.is_changed(message, kind)) {
            [Truth::Yes, _] | [_, Truth::Yes] => Truth::Yes,
            [Truth::No, Truth::No] => Truth::No,
            [Truth::Perhaps, _] | [_, Truth::Perhaps] => Truth::Perhaps,
        }
    }

    /// Whether `owner` has cleared a message from his history with `peer`.
    pub(crate) fn is_cleared(&self, owner: usize, peer: usize, durable: &Durable) -> Truth {
        let mut truth = Truth::No;
        for mark in &self.marks {
            let clears = mark.kind == MarkKind::Delete(true)
                && (mark.reader, mark.peer) == (owner, peer)
                && durable.step <= mark.over();
            if clears && mark.done != NEVER && durable.step < mark.asked {
                return Truth::Yes;
            }
            if clears {
                truth = Truth::Perhaps;
            }
        }
        truth
    }

    /// A mark names a second. A device that has not heard all of that second yet goes on counting it.
    pub(crate) fn is_split_second(&self, reader: usize, peer: usize, pair: (u64, u64)) -> bool {
        const UNDER_WAY: Step = 2_000;
        let stored = self.stored.get(&pair).into_iter().flatten();
        let mut of_peer = stored.filter(|(number, _)| self.messages[*number as usize].from == peer);
        of_peer.any(|(_, durable)| {
            self.marks.iter().any(|mark| {
                (mark.reader, mark.peer, mark.kind) == (reader, peer, MarkKind::Read(durable.time))
                    && durable.step + UNDER_WAY > mark.asked
            })
        })
    }

    /// Fewest and most unread messages of a pair that are right for `reader`.
    pub(crate) fn unread(&self, reader: usize, peer: usize, pair: (u64, u64)) -> (u64, u64) {
        let (mut least, mut most) = (0, 0);
        for (number, durable) in self.stored.get(&pair).into_iter().flatten() {
            let message = &self.messages[*number as usize];
            if message.from != peer || !message.counted {
                continue;
            }
            let is_read = self.is_read(reader, peer, durable);
            match (is_read, self.is_uncounted(*number, reader)) {
                (Truth::Yes, _) | (_, Truth::Yes) => {}
                (Truth::No, Truth::No) => (least, most) = (least + 1, most + 1),
                (Truth::Perhaps, _) | (_, Truth::Perhaps) => most += 1,
            }
        }
        (least, most)
    }

    /// A crash: read marks that no tick has saved are perhaps lost.
    pub(crate) fn crash(&mut self) -> Vec<(usize, usize)> {
        let mut lost = Vec::new();
        for mark in self.marks.iter_mut().filter(|mark| !mark.saved) {
            if let MarkKind::Read(_) = mark.kind {
                mark.doubtful = true;
                mark.saved = true;
                lost.push((mark.reader, mark.peer));
            }
        }
        lost
    }

    /// A tick that began at `step` has saved all marks that were made before.
    pub(crate) fn saved(&mut self, step: Step) {
        for mark in self.groups.marks.iter_mut().filter(|mark| mark.over < step) {
            mark.saved = true;
        }
        for mark in self.marks.iter_mut().filter(|mark| mark.done < step) {
            mark.saved = true;
        }
    }
}
