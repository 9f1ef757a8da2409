//! Flow control: how many messages a second a group or room may have, and which ones when there are more.
//!
//! At most `limit` messages pass in any second that one may look at. While there are few they pass at
//! once; above half of the limit they wait in lanes, one a priority, and a slot every 50 ms lets its share
//! through, the highest priority first, equal ones in their order. The shares are even: who lets all
//! through that the limit has left has a burst, then nothing for most of a second, and again so for as long as
//! the flood lasts. When more wait than can be let through soon, one of the lowest priority is given up, chosen
//! at random among equals. So what is of high priority, and by itself within the limit, always gets through.
//!
//! Pure: the clock and the choice come in as arguments. What becomes of a message that is given up (a
//! live room forgets it, a group refuses it) is the caller's business.

use std::collections::VecDeque;

use teahouse_proto::group::Priority;
use teahouse_proto::time::UnixMillis;

/// The second over which the limit holds.
const WINDOW_MS: u64 = 1_000;
/// How often what waits is looked at.
const SLOT_MS: u64 = 50;
const LANES: usize = Priority::ALL.len();

/// The lanes of one group or room. `T` is what waits.
#[derive(Debug)]
pub(crate) struct Lanes<T> {
    /// When the messages of the last second were let through, oldest first.
    passed: VecDeque<u64>,
    /// By priority, the highest first.
    waiting: [VecDeque<T>; LANES],
    /// When something was let through from the lanes, or began to wait in empty ones.
    last_slot: u64,
    /// What slots have not used of their shares, in thousandths of a message.
    credit: u64,
    /// The time that was seen last.
    now: u64,
}

/// What becomes of a message that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offer<T> {
    /// It may go on.
    Passed(T),
    /// It waits for a slot.
    Waits,
    /// It waits, and the given one was given up; or it was given up itself.
    Displaced(T),
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self {
            passed: VecDeque::new(),
            waiting: Default::default(),
            last_slot: 0,
            credit: 0,
            now: 0,
        }
    }
}

impl<T> Lanes<T> {
    /// Offers a message. `choose(n)` is a random number below `n`.
    pub(crate) fn offer(
        &mut self,
        message: T,
        priority: Priority,
        limit: usize,
        now: UnixMillis,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Offer<T> {
        self.look_at(now);
        let waits = !self.is_empty();
        if !waits && self.passed.len() < limit.div_ceil(2) {
            self.passed.push_back(self.now);
            return Offer::Passed(message);
        }
        if !waits {
            (self.last_slot, self.credit) = (self.now, 0);
        }
        self.waiting[lane(priority)].push_back(message);
        match self.surplus(limit) {
            None => Offer::Waits,
            Some(lane) => {
                let victim = choose(self.waiting[lane].len());
                let victim = self.waiting[lane].remove(victim);
                Offer::Displaced(victim.expect("the choice is below the length"))
            }
        }
    }

    /// Lets through what this slot has room for.
    pub(crate) fn release(&mut self, limit: usize, now: UnixMillis) -> Vec<T> {
        self.look_at(now);
        // A slot that comes late has the shares of those that it stands for.
        let since = self.now.saturating_sub(self.last_slot).min(WINDOW_MS);
        let unused_max = limit as u64 * SLOT_MS + WINDOW_MS;
        self.credit =
            (self.credit + limit as u64 * since).min(unused_max.max(limit as u64 * since));
        let room = limit.saturating_sub(self.passed.len()) as u64;
        // What is left after a burst lasts until the burst is a second ago.
        let free_in = self.passed.front().map_or(WINDOW_MS, |oldest| oldest + WINDOW_MS - self.now);
        let share = (self.credit / WINDOW_MS).min(room).min((room * since / free_in).max(1));
        let share = usize::try_from(share).expect("at most the room");
        let mut released = Vec::new();
        for lane in &mut self.waiting {
            let count = lane.len().min(share - released.len());
            released.extend(lane.drain(..count));
        }
        self.credit -= released.len() as u64 * WINDOW_MS;
        self.passed.extend(std::iter::repeat_n(self.now, released.len()));
        self.last_slot = self.now;
        if self.is_empty() {
            // Most groups are quiet most of the time: give the memory back.
            self.waiting = Default::default();
        }
        released
    }

    /// When the next slot is due; nothing while nothing waits.
    pub(crate) fn due(&self) -> Option<UnixMillis> {
        (!self.is_empty()).then_some(UnixMillis(self.last_slot + SLOT_MS))
    }

    /// Nothing waits, and nothing has passed in the last second.
    pub(crate) fn is_idle(&self, now: UnixMillis) -> bool {
        let recent = |passed: &u64| passed + WINDOW_MS > now.0;
        self.is_empty() && !self.passed.back().is_some_and(recent)
    }

    fn is_empty(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty)
    }

    fn look_at(&mut self, now: UnixMillis) {
        if now.0 < self.now {
            // The clock stepped back: what has passed has passed now, so that no window opens again.
            self.passed.iter_mut().for_each(|passed| *passed = now.0);
            self.last_slot = now.0;
        }
        self.now = now.0;
        while self.passed.front().is_some_and(|passed| passed + WINDOW_MS <= self.now) {
            self.passed.pop_front();
        }
    }

    /// The lane that has to give one up. High ones may fill two seconds: then those that are within the
    /// limit by themselves never do, whatever the others have taken before. The rest waits for little
    /// more than a second, so that nobody gets old messages.
    fn surplus(&self, limit: usize) -> Option<usize> {
        let high = lane(Priority::High);
        if self.waiting[high].len() > 2 * limit {
            return Some(high);
        }
        let others = &self.waiting[high + 1..];
        let waiting: usize = others.iter().map(VecDeque::len).sum();
        if waiting <= limit + limit / 4 {
            return None;
        }
        others.iter().rposition(|lane| !lane.is_empty()).map(|lane| lane + high + 1)
    }
}

fn lane(priority: Priority) -> usize {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
        Priority::Lowest => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message: its priority, and when it was offered.
    type Message = (Priority, u64, usize);

    /// Plays messages against lanes whose slots come 2 ms late: what passed (and when), what was given up.
    fn play(limit: usize, offers: &[(u64, Priority)]) -> (Vec<(u64, Message)>, Vec<Message>) {
        let (mut lanes, mut passed, mut lost) = (Lanes::default(), Vec::new(), Vec::new());
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut choose = move |n: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % n as u64).unwrap()
        };
        let end = offers.last().map_or(0, |offer| offer.0) + 5_000;
        let mut next = offers.iter().enumerate().peekable();
        for now in 0..end {
            while let Some((number, (_, priority))) = next.next_if(|(_, offer)| offer.0 == now) {
                let message = (*priority, now, number);
                match lanes.offer(message, *priority, limit, UnixMillis(now), &mut choose) {
                    Offer::Passed(message) => passed.push((now, message)),
                    Offer::Waits => {}
                    Offer::Displaced(message) => lost.push(message),
                }
            }
            if lanes.due().is_some_and(|due| due.0 + 2 <= now) {
                let released = lanes.release(limit, UnixMillis(now));
                passed.extend(released.into_iter().map(|message| (now, message)));
            }
        }
        assert!(lanes.due().is_none(), "nothing waits for ever");
        (passed, lost)
    }

    fn priority() -> impl Strategy<Value = Priority> {
        prop::sample::select(Priority::ALL)
    }

    /// Bursts and pauses over a few seconds.
    fn offers(
        priority: impl Strategy<Value = Priority>,
    ) -> impl Strategy<Value = Vec<(u64, Priority)>> {
        prop::collection::vec((0_u64..40, priority), 0..400).prop_map(|gaps| {
            let mut now = 0;
            let at = |(gap, priority): (u64, Priority)| {
                // Half of the messages come together with the one before.
                now += gap.saturating_sub(20);
                (now, priority)
            };
            gaps.into_iter().map(at).collect()
        })
    }

    fn in_any_second(times: &[u64]) -> usize {
        let within =
            |start: u64| times.iter().filter(|time| (start..start + 1_000).contains(time)).count();
        times.iter().map(|start| within(*start)).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_second_has_more_than_the_limit_and_nothing_is_lost_unsaid(
            offers in offers(priority()), limit in 1_usize..60,
        ) {
            let (passed, lost) = play(limit, &offers);
            let times: Vec<u64> = passed.iter().map(|(at, _)| *at).collect();
            prop_assert!(in_any_second(&times) <= limit);
            prop_assert_eq!(passed.len() + lost.len(), offers.len());
        }

        #[test]
        fn what_is_high_and_within_the_limit_always_passes(
            offers in offers(priority()), limit in 1_usize..60,
        ) {
            let mut kept: Vec<(u64, Priority)> = Vec::new();
            for offer in offers {
                let recent = kept.iter().filter(|o| o.1 == Priority::High && o.0 + 1_000 > offer.0);
                if offer.1 != Priority::High || recent.count() < limit {
                    kept.push(offer);
                }
            }
            let (_, lost) = play(limit, &kept);
            prop_assert!(lost.iter().all(|message| message.0 != Priority::High), "{:?}", lost);
        }

        #[test]
        fn nothing_passes_while_something_higher_that_was_there_first_waits(
            offers in offers(priority()), limit in 1_usize..60,
        ) {
            let (passed, _) = play(limit, &offers);
            for (position, (at, low)) in passed.iter().enumerate() {
                let overtaken = passed[position + 1..].iter().find(|(_, high)| {
                    high.0 < low.0 && high.1 < *at
                });
                prop_assert!(overtaken.is_none(), "{:?} before {:?}", low, overtaken);
            }
        }

        #[test]
        fn equal_ones_keep_their_order(offers in offers(priority()), limit in 1_usize..60) {
            let (passed, _) = play(limit, &offers);
            for priority in Priority::ALL {
                let numbers: Vec<usize> =
                    passed.iter().filter(|p| p.1.0 == *priority).map(|p| p.1.2).collect();
                prop_assert!(numbers.is_sorted(), "{:?}", numbers);
            }
        }

        #[test]
        fn what_is_not_high_never_waits_long(offers in offers(Just(Priority::Low)), limit in 8_usize..60) {
            let (passed, _) = play(limit, &offers);
            let oldest = passed.iter().map(|(at, message)| at - message.1).max();
            // A second until the window is free again, and five quarters for all that may wait.
            prop_assert!(oldest.unwrap_or(0) <= 2_250 + 2 * SLOT_MS, "{:?}", oldest);
        }
    }

    #[test]
    fn a_flood_of_equals_is_served_fairly() {
        // Ten senders at the same pace, ten times the limit in all.
        let offers: Vec<(u64, Priority)> =
            (0..8_000_u64).map(|n| (n * 5 / 2, Priority::Normal)).collect();
        let (passed, lost) = play(40, &offers);
        let mut by_sender = [0_usize; 10];
        passed.iter().for_each(|(_, message)| by_sender[message.2 % 10] += 1);
        let mean = passed.len() / 10;
        assert!(passed.len() >= 40 * 20 - 40 && lost.len() > 7_000, "{}", passed.len());
        let far = |count: &&usize| count.abs_diff(mean) > mean / 2;
        assert_eq!(by_sender.iter().find(far), None, "{by_sender:?} around {mean}");
    }

    #[test]
    fn a_flood_flows_evenly_from_its_beginning_to_its_end() {
        for (limit, gap_max) in [(40, 150), (10, 300), (100, 150)] {
            let calm = (0..20_u64).map(|n| (n * 50, Priority::Normal));
            let flood = (0..8_000_u64).map(|n| (1_000 + n, Priority::Normal));
            let (passed, _) = play(limit, &calm.chain(flood).collect::<Vec<_>>());
            let times: Vec<u64> = passed.iter().map(|(at, _)| *at).collect();
            let gap = times.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(gap.unwrap_or(0) <= gap_max, "{limit}: {gap:?}");
            assert!(times.len() >= limit * 8, "{limit}: {}", times.len());
        }
    }

    #[test]
    fn a_quiet_group_waits_for_nothing() {
        let offers: Vec<(u64, Priority)> = (0..200).map(|n| (n * 60, Priority::Lowest)).collect();
        let (passed, lost) = play(40, &offers);
        assert!(lost.is_empty() && passed.iter().all(|(at, message)| *at == message.1));
    }

    #[test]
    fn a_clock_that_steps_back_opens_no_window() {
        let mut lanes = Lanes::default();
        let mut offer = |now| lanes.offer(now, Priority::Normal, 2, UnixMillis(now), &mut |_| 0);
        assert_eq!(offer(5_000), Offer::Passed(5_000));
        assert_eq!(offer(1_000), Offer::Waits);
        assert_eq!(lanes.due(), Some(UnixMillis(1_050)), "it does not wait for the old time");
        assert_eq!(lanes.release(1, UnixMillis(1_050)), Vec::<u64>::new());
        assert_eq!(lanes.release(1, UnixMillis(1_999)), Vec::<u64>::new());
        assert_eq!(lanes.release(1, UnixMillis(2_000)), vec![1_000]);
    }
}
